//! The list of everybody who was ever erased, so that a restored backup can forget them again.
//!
//! The list must not hold what was erased: it has salted hashes of ids. Who has the list can test
//! whether it holds an id, and cannot read ids from it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use cartwheel_stream::Sequence;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::erasure::pending::Erasure;
use crate::error::LakeError;

/// An erasure that hides its user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tombstone {
    /// The salt of the hash. The lines of a list share it.
    pub salt: String,
    /// The user: see [`Tombstone::hash`].
    pub user: String,
    /// When the erasure was requested, UTC milliseconds.
    pub erased_at_ms: i64,
    /// Records of the user with a lower sequence number are erased.
    pub before: Sequence,
}

impl Tombstone {
    /// The SHA-256 of salt, a zero byte and id, in hexadecimal digits.
    pub fn hash(salt: &str, user_id: &str) -> String {
        let text = [salt.as_bytes(), &[0], user_id.as_bytes()].concat();
        hex::encode(Sha256::digest(text))
    }

    /// Whether this stands for an erasure.
    pub fn is_of(&self, erasure: &Erasure) -> bool {
        self.erased_at_ms == erasure.erased_at_ms
            && self.user == Self::hash(&self.salt, &erasure.user_id)
    }
}

/// Adds erasures to the list in the file `path`, durably. `salt` makes a random text, for a new
/// list.
///
/// # Errors
/// When the file cannot be read or written.
pub fn bury(
    path: &Path,
    erasures: &[Erasure],
    salt: impl FnOnce() -> String,
) -> Result<(), LakeError> {
    let known = read_tombstones(path)?.into_iter().next();
    let salt = known.map_or_else(salt, |tombstone| tombstone.salt);
    let tombstone = |erasure: &Erasure| Tombstone {
        user: Tombstone::hash(&salt, &erasure.user_id),
        salt: salt.clone(),
        before: erasure.before,
        erased_at_ms: erasure.erased_at_ms,
    };
    append_tombstones(path, &erasures.iter().map(tombstone).collect::<Vec<_>>())
}

/// Appends to the list in the file `path`, a line of JSON each, durably.
///
/// # Errors
/// When the file cannot be written. The next call starts a new line, so a part of a line harms
/// nothing.
pub fn append_tombstones(path: &Path, tombstones: &[Tombstone]) -> Result<(), LakeError> {
    let failed = |e: io::Error| LakeError::file(path, e);
    let is_new = !path.exists();
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    let mut lines = Vec::new();
    if file.metadata().map_err(failed)?.len() > 0 {
        lines.push(b'\n');
    }
    for tombstone in tombstones {
        serde_json::to_writer(&mut lines, tombstone).map_err(|e| failed(e.into()))?;
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
pub fn read_tombstones(path: &Path) -> Result<Vec<Tombstone>, LakeError> {
    match std::fs::read(path) {
        Ok(text) => Ok(parse_tombstones(&text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(LakeError::file(path, e)),
    }
}

/// Reads the lines of such a list. A line that a crash cut off was never acknowledged.
pub fn parse_tombstones(text: &[u8]) -> Vec<Tombstone> {
    let lines = text.split(|&b| b == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_grows_hides_ids_and_survives_a_cut_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("erased.ndjson");
        assert!(read_tombstones(&path).unwrap().is_empty());
        let of = |user: &str| Erasure { user_id: user.into(), before: 7.into(), erased_at_ms: 5 };
        bury(&path, &[of("alice"), of("bob")], || "salt".to_owned()).unwrap();
        let mut cut = OpenOptions::new().append(true).open(&path).unwrap();
        cut.write_all(b"{\"user\":\"x").unwrap();
        bury(&path, &[of("carol")], || "another".to_owned()).unwrap();
        let found = read_tombstones(&path).unwrap();
        let users = ["alice", "bob", "carol"].map(of);
        assert_eq!(found.len(), 3);
        assert!(found.iter().zip(&users).all(|(tombstone, user)| tombstone.is_of(user)));
        assert!(!found[0].is_of(&users[1]) && found[2].salt == "salt");
        assert!(!std::fs::read_to_string(&path).unwrap().contains("alice"));
    }
}
