//! `GET /v1/users/{id}/buy-again`: the products that a shopper is due to buy again.

use axum::Json;
use axum::extract::State;
use cartwheel_engine::{Filters, Query, Ruled};
use cartwheel_filter::{Context, Source};
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::access::scope::Scope;
use crate::http::problem::Problem;
use crate::http::request::{Params, UserPath};
use crate::routes::Routes;
use crate::shop::expression::expression;
use crate::shop::recommendations::{Recommendations, Shown, known, record_shown, shown_item};
use crate::state::Shared;

/// The route of what to buy again.
pub(crate) fn routes() -> Routes {
    Routes::default().for_guests(Scope::RecommendationsRead, routes!(buy_again))
}

/// Lists what a shopper is due to buy again
///
/// The products that the shopper has bought and that shoppers buy more than once, by `due_at`: the
/// longest overdue first. Behind them come products that the shopper has probably abandoned, the
/// likeliest first, and what was bought on the same day. The list is empty for a shopper without
/// orders.
#[utoipa::path(get, path = "/v1/users/{id}/buy-again", tag = "recommendations", params(
    ("id" = String, Path, description = "The shopper"),
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 100, description = "Maximum number of products, 1 to 100; 10 by default"),
    ("filter" = Option<String>, Query, max_length = 2000, description = "Only products that fulfil this expression, such as `price <= cart.max_price * 1.5`"),
), responses(
    (status = 200, description = "Products, each with the date at which it is due", body = Recommendations),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn buy_again(
    State(state): State<Shared>,
    caller: Caller,
    UserPath(user_id): UserPath,
    mut params: Params,
) -> Result<Json<Recommendations>, Problem> {
    let limit = params.number("limit", 10, 1..=100)?;
    let expression = expression(params.long_text("filter").as_deref(), None, Source::Shopper)?;
    params.end("limit, filter")?;
    let shopper = caller.permit(user_id)?;
    let known = known(&state, &shopper).await;
    let now_ms = state.clock.now_ms();
    let (rules, context) = (state.rules.current(), Context::default());
    let query = Query {
        user_id: shopper.id(),
        session: known.session(),
        record: known.record(),
        cart: None,
        limit,
        filters: Filters { expression, ..Filters::default() },
        rules: Some(Ruled { rules: rules.content.set(), context: &context }),
        explain: false,
        now_ms,
    };
    let mut answer = state.engine.buy_again(&query);
    answer.degraded |= known.shopper.is_none();
    let items = answer.items.iter().zip(0..).map(|(item, position)| shown_item(item, position));
    let cart = query.cart_products();
    let shown = Shown { release: &answer.release, degraded: answer.degraded, cart, now_ms };
    let recommendation_id = record_shown(&state, shopper.id(), shown, Some(items.collect()));
    Ok(Json(Recommendations {
        recommendation_id,
        model_version: answer.model_version,
        release: answer.release,
        degraded: answer.degraded,
        recommendations: answer.items,
        candidates: None,
    }))
}
