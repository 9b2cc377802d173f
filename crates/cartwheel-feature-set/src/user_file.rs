//! User records: one immutable file, sorted by the hash of the user id.
//!
//! ```text
//! "CWUSER1\n"
//! records      user id (u8 length, bytes), then the encoded state
//! index        per record, by hash: hash u64, offset u64 (little-endian)
//! footer       number of records u64, offset of the index u64, "CWUSER1\n"
//! ```
//! A reader holds the index in memory, 16 bytes a user, and reads a record with one `pread`.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use cartwheel_features::{UserState, stable_hash};

const MAGIC: &[u8; 8] = b"CWUSER1\n";
/// Bytes of the footer.
const FOOTER: u64 = 24;
/// Bytes of an index entry.
const ENTRY: u64 = 16;

/// Where a record begins.
#[derive(Debug, Clone, Copy)]
struct IndexEntry {
    /// Hash of the user id.
    hash: u64,
    /// Offset of the record, in bytes.
    offset: u64,
}

/// Encoded records of some users, to be appended to a user file.
#[derive(Debug, Default)]
pub struct UserRecords {
    bytes: Vec<u8>,
    index: Vec<IndexEntry>,
}

impl UserRecords {
    /// Appends a record.
    pub fn push(&mut self, user_id: &str, state: &UserState) {
        let id = &user_id.as_bytes()[..user_id.len().min(255)];
        let offset = self.bytes.len() as u64;
        self.index.push(IndexEntry { hash: stable_hash(user_id.as_bytes()), offset });
        self.bytes.push(id.len() as u8);
        self.bytes.extend(id);
        state.encode_to(&mut self.bytes);
    }

    /// The records by ascending [`stable_hash`] of their users' ids, the order of a user file.
    pub fn sorted(self) -> Self {
        let end = |at: usize| self.index.get(at).map_or(self.bytes.len(), |e| e.offset as usize);
        let mut places: Vec<usize> = (0..self.index.len()).collect();
        places.sort_by_key(|&at| self.index[at].hash);
        let mut sorted = Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            index: Vec::with_capacity(self.index.len()),
        };
        for at in places {
            let IndexEntry { hash, offset } = self.index[at];
            let bytes = &self.bytes[offset as usize..end(at + 1)];
            sorted.index.push(IndexEntry { hash, offset: sorted.bytes.len() as u64 });
            sorted.bytes.extend(bytes);
        }
        sorted
    }

    /// Returns the number of records.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Tells whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }
}

/// Writes a user file.
#[derive(Debug)]
pub struct UserFileWriter {
    file: BufWriter<File>,
    /// Bytes written so far.
    length: u64,
    index: Vec<IndexEntry>,
}

impl UserFileWriter {
    /// Creates the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        file.write_all(MAGIC)?;
        Ok(Self { file, length: MAGIC.len() as u64, index: Vec::new() })
    }

    /// Appends records that are sorted. Their hashes follow those that were appended before.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&mut self, records: &UserRecords) -> io::Result<()> {
        self.file.write_all(&records.bytes)?;
        let start = self.length;
        let moved = records.index.iter();
        self.index.extend(moved.map(|e| IndexEntry { offset: start + e.offset, ..*e }));
        self.length += records.bytes.len() as u64;
        Ok(())
    }

    /// Writes the index and the footer, waits until the file is on disk, and returns the
    /// number of records.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> io::Result<u64> {
        for entry in &self.index {
            self.file.write_all(&entry.hash.to_le_bytes())?;
            self.file.write_all(&entry.offset.to_le_bytes())?;
        }
        let count = self.index.len() as u64;
        self.file.write_all(&count.to_le_bytes())?;
        self.file.write_all(&self.length.to_le_bytes())?;
        self.file.write_all(MAGIC)?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(count)
    }
}

/// Reads user records by id.
#[derive(Debug)]
pub struct UserFile {
    file: File,
    index: Vec<IndexEntry>,
    /// Offset of the end of the last record.
    end: u64,
}

impl UserFile {
    /// Opens the file and reads its index.
    ///
    /// # Errors
    /// When the file cannot be read or is not a user file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not a user file");
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let body = length.checked_sub(FOOTER).ok_or_else(invalid)?;
        let mut footer = [0; FOOTER as usize];
        file.seek(SeekFrom::Start(body))?;
        file.read_exact(&mut footer)?;
        let (count, end) = (word(&footer[..8]), word(&footer[8..16]));
        let size = count.checked_mul(ENTRY).and_then(|n| n.checked_add(end));
        if &footer[16..] != MAGIC || size != Some(body) {
            return Err(invalid());
        }
        file.seek(SeekFrom::Start(end))?;
        let mut index: Vec<IndexEntry> = Vec::with_capacity(count as usize);
        // In pieces: memory for all of it would be as large as the index.
        let mut bytes = [0; 1 << 14];
        let mut left = body - end;
        while left > 0 {
            let length = left.min(bytes.len() as u64) as usize;
            let piece = &mut bytes[..length];
            file.read_exact(piece)?;
            left -= piece.len() as u64;
            let entries = piece.chunks_exact(ENTRY as usize);
            index
                .extend(entries.map(|e| IndexEntry { hash: word(&e[..8]), offset: word(&e[8..]) }));
        }
        if index.windows(2).any(|w| w[0].hash > w[1].hash || w[0].offset >= w[1].offset) {
            return Err(invalid());
        }
        // Offsets ascend: if the last one is in the file, no record is longer than the file.
        if index.last().is_some_and(|entry| entry.offset >= end) {
            return Err(invalid());
        }
        Ok(Self { file, index, end })
    }

    /// Returns the number of records.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Tells whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Reads the state of a user, `None` without a record.
    ///
    /// # Errors
    /// When the file cannot be read or the record is damaged.
    pub fn get(&self, user_id: &str) -> io::Result<Option<UserState>> {
        let hash = stable_hash(user_id.as_bytes());
        let mut at = self.index.partition_point(|entry| entry.hash < hash);
        while self.index.get(at).is_some_and(|entry| entry.hash == hash) {
            let (id, state) = self.record(at)?;
            if id == user_id {
                return Ok(Some(state));
            }
            at += 1;
        }
        Ok(None)
    }

    /// Reads the user id and the state of the record at index `at`, from 0.
    ///
    /// # Errors
    /// When the file cannot be read, or the record is missing or damaged.
    pub fn record(&self, at: usize) -> io::Result<(String, UserState)> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let entry = self.index.get(at).ok_or_else(|| invalid(format!("no record {at}")))?;
        let next = self.index.get(at + 1).map_or(self.end, |entry| entry.offset);
        let length = next.checked_sub(entry.offset).filter(|&n| n > 1);
        let length = length.ok_or_else(|| invalid(format!("record {at} has no bytes")))?;
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, entry.offset)?;
        let (id, rest) = bytes[1..]
            .split_at_checked(bytes[0] as usize)
            .ok_or_else(|| invalid(format!("record {at} is cut off within its user id")))?;
        let state = UserState::decode(rest).map_err(|e| invalid(e.to_string()))?;
        Ok((String::from_utf8_lossy(id).into_owned(), state))
    }
}

/// Reads a little-endian number of up to 8 bytes.
fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, &byte| (n << 8) | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_in_whichever_order_they_were_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.bin");
        let ids: Vec<String> = (0..50).map(|n| format!("user-{n}")).collect();
        let mut records = UserRecords::default();
        for (orders, id) in (0..).zip(&ids) {
            records.push(id, &UserState { orders, ..UserState::default() });
        }
        let mut writer = UserFileWriter::create(&path).unwrap();
        writer.append(&records.sorted()).unwrap();
        assert_eq!(writer.finish().unwrap(), 50);
        let file = UserFile::open(&path).unwrap();
        for (orders, id) in (0..).zip(&ids) {
            assert_eq!(file.get(id).unwrap().unwrap().orders, orders);
        }
        assert_eq!(file.get("user-50").unwrap(), None);
    }
}
