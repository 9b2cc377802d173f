//! Prepares the next segment's file by filling it with zeros before it is needed. Filling
//! 64 MiB takes a tenth of a second, too long for a put to wait.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::disk::Disk;

/// Number of bytes per write.
const CHUNK: usize = 1 << 20;
/// Number of chunks between syncs; small, so that a concurrent commit waits only briefly.
const SYNC_CHUNKS: usize = 2;

/// Returns the path of a spare file before it gets its name.
pub(super) fn scratch(dir: &Path) -> PathBuf {
    dir.join("new-segment")
}

/// Writes and syncs a file of zeros. Removes it again after an error.
pub(super) fn prepare(
    dir: &Path,
    bytes: u64,
    disk: &dyn Disk,
    given_up: &AtomicBool,
) -> io::Result<File> {
    let path = scratch(dir);
    let filled = fill(&path, bytes, disk, given_up);
    if filled.is_err() {
        // Its space is needed. If removal fails, the next attempt removes it.
        let _ = disk.remove(&path);
    }
    filled
}

fn fill(path: &Path, bytes: u64, disk: &dyn Disk, given_up: &AtomicBool) -> io::Result<File> {
    disk.remove(path)?;
    let file = disk.create(path)?;
    let zeros = vec![0; CHUNK.min(bytes as usize)];
    let mut done = 0;
    for chunk in 1.. {
        if given_up.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = (bytes - done).min(zeros.len() as u64);
        disk.write(&file, path, done, &zeros[..n as usize])?;
        done += n;
        if done == bytes {
            break;
        }
        if chunk % SYNC_CHUNKS == 0 {
            disk.sync(&file, path)?;
        }
    }
    // `sync_data` also syncs the size, since reading needs it.
    disk.sync(&file, path)?;
    Ok(file)
}

/// A spare file that a separate thread is preparing.
pub(super) struct Spare {
    thread: JoinHandle<io::Result<File>>,
    given_up: Arc<AtomicBool>,
}

impl Spare {
    pub(super) fn start(dir: &Path, bytes: u64, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let given_up = Arc::new(AtomicBool::new(false));
        let (dir, stop) = (dir.to_owned(), given_up.clone());
        let thread = std::thread::Builder::new().name("log-spare".to_owned());
        let thread = thread.spawn(move || prepare(&dir, bytes, &*disk, &stop))?;
        Ok(Self { thread, given_up })
    }

    /// Waits for the file.
    pub(super) fn take(self) -> io::Result<File> {
        let file = self.thread.join();
        file.unwrap_or_else(|_| Err(io::Error::other("the thread that fills a segment panicked")))
    }

    /// Cancels the preparation. Nothing writes to the directory after this returns.
    pub(super) fn give_up(self) {
        self.given_up.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}
