//! `POST /v1/placements/{name}/preview`: a list as it is, and as other rules would make it.

use axum::Json;
use axum::extract::{Request, State};
use cartwheel_engine::Placed;
use cartwheel_events::{ProductId, UserId};
use cartwheel_rules::{Conflict, Rule, RuleSet, Rules};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::slot::Asked;
use super::visit::{Prepared, Visit};
use crate::access::caller::Caller;
use crate::contract::schema::Id;
use crate::http::problem::Problem;
use crate::http::request::{self, PlacementPath};
use crate::shop::rules::refused;
use crate::state::Shared;

/// A shopper, and the rules to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewRequest {
    /// The shopper, unless it is a guest; an integer is kept as its decimal text.
    #[schema(value_type = Option<Id>)]
    user_id: Option<UserId>,
    /// The guest, unless there is a `user_id`; an integer is kept as its decimal text.
    #[schema(value_type = Option<Id>)]
    anonymous_id: Option<UserId>,
    /// The cart, up to 200 products. Overrides the session's cart.
    #[schema(value_type = Option<Vec<Id>>, max_items = 200)]
    cart: Option<Vec<ProductId>>,
    /// The product of the page, for placements that need one.
    #[schema(value_type = Option<Id>)]
    product_id: Option<ProductId>,
    /// The products to order, for the kind `rank`.
    #[schema(value_type = Option<Vec<Id>>, min_items = 1, max_items = 1000)]
    products: Option<Vec<ProductId>>,
    /// The values of filters and segments after `context.`.
    #[schema(value_type = Option<Object>)]
    context: Option<Map<String, Value>>,
    /// All rules of the shop as they would be, in place of those that are in effect.
    rules: Vec<Rule>,
}

/// A list before and after.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preview {
    /// The list with the rules that are in effect.
    before: Vec<Placed>,
    /// The list with the rules of the request.
    after: Vec<Placed>,
    /// Rules of the request that contradict one another.
    conflicts: Vec<Conflict>,
    /// Whether a part failed and the lists were made from the rest.
    degraded: bool,
}

/// Shows a list before and after a change of rules
///
/// The list is made for the shopper with the rules in effect and with those of the request. Nothing
/// is stored, and no impression is recorded.
#[utoipa::path(post, path = "/v1/placements/{name}/preview", tag = "rules", params(
    ("name" = String, Path, description = "The placement"),
), request_body = PreviewRequest, responses(
    (status = 200, description = "The list before and after", body = Preview),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 404, description = "The placement does not exist", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Not application/json", body = Problem),
))]
pub(crate) async fn preview(
    State(state): State<Shared>,
    caller: Caller,
    PlacementPath(name): PlacementPath,
    request: Request,
) -> Result<Json<Preview>, Problem> {
    let body: PreviewRequest = request::json(request, &state.bodies).await?;
    let PreviewRequest { user_id, anonymous_id, cart, context, product_id, products, rules } = body;
    let draft = RuleSet::new(&Rules { rules });
    let draft = draft.map_err(|problems| refused(&problems, None))?;
    let visit = Visit { user_id, anonymous_id, page: None, cart, context };
    let asked = Asked { name, product_id, products, ..Asked::default() };
    let prepared = Prepared::new(&state, &caller, visit, vec![asked], |_| String::new()).await?;
    let mut before = prepared.fill(&state, state.rules.current().content.set()).await;
    let mut after = prepared.fill(&state, &draft).await;
    Ok(Json(Preview {
        before: before.lists.pop().unwrap_or_default(),
        after: after.lists.pop().unwrap_or_default(),
        conflicts: state.engine.conflicts(&draft, prepared.now_ms),
        degraded: before.degraded || after.degraded,
    }))
}
