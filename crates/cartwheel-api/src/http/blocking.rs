//! Blocking work on behalf of a request.

use crate::http::problem::{Kind, Problem};

/// Runs work that may block on a thread for such work. Its log lines carry the request's id.
///
/// # Errors
/// When the work panics.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let span = tracing::Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    done.map_err(|error| Problem::hiding(Kind::Internal, "The operation failed.", error))
}
