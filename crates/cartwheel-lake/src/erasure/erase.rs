//! Erasing users from every table.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use cartwheel_stream::Sequence;

use crate::erasure::imported;
use crate::erasure::lines;
use crate::erasure::pending::Erasure;
use crate::erasure::users::ErasedUsers;
use crate::error::LakeError;
use crate::files::format::Format;
use crate::files::parts::folders;
use crate::files::rewrite::{RewriteError, rewrite};
use crate::files::walk::files_below;
use crate::lake::Lake;
use crate::progress::{CompactionProgress, go_on};
use crate::tables::{DELIVERED, DeliveredTable};

/// The result of an erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureResult {
    /// The erasure.
    pub erasure: Erasure,
    /// Whether no file that can be read holds erased records any longer.
    pub complete: bool,
    /// Files that cannot be read and may hold the user, each with its path and the error.
    pub unreadable: Vec<String>,
}

/// Erases users from every file of the lake's tables. A delivered file is replaced under the same
/// name, so that readers see the old rows or the new ones; a file without remaining rows is
/// removed. A file that cannot be read stays, and each result names it, since it may hold the
/// user. It holds up no other file.
pub(crate) fn erase(
    lake: &Lake,
    delivered: &[Sequence],
    erasures: &[Erasure],
    problems: &mut Vec<String>,
    stopped: &AtomicBool,
    progress: &mut dyn FnMut(CompactionProgress),
) -> Result<Vec<ErasureResult>, LakeError> {
    let users = ErasedUsers::new(erasures);
    let mut unreadable = Vec::new();
    erase_delivered(lake, &users, delivered, &mut unreadable, stopped, progress)?;
    let was_free = erase_imported(lake, &users, &mut unreadable)?;
    if !was_free {
        problems.push("an import is running; the next compaction erases from its tables".into());
    }
    // Only then may anybody record that the users are gone.
    lake.sync_removals()?;
    let result = |erasure: &Erasure| {
        let all_delivered = delivered.iter().all(|next| erasure.before <= *next);
        let complete = was_free && all_delivered;
        ErasureResult { erasure: erasure.clone(), complete, unreadable: unreadable.clone() }
    };
    let results = erasures.iter().map(result).collect();
    problems.extend(unreadable);
    Ok(results)
}

fn erase_delivered(
    lake: &Lake,
    users: &ErasedUsers<'_>,
    delivered: &[Sequence],
    problems: &mut Vec<String>,
    stopped: &AtomicBool,
    progress: &mut dyn FnMut(CompactionProgress),
) -> Result<(), LakeError> {
    let mut work = Vec::new();
    // Parquet rows without a key belong to no user.
    let of_users = |table: &&DeliveredTable| table.format == Format::Ndjson || table.key.is_some();
    for table in DELIVERED.iter().filter(of_users) {
        let folders = folders(&lake.dir().join(table.name), table.format)?;
        work.extend(folders.into_iter().map(|folder| (table.format, folder)));
    }
    let total = work.len() as u64;
    for ((format, folder), done) in work.iter().zip(1..) {
        for part in &folder.parts {
            go_on(stopped)?;
            // Delivery may be writing this part. If it holds records to erase, the erasure is
            // not complete before they are delivered, and a later compaction erases them.
            if part.name.is_some_and(|name| !name.is_settled(delivered)) {
                continue;
            }
            let erased = match format {
                Format::Parquet => erase_rows(lake, users, &part.path),
                Format::Ndjson => {
                    lines::erase(lake, &part.path, |line| lines::is_rejected_record_of(line, users))
                }
            };
            erased.or_else(|error| error.into_problem(problems))?;
        }
        progress(CompactionProgress { done, total });
    }
    Ok(())
}

/// Erases users from the imported tables and the rejects files. Returns false while an import is
/// running.
fn erase_imported(
    lake: &Lake,
    users: &ErasedUsers<'_>,
    problems: &mut Vec<String>,
) -> Result<bool, LakeError> {
    let Some(_lock) = lake.try_lock("import")? else { return Ok(false) };
    imported::erase(lake, users, problems)?;
    for path in files_below(&lake.dir().join("rejects"))? {
        let erased = lines::erase(lake, &path, |line| lines::is_rejected_row_of(line, users));
        erased.or_else(|error| error.into_problem(problems))?;
    }
    Ok(true)
}

/// Replaces a file by one without the erased rows, if it has any.
fn erase_rows(lake: &Lake, users: &ErasedUsers<'_>, path: &Path) -> Result<(), RewriteError> {
    let bad = |error| RewriteError::Source { path: path.to_owned(), error };
    if !users.are_in(path).map_err(bad)? {
        return Ok(());
    }
    let target = lake.relative(path);
    let sources = [path.to_owned()];
    let done = rewrite(lake, &sources, target, true, |batch| users.keep_delivered(batch))?;
    if done.rows == 0 {
        lake.remove(target)?;
    }
    Ok(())
}
