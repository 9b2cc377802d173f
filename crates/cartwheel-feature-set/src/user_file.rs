//! User records: one immutable file, sorted by the hash of the user id.
//!
//! ```text
//! "CWUSER1\n"
//! records      user id (u8 length, bytes), then the record's bytes
//! index        per record, by hash: hash u64, offset u64 (little-endian)
//! footer       number of records u64, offset of the index u64, "CWUSER1\n"
//! ```
//! The index is held in memory, 16 bytes a user; a read is one `pread`.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use cartwheel_features::{UserState, stable_hash};

const MAGIC: &[u8; 8] = b"CWUSER1\n";

/// Writes a user file; records come by ascending hash.
#[derive(Debug)]
pub struct UserWriter {
    file: BufWriter<File>,
    at: u64,
    index: Vec<(u64, u64)>,
}

impl UserWriter {
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        file.write_all(MAGIC)?;
        Ok(Self { file, at: MAGIC.len() as u64, index: Vec::new() })
    }

    /// Appends `bytes`, which hold records at the given hashes and offsets.
    pub fn append(&mut self, bytes: &[u8], records: &[(u64, u64)]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.index.extend(records.iter().map(|&(hash, at)| (hash, self.at + at)));
        self.at += bytes.len() as u64;
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<()> {
        for (hash, at) in &self.index {
            self.file.write_all(&hash.to_le_bytes())?;
            self.file.write_all(&at.to_le_bytes())?;
        }
        self.file.write_all(&(self.index.len() as u64).to_le_bytes())?;
        self.file.write_all(&self.at.to_le_bytes())?;
        self.file.write_all(MAGIC)?;
        self.file.flush()?;
        self.file.get_ref().sync_all()
    }
}

/// Appends one record to a partition's bytes.
pub fn push_record(bytes: &mut Vec<u8>, user_id: &str, state: &UserState) {
    bytes.push(user_id.len().min(255) as u8);
    bytes.extend(&user_id.as_bytes()[..user_id.len().min(255)]);
    bytes.extend(state.encode());
}

/// Reads user records by id.
#[derive(Debug)]
pub struct UserFile {
    file: File,
    index: Vec<(u64, u64)>,
    end: u64,
}

impl UserFile {
    /// Opens the file and reads its index.
    ///
    /// # Errors
    /// When the file cannot be read or is not a user file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "not a user file");
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut footer = [0; 24];
        file.seek(SeekFrom::Start(length.checked_sub(24).ok_or_else(bad)?))?;
        file.read_exact(&mut footer)?;
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&footer[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let (count, end) = (word(0), word(8));
        let size = count.checked_mul(16).and_then(|n| n.checked_add(end));
        if &footer[16..] != MAGIC || size != Some(length - 24) {
            return Err(bad());
        }
        file.seek(SeekFrom::Start(end))?;
        let mut bytes = vec![0; (length - 24 - end) as usize];
        file.read_exact(&mut bytes)?;
        let half = |b: &[u8]| b.iter().rev().fold(0_u64, |n, &b| (n << 8) | u64::from(b));
        let entries = bytes.chunks_exact(16).map(|e| (half(&e[..8]), half(&e[8..])));
        let index: Vec<(u64, u64)> = entries.collect();
        if index.windows(2).any(|w| w[0].0 > w[1].0 || w[0].1 >= w[1].1) {
            return Err(bad());
        }
        // Offsets ascend: with the last one in the file no record is longer than it.
        if index.last().is_some_and(|entry| entry.1 >= end) {
            return Err(bad());
        }
        Ok(Self { file, index, end })
    }

    /// Users held.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no user is held.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The state of one user.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn get(&self, user_id: &str) -> io::Result<Option<UserState>> {
        let hash = stable_hash(user_id.as_bytes());
        let mut at = self.index.partition_point(|entry| entry.0 < hash);
        while self.index.get(at).is_some_and(|entry| entry.0 == hash) {
            let (id, state) = self.record(at)?;
            if id == user_id {
                return Ok(Some(state));
            }
            at += 1;
        }
        Ok(None)
    }

    /// The record at a place of the file, with its user's id.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn record(&self, at: usize) -> io::Result<(String, UserState)> {
        let bad = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let entry = self.index.get(at).ok_or_else(|| bad("no such record".to_owned()))?;
        let next = self.index.get(at + 1).map_or(self.end, |entry| entry.1);
        let length = next.checked_sub(entry.1).filter(|&n| n > 1);
        let mut bytes = vec![0; length.ok_or_else(|| bad("bad index".to_owned()))? as usize];
        self.file.read_exact_at(&mut bytes, entry.1)?;
        let (id, rest) = bytes[1..]
            .split_at_checked(bytes[0] as usize)
            .ok_or_else(|| bad("bad user id".to_owned()))?;
        let state = UserState::decode(rest).map_err(|e| bad(e.to_string()))?;
        Ok((String::from_utf8_lossy(id).into_owned(), state))
    }
}
