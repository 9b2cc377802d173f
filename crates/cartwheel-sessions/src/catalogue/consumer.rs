//! The consumer that keeps the live catalogue up to date with the stream.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_events::{ProductId, Record};
use cartwheel_stream::{Position, ReadError, Sequence, Stream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::catalogue::live::LiveCatalogue;
use crate::consumer::ConsumeError;
use crate::session_table::StoreError;

/// Most records of one read.
const BATCH: usize = 1000;
/// Changes of products are written this long after they are read.
const FLUSH: Duration = Duration::from_secs(2);
/// Without changes, checkpoints and counts are written this often.
const FLUSH_IDLE: Duration = Duration::from_secs(10);
/// New records are read this long after the first of them: the API has already applied
/// them, and reading many takes no longer than reading one.
const LINGER: Duration = Duration::from_millis(100);
/// Pause before the next try after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows the stream until `shutdown` ends; then it applies the remaining records and writes
/// everything. `is_known` tells which products the serving release knows by name, so that
/// events with others are counted. `floor` receives the sequence number from which the stream
/// has to retain records.
///
/// # Errors
/// When the stream has lost records, or when the remaining records cannot be applied and
/// written.
pub async fn consume_products(
    stream: Arc<dyn Stream>,
    catalogue: Arc<LiveCatalogue>,
    is_known: impl Fn(&ProductId) -> bool + Send + Sync,
    floor: impl Fn(Sequence) + Send + Sync,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ConsumeError> {
    let consumer = Consumer { stream, catalogue, is_known, floor };
    let (stop, stopped) = watch::channel(false);
    let follow = consumer.follow(stopped);
    tokio::pin!(follow);
    tokio::select! {
        result = &mut follow => return result,
        () = shutdown => {}
    }
    let _ = stop.send(true);
    follow.await
}

impl LiveCatalogue {
    /// Applies every record that the stream holds now, before the first request is answered.
    ///
    /// # Errors
    /// When the stream cannot be read or the file cannot be written.
    pub async fn catch_up(
        self: &Arc<Self>,
        stream: &Arc<dyn Stream>,
        is_known: impl Fn(&ProductId) -> bool + Send + Sync,
        floor: impl Fn(Sequence) + Send + Sync,
    ) -> Result<(), ConsumeError> {
        let (stream, catalogue) = (Arc::clone(stream), Arc::clone(self));
        let consumer = Consumer { stream, catalogue, is_known, floor };
        while consumer.read_all().await? {}
        Ok(consumer.flush().await?)
    }
}

struct Consumer<K, F> {
    stream: Arc<dyn Stream>,
    catalogue: Arc<LiveCatalogue>,
    is_known: K,
    floor: F,
}

impl<K: Fn(&ProductId) -> bool, F: Fn(Sequence)> Consumer<K, F> {
    async fn follow(&self, mut stopped: watch::Receiver<bool>) -> Result<(), ConsumeError> {
        let mut flushed = Instant::now();
        loop {
            let is_last = *stopped.borrow();
            match self.read_all().await {
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) if is_last => return Ok(self.flush().await?),
                Ok(false) => self.wait(&mut stopped, flushed).await,
                Err(ConsumeError::Read(ReadError::Failed(error))) if !is_last => {
                    tracing::warn!(error, "a shard could not be read; trying again");
                    pause(&mut stopped).await;
                }
                Err(error) => return Err(error),
            }
            if flushed.elapsed() >= self.interval() {
                if let Err(error) = self.flush().await {
                    tracing::warn!(%error, "products could not be written; trying again");
                    pause(&mut stopped).await;
                }
                flushed = Instant::now();
            }
        }
    }

    fn interval(&self) -> Duration {
        if self.catalogue.has_unwritten_listings() { FLUSH } else { FLUSH_IDLE }
    }

    /// Waits for a record, a stop, or the time of the next flush.
    async fn wait(&self, stopped: &mut watch::Receiver<bool>, flushed: Instant) {
        let next = |shard| self.stream.wait(shard, self.catalogue.checkpoint(shard));
        let mut waits: Vec<_> = (0..self.stream.shards()).map(next).collect();
        let any = std::future::poll_fn(|context| {
            let ready = waits.iter_mut().any(|wait| wait.as_mut().poll(context).is_ready());
            if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        });
        let new = async {
            any.await;
            tokio::time::sleep(LINGER).await;
        };
        tokio::select! {
            () = new => {}
            () = tokio::time::sleep_until(flushed + self.interval()) => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }

    /// Applies the next records of every shard. Returns whether there were any.
    async fn read_all(&self) -> Result<bool, ConsumeError> {
        let mut any = false;
        for shard in 0..self.stream.shards() {
            any |= self.read(shard).await?;
        }
        Ok(any)
    }

    async fn read(&self, shard: u32) -> Result<bool, ConsumeError> {
        let from = self.catalogue.checkpoint(shard);
        let batch = self.stream.read_without_impressions(shard, from, BATCH).await?;
        if batch.missed > 0 && from > Sequence::default() {
            let missed = batch.missed;
            tracing::error!(
                shard,
                missed,
                "the stream dropped records that the catalogue had not read"
            );
        }
        for (sequence, record) in &batch.records {
            match &**record {
                Record::Product(change) => {
                    self.catalogue.apply(Position { shard, sequence: *sequence }, change);
                }
                Record::Event(event) => self.catalogue.count(event, &self.is_known),
                Record::Impression(_) => {}
            }
        }
        if batch.next > from {
            self.catalogue.advance(shard, batch.next);
        }
        Ok(batch.next > from)
    }

    async fn flush(&self) -> Result<(), StoreError> {
        // What is applied now is written below.
        let shards = 0..self.stream.shards();
        let floor = shards.map(|shard| self.catalogue.checkpoint(shard)).min().unwrap_or_default();
        let catalogue = Arc::clone(&self.catalogue);
        let flush = tokio::task::spawn_blocking(move || catalogue.flush());
        flush.await.unwrap_or(Err(StoreError::Behind))?;
        (self.floor)(floor);
        Ok(())
    }
}

async fn pause(stopped: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(PAUSE) => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
}
