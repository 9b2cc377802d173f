//! The last step of an erasure: feature sets that hold the user are removed.

use std::sync::PoisonError;

use anyhow::{Context, Result};
use cartwheel_events::UserId;
use cartwheel_feature_set::{ExclusiveLock, FeatureSet};
use cartwheel_lake::Erasure;

use super::Upkeep;

impl Upkeep {
    /// Removes feature sets with erased users that nobody reads, and finishes erasures whose
    /// user is in no feature set.
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
        // The engine opens a release only some time after it was written.
        let opened = self.engine.as_ref().map(|engine| engine.release().feature_set);
        let mut held = vec![false; cleaned.len()];
        let mut held_open = vec![false; cleaned.len()];
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
            } else if Some(&set.manifest.version) == opened.as_ref() {
                held_open = found;
            } else {
                let version = set.manifest.version.clone();
                set.remove().with_context(|| version.clone())?;
                tracing::info!(version, "removed a feature set with erased users");
            }
        }
        let of_serving = cleaned.iter().zip(&held).filter(|(_, held)| **held);
        let of_serving = of_serving.map(|((erasure, _), _)| erasure.user_id.clone()).collect();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = of_serving;
        for ((erasure, _), (held, held_open)) in cleaned.iter().zip(held.into_iter().zip(held_open))
        {
            if held || held_open || lock.is_none() {
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
