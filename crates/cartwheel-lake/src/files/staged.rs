//! Staged files: objects that are still being written.
//!
//! `object_store` writes an object to `<name>#<number>` and renames it when it is complete. No
//! reader looks at staged files, and a writer that is killed leaves them behind.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::LakeError;
use crate::files::walk::files_below;

/// Whether a file is staged.
pub(crate) fn is_staged(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Removes the staged files below `root` and returns their number. No other process may write
/// there meanwhile.
pub(crate) fn remove_staged(root: &Path) -> Result<usize, LakeError> {
    let mut removed = 0;
    for file in files_below(root)?.iter().filter(|file| is_staged(file)) {
        remove(file)?;
        removed += 1;
    }
    Ok(removed)
}

/// Removes a staged file.
pub(crate) fn remove(file: &Path) -> Result<(), LakeError> {
    match fs::remove_file(file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(LakeError::file(file, e)),
        _ => Ok(()),
    }
}
