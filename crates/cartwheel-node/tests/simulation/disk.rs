//! The state of the simulated disk: what the memory of the system has, and what is on the disk.
//!
//! The memory's side is a real directory. This keeps beside it what would be lost: for each file the
//! changes since its last sync, and for each folder the changes of names since its last sync. A power
//! cut keeps of both any part: names one by one, data in pieces of a sector.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use libc::c_int;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// The unit in which a power cut may tear a write, in bytes.
const SECTOR: usize = 512;

/// A change of a file's content since its last sync.
#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

/// A change, and whether a sync of it failed: later syncs leave it out, and memory may forget it.
#[derive(Clone)]
struct Unsynced {
    change: Change,
    is_clean: bool,
}

#[derive(Clone, Default)]
struct FileState {
    /// In memory.
    length: usize,
    synced: Vec<u8>,
    since: Vec<Unsynced>,
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(offset, data) => {
            let end = offset + data.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset..end].copy_from_slice(data);
        }
        Change::Length(length) => content.resize(*length, 0),
    }
}

impl FileState {
    fn change(&mut self, change: Change) {
        self.length = match &change {
            Change::Write(offset, data) => self.length.max(offset + data.len()),
            Change::Length(length) => *length,
        };
        self.since.push(Unsynced { change, is_clean: false });
    }

    fn sync(&mut self) {
        let (clean, dirty): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.since).into_iter().partition(|one| one.is_clean);
        for one in &dirty {
            apply(&mut self.synced, &one.change);
        }
        // What lies above an older change is synced, so that only the rest of that can be lost.
        self.since = clean.into_iter().flat_map(|one| uncovered(one, &dirty)).collect();
    }

    fn in_memory(&self) -> Vec<u8> {
        let mut content = self.synced.clone();
        self.since.iter().for_each(|one| apply(&mut content, &one.change));
        content.resize(self.length, 0);
        content
    }

    /// Forgets some sectors of the changes that `which` selects.
    fn lose(&mut self, random: &mut ChaCha8Rng, which: impl Fn(&Unsynced) -> bool) {
        let mut kept = Vec::new();
        for one in std::mem::take(&mut self.since) {
            match &one.change {
                _ if !which(&one) => kept.push(one),
                Change::Length(_) if random.random() => kept.push(one),
                Change::Length(_) => {}
                Change::Write(offset, data) => {
                    let mut start = 0;
                    while start < data.len() {
                        let at = offset + start;
                        let stop = ((at / SECTOR + 1) * SECTOR - offset).min(data.len());
                        if random.random() {
                            let change = Change::Write(at, data[start..stop].to_vec());
                            kept.push(Unsynced { change, is_clean: one.is_clean });
                        }
                        start = stop;
                    }
                }
            }
        }
        self.since = kept;
        let mut content = self.synced.clone();
        self.since.iter().for_each(|one| apply(&mut content, &one.change));
        self.length = content.len();
    }
}

/// The parts of a change that no later one covers.
fn uncovered(one: Unsynced, later: &[Unsynced]) -> Vec<Unsynced> {
    let Change::Write(offset, data) = one.change else { return Vec::new() };
    let mut is_covered = vec![false; data.len()];
    for change in later {
        if let Change::Write(start, over) = &change.change {
            let from = start.saturating_sub(offset).min(data.len());
            let to = (start + over.len()).saturating_sub(offset).min(data.len());
            is_covered[from..to].fill(true);
        }
    }
    let mut parts = Vec::new();
    let mut at = 0;
    for run in is_covered.chunk_by(|a, b| a == b) {
        if !run[0] {
            let change = Change::Write(offset + at, data[at..at + run.len()].to_vec());
            parts.push(Unsynced { change, is_clean: true });
        }
        at += run.len();
    }
    parts
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    File(usize),
    Folder,
}

#[derive(Clone)]
enum NameChange {
    Add(PathBuf, Entry),
    Move(PathBuf, PathBuf, Entry),
    Remove(PathBuf),
}

impl NameChange {
    fn folder(&self) -> &Path {
        let (Self::Add(path, _) | Self::Move(_, path, _) | Self::Remove(path)) = self;
        path.parent().unwrap_or(Path::new(""))
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Entry>) {
        match self {
            Self::Add(path, entry) => drop(names.insert(path.clone(), *entry)),
            Self::Move(from, to, entry) => {
                names.remove(from);
                names.insert(to.clone(), *entry);
            }
            Self::Remove(path) => drop(names.remove(path)),
        }
    }
}

/// What an open descriptor stands for.
pub enum Handle {
    /// A file, and whether writes go to its end.
    File(usize, bool),
    /// A folder.
    Folder(PathBuf),
}

/// The simulated disk. Paths are relative to its directory.
#[derive(Default)]
pub struct Disk {
    root: PathBuf,
    files: Vec<FileState>,
    paths: Vec<PathBuf>,
    names: BTreeMap<PathBuf, Entry>,
    synced_names: BTreeMap<PathBuf, Entry>,
    since: Vec<NameChange>,
    handles: HashMap<c_int, Handle>,
    /// After so many steps, the process or the power is gone: every further step fails.
    pub dies_after: Option<u64>,
    /// Whether that has happened.
    pub is_dead: bool,
    /// Nothing can be added.
    pub is_full: bool,
    /// After so many syncs, one fails.
    pub fails_sync_after: Option<u64>,
    /// A fault on purpose: syncs of paths with this text do nothing.
    pub forgets_syncs_of: Option<String>,
    /// Whether a step has failed since the flag was taken.
    pub has_failed: bool,
    /// Steps so far, and a hash of them.
    pub steps: u64,
    pub trace: u64,
}

impl Disk {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), ..Self::default() }
    }

    /// The part of a path below the directory.
    pub fn relative<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        path.strip_prefix(&self.root).ok()
    }

    /// Takes a step, which may add to what the disk stores.
    fn step(&mut self, what: u64, adds: bool) -> Result<(), c_int> {
        if !self.is_dead && self.dies_after == Some(0) {
            self.is_dead = true;
        }
        if self.is_dead || (self.is_full && adds) {
            self.has_failed = true;
            return Err(if self.is_dead { libc::EIO } else { libc::ENOSPC });
        }
        self.dies_after = self.dies_after.map(|left| left - 1);
        self.steps += 1;
        self.trace = (self.trace ^ what).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5);
        Ok(())
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.since.push(change);
    }

    /// Before a file is opened; `creates` and `truncates` are those of the flags.
    pub fn before_open(
        &mut self,
        path: &Path,
        creates: bool,
        truncates: bool,
    ) -> Result<(), c_int> {
        match self.names.get(path) {
            None if creates => self.step(1, true),
            Some(Entry::File(_)) if truncates => self.step(2, false),
            _ => Ok(()),
        }
    }

    /// After a file was opened.
    pub fn opened(&mut self, fd: c_int, path: &Path, truncates: bool, appends: bool) {
        let handle = match self.names.get(path) {
            Some(Entry::File(file)) => {
                if truncates && self.files[*file].length > 0 {
                    self.files[*file].change(Change::Length(0));
                }
                Handle::File(*file, appends)
            }
            Some(Entry::Folder) => Handle::Folder(path.to_owned()),
            None if path == Path::new("") => Handle::Folder(path.to_owned()),
            None => {
                let file = self.files.len();
                self.files.push(FileState::default());
                self.paths.push(path.to_owned());
                self.rename(NameChange::Add(path.to_owned(), Entry::File(file)));
                Handle::File(file, appends)
            }
        };
        self.handles.insert(fd, handle);
    }

    pub fn handle(&self, fd: c_int) -> Option<&Handle> {
        self.handles.get(&fd)
    }

    pub fn closed(&mut self, fd: c_int) {
        self.handles.remove(&fd);
    }

    pub fn length(&self, file: usize) -> usize {
        self.files[file].length
    }

    pub fn before_write(&mut self, file: usize, offset: usize, count: usize) -> Result<(), c_int> {
        let adds = offset + count > self.files[file].length;
        self.step(3 + 8 * (offset as u64) + ((count as u64) << 40), adds)
    }

    pub fn written(&mut self, file: usize, offset: usize, data: &[u8]) {
        self.files[file].change(Change::Write(offset, data.to_vec()));
    }

    pub fn before_length(&mut self, file: usize, length: usize) -> Result<(), c_int> {
        self.step(4 + 8 * length as u64, length > self.files[file].length)
    }

    pub fn set_length(&mut self, file: usize, length: usize) {
        self.files[file].change(Change::Length(length));
    }

    /// Syncs a file or a folder.
    pub fn sync(&mut self, fd: c_int) -> Result<(), c_int> {
        self.step(5, false)?;
        let forgets = |path: &Path, folder: &str| {
            let text = format!("{}{folder}", path.display());
            self.forgets_syncs_of.as_ref().is_some_and(|part| text.contains(part))
        };
        match self.handles.get(&fd) {
            Some(Handle::File(file, _)) => {
                let file = *file;
                if self.fails_sync_after == Some(0) {
                    self.fails_sync_after = None;
                    self.has_failed = true;
                    self.files[file].since.iter_mut().for_each(|one| one.is_clean = true);
                    return Err(libc::EIO);
                }
                self.fails_sync_after = self.fails_sync_after.map(|left| left - 1);
                if !forgets(&self.paths[file], "") {
                    self.files[file].sync();
                }
            }
            Some(Handle::Folder(folder)) if !forgets(folder, "/") => {
                let (now, later): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut self.since).into_iter().partition(|c| c.folder() == folder);
                self.since = later;
                now.iter().for_each(|change| change.apply(&mut self.synced_names));
            }
            _ => {}
        }
        Ok(())
    }

    /// Before a change of names.
    pub fn before_rename(&mut self, adds: bool) -> Result<(), c_int> {
        self.step(6 + u64::from(adds), adds)
    }

    pub fn created_folder(&mut self, path: &Path) {
        self.rename(NameChange::Add(path.to_owned(), Entry::Folder));
    }

    pub fn linked(&mut self, from: &Path, to: &Path) {
        if let Some(entry) = self.names.get(from).copied() {
            self.rename(NameChange::Add(to.to_owned(), entry));
        }
    }

    pub fn removed(&mut self, path: &Path) {
        self.rename(NameChange::Remove(path.to_owned()));
    }

    pub fn moved(&mut self, from: &Path, to: &Path) {
        if let Some(entry) = self.names.get(from).copied() {
            if let Entry::File(file) = entry {
                self.paths[file] = to.to_owned();
            }
            self.rename(NameChange::Move(from.to_owned(), to.to_owned(), entry));
        }
    }

    /// A new process, on a disk that works again.
    fn start_over(&mut self) {
        self.handles.clear();
        (self.dies_after, self.is_dead, self.is_full, self.has_failed) =
            (None, false, false, false);
        self.fails_sync_after = None;
    }

    /// After the process was killed: what it wrote is in memory, except for some of what a failed
    /// sync left.
    pub fn kill(&mut self, random: &mut ChaCha8Rng) -> io::Result<()> {
        self.start_over();
        let mut forgot = false;
        for file in &mut self.files {
            if file.since.iter().any(|one| one.is_clean) {
                file.lose(random, |one| one.is_clean);
                forgot = true;
            }
        }
        if forgot { self.materialize() } else { Ok(()) }
    }

    /// After a power cut: what was synced is there, and any part of the rest.
    pub fn cut(&mut self, random: &mut ChaCha8Rng) -> io::Result<()> {
        self.start_over();
        for change in std::mem::take(&mut self.since) {
            if random.random() {
                change.apply(&mut self.synced_names);
            }
        }
        // What is in a folder without a name is gone.
        let known = self.synced_names.clone();
        let is_reachable = |path: &Path| {
            let mut above = path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty());
            above.all(|folder| known.get(folder) == Some(&Entry::Folder))
        };
        self.synced_names.retain(|path, _| is_reachable(path));
        self.names = self.synced_names.clone();
        // Torn, a file without syncs is damaged, which is noticed by itself. Whole, but older than it was
        // promised to be, it is not.
        let keeps_whole_files = self.forgets_syncs_of.is_some();
        for file in &mut self.files {
            match keeps_whole_files && random.random() {
                false => file.lose(random, |_| true),
                true if random.random() => {}
                true => {
                    file.since.clear();
                    file.length = file.synced.len();
                }
            }
            file.synced = file.in_memory();
            file.since.clear();
        }
        self.materialize()
    }

    /// Writes what memory has into the directory.
    fn materialize(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.root)? {
            let path = entry?.path();
            if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
        }
        for (path, entry) in &self.names {
            match entry {
                Entry::Folder => std::fs::create_dir(self.root.join(path))?,
                Entry::File(file) => {
                    std::fs::write(self.root.join(path), self.files[*file].in_memory())?;
                }
            }
        }
        Ok(())
    }
}
