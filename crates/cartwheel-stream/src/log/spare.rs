//! The next segment's file, filled with zeros before it is needed: filling 64 MiB
//! takes a tenth of a second, for which nobody shall wait.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::disk::Disk;

/// Bytes that are written at once.
const CHUNK: usize = 1 << 20;
/// Chunks between two syncs: small ones, so that a commit meanwhile waits little.
const SYNC_CHUNKS: usize = 2;

/// Where a spare lies until it gets its name.
pub(super) fn scratch(dir: &Path) -> PathBuf {
    dir.join("new-segment")
}

/// Writes a file of zeros and syncs it. A part of one is removed again.
pub(super) fn prepare(
    dir: &Path,
    bytes: u64,
    disk: &dyn Disk,
    given_up: &AtomicBool,
) -> io::Result<File> {
    let path = scratch(dir);
    let filled = fill(&path, bytes, disk, given_up);
    if filled.is_err() {
        // Its space is needed; what cannot be removed is removed next time.
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
    // The size is no more than what reading needs: nothing else has to be synced.
    disk.sync(&file, path)?;
    Ok(file)
}

/// A spare on its way, on a thread of its own.
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

    /// Ends it: nothing writes to the directory after this.
    pub(super) fn give_up(self) {
        self.given_up.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
    }
}
