//! Keeping what is stored in order: compaction, erasure, and what is stored of one user.
//!
//! An erased user is gone from answers at once. The rest follows in two steps: stream, lake
//! and sessions' files with the next compaction, once all of the user's records are
//! delivered; feature sets once one serves that was begun after that. Which step a user is
//! at is kept in a file, so that a crash only has the work done again.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use cartwheel_ambient::Clock;
use cartwheel_api::{ErasureStep, ErasureView};
use cartwheel_engine::{Erased, ServingEngine};
use cartwheel_events::{Record, UserId};
use cartwheel_feature_set::{ExclusiveLock, FeatureSet};
use cartwheel_lake::{
    CompactionOptions, CompactionProgress, CompactionSummary, Compactor, DeliveryStatus, Erasure,
    Erasures, Lake, PendingErasure,
};
use cartwheel_sessions::Sessions;
use cartwheel_stream::{Log, Stream, shard_of};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::data_dir::DataDir;
use cartwheel_settings as settings;

/// Users whose erasure waits are looked at this often.
const ERASURE_CHECK: Duration = Duration::from_secs(2);
/// They are looked at this often at least.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A timer needs a time: a century.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// Rows of each table that an export holds at most.
const MOST_ROWS: usize = 100_000;
/// Records of the stream read at once.
const BATCH: usize = 1000;

/// What can be done for those who are to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Nobody is to be erased.
    Nothing,
    /// To look whether feature sets may go.
    Features,
    /// To compact: somebody's records are all delivered.
    Lake,
}

/// Works on the files of a data directory whose stream this process has open.
pub struct Upkeep {
    place: DataDir,
    lake: Lake,
    log: Arc<Log>,
    sessions: Arc<Sessions>,
    engine: Option<Arc<ServingEngine>>,
    delivery: DeliveryStatus,
    compactor: Compactor,
    erasures: Mutex<Erasures>,
    /// Told of each new erasure.
    asked: Notify,
}

impl Upkeep {
    /// Upkeep of `place`. Users who are being erased stay hidden from `engine`, where
    /// there is one.
    ///
    /// # Errors
    /// When the lake or the list of erasures cannot be opened.
    pub fn open(
        place: &DataDir,
        settings: &settings::Lake,
        log: Arc<Log>,
        sessions: Arc<Sessions>,
        engine: Option<Arc<ServingEngine>>,
        delivery: DeliveryStatus,
    ) -> Result<Self> {
        let lake = Lake::open(&place.lake())?;
        let usual = CompactionOptions::default();
        let options = CompactionOptions {
            grace: Duration::from_secs(settings.grace_seconds),
            // Where nothing serves, nothing is gained by waiting for more parts.
            max_parts: if engine.is_some() { usual.max_parts } else { 1 },
            ..usual
        };
        let erasures = Erasures::open(&place.erasures())?;
        let upkeep = Self {
            place: place.clone(),
            compactor: Compactor::new(&lake, options),
            lake,
            log,
            sessions,
            engine,
            delivery,
            erasures: Mutex::new(erasures),
            asked: Notify::new(),
        };
        upkeep.hide()?;
        Ok(upkeep)
    }

    fn erasures(&self) -> MutexGuard<'_, Erasures> {
        self.erasures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hides those who are being erased from what this process has read anew.
    fn hide(&self) -> Result<()> {
        for PendingErasure { erasure, cleaned } in self.erasures().pending() {
            let user_id = UserId::new(&erasure.user_id)?;
            if let Some(engine) = &self.engine {
                engine.hide(user_id.clone(), cleaned.map_or(Erased::InLake, Erased::BeforeErasure));
            }
            if cleaned.is_none() {
                self.sessions.erase(&user_id, erasure.before)?;
            }
        }
        Ok(())
    }

    /// Forgets a user: nothing knows of them once this returns, and what follows is
    /// written down.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub async fn erase(&self, user_id: &UserId) -> Result<ErasureView> {
        let _turn = self.sessions.lock_all([user_id]).await;
        let erasure = Erasure {
            user_id: user_id.to_string(),
            before: self.log.stat().next.into(),
            erased_at_ms: Clock::system().now_ms(),
        };
        self.erasures().add(erasure.clone())?;
        if let Some(engine) = &self.engine {
            engine.hide(user_id.clone(), Erased::InLake);
        }
        self.sessions.erase(user_id, erasure.before)?;
        self.asked.notify_one();
        Ok(view(&erasure, None))
    }

    /// Users who are being erased, by id.
    pub fn pending(&self) -> Vec<ErasureView> {
        let pending = self.erasures().pending();
        pending.iter().map(|pending| view(&pending.erasure, pending.cleaned)).collect()
    }

    /// Compacts the lake and takes erasures as far as they can go now. Blocks.
    ///
    /// # Errors
    /// When a file cannot be read or written; the next call goes on.
    pub fn run(&self, progress: &mut dyn FnMut(CompactionProgress)) -> Result<CompactionSummary> {
        let now_ms = Clock::system().now_ms();
        let pending = self.erasures().pending();
        let asked: Vec<Erasure> = pending
            .into_iter()
            .filter(|pending| pending.cleaned.is_none())
            .map(|pending| pending.erasure)
            .collect();
        let delivered = self.delivery.now().next;
        let compacted = self.compactor.compact(now_ms, &delivered, &asked, progress)?;
        for problem in &compacted.problems {
            tracing::warn!(problem, "compaction left something out");
        }
        let applied = self.sessions.floor(self.log.shards())?;
        let gone = compacted.erasures.iter().filter(|e| e.complete && e.erasure.before <= applied);
        let gone: Vec<&Erasure> = gone.map(|erased| &erased.erasure).collect();
        for erasure in &gone {
            let before = erasure.before.as_u64().unwrap_or(u64::MAX);
            self.log.erase(&erasure.user_id, before).context("the stream")?;
        }
        if !gone.is_empty() {
            self.sessions.purge(now_ms)?;
        }
        for erasure in gone {
            let cleaned = self.erasures().mark_cleaned(erasure)?;
            if let (Some(engine), Some(cleaned)) = (&self.engine, cleaned) {
                engine.hide(UserId::new(&erasure.user_id)?, Erased::BeforeErasure(cleaned));
            }
        }
        self.drop_feature_sets()?;
        Ok(compacted)
    }

    /// Removes feature sets with erased users, once none of them serves.
    fn drop_feature_sets(&self) -> Result<()> {
        let cleaned: Vec<(Erasure, u64)> = {
            let pending = self.erasures().pending();
            pending.into_iter().filter_map(|p| Some((p.erasure, p.cleaned?))).collect()
        };
        if cleaned.is_empty() {
            return Ok(());
        }
        // A set that is being built may contain a user whom the lake no longer holds.
        let lock = ExclusiveLock::try_acquire(&self.place.features())?;
        let serving = cartwheel_registry::current(&self.place.releases())?;
        let serving = serving.map(|release| release.feature_set);
        let mut held = vec![false; cleaned.len()];
        for set in FeatureSet::list(&self.place.features()) {
            // A set that cannot be read may hold anybody.
            let users = set.users().ok();
            let has = |user: &str| users.as_ref().is_none_or(|u| !matches!(u.get(user), Ok(None)));
            let holds = |(erasure, at): &(Erasure, u64)| {
                set.manifest.erasures < *at && has(&erasure.user_id)
            };
            let found: Vec<bool> = cleaned.iter().map(holds).collect();
            if !found.contains(&true) {
                continue;
            }
            if Some(&set.manifest.version) == serving.as_ref() {
                held = found;
            } else {
                let version = set.manifest.version.clone();
                set.remove().with_context(|| version.clone())?;
                tracing::info!(version, "a feature set with erased users is removed");
            }
        }
        for ((erasure, _), held) in cleaned.iter().zip(held) {
            if held || lock.is_none() {
                continue;
            }
            self.erasures().finish(erasure)?;
            if let Some(engine) = &self.engine
                && !self.erasures().has(&erasure.user_id)
            {
                engine.show(&UserId::new(&erasure.user_id)?);
            }
        }
        Ok(())
    }

    /// What erasures wait for that may have come.
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

    /// Compacts every `every`, never where that is none, and takes erasures on when they
    /// can go on, until `shutdown` ends.
    pub async fn follow(
        self: Arc<Self>,
        every: Option<Duration>,
        shutdown: impl Future<Output = ()>,
    ) {
        tokio::pin!(shutdown);
        let mut compaction = tokio::time::interval(every.unwrap_or(NEVER));
        compaction.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once; a start has other things to do.
        compaction.reset();
        let mut pause = ERASURE_CHECK;
        loop {
            let erasure = async {
                let rest = if self.due() == Due::Nothing { NEVER } else { pause };
                tokio::select! {
                    () = tokio::time::sleep(rest) => {}
                    () = self.asked.notified() => tokio::time::sleep(ERASURE_CHECK).await,
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
                Due::Features => upkeep.drop_feature_sets().map(|()| CompactionSummary::default()),
                Due::Lake => upkeep.run(&mut |_| ()),
            };
            let done = tokio::task::spawn_blocking(work).await;
            match done.map_err(anyhow::Error::from).and_then(|done| done) {
                Ok(done) if done.rows + done.removed > 0 => tracing::info!(?done, "compacted"),
                Ok(_) => {}
                Err(error) => tracing::error!(error = format!("{error:#}"), "compaction failed"),
            }
            // A file that cannot be read holds an erasure up: trying goes on, less often.
            let held_up = due == Due::Lake && self.due() == Due::Lake;
            pause = if held_up { (pause * 2).min(LONGEST_PAUSE) } else { ERASURE_CHECK };
        }
    }

    /// What lake and stream store of a user. Blocks, within a tokio runtime.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn stored(&self, user_id: &UserId) -> Result<Value> {
        let stored = self.lake.user_records(user_id.as_str(), MOST_ROWS)?;
        let mut stored = serde_json::to_value(stored)?;
        let shard = shard_of(user_id.as_str(), self.log.shards());
        let delivered = self.delivery.now().next;
        let mut next = delivered.get(shard as usize).copied().unwrap_or_default();
        let runtime = tokio::runtime::Handle::current();
        let mut waiting = Vec::new();
        while waiting.len() < MOST_ROWS {
            let batch = runtime.block_on(self.log.read(shard, next, BATCH))?;
            let own = batch.records.into_iter().map(|(_, record)| record);
            waiting.extend(own.filter(|record: &Record| record.user_id() == user_id));
            if batch.next == next {
                break;
            }
            next = batch.next;
        }
        stored["stream"] = json!(waiting);
        Ok(stored)
    }
}

fn view(erasure: &Erasure, cleaned: Option<u64>) -> ErasureView {
    let step = if cleaned.is_none() { ErasureStep::Lake } else { ErasureStep::Features };
    ErasureView { user_id: erasure.user_id.clone(), erased_at_ms: erasure.erased_at_ms, step }
}
