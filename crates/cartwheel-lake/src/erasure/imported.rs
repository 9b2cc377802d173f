//! Erasing users from an import's tables.

use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use super::{Users, note};
use crate::manifest::{Lake, LakeError};
use crate::parts::walk;
use crate::rewrite::{RewriteError, rewrite};
use crate::scan::texts;

/// Writes the parts that hold a user anew under other names, names these in place of
/// the old ones, all at once, and removes what no manifest names. The caller holds the
/// lock of imports.
pub(super) fn erase(
    lake: &Lake,
    users: &Users<'_>,
    problems: &mut Vec<String>,
) -> Result<(), LakeError> {
    let mut named: FxHashSet<PathBuf> = FxHashSet::default();
    if let Some(mut manifest) = lake.import_manifest()? {
        let mut has_changed = false;
        for parts in [&mut manifest.orders, &mut manifest.order_products] {
            let mut kept = Vec::new();
            for path in parts.drain(..) {
                match without(lake, users, &path) {
                    Ok(None) => kept.push(path),
                    Ok(Some(replaced)) => {
                        has_changed = true;
                        kept.extend(replaced);
                    }
                    Err(error) => {
                        kept.push(path);
                        note(Err(error), problems)?;
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

/// Writes a part anew without the users. None if it has none of them; else the new
/// part, unless it would be empty.
fn without(
    lake: &Lake,
    users: &Users<'_>,
    path: &Path,
) -> Result<Option<Option<PathBuf>>, RewriteError> {
    let bad = |error| RewriteError::Source { path: path.to_owned(), error };
    if !users.are_in(path).map_err(bad)? {
        return Ok(None);
    }
    let target = renamed(path);
    let done = rewrite(lake, &[path.to_owned()], lake.relative(&target), false, |batch| {
        let found = texts(batch, "user_id")?;
        Ok(found.iter().map(|user| !user.is_some_and(|user| users.has(user))).collect())
    })?;
    Ok(Some((done.rows > 0).then_some(target)))
}

/// `part-00003.parquet`, then `part-00003-1.parquet`, then `part-00003-2.parquet`.
fn renamed(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut fields = stem.splitn(3, '-');
    let (part, number) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    let version = fields.next().and_then(|version| version.parse().ok()).unwrap_or(0_u32) + 1;
    path.with_file_name(format!("{part}-{number}-{version}.parquet"))
}

/// Removes files of imports that are no longer named, or never were because their
/// import was ended.
fn remove_unnamed(lake: &Lake, named: &FxHashSet<PathBuf>) -> Result<(), LakeError> {
    for table in ["orders", "order_products", "products"] {
        let mut unnamed = Vec::new();
        walk(&lake.dir().join(table), |folder, files| {
            let is_import = folder.file_name().unwrap_or_default().to_string_lossy();
            if is_import.starts_with("import=") {
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
