//! `POST /v1/rank`: products in, the same products in the order for a shopper out.

use axum::Json;
use axum::extract::{Request, State};
use cartwheel_engine::{Filters, Query, RankedProduct, Unranked};
use cartwheel_events::{ImpressionItem, MAX_ITEMS, ProductId, UserId};
use cartwheel_filter::Source;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::access::scope::Scope;
use crate::contract::schema::Id;
use crate::http::problem::Problem;
use crate::http::request;
use crate::routes::Routes;
use crate::shop::expression::expression;
use crate::shop::recommendations::{Shown, cart_within_bounds, known, record_shown, shopper};
use crate::state::Shared;

/// Most products of a request.
const MAX_PRODUCTS: usize = 1000;
/// The source of ranked products in impressions.
const SOURCE: &str = "rank";

/// The route that ranks.
pub(crate) fn routes() -> Routes {
    Routes::default().for_guests(Scope::RecommendationsRead, routes!(rank))
}

/// A request to order products.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RankRequest {
    /// The shopper, unless it is a guest; an integer is kept as its decimal text.
    #[schema(value_type = Option<Id>)]
    user_id: Option<UserId>,
    /// The guest, unless there is a `user_id`; an integer is kept as its decimal text.
    #[schema(value_type = Option<Id>)]
    anonymous_id: Option<UserId>,
    /// The products to order, such as those of a category page. A repeated product counts once.
    #[schema(value_type = Vec<Id>, min_items = 1, max_items = 1000)]
    products: Vec<ProductId>,
    /// The cart, up to 200 products. Overrides the session's cart.
    #[schema(value_type = Option<Vec<Id>>, max_items = 200)]
    cart: Option<Vec<ProductId>>,
    /// Only products that fulfil this expression, such as `price < 20 and brand = context.brand`.
    #[schema(min_length = 1, max_length = 2000)]
    filter: Option<String>,
    /// The values of the filter after `context.`: texts, numbers, flags, lists of texts or null.
    #[schema(value_type = Option<Object>)]
    context: Option<Map<String, Value>>,
    /// Maximum number of products in the answer; all by default.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Products in the order for a shopper.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ranking {
    /// The answer's id. Send it with events that result from the answer.
    recommendation_id: String,
    /// The model that ranked the products.
    model_version: String,
    /// The release: feature set and model.
    release: String,
    /// Whether a part failed and the answer was made from the rest.
    degraded: bool,
    /// The products that may be shown and fulfil the filter, best first.
    products: Vec<RankedProduct>,
    /// The other products of the request, each with the reason.
    unranked: Vec<Unranked>,
}

/// Orders products for a shopper
///
/// The products of a category page or of a search, in the order in which the shopper is likely to
/// want them. They are scored as recommendations are; products in the cart keep a place. The first
/// 200 count as sent: what follows from the others does not count in /v1/quality.
#[utoipa::path(post, path = "/v1/rank", tag = "recommendations",
    request_body = RankRequest, responses(
    (status = 200, description = "The products, best first", body = Ranking),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Not application/json", body = Problem),
))]
pub(crate) async fn rank(
    State(state): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Json<Ranking>, Problem> {
    let body: RankRequest = request::json(request, &state.bodies).await?;
    let RankRequest { products, cart, .. } = body;
    if !(1..=MAX_PRODUCTS).contains(&products.len()) {
        let detail = format!("products has {} entries.", products.len());
        return Err(Problem::field("products", detail, "1 to 1000 product ids"));
    }
    let limit = body.limit.unwrap_or(MAX_PRODUCTS);
    if !(1..=MAX_PRODUCTS).contains(&limit) {
        return Err(Problem::field("limit", "limit is out of range.", "a number from 1 to 1000"));
    }
    cart_within_bounds(cart.as_deref())?;
    let expression = expression(body.filter.as_deref(), body.context, Source::Shopper)?;
    let shopper = caller.permit(shopper(body.user_id, body.anonymous_id)?)?;
    let known = known(&state, &shopper).await;
    let now_ms = state.clock.now_ms();
    let query = Query {
        user_id: shopper.id(),
        session: known.session(),
        record: known.record(),
        cart,
        limit,
        filters: Filters { expression, ..Filters::default() },
        rules: None,
        explain: false,
        now_ms,
    };
    let cart = query.cart_products();
    let mut answer = state.engine.rank(query, &products).await;
    answer.degraded |= known.shopper.is_none();
    // Nobody sees so many: a long list would take longer to write than to rank.
    let recorded = answer.items.iter().take(MAX_ITEMS);
    let items = recorded.zip(0..).map(|(item, position)| ImpressionItem {
        product_id: item.product_id.clone(),
        position,
        score: item.probability,
        source: SOURCE.to_owned(),
        rule: None,
        propensity: None,
    });
    let shown = Shown { release: &answer.release, degraded: answer.degraded, cart, now_ms };
    let recommendation_id = record_shown(&state, shopper.id(), shown, Some(items.collect()));
    Ok(Json(Ranking {
        recommendation_id,
        model_version: answer.model_version,
        release: answer.release,
        degraded: answer.degraded,
        products: answer.items,
        unranked: answer.unranked,
    }))
}
