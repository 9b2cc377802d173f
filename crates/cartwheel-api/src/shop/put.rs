//! Puts records into the stream and turns its errors into problems.

use cartwheel_events::Record;
use cartwheel_stream::{Position, PutError, Stream};

use crate::http::problem::{Kind, Problem};

/// Stores records and returns one result each, in their order.
pub(crate) async fn put(
    stream: &dyn Stream,
    records: Vec<Record>,
) -> Vec<Result<Position, Problem>> {
    if records.is_empty() {
        return Vec::new();
    }
    let results = stream.put(records).await;
    results.into_iter().map(|result| result.map_err(problem)).collect()
}

/// The problem of a record that was not stored.
pub(crate) fn problem(error: PutError) -> Problem {
    match error {
        PutError::Throttled => {
            Problem::new(Kind::Throttled, "The stream accepts no more events at the moment.")
        }
        PutError::Stopped => Problem::new(Kind::Unavailable, "The server is stopping."),
        PutError::TooLarge => {
            Problem::new(Kind::PayloadTooLarge, "The event is larger than the stream accepts.")
        }
        error => {
            // The stream logs the cause once; every request would repeat it.
            tracing::debug!(%error, "records were not stored");
            Problem::new(Kind::Unavailable, "The event cannot be stored at the moment.")
        }
    }
}
