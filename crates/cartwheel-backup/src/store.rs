//! Writing and reading backups.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use cartwheel_files::{replace, sync_dir};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::error::BackupError;
use crate::manifest::{Backup, FileEntry};
use crate::seal::{Key, Sealer, unseal};

/// The format of the directory that this release reads and writes.
const FORMAT: u32 = 1;
/// The file that describes the directory.
const DESCRIPTION: &str = "cartwheel-backup.json";
/// Bytes that are copied at once.
const PIECE: usize = 256 << 10;

/// What a [`Store`] is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading backups.
    Read,
    /// Writing and removing backups. A directory that is missing or empty is made a store.
    Write,
}

/// What the description holds.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    format: u32,
    /// The check of the key; `None` without encryption.
    key_check: Option<String>,
}

/// Content that a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Bytes of the content.
    pub size: u64,
    /// SHA-256 of the content, in hexadecimal digits.
    pub sha256: String,
    /// Whether the store did not hold it before.
    pub is_new: bool,
}

/// A directory of backups.
#[derive(Debug)]
pub struct Store {
    pub(crate) dir: PathBuf,
    key: Option<Key>,
    /// Folders with new objects whose names are not synced yet.
    unsynced: BTreeSet<PathBuf>,
    /// Held while this process may write.
    _lock: Option<File>,
}

impl Store {
    /// Opens the store in `dir`, with its key if it is encrypted. A new store is encrypted if a
    /// key is given.
    ///
    /// # Errors
    /// When the directory holds no backups, has another key or another format, cannot be read,
    /// or, for writing, another process writes to it.
    pub fn open(dir: &Path, key: Option<Key>, access: Access) -> Result<Self, BackupError> {
        let description = dir.join(DESCRIPTION);
        let failed = BackupError::io(dir);
        let mut lock = None;
        if access == Access::Write {
            fs::create_dir_all(dir).map_err(&failed)?;
            let known = ["lock", DESCRIPTION];
            let is_foreign = |entry: fs::DirEntry| {
                !known.iter().any(|name| entry.file_name().as_os_str() == *name)
            };
            if !description.exists()
                && fs::read_dir(dir).map_err(&failed)?.flatten().any(is_foreign)
            {
                return Err(BackupError::Foreign(dir.to_owned()));
            }
            let file = File::create(dir.join("lock")).map_err(&failed)?;
            match file.try_lock() {
                Ok(()) => lock = Some(file),
                Err(TryLockError::WouldBlock) => return Err(BackupError::Locked(dir.to_owned())),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            if !description.exists() {
                let new = Description { format: FORMAT, key_check: key.as_ref().map(Key::check) };
                let bytes = serde_json::to_vec(&new).map_err(io::Error::other).map_err(&failed)?;
                fs::create_dir_all(dir.join("objects")).map_err(&failed)?;
                fs::create_dir_all(dir.join("backups")).map_err(&failed)?;
                replace(&description, &bytes).map_err(BackupError::io(&description))?;
            }
        }
        let bytes = match fs::read(&description) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BackupError::Missing(dir.to_owned()));
            }
            Err(error) => return Err(BackupError::io(&description)(error)),
        };
        let found: Description = serde_json::from_slice(&bytes)
            .map_err(|error| BackupError::damaged(&description, error))?;
        if found.format > FORMAT {
            return Err(BackupError::Later { path: dir.to_owned(), found: found.format });
        }
        match (&key, &found.key_check) {
            (None, None) => {}
            (Some(key), Some(check)) if key.check() == *check => {}
            (Some(_), Some(_)) => return Err(BackupError::WrongKey(dir.to_owned())),
            (Some(_), None) => return Err(BackupError::NoKey(dir.to_owned())),
            (None, Some(_)) => return Err(BackupError::NeedsKey(dir.to_owned())),
        }
        Ok(Self { dir: dir.to_owned(), key, unsynced: BTreeSet::new(), _lock: lock })
    }

    /// The names of all backups, the oldest first.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn names(&self) -> Result<Vec<String>, BackupError> {
        let folder = self.dir.join("backups");
        let failed = BackupError::io(&folder);
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(&failed)? {
            let name = entry.map_err(&failed)?.file_name();
            let name = name.to_string_lossy();
            // A hidden file is left by a process that ended while it wrote.
            let name = name.strip_suffix(".json").filter(|name| !name.starts_with('.'));
            names.extend(name.map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Reads a backup's description.
    ///
    /// # Errors
    /// When there is no such backup, or its file is damaged.
    pub fn backup(&self, name: &str) -> Result<Backup, BackupError> {
        if !self.names()?.iter().any(|known| known == name) {
            let (path, name) = (self.dir.clone(), name.to_owned());
            return Err(BackupError::Unknown { path, name });
        }
        let path = self.manifest(name);
        let bytes = fs::read(&path).map_err(BackupError::io(&path))?;
        let mut json = Vec::new();
        match &self.key {
            Some(key) => unseal(key, &*bytes, &mut json)
                .map_err(|error| BackupError::damaged(&path, error))?,
            None => json = bytes,
        }
        Backup::decode(name, &json).map_err(|problem| BackupError::damaged(&path, problem))
    }

    /// The newest backup that can be read, if there is one.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn newest(&self) -> Result<Option<Backup>, BackupError> {
        let names = self.names()?;
        Ok(names.iter().rev().find_map(|name| self.backup(name).ok()))
    }

    /// A name for a backup that begins at `started_ms`, UTC milliseconds, and that no backup has.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn free_name(&self, started_ms: i64) -> Result<String, BackupError> {
        let time = jiff::Timestamp::from_millisecond(started_ms).unwrap_or_default();
        let name = time.strftime("%Y%m%d-%H%M%S").to_string();
        let taken = self.names()?;
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        Ok(names.find(|name| !taken.contains(name)).unwrap_or(name))
    }

    fn manifest(&self, name: &str) -> PathBuf {
        self.dir.join("backups").join(format!("{name}.json"))
    }

    /// The file of the content with this hash.
    pub(crate) fn object(&self, sha256: &str) -> PathBuf {
        let name = match &self.key {
            Some(key) => key.name(sha256.as_bytes()),
            None => sha256.to_owned(),
        };
        self.dir.join("objects").join(name.get(..2).unwrap_or("00")).join(name)
    }

    /// Stores the bytes of `from`, unless the store holds them.
    ///
    /// # Errors
    /// When `from` cannot be read, as [`BackupError::Io`] with `path`, or the store cannot be
    /// written.
    pub fn put(&mut self, path: &Path, mut from: impl Read) -> Result<Stored, BackupError> {
        let scratch = self.dir.join("objects").join("new");
        let failed = BackupError::io(&scratch);
        let file = BufWriter::new(File::create(&scratch).map_err(&failed)?);
        let mut sink = Sink::new(self.key.as_ref(), file).map_err(&failed)?;
        let (mut hash, mut size) = (Context::new(&SHA256), 0);
        let mut piece = vec![0; PIECE];
        loop {
            let read = from.read(&mut piece).map_err(BackupError::io(path))?;
            if read == 0 {
                break;
            }
            hash.update(&piece[..read]);
            sink.write_all(&piece[..read]).map_err(&failed)?;
            size += read as u64;
        }
        let sha256 = hex::encode(hash.finish());
        let object = self.object(&sha256);
        let written = sink.finish().map_err(&failed)?;
        let length = written.metadata().map_err(&failed)?.len();
        // One of another length is damaged, and replaced.
        let is_new = !fs::metadata(&object).is_ok_and(|known| known.len() == length);
        if is_new {
            written.sync_all().map_err(&failed)?;
            let folder = object.parent().unwrap_or(&self.dir);
            fs::create_dir_all(folder).map_err(BackupError::io(folder))?;
            fs::rename(&scratch, &object).map_err(BackupError::io(&object))?;
            self.unsynced.insert(folder.to_owned());
        } else {
            fs::remove_file(&scratch).map_err(&failed)?;
        }
        Ok(Stored { size, sha256, is_new })
    }

    /// Whether the store holds the content of a file.
    pub fn holds(&self, file: &FileEntry) -> bool {
        self.object(&file.sha256).exists()
    }

    /// Makes everything stored so far durable, and then the backup.
    ///
    /// # Errors
    /// When a file cannot be written; there is no new backup then.
    pub fn commit(&mut self, backup: &Backup) -> Result<(), BackupError> {
        for folder in std::mem::take(&mut self.unsynced) {
            sync_dir(&folder).map_err(BackupError::io(&folder))?;
        }
        let objects = self.dir.join("objects");
        sync_dir(&objects).map_err(BackupError::io(&objects))?;
        let path = self.manifest(&backup.name);
        let failed = BackupError::io(&path);
        let json = backup.encode().map_err(io::Error::other).map_err(&failed)?;
        let bytes = match &self.key {
            Some(key) => {
                let mut sealer = Sealer::new(key, Vec::new()).map_err(&failed)?;
                sealer.write_all(&json).and_then(|()| sealer.finish()).map_err(&failed)?
            }
            None => json,
        };
        replace(&path, &bytes).map_err(&failed)
    }

    /// Writes the content of a file to `out` and checks it. What is written before an error is
    /// to be thrown away.
    ///
    /// # Errors
    /// When the content is missing or damaged, or `out` fails.
    pub fn get(&self, file: &FileEntry, out: &mut impl Write) -> Result<(), BackupError> {
        let path = self.object(&file.sha256);
        let damaged = |problem: &str| BackupError::damaged(&path, problem);
        let opened = match File::open(&path) {
            Ok(opened) => BufReader::with_capacity(PIECE, opened),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("it is missing"));
            }
            Err(error) => return Err(BackupError::io(&path)(error)),
        };
        let mut hashed = Hashed { out, hash: Context::new(&SHA256), size: 0 };
        let copied = match &self.key {
            Some(key) => unseal(key, opened, &mut hashed),
            None => io::copy(&mut { opened }, &mut hashed).map(drop),
        };
        let (hash, size) = (hashed.hash, hashed.size);
        match copied {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Err(damaged(&error.to_string()))
            }
            Err(error) => Err(BackupError::io(&path)(error)),
            Ok(()) if size != file.size => {
                Err(damaged(&format!("it has {size} bytes instead of {}", file.size)))
            }
            Ok(()) if hex::encode(hash.finish()) != file.sha256 => {
                Err(damaged("its content differs from its hash"))
            }
            Ok(()) => Ok(()),
        }
    }

    pub(crate) fn remove_manifest(&self, name: &str) -> Result<(), BackupError> {
        let path = self.manifest(name);
        fs::remove_file(&path).map_err(BackupError::io(&path))?;
        let folder = self.dir.join("backups");
        sync_dir(&folder).map_err(BackupError::io(&folder))
    }
}

/// Where an object is written.
enum Sink {
    Plain(BufWriter<File>),
    Sealed(Box<Sealer<BufWriter<File>>>),
}

impl Sink {
    fn new(key: Option<&Key>, file: BufWriter<File>) -> io::Result<Self> {
        Ok(match key {
            Some(key) => Self::Sealed(Box::new(Sealer::new(key, file)?)),
            None => Self::Plain(file),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes),
            Self::Sealed(sealer) => sealer.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<File> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Sealed(sealer) => sealer.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// Hashes what passes through.
struct Hashed<'a, W> {
    out: &'a mut W,
    hash: Context,
    size: u64,
}

impl<W: Write> Write for Hashed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
