//! `POST /v1/events`: stores events without recommending.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use cartwheel_events::{BorrowedJson, Event, MAX_BATCH};
use cartwheel_stream::Position;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::access::scope::Scope;
use crate::contract::schema::EventBody;
use crate::http::problem::Problem;
use crate::http::request::{self, Params};
use crate::routes::Routes;
use crate::shop::accept::{Dating, accept_all};
use crate::shop::event_stream::{self, StreamLine};
use crate::state::Shared;

const MEDIA: &str = "application/json or application/x-ndjson";

/// The route for batches of events.
pub(crate) fn routes() -> Routes {
    Routes::default().for_guests(Scope::EventsWrite, routes!(events))
}

/// One result per event, in the order of the events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchAnswer {
    /// The number of events that were not stored. Send only those again.
    failed_count: usize,
    /// The number of foreign events that concern no product.
    ignored_count: usize,
    /// One result per event.
    records: Vec<EventResult>,
}

impl BatchAnswer {
    /// Fails with the first problem that will pass, for senders that look at the status alone and
    /// send everything again.
    pub(crate) fn passed(mut self) -> Result<Self, Problem> {
        let mut errors = self.records.iter_mut().map(|record| &mut record.error);
        match errors.find_map(|error| error.take_if(|error| error.is_passing())) {
            Some(problem) => Err(problem),
            None => Ok(self),
        }
    }
}

/// The result of an event: ids, a problem, or `ignored`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct EventResult {
    /// The event's id; assigned by the server if the client sends none.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    /// The stored record; absent if the event was imported before.
    #[serde(skip_serializing_if = "Option::is_none")]
    record_id: Option<String>,
    /// The shard of the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_id: Option<String>,
    /// What the sender should know about a stored event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
    /// Why the event was not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
    /// True if a foreign event concerns no product and was not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<bool>,
}

/// Stores events
///
/// Accepts one event, or an array of up to 500. Events succeed or fail individually: the answer
/// is 200 with one result each, and an event without an error is durable. If a single event that
/// is not in an array fails, the answer is its problem.
///
/// As NDJSON, any number of events come as a stream, an event a line, which needs the secret half
/// of a key. They are stored in pieces of up to 500 while the body arrives. The answer is NDJSON
/// too: a line for each piece once it is durable, and at the end a line with `done`. If that is
/// false or missing, send the lines after the last `through_line` again; what was stored of them
/// is recognized by its `event_id`. Read the answer while you send.
///
/// With `backfill`, which needs the scope admin, events of the past keep their times: `timestamp`
/// is required and orders the events. They join the shopper's history without touching the cart
/// of today, and a checkout names its products.
#[utoipa::path(post, path = "/v1/events", tag = "events",
    params(("backfill" = Option<bool>, Query, description = "Whether the events keep their own times; false by default")),
    request_body(content((EventBody = "application/json"), (Vec<EventBody> = "application/json"),
                         (EventBody = "application/x-ndjson"))), responses(
    (status = 200, description = "One result per event; of a stream, one line per piece",
     content((BatchAnswer = "application/json"), (StreamLine = "application/x-ndjson"))),
    (status = 400, description = "Not JSON, more than 500 events, or the one event is not valid",
     body = Problem),
    (status = 413, description = "The body, or the first line of a stream, is too large",
     body = Problem),
    (status = 415, description = "Neither application/json nor application/x-ndjson",
     body = Problem),
    (status = 422, description = "The one event's id belongs to another, or its cart is empty",
     body = Problem),
    (status = 429, description = "Too many requests; see Retry-After", body = Problem),
    (status = 503, description = "Starting or stopping; see Retry-After", body = Problem),
))]
pub(crate) async fn events(
    State(state): State<Shared>,
    caller: Caller,
    mut params: Params,
    request: Request,
) -> Result<Response, Problem> {
    let dating = match params.flag("backfill")? {
        true => Dating::Backfill,
        false => Dating::Arrival,
    };
    params.end("backfill")?;
    if dating == Dating::Backfill {
        caller.permit_admin("A backfill")?;
    }
    let media = request::media_type(&request);
    if request::is_ndjson(&media) {
        return event_stream::answer(&state, caller, request, dating).await;
    }
    if !request::is_json(&media) {
        return Err(request::unsupported(&media, MEDIA));
    }
    let body = state.bodies.read(request).await?;
    let (events, alone): (Vec<_>, bool) = match request::parse(&body)? {
        BorrowedJson::Array(values) if values.len() > MAX_BATCH => {
            let detail = "The body contains more than 500 events. NDJSON has no limit.";
            return Err(Problem::field("", detail, "1 to 500 events"));
        }
        BorrowedJson::Array(values) => (values.iter().map(event).collect(), false),
        value => (vec![event(&value)], true),
    };
    // Storing may take a while: free the memory first.
    drop(body);
    if events.is_empty() {
        return Err(Problem::field("", "The body contains no event.", "1 to 500 events"));
    }
    answer(&state, &caller, events, dating, alone).await.map(|answer| Json(answer).into_response())
}

/// Stores events and returns one result each. If the event is `alone`, its problem is the
/// answer.
pub(crate) async fn answer(
    state: &Shared,
    caller: &Caller,
    events: Vec<Result<Option<Event>, Problem>>,
    dating: Dating,
    alone: bool,
) -> Result<BatchAnswer, Problem> {
    let ignored: Vec<bool> = events.iter().map(|event| matches!(event, Ok(None))).collect();
    let events: Vec<_> = events.into_iter().filter_map(Result::transpose).collect();
    let mut results = match events.is_empty() {
        true => Vec::new(),
        false => accept_all(state, caller, events, dating).await,
    }
    .into_iter();
    let mut records = Vec::with_capacity(ignored.len());
    for ignored in ignored {
        let result = if ignored { None } else { results.next() };
        records.push(match result {
            None => EventResult { ignored: Some(true), ..EventResult::default() },
            Some(Ok(accepted)) => EventResult {
                record_id: accepted.position.map(Position::record_id),
                shard_id: accepted.position.map(Position::shard_id),
                event_id: Some(accepted.event_id),
                warnings: accepted.warnings,
                ..EventResult::default()
            },
            Some(Err(problem)) if alone => return Err(problem),
            Some(Err(problem)) => EventResult { error: Some(problem), ..EventResult::default() },
        });
    }
    let failed_count = records.iter().filter(|record| record.error.is_some()).count();
    let ignored_count = records.iter().filter(|record| record.ignored.is_some()).count();
    state.event_counts.ignored.increment(ignored_count as u64);
    Ok(BatchAnswer { failed_count, ignored_count, records })
}

fn event(value: &BorrowedJson<'_>) -> Result<Option<Event>, Problem> {
    Ok(Some(Event::from_borrowed(value)?))
}
