//! What admins change is written down before it is done.

use std::collections::BTreeMap;
use std::io;

use axum::RequestExt;
use axum::extract::{MatchedPath, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::keys::{Caller, Scope, needed};
use crate::layers::{bounded, request_id};
use crate::limits::Peer;
use crate::problem::{Kind, Problem};
use crate::state::AppState;

/// Longest value of a path that is written down, in characters.
const LONGEST: usize = 80;

/// An action that changes something and that only an admin may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdminAction {
    /// When it began, UTC milliseconds.
    pub time_ms: i64,
    /// The name of the key, `anonymous` where none is needed, or `cli`.
    pub actor: String,
    /// Where the request came from.
    pub address: Option<String>,
    /// The HTTP method, or `RUN` for a command.
    pub method: String,
    /// The route, such as `/v1/models/{version}/deploy`, or the command.
    pub route: String,
    /// What the route's names stand for. Users are not named: `sha256:` and the first
    /// 16 digits of their id's hash.
    pub target: BTreeMap<String, String>,
    /// The request's id; null for a command.
    pub request_id: Option<String>,
}

/// Writes an action's outcome down, as an HTTP status.
pub type Outcome = Box<dyn FnOnce(u16) -> io::Result<()> + Send>;

/// Where admin actions are written down. The calls may block.
pub trait AuditLog: Send + Sync {
    /// Writes an action down durably before it is done.
    ///
    /// # Errors
    /// When it cannot be written: the action is then not done.
    fn begin(&self, action: &AdminAction) -> io::Result<Outcome>;
}

/// A user's id as it may be written down: the same text for the same user.
pub fn hashed_id(id: &str) -> String {
    let hash = Sha256::digest(id.as_bytes());
    hash.iter().take(8).fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Passes the request on; an admin's action between two entries of the audit log.
pub(crate) async fn audited(
    state: &AppState,
    mut request: Request,
    caller: &Caller,
    next: Next,
) -> Response {
    let Some(audit) = state.audit.clone().filter(|_| is_action(&request)) else {
        return bounded(state.settings.timeout, request, next).await;
    };
    let params = request.extract_parts::<RawPathParams>().await.ok();
    let (parts, body) = request.into_parts();
    let action = action(state, &parts, params.as_ref(), caller);
    let id = action.request_id.clone();
    let begun = tokio::task::spawn_blocking(move || audit.begin(&action)).await;
    let outcome = match begun.map_err(io::Error::other).flatten() {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(%error, request_id = id, "an admin action is refused: no audit log");
            let detail = "The action cannot be written down now, and so it is not done.";
            return Problem::new(Kind::Unavailable, detail).into_response();
        }
    };
    let response = bounded(state.settings.timeout, Request::from_parts(parts, body), next).await;
    let status = response.status().as_u16();
    let ended = tokio::task::spawn_blocking(move || outcome(status)).await;
    if let Err(error) = ended.map_err(io::Error::other).flatten() {
        // That it began is on disk.
        tracing::error!(%error, request_id = id, status, "an action's outcome is not written down");
    }
    response
}

fn route(extensions: &Extensions) -> Option<&str> {
    extensions.get::<MatchedPath>().map(MatchedPath::as_str)
}

fn is_action(request: &Request) -> bool {
    let route = route(request.extensions());
    route.is_some() && changes(request.method(), route)
}

fn changes(method: &Method, route: Option<&str>) -> bool {
    !method.is_safe() && needed(method, route) == Some(Scope::Admin)
}

fn action(
    state: &AppState,
    parts: &Parts,
    params: Option<&RawPathParams>,
    caller: &Caller,
) -> AdminAction {
    let route = route(&parts.extensions).unwrap_or_default();
    let of_user = route.starts_with("/v1/users/");
    let value = |value: &str| match of_user {
        true => hashed_id(value),
        false => value.chars().take(LONGEST).collect(),
    };
    let target = params.into_iter().flatten();
    AdminAction {
        time_ms: state.clock.now_ms(),
        actor: caller.name().to_owned(),
        address: parts.extensions.get::<Peer>().map(|peer| peer.0.to_string()),
        method: parts.method.to_string(),
        route: route.to_owned(),
        target: target.map(|(name, text)| (name.to_owned(), value(text))).collect(),
        request_id: request_id(&parts.headers).map(str::to_owned),
    }
}
