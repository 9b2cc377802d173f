//! Erasing users from the imported tables.

use std::path::{Path, PathBuf};

use crate::erasure::users::ErasedUsers;
use crate::error::LakeError;
use crate::files::rewrite::{RewriteError, rewrite};
use crate::lake::Lake;

/// The imported tables whose rows name a user. Products and baskets do not.
const HAS_USERS: [&str; 3] = ["orders", "order_products", "events"];

/// Rewrites the parts that hold a user under new names, replaces the manifest so that it names
/// the new parts, and removes the files that it does not name. The caller holds the import lock.
pub(super) fn erase(
    lake: &Lake,
    users: &ErasedUsers<'_>,
    problems: &mut Vec<String>,
) -> Result<(), LakeError> {
    if let Some(mut manifest) = lake.import_manifest()? {
        let mut has_changed = false;
        for (table, parts) in manifest.tables_mut() {
            if !HAS_USERS.contains(&table) {
                continue;
            }
            let mut kept = Vec::new();
            for path in parts.drain(..) {
                match erase_part(lake, users, &path) {
                    Ok(ErasedPart::Unchanged) => kept.push(path),
                    Ok(ErasedPart::Replaced(new)) => {
                        has_changed = true;
                        kept.push(new);
                    }
                    Ok(ErasedPart::Empty) => has_changed = true,
                    Err(error) => {
                        kept.push(path);
                        error.into_problem(problems)?;
                    }
                }
            }
            *parts = kept;
        }
        if has_changed {
            lake.put_manifest(manifest)?;
        }
    }
    lake.remove_unnamed_imports()
}

/// A part after an erasure.
enum ErasedPart {
    /// The part does not hold the users.
    Unchanged,
    /// This part holds the remaining rows.
    Replaced(PathBuf),
    /// No rows remain.
    Empty,
}

/// Writes a part without the users under a new name, if it holds any of them.
fn erase_part(
    lake: &Lake,
    users: &ErasedUsers<'_>,
    path: &Path,
) -> Result<ErasedPart, RewriteError> {
    let bad = |error| RewriteError::Source { path: path.to_owned(), error };
    if !users.are_in(path).map_err(bad)? {
        return Ok(ErasedPart::Unchanged);
    }
    let new = next_name(path);
    let target = lake.relative(&new);
    let done =
        rewrite(lake, &[path.to_owned()], target, false, |batch| users.keep_imported(batch))?;
    Ok(if done.rows > 0 { ErasedPart::Replaced(new) } else { ErasedPart::Empty })
}

/// `part-00003.parquet`, then `part-00003-1.parquet`, then `part-00003-2.parquet`.
fn next_name(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut fields = stem.splitn(3, '-');
    let (part, number) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    let version = fields.next().and_then(|version| version.parse().ok()).unwrap_or(0_u32) + 1;
    path.with_file_name(format!("{part}-{number}-{version}.parquet"))
}
