//! Streams that fail.

use cartwheel_events::Record;
use cartwheel_stream::{Batch, Pending, Position, PutError, ReadError, Sequence, Stream};

/// How the stream treats every record.
pub(super) enum Faults {
    Throttled,
    Stopped,
    TooLarge,
    Failed,
    Hanging,
}

impl Stream for Faults {
    fn shards(&self) -> u32 {
        1
    }

    fn put(&self, records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>> {
        Box::pin(async move {
            let error = match self {
                Self::Throttled => PutError::Throttled,
                Self::Stopped => PutError::Stopped,
                Self::TooLarge => PutError::TooLarge,
                Self::Failed => PutError::Failed("disk".into()),
                Self::Hanging => std::future::pending().await,
            };
            vec![Err(error); records.len()]
        })
    }

    fn read(&self, _: u32, next: Sequence, _: usize) -> Pending<'_, Result<Batch, ReadError>> {
        Box::pin(async move { Ok(Batch { next, ..Batch::default() }) })
    }

    fn wait(&self, _: u32, _: Sequence) -> Pending<'_, ()> {
        Box::pin(std::future::pending())
    }
}
