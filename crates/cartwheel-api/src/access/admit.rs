//! Admission of requests: rate limits, hosts and sites, keys and scopes, the audit log.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::RequestExt;
use axum::body::Body;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;

use crate::access::audit::AdminAction;
use crate::access::caller::Caller;
use crate::access::credential::{Credential, NoCredential, key_in_query};
use crate::access::keys::Keys;
use crate::access::scope::{Access, AccessTable, Audience, Scope};
use crate::access::site;
use crate::http::bounded::{LONGEST_UPLOAD, answered, bounded, in_time};
use crate::http::completion::run_to_completion;
use crate::http::peer::Peer;
use crate::http::problem::{Kind, Problem};
use crate::http::request_id::request_id;
use crate::state::{AppState, Shared};

/// Longest path parameter in the audit log, in characters.
const LONGEST_PARAMETER: usize = 80;

/// What admission decides by.
pub(crate) struct Gate {
    pub(crate) state: Shared,
    pub(crate) access: AccessTable,
    /// Paths to which files are posted.
    pub(crate) uploads: HashSet<String>,
}

/// Admits requests within the limits, to this host and from allowed sites, whose key or token, in
/// `x-api-key` or `authorization: Bearer`, grants the scope that the route needs. An open route
/// needs none, and nor does any route while no key is required. Attaches the [`Caller`] to request
/// and response.
pub(crate) async fn admit(
    State(gate): State<Arc<Gate>>,
    mut request: Request,
    next: Next,
) -> Response {
    let access = gate.access.needed(request.method(), route(request.extensions()));
    match gate.caller(access, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            let response = gate.run(access, request, &caller, next).await;
            let mut response = while_admitted(response, &gate.state.keys, &caller);
            // A handler that reads the credential from the body knows better.
            response.extensions_mut().get_or_insert_with(|| caller);
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// Admits the credential that a request brings, or does not bring, `place`; within the limits.
///
/// # Errors
/// 401, 403 or 429 otherwise.
pub(crate) fn admit_credential(
    state: &AppState,
    found: Result<Credential, NoCredential>,
    place: &str,
    peer: Option<Peer>,
    (scope, audience): (Scope, Audience),
) -> Result<Caller, Problem> {
    let credential = found.or_else(|missing| {
        Err(match missing {
            NoCredential::Missing => Problem::new(
                Kind::Unauthorized,
                format!("The request has no API key: send a key with the scope {scope} {place}."),
            ),
            NoCredential::Wrong(problem) => {
                state.limits.wrong_key(peer)?;
                problem
            }
            NoCredential::Expired(problem) => problem,
        })
    })?;
    state.limits.key(&credential.key.name)?;
    credential.admit(scope, audience)
}

/// The media types of answers that last.
const STREAMS: [&[u8]; 2] = [b"text/event-stream", b"application/x-ndjson"];

/// Ends a stream when its caller is admitted no more. Other answers are short.
fn while_admitted(response: Response, keys: &Keys, caller: &Caller) -> Response {
    let media = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !media.is_some_and(|media| STREAMS.iter().any(|stream| media.starts_with(stream))) {
        return response;
    }
    let revoked = keys.clone().revoked(caller.held());
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(revoked)))
}

impl Gate {
    fn caller(&self, access: Access, request: &Request) -> Result<Caller, Problem> {
        let peer = request.extensions().get::<Peer>().copied();
        self.state.limits.address(peer)?;
        let needs_keys = self.state.keys.are_required();
        site::check(&self.state.settings, needs_keys, request)?;
        if !needs_keys {
            return Ok(Caller::anonymous());
        }
        let in_query = key_in_query(route(request.extensions()), request.uri());
        let now_ms = self.state.clock.now_ms();
        let found = Credential::find(&self.state.keys, request.headers(), in_query, now_ms);
        let Access::Needs(scope, audience) = access else {
            return match found {
                Ok(credential) => Ok(credential.on_open_route()),
                // The answer may tell keys from guesses.
                Err(NoCredential::Wrong(_)) => {
                    self.state.limits.wrong_key(peer).map(|()| Caller::stranger())
                }
                Err(_) => Ok(Caller::stranger()),
            };
        };
        admit_credential(&self.state, found, "as x-api-key", peer, (scope, audience))
    }

    /// Runs the request; an admin's change between two entries of the audit log. Such a change is
    /// completed even if it takes longer than the client waits, so that the log has its outcome.
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
        let begin = move || audit.begin(&action.with_users_hidden(&*audit)?);
        let begun = tokio::task::spawn_blocking(begin).await;
        let end = match begun.map_err(io::Error::other).flatten() {
            Ok(end) => end,
            Err(error) => {
                tracing::error!(%error, request_id = id, "cannot write the audit log; refusing an admin action");
                let detail = "The action was not executed: the audit log cannot be written.";
                return Problem::new(Kind::Unavailable, detail).into_response();
            }
        };
        let answer = answered(timeout, Request::from_parts(parts, body), next);
        let recorded = async move {
            let response = answer.await;
            let status = response.status().as_u16();
            let ended = tokio::task::spawn_blocking(move || end(status)).await;
            if let Err(error) = ended.map_err(io::Error::other).flatten() {
                // The beginning of the action is on disk.
                tracing::error!(%error, request_id = id, status, "cannot record how an admin action ended");
            }
            response
        };
        in_time(timeout, run_to_completion(recorded)).await
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
        let value = |value: &str| value.chars().take(LONGEST_PARAMETER).collect();
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::access::keys::{ApiKey, KeyHash};

    fn key(name: &str) -> ApiKey {
        let scopes = vec![Scope::Admin];
        let hash = KeyHash::of(name);
        ApiKey { name: name.into(), hash, scopes, publishable: None, signing: None }
    }

    /// A stream of events that never ends by itself.
    fn stream(keys: &Keys, caller: &Caller) -> Response {
        let endless = futures::stream::once(async { Ok::<_, Infallible>("data: 1\n\n") });
        let body = Body::from_stream(endless.chain(futures::stream::pending()));
        let response = ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response();
        while_admitted(response, keys, caller)
    }

    #[tokio::test]
    async fn an_event_stream_ends_with_its_key() {
        let keys: Keys = [key("a"), key("b")].into_iter().collect();
        let mut streams = ["a", "b"]
            .map(|name| stream(&keys, &Caller::admin(&key(name))).into_body().into_data_stream());
        let [of_a, of_b] = &mut streams;
        assert!(of_a.next().await.is_some() && of_b.next().await.is_some());
        keys.replace(vec![key("b")]);
        assert!(of_a.next().await.is_none(), "its key is revoked");
        let second = tokio::time::timeout(Duration::from_millis(50), of_b.next());
        assert!(second.await.is_err(), "the other key is valid");
        keys.replace(Vec::new());
        assert!(of_b.next().await.is_none());
    }

    #[tokio::test]
    async fn an_event_stream_without_a_key_ends_with_the_first_key() {
        let keys = Keys::default();
        let mut events = stream(&keys, &Caller::anonymous()).into_body().into_data_stream();
        assert!(events.next().await.is_some());
        keys.replace(vec![key("a")]);
        assert!(events.next().await.is_none());
    }
}
