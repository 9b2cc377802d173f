//! From the stream to the lake, each record once.
//!
//! A delivery of a shard covers a range of sequence numbers. The range is written
//! down before its parts, and taken up again after a crash: the parts of a range
//! have the same names and the same content however often they are written, so
//! that a delivery repeated is a delivery once.
//!
//! What is no record, and what no part can be built of, goes to `errors/` with its
//! reason, and the shard moves on. A lake that cannot be written is no such reason:
//! the range is tried again until it can.

mod poison;
mod range;
mod status;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cartwheel_events::{EventRecord, Impression, Record};
use cartwheel_stream::{ReadError, Sequence, Stream};
use object_store::path::Path as Key;
use object_store::{ObjectStore, PutMode, PutOptions, PutPayload};
use tokio::sync::watch;

use crate::manifest::{Lake, LakeError};
use crate::parts::{self, PartName, hour};
use crate::records::{self, Placed};
use poison::Poison;
use range::Range;
pub(crate) use status::write;
pub use status::{Delivered, DeliveredFile, DeliveryStatus};
use status::{Progress, read};

/// After a first failure, the next try comes after this time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// And after many, after this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Most bytes of the records of one delivery, about.
const MAX_BYTES: usize = 64 << 20;
/// Tables that delivery writes.
pub(crate) const TABLES: [&str; 3] = ["events", "impressions", "errors"];

/// When a delivery is due.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// Most records of one delivery of a shard.
    pub max_records: usize,
    /// Longest time that a record waits.
    pub max_age: Duration,
}

/// Why records were not delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The stream could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The lake could not be written.
    #[error("delivery: {0}")]
    Store(#[from] object_store::Error),
    /// The checkpoint could not be written.
    #[error("delivery: {0}")]
    Io(#[from] io::Error),
}

type Encode<T> = for<'a, 'b> fn(&'a [Placed<'b, T>]) -> io::Result<Bytes>;

/// How records become parts.
#[derive(Clone, Copy)]
pub(crate) struct Encoders {
    pub events: Encode<EventRecord>,
    pub impressions: Encode<Impression>,
}

/// The consumer that fills `events/`, `impressions/` and `errors/`.
pub struct Delivery {
    stream: Arc<dyn Stream>,
    lake: Lake,
    options: DeliveryOptions,
    checkpoint: PathBuf,
    progress: BTreeMap<u32, Progress>,
    /// Told after each delivery: the least number that is still needed.
    floor: Box<dyn Fn(Sequence) + Send + Sync>,
    status: DeliveryStatus,
    pub(crate) max_bytes: usize,
    pub(crate) encoders: Encoders,
    pub(crate) now_ms: fn() -> i64,
    pub(crate) pause: fn(u32, u64) -> Duration,
}

impl Delivery {
    /// A delivery that goes on from the checkpoint in `checkpoint`. `floor` is told
    /// which sequence number it still needs, for the stream's retention. What an
    /// earlier one left half written is removed.
    ///
    /// # Errors
    /// When the checkpoint exists and is damaged, or the lake cannot be opened.
    pub fn new(
        stream: Arc<dyn Stream>,
        lake: &Lake,
        options: DeliveryOptions,
        checkpoint: &Path,
        floor: impl Fn(Sequence) + Send + Sync + 'static,
    ) -> Result<Self, LakeError> {
        let mut progress = read(checkpoint).map_err(|e| LakeError::file(checkpoint, e))?;
        for shard in 0..stream.shards() {
            progress.entry(shard).or_default();
        }
        for table in TABLES {
            let swept = parts::sweep(&lake.dir().join(table))?;
            if swept > 0 {
                tracing::info!(table, swept, "removed files that were left half written");
            }
        }
        let delivery = Self {
            stream,
            lake: lake.clone(),
            options,
            checkpoint: checkpoint.to_owned(),
            progress,
            floor: Box::new(floor),
            status: DeliveryStatus::default(),
            max_bytes: MAX_BYTES,
            encoders: Encoders { events: records::events, impressions: records::impressions },
            now_ms: || jiff::Timestamp::now().as_millisecond(),
            pause: pause_after,
        };
        delivery.tell();
        Ok(delivery)
    }

    /// Shows how far this delivery is.
    pub fn status(&self) -> DeliveryStatus {
        self.status.clone()
    }

    fn tell(&self) {
        self.status.shared().next = self.progress.values().map(|p| p.next).collect();
        (self.floor)(self.progress.values().map(|p| p.next).min().unwrap_or_default());
    }

    /// Delivers by size and age until `shutdown` ends, then delivers what is left.
    ///
    /// # Errors
    /// When what is left cannot be delivered. Failures before are tried again.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), DeliveryError> {
        let (stop, stopped) = watch::channel(false);
        let work = async move {
            let mut stopped = stopped;
            loop {
                let last = *stopped.borrow();
                match self.deliver().await {
                    Ok(()) if last => return Ok(()),
                    Ok(()) => self.pause(&mut stopped).await,
                    Err(error) if last => return Err(error),
                    Err(error) => {
                        let failures = self.status.now().failures;
                        let salt = (self.now_ms)() as u64;
                        let pause = (self.pause)(failures, salt);
                        tracing::error!(%error, failures, ?pause, "a delivery failed and is tried again");
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

    /// Waits until a delivery is due: for the age of what comes next, or the stop.
    async fn pause(&self, stopped: &mut watch::Receiver<bool>) {
        let next = self.progress.iter().map(|(&shard, p)| (shard, p.next));
        let mut waits: Vec<_> = next.map(|(shard, next)| self.stream.wait(shard, next)).collect();
        let any = std::future::poll_fn(|context| {
            let ready = waits.iter_mut().any(|w| w.as_mut().poll(context).is_ready());
            if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        });
        tokio::select! {
            () = any => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(self.options.max_age) => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }

    /// Delivers all that the stream holds now. A shard that fails does not hold up the
    /// others.
    ///
    /// # Errors
    /// When the stream cannot be read or the lake not be written; what was not
    /// delivered is delivered next time.
    pub async fn deliver(&mut self) -> Result<(), DeliveryError> {
        let mut result = Ok(());
        for shard in 0..self.stream.shards() {
            loop {
                match self.deliver_shard(shard).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        result = result.and(Err(error));
                        break;
                    }
                }
            }
        }
        let mut shown = self.status.shared();
        shown.error = result.as_ref().err().map(ToString::to_string);
        shown.failures = if result.is_ok() { 0 } else { shown.failures.saturating_add(1) };
        drop(shown);
        result
    }

    /// One delivery of a shard. Says whether there may be more.
    async fn deliver_shard(&mut self, shard: u32) -> Result<bool, DeliveryError> {
        let before = self.progress.get(&shard).copied().unwrap_or_default();
        let next = before.next;
        let range = match before.planned {
            Some(end) => range::planned(&*self.stream, shard, next, end).await?,
            None => {
                let most = self.options.max_records.max(1);
                range::next(&*self.stream, shard, next, most, self.max_bytes).await?
            }
        };
        if range.end == next {
            return Ok(false);
        }
        let (end, missed) = (range.end, range.missed);
        let moved = Progress { next: end, ..Progress::default() };
        if range.is_empty() && before.planned.is_none() {
            // Nothing of this shard: no need to sync that.
            self.progress.insert(shard, moved);
            self.count_missed(shard, next, missed);
        } else {
            let mut plan = before;
            if plan.planned.is_none() {
                plan = Progress { next, planned: Some(end), planned_at_ms: Some((self.now_ms)()) };
                self.checkpoint(shard, plan)?;
                self.count_missed(shard, next, missed);
            }
            let is_repeated = before.planned.is_some();
            let rejected = self.write(shard, plan, range, is_repeated).await?;
            self.checkpoint(shard, moved)?;
            self.status.shared().rejected += rejected;
        }
        self.tell();
        Ok(true)
    }

    fn count_missed(&self, shard: u32, from: Sequence, missed: u64) {
        if missed > 0 {
            tracing::error!(
                shard,
                %from,
                missed,
                "the stream's retention took records away before they were delivered"
            );
            self.status.shared().missed += missed;
        }
    }

    /// Writes the parts of one range, by table and hour, and says how many records went
    /// to `errors/`.
    async fn write(
        &self,
        shard: u32,
        plan: Progress,
        range: Range,
        is_repeated: bool,
    ) -> Result<u64, DeliveryError> {
        let mut events: BTreeMap<String, Vec<Placed<'_, EventRecord>>> = BTreeMap::new();
        let mut impressions: BTreeMap<String, Vec<Placed<'_, Impression>>> = BTreeMap::new();
        for (sequence, record) in &range.records {
            match record {
                Record::Event(event) => events
                    .entry(hour(event.received_at_ms))
                    .or_default()
                    .push((shard, *sequence, event)),
                Record::Impression(shown) => impressions
                    .entry(hour(shown.received_at_ms))
                    .or_default()
                    .push((shard, *sequence, shown)),
            }
        }
        let last = range.end.previous().unwrap_or_default();
        let name = PartName { shard, first: plan.next, last };
        let parquet = name.file("parquet");
        let mut poison: Vec<Poison> = range.rejected.into_iter().map(Poison::from).collect();
        let mut parts = Vec::new();
        for (hour, rows) in &events {
            let built = poison::build(rows, self.encoders.events);
            parts.extend(built.part.map(|part| (format!("events/{hour}/{parquet}"), part)));
            poison.extend(built.poison.into_iter().map(
                |((_, sequence, event), reason, attempts)| {
                    let data = Record::Event(event.clone()).to_vec();
                    Poison { sequence, reason, attempts, data }
                },
            ));
        }
        for (hour, rows) in &impressions {
            let built = poison::build(rows, self.encoders.impressions);
            parts.extend(built.part.map(|part| (format!("impressions/{hour}/{parquet}"), part)));
            poison.extend(built.poison.into_iter().map(
                |((_, sequence, shown), reason, attempts)| {
                    let data = Record::Impression(shown.clone()).to_vec();
                    Poison { sequence, reason, attempts, data }
                },
            ));
        }
        poison.sort_by_key(|poison| poison.sequence);
        for Poison { sequence, reason, .. } in &poison {
            tracing::error!(shard, %sequence, reason, "a record goes to errors/");
        }
        if !poison.is_empty() {
            // What is no record has no time: the plan's is the same at every repeat.
            let hour = hour(plan.planned_at_ms.unwrap_or_default());
            let key = format!("errors/{hour}/{}", name.file("ndjson"));
            parts.push((key, poison::lines(shard, &poison)?));
        }
        for (key, bytes) in parts {
            self.put(&key, bytes, is_repeated, range.missed).await?;
            let file = DeliveredFile { shard, first: name.first, last: name.last, path: key };
            self.status.add(file, (self.now_ms)());
        }
        tracing::debug!(shard, records = range.records.len(), "delivered");
        Ok(poison.len() as u64)
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        is_repeated: bool,
        missed: u64,
    ) -> Result<(), DeliveryError> {
        // The first try had more records than are there now: what it wrote stays.
        let keeps = is_repeated && missed > 0;
        let mode = if keeps { PutMode::Create } else { PutMode::Overwrite };
        let payload = PutPayload::from_bytes(bytes);
        let put =
            self.lake.store().put_opts(&Key::from(key), payload, PutOptions::from(mode)).await;
        match put {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if is_repeated {
            self.lake.sync_folders(Path::new(key))?;
        }
        Ok(())
    }

    /// Writes a shard's progress down, durably, before it counts.
    fn checkpoint(&mut self, shard: u32, progress: Progress) -> io::Result<()> {
        let mut all = self.progress.clone();
        all.insert(shard, progress);
        write(&self.checkpoint, &all)?;
        self.progress = all;
        Ok(())
    }
}

/// The pause after that many failures in a row: it doubles, up to a minute, and up to
/// half of it is left out by chance, so that many do not try again all at once.
pub(crate) fn pause_after(failures: u32, salt: u64) -> Duration {
    let longest = FIRST_PAUSE * 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
    // An odd constant spreads the salt over all bits (Knuth's multiplicative hash).
    let share = (salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1_u64 << 53) as f64;
    longest.min(LONGEST_PAUSE).mul_f64(1.0 - share / 2.0)
}
