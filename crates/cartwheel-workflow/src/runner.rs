//! Runs executions: does what they want done, and writes down what happened before
//! it acts on it.

mod journal;
mod log;

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::execution::{Command, Event, Execution, Happened, Start, Status, TaskRun, start, step};
use crate::{Entry, Failure, Invalid, Machine};
pub use journal::JournalError;
use journal::{Journal, tell};
pub use log::LogLine;
use log::{Log, log_of};

/// UTC milliseconds, from outside.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;
/// What a task gives.
pub type TaskResult = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send>>;

/// Longest sleep: a clock that is set shows within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// Progress is written at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// Heartbeats are passed on at most this often.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// What runs tasks.
pub trait Resources: Send + Sync + 'static {
    /// Whether there is a resource of that name, an ARN.
    fn knows(&self, resource: &str) -> bool;

    /// Runs a task to its end. Dropping the future ends it early. A task may run again
    /// after a crash, so that it has to bear that.
    fn run(&self, execution: &str, task: TaskRun, report: Reporter) -> TaskResult;
}

/// How far a task is.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = StateProgress))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it does.
    pub what: String,
    /// How much is done.
    pub done: u64,
    /// Of how much, where it is known.
    pub total: Option<u64>,
}

/// Where a task reports its progress, which shows that it is alive.
#[derive(Clone)]
pub struct Reporter {
    ticket: u64,
    state: String,
    shown: watch::Sender<BTreeMap<String, Progress>>,
    alive: mpsc::UnboundedSender<Event>,
    last: Arc<Mutex<Option<tokio::time::Instant>>>,
    log: Arc<Log>,
}

impl Reporter {
    /// Notes how far the task is.
    pub fn report(&self, progress: Progress) {
        self.shown.send_modify(|all| {
            all.insert(self.state.clone(), progress);
        });
        let now = tokio::time::Instant::now();
        let mut last = guard(&self.last);
        if last.is_none_or(|last| now - last >= HEARTBEAT_EVERY) {
            *last = Some(now);
            // A runner that has gone needs no heartbeat.
            let _ = self.alive.send(Event::Heartbeat { ticket: self.ticket });
        }
    }

    /// Adds a line to the execution's log, which holds so many bytes and no more.
    pub fn log(&self, text: &str) {
        self.log.line(&self.state, text);
    }
}

/// What a runner refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// Another process runs executions of this directory.
    #[error("{0} is in use: another cartwheel process runs the pipeline")]
    Locked(PathBuf),
    /// An execution is running, and executions of a machine do not overlap.
    #[error("{0} is still running: stop it, or wait until it has ended")]
    Busy(String),
    /// There is an execution of that name.
    #[error("there is an execution {0:?} already")]
    Exists(String),
    /// There is no execution of that name.
    #[error("there is no execution {0:?}")]
    Unknown(String),
    /// What was asked for does not fit how the execution stands.
    #[error("the execution has {0}: {1}")]
    State(&'static str, &'static str),
    /// A name is not possible.
    #[error("{0:?} is not a name: use 1 to 80 letters, digits, - and _")]
    Name(String),
    /// The definition is not valid, or names resources that are not here.
    #[error(transparent)]
    Definition(#[from] Invalid),
    /// A journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The disk failed.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An execution in a list.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RunSummary))]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// Its state machine.
    pub machine: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// When it started, UTC milliseconds.
    pub started_ms: i64,
    /// When it ended, UTC milliseconds.
    pub stopped_ms: Option<i64>,
    /// Error's name, where it failed.
    pub error: Option<String>,
    /// The states that it is in.
    pub current: Vec<String>,
}

/// All of an execution.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Run))]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// As in the list.
    #[serde(flatten)]
    pub summary: Summary,
    /// Its input.
    pub input: Value,
    /// Its output, where it succeeded.
    pub output: Option<Value>,
    /// The error's cause, where it failed.
    pub cause: Option<String>,
    /// How far running tasks are, by state.
    pub progress: BTreeMap<String, Progress>,
    /// The state machine's definition.
    pub definition: Value,
    /// What happened, oldest first.
    pub history: Vec<Entry>,
}

/// How a runner is set up.
#[derive(Clone)]
pub struct RunnerOptions {
    /// The time.
    pub clock: Clock,
    /// Ended executions that are kept; older ones go.
    pub keep: usize,
}

struct Active {
    events: mpsc::UnboundedSender<Event>,
    changed: watch::Receiver<u64>,
}

struct Shared {
    dir: PathBuf,
    resources: Arc<dyn Resources>,
    options: RunnerOptions,
    active: Mutex<BTreeMap<String, Active>>,
    stopping: watch::Sender<bool>,
}

/// Runs executions and keeps their journals in a directory. Cloning is cheap.
#[derive(Clone)]
pub struct Runner {
    shared: Arc<Shared>,
    _lock: Arc<File>,
    resumed: Option<String>,
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> RunnerError + '_ {
    move |source| RunnerError::Io { path: path.to_owned(), source }
}

fn check_name(name: &str) -> Result<(), RunnerError> {
    let fits = (1..=80).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if fits { Ok(()) } else { Err(RunnerError::Name(name.to_owned())) }
}

fn journal_of(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.jsonl"))
}

fn progress_of(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.progress"))
}

/// Executions of a directory, the newest first. Journals that cannot be read are
/// left out and named in the second list.
pub fn list(dir: &Path) -> (Vec<Summary>, Vec<JournalError>) {
    let (mut found, mut damaged) = (Vec::new(), Vec::new());
    let entries = std::fs::read_dir(dir).map(|entries| entries.flatten().collect());
    let entries: Vec<std::fs::DirEntry> = entries.unwrap_or_default();
    for path in entries.iter().map(std::fs::DirEntry::path) {
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            match tell(&path) {
                Ok(told) => found.push(summary(&told.execution, told.last_ms)),
                Err(error) => damaged.push(error),
            }
        }
    }
    found.sort_by(|a, b| (b.started_ms, &b.name).cmp(&(a.started_ms, &a.name)));
    (found, damaged)
}

/// All of an execution of a directory, as far as it is written down.
///
/// # Errors
/// When there is none of that name, or its journal cannot be read.
pub fn describe(dir: &Path, name: &str) -> Result<Description, RunnerError> {
    check_name(name)?;
    let path = journal_of(dir, name);
    if !path.exists() {
        return Err(RunnerError::Unknown(name.to_owned()));
    }
    let told = tell(&path)?;
    let execution = &told.execution;
    let progress = std::fs::read(progress_of(dir, name)).unwrap_or_default();
    let output = match execution.status() {
        Status::Succeeded { output } => Some(output.clone()),
        _ => None,
    };
    Ok(Description {
        summary: summary(execution, told.last_ms),
        input: execution.started().input.clone(),
        output,
        cause: execution.status().failure().map(|failure| failure.cause.clone()),
        progress: serde_json::from_slice(&progress).unwrap_or_default(),
        definition: told.definition,
        history: execution.history().to_vec(),
    })
}

/// The log of an execution of a directory, oldest line first.
///
/// # Errors
/// When there is no execution of that name, or its log cannot be read.
pub fn logs(dir: &Path, name: &str) -> Result<Vec<LogLine>, RunnerError> {
    check_name(name)?;
    if !journal_of(dir, name).exists() {
        return Err(RunnerError::Unknown(name.to_owned()));
    }
    let path = log_of(dir, name);
    log::read(&path).map_err(io_at(&path))
}

fn summary(execution: &Execution, last_ms: i64) -> Summary {
    let start = execution.started();
    let status = execution.status();
    Summary {
        name: start.name.clone(),
        machine: start.machine.clone(),
        status: status.name().to_owned(),
        started_ms: start.at_ms,
        stopped_ms: (*status != Status::Running).then_some(last_ms),
        error: status.failure().map(|failure| failure.error.clone()),
        current: execution.current().into_iter().map(str::to_owned).collect(),
    }
}

impl Runner {
    /// Opens a directory of executions, and goes on with those that have not ended.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When another process has it, or the disk fails.
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
            options,
            active: Mutex::default(),
            stopping: watch::Sender::new(false),
        });
        let mut runner = Self { shared, _lock: Arc::new(lock), resumed: None };
        let (all, damaged) = list(dir);
        for error in damaged {
            tracing::error!(%error, "an execution cannot be read and is left alone");
        }
        for summary in all.iter().filter(|summary| summary.status == "RUNNING") {
            runner.resume(&summary.name)?;
            runner.resumed.get_or_insert_with(|| summary.name.clone());
        }
        Ok(runner)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Starts an execution.
    ///
    /// # Errors
    /// When the definition is not valid here, the name is taken, another execution
    /// of the machine is running, or the disk fails.
    pub fn start(
        &self,
        machine: &str,
        definition: &Value,
        name: &str,
        input: Value,
    ) -> Result<(), RunnerError> {
        check_name(name)?;
        let parsed = Machine::parse(definition)?;
        let unknown: Vec<_> = parsed
            .resources()
            .into_iter()
            .filter(|(_, resource)| !self.shared.resources.knows(resource))
            .map(|(place, resource)| crate::Problem {
                place,
                message: format!("the resource {resource:?} is not known here"),
            })
            .collect();
        if !unknown.is_empty() {
            return Err(Invalid(unknown).into());
        }
        let mut active = guard(&self.shared.active);
        if let Some(running) = active.keys().next() {
            return Err(RunnerError::Busy(running.clone()));
        }
        let path = journal_of(&self.shared.dir, name);
        if path.exists() {
            return Err(RunnerError::Exists(name.to_owned()));
        }
        let at_ms = (self.shared.options.clock)();
        let seed = name.bytes().fold(at_ms as u64, |seed, byte| {
            seed.rotate_left(7).wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte)
        });
        let start_ =
            Start { name: name.to_owned(), machine: machine.to_owned(), input, at_ms, seed };
        let journal = Journal::create(&path, definition, &start_).map_err(io_at(&path))?;
        let (execution, commands) = start(&parsed, start_);
        self.drive(&mut active, parsed, execution, journal, commands);
        drop(active);
        self.forget_old();
        Ok(())
    }

    fn resume(&self, name: &str) -> Result<(), RunnerError> {
        let path = journal_of(&self.shared.dir, name);
        let told = tell(&path)?;
        let journal = Journal::open(&path).map_err(io_at(&path))?;
        let commands = told.open.awaited(&told.execution);
        tracing::info!(execution = name, open = commands.len(), "an execution goes on");
        let mut active = guard(&self.shared.active);
        self.drive(&mut active, told.machine, told.execution, journal, commands);
        Ok(())
    }

    /// Tries again what failed in an execution that did not succeed.
    ///
    /// # Errors
    /// When there is no such execution, it is running or has succeeded, or another
    /// is running.
    pub fn redrive(&self, name: &str) -> Result<(), RunnerError> {
        check_name(name)?;
        let path = journal_of(&self.shared.dir, name);
        if !path.exists() {
            return Err(RunnerError::Unknown(name.to_owned()));
        }
        let told = tell(&path)?;
        match told.execution.status() {
            Status::Running => return Err(RunnerError::State("not ended", "it is running")),
            Status::Succeeded { .. } => {
                return Err(RunnerError::State("succeeded", "there is nothing to redrive"));
            }
            _ => {}
        }
        let mut active = guard(&self.shared.active);
        if let Some(running) = active.keys().next() {
            return Err(RunnerError::Busy(running.clone()));
        }
        let mut journal = Journal::open(&path).map_err(io_at(&path))?;
        let at_ms = (self.shared.options.clock)().max(told.last_ms);
        let happened = Happened { at_ms, event: Event::Redrive };
        journal.append(&happened).map_err(io_at(&path))?;
        let (execution, commands) = step(&told.machine, told.execution, &happened);
        self.drive(&mut active, told.machine, execution, journal, commands);
        Ok(())
    }

    /// Stops an execution.
    ///
    /// # Errors
    /// When it is not running.
    pub fn stop(&self, name: &str, failure: Failure) -> Result<(), RunnerError> {
        let active = guard(&self.shared.active);
        let Some(running) = active.get(name) else {
            check_name(name)?;
            let exists = journal_of(&self.shared.dir, name).exists();
            return Err(if exists {
                RunnerError::State("ended", "there is nothing to stop")
            } else {
                RunnerError::Unknown(name.to_owned())
            });
        };
        // One that ends at this moment needs no stop.
        let _ = running.events.send(Event::Stop { failure });
        Ok(())
    }

    /// Counts what happens to a running execution; none for one that is not running.
    pub fn watch(&self, name: &str) -> Option<watch::Receiver<u64>> {
        guard(&self.shared.active).get(name).map(|active| active.changed.clone())
    }

    /// The execution that was cut off and goes on since the opening; it may have ended by
    /// now.
    pub fn resumed(&self) -> Option<&str> {
        self.resumed.as_deref()
    }

    /// The execution that is running.
    pub fn running(&self) -> Option<String> {
        guard(&self.shared.active).keys().next().cloned()
    }

    /// Waits until an execution has ended.
    pub async fn ended(&self, name: &str) {
        if let Some(mut changed) = self.watch(name) {
            // The sender goes when the execution ends.
            while changed.changed().await.is_ok() {}
        }
    }

    /// Lets go of running executions; the next open goes on with them.
    pub async fn shutdown(&self) {
        self.shared.stopping.send_replace(true);
        let names: Vec<String> = guard(&self.shared.active).keys().cloned().collect();
        for name in names {
            self.ended(&name).await;
        }
    }

    fn drive(
        &self,
        active: &mut BTreeMap<String, Active>,
        machine: Machine,
        execution: Execution,
        journal: Journal,
        commands: Vec<Command>,
    ) {
        let (sender, events) = mpsc::unbounded_channel();
        let (changes, changed) = watch::channel(0);
        let name = execution.started().name.clone();
        active.insert(name.clone(), Active { events: sender.clone(), changed });
        let log = log_of(&self.shared.dir, &name);
        let log = Arc::new(Log::open(log, self.shared.options.clock.clone()));
        let driver = Driver {
            shared: self.shared.clone(),
            machine,
            name,
            journal,
            sender,
            changes,
            tasks: BTreeMap::new(),
            wakes: BTreeMap::new(),
            progress: watch::Sender::new(BTreeMap::new()),
            log,
        };
        tokio::spawn(driver.run(execution, events, commands));
    }

    fn forget_old(&self) {
        let (all, _) = list(&self.shared.dir);
        let ended = all.iter().filter(|summary| summary.stopped_ms.is_some());
        for old in ended.skip(self.shared.options.keep) {
            let path = journal_of(&self.shared.dir, &old.name);
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "an old execution was not removed");
            }
            // Most executions have one; none is as good as removed.
            let _ = std::fs::remove_file(log_of(&self.shared.dir, &old.name));
        }
    }
}

/// Drives one execution.
struct Driver {
    shared: Arc<Shared>,
    machine: Machine,
    name: String,
    journal: Journal,
    sender: mpsc::UnboundedSender<Event>,
    changes: watch::Sender<u64>,
    tasks: BTreeMap<u64, tokio::task::AbortHandle>,
    /// When to wake whom.
    wakes: BTreeMap<(i64, u64), ()>,
    progress: watch::Sender<BTreeMap<String, Progress>>,
    log: Arc<Log>,
}

impl Driver {
    async fn run(
        mut self,
        mut execution: Execution,
        mut events: mpsc::UnboundedReceiver<Event>,
        commands: Vec<Command>,
    ) {
        let mut last_ms = execution.history().last().map_or(i64::MIN, |entry| entry.at_ms);
        let mut stopping = self.shared.stopping.subscribe();
        let shown = tokio::spawn(show(
            progress_of(&self.shared.dir, &self.name),
            self.progress.subscribe(),
        ));
        self.act(commands);
        while *execution.status() == Status::Running {
            let event = tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => break,
                event = events.recv() => event,
                event = self.next_wake() => event,
            };
            let Some(event) = event else { continue };
            if !execution.concerns(&event) {
                continue;
            }
            let at_ms = (self.shared.options.clock)().max(last_ms);
            last_ms = at_ms;
            let happened = Happened { at_ms, event };
            if let Err(error) = self.journal.append(&happened) {
                // It goes on from here when the disk is well and the process starts again.
                let path = self.journal.path().display().to_string();
                tracing::error!(%error, path, "the execution halts: its journal cannot be written");
                break;
            }
            let (next, commands) = step(&self.machine, execution, &happened);
            execution = next;
            self.act(commands);
            self.changes.send_modify(|count| *count += 1);
        }
        for task in self.tasks.values() {
            task.abort();
        }
        shown.abort();
        let _ = std::fs::remove_file(progress_of(&self.shared.dir, &self.name));
        let (name, status) = (&self.name, execution.status().name());
        match execution.status().failure() {
            Some(failure) => {
                tracing::warn!(
                    execution = name,
                    status,
                    error = failure.error,
                    cause = failure.cause,
                    "ended"
                );
            }
            None => tracing::info!(execution = name, status, "ended"),
        }
        guard(&self.shared.active).remove(&self.name);
    }

    async fn next_wake(&mut self) -> Option<Event> {
        let Some((&(at_ms, ticket), ())) = self.wakes.first_key_value() else {
            return std::future::pending().await;
        };
        let now_ms = (self.shared.options.clock)();
        if at_ms > now_ms {
            let sleep = Duration::from_millis(at_ms.abs_diff(now_ms)).min(LONGEST_SLEEP);
            tokio::time::sleep(sleep).await;
            return None;
        }
        self.wakes.pop_first();
        Some(Event::Woken { ticket })
    }

    fn act(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Wake { ticket, at_ms } => {
                    self.wakes.insert((at_ms, ticket), ());
                }
                Command::Cancel { ticket } => {
                    if let Some(task) = self.tasks.remove(&ticket) {
                        task.abort();
                    }
                }
                Command::Run(task) => self.begin(task),
            }
        }
    }

    fn begin(&mut self, task: TaskRun) {
        let (ticket, state) = (task.ticket, task.state.clone());
        let reporter = Reporter {
            ticket,
            state: state.clone(),
            shown: self.progress.clone(),
            alive: self.sender.clone(),
            last: Arc::default(),
            log: self.log.clone(),
        };
        let running = self.shared.resources.run(&self.name, task, reporter);
        let (sender, progress) = (self.sender.clone(), self.progress.clone());
        let task = tokio::spawn(async move {
            // In a task of its own, so that a panic becomes a failure.
            let mut running = tokio::task::JoinSet::from_iter([running]);
            let result = running.join_next().await;
            let event = match result {
                Some(Ok(Ok(output))) => Event::Succeeded { ticket, output },
                Some(Ok(Err(failure))) => Event::Failed { ticket, failure },
                _ => {
                    let failure = Failure::new("States.TaskFailed", "The task broke off.");
                    Event::Failed { ticket, failure }
                }
            };
            progress.send_modify(|all| {
                all.remove(&state);
            });
            let _ = sender.send(event);
        });
        self.tasks.insert(ticket, task.abort_handle());
    }
}

/// Keeps a file with the progress of running tasks, for other processes to look at.
async fn show(path: PathBuf, mut progress: watch::Receiver<BTreeMap<String, Progress>>) {
    while progress.changed().await.is_ok() {
        let now = progress.borrow_and_update().clone();
        let scratch = path.with_extension("progress-new");
        let written = serde_json::to_vec(&now)
            .map_err(io::Error::from)
            .and_then(|bytes| std::fs::write(&scratch, bytes))
            .and_then(|()| std::fs::rename(&scratch, &path));
        if let Err(error) = written {
            tracing::debug!(%error, "progress was not written");
        }
        tokio::time::sleep(PROGRESS_EVERY).await;
    }
}
