//! A disk that records every step, fails on demand, and knows what a power cut leaves.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::random::Random;
use crate::log::{Disk, Step};

/// The unit in which a power cut may tear a write, in bytes.
const SECTOR: usize = 512;

/// One entry of the trace: a step of the log, or something that its caller observed.
#[derive(Debug, Clone)]
pub(super) enum TraceEntry {
    Create(String),
    Write {
        name: String,
        offset: usize,
        data: Vec<u8>,
    },
    Sync(String),
    /// A sync failed: as on Linux, what was written since the last one counts as clean.
    FailedSync(String),
    Rename {
        from: String,
        to: String,
    },
    Remove(String),
    SyncDir,
    /// The record with that number and id was acknowledged.
    Acknowledged(u64, String),
    /// Every consumer has read the records before that number.
    Consumed(u64),
}

/// Records the log's steps; fails syncs and new files when told to.
#[derive(Default)]
pub(super) struct RecordingDisk {
    trace: Mutex<Vec<TraceEntry>>,
    pub fail_sync: AtomicBool,
    pub full: AtomicBool,
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl RecordingDisk {
    pub(super) fn note(&self, entry: TraceEntry) {
        self.trace().push(entry);
    }

    pub(super) fn trace(&self) -> MutexGuard<'_, Vec<TraceEntry>> {
        self.trace.lock()
    }
}

impl Disk for RecordingDisk {
    fn before(&self, step: Step<'_>) -> io::Result<()> {
        let entry = match step {
            Step::Create { .. } if self.full.load(Ordering::SeqCst) => {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Step::Sync { path } if self.fail_sync.load(Ordering::SeqCst) => {
                self.note(TraceEntry::FailedSync(name(path)));
                return Err(io::Error::from_raw_os_error(5));
            }
            Step::Create { path } => TraceEntry::Create(name(path)),
            Step::Write { path, offset, data } => {
                TraceEntry::Write { name: name(path), offset: offset as usize, data: data.to_vec() }
            }
            Step::Sync { path } => TraceEntry::Sync(name(path)),
            Step::Rename { from, to } => TraceEntry::Rename { from: name(from), to: name(to) },
            Step::Remove { path } => TraceEntry::Remove(name(path)),
            Step::SyncDir => TraceEntry::SyncDir,
        };
        self.note(entry);
        Ok(())
    }
}

/// One file: its synced content, and the writes since.
#[derive(Debug, Clone, Default)]
struct FileState {
    synced: Vec<u8>,
    since: Vec<Written>,
}

/// A write that is in memory, and on the disk perhaps.
#[derive(Debug, Clone)]
struct Written {
    offset: usize,
    data: Vec<u8>,
    /// A sync of it failed: later syncs leave it out, and memory may forget it.
    clean: bool,
}

impl FileState {
    fn sync(&mut self) {
        let (mut clean, mut rest): (Vec<Written>, Vec<Written>) = (Vec::new(), Vec::new());
        std::mem::swap(&mut self.since, &mut rest);
        for written in rest {
            if written.clean {
                clean.push(written);
                continue;
            }
            write(&mut self.synced, written.offset, &written.data);
            // What lies above an older write is synced, whatever becomes of the rest of that write.
            for below in &mut clean {
                let start = below.offset.max(written.offset);
                let end =
                    (below.offset + below.data.len()).min(written.offset + written.data.len());
                if start < end {
                    let over = &written.data[start - written.offset..end - written.offset];
                    below.data[start - below.offset..end - below.offset].copy_from_slice(over);
                }
            }
        }
        self.since = clean;
    }

    fn in_memory(&self) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for written in &self.since {
            write(&mut bytes, written.offset, &written.data);
        }
        bytes
    }

    /// Keeps some sectors of the writes that `which` selects, and forgets the others.
    fn lose(&mut self, random: &mut Random, which: impl Fn(&Written) -> bool) {
        let mut kept = Vec::new();
        for written in std::mem::take(&mut self.since) {
            if !which(&written) {
                kept.push(written);
                continue;
            }
            let (first, end) = (written.offset, written.offset + written.data.len());
            let mut start = first;
            while start < end {
                let stop = ((start / SECTOR + 1) * SECTOR).min(end);
                if random.coin() {
                    let data = written.data[start - first..stop - first].to_vec();
                    kept.push(Written { offset: start, data, clean: written.clean });
                }
                start = stop;
            }
        }
        self.since = kept;
    }
}

/// A change of names that is not synced yet.
#[derive(Debug, Clone)]
enum NameChange {
    Add(String, usize),
    Move(String, String, usize),
    Remove(String),
}

/// A directory after some steps: its state in memory, and the state on the disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Image {
    files: Vec<FileState>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    since: Vec<NameChange>,
    /// Records before this number were in segments that have been removed.
    pub removed_before: u64,
    /// Every consumer has read the records before this number.
    pub consumed: u64,
    pub acknowledged: BTreeMap<u64, String>,
}

fn write(file: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if file.len() < offset + data.len() {
        file.resize(offset + data.len(), 0);
    }
    file[offset..offset + data.len()].copy_from_slice(data);
}

fn rename(names: &mut BTreeMap<String, usize>, change: &NameChange) {
    match change {
        NameChange::Add(name, file) => drop(names.insert(name.clone(), *file)),
        NameChange::Move(from, to, file) => {
            names.remove(from);
            names.insert(to.clone(), *file);
        }
        NameChange::Remove(name) => drop(names.remove(name)),
    }
}

/// Returns the first sequence number in a segment's file name.
fn first(name: &str) -> Option<u64> {
    name.strip_suffix(".log")?.parse().ok()
}

impl Image {
    fn change(&mut self, change: NameChange) {
        rename(&mut self.names, &change);
        self.since.push(change);
    }

    /// Applies one step. The error is a rule that the log broke.
    pub(super) fn apply(&mut self, step: &TraceEntry) -> Result<(), String> {
        match step {
            TraceEntry::Create(name) => {
                self.change(NameChange::Add(name.clone(), self.files.len()));
                self.files.push(FileState::default());
            }
            TraceEntry::Write { name, offset, data } => {
                let Some(&file) = self.names.get(name) else {
                    return Err(format!("a write to {name}, which does not exist"));
                };
                let written = Written { offset: *offset, data: data.clone(), clean: false };
                self.files[file].since.push(written);
            }
            TraceEntry::Sync(name) => {
                let Some(&file) = self.names.get(name) else {
                    return Err(format!("a sync of {name}, which does not exist"));
                };
                self.files[file].sync();
            }
            TraceEntry::FailedSync(name) => {
                let Some(&file) = self.names.get(name) else {
                    return Err(format!("a sync of {name}, which does not exist"));
                };
                self.files[file].since.iter_mut().for_each(|written| written.clean = true);
            }
            TraceEntry::Rename { from, to } => {
                let Some(&file) = self.names.get(from) else {
                    return Err(format!("{from} is renamed but does not exist"));
                };
                self.change(NameChange::Move(from.clone(), to.clone(), file));
            }
            TraceEntry::Remove(name) => {
                self.change(NameChange::Remove(name.clone()));
                if let Some(gone) = first(name) {
                    let mut later = self.names.keys().filter_map(|name| first(name));
                    let Some(next) = later.find(|first| *first > gone) else {
                        return Err(format!("{name} is removed but is the last segment"));
                    };
                    if next > self.consumed {
                        return Err(format!("{name} is removed but is still needed"));
                    }
                    self.removed_before = self.removed_before.max(next);
                }
            }
            TraceEntry::SyncDir => {
                self.synced_names = self.names.clone();
                self.since.clear();
            }
            TraceEntry::Acknowledged(sequence, id) => {
                self.acknowledged.insert(*sequence, id.clone());
            }
            TraceEntry::Consumed(next) => self.consumed = *next,
        }
        Ok(())
    }

    /// Lets memory forget some of what a failed sync left: reads then return what the disk has.
    pub(super) fn evict(&mut self, random: &mut Random) {
        for file in &mut self.files {
            file.lose(random, |written| written.clean);
        }
    }

    /// Writes the state in memory into `dir`, as the next process finds it.
    pub(super) fn restart(&self, dir: &Path) -> io::Result<()> {
        self.names.iter().try_for_each(|(name, &file)| {
            std::fs::write(dir.join(name), self.files[file].in_memory())
        })
    }

    /// Writes the state that a power cut leaves into `dir`: everything synced, and of the rest
    /// what `random` selects, sector by sector and name by name. Returns it; all of it is synced.
    pub(super) fn cut(&self, dir: &Path, random: &mut Random) -> io::Result<Self> {
        let mut after = self.clone();
        for change in std::mem::take(&mut after.since) {
            if random.coin() {
                rename(&mut after.synced_names, &change);
            }
        }
        after.names = after.synced_names.clone();
        for file in &mut after.files {
            file.lose(random, |_| true);
            file.synced = file.in_memory();
            file.since.clear();
        }
        after.restart(dir)?;
        Ok(after)
    }
}
