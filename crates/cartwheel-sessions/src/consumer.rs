//! The consumer that keeps sessions up to date with the stream.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_ambient::Clock;
use cartwheel_events::Record;
use cartwheel_stream::{Position, ReadError, Sequence, Stream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::imports::add_imports;
use crate::session_table::StoreError;
use crate::sessions::Sessions;

/// Most records of one read.
const BATCH: usize = 1000;
/// Changes are written this often, and sooner when there are many.
const FLUSH: Duration = Duration::from_secs(2);
/// New records are read this long after the first of them: the API has already applied
/// them, and reading many takes no longer than reading one.
const LINGER: Duration = Duration::from_millis(100);
/// New imports are looked for this often.
const IMPORTS: Duration = Duration::from_secs(2);
/// Pause before the next try after a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// Stored sessions whose age is checked after each flush.
const SWEEP: usize = 200;

/// Why sessions no longer follow the stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// The sessions could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stream could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A task of the consumer ended on its own or panicked.
    #[error("a task of the session consumer ended unexpectedly")]
    Broken,
}

/// Replays each shard from its checkpoint, adds the recent events of new imports, marks the
/// sessions as caught up, and follows the stream and the imports until `shutdown` ends. Then it
/// applies the remaining records and writes everything. `clock` decides which sessions have expired. `floor` receives the sequence number from
/// which the stream has to retain records.
///
/// When the store or the stream fails, the sessions are not ready. The consumer then forgets
/// what is in memory and replays the stream, until that succeeds.
///
/// # Errors
/// When the remaining records cannot be applied and written.
pub async fn consume_sessions(
    stream: Arc<dyn Stream>,
    sessions: Arc<Sessions>,
    clock: Clock,
    floor: impl Fn(Sequence) + Send + Sync + 'static,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ConsumeError> {
    let consumer = Consumer { stream, sessions, clock, floor: Arc::new(floor) };
    tokio::pin!(shutdown);
    loop {
        // While records are applied here, no request may be between put and apply.
        let locks = consumer.sessions.lock_everyone().await;
        consumer.sessions.reset();
        let replayed = tokio::select! {
            biased;
            replayed = consumer.replay() => replayed,
            () = &mut shutdown => return Ok(()),
        };
        let failed = match replayed {
            Ok(()) => {
                consumer.sessions.set_caught_up();
                drop(locks);
                match consumer.follow_all(async { (&mut shutdown).await }).await {
                    End::Shutdown(result) => return result,
                    End::Failure(error) => error,
                }
            }
            Err(error) => {
                drop(locks);
                error
            }
        };
        tracing::error!(error = %failed, "sessions are behind the stream; replaying it");
        tokio::select! {
            biased;
            () = &mut shutdown => return Err(failed),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Why following the stream ended.
enum End {
    /// A shutdown; the result is that of the remaining work.
    Shutdown(Result<(), ConsumeError>),
    Failure(ConsumeError),
}

/// The parts that all tasks of the consumer share.
#[derive(Clone)]
struct Consumer {
    stream: Arc<dyn Stream>,
    sessions: Arc<Sessions>,
    clock: Clock,
    floor: Arc<dyn Fn(Sequence) + Send + Sync>,
}

impl Consumer {
    async fn replay(&self) -> Result<(), ConsumeError> {
        let shards = self.stream.shards();
        (self.floor)(self.sessions.floor(shards)?);
        for shard in 0..shards {
            while self.read(shard).await? {}
        }
        self.flush().await?;
        self.add_imports(true).await;
        Ok(())
    }

    /// Adds new imports. One that cannot be read or written stops nothing: it is tried again.
    async fn add_imports(&self, is_locked: bool) {
        if let Err(error) = add_imports(&self.sessions, &self.clock, is_locked).await {
            tracing::warn!(%error, "an import is not in the sessions yet; trying again");
        }
    }

    /// Adds imports as they come.
    async fn follow_imports(self, mut stopped: watch::Receiver<bool>) -> Result<(), ConsumeError> {
        let adding = async {
            loop {
                tokio::time::sleep(IMPORTS).await;
                self.add_imports(false).await;
            }
        };
        tokio::select! {
            () = adding => Ok(()),
            // An import that is not added whole is added again at the next start.
            _ = stopped.wait_for(|stop| *stop) => Ok(()),
        }
    }

    /// Follows every shard and writes behind, until `shutdown` ends or a task fails.
    async fn follow_all(&self, shutdown: impl Future<Output = ()>) -> End {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for shard in 0..self.stream.shards() {
            tasks.spawn(self.clone().follow(shard, stopped.clone()));
        }
        tasks.spawn(self.clone().follow_imports(stopped.clone()));
        tasks.spawn(self.clone().write_behind(stopped));
        tokio::pin!(shutdown);
        let early = tokio::select! {
            () = &mut shutdown => None,
            ended = tasks.join_next() => ended,
        };
        if early.is_some() {
            self.sessions.set_failed();
        }
        let _ = stop.send(true);
        let is_early = early.is_some();
        let mut result = early.map_or(Ok(()), |ended| ended.unwrap_or(Err(ConsumeError::Broken)));
        while let Some(ended) = tasks.join_next().await {
            result = result.and(ended.unwrap_or(Err(ConsumeError::Broken)));
        }
        match result {
            Err(error) if is_early => End::Failure(error),
            Ok(()) if is_early => End::Failure(ConsumeError::Broken),
            result => {
                let flushed = self.flush().await.map(drop).map_err(ConsumeError::from);
                End::Shutdown(result.and(flushed))
            }
        }
    }

    /// Applies the next records of a shard. Returns whether there were any.
    async fn read(&self, shard: u32) -> Result<bool, ConsumeError> {
        let from = self.sessions.checkpoint(shard)?;
        let batch = self.stream.read_without_impressions(shard, from, BATCH).await?;
        if batch.missed > 0 {
            let missed = batch.missed;
            tracing::error!(shard, missed, "the stream dropped records that sessions had not read");
        }
        for rejected in &batch.rejected {
            // Delivery stores the malformed record with the reason.
            let (sequence, reason) = (rejected.sequence, &rejected.reason);
            tracing::warn!(shard, %sequence, reason, "sessions skip a malformed record");
        }
        for (sequence, record) in &batch.records {
            if let Record::Event(event) = &**record {
                self.sessions.apply(Position { shard, sequence: *sequence }, event)?;
            }
        }
        if batch.next > from {
            self.sessions.advance(shard, batch.next);
        }
        Ok(batch.next > from)
    }

    /// Applies the records of a shard as they come.
    async fn follow(
        self,
        shard: u32,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<(), ConsumeError> {
        loop {
            match self.read(shard).await {
                // Nothing more is put: at the end of the shard, everything is applied.
                Ok(false) if *stopped.borrow() => return Ok(()),
                Ok(false) => {
                    let from = self.sessions.checkpoint(shard)?;
                    let new = async {
                        self.stream.wait(shard, from).await;
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
                    tracing::warn!(shard, error, "a shard could not be read; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes changes now and then, and removes expired sessions from the table.
    async fn write_behind(self, mut stopped: watch::Receiver<bool>) -> Result<(), ConsumeError> {
        let mut swept: Option<String> = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(FLUSH) => {}
                () = self.sessions.flush_due() => {}
                _ = stopped.wait_for(|stop| *stop) => return Ok(()),
            }
            let after = swept.take();
            let flushed = self.flush().await;
            if flushed.as_ref().is_ok_and(|written| *written > 0)
                && let Ok(next) = self.sessions.floor(self.stream.shards())
            {
                (self.floor)(next);
            }
            let result = match flushed {
                // A sweep follows a write only, so that an idle shop leaves the disk alone.
                Ok(0) => Ok(after),
                Ok(_) => {
                    let sessions = Arc::clone(&self.sessions);
                    let now_ms = self.clock.now_ms();
                    blocking(move || sessions.sweep(after.as_deref(), SWEEP, now_ms)).await
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(last) => swept = last,
                Err(error) => {
                    tracing::warn!(%error, "sessions could not be written; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn flush(&self) -> Result<usize, StoreError> {
        let sessions = Arc::clone(&self.sessions);
        blocking(move || sessions.flush()).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Behind))
}
