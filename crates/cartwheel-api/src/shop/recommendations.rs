//! Routes that recommend without storing an event.

use axum::Json;
use axum::extract::{Request, State};
use cartwheel_events::{
    ID_EXPECTED, Impression, ImpressionItem, MAX_ITEMS, ProductId, SCHEMA_VERSION, UserId,
};
use cartwheel_filter::{Context, Source};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing::Instrument;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::caller::{Caller, Permitted};
use crate::access::scope::Scope;
use crate::contract::schema::Id;
use crate::http::problem::Problem;
use crate::http::request::{self, Params, UserPath};
use crate::routes::Routes;
use crate::shop::expression::expression;
use crate::shop::filters::FiltersBody;
use crate::shop::known::Known;
use crate::shop::moment::{Moment, Remembered, ShopperRequest};
use crate::state::{AppState, Shared};
use crate::telemetry::DEGRADED;
use cartwheel_engine::{Filters, Query, Recommendation, Ruled, SourceCount};

const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 100;

/// The routes for recommendations.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .for_guests(Scope::RecommendationsRead, routes!(recommend))
        .for_guests(Scope::RecommendationsRead, routes!(for_user))
}

/// A request for recommendations.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecommendationRequest {
    /// The shopper, unless it is a guest; an integer is kept as its decimal text.
    #[schema(value_type = Option<Id>)]
    user_id: Option<UserId>,
    /// The guest, unless there is a `user_id`; an integer is kept as its decimal text.
    #[schema(value_type = Option<Id>)]
    anonymous_id: Option<UserId>,
    /// The cart to complete, up to 200 products. Overrides the session's cart.
    #[schema(value_type = Option<Vec<Id>>, max_items = 200)]
    cart: Option<Vec<ProductId>>,
    /// Maximum number of products; 10 by default.
    #[schema(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// Restrictions on the answer.
    filters: Option<FiltersBody>,
    /// Only products that fulfil this expression, such as `price < 20 and brand = context.brand`.
    #[schema(min_length = 1, max_length = 2000)]
    filter: Option<String>,
    /// The values of the filter after `context.`: texts, numbers, flags, lists of texts or null.
    #[schema(value_type = Option<Object>)]
    context: Option<Map<String, Value>>,
    /// Whether to show the source of each product and the contribution of each feature. Such an
    /// answer is for operators, needs an admin key, and is not recorded as an impression.
    #[serde(default)]
    explain: bool,
}

/// Recommendations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Recommendations {
    /// The answer's id. Send it with events that result from the answer.
    pub(crate) recommendation_id: String,
    /// The model that ranked the products.
    pub(crate) model_version: String,
    /// The release: feature set and model.
    pub(crate) release: String,
    /// Whether a part failed and the answer was made from the rest.
    pub(crate) degraded: bool,
    /// Products, best first.
    pub(crate) recommendations: Vec<Recommendation>,
    /// The number of candidates by source; only with `explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) candidates: Option<Vec<SourceCount>>,
}

/// A question to the engine.
pub(crate) struct Question<'a> {
    pub(crate) user_id: &'a UserId,
    pub(crate) known: Known,
    pub(crate) cart: Option<Vec<ProductId>>,
    pub(crate) limit: usize,
    pub(crate) filters: Filters,
    /// The values of the request, for the scopes of rules.
    pub(crate) context: Context,
    /// The request, as the impression records it.
    pub(crate) request: ShopperRequest,
    pub(crate) explain: bool,
}

/// Reads session and record of a shopper.
pub(crate) async fn known(state: &AppState, shopper: &Permitted) -> Known {
    let feature_set = state.engine.external_records();
    let users = std::slice::from_ref(shopper.id());
    let found = state.users.find(users, feature_set.as_deref(), state.clock.now_ms()).await;
    let shopper = match found {
        Ok(mut shoppers) => Some(shoppers.pop().unwrap_or_default()),
        Err(error) => {
            tracing::error!(%error, "cannot read a shopper");
            None
        }
    };
    Known { shopper, feature_set }
}

/// A recommendation as the impression has it.
pub(crate) fn shown_item(shown: &Recommendation, position: u32) -> ImpressionItem {
    ImpressionItem {
        product_id: shown.product_id.clone(),
        position,
        score: shown.probability,
        source: shown.source.clone().unwrap_or_default(),
        rule: shown.moved_by.as_ref().map(|moved| moved.rule.clone()),
        propensity: shown.propensity,
    }
}

/// Asks the engine and records the impression.
pub(crate) async fn answer(state: &AppState, question: Question<'_>) -> Recommendations {
    let now_ms = state.clock.now_ms();
    let rules = state.rules.current();
    let own_cart = question.cart.is_some();
    let request = ShopperRequest { limit: question.limit, own_cart, ..question.request };
    let query = Query {
        user_id: question.user_id,
        session: question.known.session(),
        record: question.known.record(),
        cart: question.cart,
        limit: question.limit,
        filters: question.filters,
        rules: Some(Ruled { rules: rules.content.set(), context: &question.context }),
        explain: question.explain,
        now_ms,
    };
    let cart = query.cart_products();
    let mut answer = state.engine.recommend(query).instrument(tracing::info_span!("rank")).await;
    answer.degraded |= question.known.shopper.is_none();
    // An explanation is shown to an operator, not to the shopper.
    let list = (!question.explain).then(|| {
        let items = answer.items.iter().zip(0..);
        let moment = state.recording.as_ref().and_then(|recording| {
            let (known, request) = (&question.known, Remembered::Shopper(request));
            let moment = Moment::new(known, &answer.release, &answer.basis, recording, request);
            Moment { rules: rules.version, ..moment }.encoded()
        });
        let items = items.map(|(item, position)| shown_item(item, position)).collect();
        ShownList { items, moment, ..ShownList::default() }
    });
    let shown = Shown { release: &answer.release, degraded: answer.degraded, cart, now_ms };
    let recommendation_id = record_list(state, question.user_id, shown, list);
    Recommendations {
        recommendation_id,
        model_version: answer.model_version,
        release: answer.release,
        degraded: answer.degraded,
        recommendations: answer.items,
        candidates: question.explain.then_some(answer.candidates),
    }
}

/// An answer with products.
pub(crate) struct Shown<'a> {
    pub(crate) release: &'a str,
    pub(crate) degraded: bool,
    pub(crate) cart: Vec<ProductId>,
    /// The server's clock, UTC milliseconds.
    pub(crate) now_ms: i64,
}

/// A list of an answer.
#[derive(Default)]
pub(crate) struct ShownList {
    /// Its id, if it was needed before the answer.
    pub(crate) recommendation_id: Option<String>,
    /// Its products, if the shopper sees them.
    pub(crate) items: Vec<ImpressionItem>,
    /// The placement that it fills, if it fills one.
    pub(crate) placement: Option<String>,
    /// The page that it is on, if the request names one.
    pub(crate) page: Option<String>,
    /// What is needed to make it again, encoded.
    pub(crate) moment: Option<String>,
}

/// Counts an answer, records the impression of its products if the shopper sees them, and returns
/// the answer's id.
pub(crate) fn record_shown(
    state: &AppState,
    user_id: &UserId,
    answer: Shown<'_>,
    shown: Option<Vec<ImpressionItem>>,
) -> String {
    let list = shown.map(|items| ShownList { items, ..ShownList::default() });
    record_list(state, user_id, answer, list)
}

/// The same, with what is needed to make the answer again.
fn record_list(
    state: &AppState,
    user_id: &UserId,
    answer: Shown<'_>,
    list: Option<ShownList>,
) -> String {
    let is_seen = list.is_some();
    let lists = vec![list.unwrap_or_default()];
    record_lists(state, user_id, answer, lists, is_seen).pop().unwrap_or_default()
}

/// Counts an answer, records an impression for each of its lists if the shopper sees them, and
/// returns an id for each list.
pub(crate) fn record_lists(
    state: &AppState,
    user_id: &UserId,
    answer: Shown<'_>,
    lists: Vec<ShownList>,
    is_seen: bool,
) -> Vec<String> {
    let Shown { release, degraded, cart, now_ms } = answer;
    state.monitor.answered(now_ms, degraded);
    if degraded {
        metrics::counter!(DEGRADED).increment(1);
    }
    let (mut ids, mut impressions) = (Vec::new(), Vec::new());
    for ShownList { recommendation_id, items, placement, page, moment } in lists {
        let recommendation_id = recommendation_id.unwrap_or_else(|| state.ids.next(now_ms));
        ids.push(recommendation_id.clone());
        impressions.push(Impression {
            schema_version: SCHEMA_VERSION,
            recommendation_id,
            user_id: user_id.clone(),
            release: release.to_owned(),
            cart: cart.clone(),
            shown: items,
            received_at_ms: now_ms,
            placement,
            page,
            moment,
        });
    }
    if is_seen {
        state.impressions.put(impressions);
    }
    ids
}

/// Checks the number of products in a request's cart.
pub(crate) fn cart_within_bounds(cart: Option<&[ProductId]>) -> Result<(), Problem> {
    match cart {
        Some(cart) if cart.len() > MAX_ITEMS => {
            Err(Problem::field("cart", "cart is too long.", "at most 200 product ids"))
        }
        _ => Ok(()),
    }
}

/// The shopper of a request. Without a `user_id` it is the guest.
pub(crate) fn shopper(
    user: Option<UserId>,
    anonymous_id: Option<UserId>,
) -> Result<UserId, Problem> {
    let invalid = |field, why| {
        let detail = format!("{field} {why}.");
        Problem::field(field, detail, ID_EXPECTED)
    };
    match (user, anonymous_id) {
        (Some(user), _) => {
            UserId::known(user.as_str()).map_err(|e| invalid("user_id", e.to_string()))
        }
        (None, Some(id)) => {
            UserId::guest(id.as_str()).map_err(|e| invalid("anonymous_id", e.to_string()))
        }
        (None, None) => Err(invalid("user_id", "is missing, and so is anonymous_id".to_owned())),
    }
}

/// Checks that the caller may see an explanation: it shows figures of what a shopper has bought.
fn permit_explaining(caller: &Caller, explain: bool) -> Result<(), Problem> {
    if explain { caller.permit_admin("An explanation") } else { Ok(()) }
}

/// Recommends for a shopper
///
/// An unknown shopper gets best sellers and products that go with the cart.
#[utoipa::path(post, path = "/v1/recommendations", tag = "recommendations",
    request_body = RecommendationRequest, responses(
    (status = 200, description = "Recommendations, best first", body = Recommendations),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Not application/json", body = Problem),
))]
pub(crate) async fn recommend(
    State(state): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Json<Recommendations>, Problem> {
    let body: RecommendationRequest = request::json(request, &state.bodies).await?;
    let limit = body.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::field("limit", "limit is out of range.", "a number from 1 to 100"));
    }
    cart_within_bounds(body.cart.as_deref())?;
    let context = Context::from_json(body.context.clone().unwrap_or_default())?;
    let request = ShopperRequest {
        filters: body.filters.clone().unwrap_or_default(),
        filter: body.filter.clone(),
        context: body.context.clone().unwrap_or_default(),
        ..ShopperRequest::default()
    };
    let expression = expression(body.filter.as_deref(), body.context, Source::Shopper)?;
    let filters = body.filters.unwrap_or_default().checked(expression)?;
    let shopper = caller.permit(shopper(body.user_id, body.anonymous_id)?)?;
    permit_explaining(&caller, body.explain)?;
    let known = known(&state, &shopper).await;
    let question = Question {
        user_id: shopper.id(),
        known,
        cart: body.cart,
        limit,
        filters,
        context,
        request,
        explain: body.explain,
    };
    Ok(Json(answer(&state, question).await))
}

/// Recommends for a shopper by id
#[utoipa::path(get, path = "/v1/users/{id}/recommendations", tag = "recommendations", params(
    ("id" = String, Path, description = "The shopper"),
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 100, description = "Maximum number of products, 1 to 100; 10 by default"),
    ("filter" = Option<String>, Query, max_length = 2000, description = "Only products that fulfil this expression, such as `price <= cart.max_price * 1.5`"),
    ("explain" = Option<bool>, Query, description = "Show sources and feature contributions; needs an admin key, and is not recorded as an impression"),
), responses(
    (status = 200, description = "Recommendations, best first", body = Recommendations),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn for_user(
    State(state): State<Shared>,
    caller: Caller,
    UserPath(user_id): UserPath,
    mut params: Params,
) -> Result<Json<Recommendations>, Problem> {
    let limit = params.number("limit", DEFAULT_LIMIT, 1..=MAX_LIMIT)?;
    let explain = params.flag("explain")?;
    let filter = params.long_text("filter");
    let expression = expression(filter.as_deref(), None, Source::Shopper)?;
    params.end("limit, explain, filter")?;
    let shopper = caller.permit(user_id)?;
    permit_explaining(&caller, explain)?;
    let known = known(&state, &shopper).await;
    let filters = Filters { expression, ..Filters::default() };
    let context = Context::default();
    let question = Question {
        user_id: shopper.id(),
        known,
        cart: None,
        limit,
        filters,
        context,
        request: ShopperRequest { filter, ..ShopperRequest::default() },
        explain,
    };
    Ok(Json(answer(&state, question).await))
}
