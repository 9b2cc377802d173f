//! `POST /v1/events/ga4` and `/v1/events/segment`: events in the formats of those products.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use cartwheel_events::{Event, EventKind, Foreign};
use serde_json::Value;
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::access::scope::Scope;
use crate::contract::schema::{Ga4Body, SegmentRequest};
use crate::http::problem::Problem;
use crate::http::request;
use crate::routes::Routes;
use crate::shop::accept::Dating;
use crate::shop::events::{BatchAnswer, answer};
use crate::state::Shared;

/// The routes for events of other analytics products.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .for_guests(Scope::EventsWrite, routes!(ga4))
        .for_guests(Scope::EventsWrite, routes!(segment))
}

/// Stores events of Google Analytics 4
///
/// Accepts bodies of GA4's Measurement Protocol unchanged, with up to 500 events. Stores
/// `view_item`, `add_to_cart`, `remove_from_cart` and `purchase`, and ignores other events.
/// `params.event_id`, or `params.transaction_id` of a purchase, identifies an event: sent
/// again within 24 hours, it is stored once. If a single event fails, the answer is its problem.
#[utoipa::path(post, path = "/v1/events/ga4", tag = "events", request_body = Ga4Body, responses(
    (status = 200, description = "One result per event", body = BatchAnswer),
    (status = 400, description = "Not JSON, no user, no or more than 500 events, or the one \
     event is not valid", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "The content type is neither application/json nor text/plain", body = Problem),
    (status = 422, description = "The one event's id belongs to another, or its cart is empty",
     body = Problem),
    (status = 429, description = "Too many requests; see Retry-After", body = Problem),
    (status = 503, description = "Starting or stopping; see Retry-After", body = Problem),
))]
pub(crate) async fn ga4(
    State(state): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Json<BatchAnswer>, Problem> {
    take(state, caller, Foreign::Ga4, None, request).await
}

/// Stores events of Segment
///
/// Accepts a `track` call of Segment's tracking API, or a batch of up to 500 calls, unchanged.
/// Stores `Product Viewed`, `Product Added`, `Product Removed` and `Order Completed`. `identify`
/// and `alias` tie a guest to a user. Other events and calls are ignored. `messageId` identifies an
/// event: sent again within 24 hours, it is stored once. If a single call fails, or if a call cannot
/// be stored now, the answer is its problem. With a publishable key, events are the guest's,
/// whichever user they name.
#[utoipa::path(post, path = "/v1/events/segment", tag = "events",
    request_body = SegmentRequest, responses(
    (status = 200, description = "One result per call", body = BatchAnswer),
    (status = 400, description = "Not JSON, no or more than 500 calls, or the one call is not \
     valid", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "The content type is neither application/json nor text/plain", body = Problem),
    (status = 422, description = "The one call's id belongs to another, or its cart is empty",
     body = Problem),
    (status = 429, description = "Too many requests; see Retry-After", body = Problem),
    (status = 503, description = "Starting or stopping; see Retry-After", body = Problem),
))]
pub(crate) async fn segment(
    State(state): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Json<BatchAnswer>, Problem> {
    take(state, caller, Foreign::Segment, None, request).await
}

/// Stores the events of a payload. `call` is the kind of a Segment call that names none.
pub(crate) async fn take(
    state: Shared,
    caller: Caller,
    format: Foreign,
    call: Option<&'static str>,
    request: Request,
) -> Result<Json<BatchAnswer>, Problem> {
    let media = request::media_type(&request);
    if !request::is_json(&media) && !is_plain(&state, &media, request.headers()) {
        return Err(request::unsupported(&media, "application/json"));
    }
    let mut body: Value = request::parse(&state.bodies.read(request).await?)?;
    if let (Some(call), Some(body)) = (call, body.as_object_mut()) {
        body.entry("type").or_insert_with(|| call.into());
    }
    let events = format.read(&body)?;
    let alone = events.len() == 1;
    let own = |event| if caller.acts_for_guests() { guests(event) } else { Some(event) };
    let events = events.into_iter().map(|event| Ok(event?.and_then(own))).collect();
    let answer = answer(&state, &caller, events, Dating::Arrival, alone).await?;
    match format {
        // Calls have ids, so that those that were stored are stored once.
        Foreign::Segment => answer.passed().map(Json),
        Foreign::Ga4 => Ok(Json(answer)),
    }
}

/// The event as the guest's. After a login, clients in pages name the user in every event, and a
/// publishable key speaks for no user: the event goes over when the shop's server ties the guest.
fn guests(mut event: Event) -> Option<Event> {
    let Some(guest) = event.guest.take() else { return Some(event) };
    event.user_id = guest;
    (event.kind != EventKind::Identify).then_some(event)
}

/// Media types that clients of these products send instead of JSON's, as GA4's own examples do.
const PLAIN: [&str; 3] = ["", "text/plain", "application/x-www-form-urlencoded"];

/// Whether a body without a JSON content type is read as JSON. Browsers send such a body to another
/// site without a preflight, so that it is accepted only from allowed origins.
fn is_plain(state: &Shared, media: &str, headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN);
    PLAIN.contains(&media)
        && origin.is_none_or(|origin| state.settings.cors_origins.contains(origin))
}
