//! What happened to an execution, a line each, durable before it counts.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::execution::{Command, Event, Execution, Happened, Start, start, step};
use crate::{Invalid, Machine};

/// Version of the journal's format.
const FORMAT: u32 = 1;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    definition: Value,
    start: Start,
}

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk failed.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is damaged.
    #[error("{path}, line {line}: {problem}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1 on.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The definition in it is not valid.
    #[error("{path}: {source}")]
    Definition {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: Invalid,
    },
}

/// A journal with the execution that it tells of.
pub(super) struct Told {
    pub machine: Machine,
    pub definition: Value,
    pub execution: Execution,
    /// What the execution still wants done.
    pub open: Open,
    /// When the last thing happened.
    pub last_ms: i64,
}

/// Tasks and wake-ups that nothing has answered yet.
#[derive(Debug, Default)]
pub(super) struct Open(std::collections::BTreeMap<u64, Command>);

impl Open {
    /// Takes commands up.
    pub fn add(&mut self, commands: impl IntoIterator<Item = Command>) {
        for command in commands {
            match command {
                Command::Cancel { ticket } => {
                    self.0.remove(&ticket);
                }
                Command::Run(ref run) => {
                    self.0.insert(run.ticket, command);
                }
                Command::Wake { ticket, .. } => {
                    self.0.insert(ticket, command);
                }
            }
        }
    }

    /// Drops what an execution no longer waits for, and gives the rest.
    pub fn awaited(self, execution: &Execution) -> Vec<Command> {
        let all = self.0.into_values();
        all.filter(|command| {
            let answer = match command {
                Command::Run(run) => Event::Succeeded { ticket: run.ticket, output: Value::Null },
                Command::Wake { ticket, .. } | Command::Cancel { ticket } => {
                    Event::Woken { ticket: *ticket }
                }
            };
            execution.concerns(&answer)
        })
        .collect()
    }
}

/// A journal that is written to.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Begins a journal; nothing is there before it is whole.
    pub fn create(path: &Path, definition: &Value, start: &Start) -> io::Result<Self> {
        let head = Head { format: FORMAT, definition: definition.clone(), start: start.clone() };
        let scratch = path.with_extension("new");
        let mut file = File::create(&scratch)?;
        file.write_all(&line(&head)?)?;
        file.sync_all()?;
        std::fs::rename(&scratch, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        let file = File::options().append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Opens a journal to go on, without what a torn write left at its end.
    pub fn open(path: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path)?;
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let file = File::options().append(true).open(path)?;
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
            file.sync_all()?;
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes and syncs.
    pub fn append(&mut self, happened: &Happened) -> io::Result<()> {
        self.file.write_all(&line(happened)?)?;
        self.file.sync_data()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads a journal and goes through what it tells.
pub(super) fn tell(path: &Path) -> Result<Told, JournalError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| JournalError::Io { path: path.to_owned(), source })?;
    let damaged = |line: usize, problem: String| JournalError::Damaged {
        path: path.to_owned(),
        line,
        problem,
    };
    // What follows the last line end was torn, and never acted upon.
    let whole = text.rfind('\n').map_or("", |at| &text[..=at]);
    let mut lines = whole.lines().zip(1..);
    let (head, _) = lines.next().ok_or_else(|| damaged(1, "the journal is empty".to_owned()))?;
    let head: Head = serde_json::from_str(head).map_err(|e| damaged(1, e.to_string()))?;
    if head.format != FORMAT {
        let problem = format!("has format {}, and this release reads {FORMAT}", head.format);
        return Err(damaged(1, problem));
    }
    let machine = Machine::parse(&head.definition)
        .map_err(|source| JournalError::Definition { path: path.to_owned(), source })?;
    let mut last_ms = head.start.at_ms;
    let mut open = Open::default();
    let (mut execution, commands) = start(&machine, head.start);
    open.add(commands);
    for (line, number) in lines {
        let happened: Happened =
            serde_json::from_str(line).map_err(|e| damaged(number, e.to_string()))?;
        last_ms = happened.at_ms;
        let (next, commands) = step(&machine, execution, &happened);
        execution = next;
        open.add(commands);
    }
    Ok(Told { machine, definition: head.definition, execution, open, last_ms })
}
