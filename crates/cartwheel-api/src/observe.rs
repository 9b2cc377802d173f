//! The outermost middleware: request id, log, metrics, security headers.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument;

use crate::access::caller::Caller;
use crate::access::plain_name::is_plain_name;
use crate::http::peer::{Peer, look_behind};
use crate::http::request_id::REQUEST_ID;
use crate::state::Shared;
use crate::telemetry::{LATENCY, REQUESTS};

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
}

impl Observer {
    pub(crate) fn new(state: Shared) -> Self {
        let policy = content_security_policy(&state.settings.image_hosts);
        Self { state, policy }
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

/// Assigns the request an id, times, counts and logs it.
pub(crate) async fn observe(
    State(Observer { state, policy }): State<Observer>,
    mut request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    look_behind(&mut request, &state.settings.trusted_proxies);
    let peer = request.extensions().get::<Peer>().copied();
    let method = request.method().clone();
    let path = request.uri().path().chars().take(200).collect::<String>();
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let route = route.unwrap_or_else(|| "other".to_owned());
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = match given.filter(|id| is_plain_name(id)) {
        Some(id) => id.to_owned(),
        None => state.ids.next(state.clock.now_ms()),
    };
    let id_value = HeaderValue::try_from(&id).ok();
    if let Some(value) = &id_value {
        request.headers_mut().insert(REQUEST_ID, value.clone());
    }
    // At the error level, so that no log filter drops the id.
    let span = tracing::error_span!("request", request_id = id);
    let mut response = next.run(request).instrument(span).await;
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
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
    let client = peer.map(|peer| tracing::field::display(peer.0));
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::warn!(%method, path, status, took_us, client, caller, request_id = id, "request");
    } else {
        tracing::info!(%method, path, status, took_us, client, caller, request_id = id, "request");
    }
    response
}
