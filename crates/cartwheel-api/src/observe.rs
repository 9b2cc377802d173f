//! The outermost middleware: request id, log, metrics, security headers.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument;
use tracing::field::Empty;

use crate::access::caller::Caller;
use crate::access::plain_name::is_plain_name;
use crate::http::peer::{Peer, look_behind};
use crate::http::request_id::REQUEST_ID;
use crate::http::trace::Trace;
use crate::state::Shared;
use crate::telemetry::RequestCounts;

const SECURITY: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Browsers use TLS only, for half a year.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=15552000");

/// The state of the middleware before the first request.
#[derive(Clone)]
pub(crate) struct Observer {
    state: Shared,
    /// The content security policy of every response.
    policy: HeaderValue,
    counts: Arc<RequestCounts>,
}

impl Observer {
    pub(crate) fn new(state: Shared) -> Self {
        let policy = content_security_policy(&state.settings.image_hosts);
        Self { state, policy, counts: Arc::default() }
    }
}

/// Pages load everything from their own origin, pictures also from `image_hosts`.
fn content_security_policy(image_hosts: &[HeaderValue]) -> HeaderValue {
    let hosts: String = image_hosts
        .iter()
        .filter_map(|host| host.to_str().ok())
        .flat_map(|host| [" ", host])
        .collect();
    let policy = format!(
        "default-src 'self'; img-src 'self' data:{hosts}; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'self'"))
}

/// Assigns the request an id, times, counts and logs it. Keeps the trace that the client has begun.
pub(crate) async fn observe(
    State(Observer { state, policy, counts }): State<Observer>,
    mut request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    look_behind(&mut request, &state.settings.trusted_proxies);
    let peer = request.extensions().get::<Peer>().copied();
    let method = request.method().clone();
    let uri = request.uri().clone();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("other", MatchedPath::as_str);
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = match given.filter(|id| is_plain_name(id)) {
        Some(id) => id.to_owned(),
        None => state.ids.next(state.clock.now_ms()),
    };
    let trace = Trace::of(request.headers());
    let id_value = HeaderValue::try_from(&id).ok();
    if let Some(value) = &id_value {
        request.headers_mut().insert(REQUEST_ID, value.clone());
    }
    // At the error level, so that no log filter drops the ids.
    let traceparent = trace.as_ref().map(Trace::text);
    let span = tracing::error_span!("request", request_id = id, traceparent);
    let answer = tracing::info_span!(parent: &span, "answer", %method, route, status = Empty);
    let mut response = next.run(request).instrument(answer.clone()).instrument(span).await;
    let headers = response.headers_mut();
    headers.reserve(SECURITY.len() + 4);
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    if state.settings.strict_transport {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.extend(id_value.map(|value| (REQUEST_ID, value)));
    headers.extend(trace.clone().map(Trace::into_header));
    let took = start.elapsed();
    let status = response.status().as_u16();
    answer.record("status", status);
    let trace_id = trace.as_ref().map(Trace::id);
    counts.request(&method, route, status, took);
    state.monitor.request(state.clock.now_ms(), route, status, took);
    let caller = response.extensions().get::<Caller>().map_or("", Caller::name);
    let client = peer.map(|peer| tracing::field::display(peer.0));
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    // Only a line that is written takes its time.
    let path = || uri.path().chars().take(200).collect::<String>();
    if status >= 500 {
        tracing::warn!(%method, path = path(), status, took_us, client, caller, request_id = id, trace_id, "request");
    } else {
        tracing::info!(%method, path = path(), status, took_us, client, caller, request_id = id, trace_id, "request");
    }
    response
}
