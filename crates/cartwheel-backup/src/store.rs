//! Writing and reading backups.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::error::BackupError;
use crate::manifest::{Backup, FileEntry};
use crate::place::Place;
use crate::seal::{Key, Sealer, unseal};

/// The format that this release writes. Since format 2, objects end with their last byte that is not
/// zero.
const FORMAT: u32 = 2;
/// The file that describes the store.
const DESCRIPTION: &str = "cartwheel-backup.json";
/// Bytes that are copied at once.
const PIECE: usize = 256 << 10;

/// What a [`Store`] is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading backups.
    Read,
    /// Writing and removing backups. A place that is missing or empty is made a store.
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
    /// Bytes that it takes in the store: fewer if it ends with zeros, more if it is encrypted.
    pub length: u64,
    /// Whether the store did not hold it before.
    pub is_new: bool,
}

/// Backups in a directory or a bucket.
#[derive(Debug)]
pub struct Store {
    pub(crate) place: Box<dyn Place>,
    key: Option<Key>,
    /// For writing: the objects in the place, with their bytes.
    pub(crate) held: BTreeMap<String, u64>,
}

impl Store {
    /// Opens the store in a place, with its key if it is encrypted. A new store is encrypted if a
    /// key is given.
    ///
    /// # Errors
    /// When the place holds no backups, has another key or another format, cannot be read, or,
    /// for writing, another process writes to it.
    pub fn open(
        mut place: Box<dyn Place>,
        key: Option<Key>,
        access: Access,
    ) -> Result<Self, BackupError> {
        let address = place.address("");
        let failed = BackupError::io(&address);
        if access == Access::Write && !place.lock().map_err(&failed)? {
            return Err(BackupError::Locked(address));
        }
        let found = match read(&*place, DESCRIPTION).map_err(&failed)? {
            Some(description) => serde_json::from_slice(&description)
                .map_err(|error| BackupError::damaged(place.address(DESCRIPTION), error))?,
            None if access == Access::Read => return Err(BackupError::Missing(address)),
            None if !place.is_empty().map_err(&failed)? => {
                return Err(BackupError::Foreign(address));
            }
            None => Description { format: 0, key_check: key.as_ref().map(Key::check) },
        };
        if found.format > FORMAT {
            return Err(BackupError::Later { address, found: found.format });
        }
        match (&key, &found.key_check) {
            (None, None) => {}
            (Some(key), Some(check)) if key.check() == *check => {}
            (Some(_), Some(_)) => return Err(BackupError::WrongKey(address)),
            (Some(_), None) => return Err(BackupError::NoKey(address)),
            (None, Some(_)) => return Err(BackupError::NeedsKey(address)),
        }
        let mut held = BTreeMap::new();
        if access == Access::Write {
            held.extend(place.list("objects").map_err(&failed)?);
            if found.format < FORMAT {
                let new = Description { format: FORMAT, ..found };
                let bytes = serde_json::to_vec(&new).map_err(io::Error::other).map_err(&failed)?;
                place.write(DESCRIPTION, &bytes).map_err(&failed)?;
            }
        }
        Ok(Self { place, key, held })
    }

    /// The names of all backups, the oldest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn names(&self) -> Result<Vec<String>, BackupError> {
        let failed = BackupError::io(&self.place.address("backups"));
        let files = self.place.list("backups").map_err(failed)?;
        let name = |file: String| {
            let name = file.strip_prefix("backups/")?.strip_suffix(".json")?;
            Some(name.to_owned())
        };
        let mut names: Vec<String> = files.into_iter().filter_map(|(file, _)| name(file)).collect();
        names.sort();
        Ok(names)
    }

    /// Reads a backup's description.
    ///
    /// # Errors
    /// When there is no such backup, or its file is damaged.
    pub fn backup(&self, name: &str) -> Result<Backup, BackupError> {
        if !self.names()?.iter().any(|known| known == name) {
            let (address, name) = (self.place.address(""), name.to_owned());
            return Err(BackupError::Unknown { address, name });
        }
        let address = self.place.address(&manifest(name));
        let bytes = read(&*self.place, &manifest(name)).map_err(BackupError::io(&address))?;
        let bytes = bytes.unwrap_or_default();
        let mut json = Vec::new();
        match &self.key {
            Some(key) => unseal(key, &*bytes, &mut json)
                .map_err(|error| BackupError::damaged(&address, error))?,
            None => json = bytes,
        }
        Backup::decode(name, &json).map_err(|problem| BackupError::damaged(&address, problem))
    }

    /// The newest backup that can be read, if there is one.
    ///
    /// # Errors
    /// When backups cannot be listed.
    pub fn newest(&self) -> Result<Option<Backup>, BackupError> {
        let names = self.names()?;
        Ok(names.iter().rev().find_map(|name| self.backup(name).ok()))
    }

    /// A name for a backup that begins at `started_ms`, UTC milliseconds, and that no backup has.
    ///
    /// # Errors
    /// When backups cannot be listed.
    pub fn free_name(&self, started_ms: i64) -> Result<String, BackupError> {
        let time = jiff::Timestamp::from_millisecond(started_ms).unwrap_or_default();
        let name = time.strftime("%Y%m%d-%H%M%S").to_string();
        let taken = self.names()?;
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        Ok(names.find(|name| !taken.contains(name)).unwrap_or(name))
    }

    /// The name of the object with the content of this hash.
    pub(crate) fn object(&self, sha256: &str) -> String {
        let name = match &self.key {
            Some(key) => key.name(sha256.as_bytes()),
            None => sha256.to_owned(),
        };
        format!("objects/{}/{name}", name.get(..2).unwrap_or("00"))
    }

    /// Regards all content as missing, so that whatever is put replaces what the store holds.
    pub fn forget(&mut self) {
        self.held.clear();
    }

    /// Stores the bytes of `from`, unless the store holds them.
    ///
    /// # Errors
    /// When `from` cannot be read, as [`BackupError::Io`] with `path`, or the store cannot be
    /// written.
    pub fn put(&mut self, path: &Path, mut from: impl Read) -> Result<Stored, BackupError> {
        let failed = BackupError::io(&self.place.address("objects"));
        let file = BufWriter::new(self.place.scratch().map_err(&failed)?);
        let mut sink = Sink::new(self.key.as_ref(), file).map_err(&failed)?;
        let unreadable = BackupError::io(&path.display().to_string());
        let (mut hash, mut size, mut zeros) = (Context::new(&SHA256), 0, 0);
        let mut piece = vec![0; PIECE];
        loop {
            let read = from.read(&mut piece).map_err(&unreadable)?;
            if read == 0 {
                break;
            }
            let read = &piece[..read];
            hash.update(read);
            size += read.len() as u64;
            // A segment of the log has zeros where its next records will be.
            let end = read.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if end > 0 {
                io::copy(&mut io::repeat(0).take(zeros), &mut sink).map_err(&failed)?;
                sink.write_all(&read[..end]).map_err(&failed)?;
                zeros = 0;
            }
            zeros += (read.len() - end) as u64;
        }
        let sha256 = hex::encode(hash.finish());
        let object = self.object(&sha256);
        let mut written = sink.finish().map_err(&failed)?;
        let length = written.stream_position().map_err(&failed)?;
        // One of another length is damaged, and replaced.
        let is_new = self.held.get(&object) != Some(&length);
        if is_new {
            let failed = BackupError::io(&self.place.address(&object));
            self.place.keep(written, &object).map_err(failed)?;
            self.held.insert(object, length);
        } else {
            self.place.discard(written).map_err(failed)?;
        }
        Ok(Stored { size, sha256, length, is_new })
    }

    /// Whether the store holds the content of a file.
    pub fn holds(&self, file: &FileEntry) -> bool {
        self.held.contains_key(&self.object(&file.sha256))
    }

    /// Makes everything stored so far durable, and then the backup.
    ///
    /// # Errors
    /// When a file cannot be written; there is no new backup then.
    pub fn commit(&mut self, backup: &Backup) -> Result<(), BackupError> {
        let failed = BackupError::io(&self.place.address(&manifest(&backup.name)));
        let json = backup.encode().map_err(io::Error::other).map_err(&failed)?;
        let bytes = match &self.key {
            Some(key) => {
                let mut sealer = Sealer::new(key, Vec::new()).map_err(&failed)?;
                sealer.write_all(&json).and_then(|()| sealer.finish()).map_err(&failed)?
            }
            None => json,
        };
        self.place.settle().map_err(BackupError::io(&self.place.address("")))?;
        self.place.write(&manifest(&backup.name), &bytes).map_err(failed)
    }

    /// Writes the content of a file to `out` and checks it. What is written before an error is
    /// to be thrown away.
    ///
    /// # Errors
    /// When the content is missing or damaged, or `out` fails.
    pub fn get(&self, file: &FileEntry, out: &mut impl Write) -> Result<(), BackupError> {
        let object = self.object(&file.sha256);
        let address = self.place.address(&object);
        let damaged = |problem: &str| BackupError::damaged(&address, problem);
        let opened = match self.place.read(&object) {
            Ok(opened) => BufReader::with_capacity(PIECE, opened),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("it is missing"));
            }
            Err(error) => return Err(BackupError::io(&address)(error)),
        };
        let mut hashed = Hashed { out, hash: Context::new(&SHA256), size: 0 };
        let copied = match &self.key {
            Some(key) => unseal(key, opened, &mut hashed),
            None => io::copy(&mut { opened }, &mut hashed).map(drop),
        };
        let zeros = file.size.saturating_sub(hashed.size);
        let copied =
            copied.and_then(|()| io::copy(&mut io::repeat(0).take(zeros), &mut hashed).map(drop));
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
            Err(error) => Err(BackupError::io(&address)(error)),
            Ok(()) if size != file.size => {
                Err(damaged(&format!("it has {size} bytes instead of {}", file.size)))
            }
            Ok(()) if hex::encode(hash.finish()) != file.sha256 => {
                Err(damaged("its content differs from its hash"))
            }
            Ok(()) => Ok(()),
        }
    }
}

/// The file of a backup.
pub(crate) fn manifest(name: &str) -> String {
    format!("backups/{name}.json")
}

/// Reads a small file, if there is one.
fn read(place: &dyn Place, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = place.read(name).and_then(|mut file| file.read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
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

    fn finish(self) -> io::Result<File> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Sealed(sealer) => sealer.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Sealed(sealer) => sealer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Sealed(sealer) => sealer.flush(),
        }
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
