//! The consumer that delivers the stream to the lake.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_ambient::Clock;
use cartwheel_stream::{ReadError, Sequence, Stream};
use tokio::sync::watch;

use crate::delivery::backoff::backoff;
use crate::delivery::checkpoint::{Checkpoint, ShardProgress};
use crate::delivery::error::DeliveryError;
use crate::delivery::newest::newest_ranges;
use crate::delivery::range::Reading;
use crate::delivery::status::DeliveryStatus;
use crate::delivery::writer::{Encoders, PlannedRange, RangeWriter};
use crate::error::LakeError;
use crate::files::staged;
use crate::lake::Lake;

/// Maximum number of bytes of the records of one delivery, approximately.
const MAX_BYTES: usize = 64 << 20;
/// How often records are read that wait for their delivery. The stream keeps the newest ones
/// decoded, but a busy one not for long.
const READ_EVERY: Duration = Duration::from_millis(50);

/// When a delivery is due.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// Maximum number of records of one delivery of a shard. Once a shard has them, a delivery is due.
    pub max_records: usize,
    /// How long a delivery waits for more records after the first.
    pub max_age: Duration,
    /// The clock. It dates malformed records and the delivered files.
    pub clock: Clock,
}

/// The consumer that fills `events/`, `impressions/`, `catalogue/` and `errors/`.
pub struct Delivery {
    stream: Arc<dyn Stream>,
    pub(crate) options: DeliveryOptions,
    checkpoint: Checkpoint,
    /// Receives after each delivery the least sequence number that is not delivered.
    set_floor: Box<dyn Fn(Sequence) + Send + Sync>,
    status: DeliveryStatus,
    /// What is read of each shard for the next delivery.
    readings: Vec<Option<Reading>>,
    pub(crate) writer: RangeWriter,
    pub(crate) max_bytes: usize,
    pub(crate) backoff: fn(u32, u64) -> Duration,
}

impl Delivery {
    /// A delivery that continues from the file `checkpoint`, which need not exist. `set_floor`
    /// receives the least sequence number that it still needs, which the stream must retain.
    /// Staged files of an earlier process are removed. Where the checkpoint and the names of the
    /// lake's parts do not agree, the parts are believed.
    ///
    /// # Errors
    /// When the checkpoint is damaged or cannot be written, or the lake cannot be read.
    pub fn new(
        stream: Arc<dyn Stream>,
        lake: &Lake,
        options: DeliveryOptions,
        checkpoint: &Path,
        set_floor: impl Fn(Sequence) + Send + Sync + 'static,
    ) -> Result<Self, LakeError> {
        let opened = Checkpoint::open(checkpoint, stream.shards());
        let mut opened = opened.map_err(|e| LakeError::file(checkpoint, e))?;
        let newest = newest_ranges(lake, |staged| {
            tracing::info!(path = %staged.display(), "remove an incomplete file");
            staged::remove(staged)
        })?;
        let agreed = opened.agree(&newest, options.clock.now_ms());
        agreed.map_err(|e| LakeError::file(checkpoint, e))?;
        let status = DeliveryStatus::default();
        let delivery = Self {
            readings: (0..stream.shards()).map(|_| None).collect(),
            stream,
            checkpoint: opened,
            set_floor: Box::new(set_floor),
            status: status.clone(),
            writer: RangeWriter {
                lake: lake.clone(),
                clock: options.clock.clone(),
                status,
                encoders: Encoders::default(),
            },
            options,
            max_bytes: MAX_BYTES,
            backoff,
        };
        delivery.publish_progress();
        Ok(delivery)
    }

    /// The status of this delivery.
    pub fn status(&self) -> DeliveryStatus {
        self.status.clone()
    }

    fn publish_progress(&self) {
        self.status.lock().next = self.checkpoint.next().map(|(_, next)| next).collect();
        (self.set_floor)(self.checkpoint.floor());
    }

    /// Delivers by size and age until `shutdown` completes, and then delivers the rest.
    ///
    /// # Errors
    /// When the rest cannot be delivered. Earlier failures are retried.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), DeliveryError> {
        let (stop, stopped) = watch::channel(false);
        let work = async move {
            let mut stopped = stopped;
            loop {
                let is_last = *stopped.borrow();
                match self.deliver().await {
                    Ok(()) if is_last => return Ok(()),
                    Ok(()) => self.wait_until_due(&mut stopped).await,
                    Err(error) if is_last => return Err(error),
                    Err(error) => {
                        let failures = self.status.now().failures;
                        let salt = self.options.clock.now_ms() as u64;
                        let pause = (self.backoff)(failures, salt);
                        tracing::error!(
                            %error,
                            failures,
                            ?pause,
                            "a delivery failed and is retried"
                        );
                        tokio::select! {
                            () = tokio::time::sleep(pause) => {}
                            _ = stopped.wait_for(|stop| *stop) => {}
                        }
                    }
                }
            }
        };
        tokio::pin!(work);
        tokio::select! {
            result = &mut work => return result,
            () = shutdown => {}
        }
        let _ = stop.send(true);
        work.await
    }

    /// Waits for a record, and then until a delivery is due by age or size; meanwhile it reads what
    /// comes. A stop ends the wait, and so does an error, which the delivery will meet again.
    async fn wait_until_due(&mut self, stopped: &mut watch::Receiver<bool>) {
        tokio::select! {
            () = self.more() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        let max_age = self.options.max_age;
        let read = async {
            while matches!(self.read_on().await, Ok(false)) {
                tokio::time::sleep(READ_EVERY).await;
                self.more().await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(max_age) => {}
            () = read => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }

    /// Waits until a shard has a record that is not read.
    async fn more(&self) {
        let next = self.checkpoint.next().map(|(shard, next)| {
            let read = self.readings.get(shard as usize).and_then(Option::as_ref);
            (shard, read.map_or(next, |read| read.end().max(next)))
        });
        let mut waits: Vec<_> = next.map(|(shard, next)| self.stream.wait(shard, next)).collect();
        std::future::poll_fn(|context| {
            let ready = waits.iter_mut().any(|w| w.as_mut().poll(context).is_ready());
            if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }

    /// Reads what the shards hold by now. Returns whether that is enough for a delivery: a shard has
    /// its records, or all shards together have as many bytes as one may have.
    async fn read_on(&mut self) -> Result<bool, ReadError> {
        let stream = Arc::clone(&self.stream);
        let mut bytes = 0;
        for shard in 0..stream.shards() {
            let reading = self.reading(shard);
            let is_full = reading.go_on(&*stream).await?;
            bytes += reading.bytes();
            if is_full || bytes >= self.max_bytes {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is read of a shard for its next delivery.
    fn reading(&mut self, shard: u32) -> &mut Reading {
        let ShardProgress { next, planned, .. } = self.checkpoint.shard(shard);
        let wanted = (next, planned);
        let reading = &mut self.readings[shard as usize];
        reading.take_if(|reading| !reading.continues(wanted));
        let new = || Reading::new(shard, wanted, self.options.max_records.max(1), self.max_bytes);
        reading.get_or_insert_with(new)
    }

    /// Delivers all records that the stream holds now. A failing shard does not delay the
    /// others.
    ///
    /// # Errors
    /// When the stream cannot be read or the lake cannot be written. The next call delivers the
    /// rest.
    pub async fn deliver(&mut self) -> Result<(), DeliveryError> {
        let mut result = Ok(());
        for shard in 0..self.stream.shards() {
            loop {
                match self.deliver_range(shard).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        result = result.and(Err(error));
                        break;
                    }
                }
            }
        }
        let mut status = self.status.lock();
        status.error = result.as_ref().err().map(ToString::to_string);
        status.failures = if result.is_ok() { 0 } else { status.failures.saturating_add(1) };
        drop(status);
        result
    }

    /// Delivers one range of a shard. Returns false if it took all records that the shard held: those
    /// that come meanwhile wait for the next delivery.
    async fn deliver_range(&mut self, shard: u32) -> Result<bool, DeliveryError> {
        let before = self.checkpoint.shard(shard);
        let next = before.next;
        let stream = Arc::clone(&self.stream);
        let is_full = self.reading(shard).go_on(&*stream).await?;
        let range = self.readings[shard as usize].take().map(Reading::into_range);
        let range = range.unwrap_or_default();
        if range.end == next {
            return Ok(false);
        }
        let (end, missed) = (range.end, range.missed);
        let delivered = before.after(end);
        if range.is_empty() && before.planned.is_none() {
            // Nothing was written, so this progress need not be durable.
            self.checkpoint.advance(shard, delivered);
            self.count_missed(shard, before, missed);
        } else {
            let mut plan = before;
            if plan.planned.is_none() {
                let planned_at_ms = Some(self.options.clock.now_ms());
                plan = ShardProgress { planned: Some(end), planned_at_ms, ..before };
                self.checkpoint.save(shard, plan)?;
                self.count_missed(shard, before, missed);
            }
            let is_repeated = before.planned.is_some() || next < before.seen;
            let planned = PlannedRange { shard, plan, range, is_repeated };
            let rejected = self.writer.write(planned).await?;
            self.checkpoint.save(shard, delivered)?;
            self.status.lock().rejected += rejected;
        }
        self.publish_progress();
        Ok(is_full)
    }

    /// Counts numbers that the stream no longer has. Of those that earlier processes have delivered,
    /// an erasure may have left no part.
    fn count_missed(&self, shard: u32, progress: ShardProgress, missed: u64) {
        let from = progress.next;
        let number = |sequence: Sequence| sequence.as_u64().unwrap_or(0);
        let missed = missed.saturating_sub(number(progress.seen).saturating_sub(number(from)));
        if missed > 0 {
            tracing::error!(
                shard,
                %from,
                missed,
                "the stream's retention removed records before they were delivered"
            );
            self.status.lock().missed += missed;
        }
    }
}
