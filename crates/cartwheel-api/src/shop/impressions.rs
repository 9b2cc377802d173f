//! Records impressions in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cartwheel_events::{Impression, Record};
use cartwheel_stream::Stream;
use tokio::sync::Semaphore;

use crate::shop::put::put;
use crate::telemetry::IMPRESSIONS_DROPPED;

/// Stores the impressions of a bounded number of answers at once.
#[derive(Clone)]
pub(crate) struct Impressions {
    stream: Arc<dyn Stream>,
    places: Arc<Semaphore>,
    in_flight: u32,
    dropped: Arc<AtomicU64>,
}

impl Impressions {
    /// Stores the impressions of at most `in_flight` answers at once.
    pub(crate) fn new(stream: Arc<dyn Stream>, in_flight: usize) -> Self {
        let in_flight = u32::try_from(in_flight).unwrap_or(u32::MAX);
        let places = Arc::new(Semaphore::new(in_flight as usize));
        Self { stream, places, in_flight, dropped: Arc::default() }
    }

    /// Stores the impressions of an answer in the background, or drops and counts them.
    pub(crate) fn put(&self, impressions: Vec<Impression>) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            count_dropped(&self.dropped, impressions.len());
            return;
        };
        let (stream, dropped) = (Arc::clone(&self.stream), Arc::clone(&self.dropped));
        tokio::spawn(async move {
            let records = impressions.into_iter().map(Record::Impression).collect();
            let results = put(&*stream, records).await;
            let failed = results.iter().filter(|result| result.is_err()).count();
            if failed > 0 {
                count_dropped(&dropped, failed);
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
