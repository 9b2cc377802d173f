//! The directory of executions: names of its files and views of their content.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::error::{RunnerError, io_at};
use super::journal::{JournalError, Replay};
use super::log::{self, LogLine};
use super::task::Progress;
use crate::execution::{Execution, Status};
use crate::history::Entry;

/// Extension of journals.
const JOURNAL: &str = "jsonl";
/// Most characters of an execution's name.
const MAX_NAME: usize = 80;

/// Summary of an execution.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RunSummary))]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the execution.
    pub name: String,
    /// Name of the state machine.
    pub machine: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// Start time in UTC milliseconds.
    pub started_ms: i64,
    /// End time in UTC milliseconds, if the execution has ended.
    pub stopped_ms: Option<i64>,
    /// Name of the error, if the execution did not succeed. A list of Step Functions has none.
    pub error: Option<String>,
    /// Names of the current states. A list of Step Functions has none.
    pub current: Vec<String>,
}

/// An execution in full.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Run))]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// The summary, as in a list.
    #[serde(flatten)]
    pub summary: Summary,
    /// The execution's input.
    pub input: Value,
    /// The execution's output, if it succeeded.
    pub output: Option<Value>,
    /// Cause of the error, if the execution did not succeed.
    pub cause: Option<String>,
    /// Progress of running tasks, by state.
    // utoipa would make a schema of the alias `ProgressByState`.
    pub progress: BTreeMap<String, Progress>,
    /// The state machine's definition.
    pub definition: Value,
    /// The history, oldest entry first.
    pub history: Vec<Entry>,
}

/// The executions of a directory.
#[derive(Debug)]
pub struct Listing {
    /// The readable executions, newest first.
    pub executions: Vec<Summary>,
    /// One error for each journal that cannot be read.
    pub damaged: Vec<JournalError>,
}

/// Lists the executions of a directory. A missing directory has no executions.
pub fn list(dir: &Path) -> Listing {
    let mut listing = Listing { executions: Vec::new(), damaged: Vec::new() };
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    for path in files.map(|file| file.path()) {
        if path.extension().is_some_and(|extension| extension == JOURNAL) {
            match Replay::read(&path) {
                Ok(replay) => listing.executions.push(summary(&replay)),
                Err(error) => listing.damaged.push(error),
            }
        }
    }
    listing.executions.sort_by(|a, b| (b.started_ms, &b.name).cmp(&(a.started_ms, &a.name)));
    listing
}

/// Whether a process has opened the directory. Without one, its running executions are interrupted
/// until the next [`Runner`](crate::Runner) continues them.
pub fn is_open(dir: &Path) -> bool {
    // A free lock is held for a moment only.
    std::fs::File::open(dir.join("lock")).is_ok_and(|lock| lock.try_lock_shared().is_err())
}

/// Describes an execution of a directory, up to the newest event of its journal.
///
/// # Errors
/// When no execution has the name, or its journal cannot be read.
pub fn describe(dir: &Path, name: &str) -> Result<Description, RunnerError> {
    let replay = Replay::read(&existing_journal(dir, name)?)?;
    let execution = &replay.execution;
    let progress = std::fs::read(progress_path(dir, name)).unwrap_or_default();
    let output = match execution.status() {
        Status::Succeeded { output } => Some(output.clone()),
        _ => None,
    };
    Ok(Description {
        summary: summary(&replay),
        input: execution.started().input.clone(),
        output,
        cause: execution.status().failure().map(|failure| failure.cause.clone()),
        progress: serde_json::from_slice(&progress).unwrap_or_default(),
        history: execution.history().to_vec(),
        definition: replay.definition,
    })
}

/// Reads the log of an execution of a directory, oldest line first.
///
/// # Errors
/// When no execution has the name, or its log cannot be read.
pub fn logs(dir: &Path, name: &str) -> Result<Vec<LogLine>, RunnerError> {
    existing_journal(dir, name)?;
    let path = log_path(dir, name);
    log::read(&path).map_err(io_at(&path))
}

fn summary(replay: &Replay) -> Summary {
    let execution: &Execution = &replay.execution;
    let (start, status) = (execution.started(), execution.status());
    Summary {
        name: start.name.clone(),
        machine: start.machine.clone(),
        status: status.name().to_owned(),
        started_ms: start.at_ms,
        stopped_ms: (*status != Status::Running).then_some(replay.last_ms),
        error: status.failure().map(|failure| failure.error.clone()),
        current: execution.current().into_iter().map(str::to_owned).collect(),
    }
}

/// Path of an execution's journal, which has to exist.
pub(super) fn existing_journal(dir: &Path, name: &str) -> Result<PathBuf, RunnerError> {
    check_name(name)?;
    let path = journal_path(dir, name);
    if path.exists() { Ok(path) } else { Err(RunnerError::Unknown(name.to_owned())) }
}

/// Checks that a name is valid and cannot leave the directory.
pub(super) fn check_name(name: &str) -> Result<(), RunnerError> {
    let is_valid = (1..=MAX_NAME).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_valid { Ok(()) } else { Err(RunnerError::Name(name.to_owned())) }
}

pub(super) fn journal_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.{JOURNAL}"))
}

pub(super) fn log_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.log"))
}

pub(super) fn progress_path(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.progress"))
}
