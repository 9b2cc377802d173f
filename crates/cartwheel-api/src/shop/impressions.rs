//! Records impressions in the background, those of several answers together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cartwheel_events::{Impression, Record};
use cartwheel_stream::Stream;
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::shop::put::put;
use crate::telemetry::IMPRESSIONS_DROPPED;

/// How long the first impressions of a group wait for more. Nobody waits for them, and a sync for each
/// answer would take a good part of the time of the answer itself.
const LINGER: Duration = Duration::from_millis(20);
/// Answers whose impressions wait no longer.
const GROUP: u32 = 128;

/// Stores the impressions of a bounded number of answers at once.
#[derive(Clone)]
pub(crate) struct Impressions {
    stream: Arc<dyn Stream>,
    places: Arc<Semaphore>,
    in_flight: u32,
    waiting: Arc<Mutex<Vec<Waiting>>>,
    /// Notified when no more should wait.
    due: Arc<Notify>,
    dropped: Arc<AtomicU64>,
}

/// The impressions of an answer, and its place.
type Waiting = (Vec<Impression>, OwnedSemaphorePermit);

impl Impressions {
    /// Stores the impressions of at most `in_flight` answers at once.
    pub(crate) fn new(stream: Arc<dyn Stream>, in_flight: usize) -> Self {
        let in_flight = u32::try_from(in_flight).unwrap_or(u32::MAX);
        let places = Arc::new(Semaphore::new(in_flight as usize));
        let (waiting, due, dropped) = (Arc::default(), Arc::default(), Arc::default());
        Self { stream, places, in_flight, waiting, due, dropped }
    }

    /// Stores the impressions of an answer in the background, or drops and counts them.
    pub(crate) fn put(&self, impressions: Vec<Impression>) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            count_dropped(&self.dropped, impressions.len());
            return;
        };
        let mut waiting = self.waiting.lock();
        waiting.push((impressions, place));
        let count = waiting.len();
        drop(waiting);
        if count == 1 {
            tokio::spawn(self.clone().store());
        }
        // Those that wait may not take the places of many others.
        if count == GROUP.min(self.in_flight / 4).max(1) as usize {
            self.due.notify_one();
        }
    }

    /// Stores what waits once it is due.
    async fn store(self) {
        // At the end of the time or before, it is due.
        let _ = tokio::time::timeout(LINGER, self.due.notified()).await;
        let group = std::mem::take(&mut *self.waiting.lock());
        let (impressions, places): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let records = impressions.into_iter().flatten().map(Record::Impression).collect();
        let results = put(&*self.stream, records).await;
        let failed = results.iter().filter(|result| result.is_err()).count();
        if failed > 0 {
            count_dropped(&self.dropped, failed);
        }
        drop(places);
    }

    /// The number of impressions that were not stored.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until every impression is stored or dropped.
    pub(crate) async fn settle(&self) {
        self.due.notify_one();
        // The semaphore is never closed.
        let _ = self.places.acquire_many(self.in_flight).await;
    }

    /// The number of further answers whose impressions can be stored now.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.places.available_permits()
    }
}

fn count_dropped(dropped: &AtomicU64, count: usize) {
    let count = count as u64;
    dropped.fetch_add(count, Ordering::Relaxed);
    metrics::counter!(IMPRESSIONS_DROPPED).increment(count);
}

#[cfg(test)]
mod tests {
    use cartwheel_events::{SCHEMA_VERSION, UserId};
    use cartwheel_stream::{Batch, Pending, Position, PutError, ReadError, Sequence};

    use super::*;

    /// Notes how many records each put has.
    #[derive(Default)]
    struct Puts(Mutex<Vec<usize>>);

    impl Stream for Puts {
        fn shards(&self) -> u32 {
            1
        }

        fn put(&self, records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>> {
            self.0.lock().push(records.len());
            let position = Position { shard: 0, sequence: Sequence::default() };
            Box::pin(std::future::ready(vec![Ok(position); records.len()]))
        }

        fn read(&self, _: u32, next: Sequence, _: usize) -> Pending<'_, Result<Batch, ReadError>> {
            Box::pin(std::future::ready(Ok(Batch { next, ..Batch::default() })))
        }

        fn wait(&self, _: u32, _: Sequence) -> Pending<'_, ()> {
            Box::pin(std::future::pending())
        }
    }

    fn impression() -> Impression {
        serde_json::from_value(serde_json::json!({
            "schema_version": SCHEMA_VERSION,
            "recommendation_id": "r",
            "user_id": UserId::new("u").unwrap(),
            "release": "",
            "cart": [],
            "shown": [],
            "received_at_ms": 0,
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn impressions_of_answers_that_come_together_are_one_put() {
        let stream = Arc::new(Puts::default());
        let impressions = Impressions::new(stream.clone(), 1024);
        for lists in 1..=3 {
            impressions.put(vec![impression(); lists]);
        }
        impressions.settle().await;
        assert_eq!(*stream.0.lock(), [6]);
        // Nobody has to ask.
        impressions.put(vec![impression()]);
        while impressions.free() < 1024 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!((&**stream.0.lock(), impressions.dropped()), (&[6, 1][..], 0));
    }
}
