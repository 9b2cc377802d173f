//! Runs executions durably: one directory, one journal for each execution.

mod directory;
mod driver;
mod error;
mod journal;
mod log;
mod outstanding;
mod task;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use cartwheel_ambient::Clock;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use crate::definition::Machine;
use crate::execution::{self, Event, Start, Status, TimedEvent};
use crate::failure::Failure;
use crate::problem::{InvalidDefinition, Problem};
pub use directory::{Description, Listing, Summary, describe, is_open, list, logs};
use directory::{check_name, existing_journal, journal_path, log_path};
use driver::{ActiveExecutions, Driver, Shared};
pub use error::RunnerError;
use error::io_at;
pub use journal::JournalError;
use journal::{Journal, Replay};
pub use log::LogLine;
pub use task::{Progress, Reporter, Resources, TaskResult};

/// The options of a runner.
#[derive(Clone)]
pub struct RunnerOptions {
    /// Source of the current time.
    pub clock: Clock,
    /// Number of ended executions to keep. Older ones are deleted.
    pub keep: usize,
}

/// Runs the executions of a directory, one at a time. Cloning is cheap.
#[derive(Clone)]
pub struct Runner {
    shared: Arc<Shared>,
    keep: usize,
    /// Holds the directory's lock as long as a clone exists.
    _lock: Arc<File>,
    resumed: Option<String>,
}

impl Runner {
    /// Opens a directory of executions and resumes those that have not ended. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// When another process has opened the directory, or a file cannot be read or written.
    pub fn open(
        dir: &Path,
        resources: Arc<dyn Resources>,
        options: RunnerOptions,
    ) -> Result<Self, RunnerError> {
        std::fs::create_dir_all(dir).map_err(io_at(dir))?;
        let lock = File::create(dir.join("lock")).map_err(io_at(dir))?;
        if lock.try_lock().is_err() {
            return Err(RunnerError::Locked(dir.to_owned()));
        }
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            resources,
            clock: options.clock,
            active: Mutex::default(),
            stopping: watch::Sender::new(false),
        });
        let mut runner = Self { shared, keep: options.keep, _lock: Arc::new(lock), resumed: None };
        let Listing { executions, damaged } = list(dir);
        for error in damaged {
            tracing::error!(%error, "cannot read the journal of an execution: it is left alone");
        }
        for summary in executions.iter().filter(|summary| summary.status == "RUNNING") {
            runner.resume(&summary.name)?;
            runner.resumed.get_or_insert_with(|| summary.name.clone());
        }
        Ok(runner)
    }

    /// The directory of executions.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Starts an execution.
    ///
    /// # Errors
    /// When the definition is not valid, a resource is missing, the name is not valid or
    /// taken, another execution is running, or a file cannot be written.
    pub fn start(
        &self,
        machine: &str,
        definition: &Value,
        name: &str,
        input: Value,
    ) -> Result<(), RunnerError> {
        check_name(name)?;
        let parsed = Machine::parse(definition)?;
        self.check_resources(&parsed)?;
        let mut active = self.shared.active.lock();
        check_idle(&active)?;
        let path = journal_path(&self.shared.dir, name);
        if path.exists() {
            return Err(RunnerError::Exists(name.to_owned()));
        }
        let at_ms = self.shared.clock.now_ms();
        let start = Start {
            name: name.to_owned(),
            machine: machine.to_owned(),
            input,
            at_ms,
            seed: seed(name, at_ms),
        };
        let journal = Journal::create(&path, definition, &start).map_err(io_at(&path))?;
        let (execution, commands) = execution::start(&parsed, start);
        Driver::spawn(&self.shared, &mut active, parsed, execution, journal, commands);
        drop(active);
        self.delete_old();
        Ok(())
    }

    fn check_resources(&self, machine: &Machine) -> Result<(), InvalidDefinition> {
        let resources = machine.resources().into_iter();
        let problems: Vec<Problem> = resources
            .filter(|task| !self.shared.resources.knows(task.resource))
            .map(|task| Problem {
                message: format!("the runner has no resource {:?}", task.resource),
                place: task.place,
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(InvalidDefinition(problems)) }
    }

    fn resume(&self, name: &str) -> Result<(), RunnerError> {
        let path = journal_path(&self.shared.dir, name);
        let Replay { machine, execution, outstanding, .. } = Replay::read(&path)?;
        let journal = Journal::open(&path).map_err(io_at(&path))?;
        let commands = outstanding.awaited(&execution);
        tracing::info!(execution = name, commands = commands.len(), "resuming an execution");
        let mut active = self.shared.active.lock();
        Driver::spawn(&self.shared, &mut active, machine, execution, journal, commands);
        Ok(())
    }

    /// Retries the failed parts of an execution that did not succeed.
    ///
    /// # Errors
    /// When no execution has the name, it is running or has succeeded, another execution
    /// is running, or a file cannot be read or written.
    pub fn redrive(&self, name: &str) -> Result<(), RunnerError> {
        let path = existing_journal(&self.shared.dir, name)?;
        let Replay { machine, execution, last_ms, .. } = Replay::read(&path)?;
        match execution.status() {
            Status::Running => {
                let message = "is still running: stop it or wait until it ends";
                return Err(RunnerError::State(message));
            }
            Status::Succeeded { .. } => {
                return Err(RunnerError::State("has succeeded: there is nothing to redrive"));
            }
            Status::Failed(_) | Status::TimedOut(_) | Status::Aborted(_) => {}
        }
        let mut active = self.shared.active.lock();
        check_idle(&active)?;
        let mut journal = Journal::open(&path).map_err(io_at(&path))?;
        let at_ms = self.shared.clock.now_ms().max(last_ms);
        let event = TimedEvent { at_ms, event: Event::Redrive };
        journal.append(&event).map_err(io_at(&path))?;
        let (execution, commands) = execution::step(&machine, execution, &event);
        Driver::spawn(&self.shared, &mut active, machine, execution, journal, commands);
        Ok(())
    }

    /// Stops an execution.
    ///
    /// # Errors
    /// When no execution has the name, or it has ended.
    pub fn stop(&self, name: &str, failure: Failure) -> Result<(), RunnerError> {
        let active = self.shared.active.lock();
        let Some(running) = active.get(name) else {
            existing_journal(&self.shared.dir, name)?;
            return Err(RunnerError::State("has already ended: there is nothing to stop"));
        };
        // Sending fails only when the execution ends at this moment.
        let _ = running.events.send(Event::Stop { failure });
        Ok(())
    }

    /// Counts the events of a running execution. `None` when no such execution is running.
    pub fn watch(&self, name: &str) -> Option<watch::Receiver<u64>> {
        self.shared.active.lock().get(name).map(|active| active.changes.clone())
    }

    /// The execution that [`open`](Self::open) resumed. It may have ended since.
    pub fn resumed(&self) -> Option<&str> {
        self.resumed.as_deref()
    }

    /// The running execution.
    pub fn running(&self) -> Option<String> {
        self.shared.active.lock().keys().next().cloned()
    }

    /// Waits until an execution has ended.
    pub async fn ended(&self, name: &str) {
        if let Some(mut changes) = self.watch(name) {
            // The driver drops the sender when the execution ends.
            while changes.changed().await.is_ok() {}
        }
    }

    /// Lets go of the running executions. The next [`open`](Self::open) resumes them.
    pub async fn shutdown(&self) {
        self.shared.stopping.send_replace(true);
        let names: Vec<String> = self.shared.active.lock().keys().cloned().collect();
        for name in names {
            self.ended(&name).await;
        }
    }

    /// Deletes the oldest ended executions beyond the number to keep.
    fn delete_old(&self) {
        let executions = list(&self.shared.dir).executions;
        let ended = executions.iter().filter(|summary| summary.stopped_ms.is_some());
        for old in ended.skip(self.keep) {
            let path = journal_path(&self.shared.dir, &old.name);
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "cannot delete an old execution");
            }
            // A log that was never written is missing.
            let _ = std::fs::remove_file(log_path(&self.shared.dir, &old.name));
        }
    }
}

fn check_idle(active: &ActiveExecutions) -> Result<(), RunnerError> {
    active.keys().next().map_or(Ok(()), |running| Err(RunnerError::Busy(running.clone())))
}

/// The seed of an execution's random numbers.
fn seed(name: &str, at_ms: i64) -> u64 {
    name.bytes().fold(at_ms as u64, |seed, byte| {
        seed.rotate_left(7).wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
    })
}
