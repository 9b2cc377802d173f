//! Removing parts that a merged part covers.

use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use rustc_hash::FxHashSet;

use crate::error::LakeError;
use crate::files::format::Format;
use crate::files::parts::Folder;
use crate::files::scan::scan;
use crate::lake::Lake;

/// Removes the superseded parts of a folder and returns their number. A part stays while its
/// covering part is younger than `grace_ms` or cannot be read; the latter is added to
/// `problems`.
pub(super) fn remove_superseded(
    lake: &Lake,
    format: Format,
    folder: &Folder,
    now_ms: i64,
    grace_ms: i64,
    problems: &mut Vec<String>,
) -> Result<u64, LakeError> {
    let mut removed = 0;
    let mut checked: FxHashSet<&Path> = FxHashSet::default();
    let mut refused: FxHashSet<&Path> = FxHashSet::default();
    for part in &folder.parts {
        let Some(covering) = part.superseded_by.as_deref() else { continue };
        if checked.insert(covering) {
            match verify(format, covering) {
                Ok(written_ms) if now_ms.saturating_sub(written_ms) >= grace_ms => {}
                Ok(_) => drop(refused.insert(covering)),
                Err(error) => {
                    refused.insert(covering);
                    problems.push(format!("{}: {error}", covering.display()));
                }
            }
        }
        if !refused.contains(covering) {
            lake.remove(lake.relative(&part.path))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Reads a whole file, because others are removed in its favour, and returns when it was written,
/// UTC milliseconds.
fn verify(format: Format, path: &Path) -> io::Result<i64> {
    let written = std::fs::metadata(path)?.modified()?;
    if format == Format::Parquet {
        scan(path, None, |_| Ok(()))?;
    }
    let age = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}
