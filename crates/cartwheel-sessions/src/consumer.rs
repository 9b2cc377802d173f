//! Sessions follow the stream.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_events::Record;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sessions::Sessions;
use crate::store::StoreError;
use cartwheel_stream::{Position, ReadError, Sequence, Stream};

/// Records read at once.
const BATCH: usize = 1000;
/// What changed is written this often, and sooner where it is much.
const FLUSH: Duration = Duration::from_secs(2);
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
/// writes everything. `now_ms` gives UTC milliseconds, to forget old sessions;
/// `floor` is told which sequence number is still needed, for the stream's retention.
///
/// When the store or the stream fails, sessions are not ready; what is in memory is
/// forgotten and the stream replayed again, until that succeeds.
///
/// # Errors
/// When what is left cannot be applied and written.
pub async fn consume_sessions(
    stream: Arc<dyn Stream>,
    sessions: Arc<Sessions>,
    now_ms: fn() -> i64,
    floor: impl Fn(Sequence) + Send + Sync + 'static,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ConsumeError> {
    let floor: Floor = Arc::new(floor);
    tokio::pin!(shutdown);
    loop {
        // Nobody may be between a put and its apply while records are applied here.
        let turns = sessions.lock_everybody().await;
        sessions.begin_anew();
        let replayed = tokio::select! {
            biased;
            replayed = replay(&*stream, &sessions, &floor) => replayed,
            () = &mut shutdown => return Ok(()),
        };
        let failed = match replayed {
            Ok(()) => {
                sessions.set_caught_up();
                drop(turns);
                let stop = async { (&mut shutdown).await };
                match follow_all(&stream, &sessions, now_ms, &floor, stop).await {
                    Ended::Stopped(result) => return result,
                    Ended::Failed(error) => error,
                }
            }
            Err(error) => {
                drop(turns);
                error
            }
        };
        tracing::error!(error = %failed, "sessions are behind the stream, and replay it");
        tokio::select! {
            biased;
            () = &mut shutdown => return Err(failed),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

type Floor = Arc<dyn Fn(Sequence) + Send + Sync>;

/// How following the stream ended.
enum Ended {
    /// By the shutdown.
    Stopped(Result<(), ConsumeError>),
    Failed(ConsumeError),
}

async fn replay(
    stream: &dyn Stream,
    sessions: &Arc<Sessions>,
    floor: &Floor,
) -> Result<(), ConsumeError> {
    floor(sessions.floor(stream.shards())?);
    for shard in 0..stream.shards() {
        while read(stream, sessions, shard).await? {}
    }
    flush(sessions).await?;
    Ok(())
}

async fn follow_all(
    stream: &Arc<dyn Stream>,
    sessions: &Arc<Sessions>,
    now_ms: fn() -> i64,
    floor: &Floor,
    shutdown: impl Future<Output = ()>,
) -> Ended {
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let shards = stream.shards();
    for shard in 0..shards {
        let (stream, sessions) = (Arc::clone(stream), Arc::clone(sessions));
        tasks.spawn(follow(stream, sessions, shard, stopped.clone()));
    }
    let written = (Arc::clone(sessions), shards, Arc::clone(floor));
    tasks.spawn(write_behind(written, now_ms, stopped));
    tokio::pin!(shutdown);
    let early = tokio::select! {
        () = &mut shutdown => None,
        ended = tasks.join_next() => ended,
    };
    if early.is_some() {
        sessions.set_failed();
    }
    let _ = stop.send(true);
    let is_early = early.is_some();
    let mut result = early.map_or(Ok(()), |ended| ended.unwrap_or(Err(ConsumeError::Broken)));
    while let Some(ended) = tasks.join_next().await {
        result = result.and(ended.unwrap_or(Err(ConsumeError::Broken)));
    }
    match result {
        Err(error) if is_early => Ended::Failed(error),
        Ok(()) if is_early => Ended::Failed(ConsumeError::Broken),
        result => {
            Ended::Stopped(result.and(flush(sessions).await.map(drop).map_err(ConsumeError::from)))
        }
    }
}

/// Applies the next records of a shard. Says whether there were any.
async fn read(stream: &dyn Stream, sessions: &Sessions, shard: u32) -> Result<bool, ConsumeError> {
    let from = sessions.checkpoint(shard)?;
    let batch = stream.read(shard, from, BATCH).await?;
    if batch.missed > 0 {
        let missed = batch.missed;
        tracing::error!(shard, missed, "the stream no longer holds what sessions had to read");
    }
    for rejected in &batch.rejected {
        // Delivery keeps it, with the reason.
        let (sequence, reason) = (rejected.sequence, &rejected.reason);
        tracing::warn!(shard, %sequence, reason, "sessions pass over what is no record");
    }
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
    (sessions, shards, floor): (Arc<Sessions>, u32, Floor),
    now_ms: fn() -> i64,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ConsumeError> {
    let mut swept: Option<String> = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(FLUSH) => {}
            () = sessions.pressed() => {}
            _ = stopped.wait_for(|stop| *stop) => return Ok(()),
        }
        let after = swept.take();
        let flushed = flush(&sessions).await;
        if flushed.as_ref().is_ok_and(|written| *written > 0)
            && let Ok(next) = sessions.floor(shards)
        {
            floor(next);
        }
        let result = match flushed {
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
