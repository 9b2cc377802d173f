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

/// The pending erasures, kept in a file. An erasure removes a user first from the lake and the
/// stream, and then from the feature sets that were built before.
#[derive(Debug)]
pub struct Erasures {
    path: PathBuf,
    list: List,
}

/// The content of the file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct List {
    /// The number of erasures that the lake and the stream have completed, ever.
    cleaned: u64,
    /// By user.
    pending: BTreeMap<String, PendingErasure>,
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
            Err(e) if e.kind() == io::ErrorKind::NotFound => List::default(),
            Err(e) => return Err(failed(e)),
        };
        Ok(Self { path: path.to_owned(), list })
    }

    /// Adds an erasure, durably. A pending erasure of the same user is widened and starts again.
    ///
    /// # Errors
    /// When the list is full or the file cannot be written. The list is then unchanged.
    pub fn add(&mut self, erasure: Erasure) -> Result<(), ErasureError> {
        let mut list = self.list.clone();
        let new = || PendingErasure {
            erasure: erasure.clone(),
            hidden: false,
            cleaned: None,
            unreadable: Vec::new(),
        };
        let pending = list.pending.entry(erasure.user_id.clone()).or_insert_with(new);
        pending.erasure.before = pending.erasure.before.max(erasure.before);
        pending.erasure.erased_at_ms = pending.erasure.erased_at_ms.max(erasure.erased_at_ms);
        (pending.hidden, pending.cleaned) = (false, None);
        if list.pending.len() > MAX_PENDING {
            return Err(ErasureError::Full);
        }
        Ok(self.replace(list)?)
    }

    /// The pending erasures, by user.
    pub fn pending(&self) -> Vec<PendingErasure> {
        self.list.pending.values().cloned().collect()
    }

    /// Whether the user has a pending erasure.
    pub fn has(&self, user_id: &str) -> bool {
        self.list.pending.contains_key(user_id)
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
        for erasure in erasures {
            let pending = list.pending.get_mut(&erasure.user_id);
            if let Some(pending) = pending.filter(|pending| pending.erasure == *erasure) {
                pending.hidden = true;
            }
        }
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
        let pending = list.pending.get_mut(&erasure.user_id);
        let Some(pending) = pending.filter(|pending| pending.erasure == *erasure) else {
            return Ok(None);
        };
        let cleaned = *pending.cleaned.get_or_insert(list.cleaned + 1);
        pending.unreadable = unreadable.iter().take(MAX_UNREADABLE).cloned().collect();
        list.cleaned = list.cleaned.max(cleaned);
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
        match list.pending.remove(&erasure.user_id) {
            Some(pending) if pending.erasure == *erasure && pending.unreadable.is_empty() => {
                self.replace(list)
            }
            _ => Ok(()),
        }
    }

    fn replace(&mut self, list: List) -> Result<(), LakeError> {
        let failed = |e: io::Error| LakeError::file(&self.path, e);
        let content = serde_json::to_vec(&list).map_err(|e| failed(e.into()))?;
        cartwheel_files::replace_checked(&self.path, &content).map_err(failed)?;
        self.list = list;
        Ok(())
    }
}
