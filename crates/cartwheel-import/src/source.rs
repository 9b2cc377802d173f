//! The sources of an import: files, patterns, folders, standard input and content that is kept
//! elsewhere, plain or compressed.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::error::ImportError;

/// Bytes that are looked at to recognise a format and its columns.
const HEAD: u64 = 1 << 20;

/// A file, standard input, or content that is kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Input,
    /// A file.
    File(PathBuf),
    /// Content that is kept elsewhere, such as on S3.
    Stored(Stored),
}

/// Content that the caller opens.
#[derive(Clone)]
pub struct Stored {
    name: String,
    bytes: u64,
    open: Arc<Open>,
}

type Open = dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync;

impl Stored {
    /// Content with a name for messages, its size in bytes, and a function that opens it.
    pub fn new(
        name: impl Into<String>,
        bytes: u64,
        open: impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), bytes, open: Arc::new(open) }
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("name", &self.name).field("bytes", &self.bytes).finish()
    }
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.bytes == other.bytes
    }
}

impl Eq for Stored {}

impl Source {
    /// The sources that an argument names: `-`, a file, the files of a folder, or those that
    /// match a pattern with `*` and `?` in its last step.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn expand(argument: &str) -> Result<Vec<Self>, ImportError> {
        if argument == "-" {
            return Ok(vec![Self::Input]);
        }
        let path = Path::new(argument);
        let unreadable = |error: io::Error| ImportError::source(argument, error);
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let pattern = path.file_name().unwrap_or_default().to_string_lossy();
        let is_pattern = pattern.contains(['*', '?']) && !path.exists();
        if !path.is_dir() && !is_pattern {
            std::fs::metadata(path).map_err(unreadable)?;
            return Ok(vec![Self::File(path.to_owned())]);
        }
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_wanted = if is_pattern { matches(&pattern, &name) } else { true };
            if is_wanted && !name.starts_with('.') && entry.path().is_file() {
                found.push(Self::File(entry.path()));
            }
        }
        found.sort_by_key(Self::name);
        if found.is_empty() {
            return Err(ImportError::source(argument, "there is no such file"));
        }
        Ok(found)
    }

    /// The source's name in messages.
    pub fn name(&self) -> String {
        match self {
            Self::Input => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Stored(stored) => stored.name.clone(),
        }
    }

    /// The size in bytes. `None` for standard input.
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Self::Input => None,
            Self::File(path) => std::fs::metadata(path).ok().map(|metadata| metadata.len()),
            Self::Stored(stored) => Some(stored.bytes),
        }
    }

    /// Opens the source. `digest` takes every byte that is read, as it is stored.
    pub(crate) fn open(&self, digest: &Arc<Mutex<Progress>>) -> Result<Opened, ImportError> {
        let name = self.name();
        let failed = |error: io::Error| ImportError::source(&name, readable(error));
        let raw: Box<dyn Read + Send> = match self {
            Self::Input => Box::new(io::stdin()),
            Self::File(path) => Box::new(File::open(path).map_err(failed)?),
            Self::Stored(stored) => (stored.open)().map_err(failed)?,
        };
        let raw = Counted { inner: raw, progress: Arc::clone(digest) };
        let plain = decompressed(BufReader::with_capacity(1 << 18, raw)).map_err(failed)?;
        let mut head = Vec::new();
        let mut plain = plain;
        plain.by_ref().take(HEAD).read_to_end(&mut head).map_err(failed)?;
        Ok(Opened { name, head, rest: plain })
    }
}

/// Whether a name matches a pattern in which `*` is any text and `?` any character.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = rest.as_str();
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| matches(rest, &name[at..]))
        }
        Some(wanted) => {
            let mut chars = name.chars();
            let is_same = |c: char| wanted == '?' || wanted == c;
            chars.next().is_some_and(is_same) && matches(rest.as_str(), chars.as_str())
        }
    }
}

/// An opened source, decompressed.
pub(crate) struct Opened {
    pub name: String,
    /// The beginning of the content, which [`Self::reader`] returns again.
    pub head: Vec<u8>,
    rest: Box<dyn Read + Send>,
}

impl Opened {
    /// A source whose content was taken.
    pub(crate) fn empty(name: String) -> Self {
        Self { name, head: Vec::new(), rest: Box::new(io::empty()) }
    }

    /// The whole content.
    pub(crate) fn reader(self) -> impl Read + Send {
        Cursor::new(self.head).chain(self.rest)
    }

    /// The whole content in a temporary file, for formats that are not read in one pass.
    pub(crate) fn spooled(self) -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        io::copy(&mut self.reader(), &mut file)?;
        file.flush()?;
        Ok(file)
    }
}

/// What was read of all sources.
#[derive(Default)]
pub(crate) struct Progress {
    /// Bytes as they are stored, before decompression.
    pub bytes: u64,
    /// A hash of these bytes.
    pub digest: Sha256,
}

struct Counted<R> {
    inner: R,
    progress: Arc<Mutex<Progress>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let mut progress = self.progress.lock();
        progress.bytes += n as u64;
        progress.digest.update(&buffer[..n]);
        Ok(n)
    }
}

/// The content of a reader, which may be compressed with gzip or zstd. The end of a truncated
/// file is an error.
fn decompressed(mut raw: impl io::BufRead + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    Ok(match raw.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(raw)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(raw)?),
        _ => Box::new(raw),
    })
}

/// An error of reading, in words that say what to do.
pub(crate) fn readable(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the compressed file ends too early: it is truncated; copy it again".to_owned()
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            format!("the compressed file is damaged: {error}")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_folders_and_files_are_expanded_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv", "c.txt", ".hidden"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let names = |argument: &str| -> Vec<String> {
            let argument = dir.path().join(argument).display().to_string();
            let found = Source::expand(&argument).unwrap();
            found
                .iter()
                .map(|source| source.name().rsplit('/').next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names("*.csv"), ["a.csv", "b.csv"]);
        assert_eq!(names("?.t*"), ["c.txt"]);
        assert_eq!(names(""), ["a.csv", "b.csv", "c.txt"]);
        assert_eq!(names("b.csv"), ["b.csv"]);
        let missing = dir.path().join("d*.csv").display().to_string();
        assert!(Source::expand(&missing).unwrap_err().to_string().contains("no such file"));
        assert_eq!(Source::expand("-").unwrap(), [Source::Input]);
    }

    #[test]
    fn a_truncated_gzip_or_zstd_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let text = "customer,sku\n".repeat(9_000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
        for whole in [gzip, zstd] {
            let path = dir.path().join("data");
            let read = |content: &[u8]| -> Result<String, String> {
                std::fs::write(&path, content).unwrap();
                let source = Source::File(path.clone());
                let opened = source.open(&Arc::default()).map_err(|e| e.to_string())?;
                let mut read = String::new();
                opened.reader().read_to_string(&mut read).map_err(readable)?;
                Ok(read)
            };
            assert_eq!(read(&whole).unwrap(), text);
            let problem = read(&whole[..whole.len() - 9]).unwrap_err();
            assert!(problem.contains("truncated") || problem.contains("damaged"), "{problem}");
        }
    }
}
