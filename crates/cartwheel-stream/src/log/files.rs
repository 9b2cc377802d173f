//! A look at a log's files, also while a server writes them. Nothing is changed, and
//! records may be seen just before they are acknowledged.

use std::io;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::segment::{HEADER, Segment};
use super::walk::Walk;

/// Bytes that are read at first.
const WINDOW: usize = 1 << 20;
/// Most records that are given at once.
const AT_ONCE: usize = 4096;

/// One stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its sequence number.
    pub sequence: u64,
    /// When it was put, UTC milliseconds.
    pub time_ms: i64,
    /// Its shard; none for numbers that are passed over, or whose record was erased.
    pub shard: Option<u32>,
    /// Its data, a [`Record`](cartwheel_events::Record) as JSON.
    pub data: Vec<u8>,
}

/// A place where records are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file.
    pub path: PathBuf,
    /// Where it begins, in bytes.
    pub offset: u64,
    /// The sequence number that was to be found there.
    pub sequence: u64,
}

/// What a log's files hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Segment files.
    pub segments: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// Oldest sequence number kept.
    pub first: u64,
    /// Next sequence number to be written.
    pub next: u64,
    /// Whole records of each shard.
    pub records: Vec<u64>,
    /// Whole records that are passed over: of lost numbers, or erased.
    pub passed_over: u64,
    /// When the oldest and the newest record were put, UTC milliseconds.
    pub times_ms: Option<(i64, i64)>,
    /// Places where records are missing.
    pub damaged: Vec<Damage>,
    /// Bytes behind the last record that belong to no whole one: a write that is under
    /// way or was cut off.
    pub unfinished_bytes: u64,
}

/// Reads a log's records from a sequence number on, and goes on where more are written.
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
    /// The log in `dir` from sequence number `from` on, or from the oldest kept.
    ///
    /// # Errors
    /// When there is no log, or it is none that this release reads.
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
            let problem = "holds no log segment".to_owned();
            return Err(OpenError::Segment { path: dir.to_owned(), problem });
        };
        files.enter(path)?;
        Ok(files)
    }

    /// The next sequence number of the log in `dir`: only its newest segment is read.
    ///
    /// # Errors
    /// As [`LogFiles::open`].
    pub fn end(dir: &Path) -> Result<u64, OpenError> {
        let mut files = Self::open(dir, u64::MAX)?;
        files.next = files.segment.as_ref().map_or(0, |segment| segment.first);
        while !files.read()?.is_empty() {}
        Ok(files.next)
    }

    /// Number of shards.
    pub fn shards(&self) -> u32 {
        self.shards
    }

    /// Next sequence number to be read.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Places passed over so far where records are missing.
    pub fn damaged(&self) -> &[Damage] {
        &self.damaged
    }

    /// Segments by their first sequence numbers.
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
                // What retention has taken meanwhile is not there to be read.
                self.next = self.next.max(segment.first);
                self.segment = Some(segment);
                Ok(())
            }
            Err(problem) => Err(OpenError::Segment { path: path.to_owned(), problem }),
        }
    }

    /// Some of the next records, none where there are no more yet. Those before the
    /// number that it was opened at are left out.
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

    /// Up to a few thousand records of one segment.
    fn read_from(&mut self, segment: &Segment) -> io::Result<Vec<StoredEntry>> {
        let max_record = usize::try_from(segment.bytes).unwrap_or(usize::MAX);
        let mut walk = Walk::new(segment, self.offset, segment.bytes, WINDOW, max_record);
        let mut entries = Vec::new();
        while entries.len() < AT_ONCE {
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
            // A write may be under way: only what has whole records behind it is damage.
            let end = self.next.saturating_add(segment.bytes);
            if !walk.resync(self.next..end)? {
                break;
            }
            let path = segment.path.clone();
            self.damaged.push(Damage { path, offset: at, sequence: self.next });
        }
        Ok(entries)
    }

    /// Reads everything there is now, and checks it. `progress` is told the bytes read
    /// and those of all files.
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
                let (oldest, newest) = found.times_ms.unwrap_or((i64::MAX, i64::MIN));
                found.times_ms = Some((oldest.min(entry.time_ms), newest.max(entry.time_ms)));
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
