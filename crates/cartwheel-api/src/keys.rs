//! API keys: known by their hashes alone, each with what it may do.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::problem::{Kind, Problem};
use crate::state::AppState;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Send events.
    EventsWrite,
    /// Ask for recommendations, products and carts.
    RecommendationsRead,
    /// Everything: look at users, operate pipeline, models and lake.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 3] = [Self::EventsWrite, Self::RecommendationsRead, Self::Admin];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventsWrite => "events:write",
            Self::RecommendationsRead => "recommendations:read",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(KeyError::Scope)
    }
}

/// A text that is no key's hash with its scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The hash.
    #[error("a key's hash is 64 hexadecimal digits: printf %s \"$KEY\" | sha256sum")]
    Hash,
    /// A scope.
    #[error("a scope is events:write, recommendations:read or admin")]
    Scope,
}

/// SHA-256 of a key. Keys are random and long, so that no slow hash is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of `key`.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Whether both are the same. Takes the same time for all.
    fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for KeyHash {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let digit = |c: u8| char::from(c).to_digit(16).ok_or(KeyError::Hash);
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(KeyError::Hash);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Ok(Self(bytes))
    }
}

/// A key's hash with what the key may do: `events:write+recommendations:read=HASH`, or
/// a `HASH` alone, which may do everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its hash.
    pub hash: KeyHash,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl FromStr for ApiKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        match text.split_once('=') {
            None => Ok(Self { hash: text.parse()?, scopes: vec![Scope::Admin] }),
            Some((scopes, hash)) => Ok(Self {
                hash: hash.parse()?,
                scopes: scopes.split('+').map(str::parse).collect::<Result<_, _>>()?,
            }),
        }
    }
}

impl ApiKey {
    fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| *held == scope || *held == Scope::Admin)
    }
}

/// The keys that are known; none of them means that everybody may do everything.
/// Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<RwLock<Vec<ApiKey>>>);

impl Keys {
    /// Knows these keys from now on, and no others.
    pub fn replace(&self, keys: Vec<ApiKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// What to tell a request that needs `scope` and brings `given`; none if it may pass.
    fn refusal(&self, scope: Scope, given: &str) -> Option<Problem> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if keys.is_empty() {
            return None;
        }
        let given_hash = KeyHash::of(given);
        // Every key is looked at, whichever fits.
        let known = keys
            .iter()
            .fold(None, |known, key| if key.hash.is(&given_hash) { Some(key) } else { known });
        match known {
            Some(key) if key.may(scope) => None,
            Some(_) => {
                let detail = format!("The API key has no right to this: it needs {scope}.");
                Some(Problem::new(Kind::Forbidden, detail))
            }
            None if given.is_empty() => Some(Problem::new(
                Kind::Unauthorized,
                format!("The request brings no API key: send one with {scope} as x-api-key."),
            )),
            None => Some(Problem::new(Kind::Unauthorized, "The API key is not known.")),
        }
    }
}

impl FromIterator<ApiKey> for Keys {
    fn from_iter<T: IntoIterator<Item = ApiKey>>(keys: T) -> Self {
        Self(Arc::new(RwLock::new(keys.into_iter().collect())))
    }
}

/// Lets pass who brings a key in `x-api-key` or `authorization: Bearer` that may do what
/// is asked for, and everybody where no key is known or the path tells nothing of the
/// shop.
pub(crate) async fn check(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match refusal(&state.keys, &request) {
        None => next.run(request).await,
        Some(problem) => problem.into_response(),
    }
}

fn refusal(keys: &Keys, request: &Request) -> Option<Problem> {
    let scope = needed(request)?;
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let bearer = || header(header::AUTHORIZATION.as_str())?.strip_prefix("Bearer ");
    let given = header("x-api-key").or_else(bearer).unwrap_or_default();
    keys.refusal(scope, given)
}

/// What a request needs; none for what everybody may do. What is not named here needs
/// the most.
fn needed(request: &Request) -> Option<Scope> {
    let method = request.method();
    // A browser asks what it may do before it brings a key.
    if method == Method::OPTIONS {
        return None;
    }
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    match route {
        Some("/healthz" | "/readyz" | "/openapi.json" | "/docs" | "/docs.css") => None,
        Some("/submit" | "/v1/events") => Some(Scope::EventsWrite),
        Some(
            "/v1/recommendations"
            | "/v1/users/{id}/recommendations"
            | "/v1/users/{id}/cart"
            | "/v1/products"
            | "/v1/products/{id}"
            | "/v1/products/{id}/similar"
            | "/v1/departments"
            | "/v1/popular",
        ) => Some(Scope::RecommendationsRead),
        // The web app's files.
        None if method.is_safe() => None,
        _ => Some(Scope::Admin),
    }
}
