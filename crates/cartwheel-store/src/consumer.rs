//! Sessions follow the stream.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_events::Record;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sessions::Sessions;
use crate::store::StoreError;
use cartwheel_stream::Position;
use cartwheel_stream::{ReadError, Stream};

/// Records read at once.
const BATCH: usize = 1000;
/// What changed is written this often.
const FLUSH: Duration = Duration::from_millis(500);
/// New records are read this long after the first of them: the API has applied them
/// already, and many are read as fast as one.
const LINGER: Duration = Duration::from_millis(100);
/// After a failure to read or to write, the next try comes after this time.
const PAUSE: Duration = Duration::from_secs(1);
/// Stored sessions looked at for their age after each flush.
const SWEEP: usize = 200;

/// Why sessions no longer follow the stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// The sessions could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stream could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A part of the work ended by a fault of its own.
    #[error("a reader of the stream broke off")]
    Broken,
}

/// Replays each shard from its checkpoint, says that the sessions have caught up,
/// and follows the stream until `shutdown` ends; then applies what is left and
/// writes everything. `now_ms` gives UTC milliseconds, to forget old sessions.
///
/// # Errors
/// When the replay fails, or the store fails for good. A stream that cannot be
/// read for a while, or a failed write, is tried again.
pub async fn consume_sessions(
    stream: Arc<dyn Stream>,
    sessions: Arc<Sessions>,
    now_ms: fn() -> i64,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ConsumeError> {
    for shard in 0..stream.shards() {
        while read(&*stream, &sessions, shard).await? {}
    }
    flush(&sessions).await?;
    sessions.set_caught_up();

    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for shard in 0..stream.shards() {
        let (stream, sessions) = (Arc::clone(&stream), Arc::clone(&sessions));
        tasks.spawn(follow(stream, sessions, shard, stopped.clone()));
    }
    tasks.spawn(write_behind(Arc::clone(&sessions), now_ms, stopped));
    tokio::pin!(shutdown);
    let early = tokio::select! {
        () = &mut shutdown => None,
        ended = tasks.join_next() => ended,
    };
    let _ = stop.send(true);
    let mut result = early.map_or(Ok(()), |ended| ended.unwrap_or(Err(ConsumeError::Broken)));
    while let Some(ended) = tasks.join_next().await {
        result = result.and(ended.unwrap_or(Err(ConsumeError::Broken)));
    }
    result.and(flush(&sessions).await.map(drop).map_err(ConsumeError::from))
}

/// Applies the next records of a shard. Says whether there were any.
async fn read(stream: &dyn Stream, sessions: &Sessions, shard: u32) -> Result<bool, ConsumeError> {
    let from = sessions.checkpoint(shard)?;
    let batch = stream.read(shard, from, BATCH).await?;
    for (sequence, record) in &batch.records {
        if let Record::Event(event) = record {
            sessions.apply(Position { shard, sequence: *sequence }, event)?;
        }
    }
    if batch.next > from {
        sessions.advance(shard, batch.next);
    }
    Ok(batch.next > from)
}

async fn follow(
    stream: Arc<dyn Stream>,
    sessions: Arc<Sessions>,
    shard: u32,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ConsumeError> {
    loop {
        match read(&*stream, &sessions, shard).await {
            // At the end of the shard, once nothing more is put, everything is applied.
            Ok(false) if *stopped.borrow() => return Ok(()),
            Ok(false) => {
                let from = sessions.checkpoint(shard)?;
                let new = async {
                    stream.wait(shard, from).await;
                    tokio::time::sleep(LINGER).await;
                };
                tokio::select! {
                    () = new => {}
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            }
            Ok(true) => tokio::task::yield_now().await,
            Err(ConsumeError::Read(ReadError::Failed(error))) => {
                if *stopped.borrow() {
                    return Ok(());
                }
                tracing::warn!(shard, error, "a shard was not read");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn write_behind(
    sessions: Arc<Sessions>,
    now_ms: fn() -> i64,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ConsumeError> {
    let mut swept: Option<String> = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(FLUSH) => {}
            _ = stopped.wait_for(|stop| *stop) => return Ok(()),
        }
        let after = swept.take();
        let result = match flush(&sessions).await {
            // Only when something was written, so that an idle shop leaves the disk alone.
            Ok(0) => Ok(after),
            Ok(_) => {
                let sessions = Arc::clone(&sessions);
                let now_ms = now_ms();
                blocking(move || sessions.sweep(after.as_deref(), SWEEP, now_ms)).await
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(last) => swept = last,
            Err(error) => {
                tracing::warn!(%error, "sessions were not written; the next try follows");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn flush(sessions: &Arc<Sessions>) -> Result<usize, StoreError> {
    let sessions = Arc::clone(sessions);
    blocking(move || sessions.flush()).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Behind))
}
