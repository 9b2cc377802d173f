//! `POST /v1/placements/{name}` and `POST /v1/page`: a shopper in, lists of products out.

use axum::Json;
use axum::extract::{Request, State};
use cartwheel_engine::{Page, Placed};
use cartwheel_events::{ProductId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::slot::Asked;
use super::visit::{Prepared, Visit};
use crate::access::caller::Caller;
use crate::contract::schema::Id;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{self, PlacementPath};
use crate::shop::recommendations::{Shown, ShownList, record_lists, shown_item};
use crate::state::Shared;

/// Most placements of a page.
const MAX_LISTS: usize = 10;

/// A request for the products of a placement.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlacementRequest {
    /// The shopper, unless it is a guest; an integer is kept as its decimal text.
    #[schema(value_type = Option<Id>)]
    user_id: Option<UserId>,
    /// The guest, unless there is a `user_id`; an integer is kept as its decimal text.
    #[schema(value_type = Option<Id>)]
    anonymous_id: Option<UserId>,
    /// The name of the page that shows the list, for impressions; a name as those of placements.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,31}$")]
    page: Option<String>,
    /// The cart, up to 200 products. Overrides the session's cart.
    #[schema(value_type = Option<Vec<Id>>, max_items = 200)]
    cart: Option<Vec<ProductId>>,
    /// The product of the page. Placements of the kinds `bought_together`, `substitutes` and
    /// `also_viewed` need it. It is not recommended itself.
    #[schema(value_type = Option<Id>)]
    product_id: Option<ProductId>,
    /// The products to order, for the kind `rank`.
    #[schema(value_type = Option<Vec<Id>>, min_items = 1, max_items = 1000)]
    products: Option<Vec<ProductId>>,
    /// Maximum number of products; by default, and at most, the placement's limit.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only products that fulfil this expression too, beside the placement's filter.
    #[schema(min_length = 1, max_length = 2000)]
    filter: Option<String>,
    /// The values of filters after `context.`: texts, numbers, flags, lists of texts or null.
    #[schema(value_type = Option<Object>)]
    context: Option<Map<String, Value>>,
}

/// A request for several lists of a page.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageRequest {
    /// The shopper, unless it is a guest; an integer is kept as its decimal text.
    #[schema(value_type = Option<Id>)]
    user_id: Option<UserId>,
    /// The guest, unless there is a `user_id`; an integer is kept as its decimal text.
    #[schema(value_type = Option<Id>)]
    anonymous_id: Option<UserId>,
    /// The name of the page, for impressions; a name as those of placements.
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,31}$")]
    page: Option<String>,
    /// The cart, up to 200 products. Overrides the session's cart.
    #[schema(value_type = Option<Vec<Id>>, max_items = 200)]
    cart: Option<Vec<ProductId>>,
    /// The product of the page, for lists that name no other. It is not recommended itself.
    #[schema(value_type = Option<Id>)]
    product_id: Option<ProductId>,
    /// The values of filters after `context.`: texts, numbers, flags, lists of texts or null.
    #[schema(value_type = Option<Object>)]
    context: Option<Map<String, Value>>,
    /// The lists of the page, from the top: no product is in two of them, and earlier lists choose
    /// first.
    #[schema(min_items = 1, max_items = 10)]
    placements: Vec<ListRequest>,
}

/// A list of a page.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListRequest {
    /// The placement.
    name: String,
    /// The product to which others are compared, if it is not that of the page.
    #[schema(value_type = Option<Id>)]
    product_id: Option<ProductId>,
    /// The products to order, for the kind `rank`.
    #[schema(value_type = Option<Vec<Id>>, min_items = 1, max_items = 1000)]
    products: Option<Vec<ProductId>>,
    /// Maximum number of products; by default, and at most, the placement's limit.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only products that fulfil this expression too, beside the placement's filter.
    #[schema(min_length = 1, max_length = 2000)]
    filter: Option<String>,
}

/// The products of a placement.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlacementList {
    /// The placement.
    placement: String,
    /// The list's id. Send it with events that result from the list.
    recommendation_id: String,
    /// Products, best first.
    recommendations: Vec<Placed>,
}

/// The products of a placement, with their origin.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlacementAnswer {
    #[serde(flatten)]
    list: PlacementList,
    /// The model that ranked the products.
    model_version: String,
    /// The release: feature set and model.
    release: String,
    /// Whether a part failed and the answer was made from the rest.
    degraded: bool,
}

/// The lists of a page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageAnswer {
    /// The model that ranked the products.
    model_version: String,
    /// The release: feature set and model.
    release: String,
    /// Whether a part failed and the answer was made from the rest.
    degraded: bool,
    /// A list for each placement of the request, in its order.
    placements: Vec<PlacementList>,
}

/// Fills a placement for a shopper
///
/// The list is filled up by the placement's fallbacks: it is shorter than its limit only if fewer
/// products qualify. Products in the cart are left out, unless the placement orders given products.
#[utoipa::path(post, path = "/v1/placements/{name}", tag = "placements", params(
    ("name" = String, Path, description = "The placement"),
), request_body = PlacementRequest, responses(
    (status = 200, description = "Products, best first", body = PlacementAnswer),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 404, description = "The placement does not exist", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Not application/json", body = Problem),
))]
pub(crate) async fn placement(
    State(state): State<Shared>,
    caller: Caller,
    PlacementPath(name): PlacementPath,
    request: Request,
) -> Result<Json<PlacementAnswer>, Problem> {
    let body: PlacementRequest = request::json(request, &state.bodies).await?;
    let PlacementRequest { product_id, products, limit, filter, .. } = body;
    let visit = Visit {
        user_id: body.user_id,
        anonymous_id: body.anonymous_id,
        page: body.page,
        cart: body.cart,
        context: body.context,
    };
    let asked = Asked { name, product_id, products, limit, filter };
    let (page, mut lists) = lists(&state, &caller, visit, vec![asked], |_| String::new()).await?;
    let missing = || Problem::new(Kind::Internal, "The placement has no list.");
    let list = lists.pop().ok_or_else(missing)?;
    let Page { model_version, release, degraded, .. } = page;
    Ok(Json(PlacementAnswer { list, model_version, release, degraded }))
}

/// Fills several placements of a page
///
/// The shopper is ranked for once. No product is in two lists: earlier lists choose first.
#[utoipa::path(post, path = "/v1/page", tag = "placements",
    request_body = PageRequest, responses(
    (status = 200, description = "A list for each placement", body = PageAnswer),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 404, description = "A placement does not exist", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Not application/json", body = Problem),
))]
pub(crate) async fn page(
    State(state): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Json<PageAnswer>, Problem> {
    let body: PageRequest = request::json(request, &state.bodies).await?;
    let count = body.placements.len();
    if !(1..=MAX_LISTS).contains(&count) {
        let detail = format!("placements has {count} entries.");
        return Err(Problem::field("placements", detail, "1 to 10 placements"));
    }
    let visit = Visit {
        user_id: body.user_id,
        anonymous_id: body.anonymous_id,
        page: body.page,
        cart: body.cart,
        context: body.context,
    };
    let asked = body.placements.into_iter().map(|list| Asked {
        name: list.name,
        product_id: list.product_id.or_else(|| body.product_id.clone()),
        products: list.products,
        limit: list.limit,
        filter: list.filter,
    });
    let at = |number| format!("placements[{number}].");
    let (page, placements) = lists(&state, &caller, visit, asked.collect(), at).await?;
    let Page { model_version, release, degraded, .. } = page;
    Ok(Json(PageAnswer { model_version, release, degraded, placements }))
}

/// Asks the engine for lists and records their impressions. `at` is where the request describes a
/// list, for errors. The lists of the page that is returned are moved out of it.
async fn lists(
    state: &Shared,
    caller: &Caller,
    visit: Visit,
    asked: Vec<Asked>,
    at: impl Fn(usize) -> String,
) -> Result<(Page, Vec<PlacementList>), Problem> {
    let mut prepared = Prepared::new(state, caller, visit, asked, at).await?;
    let ids = prepared.name_answers(state);
    let rules = state.rules.current();
    let mut answer = prepared.fill(state, rules.content.set()).await;
    let moments = prepared.moments(state, &answer, rules.version);
    let Prepared { names, shopper, page, now_ms, .. } = &prepared;
    let shown = names.iter().zip(&answer.lists).zip(ids.into_iter().zip(moments)).map(
        |((name, list), (id, moment))| ShownList {
            recommendation_id: Some(id),
            items: (list.iter().zip(0..))
                .map(|(placed, position)| shown_item(&placed.recommendation, position))
                .collect(),
            placement: Some(name.clone()),
            page: page.clone(),
            moment,
        },
    );
    let shown: Vec<ShownList> = shown.collect();
    let (release, degraded, now_ms) = (&*answer.release, answer.degraded, *now_ms);
    let shown_in = Shown { release, degraded, cart: prepared.cart_products(), now_ms };
    let ids = record_lists(state, shopper.id(), shown_in, shown, true);
    let lists = std::mem::take(&mut answer.lists).into_iter();
    let lists = names.iter().cloned().zip(ids).zip(lists);
    let lists = lists.map(|((placement, recommendation_id), recommendations)| PlacementList {
        placement,
        recommendation_id,
        recommendations,
    });
    let lists = lists.collect();
    Ok((answer, lists))
}
