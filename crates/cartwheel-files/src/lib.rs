//! Small files that are replaced as a whole, and records on disk in partitions.

mod checked;
mod partitions;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

pub use checked::{read_checked, with_checksum, without_checksum};
pub use partitions::{FieldReader, PartitionWriter, Partitions, push_text};

/// Replaces the content of `path` and waits until it is on disk. Missing parent directories
/// are created. After a crash the file holds the old content or the new, never a part.
///
/// # Errors
/// When the content cannot be written or renamed; the old content then still stands.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let write = |file: &mut BufWriter<File>| file.write_all(content);
    replace_opened(path, write, File::options().write(true).create(true).truncate(true))
}

/// Replaces the content of `path` as [`replace`] does, by what `write` writes, which need not fit into
/// memory.
///
/// # Errors
/// When `write` fails, or the content cannot be written or renamed; the old content then still
/// stands.
pub fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    replace_opened(path, write, File::options().write(true).create(true).truncate(true))
}

/// Replaces the content of `path` as [`replace`] does. Where the system has such permissions,
/// only the owner may read the file.
///
/// # Errors
/// When the content cannot be written or renamed; the old content then still stands.
pub fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    replace_opened(path, |file| file.write_all(content), &options)
}

/// Replaces the JSON object or array in `path` as [`replace`] does, with a checksum.
///
/// # Errors
/// When the content cannot be written or renamed; the old content then still stands.
pub fn replace_checked(path: &Path, json: &[u8]) -> io::Result<()> {
    replace(path, &with_checksum(json))
}

/// Replaces the JSON object or array in `path` as [`replace_private`] does, with a checksum.
///
/// # Errors
/// When the content cannot be written or renamed; the old content then still stands.
pub fn replace_private_checked(path: &Path, json: &[u8]) -> io::Result<()> {
    replace_private(path, &with_checksum(json))
}

fn replace_opened(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    options: &OpenOptions,
) -> io::Result<()> {
    let directory = parent(path);
    create_dir(directory)?;
    let scratch = scratch(path);
    let written = options.open(&scratch).and_then(|file| {
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()
    });
    let written = written.and_then(|()| fs::rename(&scratch, path));
    if let Err(error) = written {
        // The first error is the one to report.
        let _ = fs::remove_file(&scratch);
        return Err(error);
    }
    sync_dir(directory)
}

/// Writes a new file, or over an old one, and waits until its content is on disk. The name
/// of a new file is durable only after [`sync_dir`].
///
/// # Errors
/// When the file cannot be written.
pub fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Waits until the names in a directory are on disk.
///
/// # Errors
/// When the directory cannot be opened or synced.
pub fn sync_dir(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Creates a directory with the parents that it lacks, and waits until their names are on disk.
///
/// # Errors
/// When a directory cannot be created or synced.
pub fn create_dir(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = parent(directory);
    create_dir(above)?;
    match fs::create_dir(directory) {
        // Another thread was faster.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_dir(above),
    }
}

/// The directory that holds `path`.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A hidden name beside `path` that no other writer of this or another process uses.
fn scratch(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}-{}-{number}.new", process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("below").join("state.json");
        replace(&path, b"first").unwrap();
        replace(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");
        replace(&path, b"open").unwrap();
        replace_private(&path, b"private").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"private");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_state_and_no_scratch_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"x").is_err());
        assert!(path.is_dir());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_json_for_every_reader_and_may_lack_the_checksum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        replace_checked(&path, b"{\"next\":7}").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{\"crc32c\":\"2a9661f6\",\"next\":7}");
        assert_eq!(read_checked(&path).unwrap(), b"{\"next\":7}");
        fs::write(&path, b"{\"next\":8}").unwrap();
        assert_eq!(read_checked(&path).unwrap(), b"{\"next\":8}");
        assert_eq!(with_checksum(b"[1]").get(..12), Some(&b"[{\"crc32c\":\""[..]));
        assert_eq!(with_checksum(b"text"), b"text");
    }
}
