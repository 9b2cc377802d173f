//! Drives one execution: carries out its commands and feeds it with events.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cartwheel_ambient::Clock;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::directory::{log_path, progress_path};
use super::journal::Journal;
use super::log::Log;
use super::task::{ProgressByState, Reporter, Resources};
use crate::definition::Machine;
use crate::execution::{Command, Event, Execution, Status, TaskRun, TimedEvent, step};
use crate::failure::{Failure, TASK_FAILED};

/// Longest sleep. A change of the system's time takes effect within it.
const MAX_SLEEP: Duration = Duration::from_secs(30);
/// Shortest interval between two writes of the progress file.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// The state that a runner shares with its drivers.
pub(super) struct Shared {
    pub dir: PathBuf,
    pub resources: Arc<dyn Resources>,
    pub clock: Clock,
    pub active: Mutex<ActiveExecutions>,
    /// Set to true to let the drivers end without ending their executions.
    pub stopping: watch::Sender<bool>,
}

/// The running executions, by name.
pub(super) type ActiveExecutions = BTreeMap<String, ActiveExecution>;

/// The runner's connection to a driver.
pub(super) struct ActiveExecution {
    pub events: mpsc::UnboundedSender<Event>,
    /// Counts the applied events. Closes when the driver ends.
    pub changes: watch::Receiver<u64>,
}

/// Drives one execution.
pub(super) struct Driver {
    shared: Arc<Shared>,
    machine: Machine,
    name: String,
    journal: Journal,
    sender: mpsc::UnboundedSender<Event>,
    changes: watch::Sender<u64>,
    tasks: BTreeMap<u64, AbortHandle>,
    timers: BTreeSet<Timer>,
    progress: watch::Sender<ProgressByState>,
    log: Arc<Log>,
}

/// A requested wake-up. The earliest orders first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at_ms: i64,
    ticket: u64,
}

impl Driver {
    /// Starts to drive an execution in the background. `commands` are those that it waits
    /// for.
    pub(super) fn spawn(
        shared: &Arc<Shared>,
        active: &mut ActiveExecutions,
        machine: Machine,
        execution: Execution,
        journal: Journal,
        commands: Vec<Command>,
    ) {
        let (sender, events) = mpsc::unbounded_channel();
        let (changes, changes_receiver) = watch::channel(0);
        let name = execution.started().name.clone();
        let connection = ActiveExecution { events: sender.clone(), changes: changes_receiver };
        active.insert(name.clone(), connection);
        let log = Log::open(&log_path(&shared.dir, &name), shared.clock.clone());
        let driver = Self {
            shared: shared.clone(),
            machine,
            name,
            journal,
            sender,
            changes,
            tasks: BTreeMap::new(),
            timers: BTreeSet::new(),
            progress: watch::Sender::new(BTreeMap::new()),
            log: Arc::new(log),
        };
        tokio::spawn(driver.run(execution, events, commands));
    }

    async fn run(
        mut self,
        mut execution: Execution,
        mut events: mpsc::UnboundedReceiver<Event>,
        commands: Vec<Command>,
    ) {
        let mut last_ms = execution.history().last().map_or(i64::MIN, |entry| entry.at_ms);
        let mut stopping = self.shared.stopping.subscribe();
        let progress_file = progress_path(&self.shared.dir, &self.name);
        let progress_writer =
            tokio::spawn(write_progress(progress_file.clone(), self.progress.subscribe()));
        self.carry_out(commands);
        while *execution.status() == Status::Running {
            let event = tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => break,
                event = events.recv() => event,
                event = self.next_wake_up() => event,
            };
            let Some(event) = event else { continue };
            if !execution.accepts(&event) {
                continue;
            }
            // The system's time may go back; the execution's never does.
            let at_ms = self.shared.clock.now_ms().max(last_ms);
            last_ms = at_ms;
            let event = TimedEvent { at_ms, event };
            if let Err(error) = self.journal.append(&event) {
                let path = self.journal.path().display();
                tracing::error!(
                    %error,
                    %path,
                    "cannot write the journal: the execution halts until the next start"
                );
                break;
            }
            let (next, commands) = step(&self.machine, execution, &event);
            execution = next;
            self.carry_out(commands);
            self.changes.send_modify(|count| *count += 1);
        }
        for task in self.tasks.values() {
            task.abort();
        }
        progress_writer.abort();
        // The file is missing when no task has reported.
        let _ = std::fs::remove_file(progress_file);
        self.log_end(execution.status());
        self.shared.active.lock().remove(&self.name);
    }

    fn log_end(&self, status: &Status) {
        let (execution, status_name) = (&self.name, status.name());
        match status.failure() {
            Some(Failure { error, cause }) => {
                tracing::warn!(
                    execution,
                    status = status_name,
                    error,
                    cause,
                    "stopped driving an execution"
                );
            }
            None => tracing::info!(execution, status = status_name, "stopped driving an execution"),
        }
    }

    /// Waits for the earliest timer. `None` asks the caller to wait again.
    async fn next_wake_up(&mut self) -> Option<Event> {
        let Some(&Timer { at_ms, ticket }) = self.timers.first() else {
            return std::future::pending().await;
        };
        let now_ms = self.shared.clock.now_ms();
        if at_ms > now_ms {
            let sleep = Duration::from_millis(at_ms.abs_diff(now_ms)).min(MAX_SLEEP);
            tokio::time::sleep(sleep).await;
            return None;
        }
        self.timers.pop_first();
        Some(Event::Woken { ticket })
    }

    fn carry_out(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Wake { ticket, at_ms } => {
                    self.timers.insert(Timer { at_ms, ticket });
                }
                Command::Cancel { ticket } => {
                    if let Some(task) = self.tasks.remove(&ticket) {
                        task.abort();
                    }
                }
                Command::Run(task) => self.run_task(task),
            }
        }
    }

    fn run_task(&mut self, task: TaskRun) {
        let (ticket, state) = (task.ticket, task.state.clone());
        let (sender, progress) = (self.sender.clone(), self.progress.clone());
        let reporter = Reporter::new(&task, progress.clone(), sender.clone(), self.log.clone());
        let result = self.shared.resources.run(&self.name, task, reporter);
        let task = tokio::spawn(async move {
            // A tokio task of its own turns a panic into a failure.
            let mut tasks = JoinSet::from_iter([result]);
            let event = match tasks.join_next().await {
                Some(Ok(Ok(output))) => Event::Succeeded { ticket, output },
                Some(Ok(Err(failure))) => Event::Failed { ticket, failure },
                _ => {
                    let failure = Failure::new(TASK_FAILED, "The task panicked.");
                    Event::Failed { ticket, failure }
                }
            };
            progress.send_modify(|all| {
                all.remove(&state);
            });
            // Sending fails only after the execution has ended.
            let _ = sender.send(event);
        });
        self.tasks.insert(ticket, task.abort_handle());
    }
}

/// Keeps a file with the progress of running tasks, for other processes to read.
async fn write_progress(path: PathBuf, mut progress: watch::Receiver<ProgressByState>) {
    while progress.changed().await.is_ok() {
        let current = progress.borrow_and_update().clone();
        if let Err(error) = replace_unsynced(&path, &current) {
            tracing::debug!(%error, path = %path.display(), "cannot write the progress file");
        }
        tokio::time::sleep(PROGRESS_INTERVAL).await;
    }
}

/// Replaces the progress file as a whole. It needs no sync: it is worthless after a crash.
fn replace_unsynced(path: &Path, progress: &ProgressByState) -> io::Result<()> {
    let scratch = path.with_extension("progress-new");
    std::fs::write(&scratch, serde_json::to_vec(progress)?)?;
    std::fs::rename(&scratch, path)
}
