//! `POST /v1/users/{id}/merge`: a guest turns out to be a user.

use axum::Json;
use axum::extract::{Request, State};
use cartwheel_events::{Event, EventKind, ID_EXPECTED, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::access::scope::Scope;
use crate::contract::schema::Id;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{self, Params, UserPath};
use crate::routes::Routes;
use crate::shop::accept::accept;
use crate::state::Shared;

/// The route that ties a guest to a user.
pub(crate) fn routes() -> Routes {
    Routes::default().for_tokens(Scope::EventsWrite, routes!(merge))
}

/// The guest to tie to the user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeRequest {
    /// The guest; an integer is kept as its decimal text.
    #[schema(value_type = Id)]
    anonymous_id: UserId,
}

/// A tie.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Merged {
    /// The user.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The id of the `identify` event that records the tie.
    event_id: String,
    /// The stored record.
    record_id: String,
}

/// Ties a guest to a user
///
/// The guest's cart, views and purchases go over to the user: in the session at once, in the
/// features with the next run. An event with both ids does the same. A guest who is tied to a
/// second user starts afresh: what came before stays with the first.
#[utoipa::path(post, path = "/v1/users/{id}/merge", tag = "events", params(
    ("id" = String, Path, description = "The user"),
), request_body = MergeRequest, responses(
    (status = 200, description = "The tie is stored", body = Merged),
    (status = 400, description = "Not JSON, or an id is not valid", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Not application/json", body = Problem),
))]
pub(crate) async fn merge(
    State(state): State<Shared>,
    caller: Caller,
    UserPath(user_id): UserPath,
    params: Params,
    request: Request,
) -> Result<Json<Merged>, Problem> {
    params.end("none")?;
    let body: MergeRequest = request::json(request, &state.bodies).await?;
    let invalid = |field: &str, why| Problem::field(field, format!("{field} {why}."), ID_EXPECTED);
    let known = UserId::known(user_id.as_str()).map_err(|why| invalid("id", why))?;
    let guest = UserId::guest(body.anonymous_id.as_str());
    let guest = guest.map_err(|why| invalid("anonymous_id", why))?;
    let event = Event {
        event_id: None,
        user_id: known,
        guest: Some(guest),
        session_id: None,
        kind: EventKind::Identify,
        items: Vec::new(),
        query: None,
        country: None,
        timestamp_ms: None,
        source: None,
        recommendation_id: None,
    };
    let (accepted, _) = accept(&state, &caller, event).await?;
    // The event has a new id and repeats no imported one, so that it is stored.
    let unstored = || Problem::new(Kind::Internal, "The tie was not stored.");
    let record_id = accepted.position.ok_or_else(unstored)?.record_id();
    Ok(Json(Merged { user_id, event_id: accepted.event_id, record_id }))
}
