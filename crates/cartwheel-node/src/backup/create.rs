//! Making a backup.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cartwheel_ambient::Clock;
use cartwheel_backup::{Backup, FileEntry, Store};
use cartwheel_lake::DeliveredFiles;
use cartwheel_settings::Stream as StreamSettings;
use cartwheel_stream::{Log, OpenError};

use crate::backup::{files, log, snapshot};
use crate::data_dir::DataDir;
use crate::serve::log_options;

/// How often a copy begins again because files disappeared meanwhile.
const ATTEMPTS: usize = 5;
/// A file that was changed this long before it was read may change again within the same tick of
/// the file system's clock, unnoticed.
const TICK_MS: i64 = 2000;
/// Databases that a running server has open.
const DATABASES: [&str; 2] = ["sessions.redb", "catalogue.redb"];
/// Files of the lake that name others.
const POINTERS: [&str; 3] =
    ["releases/current.json", "releases/previous.json", "imports/current.json"];

/// A new backup.
#[derive(Debug)]
pub struct Created {
    /// The backup.
    pub backup: Backup,
    /// Files whose content the store did not hold before.
    pub new_files: u64,
    /// Bytes that these take in the store.
    pub new_bytes: u64,
}

/// Backs up a data directory, also while a server uses it. `progress` receives the bytes that are
/// done and the total.
///
/// Files that do not change are copied first, without holding anything up. Then upkeep pauses,
/// and everything is copied that is new or has changed since.
///
/// # Errors
/// When a file cannot be read or stored, the server does not answer, or the data directory
/// changes faster than it can be copied. The store has no new backup then.
pub fn create(
    data_dir: &DataDir,
    settings: &StreamSettings,
    store: &mut Store,
    clock: &Clock,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Created> {
    let started_ms = clock.now_ms();
    let name = store.free_name(started_ms)?;
    // Without a server, this process holds the log, so that no server starts meanwhile.
    let (held, has_server) = match Log::open(&data_dir.stream(), log_options(settings)) {
        Ok(log) => (Some(log), false),
        Err(OpenError::Locked(_)) => (None, true),
        Err(error) => return Err(error.into()),
    };
    let known = store.newest()?.map(|newest| newest.files).unwrap_or_default();
    let known = known.into_iter().filter(|file| file.is_settled && store.holds(file));
    let known = known.map(|file| (file.path.clone(), file)).collect();
    let mut copier = Copier { data_dir, clock, store, known, new: (0, 0), progress, done: (0, 0) };
    copier.copy_ahead()?;
    let turn = File::create(data_dir.upkeep_lock()).and_then(|file| file.lock().map(|()| file));
    let _turn = turn.context("upkeep.lock")?;
    let mut attempts = 0;
    let (mut files, log_next) = loop {
        if let Some(files) = copier.copy_all(has_server)? {
            break files;
        }
        attempts += 1;
        if attempts == ATTEMPTS {
            bail!(
                "files of {} disappeared while they were copied, {ATTEMPTS} times: try again when \
                 no import or pipeline runs",
                data_dir.0.display()
            );
        }
    };
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let (new_files, new_bytes) = copier.new;
    let ended_ms = clock.now_ms();
    let release = env!("CARGO_PKG_VERSION").to_owned();
    let backup = Backup { name, started_ms, ended_ms, log_next, release, files };
    store.commit(&backup)?;
    drop(held);
    Ok(Created { backup, new_files, new_bytes })
}

/// Whether another process holds the log.
fn is_held(stream: &Path) -> bool {
    let lock = File::open(stream.join("lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

/// What tells whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    size: u64,
    modified_ns: i64,
    inode: u64,
}

impl State {
    fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        let modified_ns = found.mtime().saturating_mul(1_000_000_000) + found.mtime_nsec();
        Ok(Self { size: found.size(), modified_ns, inode: found.ino() })
    }
}

/// Copies files into the store.
struct Copier<'a> {
    data_dir: &'a DataDir,
    clock: &'a Clock,
    store: &'a mut Store,
    /// Stored files that need not be read again unless they change, by path.
    known: BTreeMap<String, FileEntry>,
    /// Number and bytes of the files that the store did not hold.
    new: (u64, u64),
    progress: &'a mut dyn FnMut(u64, u64),
    /// Bytes that are done, and the total.
    done: (u64, u64),
}

impl Copier<'_> {
    /// Copies what rarely changes: the lake and the older segments.
    fn copy_ahead(&mut self) -> Result<()> {
        let (_, delivered) = self.checkpoint()?;
        let mut ahead = self.lake(&delivered)?;
        let mut segments = log::files(&self.data_dir.stream())?;
        segments.pop();
        ahead.extend(segments.into_iter().filter_map(|path| self.relative(&path)));
        let sizes = ahead.iter().filter_map(|path| self.data_dir.0.join(path).metadata().ok());
        self.done = (0, sizes.map(|found| found.len()).sum());
        for path in ahead {
            if let Some(file) = self.copy(&path, &self.data_dir.0.join(&path), None)?
                && file.is_settled
            {
                self.known.insert(file.path.clone(), file);
            }
        }
        Ok(())
    }

    /// Copies everything in an order that makes the copy consistent, and returns the files with the
    /// sequence number behind the log. `None` if something that is
    /// needed disappeared meanwhile.
    fn copy_all(&mut self, has_server: bool) -> Result<Option<(Vec<FileEntry>, u64)>> {
        self.done = (0, 0);
        let data = self.data_dir.0.clone();
        let stream = self.data_dir.stream();
        let oldest = log::files(&stream)?.into_iter().next();
        let pointers = self.pointers()?;
        let (checkpoint, delivered) = self.checkpoint()?;
        let mut copied = Vec::new();
        if let Some(bytes) = checkpoint {
            let path = self.data_dir.delivery();
            let stored = self.store.put(&path, &*bytes)?;
            let path = "delivery.json".to_owned();
            let (size, sha256) = (stored.size, stored.sha256);
            let modified_ns = self.clock.now_ms().saturating_mul(1_000_000);
            let (inode, is_settled) = (0, false);
            copied.push(FileEntry { path, size, sha256, modified_ns, inode, is_settled });
        }
        for path in files::list(&data)? {
            let is_apart = path.starts_with("lake")
                || path.starts_with("stream")
                || path == Path::new("delivery.json")
                || (has_server && DATABASES.iter().any(|name| path == Path::new(name)));
            if is_apart {
                continue;
            }
            let Some(file) = self.copy(&path, &data.join(&path), None)? else { return Ok(None) };
            copied.push(file);
        }
        if has_server {
            let _copies = snapshot::Copies(self.data_dir);
            snapshot::request(self.data_dir, || is_held(&stream))?;
            for name in DATABASES {
                let copy = self.data_dir.snapshot().join(name);
                copied.extend(self.copy(Path::new(name), &copy, None)?);
            }
        }
        for path in self.lake(&delivered)? {
            let Some(file) = self.copy(&path, &data.join(&path), None)? else { return Ok(None) };
            copied.push(file);
        }
        let (segments, next) = log::segments(&stream)?;
        for segment in segments {
            let Some(path) = self.relative(&segment.path) else { continue };
            let Some(file) = self.copy(&path, &segment.path, segment.until)? else {
                return Ok(None);
            };
            copied.push(file);
        }
        let same =
            log::files(&stream)?.into_iter().next() == oldest && self.pointers()? == pointers;
        Ok(same.then_some((copied, next)))
    }

    fn relative(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.data_dir.0).ok().map(Path::to_owned)
    }

    /// The checkpoint of the delivery, and the files that it counts as delivered.
    fn checkpoint(&self) -> Result<(Option<Vec<u8>>, DeliveredFiles)> {
        let path = self.data_dir.delivery();
        let bytes = read(&path)?;
        let delivered = DeliveredFiles::until(bytes.as_deref());
        Ok((bytes, delivered.with_context(|| path.display().to_string())?))
    }

    /// The files of the lake, relative to the data directory.
    fn lake(&self, delivered: &DeliveredFiles) -> Result<Vec<PathBuf>> {
        let lake = self.data_dir.lake();
        if !lake.exists() {
            return Ok(Vec::new());
        }
        let listed = files::list(&lake).with_context(|| lake.display().to_string())?;
        let included = listed.into_iter().filter(|path| delivered.include(path));
        Ok(included.map(|path| Path::new("lake").join(path)).collect())
    }

    fn pointers(&self) -> Result<Vec<Option<Vec<u8>>>> {
        POINTERS.iter().map(|name| read(&self.data_dir.lake().join(name))).collect()
    }

    /// Stores a file as `path`, unless it has not changed since it was stored. `None` if it does
    /// not exist.
    fn copy(
        &mut self,
        path: &Path,
        source: &Path,
        until: Option<u64>,
    ) -> Result<Option<FileEntry>> {
        let failed = || source.display().to_string();
        let file = match File::open(source) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(failed),
        };
        let name = files::name(path);
        let before = State::of(&file).with_context(failed)?;
        self.done.0 += before.size;
        let known = self.known.get(&name).filter(|known| {
            let State { size, modified_ns, inode } = before;
            until.is_none()
                && (known.size, known.inode) == (size, inode)
                && known.modified_ns == modified_ns
        });
        if let Some(known) = known {
            (self.progress)(self.done.0, self.done.1);
            return Ok(Some(known.clone()));
        }
        let read_ms = self.clock.now_ms();
        let stored = match until {
            Some(until) => {
                let cut = log::cut(file.try_clone().with_context(failed)?, until);
                self.store.put(source, cut.with_context(failed)?)?
            }
            None => self.store.put(source, &file)?,
        };
        let is_whole = until.is_none() && State::of(&file).with_context(failed)? == before;
        let is_old = before.modified_ns / 1_000_000 < read_ms - TICK_MS;
        if stored.is_new {
            self.new = (self.new.0 + 1, self.new.1 + stored.length);
        }
        (self.progress)(self.done.0, self.done.1);
        Ok(Some(FileEntry {
            path: name,
            size: stored.size,
            sha256: stored.sha256,
            modified_ns: before.modified_ns,
            inode: before.inode,
            is_settled: is_whole && is_old,
        }))
    }
}

/// Reads a file, if there is one.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}
