//! Limits on the time of a handler, and answers for its panics.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;

use crate::http::body::BodyDeadline;
use crate::http::problem::{Kind, Problem};

/// Longest time of a request that uploads a file. Within it, the client has to send more within the
/// time limit of other requests.
pub(crate) const LONGEST_UPLOAD: Duration = Duration::from_secs(4 * 3_600);

/// Runs the handler for at most `limit`; answers with a problem if it takes longer or panics.
///
/// One function instead of two layers, because a layer copies everything within it for every
/// request.
pub(crate) async fn bounded(limit: Duration, request: Request, next: Next) -> Response {
    in_time(limit, answered(limit, request, next)).await
}

/// Runs the handler; answers with a problem if it panics. The body has to arrive before `limit`.
pub(crate) async fn answered(limit: Duration, mut request: Request, next: Next) -> Response {
    // Earlier than the limit, to tell a slow body from a slow answer.
    let deadline = tokio::time::Instant::now() + limit * 4 / 5;
    request.extensions_mut().insert(BodyDeadline(deadline));
    // What handlers share stays consistent when one of them panics.
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answer.unwrap_or_else(|panic| panicked(&*panic))
}

/// Waits for an answer for at most `limit`; answers with a problem if it takes longer.
pub(crate) async fn in_time(limit: Duration, answer: impl Future<Output = Response>) -> Response {
    let too_long = |_| {
        let detail = "The answer took too long. Sending an event again with the same event_id \
                      stores it once.";
        Problem::new(Kind::Timeout, detail).into_response()
    };
    tokio::time::timeout(limit, answer).await.unwrap_or_else(too_long)
}

/// Answers for a handler that panicked.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = text, "a handler panicked");
    Problem::new(Kind::Internal, "The server logged the cause under this request's id.")
        .into_response()
}
