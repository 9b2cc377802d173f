//! Putting records into the stream.

use std::future::Future;
use std::pin::Pin;

use cartwheel_events::Record;
use cartwheel_store::Position;

use crate::problem::Problem;

/// One result per record, in the order of the records.
pub type Puts<'a> = Pin<Box<dyn Future<Output = Vec<Result<Position, Problem>>> + Send + 'a>>;

/// Where records go.
pub trait Stream: Send + Sync {
    /// Stores the records; those with a position are durable.
    fn put(&self, records: Vec<Record>) -> Puts<'_>;
}

/// Stores the records, where there are any.
pub(crate) async fn put(
    stream: &dyn Stream,
    records: Vec<Record>,
) -> Vec<Result<Position, Problem>> {
    if records.is_empty() { Vec::new() } else { stream.put(records).await }
}
