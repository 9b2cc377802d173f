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
            Step::Sync { .. } if self.fail_sync.load(Ordering::SeqCst) => {
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
    since: Vec<(usize, Vec<u8>)>,
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
    /// Reads a directory; everything in it counts as synced.
    pub(super) fn read(dir: &Path) -> io::Result<Self> {
        let mut image = Self::default();
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            let synced = std::fs::read(&path)?;
            image.names.insert(name(&path), image.files.len());
            image.files.push(FileState { synced, since: Vec::new() });
        }
        image.synced_names = image.names.clone();
        Ok(image)
    }

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
                self.files[file].since.push((*offset, data.clone()));
            }
            TraceEntry::Sync(name) => {
                let Some(&file) = self.names.get(name) else {
                    return Err(format!("a sync of {name}, which does not exist"));
                };
                let file = &mut self.files[file];
                for (offset, data) in std::mem::take(&mut file.since) {
                    write(&mut file.synced, offset, &data);
                }
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

    /// Writes the state that a power cut leaves into `dir`: everything synced, and of the rest
    /// what `random` selects, sector by sector and name by name.
    pub(super) fn cut(&self, dir: &Path, random: &mut Random) -> io::Result<()> {
        let mut names = self.synced_names.clone();
        for change in &self.since {
            if random.coin() {
                rename(&mut names, change);
            }
        }
        for (name, file) in names {
            let file = &self.files[file];
            let mut bytes = file.synced.clone();
            for (offset, data) in &file.since {
                let mut start = *offset;
                while start < offset + data.len() {
                    let end = ((start / SECTOR + 1) * SECTOR).min(offset + data.len());
                    if random.coin() {
                        write(&mut bytes, start, &data[start - offset..end - offset]);
                    }
                    start = end;
                }
            }
            std::fs::write(dir.join(name), bytes)?;
        }
        Ok(())
    }
}
