//! Counts what shoppers turn to now, from the stream.

use std::sync::Arc;
use std::time::Duration;

use cartwheel_engine::Trends;
use cartwheel_events::Record;
use cartwheel_stream::{ReadError, Sequence, Stream};

/// Most records of one read.
const BATCH: usize = 1_000;
/// New records are read this long after the first of them: counts need not be newer, and
/// reading many takes no longer than reading one.
const LINGER: Duration = Duration::from_millis(500);

/// Counts every event that the stream keeps, and then those that come. Runs until dropped.
///
/// # Errors
/// When a shard cannot be read. Another call counts from the beginning.
pub(crate) async fn follow(stream: Arc<dyn Stream>, trends: Trends) -> Result<(), ReadError> {
    trends.clear();
    let shards = (0..stream.shards()).map(|shard| follow_shard(&*stream, shard, &trends));
    futures::future::try_join_all(shards).await.map(drop)
}

async fn follow_shard(stream: &dyn Stream, shard: u32, trends: &Trends) -> Result<(), ReadError> {
    let mut from = Sequence::default();
    loop {
        let batch = stream.read(shard, from, BATCH).await?;
        for (_, record) in &batch.records {
            if let Record::Event(event) = record {
                trends.add(event);
            }
        }
        if batch.next > from {
            from = batch.next;
            // The replay may be long, and requests come first.
            tokio::task::yield_now().await;
        } else {
            stream.wait(shard, from).await;
            tokio::time::sleep(LINGER).await;
        }
    }
}
