//! The journal of an execution: its start and its events, a line of JSON each. An event
//! is synced before it is applied.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::outstanding::Outstanding;
use crate::definition::Machine;
use crate::execution::{Execution, Start, TimedEvent, start, step};
use crate::problem::InvalidDefinition;

/// Version of the journal's format.
const FORMAT: u32 = 1;

/// The first line of a journal.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    definition: Value,
    start: Start,
}

/// An error while reading a journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The journal.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A line is damaged.
    #[error("{path}, line {line}: {problem}")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// Description of the damage.
        problem: String,
    },
    /// The definition in the journal is not valid.
    #[error("{path}: {source}")]
    Definition {
        /// The journal.
        path: PathBuf,
        /// The problems of the definition.
        source: InvalidDefinition,
    },
}

/// A journal, open for appending.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Creates a journal. After a crash it is either complete or missing.
    pub(super) fn create(path: &Path, definition: &Value, start: &Start) -> io::Result<Self> {
        let definition = definition.clone();
        let header = Header { format: FORMAT, definition, start: start.clone() };
        cartwheel_files::replace(path, &line(&header)?)?;
        let file = File::options().append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Opens a journal and removes an incomplete line at its end.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path)?;
        let complete = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let file = File::options().append(true).open(path)?;
        if complete < bytes.len() {
            file.set_len(complete as u64)?;
            file.sync_all()?;
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends an event and waits until it is on disk.
    pub(super) fn append(&mut self, event: &TimedEvent) -> io::Result<()> {
        self.file.write_all(&line(event)?)?;
        self.file.sync_data()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// An execution, restored from its journal.
pub(super) struct Replay {
    pub machine: Machine,
    pub definition: Value,
    pub execution: Execution,
    /// The commands that have no answer yet.
    pub outstanding: Outstanding,
    /// Time of the newest event in UTC milliseconds.
    pub last_ms: i64,
}

impl Replay {
    /// Reads a journal and applies its events.
    pub(super) fn read(path: &Path) -> Result<Self, JournalError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
        let damaged = |line: usize, problem: String| JournalError::Damaged {
            path: path.to_owned(),
            line,
            problem,
        };
        // An incomplete line at the end is a torn write: its event was never applied.
        let complete = text.rfind('\n').map_or("", |at| &text[..=at]);
        let mut lines = complete.lines().zip(1..);
        let (header, _) =
            lines.next().ok_or_else(|| damaged(1, "the journal is empty".to_owned()))?;
        let header: Header =
            serde_json::from_str(header).map_err(|error| damaged(1, error.to_string()))?;
        if header.format != FORMAT {
            let format = header.format;
            let problem = format!("the format is {format}, but this release reads only {FORMAT}");
            return Err(damaged(1, problem));
        }
        let machine = Machine::parse(&header.definition)
            .map_err(|source| JournalError::Definition { path: path.to_owned(), source })?;
        let mut last_ms = header.start.at_ms;
        let mut outstanding = Outstanding::default();
        let (mut execution, commands) = start(&machine, header.start);
        outstanding.add(commands);
        for (line, number) in lines {
            let event: TimedEvent =
                serde_json::from_str(line).map_err(|error| damaged(number, error.to_string()))?;
            last_ms = event.at_ms;
            let (next, commands) = step(&machine, execution, &event);
            execution = next;
            outstanding.add(commands);
        }
        Ok(Self { machine, definition: header.definition, execution, outstanding, last_ms })
    }
}
