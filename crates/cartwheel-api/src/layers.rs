//! What every request passes: id, log, metrics, time limit, security headers.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cartwheel_events::check_id;
use futures::FutureExt;
use tracing::Instrument;

use crate::keys::Caller;
use crate::problem::{Kind, Problem};
use crate::state::Shared;
use crate::telemetry::{LATENCY, REQUESTS};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const SECURITY: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Half a year of TLS alone.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=15552000");

/// The request's id, which [`observe`] has set.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(&REQUEST_ID)?.to_str().ok()
}

/// When the body of a request must be there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyDeadline(pub(crate) tokio::time::Instant);

/// Outermost: names, times, counts and logs the request.
pub(crate) async fn observe(
    State(state): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().chars().take(200).collect::<String>();
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let route = route.unwrap_or_else(|| "other".to_owned());
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = match given.filter(|id| check_id(id).is_ok()) {
        Some(id) => id.to_owned(),
        None => state.ids.next(state.clock.now_ms()),
    };
    let id_value = HeaderValue::try_from(&id).ok();
    if let Some(value) = &id_value {
        request.headers_mut().insert(REQUEST_ID, value.clone());
    }
    // At the level of errors, so that it is there whatever is logged.
    let span = tracing::error_span!("request", request_id = id);
    let mut response = next.run(request).instrument(span).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if state.settings.strict_transport {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.extend(id_value.map(|value| (REQUEST_ID, value)));
    let took = start.elapsed();
    let status = response.status().as_u16();
    let method_label = match method.as_str() {
        "GET" | "POST" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" => method.to_string(),
        _ => "other".to_owned(),
    };
    metrics::counter!(REQUESTS, "method" => method_label, "route" => route.clone(),
                      "status" => status.to_string())
    .increment(1);
    state.monitor.request(state.clock.now_ms(), &route, status, took);
    metrics::histogram!(LATENCY, "route" => route).record(took.as_secs_f64());
    let caller = response.extensions().get::<Caller>().map_or("", Caller::name);
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::warn!(%method, path, status, took_us, caller, request_id = id, "request");
    } else {
        tracing::info!(%method, path, status, took_us, caller, request_id = id, "request");
    }
    response
}

/// Runs the handler: ends a request that takes too long, and answers for a panic.
///
/// One function rather than a layer for each: a layer costs every request a copy of all
/// that is within it.
pub(crate) async fn bounded(limit: Duration, mut request: Request, next: Next) -> Response {
    // Earlier than the limit, so that a slow body is told from a slow answer.
    let deadline = tokio::time::Instant::now() + limit * 4 / 5;
    request.extensions_mut().insert(BodyDeadline(deadline));
    // A handler's state is shared with others', and holds what a panic leaves whole.
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => panicked(&*panic),
        Err(_) => {
            let detail = "The answer took too long. An event sent again with the same event_id \
                          is stored once.";
            Problem::new(Kind::Timeout, detail).into_response()
        }
    }
}

/// Answers for a handler that panicked.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = text, "a handler panicked");
    Problem::new(Kind::Internal, "The fault is logged with this request's id.").into_response()
}
