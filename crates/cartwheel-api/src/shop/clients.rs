//! The addresses that clients of Segment, RudderStack and Google Analytics 4 call, so that a host
//! and a key are all that they need.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use axum::routing::post;
use cartwheel_events::Foreign;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::access::scope::Scope;
use crate::access::site;
use crate::contract::schema::Ga4Body;
use crate::http::problem::Problem;
use crate::http::request::NamePath;
use crate::routes::Routes;
use crate::shop::events::BatchAnswer;
use crate::shop::foreign::{self, take};
use crate::state::Shared;

/// Segment's addresses below `/v1/`, with the call that each takes. `/v1/page` is missing: it
/// answers the lists of a page.
const CALLS: [(&str, &str); 13] = [
    ("batch", "batch"),
    ("b", "batch"),
    ("track", "track"),
    ("t", "track"),
    ("identify", "identify"),
    ("i", "identify"),
    ("alias", "alias"),
    ("a", "alias"),
    ("p", "page"),
    ("screen", "screen"),
    ("s", "screen"),
    ("group", "group"),
    ("g", "group"),
];

/// The routes that clients of other products call.
pub(crate) fn routes() -> Routes {
    let routes =
        Routes::default().for_guests(Scope::EventsWrite, routes!(collect)).open(routes!(settings));
    CALLS.into_iter().fold(routes, |routes, (address, call)| {
        routes.for_guests(Scope::EventsWrite, segment(address, call))
    })
}

/// A route as `/v1/events/segment`, under one of the addresses of Segment's clients.
fn segment(address: &'static str, call: &'static str) -> UtoipaMethodRouter<Shared> {
    let (schemas, mut paths, _) = routes!(foreign::segment);
    for mut item in std::mem::take(&mut paths.paths).into_values() {
        if let Some(operation) = &mut item.post {
            operation.operation_id = Some(format!("segment_{address}"));
            operation.tags = Some(vec!["clients".to_owned()]);
            operation.summary = Some(match call {
                "batch" => "Stores a batch of Segment calls".to_owned(),
                "track" | "identify" | "alias" => format!("Stores a {call} call of Segment"),
                _ => format!("Counts a {call} call of Segment"),
            });
            operation.description = Some(format!(
                "As POST /v1/events/segment. A call that names no type is a {call} call."
            ));
        }
        paths.paths.insert(format!("/v1/{address}"), item);
    }
    let kind = (call != "batch").then_some(call);
    let handler = move |State(state): State<Shared>, caller: Caller, request: Request| {
        take(state, caller, Foreign::Segment, kind, request)
    };
    (schemas, paths, post(handler))
}

/// Stores events of Google Analytics 4 at its own address
///
/// As `POST /v1/events/ga4`, with the key in `api_secret`. Other parameters are ignored.
#[utoipa::path(post, path = "/mp/collect", tag = "clients", request_body = Ga4Body,
    params(("api_secret" = Option<String>, Query, description = "The key, unless a header has it"),
           ("measurement_id" = Option<String>, Query, description = "Ignored")), responses(
    (status = 200, description = "One result per event", body = BatchAnswer),
    (status = 400, description = "Not JSON, no user, no or more than 500 events, or the one \
     event is not valid", body = Problem),
    (status = 422, description = "The one event's id belongs to another, or its cart is empty",
     body = Problem),
))]
pub(crate) async fn collect(
    State(state): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Json<BatchAnswer>, Problem> {
    take(state, caller, Foreign::Ga4, None, request).await
}

/// The settings that Segment's browser client loads for a write key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClientSettings {
    integrations: ClientIntegrations,
    metrics: ClientMetrics,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClientIntegrations {
    #[serde(rename = "Segment.io")]
    segment: ClientTarget,
}

/// Where the client sends its calls.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClientTarget {
    /// The write key of the address.
    api_key: String,
    /// Host and path of this server.
    api_host: String,
    /// `http` for an address or localhost; `https` for every name.
    protocol: &'static str,
}

/// The client's measurements of itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClientMetrics {
    /// 0: it sends none.
    sample_rate: u32,
}

/// Tells Segment's browser client where to send its calls
///
/// The client asks for it where its option cdnURL names this server: it then needs nothing but this
/// address and a write key. Every key gets an answer; whether it is valid shows with the first call.
#[utoipa::path(get, path = "/v1/projects/{name}/settings", tag = "clients",
    params(("name" = String, Path, description = "The write key, a publishable key",
            min_length = 1, max_length = 128)), responses(
    (status = 200, description = "The client's settings", body = ClientSettings),
    (status = 404, description = "This can be no key", body = Problem),
))]
pub(crate) async fn settings(NamePath(key): NamePath, headers: HeaderMap) -> Json<ClientSettings> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    let is_plain = authority.as_ref().is_none_or(|host| site::is_near(host.host()));
    let target = ClientTarget {
        api_key: key,
        api_host: format!("{}/v1", authority.as_ref().map_or("localhost", Authority::as_str)),
        protocol: if is_plain { "http" } else { "https" },
    };
    Json(ClientSettings {
        integrations: ClientIntegrations { segment: target },
        metrics: ClientMetrics { sample_rate: 0 },
    })
}
