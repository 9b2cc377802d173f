//! Changes of the document of placements: checked, stored, and then in effect.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use cartwheel_placements::{InvalidPlacement, Placements};
use cartwheel_registry::{Edition, RegistryError};
use tokio::runtime::Handle;

use crate::access::caller::Caller;
use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::state::Shared;

/// Attempts to store a change while others store theirs.
const ATTEMPTS: usize = 5;

/// A version of the document.
pub(super) type Version = Arc<Edition<Placements>>;

/// The entity tag of a version, as a header.
pub(super) fn etag(version: u64) -> [(HeaderName, HeaderValue); 1] {
    let tag = HeaderValue::try_from(format!("\"{version}\""));
    // Digits between quotes: always a valid value.
    [(header::ETAG, tag.unwrap_or(HeaderValue::from_static("\"\"")))]
}

/// Checks `If-Match` (RFC 9110, section 13.1.1): that the document has one of its entity tags, or
/// any for `*`.
fn check_condition(headers: &HeaderMap, version: u64) -> Result<(), Problem> {
    let Some(tags) = headers.get(header::IF_MATCH) else { return Ok(()) };
    let own = format!("\"{version}\"");
    let tags = tags.to_str().unwrap_or_default();
    if tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == own) {
        return Ok(());
    }
    let detail =
        format!("The placements are at version {version}. Read them again and repeat the change.");
    Err(Problem::new(Kind::PreconditionFailed, detail))
}

/// Changes the document. Without `If-Match`, a change that others make at the same time is kept, and
/// this one is made after it. Returns the new version.
pub(super) async fn change(
    state: &Shared,
    caller: &Caller,
    headers: &HeaderMap,
    edit: impl Fn(&mut Placements) -> Result<(), Problem>,
) -> Result<Version, Problem> {
    for _ in 0..ATTEMPTS {
        let current = state.placements.current();
        check_condition(headers, current.version)?;
        let mut content = current.content.clone();
        edit(&mut content)?;
        match store(state, caller, current.version, content).await? {
            Ok(version) => return Ok(version),
            Err(RegistryError::Changed { .. }) => refresh(state).await?,
            Err(RegistryError::ReadOnly(_)) => {
                let detail = "This server answers placements, and does not change them.";
                return Err(Problem::new(Kind::NotFound, detail));
            }
            Err(error) => {
                let detail = "The change was not stored.";
                return Err(Problem::hiding(Kind::Unavailable, detail, error));
            }
        }
    }
    let detail = "The placements changed again and again meanwhile. Repeat the change.";
    Err(Problem::new(Kind::Conflict, detail))
}

async fn store(
    state: &Shared,
    caller: &Caller,
    expected: u64,
    content: Placements,
) -> Result<Result<Version, RegistryError>, Problem> {
    let (document, by) = (state.placements.clone(), caller.name().to_owned());
    let (now_ms, runtime) = (state.clock.now_ms(), Handle::current());
    // A registry on disk blocks.
    blocking(move || runtime.block_on(document.put(expected, &content, &by, now_ms))).await
}

/// Reads the version of another process.
async fn refresh(state: &Shared) -> Result<(), Problem> {
    let (document, runtime) = (state.placements.clone(), Handle::current());
    let read = blocking(move || runtime.block_on(document.refresh())).await?;
    read.map(|_| ()).map_err(unreadable)
}

/// The problem for a registry that does not answer.
pub(super) fn unreadable(error: RegistryError) -> Problem {
    Problem::hiding(Kind::Unavailable, "The placements cannot be read at the moment.", error)
}

/// The problem for a document that is refused. In the body of one placement, fields are named
/// without the document around them.
pub(super) fn refused(invalid: InvalidPlacement, body_of: Option<&str>) -> Problem {
    let field = match body_of {
        Some(name) if name == invalid.placement && invalid.field.is_empty() => "name".to_owned(),
        Some(name) if name == invalid.placement => invalid.field.clone(),
        _ => invalid.path(),
    };
    let position = invalid.position.and_then(|position| u16::try_from(position).ok());
    Problem { position, ..Problem::field(field, invalid.detail, invalid.expected) }
}
