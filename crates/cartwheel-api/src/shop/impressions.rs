//! Records impressions in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cartwheel_events::{Impression, Record};
use cartwheel_stream::Stream;
use tokio::sync::Semaphore;

use crate::shop::put::put;
use crate::telemetry::IMPRESSIONS_DROPPED;

/// Stores a bounded number of impressions at once.
#[derive(Clone)]
pub(crate) struct Impressions {
    stream: Arc<dyn Stream>,
    places: Arc<Semaphore>,
    in_flight: u32,
    dropped: Arc<AtomicU64>,
}

impl Impressions {
    /// Stores at most `in_flight` impressions at once.
    pub(crate) fn new(stream: Arc<dyn Stream>, in_flight: usize) -> Self {
        let in_flight = u32::try_from(in_flight).unwrap_or(u32::MAX);
        let places = Arc::new(Semaphore::new(in_flight as usize));
        Self { stream, places, in_flight, dropped: Arc::default() }
    }

    /// Stores the impression in the background, or drops and counts it.
    pub(crate) fn put(&self, impression: Impression) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            drop_one(&self.dropped);
            return;
        };
        let (stream, dropped) = (Arc::clone(&self.stream), Arc::clone(&self.dropped));
        tokio::spawn(async move {
            let results = put(&*stream, vec![Record::Impression(impression)]).await;
            if !results.iter().all(Result::is_ok) {
                drop_one(&dropped);
            }
            drop(place);
        });
    }

    /// The number of impressions that were not stored.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until every impression is stored or dropped.
    pub(crate) async fn settle(&self) {
        // The semaphore is never closed.
        let _ = self.places.acquire_many(self.in_flight).await;
    }

    /// The number of further impressions that can be stored now.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.places.available_permits()
    }
}

fn drop_one(dropped: &AtomicU64) {
    dropped.fetch_add(1, Ordering::Relaxed);
    metrics::counter!(IMPRESSIONS_DROPPED).increment(1);
}
