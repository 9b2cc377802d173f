//! The list of everybody who was ever erased, so that a restored backup can forget them again.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::erasure::pending::Erasure;
use crate::error::LakeError;

/// Appends erasures to the list in the file `path`, a line of JSON each, durably.
///
/// # Errors
/// When the file cannot be written. The next call starts a new line, so a part of a line harms
/// nothing.
pub fn append_tombstones(path: &Path, erasures: &[Erasure]) -> Result<(), LakeError> {
    let failed = |e: io::Error| LakeError::file(path, e);
    let is_new = !path.exists();
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    let mut lines = Vec::new();
    if file.metadata().map_err(failed)?.len() > 0 {
        lines.push(b'\n');
    }
    for erasure in erasures {
        serde_json::to_writer(&mut lines, erasure).map_err(|e| failed(e.into()))?;
        lines.push(b'\n');
    }
    file.write_all(&lines).and_then(|()| file.sync_all()).map_err(failed)?;
    if is_new && let Some(folder) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        cartwheel_files::sync_dir(folder).map_err(failed)?;
    }
    Ok(())
}

/// Reads such a list; empty if the file does not exist.
///
/// # Errors
/// When the file cannot be read.
pub fn read_tombstones(path: &Path) -> Result<Vec<Erasure>, LakeError> {
    let failed = |e: io::Error| LakeError::file(path, e);
    let mut text = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut text).map_err(failed)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    Ok(parse_tombstones(&text))
}

/// Reads the lines of such a list. A line that a crash cut off was never acknowledged.
pub fn parse_tombstones(text: &[u8]) -> Vec<Erasure> {
    let lines = text.split(|&b| b == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_grows_and_survives_a_cut_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("erased.ndjson");
        assert!(read_tombstones(&path).unwrap().is_empty());
        let of = |user: &str| Erasure { user_id: user.into(), before: 7.into(), erased_at_ms: 5 };
        append_tombstones(&path, &[of("a"), of("b")]).unwrap();
        let mut cut = OpenOptions::new().append(true).open(&path).unwrap();
        cut.write_all(b"{\"user_id\":\"x").unwrap();
        append_tombstones(&path, &[of("c")]).unwrap();
        assert_eq!(read_tombstones(&path).unwrap(), [of("a"), of("b"), of("c")]);
    }
}
