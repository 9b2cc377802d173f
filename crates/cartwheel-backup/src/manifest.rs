//! The description of a backup.

use std::path::{Component, Path};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// The path in the data directory, separated by `/`.
    pub path: String,
    /// Bytes of the content.
    pub size: u64,
    /// SHA-256 of the content, in hexadecimal digits.
    pub sha256: String,
    /// When the file was last changed, nanoseconds since 1970.
    pub modified_ns: i64,
    /// The number of the file in its file system.
    pub inode: u64,
    /// Whether the next backup need not read the file again if size, time and number are still
    /// the same: the content is the whole file, which had not changed shortly before.
    pub is_settled: bool,
}

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// The name: the time of its start in UTC, such as `20260131-235959`.
    pub name: String,
    /// When it began, UTC milliseconds. What was acknowledged before is in the backup.
    pub started_ms: i64,
    /// When its last file was read, UTC milliseconds.
    pub ended_ms: i64,
    /// The sequence number behind the last record of its log.
    pub log_next: u64,
    /// The release of cartwheel that made it.
    pub release: String,
    /// The files, by path.
    pub files: Vec<FileEntry>,
}

/// The file of a backup: the backup with the SHA-256 of its JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checked {
    sha256: String,
    backup: Backup,
}

impl Backup {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    fn hash(&self) -> Result<String, String> {
        let json = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        Ok(hex::encode(digest(&SHA256, &json)))
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        let checked = Checked { sha256: self.hash()?, backup: self.clone() };
        serde_json::to_vec_pretty(&checked).map_err(|error| error.to_string())
    }

    /// Reads what `encode` has written. Paths that lead out of the data directory are refused.
    pub(crate) fn decode(name: &str, bytes: &[u8]) -> Result<Self, String> {
        let checked: Checked = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let backup = checked.backup;
        if backup.hash()? != checked.sha256 {
            return Err("its content differs from its hash".to_owned());
        }
        if backup.name != name {
            return Err(format!("it describes the backup {:?}", backup.name));
        }
        let stays = |path: &str| {
            let mut steps = Path::new(path).components();
            !path.is_empty() && steps.all(|step| matches!(step, Component::Normal(_)))
        };
        match backup.files.iter().find(|file| !stays(&file.path)) {
            Some(file) => Err(format!("{:?} is not a path in a data directory", file.path)),
            None => Ok(backup),
        }
    }
}
