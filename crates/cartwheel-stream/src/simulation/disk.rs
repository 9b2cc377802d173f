//! A disk that notes every step, fails on demand, and knows what is left of it after a
//! power cut.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::random::Random;
use crate::log::{Disk, Step};

/// What a power cut may tear a write into.
const SECTOR: usize = 512;

/// One step of the log, or what the outside knows of it.
#[derive(Debug, Clone)]
pub(super) enum Happened {
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
    /// The record of that number and id was acknowledged.
    Acknowledged(u64, String),
    /// Every consumer has read all records before that number.
    Consumed(u64),
}

/// Notes steps; fails syncs and new files when told to.
#[derive(Default)]
pub(super) struct Noting {
    happened: Mutex<Vec<Happened>>,
    pub fail_sync: AtomicBool,
    pub full: AtomicBool,
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Noting {
    pub(super) fn note(&self, happened: Happened) {
        self.all().push(happened);
    }

    pub(super) fn all(&self) -> MutexGuard<'_, Vec<Happened>> {
        self.happened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for Noting {
    fn before(&self, step: Step<'_>) -> io::Result<()> {
        let happened = match step {
            Step::Create { .. } if self.full.load(Ordering::SeqCst) => {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Step::Sync { .. } if self.fail_sync.load(Ordering::SeqCst) => {
                return Err(io::Error::from_raw_os_error(5));
            }
            Step::Create { path } => Happened::Create(name(path)),
            Step::Write { path, offset, data } => {
                Happened::Write { name: name(path), offset: offset as usize, data: data.to_vec() }
            }
            Step::Sync { path } => Happened::Sync(name(path)),
            Step::Rename { from, to } => Happened::Rename { from: name(from), to: name(to) },
            Step::Remove { path } => Happened::Remove(name(path)),
            Step::SyncDir => Happened::SyncDir,
        };
        self.note(happened);
        Ok(())
    }
}

/// One file: what is synced, and what was written since.
#[derive(Debug, Clone, Default)]
struct FileState {
    synced: Vec<u8>,
    since: Vec<(usize, Vec<u8>)>,
}

/// A change of names that is not synced.
#[derive(Debug, Clone)]
enum Naming {
    Add(String, usize),
    Move(String, String, usize),
    Remove(String),
}

/// A directory as the steps leave it: in memory, and on the disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Image {
    files: Vec<FileState>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    since: Vec<Naming>,
    /// The records before it lie in segments that were removed.
    pub removed_before: u64,
    /// Every consumer has read the records before it.
    pub consumed: u64,
    pub acknowledged: BTreeMap<u64, String>,
}

fn write(file: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if file.len() < offset + data.len() {
        file.resize(offset + data.len(), 0);
    }
    file[offset..offset + data.len()].copy_from_slice(data);
}

fn rename(names: &mut BTreeMap<String, usize>, change: &Naming) {
    match change {
        Naming::Add(name, file) => drop(names.insert(name.clone(), *file)),
        Naming::Move(from, to, file) => {
            names.remove(from);
            names.insert(to.clone(), *file);
        }
        Naming::Remove(name) => drop(names.remove(name)),
    }
}

/// First sequence number of a segment's file.
fn first(name: &str) -> Option<u64> {
    name.strip_suffix(".log")?.parse().ok()
}

impl Image {
    /// The directory whose files are as they lie, all of it synced.
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

    fn change(&mut self, change: Naming) {
        rename(&mut self.names, &change);
        self.since.push(change);
    }

    /// Does one step. Says what the log must not have done.
    pub(super) fn apply(&mut self, step: &Happened) -> Result<(), String> {
        match step {
            Happened::Create(name) => {
                self.change(Naming::Add(name.clone(), self.files.len()));
                self.files.push(FileState::default());
            }
            Happened::Write { name, offset, data } => {
                let Some(&file) = self.names.get(name) else {
                    return Err(format!("a write to {name}, which is not there"));
                };
                self.files[file].since.push((*offset, data.clone()));
            }
            Happened::Sync(name) => {
                let Some(&file) = self.names.get(name) else {
                    return Err(format!("a sync of {name}, which is not there"));
                };
                let file = &mut self.files[file];
                for (offset, data) in std::mem::take(&mut file.since) {
                    write(&mut file.synced, offset, &data);
                }
            }
            Happened::Rename { from, to } => {
                let Some(&file) = self.names.get(from) else {
                    return Err(format!("{from} is renamed, and is not there"));
                };
                self.change(Naming::Move(from.clone(), to.clone(), file));
            }
            Happened::Remove(name) => {
                self.change(Naming::Remove(name.clone()));
                if let Some(gone) = first(name) {
                    let mut later = self.names.keys().filter_map(|name| first(name));
                    let Some(next) = later.find(|first| *first > gone) else {
                        return Err(format!("{name} is removed, and is the last"));
                    };
                    if next > self.consumed {
                        return Err(format!("{name} is removed, and is still needed"));
                    }
                    self.removed_before = self.removed_before.max(next);
                }
            }
            Happened::SyncDir => {
                self.synced_names = self.names.clone();
                self.since.clear();
            }
            Happened::Acknowledged(sequence, id) => {
                self.acknowledged.insert(*sequence, id.clone());
            }
            Happened::Consumed(next) => self.consumed = *next,
        }
        Ok(())
    }

    /// Writes what a power cut now leaves into `dir`: all that is synced, and of the rest
    /// what `random` picks, sector by sector and name by name.
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
