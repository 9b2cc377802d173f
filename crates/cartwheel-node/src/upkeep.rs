//! Upkeep of the data directory: compaction, erasure, and export of a user's data.
//!
//! An erased user disappears from recommendations at once. The files follow in two steps.
//! Once all of the user's records are delivered, the next compaction removes them from the
//! lake, the stream and the session files. Feature sets with the user are removed once a
//! feature set serves whose build began after that. A file holds each erasure's step, so a
//! crash only repeats work.

mod export;
mod feature_sets;
mod replay;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::future::Future;
use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use cartwheel_ambient::Clock;
use cartwheel_api::{ErasureStep, ErasureView};
use cartwheel_engine::{Erased, ServingEngine};
use cartwheel_events::{EventRecord, Record, UserId};
use cartwheel_lake::{
    CompactionOptions, CompactionProgress, CompactionSummary, Compactor, DeliveryStatus, Erasure,
    ErasureError, ErasureResult, Erasures, Lake, PendingErasure, Ties, bury,
};
use cartwheel_sessions::Sessions;
use cartwheel_stream::{Log, Stream, shard_of};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::backup::snapshot;
use crate::data_dir::{DataDir, salt};
use cartwheel_settings as settings;

/// How often pending erasures are checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// Longest pause between checks after failures.
const MAX_PAUSE: Duration = Duration::from_secs(300);
/// A century: the period of a timer that is switched off.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// Most rows of each table in an export.
const MAX_ROWS: usize = 100_000;
/// Records of the stream in one read.
const BATCH: usize = 1000;

/// The next step of pending erasures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// No erasure is pending.
    Nothing,
    /// Check whether feature sets can be removed.
    Features,
    /// Compact: all records of an erased user are delivered.
    Lake,
}

/// Maintains the files of a data directory whose stream this process has open.
pub struct Upkeep {
    data_dir: DataDir,
    lake: Lake,
    log: Arc<Log>,
    sessions: Arc<Sessions>,
    engine: Option<Arc<ServingEngine>>,
    delivery: DeliveryStatus,
    compactor: Compactor,
    erasures: Mutex<Erasures>,
    /// Erased users of the serving feature set that no other file holds.
    held: Mutex<Vec<String>>,
    /// Notified of each new erasure.
    requested: Notify,
    /// Held while an earlier answer is made again.
    replaying: Mutex<()>,
}

impl Upkeep {
    /// Opens the upkeep of `data_dir` and hides users with a pending erasure from `engine`,
    /// if there is one.
    ///
    /// # Errors
    /// When the lake or the list of erasures cannot be opened.
    pub fn open(
        data_dir: &DataDir,
        settings: &settings::Lake,
        log: Arc<Log>,
        sessions: Arc<Sessions>,
        engine: Option<Arc<ServingEngine>>,
        delivery: DeliveryStatus,
    ) -> Result<Self> {
        let lake = Lake::open(&data_dir.lake())?;
        let usual = CompactionOptions::default();
        let options = CompactionOptions {
            grace: Duration::from_secs(settings.grace_seconds),
            // Without a server there are no new parts to wait for.
            max_parts: if engine.is_some() { usual.max_parts } else { 1 },
            ..usual
        };
        let erasures = Erasures::open(&data_dir.erasures())?;
        let upkeep = Self {
            data_dir: data_dir.clone(),
            compactor: Compactor::new(&lake, options),
            lake,
            log,
            sessions,
            engine,
            delivery,
            erasures: Mutex::new(erasures),
            held: Mutex::default(),
            requested: Notify::new(),
            replaying: Mutex::default(),
        };
        upkeep.hide()?;
        Ok(upkeep)
    }

    /// How far records are delivered.
    pub(crate) fn delivery(&self) -> DeliveryStatus {
        self.delivery.clone()
    }

    fn erasures(&self) -> MutexGuard<'_, Erasures> {
        self.erasures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hides users with a pending erasure from the engine and the sessions.
    fn hide(&self) -> Result<()> {
        let all = self.erasures().pending();
        for pending in &all {
            let PendingErasure { erasure, cleaned, .. } = pending;
            let user_id = UserId::new(&erasure.user_id)?;
            if let Some(engine) = &self.engine {
                engine.hide(user_id.clone(), cleaned.map_or(Erased::InLake, Erased::BeforeErasure));
            }
            if cleaned.is_none() && !self.is_hidden(&user_id, pending)? {
                self.sessions.erase(&user_id, erasure.before, erasure.erased_at_ms)?;
                self.erasures().mark_hidden(std::slice::from_ref(erasure))?;
            }
        }
        Ok(())
    }

    /// Whether the user's session holds what came since the erasure and nothing of before. Erasing it
    /// again would lose that: the stream is replayed from the checkpoint only. A session that ends
    /// before the erasure may be of a backup that is older than the list. A session tells its erasure,
    /// too: the list does not if it could not be written then.
    fn is_hidden(&self, user_id: &UserId, pending: &PendingErasure) -> Result<bool> {
        let PendingErasure { erasure, hidden, .. } = pending;
        let session = self.sessions.session(user_id, erasure.erased_at_ms)?;
        Ok(session.is_some_and(|session| {
            let is_erased = *hidden || session.erased_ms == Some(erasure.erased_at_ms);
            is_erased && session.next_sequence > erasure.before
        }))
    }

    /// Erases a user with all guests that were tied to the user: once this returns, they are
    /// hidden and the rest of the erasure is recorded. A guest that was tied to several users is
    /// erased as a whole.
    ///
    /// # Errors
    /// When the erasure cannot be recorded.
    pub async fn erase(&self, user_id: &UserId) -> Result<ErasureView> {
        let mut shoppers = vec![user_id.clone()];
        let _turns = loop {
            let turns = self.sessions.lock_all(&shoppers).await;
            let ties = self.ties(user_id).await?;
            let guests = ties.guests(user_id.as_str()).into_iter().map(UserId::new);
            let found: Vec<UserId> =
                iter::once(Ok(user_id.clone())).chain(guests).collect::<Result<_, _>>()?;
            if found == shoppers {
                break turns;
            }
            shoppers = found;
        };
        let (before, erased_at_ms) = (self.log.stat().next.into(), Clock::system().now_ms());
        let of = |user: &UserId| Erasure { user_id: user.to_string(), before, erased_at_ms };
        let erasures: Vec<Erasure> = shoppers.iter().map(of).collect();
        bury(&self.data_dir.erased(), &erasures, salt)?;
        let added = self.erasures().add(&erasures);
        if let Err(full @ ErasureError::Full) = added {
            return Err(full.into());
        }
        // A file whose write failed may have the erasures. The sessions forget the shoppers in either
        // case: the next start would, together with what comes until then.
        let mut done = added.map_err(anyhow::Error::from);
        for shopper in &shoppers {
            if let Some(engine) = &self.engine {
                engine.hide(shopper.clone(), Erased::InLake);
            }
            let erased = self.sessions.erase(shopper, before, erased_at_ms);
            done = done.and(erased.map_err(Into::into));
        }
        done?;
        self.erasures().mark_hidden(&erasures)?;
        self.requested.notify_one();
        Ok(ErasureView {
            user_id: user_id.to_string(),
            erased_at_ms,
            step: ErasureStep::Lake,
            unreadable: Vec::new(),
        })
    }

    /// The ties of guests to users in the lake, and those of a user that are not delivered yet.
    async fn ties(&self, user_id: &UserId) -> Result<Ties> {
        // A record that is delivered meanwhile is read twice, which changes nothing.
        let waiting = self.undelivered(user_id).await?;
        let lake = self.lake.clone();
        let read = move || {
            let mut problems = Vec::new();
            lake.ties(&mut problems).map(|ties| (ties, problems))
        };
        let (mut ties, problems) = tokio::task::spawn_blocking(read).await??;
        for problem in problems {
            tracing::warn!(problem, "a file that may tie guests to a user cannot be read");
        }
        for record in &waiting {
            if let Record::Event(EventRecord {
                anonymous_id: Some(guest), received_at_ms, ..
            }) = record
            {
                ties.add(guest, *received_at_ms, user_id.as_str());
            }
        }
        ties.sort();
        Ok(ties)
    }

    /// The records of a user in the stream that are not delivered yet, at most `MAX_ROWS`.
    async fn undelivered(&self, user_id: &UserId) -> Result<Vec<Record>> {
        let shard = shard_of(user_id.as_str(), self.log.shards());
        let delivered = self.delivery.now().next;
        let mut next = delivered.get(shard as usize).copied().unwrap_or_default();
        let mut waiting = Vec::new();
        while waiting.len() < MAX_ROWS {
            let batch = self.log.read(shard, next, BATCH).await?;
            let own = batch.records.iter().filter(|(_, record)| record.user_id() == Some(user_id));
            waiting.extend(own.map(|(_, record)| Record::clone(record)));
            if batch.next == next {
                break;
            }
            next = batch.next;
        }
        Ok(waiting)
    }

    /// Pending erasures, by user id.
    pub fn pending(&self) -> Vec<ErasureView> {
        let pending = self.erasures().pending();
        pending.iter().map(view).collect()
    }

    /// Whether the serving feature set holds a user whose erasure was requested `after` ago.
    pub(crate) fn is_overdue(&self, after: Duration) -> bool {
        let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let due_ms = Clock::system().now_ms().saturating_sub(after_ms);
        let pending = self.erasures().pending();
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |p: &PendingErasure| p.erasure.erased_at_ms <= due_ms;
        pending.iter().any(|p| is_due(p) && held.contains(&p.erasure.user_id))
    }

    /// Compacts the lake and advances erasures as far as possible. Blocks.
    ///
    /// # Errors
    /// When a file cannot be read or written; the next call continues.
    pub fn run(&self, progress: &mut dyn FnMut(CompactionProgress)) -> Result<CompactionSummary> {
        let Some(_turn) = self.turn()? else {
            let problem = "a backup needs the files; the next compaction removes them".to_owned();
            return Ok(CompactionSummary { problems: vec![problem], ..Default::default() });
        };
        // A backup that was killed leaves copies of sessions.
        snapshot::remove(&self.data_dir)?;
        let now_ms = Clock::system().now_ms();
        let pending = self.erasures().pending();
        // What could not be read before is tried again; stream and sessions are done.
        let again: Vec<String> = pending
            .iter()
            .filter(|pending| pending.cleaned.is_some())
            .map(|pending| pending.erasure.user_id.clone())
            .collect();
        let uncleaned: Vec<Erasure> = pending
            .into_iter()
            .filter(|pending| pending.cleaned.is_none() || !pending.unreadable.is_empty())
            .map(|pending| pending.erasure)
            .collect();
        let delivered = self.delivery.now().next;
        let compacted = self.compactor.compact(now_ms, &delivered, &uncleaned, progress)?;
        for problem in &compacted.problems {
            tracing::warn!(problem, "compaction is incomplete");
        }
        let applied = self.sessions.floor(self.log.shards())?;
        let gone = compacted.erasures.iter().filter(|e| e.complete && e.erasure.before <= applied);
        let gone: Vec<&ErasureResult> = gone.collect();
        let fresh = gone.iter().map(|result| &result.erasure);
        let fresh: Vec<&Erasure> = fresh.filter(|one| !again.contains(&one.user_id)).collect();
        let of = |erasure: &&Erasure| erasure.before.as_u64().unwrap_or(u64::MAX);
        let users = fresh.iter().map(|erasure| (erasure.user_id.as_str(), of(erasure)));
        self.log.erase(users).context("the stream")?;
        if !fresh.is_empty() {
            self.sessions.purge(now_ms)?;
        }
        for ErasureResult { erasure, unreadable, .. } in gone {
            let cleaned = self.erasures().mark_cleaned(erasure, unreadable)?;
            if let (Some(engine), Some(cleaned)) = (&self.engine, cleaned) {
                engine.hide(UserId::new(&erasure.user_id)?, Erased::BeforeErasure(cleaned));
            }
        }
        self.drop_feature_sets()?;
        Ok(compacted)
    }

    /// Keeps backups from beginning while this process removes files. `None` while one needs
    /// them.
    fn turn(&self) -> Result<Option<File>> {
        let file = File::create(self.data_dir.upkeep_lock()).context("upkeep.lock")?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).context("upkeep.lock"),
        }
    }

    /// The next step that pending erasures can take.
    fn due(&self) -> Due {
        let pending = self.erasures().pending();
        let delivered = self.delivery.now().next;
        let delivered = |erasure: &Erasure| delivered.iter().all(|next| erasure.before <= *next);
        match pending.is_empty() {
            true => Due::Nothing,
            false if pending.iter().any(|p| p.cleaned.is_none() && delivered(&p.erasure)) => {
                Due::Lake
            }
            false => Due::Features,
        }
    }

    /// Compacts at the interval `every` (`None` switches it off) and advances erasures when
    /// they can continue, until `shutdown` ends. A compaction that is running then ends after the
    /// file at which it is.
    pub async fn follow(
        self: Arc<Self>,
        every: Option<Duration>,
        shutdown: impl Future<Output = ()>,
    ) {
        tokio::pin!(shutdown);
        let mut compaction = tokio::time::interval(every.unwrap_or(NEVER));
        compaction.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Skips the first tick, which is immediate: startup has more urgent work.
        compaction.reset();
        let mut pause = CHECK_INTERVAL;
        loop {
            let erasure = async {
                let rest = if self.due() == Due::Nothing { NEVER } else { pause };
                tokio::select! {
                    () = tokio::time::sleep(rest) => {}
                    () = self.requested.notified() => tokio::time::sleep(CHECK_INTERVAL).await,
                }
            };
            let due = tokio::select! {
                _ = compaction.tick() => Due::Lake,
                () = erasure => self.due(),
                () = &mut shutdown => return,
            };
            let upkeep = Arc::clone(&self);
            let work = move || match due {
                Due::Nothing => Ok(CompactionSummary::default()),
                Due::Features => match upkeep.turn()? {
                    Some(_turn) => upkeep.drop_feature_sets().map(|()| Default::default()),
                    None => Ok(CompactionSummary::default()),
                },
                Due::Lake => upkeep.run(&mut |_| ()),
            };
            let mut work = tokio::task::spawn_blocking(work);
            let done = tokio::select! {
                done = &mut work => done,
                () = &mut shutdown => {
                    self.compactor.stop();
                    let _ = work.await;
                    return;
                }
            };
            match done.map_err(anyhow::Error::from).and_then(|done| done) {
                Ok(done) if done.rows + done.removed > 0 => tracing::info!(?done, "compacted"),
                Ok(_) => {}
                Err(error) => tracing::error!(error = format!("{error:#}"), "compaction failed"),
            }
            // An unreadable file blocks an erasure: retries become less frequent.
            let held_up = due == Due::Lake && self.due() == Due::Lake;
            pause = if held_up { (pause * 2).min(MAX_PAUSE) } else { CHECK_INTERVAL };
        }
    }
}

fn view(PendingErasure { erasure, cleaned, unreadable, .. }: &PendingErasure) -> ErasureView {
    let step = if cleaned.is_none() { ErasureStep::Lake } else { ErasureStep::Features };
    ErasureView {
        user_id: erasure.user_id.clone(),
        erased_at_ms: erasure.erased_at_ms,
        step,
        unreadable: unreadable.clone(),
    }
}
