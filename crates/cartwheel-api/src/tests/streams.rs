//! A stream in memory, and streams that fail.

use std::sync::{Arc, Mutex};

use cartwheel_events::Record;
use cartwheel_store::Position;

use crate::put::{Puts, Stream};
use crate::{Kind, Problem};

pub(super) enum Faults {
    Throttled,
    Stopped,
    Hanging,
}

impl Stream for Faults {
    fn put(&self, records: Vec<Record>) -> Puts<'_> {
        Box::pin(async move {
            let kind = match self {
                Self::Throttled => Kind::Throttled,
                Self::Stopped => Kind::Unavailable,
                Self::Hanging => std::future::pending().await,
            };
            vec![Err(Problem::new(kind, "told to")); records.len()]
        })
    }
}

#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Vec<Record>>>);

impl Stream for Memory {
    fn put(&self, records: Vec<Record>) -> Puts<'_> {
        Box::pin(async move {
            let mut stored = self.0.lock().unwrap();
            let first = stored.len() as u64;
            stored.extend(records);
            let positions = first..stored.len() as u64;
            positions.map(|sequence| Ok(Position { shard: 1, sequence })).collect()
        })
    }
}

impl Memory {
    pub(super) fn all(&self) -> Vec<Record> {
        self.0.lock().unwrap().clone()
    }
}
