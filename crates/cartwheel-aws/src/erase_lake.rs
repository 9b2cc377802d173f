//! Erasing from the lake on S3, by the code that erases from a lake in a directory.
//!
//! An erasure goes over the lake in two rounds. The first one erases what is there. What the stream
//! and Firehose still hold is delivered at the latest when the stream's retention is over, so that the
//! second one follows then, and reads only objects that have been written since. Afterwards the
//! erasure waits for a feature set that was built later, as a server's does. A round takes as many
//! passes as the lake is large.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use cartwheel_engine::functions::BoxError;
use cartwheel_events::UserId;
use cartwheel_lake::{Erasure, Manifest, PendingErasure};
use cartwheel_registry::{Registry, layout};
use object_store::ObjectMeta;
use serde::Serialize;
use tokio::time::Instant;

use crate::erase_round::Round;
use crate::erasures::LakeErasures;
use crate::functions::user_records;
use crate::lake::{Lake, LakeError};
use crate::lake_copy::{Change, LakeCopy, batches, manifest, objects, place};
use crate::registry::S3Registry;
use crate::users::Users;

/// Most bytes that are copied at once, unless said otherwise.
const BATCH: u64 = 256 << 20;
/// By how much the clocks of services may differ.
const MARGIN_MS: i64 = 3_600_000;

/// The result of a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ErasePass {
    /// Objects that were read.
    pub read: usize,
    /// Objects that the next pass reads, because the time was over.
    pub left: usize,
    /// Objects that held users, and were replaced or removed.
    pub changed: usize,
    /// Guests that turned out to be erased users; the next pass erases them.
    pub guests: usize,
    /// Erasures that the lake has completed in this pass.
    pub cleaned: usize,
    /// Erasures that are over.
    pub finished: usize,
    /// Objects that may hold users, each with the reason.
    pub unreadable: Vec<String>,
}

/// Erases the users of the list from table and lake, as far as the time allows.
#[derive(Debug)]
pub struct LakeEraser<'a> {
    lake: &'a Lake,
    users: &'a Users,
    /// How long the stream keeps a record.
    retention: Duration,
    /// Most bytes that are copied at once.
    batch: u64,
}

impl<'a> LakeEraser<'a> {
    /// An eraser from `lake` and `users`. `retention` is the stream's.
    pub fn new(lake: &'a Lake, users: &'a Users, retention: Duration) -> Self {
        Self { lake, users, retention, batch: BATCH }
    }

    /// Copies at most `bytes` of the lake at once, or one object that is larger.
    #[must_use]
    pub fn with_batch(self, bytes: u64) -> Self {
        Self { batch: bytes, ..self }
    }

    /// Goes over what is due at `now_ms` (UTC milliseconds). Begins no further batch after `limit`, and
    /// reads at least one; the next pass goes on there. One pass runs at a time.
    ///
    /// # Errors
    /// When S3 or the table fails. The next pass repeats this one.
    pub async fn pass(&self, now_ms: i64, limit: Duration) -> Result<ErasePass, BoxError> {
        let mut pass = ErasePass::default();
        let erasures = LakeErasures::new(self.lake.clone());
        let pending: Vec<PendingErasure> = erasures.list().await?.pending().cloned().collect();
        for PendingErasure { erasure, .. } in pending.iter().filter(|p| !p.hidden) {
            let user = UserId::new(&erasure.user_id)?;
            self.users.forget(&user, erasure.erased_at_ms).await?;
        }
        let open = Round::open(self.lake).await?;
        if let Some(mut round) = open.or_else(|| self.begin(&pending, now_ms)) {
            let guests = self.erase(&mut round, limit, &mut pass).await?;
            pass.guests = guests.len();
            pass.unreadable.clone_from(&round.unreadable);
            let is_over = pass.left == 0;
            let change = |list: &mut cartwheel_lake::ErasureList| {
                for guest in &guests {
                    if !list.has(&guest.user_id) {
                        list.add(guest.clone())?;
                    }
                }
                if !is_over {
                    return Ok(0);
                }
                if round.unreadable.is_empty() {
                    list.mark_hidden(&round.erasures);
                }
                let settled = round.erasures.iter().filter(|e| self.is_settled(e, round.begun_ms));
                Ok(settled.filter_map(|e| list.mark_cleaned(e, &round.unreadable)).count())
            };
            pass.cleaned = erasures.change(change).await?;
            Round::keep((!is_over).then_some(&round), self.lake).await?;
        }
        pass.finished = self.finish(&erasures).await?;
        Ok(pass)
    }

    /// A round for what is due, if anything is.
    fn begin(&self, pending: &[PendingErasure], now_ms: i64) -> Option<Round> {
        let is_due = |p: &&PendingErasure| {
            let is_open = p.cleaned.is_none() && (!p.hidden || self.is_settled(&p.erasure, now_ms));
            is_open || !p.unreadable.is_empty()
        };
        let due: Vec<&PendingErasure> = pending.iter().filter(is_due).collect();
        let oldest = due.iter().map(|p| p.erasure.erased_at_ms).min()?;
        // Older objects have been read by the first round.
        let is_again = due.iter().all(|p| p.hidden && p.unreadable.is_empty());
        let from_ms = if is_again { oldest - MARGIN_MS } else { i64::MIN };
        let erasures = due.into_iter().map(|p| p.erasure.clone()).collect();
        Some(Round { erasures, begun_ms: now_ms, from_ms, at: None, unreadable: Vec::new() })
    }

    /// Whether all records of before an erasure were delivered at that time.
    fn is_settled(&self, of: &Erasure, at_ms: i64) -> bool {
        let retention_ms = i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX);
        of.erased_at_ms.saturating_add(retention_ms) <= at_ms
    }

    /// Erases from the objects that the round has yet to read, and moves it on. Returns the erasures of
    /// guests that were tied to the users.
    async fn erase(
        &self,
        round: &mut Round,
        limit: Duration,
        pass: &mut ErasePass,
    ) -> Result<Vec<Erasure>, BoxError> {
        let start = Instant::now();
        let (imports, version) = manifest(self.lake).await?;
        let mut found = objects(self.lake, &imports).await?;
        found.retain(|object| round.has_yet_to_read(object));
        let mut kept = imports.clone();
        let mut replaced: Vec<String> = Vec::new();
        let mut guests = BTreeSet::new();
        for batch in batches(found, self.batch) {
            if pass.read > 0 && start.elapsed() > limit {
                pass.left += batch.len();
                continue;
            }
            pass.read += batch.len();
            let copy = LakeCopy::of(self.lake, &batch, &imports).await?;
            let of = round.erasures.clone();
            let work = tokio::task::spawn_blocking(move || {
                let folder = copy.open()?;
                let mut problems = Vec::new();
                let ties = folder.ties(&mut problems)?;
                let guests: Vec<(String, i64)> = of
                    .iter()
                    .flat_map(|e| ties.guests(&e.user_id).into_iter().map(|g| (g, e.erased_at_ms)))
                    .map(|(guest, at_ms)| (guest.to_owned(), at_ms))
                    .collect();
                let unreadable = folder.erase_copied(&of)?;
                Ok::<_, cartwheel_lake::LakeError>((copy, guests, unreadable))
            });
            let (copy, of_batch, unreadable) = work.await??;
            guests.extend(of_batch);
            round.note(unreadable);
            round.note(self.put(&copy, &batch, &mut kept, &mut replaced, pass).await?);
            round.at = batch.last().map(|object| place(object).to_owned());
        }
        if kept != imports {
            let bytes = kept.to_bytes()?;
            if !self.lake.put_if(Manifest::NAME, bytes, version).await? {
                return Err("an import has changed the manifest; the next pass erases again".into());
            }
        }
        for key in replaced {
            self.lake.remove(&key).await?;
        }
        let new = |(user_id, erased_at_ms): (String, i64)| {
            let before = 0.into();
            Erasure { user_id, before, erased_at_ms }
        };
        let is_new = |guest: &Erasure| round.erasures.iter().all(|e| e.user_id != guest.user_id);
        Ok(guests.into_iter().map(new).filter(is_new).collect())
    }

    /// Puts what has changed in a copy. A delivered object is replaced; a part of an import is put
    /// under another name, which `kept` then has, and the old one is added to `replaced`. Returns the
    /// objects that somebody else has changed meanwhile.
    async fn put(
        &self,
        copy: &LakeCopy,
        batch: &[ObjectMeta],
        kept: &mut Manifest,
        replaced: &mut Vec<String>,
        pass: &mut ErasePass,
    ) -> Result<Vec<String>, BoxError> {
        let mut missed = Vec::new();
        let (changes, after) = copy.changes()?;
        pass.changed += changes.len();
        let named: BTreeSet<String> = kept.parts().map(|p| p.display().to_string()).collect();
        for (key, change) in changes {
            match change {
                Change::Rewritten(path) => {
                    let bytes = read(path).await?;
                    let object = batch.iter().find(|object| object.location.as_ref() == key);
                    let e_tag = object.and_then(|object| object.e_tag.clone());
                    if !self.lake.put_if(&key, bytes, e_tag).await? {
                        missed.push(format!("{key}: it has changed meanwhile"));
                    }
                }
                Change::Removed if !named.contains(&key) => self.lake.remove(&key).await?,
                Change::Removed => {
                    let old = PathBuf::from(&key);
                    let stem = old.with_extension("").display().to_string();
                    let new = after.parts().find(|part| is_next(part.to_str(), &stem, &named));
                    if let Some(new) = new {
                        self.lake.put(&new.to_string_lossy(), read(copy.path(new)).await?).await?;
                    }
                    let new: Vec<PathBuf> = new.into_iter().map(PathBuf::from).collect();
                    kept.replace(|part| (part == old).then(|| new.clone()));
                    replaced.push(key);
                }
            }
        }
        Ok(missed)
    }

    /// Removes erasures from the list that no feature set holds, and sets that do not serve.
    async fn finish(&self, erasures: &LakeErasures) -> Result<usize, BoxError> {
        let list = erasures.list().await?;
        let cleaned: Vec<PendingErasure> =
            list.pending().filter(|p| p.cleaned.is_some()).cloned().collect();
        if cleaned.is_empty() {
            return Ok(0);
        }
        let registry = S3Registry::new(self.lake.clone());
        let serving = registry.current().await?.map(|published| published.release.feature_set);
        let mut held = vec![false; cleaned.len()];
        let keys = self.lake.list(layout::FEATURES).await?;
        let folders: BTreeSet<&str> = keys.iter().filter_map(|key| key.split('/').nth(1)).collect();
        for version in folders.into_iter().filter(|version| *version != layout::RUNS) {
            let Some(set) = registry.feature_set(version).await? else { continue };
            let may: Vec<bool> = cleaned.iter().map(|p| p.may_be_in(set.erasures)).collect();
            let prefix = format!("{}/{version}/", layout::FEATURES);
            let own: Vec<&String> = keys.iter().filter(|key| key.starts_with(&prefix)).collect();
            if !may.contains(&true) || !self.has(&own, &cleaned, &may).await? {
                continue;
            }
            if serving.as_deref() == Some(version) {
                held = may;
                continue;
            }
            // Without its manifest the set does not exist.
            self.lake.remove(&layout::set_manifest(version)?).await?;
            for key in own {
                self.lake.remove(key).await?;
            }
            tracing::warn!(version, "removed a feature set with erased users");
        }
        let finish = |list: &mut cartwheel_lake::ErasureList| {
            let over = cleaned.iter().zip(&held).filter(|(_, held)| !**held);
            Ok(over.filter(|(p, _)| list.finish(&p.erasure)).count())
        };
        Ok(erasures.change(finish).await?)
    }

    /// Whether the parts of a feature set hold one of the users.
    async fn has(
        &self,
        keys: &[&String],
        cleaned: &[PendingErasure],
        may: &[bool],
    ) -> Result<bool, BoxError> {
        let wanted = cleaned.iter().zip(may).filter(|(_, may)| **may);
        let wanted: BTreeSet<&str> = wanted.map(|(p, _)| p.erasure.user_id.as_str()).collect();
        for key in keys.iter().filter(|k| k.contains("/users/") && k.ends_with(".parquet")) {
            let records = user_records(key, self.lake.bytes(key).await?)?;
            if records.iter().any(|(user, _)| wanted.contains(user.as_str())) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a part is the replacement of the one with this path, which `named` had.
fn is_next(part: Option<&str>, stem: &str, named: &BTreeSet<String>) -> bool {
    let Some(part) = part.filter(|part| !named.contains(*part)) else { return false };
    // `part-00003` is followed by `part-00003-1`, and that one by `part-00003-2`.
    let base = |path: &str| -> String {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let fields: Vec<&str> = file.split('-').take(2).collect();
        format!("{folder}/{}", fields.join("-"))
    };
    base(part.trim_end_matches(".parquet")) == base(stem)
}

async fn read(path: PathBuf) -> Result<Vec<u8>, LakeError> {
    let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
    let failed = |error: io::Error| LakeError::file("temporary files", error);
    read.map_err(|error| failed(io::Error::other(error)))?.map_err(failed)
}
