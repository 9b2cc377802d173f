//! `POST /v1/beacon`: events that a page sends while it goes away.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use cartwheel_events::{BorrowedJson, Event, MAX_BATCH};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::admit::admit_credential;
use crate::access::caller::Caller;
use crate::access::credential::Credential;
use crate::access::scope::{Audience, Scope};
use crate::access::site;
use crate::access::token::MAX_TOKEN;
use crate::contract::schema::EventBody;
use crate::http::peer::Peer;
use crate::http::problem::Problem;
use crate::http::request;
use crate::routes::Routes;
use crate::shop::accept::Dating;
use crate::shop::events::{BatchAnswer, answer};
use crate::state::Shared;

/// How the credentials of browsers begin.
const FOR_BROWSERS: [&str; 2] = ["cwp_", "v1."];

/// The route for beacons. It looks for the credential itself, in the body.
pub(crate) fn routes() -> Routes {
    Routes::default().open(routes!(beacon))
}

/// Events with the credential of their page.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Beacon<'a> {
    /// A publishable key or a shopper token, unless the server needs no key.
    #[schema(pattern = r"^(cwp_|v1\.)", max_length = 1024)]
    key: Option<String>,
    /// The events.
    #[schema(value_type = Vec<EventBody>, min_items = 1, max_items = 500)]
    #[serde(borrow, deserialize_with = "borrowed")]
    events: Vec<BorrowedJson<'a>>,
}

/// Reads events that live as long as the body. They can be read for that lifetime alone, and the
/// derived code asks for a shorter one.
fn borrowed<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<BorrowedJson<'a>>, D::Error> {
    Vec::<BorrowedJson<'de>>::deserialize(deserializer)
}

/// Stores events of a page that goes away
///
/// `navigator.sendBeacon` can neither set a header nor wait for a preflight: the key is in the body,
/// and the content type may be `text/plain`, which is read as JSON. Apart from that, this is
/// `POST /v1/events` with an array.
#[utoipa::path(post, path = "/v1/beacon", tag = "events",
    request_body(content((Beacon = "application/json"), (Beacon = "text/plain"))), responses(
    (status = 200, description = "One result per event", body = BatchAnswer),
    (status = 400, description = "Not JSON, not the key of a page, or no or more than 500 events",
     body = Problem),
    (status = 401, description = "The key or token is missing, unknown or expired", body = Problem),
    (status = 403, description = "The key or token lacks the scope events:write, or a page of \
     another site has sent the request", body = Problem),
    (status = 415, description = "The content type is neither application/json nor text/plain",
     body = Problem),
))]
pub(crate) async fn beacon(
    State(state): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let media = request::media_type(&request);
    // Browsers send text/plain to another site without a preflight.
    let is_plain = media == "text/plain" && !site::is_foreign(&state.settings, &request);
    if !request::is_json(&media) && !is_plain {
        return Err(request::unsupported(&media, "application/json or text/plain"));
    }
    let peer = request.extensions().get::<Peer>().copied();
    let body = state.bodies.read(request).await?;
    let Beacon { key, events } = request::parse(&body)?;
    let key = key.unwrap_or_default();
    let is_for_browsers = FOR_BROWSERS.iter().any(|start| key.starts_with(start));
    if !key.is_empty() && (!is_for_browsers || key.len() > MAX_TOKEN) {
        let expected = "a publishable key, cwp_…, or a shopper token, v1.…";
        return Err(Problem::field("key", "The key is not one for pages.", expected));
    }
    if !(1..=MAX_BATCH).contains(&events.len()) {
        let detail = format!("events has {} entries.", events.len());
        return Err(Problem::field("events", detail, "1 to 500 events"));
    }
    let caller = match state.keys.are_required() && !caller.is_admin() {
        false => caller,
        true => {
            let found = Credential::from_text(&state.keys, &key, state.clock.now_ms());
            let needed = (Scope::EventsWrite, Audience::Guests);
            admit_credential(&state, found, "as key in the body", peer, needed)?
        }
    };
    let events = events.iter().map(|event| Ok(Some(Event::from_borrowed(event)?))).collect();
    let stored = answer(&state, &caller, events, Dating::Arrival, false).await?;
    let mut response = Json::<BatchAnswer>(stored).into_response();
    response.extensions_mut().insert(caller);
    Ok(response)
}
