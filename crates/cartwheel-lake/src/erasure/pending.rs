//! The durable list of pending erasures.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use cartwheel_stream::Sequence;
use serde::{Deserialize, Serialize};

use crate::error::LakeError;

/// Maximum number of pending erasures.
const MAX_PENDING: usize = 100_000;
/// Maximum number of unreadable files that an erasure names.
const MAX_UNREADABLE: usize = 5;

/// The erasure of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// The user.
    pub user_id: String,
    /// Records of the user with a lower sequence number are erased.
    pub before: Sequence,
    /// When the erasure was requested, UTC milliseconds. Records without a sequence number are
    /// erased if they were received until then.
    pub erased_at_ms: i64,
}

/// An erasure that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingErasure {
    /// The erasure.
    #[serde(flatten)]
    pub erasure: Erasure,
    /// Whether the session has forgotten the user, so that what it holds came later.
    #[serde(default)]
    pub hidden: bool,
    /// The value of [`Erasures::cleaned`] that includes this erasure. `None` while the lake or
    /// the stream may hold the user.
    pub cleaned: Option<u64>,
    /// Files of the lake that could not be read and may hold the user, each with its path and
    /// the error; at most five. The erasure is not finished before they can be read or are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

/// Why an erasure was not added to the list.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErasureError {
    /// The list is full.
    #[error("{MAX_PENDING} erasures are pending; try again when some of them are finished")]
    Full,
    /// The file cannot be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

/// The pending erasures, without the place where they are stored. An erasure removes a user first
/// from the lake and the stream, and then from the feature sets that were built before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureList {
    /// The number of erasures that the lake and the stream have completed, ever. A feature set whose
    /// build starts afterwards does not hold these users.
    pub cleaned: u64,
    /// By user.
    pending: BTreeMap<String, PendingErasure>,
}

/// An [`ErasureList`] in a file.
#[derive(Debug)]
pub struct Erasures {
    path: PathBuf,
    list: ErasureList,
}

impl PendingErasure {
    /// Whether a feature set may hold the user, which states how many erasures the lake had
    /// completed when its build began.
    pub fn may_be_in(&self, set_erasures: u64) -> bool {
        self.cleaned.is_none_or(|cleaned| set_erasures < cleaned)
    }
}

impl ErasureList {
    /// Adds an erasure. A pending erasure of the same user is widened and starts again.
    ///
    /// # Errors
    /// When the list is full. It is then unchanged.
    pub fn add(&mut self, erasure: Erasure) -> Result<(), ErasureError> {
        if !self.has(&erasure.user_id) && self.pending.len() >= MAX_PENDING {
            return Err(ErasureError::Full);
        }
        let new = || PendingErasure {
            erasure: erasure.clone(),
            hidden: false,
            cleaned: None,
            unreadable: Vec::new(),
        };
        let pending = self.pending.entry(erasure.user_id.clone()).or_insert_with(new);
        pending.erasure.before = pending.erasure.before.max(erasure.before);
        pending.erasure.erased_at_ms = pending.erasure.erased_at_ms.max(erasure.erased_at_ms);
        (pending.hidden, pending.cleaned) = (false, None);
        Ok(())
    }

    /// The pending erasures, by user.
    pub fn pending(&self) -> impl Iterator<Item = &PendingErasure> {
        self.pending.values()
    }

    /// The pending erasure of a user.
    pub fn of(&self, user_id: &str) -> Option<&PendingErasure> {
        self.pending.get(user_id)
    }

    /// Whether the user has a pending erasure.
    pub fn has(&self, user_id: &str) -> bool {
        self.pending.contains_key(user_id)
    }

    /// Notes that the sessions of these users have forgotten them, of each unless its erasure was
    /// widened meanwhile.
    pub fn mark_hidden(&mut self, erasures: &[Erasure]) {
        for erasure in erasures {
            let pending = self.pending.get_mut(&erasure.user_id);
            if let Some(pending) = pending.filter(|pending| pending.erasure == *erasure) {
                pending.hidden = true;
            }
        }
    }

    /// Notes that the lake and the stream no longer hold the user, except for `unreadable`
    /// files, and returns the number of erasures completed there. Returns `None` if the erasure
    /// was widened meanwhile. Noting it again only replaces the unreadable files.
    pub fn mark_cleaned(&mut self, erasure: &Erasure, unreadable: &[String]) -> Option<u64> {
        let pending = self.pending.get_mut(&erasure.user_id);
        let pending = pending.filter(|pending| pending.erasure == *erasure)?;
        let cleaned = *pending.cleaned.get_or_insert(self.cleaned + 1);
        pending.unreadable = unreadable.iter().take(MAX_UNREADABLE).cloned().collect();
        self.cleaned = self.cleaned.max(cleaned);
        Some(cleaned)
    }

    /// Removes a finished erasure, unless it was widened meanwhile or a file could not be read.
    /// Returns whether it was removed.
    pub fn finish(&mut self, erasure: &Erasure) -> bool {
        let pending = self.pending.get(&erasure.user_id);
        let is_over = pending.is_some_and(|p| p.erasure == *erasure && p.unreadable.is_empty());
        if is_over {
            self.pending.remove(&erasure.user_id);
        }
        is_over
    }
}

impl Erasures {
    /// Opens the list in the file `path`, which need not exist.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn open(path: &Path) -> Result<Self, LakeError> {
        let failed = |e: io::Error| LakeError::file(path, e);
        let list = match cartwheel_files::read_checked(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| failed(e.into()))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => ErasureList::default(),
            Err(e) => return Err(failed(e)),
        };
        Ok(Self { path: path.to_owned(), list })
    }

    /// Adds erasures, durably: all or none. A pending erasure of the same user is widened and starts
    /// again.
    ///
    /// # Errors
    /// When the list is full or the file cannot be written. The list is then unchanged, but in the
    /// second case the file may have the erasures.
    pub fn add(&mut self, erasures: &[Erasure]) -> Result<(), ErasureError> {
        let mut list = self.list.clone();
        for erasure in erasures {
            list.add(erasure.clone())?;
        }
        Ok(self.replace(list)?)
    }

    /// The pending erasures, by user.
    pub fn pending(&self) -> Vec<PendingErasure> {
        self.list.pending().cloned().collect()
    }

    /// Whether the user has a pending erasure.
    pub fn has(&self, user_id: &str) -> bool {
        self.list.has(user_id)
    }

    /// The number of erasures that the lake and the stream have completed. A feature set whose
    /// build starts afterwards does not hold these users.
    pub fn cleaned(&self) -> u64 {
        self.list.cleaned
    }

    /// Records that the sessions of these users have forgotten them, of each unless its erasure was
    /// widened meanwhile.
    ///
    /// # Errors
    /// When the file cannot be written. The list is then unchanged.
    pub fn mark_hidden(&mut self, erasures: &[Erasure]) -> Result<(), LakeError> {
        let mut list = self.list.clone();
        list.mark_hidden(erasures);
        self.replace(list)
    }

    /// Records that the lake and the stream no longer hold the user, except for `unreadable`
    /// files, and returns the number of erasures completed there. Returns `None` if the erasure
    /// was widened meanwhile. Recording it again only replaces the unreadable files.
    ///
    /// # Errors
    /// When the file cannot be written. The list is then unchanged.
    pub fn mark_cleaned(
        &mut self,
        erasure: &Erasure,
        unreadable: &[String],
    ) -> Result<Option<u64>, LakeError> {
        let mut list = self.list.clone();
        let Some(cleaned) = list.mark_cleaned(erasure, unreadable) else { return Ok(None) };
        self.replace(list)?;
        Ok(Some(cleaned))
    }

    /// Removes a finished erasure from the list, unless it was widened meanwhile or a file could
    /// not be read.
    ///
    /// # Errors
    /// When the file cannot be written. The list is then unchanged.
    pub fn finish(&mut self, erasure: &Erasure) -> Result<(), LakeError> {
        let mut list = self.list.clone();
        if list.finish(erasure) { self.replace(list) } else { Ok(()) }
    }

    fn replace(&mut self, list: ErasureList) -> Result<(), LakeError> {
        let failed = |e: io::Error| LakeError::file(&self.path, e);
        let content = serde_json::to_vec(&list).map_err(|e| failed(e.into()))?;
        cartwheel_files::replace_checked(&self.path, &content).map_err(failed)?;
        self.list = list;
        Ok(())
    }
}
