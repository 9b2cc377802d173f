//! Documents that admins change: stored on condition of their version, and then in effect.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use cartwheel_registry::{DocumentVersion, Edition, LiveDocument, RegistryError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use crate::access::caller::Caller;
use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::state::Shared;

/// Attempts to store a change while others store theirs.
const ATTEMPTS: usize = 5;

/// A document, and its name in messages.
pub(crate) struct Document<'a, T> {
    /// The document.
    pub(crate) live: &'a Arc<LiveDocument<T>>,
    /// Such as `placements`.
    pub(crate) noun: &'static str,
}

/// The entity tag of a version, as a header.
pub(crate) fn etag(version: u64) -> [(HeaderName, HeaderValue); 1] {
    let tag = HeaderValue::try_from(format!("\"{version}\""));
    // Digits between quotes: always a valid value.
    [(header::ETAG, tag.unwrap_or(HeaderValue::from_static("\"\"")))]
}

impl<T> Document<'_, T>
where
    T: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// Changes the document. Without `If-Match`, a change that others make at the same time is kept,
    /// and this one is made after it. Returns the new version.
    pub(crate) async fn change(
        &self,
        state: &Shared,
        caller: &Caller,
        headers: &HeaderMap,
        edit: impl Fn(&mut T) -> Result<(), Problem>,
    ) -> Result<Arc<Edition<T>>, Problem> {
        let noun = self.noun;
        for _ in 0..ATTEMPTS {
            let current = self.live.current();
            let mut content = current.content.clone();
            // What would be refused anyway is refused for its own reason (RFC 9110, section 13.2.1).
            edit(&mut content)?;
            self.check_condition(headers, current.version)?;
            match self.store(state, caller, current.version, content).await? {
                Ok(version) => return Ok(version),
                Err(RegistryError::Changed { .. }) => self.refresh().await?,
                Err(RegistryError::ReadOnly(_)) => {
                    let detail =
                        format!("This server answers with {noun}, and does not change them.");
                    return Err(Problem::new(Kind::NotFound, detail));
                }
                Err(error) => {
                    let detail = "The change was not stored.";
                    return Err(Problem::hiding(Kind::Unavailable, detail, error));
                }
            }
        }
        let detail = format!("The {noun} changed again and again meanwhile. Repeat the change.");
        Err(Problem::new(Kind::Conflict, detail))
    }

    /// The last `limit` versions as they are stored, the newest first.
    pub(super) async fn stored(&self, limit: usize) -> Result<Vec<DocumentVersion>, Problem> {
        let (document, runtime) = (self.live.clone(), Handle::current());
        let read = blocking(move || runtime.block_on(document.history(limit))).await?;
        read.map_err(|error| self.unreadable(error))
    }

    /// Checks `If-Match` (RFC 9110, section 13.1.1): that the document has one of its entity tags,
    /// or any for `*`.
    fn check_condition(&self, headers: &HeaderMap, version: u64) -> Result<(), Problem> {
        let Some(tags) = headers.get(header::IF_MATCH) else { return Ok(()) };
        let own = format!("\"{version}\"");
        let tags = tags.to_str().unwrap_or_default();
        if tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == own) {
            return Ok(());
        }
        let noun = self.noun;
        let detail =
            format!("The {noun} are at version {version}. Read them again and repeat the change.");
        Err(Problem::new(Kind::PreconditionFailed, detail))
    }

    async fn store(
        &self,
        state: &Shared,
        caller: &Caller,
        expected: u64,
        content: T,
    ) -> Result<Result<Arc<Edition<T>>, RegistryError>, Problem> {
        let (document, by) = (self.live.clone(), caller.name().to_owned());
        let (now_ms, runtime) = (state.clock.now_ms(), Handle::current());
        // A registry on disk blocks.
        blocking(move || runtime.block_on(document.put(expected, &content, &by, now_ms))).await
    }

    /// Reads the version of another process.
    async fn refresh(&self) -> Result<(), Problem> {
        let (document, runtime) = (self.live.clone(), Handle::current());
        let read = blocking(move || runtime.block_on(document.refresh())).await?;
        read.map(|_| ()).map_err(|error| self.unreadable(error))
    }

    /// The problem for a registry that does not answer.
    fn unreadable(&self, error: RegistryError) -> Problem {
        let detail = format!("The {} cannot be read at the moment.", self.noun);
        Problem::hiding(Kind::Unavailable, &detail, error)
    }
}
