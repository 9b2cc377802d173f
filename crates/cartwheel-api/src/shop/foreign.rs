//! `POST /v1/events/ga4` and `/v1/events/segment`: events as those products send them.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use cartwheel_events::Foreign;
use serde_json::Value;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::contract::schema::{Ga4Body, SegmentRequest};
use crate::http::problem::Problem;
use crate::http::request;
use crate::routes::Routes;
use crate::shop::events::{BatchAnswer, answer};
use crate::state::Shared;

/// The routes for other products' events.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::EventsWrite, routes!(ga4))
        .scoped(Scope::EventsWrite, routes!(segment))
}

/// Stores events of Google Analytics 4
///
/// Takes what GA4's Measurement Protocol takes, unchanged, with at most 500 events.
/// `view_item`, `add_to_cart`, `remove_from_cart` and `purchase` are stored; events of
/// other names are answered as ignored. An event is known by `params.event_id`, a
/// purchase by `params.transaction_id` without it: sent again within 24 hours, it is
/// stored once. A single event has its problem as the answer's status.
#[utoipa::path(post, path = "/v1/events/ga4", tag = "events", request_body = Ga4Body, responses(
    (status = 200, description = "One result per event", body = BatchAnswer),
    (status = 400, description = "Not JSON, no user, no or more than 500 events, or the one \
     event is not valid", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Neither application/json nor text/plain", body = Problem),
    (status = 422, description = "The one event's id belongs to another, or its cart is empty",
     body = Problem),
    (status = 429, description = "Too many requests; see Retry-After", body = Problem),
    (status = 503, description = "Starting or stopping; see Retry-After", body = Problem),
))]
pub(crate) async fn ga4(
    State(state): State<Shared>,
    request: Request,
) -> Result<Json<BatchAnswer>, Problem> {
    take(state, Foreign::Ga4, request).await
}

/// Stores events of Segment
///
/// Takes a `track` call, or a batch of at most 500 calls, as Segment's tracking API
/// takes them, unchanged. `Product Viewed`, `Product Added`, `Product Removed` and
/// `Order Completed` are stored; other events and other calls are answered as ignored.
/// An event is known by its `messageId`: sent again within 24 hours, it is stored once.
/// A single call has its problem as the answer's status.
#[utoipa::path(post, path = "/v1/events/segment", tag = "events",
    request_body = SegmentRequest, responses(
    (status = 200, description = "One result per call", body = BatchAnswer),
    (status = 400, description = "Not JSON, no or more than 500 calls, or the one call is not \
     valid", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Neither application/json nor text/plain", body = Problem),
    (status = 422, description = "The one call's id belongs to another, or its cart is empty",
     body = Problem),
    (status = 429, description = "Too many requests; see Retry-After", body = Problem),
    (status = 503, description = "Starting or stopping; see Retry-After", body = Problem),
))]
pub(crate) async fn segment(
    State(state): State<Shared>,
    request: Request,
) -> Result<Json<BatchAnswer>, Problem> {
    take(state, Foreign::Segment, request).await
}

async fn take(
    state: Shared,
    format: Foreign,
    request: Request,
) -> Result<Json<BatchAnswer>, Problem> {
    let media = request::media_type(&request);
    if !request::is_json(&media) && !is_plain(&state, &media, request.headers()) {
        return Err(request::unsupported(&media, "application/json"));
    }
    let body: Value = request::parse(&state.bodies.read(request).await?)?;
    let events = format.read(&body)?;
    let alone = events.len() == 1;
    let events = events.into_iter().map(|event| event.map_err(Problem::from)).collect();
    answer(&state, events, alone).await.map(Json)
}

/// Whether a body without the type of JSON is taken for it: both products' clients call
/// it text, or nothing, and GA4's own examples do. A page of another site can send such
/// a body without being asked whether it may, so that it counts as JSON only from
/// origins that may call.
fn is_plain(state: &Shared, media: &str, headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN);
    (media.is_empty() || media == "text/plain")
        && origin.is_none_or(|origin| state.settings.cors_origins.contains(origin))
}
