//! Erasing users: which are to be erased, and taking them out of every table.

mod imported;
mod text;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use arrow_array::{Array, RecordBatch};
use cartwheel_stream::Sequence;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::compact::CompactionProgress;
use crate::delivery::write;
use crate::manifest::{Lake, LakeError};
use crate::parts::folders;
use crate::rewrite::{RewriteError, rewrite};
use crate::scan::{numbers, scan, sequences, texts};
pub(crate) use text::next_line;

/// Most users that wait for being erased.
const MAX_PENDING: usize = 100_000;

/// A user that is to be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Who.
    pub user_id: String,
    /// Every record of the user with a lower sequence number is erased.
    pub before: Sequence,
    /// When it was asked for, UTC milliseconds: records without a sequence number are
    /// erased if they were received until then.
    pub erased_at_ms: i64,
}

/// What became of an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// Which.
    pub erasure: Erasure,
    /// Whether no table holds the user's records any longer.
    pub complete: bool,
}

/// Why an erasure was not written down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErasureError {
    /// Too many wait.
    #[error("{MAX_PENDING} users wait for being erased: later there is room again")]
    Full,
    /// The file cannot be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

/// The users that are being erased, in a file: first from the lake and the stream, then from
/// the feature sets that were made before.
#[derive(Debug)]
pub struct Erasures {
    path: PathBuf,
    kept: Kept,
}

/// What the file holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Kept {
    /// Erasures that the lake has seen the end of, ever.
    cleaned: u64,
    pending: BTreeMap<String, Pending>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    #[serde(flatten)]
    erasure: Erasure,
    /// `Kept::cleaned` with this one; none as long as the lake may have the user.
    cleaned: Option<u64>,
}

impl Erasures {
    /// Those in the file `path`, which need not exist.
    ///
    /// # Errors
    /// When the file exists and is damaged.
    pub fn open(path: &Path) -> Result<Self, LakeError> {
        let failed = |e: io::Error| LakeError::file(path, e);
        let kept = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| failed(e.into()))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(e) => return Err(failed(e)),
        };
        Ok(Self { path: path.to_owned(), kept })
    }

    /// Writes an erasure down, durably. One of the same user is widened, and begins anew.
    ///
    /// # Errors
    /// When too many wait, or the file cannot be written; then nothing has changed.
    pub fn add(&mut self, erasure: Erasure) -> Result<(), ErasureError> {
        let mut kept = self.kept.clone();
        let new = || Pending { erasure: erasure.clone(), cleaned: None };
        let known = kept.pending.entry(erasure.user_id.clone()).or_insert_with(new);
        known.erasure.before = known.erasure.before.max(erasure.before);
        known.erasure.erased_at_ms = known.erasure.erased_at_ms.max(erasure.erased_at_ms);
        known.cleaned = None;
        if kept.pending.len() > MAX_PENDING {
            return Err(ErasureError::Full);
        }
        Ok(self.put(kept)?)
    }

    /// What is not finished, by user, with what [`Erasures::clean`] gave.
    pub fn pending(&self) -> Vec<(Erasure, Option<u64>)> {
        self.kept.pending.values().map(|p| (p.erasure.clone(), p.cleaned)).collect()
    }

    /// Whether a user's erasure is not finished.
    pub fn has(&self, user_id: &str) -> bool {
        self.kept.pending.contains_key(user_id)
    }

    /// How many erasures the lake has seen the end of: a feature set that was begun after
    /// holds nothing of them.
    pub fn cleaned(&self) -> u64 {
        self.kept.cleaned
    }

    /// Notes that neither lake nor stream hold the user's records any longer, and gives
    /// how many erasures have come that far; none where this one was widened since.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing has changed.
    pub fn clean(&mut self, erasure: &Erasure) -> Result<Option<u64>, LakeError> {
        let mut kept = self.kept.clone();
        let cleaned = kept.cleaned + 1;
        match kept.pending.get_mut(&erasure.user_id) {
            Some(pending) if pending.erasure == *erasure => pending.cleaned = Some(cleaned),
            _ => return Ok(None),
        }
        kept.cleaned = cleaned;
        self.put(kept)?;
        Ok(Some(cleaned))
    }

    /// Crosses an erasure out that has come to its end, unless it was widened since.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing has changed.
    pub fn finish(&mut self, erasure: &Erasure) -> Result<(), LakeError> {
        let mut kept = self.kept.clone();
        match kept.pending.remove(&erasure.user_id) {
            Some(pending) if pending.erasure == *erasure => self.put(kept),
            _ => Ok(()),
        }
    }

    fn put(&mut self, kept: Kept) -> Result<(), LakeError> {
        write(&self.path, &kept).map_err(|e| LakeError::file(&self.path, e))?;
        self.kept = kept;
        Ok(())
    }
}

/// The users of some erasures.
pub(crate) struct Users<'a>(FxHashMap<&'a str, &'a Erasure>);

impl<'a> Users<'a> {
    pub(crate) fn new(erasures: &'a [Erasure]) -> Self {
        Self(erasures.iter().map(|erasure| (erasure.user_id.as_str(), erasure)).collect())
    }

    pub(crate) fn has(&self, user: &str) -> bool {
        self.0.contains_key(user)
    }

    /// Whether a record of that user and sequence number is erased.
    pub(crate) fn erases(&self, user: &str, sequence: Sequence) -> bool {
        self.0.get(user).is_some_and(|erasure| sequence < erasure.before)
    }

    /// Whether a file has rows of one of them. Only its `user_id` is read.
    pub(crate) fn are_in(&self, path: &Path) -> io::Result<bool> {
        let mut found = false;
        scan(path, Some(&["user_id"]), |batch| {
            let users = texts(batch, "user_id")?;
            found |= users.iter().flatten().any(|user| self.has(user));
            Ok(())
        })?;
        Ok(found)
    }

    /// Which rows of a delivered table stay.
    fn rest(&self, batch: &RecordBatch) -> io::Result<Vec<bool>> {
        let users = texts(batch, "user_id")?;
        let (sequences, received) = (sequences(batch), numbers(batch, "received_at_ms")?);
        let stays = |at: usize| {
            let Some(erasure) = self.0.get(users.value(at)).filter(|_| users.is_valid(at)) else {
                return true;
            };
            match sequences.filter(|all| all.is_valid(at)) {
                Some(all) => erasure.before <= Sequence::from(all.value(at)),
                None => received.value(at) > erasure.erased_at_ms,
            }
        };
        Ok((0..batch.num_rows()).map(stays).collect())
    }
}

/// Takes users out of every file of the lake's tables. Each file is replaced by one of
/// the same name, so that readers see one or the other; one that has no row left goes.
/// Files that cannot be read stay and are named in `problems`: they may hold the user.
pub(crate) fn erase(
    lake: &Lake,
    delivered: &[Sequence],
    erasures: &[Erasure],
    problems: &mut Vec<String>,
    progress: &mut dyn FnMut(CompactionProgress),
) -> Result<Vec<Erased>, LakeError> {
    let users = Users::new(erasures);
    let before = problems.len();
    let mut work = Vec::new();
    for (table, extension) in
        [("events", "parquet"), ("impressions", "parquet"), ("errors", "ndjson")]
    {
        work.extend(folders(&lake.dir().join(table), extension)?);
    }
    let total = work.len() as u64;
    for (folder, done) in work.iter().zip(1..) {
        for part in &folder.parts {
            // What delivery may be writing has no record that is to be erased, or the
            // erasure is not complete before that is delivered.
            if part.name.is_some_and(|name| !name.settled(delivered)) {
                continue;
            }
            let is_lines = part.path.extension().is_some_and(|x| x == "ndjson");
            let erased = if is_lines {
                text::erase_lines(lake, &part.path, |line| text::is_rejected_of(line, &users))
            } else {
                erase_rows(lake, &users, &part.path)
            };
            note(erased, problems)?;
        }
        progress(CompactionProgress { done, total });
    }
    match lake.try_lock("import")? {
        Some(_lock) => {
            imported::erase(lake, &users, problems)?;
            for path in files(&lake.dir().join("rejects"))? {
                let erased = text::erase_lines(lake, &path, |line| text::is_row_of(line, &users));
                note(erased, problems)?;
            }
        }
        None => problems.push("an import is running: its tables are to be looked at later".into()),
    }
    let is_whole = problems.len() == before;
    let is_complete =
        |erasure: &Erasure| is_whole && delivered.iter().all(|next| erasure.before <= *next);
    let erased = |e: &Erasure| Erased { erasure: e.clone(), complete: is_complete(e) };
    Ok(erasures.iter().map(erased).collect())
}

/// A source that cannot be read is a problem, and no reason to leave the others.
fn note(result: Result<(), RewriteError>, problems: &mut Vec<String>) -> Result<(), LakeError> {
    match result {
        Ok(()) => Ok(()),
        Err(RewriteError::Target(error)) => Err(error),
        Err(source) => {
            problems.push(source.to_string());
            Ok(())
        }
    }
}

/// Replaces a file by one without the rows of some users, if it has any.
fn erase_rows(lake: &Lake, users: &Users<'_>, path: &Path) -> Result<(), RewriteError> {
    let bad = |error| RewriteError::Source { path: path.to_owned(), error };
    if !users.are_in(path).map_err(bad)? {
        return Ok(());
    }
    let target = lake.relative(path);
    let source = [path.to_owned()];
    let done = rewrite(lake, &source, target, true, |batch| users.rest(batch))?;
    if done.rows == 0 {
        lake.remove(target)?;
    }
    Ok(())
}

/// The files of a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let mut found = Vec::new();
    crate::parts::walk(folder, |_, files| {
        found.extend(files);
        Ok(())
    })?;
    Ok(found)
}
