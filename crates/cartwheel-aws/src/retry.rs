//! Retries: their number, their pauses, and the errors that call for them.

use std::time::Duration;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Attempts at a request that the service answers in part.
pub(crate) const TRIES: u32 = 6;
/// The longest first pause.
const FIRST: Duration = Duration::from_millis(25);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);

/// Waits after attempt `n` (from 1). The pause grows exponentially and has full jitter, so
/// that clients that were refused together do not return together.
pub(crate) async fn pause(n: u32) {
    let most = FIRST.saturating_mul(1 << n.saturating_sub(1).min(10)).min(LONGEST);
    tokio::time::sleep(most.mul_f64(rand::random_range(0.0..1.0))).await;
}

/// The error with its causes, in one line.
pub(crate) fn text<E, R>(error: &SdkError<E, R>) -> String
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
{
    DisplayErrorContext(error).to_string()
}

/// Whether the service throttles the client.
pub(crate) fn is_throttled<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    code.is_some_and(|code| {
        code.contains("Throughput") || code.contains("Throttl") || code.contains("LimitExceeded")
    })
}
