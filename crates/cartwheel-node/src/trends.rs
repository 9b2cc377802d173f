//! Counts what shoppers turn to, from the stream, and keeps the counts in a file.
//!
//! The counts reach back over weeks, longer than the stream keeps records. They are stored with the
//! positions up to which the stream is counted, so that a server that was killed continues there.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cartwheel_engine::Trends;
use cartwheel_stream::{ReadError, Stream};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Most records of one read.
const BATCH: usize = 1_000;
/// New records are read this long after the first of them: counts need not be newer, and
/// reading many takes no longer than reading one.
const LINGER: Duration = Duration::from_millis(500);
/// Shortest time from one writing of the file to the next. A server that is killed reads as much of
/// the stream again.
const STORE_EVERY: Duration = Duration::from_secs(10);

/// Counts the events of a stream.
pub(crate) struct TrendCounter {
    stream: Arc<dyn Stream>,
    trends: Trends,
    /// Locked by whoever writes the file.
    file: Arc<Mutex<PathBuf>>,
    /// Something has been counted that is not in the file.
    changed: Notify,
}

impl TrendCounter {
    /// Continues with the counts in the file at `path`. Without a valid one, it counts what the stream
    /// still has.
    pub(crate) fn open(stream: Arc<dyn Stream>, trends: Trends, path: PathBuf) -> Self {
        let restored = std::fs::read(&path).map(|bytes| trends.restore(unsealed(&bytes)));
        match restored {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, path = %path.display(), "trends are counted again");
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, path = %path.display(), "cannot read trends"),
        }
        let file = Arc::new(Mutex::new(path));
        Self { stream, trends, file, changed: Notify::new() }
    }

    /// Counts new events until `stopped`.
    ///
    /// # Errors
    /// When a shard cannot be read. Another call continues where this one ended.
    pub(crate) async fn follow(&self, stopped: impl Future<Output = ()>) -> Result<()> {
        let ended = tokio::select! {
            () = stopped => Ok(()),
            ended = self.count() => ended,
            () = self.keep() => Ok(()),
        };
        if let Err(ReadError::Beyond { .. }) = ended {
            // The file belongs to another stream, or the stream has lost records.
            self.trends.clear();
        }
        self.store().await;
        Ok(ended?)
    }

    async fn count(&self) -> Result<(), ReadError> {
        let shards = (0..self.stream.shards()).map(|shard| self.count_shard(shard));
        futures::future::try_join_all(shards).await.map(drop)
    }

    async fn count_shard(&self, shard: u32) -> Result<(), ReadError> {
        loop {
            let from = self.trends.counted(shard);
            let batch = self.stream.read(shard, from, BATCH).await?;
            if batch.next > from {
                self.trends.count(shard, &batch.records, batch.next);
                self.changed.notify_one();
                // The replay may be long, and requests come first.
                tokio::task::yield_now().await;
            } else {
                self.stream.wait(shard, from).await;
                tokio::time::sleep(LINGER).await;
            }
        }
    }

    /// Stores the counts from time to time.
    async fn keep(&self) {
        loop {
            self.changed.notified().await;
            self.store().await;
            tokio::time::sleep(STORE_EVERY).await;
        }
    }

    /// Writes the file. The counts in memory do not depend on it, so that a full disk is only
    /// reported.
    async fn store(&self) {
        let (trends, file) = (self.trends.clone(), self.file.clone());
        let write = move || cartwheel_files::replace(&file.lock(), &sealed(trends.stored()));
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot store trends"),
            Err(error) => tracing::warn!(%error, "cannot store trends"),
        }
    }
}

/// The mark at the end of a file with a checksum. Files of earlier releases have none.
const SEAL: &[u8; 4] = b"CRC1";

/// Adds the CRC32C of the content, little-endian, and the mark.
fn sealed(mut content: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&content);
    content.extend_from_slice(&crc.to_le_bytes());
    content.extend_from_slice(SEAL);
    content
}

/// The content of a file; nothing, which counts as damaged, if it does not have its checksum.
fn unsealed(file: &[u8]) -> &[u8] {
    let Some(marked) = file.strip_suffix(SEAL) else { return file };
    match marked.split_last_chunk() {
        Some((content, crc)) if crc32c::crc32c(content).to_le_bytes() == *crc => content,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use cartwheel_engine::{Engine as _, Filters, Opened, ServingEngine, Trend};
    use cartwheel_events::{Event, EventRecord, ProductId, ProductRecord, Record};
    use cartwheel_sessions::LiveCatalogue;
    use cartwheel_settings::Settings;
    use cartwheel_stream::{Log, Position, Sequence};
    use serde_json::json;

    use super::*;
    use crate::log_options;

    const NOW_MS: i64 = 1_780_000_000_000;

    /// One start of a server over a stream.
    struct Start {
        log: Arc<Log>,
        engine: ServingEngine,
        counter: Arc<TrendCounter>,
    }

    impl Start {
        fn begin(dir: &Path) -> Self {
            let log = Log::open(&dir.join("stream"), log_options(&Settings::default().stream));
            Self::over(Arc::new(log.unwrap()), dir)
        }

        fn over(log: Arc<Log>, dir: &Path) -> Self {
            let live = LiveCatalogue::in_memory();
            for (id, at) in ["a", "b"].iter().zip(0_u64..) {
                let record = ProductRecord {
                    schema_version: 1,
                    product_id: ProductId::new(id).unwrap(),
                    product: Some(json!({"product_id": id, "name": id})),
                    received_at_ms: NOW_MS,
                };
                live.apply(Position { shard: 0, sequence: Sequence::from(at + 1) }, &record);
            }
            let engine = ServingEngine::new(Opened::nothing("UTC").unwrap());
            let engine = engine.with_catalogue(Arc::new(live), false);
            let path = dir.join("trends.bin");
            let counter = Arc::new(TrendCounter::open(log.clone(), engine.trends(), path));
            Self { log, engine, counter }
        }

        async fn views(&self, product: &str, count: usize) {
            let view = |n: usize| {
                let body = json!({"user_id": n, "event": "view", "product_ids": [product]});
                let event = Event::from_json(&body).unwrap();
                Record::Event(EventRecord::new(event, format!("{product}{n}"), NOW_MS))
            };
            let stored = self.log.put((0..count).map(view).collect()).await;
            assert!(stored.iter().all(Result::is_ok), "{stored:?}");
        }

        /// Counts everything that is in the stream, without storing it at the end.
        async fn count(&self) {
            let counter = self.counter.clone();
            let ends: Vec<(u32, Sequence)> = self.ends().await;
            let caught_up = async {
                while !ends.iter().all(|&(shard, end)| counter.trends.counted(shard) >= end) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                ended = counter.count() => ended.unwrap(),
                () = caught_up => {}
            }
        }

        async fn ends(&self) -> Vec<(u32, Sequence)> {
            let mut ends = Vec::new();
            for shard in 0..self.log.shards() {
                let batch = self.log.read(shard, Sequence::default(), 10_000).await.unwrap();
                ends.push((shard, batch.next));
            }
            ends
        }

        fn trending(&self) -> Vec<(String, f32)> {
            let found = self.engine.trending(Trend::default(), 10, &Filters::default(), NOW_MS + 1);
            found.into_iter().map(|item| (item.product_id.to_string(), item.probability)).collect()
        }
    }

    #[tokio::test]
    async fn a_killed_server_continues_where_its_file_ends_and_counts_nothing_twice() {
        let dir = tempfile::tempdir().unwrap();
        let first = Start::begin(dir.path());
        first.views("a", 7).await;
        first.count().await;
        first.counter.store().await;
        // These are counted, but not in the file.
        first.views("b", 4).await;
        first.count().await;
        let before = first.trending();
        first.log.close();
        drop(first);

        let second = Start::begin(dir.path());
        assert_eq!(second.trending()[0].0, "a", "from the file alone");
        second.count().await;
        assert_eq!(second.trending(), before);
        second.views("b", 4).await;
        second.count().await;
        assert_eq!(second.trending()[0].0, "b", "8 views against 7");
        second.log.close();
        drop(second);

        // A damaged file is no reason not to start.
        std::fs::write(dir.path().join("trends.bin"), b"\x01damaged").unwrap();
        let third = Start::begin(dir.path());
        third.count().await;
        assert_eq!(third.trending()[0].0, "b");
    }

    #[tokio::test]
    async fn a_flipped_bit_in_the_file_is_noticed_or_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trends.bin");
        let first = Start::begin(dir.path());
        first.views("a", 7).await;
        first.count().await;
        first.counter.store().await;
        let (whole, before) = (std::fs::read(&path).unwrap(), first.trending());
        let mut noticed = 0;
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &flipped).unwrap();
            let again = Start::over(first.log.clone(), dir.path());
            let trending = again.trending();
            let is_empty = trending.iter().all(|(_, score)| *score == 0.0);
            assert!(is_empty || trending == before, "bit {bit}: {trending:?}");
            noticed += usize::from(is_empty);
        }
        assert!(noticed > whole.len() * 6, "{noticed} of {} noticed", whole.len() * 8);
    }

    #[tokio::test]
    async fn the_file_of_another_stream_is_not_counted_with() {
        let dir = tempfile::tempdir().unwrap();
        let first = Start::begin(dir.path());
        first.views("a", 7).await;
        first.count().await;
        first.counter.store().await;
        first.log.close();
        drop(first);
        std::fs::remove_dir_all(dir.path().join("stream")).unwrap();
        let second = Start::begin(dir.path());
        let lost = second.counter.follow(std::future::pending()).await;
        assert!(lost.is_err(), "the task is restarted");
        second.views("b", 1).await;
        second.count().await;
        assert_eq!(second.trending()[0].0, "b");
    }
}
