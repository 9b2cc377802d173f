//! Copying the event log while a server appends to it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cartwheel_stream::LogFiles;

/// A segment of the log, as far as a backup holds it.
#[derive(Debug)]
pub(super) struct Segment {
    pub path: PathBuf,
    /// Bytes from the start of the file; zeros follow. `None` for the whole file.
    pub until: Option<u64>,
}

/// The segments with every record that is in the log now, and the sequence number behind them.
///
/// The end is looked up first and the files are read afterwards, so the records before the end
/// are complete when they are read. What follows may be written at that moment, and stays out.
pub(super) fn segments(dir: &Path) -> Result<(Vec<Segment>, u64)> {
    let end = LogFiles::at_end(dir)?;
    let (last, offset) = end.position().context("the log has no segment")?;
    let mut found = Vec::new();
    for path in files(dir)? {
        let is_last = path == last;
        found.push(Segment { path, until: is_last.then_some(offset) });
        if is_last {
            break;
        }
    }
    Ok((found, end.next()))
}

/// The files of segments, the oldest first: their names begin with their first sequence number.
pub(super) fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    let paths = entries.into_iter().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|x| x == "log")).collect();
    paths.sort();
    Ok(paths)
}

/// The content of a segment that ends at `until`, in a file of the same size.
pub(super) fn cut(file: File, until: u64) -> io::Result<impl Read> {
    let size = file.metadata()?.len();
    Ok(file.take(until).chain(io::repeat(0).take(size.saturating_sub(until))))
}
