//! Where a store keeps its files.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

/// A folder of files with names such as `objects/ab/abcd`, steps separated by `/`. Directories
/// and buckets are places; the module `conformance` checks what they promise.
pub trait Place: fmt::Debug + Send {
    /// How messages name a file, or with an empty name the place itself.
    fn address(&self, name: &str) -> String;

    /// Excludes other writers until this value is dropped; false if there is one. Makes the place
    /// if it does not exist.
    ///
    /// # Errors
    /// When the place does not answer.
    fn lock(&mut self) -> io::Result<bool>;

    /// Whether there is no file, or only that of the lock.
    ///
    /// # Errors
    /// When the place does not answer.
    fn is_empty(&self) -> io::Result<bool>;

    /// Reads a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if it does not exist; anything else when the place fails.
    fn read(&self, name: &str) -> io::Result<Box<dyn Read + '_>>;

    /// The names of the files within `folder` and its subfolders, with their bytes. Unfinished
    /// files are left out; a missing folder is empty.
    ///
    /// # Errors
    /// When the place does not answer.
    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>>;

    /// An empty file for the content of [`keep`](Self::keep).
    ///
    /// # Errors
    /// When it cannot be made.
    fn scratch(&self) -> io::Result<File>;

    /// Gives a scratch file a name, replacing a file that has it. It is whole under this name or
    /// absent, and durable after the next [`settle`](Self::settle).
    ///
    /// # Errors
    /// When the place fails; the name has its former file then.
    fn keep(&mut self, scratch: File, name: &str) -> io::Result<()>;

    /// Throws a scratch file away.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn discard(&self, scratch: File) -> io::Result<()>;

    /// Makes durable what was kept. From a failure of this on, nobody knows whether another
    /// writer has begun.
    ///
    /// # Errors
    /// When the place fails, or the lock was lost to another writer.
    fn settle(&mut self) -> io::Result<()>;

    /// Writes a small file durably. It has the former content or the new one, whatever happens.
    ///
    /// # Errors
    /// When the place fails.
    fn write(&mut self, name: &str, content: &[u8]) -> io::Result<()>;

    /// Removes files, durably. A missing one is removed already.
    ///
    /// # Errors
    /// When the place fails; some files may be removed then.
    fn remove(&mut self, names: &[String]) -> io::Result<()>;
}
