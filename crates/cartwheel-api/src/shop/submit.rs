//! `POST /submit`: one event in, recommendations out.

use axum::Json;
use axum::extract::{Request, State};
use cartwheel_events::{Event, EventKind};
use cartwheel_filter::{Context, Source};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::access::scope::Scope;
use crate::contract::schema::EventBody;
use crate::http::problem::Problem;
use crate::http::request::{self, Params};
use crate::routes::Routes;
use crate::shop::accept::accept;
use crate::shop::expression::expression;
use crate::shop::moment::ShopperRequest;
use crate::shop::recommendations::{Question, answer, known};
use crate::state::Shared;
use cartwheel_engine::{Filters, Recommendation};

/// Recommendations in an answer to an event.
const SHOWN: usize = 10;

/// The route that stores an event and recommends.
pub(crate) fn routes() -> Routes {
    Routes::default().for_guests(Scope::EventsWrite, routes!(submit))
}

/// The answer to an event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Submitted {
    /// Whether the event was stored, as a sentence.
    message: &'static str,
    /// The event's id; assigned by the server if the client sends none.
    event_id: String,
    /// The stored record; null if nothing is stored, or if the event was imported before.
    record_id: Option<String>,
    /// The shard of the record; null without one.
    shard_id: Option<String>,
    /// What the sender should know about the event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
    /// The answer's id. Send it with events that result from the answer.
    recommendation_id: String,
    /// The model that ranked the products.
    model_version: String,
    /// Whether a part failed and the answer was made from the rest.
    degraded: bool,
    /// The best 10 products, best first.
    recommendations: Vec<Recommendation>,
}

/// Stores an event and recommends
///
/// The event is durable before the server answers, and the recommendations already reflect
/// it. An event that is sent again with the same event_id within 24 hours is stored once, and the
/// same event_id with another body is a 422, as long as the shopper has sent at most 63 other events
/// since. Behind more events, a repeat is stored again and dropped when the hour's files are merged.
/// `get_recommendations` stores nothing. A `checkout` without products uses the shopper's cart.
#[utoipa::path(post, path = "/submit", tag = "events", request_body = EventBody, params(
    ("filter" = Option<String>, Query, max_length = 2000, description = "Recommend only products that fulfil this expression, such as `price <= cart.max_price * 1.5`; it is no part of the event"),
), responses(
    (status = 200, description = "The event is stored", body = Submitted),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Not application/json", body = Problem),
    (status = 422, description = "The event id belongs to another event, or the cart is empty",
     body = Problem),
    (status = 429, description = "Too many requests; see Retry-After", body = Problem),
    (status = 503, description = "Starting or stopping; see Retry-After", body = Problem),
))]
pub(crate) async fn submit(
    State(state): State<Shared>,
    caller: Caller,
    mut params: Params,
    request: Request,
) -> Result<Json<Submitted>, Problem> {
    let filter = params.long_text("filter");
    let expression = expression(filter.as_deref(), None, Source::Shopper)?;
    params.end("filter")?;
    let body = request::json_bytes(request, &state.bodies).await?;
    let event = Event::from_borrowed(&request::parse(&body)?)?;
    drop(body);
    let user_id = event.user_id.clone();
    let (message, event_id, position, known, warnings) = if event.kind
        == EventKind::GetRecommendations
    {
        let event_id = event.event_id.unwrap_or_else(|| state.ids.next(state.clock.now_ms()));
        let known = known(&state, &caller.permit(user_id.clone())?).await;
        ("Nothing was stored: get_recommendations only reads.", event_id, None, known, Vec::new())
    } else {
        let (accepted, known) = accept(&state, &caller, event).await?;
        let message = match accepted.repeated {
            true => "The event was stored before.",
            false => "The event is stored.",
        };
        (message, accepted.event_id, accepted.position, known, accepted.warnings)
    };
    let question = Question {
        user_id: &user_id,
        known,
        cart: None,
        limit: SHOWN,
        filters: Filters { expression, ..Filters::default() },
        context: Context::default(),
        request: ShopperRequest { filter, ..ShopperRequest::default() },
        explain: false,
    };
    let answer = answer(&state, question).await;
    Ok(Json(Submitted {
        message,
        event_id,
        record_id: position.map(|position| position.record_id()),
        shard_id: position.map(|position| position.shard_id()),
        warnings,
        recommendation_id: answer.recommendation_id,
        model_version: answer.model_version,
        degraded: answer.degraded,
        recommendations: answer.recommendations,
    }))
}
