//! From the stream to the lake, each record once.
//!
//! A delivery of a shard covers a range of sequence numbers. The range is written
//! down before its parts, and taken up again after a crash: the parts of a range
//! have the same names and the same content however often they are written, so
//! that a delivery repeated is a delivery once.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cartwheel_events::{EventRecord, Impression, Record};
use cartwheel_stream::{ReadError, Sequence, Stream};
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::manifest::{Lake, LakeError};
use crate::records::{self, Placed};

/// After a failure, the next try comes after this time.
const PAUSE: Duration = Duration::from_secs(1);
/// Files that a status names.
const SHOWN_FILES: usize = 200;
/// Records read at once.
const BATCH: usize = 4096;

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
    /// A part could not be made, or the checkpoint not be written.
    #[error("delivery: {0}")]
    Io(#[from] io::Error),
}

/// How far one shard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Progress {
    /// Everything before it is in the lake.
    next: Sequence,
    /// The delivery from `next` up to here has begun.
    planned: Option<Sequence>,
}

/// A file that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredFile {
    /// The shard.
    pub shard: u32,
    /// Sequence number of its first record, or of one before it.
    pub first: Sequence,
    /// Sequence number of its last record, or of one after it.
    pub last: Sequence,
    /// Its path in the lake.
    pub path: String,
}

/// How far delivery is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// By shard: everything before it is in the lake.
    pub next: Vec<Sequence>,
    /// Files written since the start.
    pub files: u64,
    /// When the last of them was written, UTC milliseconds.
    pub last_ms: Option<i64>,
    /// Why the last try failed; none after a success.
    pub error: Option<String>,
    /// The last files, the newest last.
    pub newest: VecDeque<DeliveredFile>,
}

/// Shows how far a delivery is. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct DeliveryStatus(Arc<Mutex<Delivered>>);

impl DeliveryStatus {
    /// How far it is now.
    pub fn now(&self) -> Delivered {
        self.shared().clone()
    }

    fn shared(&self) -> MutexGuard<'_, Delivered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The consumer that fills `events/` and `impressions/`.
pub struct Delivery {
    stream: Arc<dyn Stream>,
    store: Arc<dyn ObjectStore>,
    options: DeliveryOptions,
    checkpoint: PathBuf,
    progress: BTreeMap<u32, Progress>,
    /// Told after each delivery: the least number that is still needed.
    floor: Box<dyn Fn(Sequence) + Send + Sync>,
    status: DeliveryStatus,
}

impl Delivery {
    /// A delivery that goes on from the checkpoint in `checkpoint`. `floor` is told
    /// which sequence number it still needs, for the stream's retention.
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
        let bad = |e: io::Error| LakeError::file(checkpoint, e);
        let mut progress: BTreeMap<u32, Progress> = match std::fs::read(checkpoint) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| bad(e.into()))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(bad(e)),
        };
        for shard in 0..stream.shards() {
            progress.entry(shard).or_default();
        }
        let store = lake.store();
        let checkpoint = checkpoint.to_owned();
        let delivery = Self {
            stream,
            store,
            options,
            checkpoint,
            progress,
            floor: Box::new(floor),
            status: DeliveryStatus::default(),
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
                let delivered = self.deliver().await;
                self.status.shared().error = delivered.as_ref().err().map(ToString::to_string);
                match delivered {
                    Ok(()) if last => return Ok(()),
                    Ok(()) => {}
                    Err(error) if last => return Err(error),
                    Err(error) => {
                        tracing::error!(%error, "a delivery failed and is tried again");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                if !last {
                    self.pause(&mut stopped).await;
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

    /// Delivers all that the stream holds now.
    ///
    /// # Errors
    /// When the stream cannot be read or the lake not be written; what was not
    /// delivered is delivered next time.
    pub async fn deliver(&mut self) -> Result<(), DeliveryError> {
        for shard in 0..self.stream.shards() {
            while self.deliver_shard(shard).await? {}
        }
        Ok(())
    }

    /// One delivery of a shard. Says whether there may be more.
    async fn deliver_shard(&mut self, shard: u32) -> Result<bool, DeliveryError> {
        let Progress { next, planned } = self.progress.get(&shard).copied().unwrap_or_default();
        let most = if planned.is_some() { usize::MAX } else { self.options.max_records };
        let mut records: Vec<(Sequence, Record)> = Vec::new();
        let mut end = next;
        while records.len() < most && planned.is_none_or(|planned| end < planned) {
            let limit = BATCH.min(most - records.len());
            let batch = self.stream.read(shard, end, limit).await?;
            if batch.next == end {
                break;
            }
            records.extend(batch.records);
            end = batch.next;
        }
        if let Some(planned) = planned {
            records.retain(|(sequence, _)| *sequence < planned);
            end = planned;
        }
        if end == next {
            return Ok(false);
        }
        if !records.is_empty() {
            self.checkpoint(shard, Progress { next, planned: Some(end) })?;
            self.write(shard, next, end, &records).await?;
        }
        let moved = Progress { next: end, planned: None };
        if records.is_empty() {
            // Nothing of this shard: no need to sync that.
            self.progress.insert(shard, moved);
        } else {
            self.checkpoint(shard, moved)?;
        }
        self.tell();
        Ok(true)
    }

    /// Writes the parts of one range: by table and hour.
    async fn write(
        &self,
        shard: u32,
        first: Sequence,
        end: Sequence,
        records: &[(Sequence, Record)],
    ) -> Result<(), DeliveryError> {
        let mut events: BTreeMap<String, Vec<Placed<'_, EventRecord>>> = BTreeMap::new();
        let mut impressions: BTreeMap<String, Vec<Placed<'_, Impression>>> = BTreeMap::new();
        for (sequence, record) in records {
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
        let last = end.previous().unwrap_or_default();
        let name = format!("part-{shard:04}-{first:020}-{last:020}.parquet");
        let mut parts = Vec::new();
        for (hour, rows) in &events {
            parts.push((format!("events/{hour}/{name}"), records::events(rows)?));
        }
        for (hour, rows) in &impressions {
            parts.push((format!("impressions/{hour}/{name}"), records::impressions(rows)?));
        }
        for (key, bytes) in parts {
            self.store.put(&Key::from(key.as_str()), PutPayload::from_bytes(bytes)).await?;
            let mut shown = self.status.shared();
            shown.files += 1;
            shown.last_ms = Some(jiff::Timestamp::now().as_millisecond());
            if shown.newest.len() == SHOWN_FILES {
                shown.newest.pop_front();
            }
            shown.newest.push_back(DeliveredFile { shard, first, last, path: key });
        }
        tracing::debug!(shard, records = records.len(), "delivered");
        Ok(())
    }

    /// Writes a shard's progress down, durably, before it counts.
    fn checkpoint(&mut self, shard: u32, progress: Progress) -> io::Result<()> {
        let mut all = self.progress.clone();
        all.insert(shard, progress);
        let scratch = self.checkpoint.with_extension("new");
        let dir = self.checkpoint.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir)?;
        let mut file = std::fs::File::create(&scratch)?;
        file.write_all(&serde_json::to_vec(&all)?)?;
        file.sync_all()?;
        std::fs::rename(&scratch, &self.checkpoint)?;
        std::fs::File::open(dir)?.sync_all()?;
        self.progress = all;
        Ok(())
    }
}

/// The folder of an hour, UTC.
pub(crate) fn hour(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let time = time.to_zoned(jiff::tz::TimeZone::UTC);
    let (year, month, day, hour) = (time.year(), time.month(), time.day(), time.hour());
    format!("year={year:04}/month={month:02}/day={day:02}/hour={hour:02}")
}
