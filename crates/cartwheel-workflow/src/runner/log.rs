//! What tasks say while they run: lines of JSON beside the journal. Nothing is read
//! from it but by people, so that it is neither synced nor missed.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::Clock;

/// Most bytes of a log; what comes after is left out.
const MAX_BYTES: u64 = 1 << 20;
/// Most characters of a line.
const MAX_LINE: usize = 2_000;

/// A line that a task wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogLine {
    /// When, UTC milliseconds.
    pub at_ms: i64,
    /// The state whose task wrote it.
    pub state: String,
    /// What.
    pub text: String,
}

pub(super) fn log_of(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.log"))
}

/// An execution's log, open for more.
pub(super) struct Log {
    clock: Clock,
    /// With the bytes written so far; none once a write failed.
    file: Mutex<Option<(File, u64)>>,
}

impl Log {
    /// Opens the log; where that fails, its lines are lost and the execution goes on.
    pub(super) fn open(path: PathBuf, clock: Clock) -> Self {
        let file = File::options().create(true).append(true).open(&path);
        let file = file.and_then(|file| Ok((file.metadata()?.len(), file)));
        let file = match file {
            Ok((length, file)) => Some((file, length)),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "no log is written");
                None
            }
        };
        Self { clock, file: Mutex::new(file) }
    }

    pub(super) fn line(&self, state: &str, text: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((out, bytes)) = file.as_mut().filter(|(_, bytes)| *bytes < MAX_BYTES) else {
            return;
        };
        let mut text: String = text.chars().take(MAX_LINE).collect();
        if *bytes + text.len() as u64 + 256 > MAX_BYTES {
            *bytes = MAX_BYTES;
            "The log is full.".clone_into(&mut text);
        }
        let line = LogLine { at_ms: (self.clock)(), state: state.to_owned(), text };
        let Ok(mut line) = serde_json::to_vec(&line) else { return };
        line.push(b'\n');
        *bytes += line.len() as u64;
        if let Err(error) = out.write_all(&line) {
            tracing::warn!(%error, "a line of a log is lost, and all that follow");
            *file = None;
        }
    }
}

/// Every whole line; a cut one at the end is being written.
pub(super) fn read(path: &Path) -> io::Result<Vec<LogLine>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let lines = bytes.split(|byte| *byte == b'\n');
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}
