//! API keys: known by their hashes alone.

use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::problem::{Kind, Problem};
use crate::state::AppState;

/// SHA-256 of a key. Keys are random and long, so that no slow hash is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

/// The text is not the hexadecimal SHA-256 of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key's hash is 64 hexadecimal digits: printf %s \"$KEY\" | sha256sum")]
pub struct KeyHashError;

impl std::str::FromStr for KeyHash {
    type Err = KeyHashError;

    fn from_str(text: &str) -> Result<Self, KeyHashError> {
        let digit = |c: u8| char::from(c).to_digit(16).ok_or(KeyHashError);
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(KeyHashError);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Ok(Self(bytes))
    }
}

impl KeyHash {
    /// Whether `key` is the key. Takes the same time for every key.
    fn is_of(&self, key: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        given.iter().zip(&self.0).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }
}

/// Lets pass who brings a key in `x-api-key` or `authorization: Bearer`, and everybody
/// where no key is set or the path tells nothing of the shop.
pub(crate) async fn check(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match refusal(&state.settings.key_hashes, &request) {
        None => next.run(request).await,
        Some(detail) => Problem::new(Kind::Unauthorized, detail).into_response(),
    }
}

fn refusal(hashes: &[KeyHash], request: &Request) -> Option<&'static str> {
    const OPEN: [&str; 5] = ["/healthz", "/readyz", "/openapi.json", "/docs", "/docs.css"];
    let (method, path) = (request.method(), request.uri().path());
    // A browser asks what it may do before it brings a key.
    let asks = method == Method::OPTIONS;
    let app = method.is_safe() && !path.starts_with("/v1/") && path != "/metrics";
    if hashes.is_empty() || OPEN.contains(&path) || asks || app {
        return None;
    }
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let bearer = || header(header::AUTHORIZATION.as_str())?.strip_prefix("Bearer ");
    let given = header("x-api-key").or_else(bearer).unwrap_or_default();
    // Every hash is looked at, whichever fits.
    let known = hashes.iter().fold(false, |known, hash| known | hash.is_of(given));
    match (known, given.is_empty()) {
        (true, _) => None,
        (false, true) => Some("The request brings no API key: send it as x-api-key."),
        (false, false) => Some("The API key is not known."),
    }
}
