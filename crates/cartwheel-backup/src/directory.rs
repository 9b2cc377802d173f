//! Backups in a directory.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cartwheel_files::{replace, sync_dir};

use crate::place::Place;

/// The file that a writer holds.
const LOCK: &str = "lock";
/// The file that is being written.
const SCRATCH: &str = "objects/new";

/// A directory as the place of backups.
#[derive(Debug)]
pub struct Directory {
    dir: PathBuf,
    lock: Option<File>,
    /// Folders with new names that are not synced yet.
    unsynced: BTreeSet<PathBuf>,
}

impl Directory {
    /// The directory `dir`, which a writer makes if it does not exist.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), lock: None, unsynced: BTreeSet::new() }
    }

    /// Lists the files within `folder`, whose name is `name`.
    fn walk(folder: &Path, name: &str, found: &mut Vec<(String, u64)>) -> io::Result<()> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let last = entry.file_name();
            let last = last.to_string_lossy();
            let name = format!("{name}/{last}");
            // A hidden file is left by a process that ended while it wrote.
            if last.starts_with('.') || name == SCRATCH {
                continue;
            }
            match entry.file_type()?.is_dir() {
                true => Self::walk(&entry.path(), &name, found)?,
                false => found.push((name, entry.metadata()?.len())),
            }
        }
        Ok(())
    }

    /// Makes the folder of a file, and notes it for the next sync.
    fn folder(&mut self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.dir).to_owned();
        if !folder.exists() {
            fs::create_dir_all(&folder)?;
            let above = folder.ancestors().skip(1);
            let above = above.take_while(|above| above.starts_with(&self.dir));
            self.unsynced.extend(above.map(Path::to_owned));
        }
        self.unsynced.insert(folder);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        // The innermost first, so that a name is durable before the folder that leads to it.
        while let Some(folder) = self.unsynced.pop_last() {
            sync_dir(&folder)?;
        }
        Ok(())
    }
}

impl Place for Directory {
    fn address(&self, name: &str) -> String {
        match name {
            "" => self.dir.display().to_string(),
            name => self.dir.join(name).display().to_string(),
        }
    }

    fn lock(&mut self) -> io::Result<bool> {
        fs::create_dir_all(&self.dir)?;
        let file = File::create(self.dir.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => self.lock = Some(file),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(true)
    }

    fn is_empty(&self) -> io::Result<bool> {
        let mut others = fs::read_dir(&self.dir)?;
        Ok(others.all(|entry| entry.is_ok_and(|entry| entry.file_name() == LOCK)))
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(File::open(self.dir.join(name))?))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        Self::walk(&self.dir.join(folder), folder, &mut found)?;
        Ok(found)
    }

    fn scratch(&self) -> io::Result<File> {
        let path = self.dir.join(SCRATCH);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::create(path)
    }

    fn keep(&mut self, scratch: File, name: &str) -> io::Result<()> {
        scratch.sync_all()?;
        let path = self.dir.join(name);
        self.folder(&path)?;
        fs::rename(self.dir.join(SCRATCH), path)
    }

    fn discard(&self, _: File) -> io::Result<()> {
        fs::remove_file(self.dir.join(SCRATCH))
    }

    fn settle(&mut self) -> io::Result<()> {
        self.sync()
    }

    fn write(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let path = self.dir.join(name);
        self.folder(&path)?;
        replace(&path, content)?;
        self.sync()
    }

    fn remove(&mut self, names: &[String]) -> io::Result<()> {
        for name in names {
            let path = self.dir.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                removed => removed?,
            }
            self.unsynced.extend(path.parent().map(Path::to_owned));
        }
        self.sync()
    }
}
