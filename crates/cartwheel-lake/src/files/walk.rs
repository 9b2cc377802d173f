//! Listing folders and files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::LakeError;

/// Calls `visit` with `root` and each folder below it, together with the files of the folder. A
/// missing folder is not an error.
pub(crate) fn walk(
    root: &Path,
    mut visit: impl FnMut(&Path, Vec<PathBuf>) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |e| LakeError::file(&folder, e);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(failed(e)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
        visit(&folder, files)?;
    }
    Ok(())
}

/// Every file below `root`, in no particular order.
pub(crate) fn files_below(root: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let mut found = Vec::new();
    walk(root, |_, files| {
        found.extend(files);
        Ok(())
    })?;
    Ok(found)
}
