//! Reads a log's files, even while a server writes them. Changes nothing. It may return
//! records just before they are acknowledged.

mod cut;

use std::io;
use std::path::{Path, PathBuf};

use super::options::OpenError;
use super::segment::{HEADER, LAST_SEQUENCE, Segment};
use super::walk::Walk;

/// Number of bytes of the first read.
const WINDOW: usize = 1 << 20;
/// Maximum number of records returned at once.
const MAX_ENTRIES: usize = 4096;

/// A stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its sequence number.
    pub sequence: u64,
    /// When it was put, in UTC milliseconds.
    pub time_ms: i64,
    /// Its shard; `None` for skipped numbers and erased records.
    pub shard: Option<u32>,
    /// Its data, a [`Record`](cartwheel_events::Record) as JSON.
    pub data: Vec<u8>,
}

/// A place where records are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub path: PathBuf,
    /// Its offset in the file, in bytes.
    pub offset: u64,
    /// The sequence number that was expected there.
    pub sequence: u64,
}

/// The contents of a log's files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Number of segment files.
    pub segments: usize,
    /// Total size of the files in bytes.
    pub bytes: u64,
    /// Oldest sequence number in the log.
    pub first: u64,
    /// Next sequence number to be assigned.
    pub next: u64,
    /// Number of intact records in each shard.
    pub records: Vec<u64>,
    /// Number of intact records without a shard: they skip lost numbers, or were erased.
    pub passed_over: u64,
    /// When the oldest record was put, in UTC milliseconds.
    pub oldest_ms: Option<i64>,
    /// When the newest record was put, in UTC milliseconds.
    pub newest_ms: Option<i64>,
    /// Places where records are missing.
    pub damaged: Vec<Damage>,
    /// Number of bytes after the last record that are not part of an intact record: a write
    /// that is in progress or was interrupted.
    pub unfinished_bytes: u64,
}

/// Reads a log's records from a sequence number on, and follows the log as it grows.
#[derive(Debug)]
pub struct LogFiles {
    dir: PathBuf,
    segment: Option<Segment>,
    shards: u32,
    offset: u64,
    next: u64,
    damaged: Vec<Damage>,
}

fn failed(path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::Io { path: path.to_owned(), source }
}

impl LogFiles {
    /// Opens the log in `dir` at sequence number `from`, or at the oldest kept if that is
    /// later.
    ///
    /// # Errors
    /// When there is no log, or this release cannot read it.
    pub fn open(dir: &Path, from: u64) -> Result<Self, OpenError> {
        let mut files = Self {
            dir: dir.to_owned(),
            segment: None,
            shards: 0,
            offset: HEADER,
            next: from,
            damaged: Vec::new(),
        };
        let all = files.all()?;
        let at = all.iter().rposition(|(first, _)| *first <= from).unwrap_or(0);
        let Some((_, path)) = all.get(at) else {
            let problem = "contains no log segment".to_owned();
            return Err(OpenError::Segment { path: dir.to_owned(), problem });
        };
        files.enter(path)?;
        Ok(files)
    }

    /// Returns the next sequence number of the log in `dir`. Reads only the newest segment.
    ///
    /// # Errors
    /// As [`LogFiles::open`].
    pub fn end(dir: &Path) -> Result<u64, OpenError> {
        Ok(Self::at_end(dir)?.next)
    }

    /// Opens the log in `dir` behind its last record. Reads only the newest segment.
    ///
    /// # Errors
    /// As [`LogFiles::open`].
    pub fn at_end(dir: &Path) -> Result<Self, OpenError> {
        let mut files = Self::open(dir, u64::MAX)?;
        files.next = files.segment.as_ref().map_or(0, |segment| segment.first);
        while !files.read()?.is_empty() {}
        Ok(files)
    }

    /// Returns the segment's file that holds the next record, or will, and the record's offset
    /// in bytes. Every record before it is complete there, and nothing but an erasure changes
    /// them.
    pub fn position(&self) -> Option<(&Path, u64)> {
        self.segment.as_ref().map(|segment| (segment.path.as_path(), self.offset))
    }

    /// Returns the number of shards.
    pub fn shards(&self) -> u32 {
        self.shards
    }

    /// Returns the next sequence number to be read.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Returns the places found so far where records are missing.
    pub fn damaged(&self) -> &[Damage] {
        &self.damaged
    }

    /// Returns the segments' first sequence numbers and paths, in order.
    fn all(&self) -> Result<Vec<(u64, PathBuf)>, OpenError> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(failed(&self.dir))? {
            let path = entry.map_err(failed(&self.dir))?.path();
            let first = path.extension().is_some_and(|x| x == "log").then(|| path.file_stem());
            let first = first.flatten().and_then(|stem| stem.to_str()?.parse().ok());
            found.extend(first.map(|first| (first, path)));
        }
        found.sort_unstable();
        Ok(found)
    }

    fn enter(&mut self, path: &Path) -> Result<(), OpenError> {
        match Segment::open_to_read(path).map_err(failed(path))? {
            Ok((segment, shards)) => {
                self.shards = shards;
                self.offset = HEADER;
                // Retention may have deleted segments meanwhile.
                self.next = self.next.max(segment.first);
                self.segment = Some(segment);
                Ok(())
            }
            Err(problem) => Err(OpenError::Segment { path: path.to_owned(), problem }),
        }
    }

    /// Returns some of the next records; empty if there are no more yet. Skips records before
    /// the number at which the log was opened.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(&mut self) -> Result<Vec<StoredEntry>, OpenError> {
        while let Some(segment) = self.segment.take() {
            let read = self.read_from(&segment).map_err(failed(&segment.path))?;
            let path = segment.path.clone();
            let first = segment.first;
            self.segment = Some(segment);
            if !read.is_empty() {
                return Ok(read);
            }
            let Some((next, later)) = self.all()?.into_iter().find(|(other, _)| *other > first)
            else {
                break;
            };
            if self.next < next {
                self.damaged.push(Damage { path, offset: self.offset, sequence: self.next });
            }
            self.enter(&later)?;
        }
        Ok(Vec::new())
    }

    /// Reads up to [`MAX_ENTRIES`] records of one segment.
    fn read_from(&mut self, segment: &Segment) -> io::Result<Vec<StoredEntry>> {
        let mut walk = Walk::new(segment, self.offset, segment.bytes, WINDOW);
        let mut entries = Vec::new();
        while entries.len() < MAX_ENTRIES {
            let at = walk.offset();
            if let Some((entry, data)) = walk.next()? {
                if entry.sequence >= self.next {
                    self.next = entry.sequence + 1;
                    entries.push(StoredEntry {
                        sequence: entry.sequence,
                        time_ms: entry.time_ms,
                        shard: Some(entry.shard).filter(|shard| *shard < self.shards),
                        data: data.to_vec(),
                    });
                }
                self.offset = walk.offset();
                continue;
            }
            // A write may be in progress: only a gap before intact records is damage.
            if !walk.resync(self.next..LAST_SEQUENCE + 1)? {
                break;
            }
            let path = segment.path.clone();
            self.damaged.push(Damage { path, offset: at, sequence: self.next });
        }
        Ok(entries)
    }

    /// Reads and checks the whole log. Calls `progress` with the number of bytes read and the
    /// total.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn verify(dir: &Path, mut progress: impl FnMut(u64, u64)) -> Result<Verified, OpenError> {
        let mut files = Self::open(dir, 0)?;
        let all = files.all()?;
        let mut found = Verified {
            segments: all.len(),
            first: files.next,
            records: vec![0; files.shards as usize],
            ..Verified::default()
        };
        for (_, path) in &all {
            found.bytes += std::fs::metadata(path).map_err(failed(path))?.len();
        }
        let (mut segment, mut done) = (None, 0);
        loop {
            let entries = files.read()?;
            let (first, at) = (files.segment.as_ref().map(|segment| segment.first), files.offset);
            if first != segment {
                done += if segment.is_some() { found.bytes / found.segments as u64 } else { 0 };
                segment = first;
            }
            progress((done + at).min(found.bytes), found.bytes);
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                found.oldest_ms =
                    Some(found.oldest_ms.map_or(entry.time_ms, |ms| ms.min(entry.time_ms)));
                found.newest_ms =
                    Some(found.newest_ms.map_or(entry.time_ms, |ms| ms.max(entry.time_ms)));
                match entry.shard.and_then(|shard| found.records.get_mut(shard as usize)) {
                    Some(count) => *count += 1,
                    None => found.passed_over += 1,
                }
            }
        }
        found.next = files.next;
        if let Some(segment) = &files.segment {
            let rest = segment.bytes.saturating_sub(files.offset);
            let rest = segment.read(files.offset, rest as usize).map_err(failed(&segment.path))?;
            found.unfinished_bytes =
                rest.iter().rposition(|&b| b != 0).map_or(0, |last| last as u64 + 1);
        }
        found.damaged = files.damaged;
        Ok(found)
    }
}
