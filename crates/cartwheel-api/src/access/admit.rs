//! Admission of requests: rate limits, keys and scopes, the audit log.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::RequestExt;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::access::audit::{AdminAction, hashed_id};
use crate::access::caller::Caller;
use crate::access::credential::{Credential, NoCredential};
use crate::access::scope::{Access, AccessTable, Scope};
use crate::http::bounded::{LONGEST_UPLOAD, bounded};
use crate::http::peer::Peer;
use crate::http::problem::{Kind, Problem};
use crate::http::request_id::request_id;
use crate::state::Shared;

/// Longest path parameter in the audit log, in characters.
const LONGEST_PARAMETER: usize = 80;

/// What admission decides by.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) state: Shared,
    pub(crate) access: Arc<AccessTable>,
    /// Paths to which files are posted.
    pub(crate) uploads: Arc<HashSet<String>>,
}

/// Admits requests within the limits whose key or token, in `x-api-key` or `authorization:
/// Bearer`, grants the scope that the route needs. Admits every request within the limits to an
/// open route, or while no key exists. Attaches the [`Caller`] to request and response.
pub(crate) async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let access = gate.access.needed(request.method(), route(request.extensions()));
    match gate.caller(access, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            let mut response = gate.run(access, request, &caller, next).await;
            response.extensions_mut().insert(caller);
            response
        }
        Err(problem) => problem.into_response(),
    }
}

impl Gate {
    fn caller(&self, access: Access, request: &Request) -> Result<Caller, Problem> {
        let peer = request.extensions().get::<Peer>().copied();
        self.state.limits.address(peer)?;
        let Access::Needs(scope, audience) = access else { return Ok(Caller::anonymous()) };
        let keys = &self.state.keys;
        if keys.is_empty() {
            return Ok(Caller::anonymous());
        }
        let found = Credential::find(keys, request.headers(), self.state.clock.now_ms());
        let credential = found.or_else(|missing| {
            Err(match missing {
                NoCredential::Missing => Problem::new(
                    Kind::Unauthorized,
                    format!(
                        "The request has no API key: send a key with the scope {scope} as \
                         x-api-key."
                    ),
                ),
                NoCredential::Wrong(problem) => {
                    self.state.limits.wrong_key(peer)?;
                    problem
                }
                NoCredential::Expired(problem) => problem,
            })
        })?;
        self.state.limits.key(&credential.key.name)?;
        credential.admit(scope, audience)
    }

    /// Runs the request; an admin's change between two entries of the audit log.
    async fn run(
        &self,
        access: Access,
        mut request: Request,
        caller: &Caller,
        next: Next,
    ) -> Response {
        let timeout = self.time_limit(&request);
        let recorded = matches!(access, Access::Needs(Scope::Admin, _))
            && !request.method().is_safe()
            && route(request.extensions()).is_some();
        let Some(audit) = self.state.audit.clone().filter(|_| recorded) else {
            return bounded(timeout, request, next).await;
        };
        let params = request.extract_parts::<RawPathParams>().await.ok();
        let (parts, body) = request.into_parts();
        let action = self.action(&parts, params.as_ref(), caller);
        let id = action.request_id.clone();
        let begun = tokio::task::spawn_blocking(move || audit.begin(&action)).await;
        let end = match begun.map_err(io::Error::other).flatten() {
            Ok(end) => end,
            Err(error) => {
                tracing::error!(%error, request_id = id, "cannot write the audit log; refusing an admin action");
                let detail = "The action was not executed: the audit log cannot be written.";
                return Problem::new(Kind::Unavailable, detail).into_response();
            }
        };
        let response = bounded(timeout, Request::from_parts(parts, body), next).await;
        let status = response.status().as_u16();
        let ended = tokio::task::spawn_blocking(move || end(status)).await;
        if let Err(error) = ended.map_err(io::Error::other).flatten() {
            // The beginning of the action is on disk.
            tracing::error!(%error, request_id = id, status, "cannot record how an admin action ended");
        }
        response
    }

    fn time_limit(&self, request: &Request) -> Duration {
        let is_upload = request.method() == Method::POST
            && route(request.extensions()).is_some_and(|route| self.uploads.contains(route));
        if is_upload { LONGEST_UPLOAD } else { self.state.settings.timeout }
    }

    fn action(
        &self,
        parts: &Parts,
        params: Option<&RawPathParams>,
        caller: &Caller,
    ) -> AdminAction {
        let route = route(&parts.extensions).unwrap_or_default();
        let names_user = route.starts_with("/v1/users/");
        let value = |value: &str| match names_user {
            true => hashed_id(value),
            false => value.chars().take(LONGEST_PARAMETER).collect(),
        };
        let target = params.into_iter().flatten();
        AdminAction {
            time_ms: self.state.clock.now_ms(),
            actor: caller.name().to_owned(),
            address: parts.extensions.get::<Peer>().map(|peer| peer.0.to_string()),
            method: parts.method.to_string(),
            route: route.to_owned(),
            target: target.map(|(name, text)| (name.to_owned(), value(text))).collect(),
            request_id: request_id(&parts.headers).map(str::to_owned),
        }
    }
}

fn route(extensions: &Extensions) -> Option<&str> {
    extensions.get::<MatchedPath>().map(MatchedPath::as_str)
}
