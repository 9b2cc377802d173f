//! Erasing users from the imported tables.

use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use crate::erasure::users::ErasedUsers;
use crate::error::LakeError;
use crate::files::rewrite::{RewriteError, rewrite};
use crate::files::walk::walk;
use crate::lake::Lake;
use crate::tables::IMPORTED;

/// Rewrites the parts that hold a user under new names, replaces the manifest so that it names
/// the new parts, and removes the files that it does not name. The caller holds the import lock.
pub(super) fn erase(
    lake: &Lake,
    users: &ErasedUsers<'_>,
    problems: &mut Vec<String>,
) -> Result<(), LakeError> {
    let mut named: FxHashSet<PathBuf> = FxHashSet::default();
    if let Some(mut manifest) = lake.import_manifest()? {
        let mut has_changed = false;
        for parts in [&mut manifest.orders, &mut manifest.order_products] {
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
        let tables = [&mut manifest.orders, &mut manifest.order_products, &mut manifest.products];
        for path in tables.into_iter().flatten() {
            named.insert(path.clone());
            *path = lake.relative(path).to_owned();
        }
        if has_changed {
            lake.put_manifest(&manifest)?;
        }
    }
    remove_unnamed(lake, &named)
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

/// Removes the files of imports that the manifest does not name: an erasure replaced them, or
/// their import did not complete.
fn remove_unnamed(lake: &Lake, named: &FxHashSet<PathBuf>) -> Result<(), LakeError> {
    for table in IMPORTED {
        let mut unnamed = Vec::new();
        walk(&lake.dir().join(table), |folder, files| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("import=") {
                unnamed.extend(files.into_iter().filter(|file| !named.contains(file)));
            }
            Ok(())
        })?;
        for path in unnamed {
            std::fs::remove_file(&path).map_err(|e| LakeError::file(&path, e))?;
        }
    }
    Ok(())
}
