//! The log of an execution: lines of JSON beside its journal. Only people read it, so a
//! failed write never fails the execution and the file is not synced.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use cartwheel_ambient::Clock;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Most bytes of a log. Later lines are dropped.
const MAX_BYTES: u64 = 1 << 20;
/// Most characters of a line. The rest is cut off.
const MAX_LINE: usize = 2_000;
/// Most bytes that a line takes beside its text.
const LINE_OVERHEAD: u64 = 256;

/// A line of an execution's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogLine {
    /// Time in UTC milliseconds.
    pub at_ms: i64,
    /// Name of the state whose task wrote the line.
    pub state: String,
    /// Text of the line.
    pub text: String,
}

/// An execution's log, open for appending.
pub(super) struct Log {
    clock: Clock,
    /// `None` after an error.
    file: Mutex<Option<LogFile>>,
}

struct LogFile {
    file: File,
    /// Length of the file.
    bytes: u64,
}

impl Log {
    /// Opens a log. When that fails, the log drops its lines.
    pub(super) fn open(path: &Path, clock: Clock) -> Self {
        let opened = File::options()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|file| Ok(LogFile { bytes: file.metadata()?.len(), file }));
        if let Err(error) = &opened {
            tracing::warn!(%error, path = %path.display(), "cannot open the log of an execution");
        }
        Self { clock, file: Mutex::new(opened.ok()) }
    }

    pub(super) fn append(&self, state: &str, text: &str) {
        let mut log = self.file.lock();
        let Some(LogFile { file, bytes }) = log.as_mut().filter(|log| log.bytes < MAX_BYTES) else {
            return;
        };
        let mut text: String = text.chars().take(MAX_LINE).collect();
        if *bytes + text.len() as u64 + LINE_OVERHEAD > MAX_BYTES {
            *bytes = MAX_BYTES;
            "The log is full.".clone_into(&mut text);
        }
        let line = LogLine { at_ms: self.clock.now_ms(), state: state.to_owned(), text };
        let Ok(mut line) = serde_json::to_vec(&line) else { return };
        line.push(b'\n');
        *bytes += line.len() as u64;
        if let Err(error) = file.write_all(&line) {
            tracing::warn!(%error, "cannot write the log of an execution: later lines are lost");
            *log = None;
        }
    }
}

/// Reads the complete lines of a log. A missing file is an empty log.
pub(super) fn read(path: &Path) -> io::Result<Vec<LogLine>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    // The last line may be incomplete while a task writes it.
    let lines = bytes.split(|byte| *byte == b'\n');
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
}
