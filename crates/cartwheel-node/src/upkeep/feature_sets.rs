//! The last step of an erasure: feature sets that hold the user are removed.

use std::sync::PoisonError;

use anyhow::{Context, Result};
use cartwheel_events::UserId;
use cartwheel_feature_set::{ExclusiveLock, FeatureSet, UserFile};
use cartwheel_lake::Erasure;

use super::Upkeep;

impl Upkeep {
    /// Removes feature sets with erased users that do not serve, and finishes erasures whose
    /// user is in no feature set, neither on disk nor in the one that the engine has open.
    pub(super) fn drop_feature_sets(&self) -> Result<()> {
        let cleaned: Vec<(Erasure, u64)> = {
            let pending = self.erasures().pending();
            pending.into_iter().filter_map(|p| Some((p.erasure, p.cleaned?))).collect()
        };
        if cleaned.is_empty() {
            return Ok(());
        }
        // A set that is being built may contain a user that the lake no longer has.
        let lock = ExclusiveLock::try_acquire(&self.data_dir.features())?;
        let serving = cartwheel_registry::current(&self.data_dir.releases())?;
        let serving = serving.map(|release| release.feature_set);
        let mut held = vec![false; cleaned.len()];
        let features = self.data_dir.features();
        // Nobody can say whom a set holds whose manifest cannot be read, nor use the set.
        for dir in FeatureSet::unreadable(&features) {
            let version = dir.file_name().unwrap_or_default().display().to_string();
            if Some(&version) == serving.as_ref() {
                held.fill(true);
            } else {
                FeatureSet::remove_from(&dir).with_context(|| version.clone())?;
                tracing::warn!(
                    version,
                    "removed a feature set that may hold erased users: its manifest cannot be read"
                );
            }
        }
        for set in FeatureSet::list(&features) {
            // A set that cannot be read may hold any user.
            let users = set.users().ok();
            let holds = |(erasure, at): &(Erasure, u64)| {
                set.manifest.erasures < *at
                    && users.as_ref().is_none_or(|users| may_hold(users, erasure))
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
                tracing::info!(version, "removed a feature set with erased users");
            }
        }
        let of_serving = cleaned.iter().zip(&held).filter(|(_, held)| **held);
        let of_serving = of_serving.map(|((erasure, _), _)| erasure.user_id.clone()).collect();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = of_serving;
        // The engine opens a release some time after the release was written, and answers from the one
        // before until then.
        let opened = self.engine.as_ref().map(|engine| engine.opened());
        let is_open = |erasure: &Erasure, at: u64| {
            let older = opened.as_ref().filter(|opened| opened.erasures < at);
            let users = older.and_then(|opened| opened.users.as_ref());
            users.is_some_and(|users| may_hold(users, erasure))
        };
        for ((erasure, at), held) in cleaned.iter().zip(held) {
            if held || lock.is_none() || is_open(erasure, *at) {
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
}

/// Whether the user of an erasure has a record, which may be one that cannot be read.
fn may_hold(users: &UserFile, erasure: &Erasure) -> bool {
    !matches!(users.get(&erasure.user_id), Ok(None))
}
