//! The files of a data directory that a backup holds.

use std::io;
use std::path::{Path, PathBuf};

/// Entries of the data directory that a backup leaves out: what only a running process means, and
/// what waits for a person.
const LEFT_OUT: [&str; 6] =
    ["server.address", "uploads", "shop", "snapshot", "restoring", "proposals"];

/// Extensions of locks, of files that are being written, and of files moved aside.
const UNFINISHED: [&str; 4] = ["lock", "new", "progress-new", "damaged"];

/// The files below `data`, relative to it, by path. Hidden names are being written or removed.
pub(super) fn list(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Removed since its parent was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder != data => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') || (folder == data && LEFT_OUT.contains(&&*name)) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && !is_unfinished(&path) {
                found.extend(path.strip_prefix(data).map(Path::to_owned));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_unfinished(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy());
    extension.is_some_and(|extension| UNFINISHED.contains(&&*extension))
        || path.file_name().is_some_and(|name| name == "lock" || name == "new-segment")
}

/// A path of a backup: separated by `/`.
pub(super) fn name(path: &Path) -> String {
    let steps: Vec<_> = path.components().map(|step| step.as_os_str().to_string_lossy()).collect();
    steps.join("/")
}
