//! One execution: where it stands, and what an event does to it. No clock, no I/O.

mod turn;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::definition::Machine;
use crate::failure::{Failure, TIMEOUT};
use crate::history::{Entry, Type};
use crate::scope::Random;
use turn::{Run, Turn, details};

/// Largest payload between states, in bytes of JSON.
pub const MAX_PAYLOAD: usize = 256 * 1024;
/// Most entries of a history; an execution that needs more fails.
pub const MAX_HISTORY: usize = 25_000;

/// Something that happened to an execution, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// UTC milliseconds. Never decreases.
    pub at_ms: i64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen to an execution. A ticket that is no longer open changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A task gave its result.
    Succeeded {
        /// The task.
        ticket: u64,
        /// Its result.
        output: Value,
    },
    /// A task failed.
    Failed {
        /// The task.
        ticket: u64,
        /// Why.
        #[serde(flatten)]
        failure: Failure,
    },
    /// A task is alive.
    Heartbeat {
        /// The task.
        ticket: u64,
    },
    /// The time of a [`Command::Wake`] has come.
    Woken {
        /// As in the command.
        ticket: u64,
    },
    /// Somebody ends the execution.
    Stop {
        /// Why.
        #[serde(flatten)]
        failure: Failure,
    },
    /// What failed is to be tried again; what succeeded stays.
    Redrive,
}

/// What an execution wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Run a task; answer with `Succeeded` or `Failed`.
    Run(TaskRun),
    /// Nobody waits for the task any more.
    Cancel {
        /// The task.
        ticket: u64,
    },
    /// Send `Woken` at that time.
    Wake {
        /// To send back.
        ticket: u64,
        /// UTC milliseconds.
        at_ms: i64,
    },
}

/// A task to run.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRun {
    /// To answer with.
    pub ticket: u64,
    /// The state.
    pub state: String,
    /// What runs it, an ARN.
    pub resource: String,
    /// Its parameters.
    pub input: Value,
    /// How often it was tried before.
    pub attempt: u32,
}

/// How an execution stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It goes on.
    Running,
    /// It ended with a result.
    Succeeded {
        /// The result.
        output: Value,
    },
    /// It ended with an error.
    Failed(Failure),
    /// It took longer than its `TimeoutSeconds`.
    TimedOut(Failure),
    /// It was stopped.
    Aborted(Failure),
}

impl Status {
    /// The name that AWS gives it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded { .. } => "SUCCEEDED",
            Self::Failed(_) => "FAILED",
            Self::TimedOut(_) => "TIMED_OUT",
            Self::Aborted(_) => "ABORTED",
        }
    }

    /// Why it did not succeed.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(f) | Self::TimedOut(f) | Self::Aborted(f) => Some(f),
            _ => None,
        }
    }
}

/// How to start an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Name of the execution.
    pub name: String,
    /// Name of the state machine.
    pub machine: String,
    /// The input.
    pub input: Value,
    /// When, UTC milliseconds.
    pub at_ms: i64,
    /// Where its random numbers begin.
    pub seed: u64,
}

/// One execution.
#[derive(Debug, Clone)]
pub struct Execution {
    start: Start,
    status: Status,
    /// The machine's deadline.
    deadline: Option<u64>,
    root: Thread,
    book: Book,
}

/// What all threads of an execution share.
#[derive(Debug, Clone)]
struct Book {
    random: Random,
    tickets: u64,
    history: Vec<Entry>,
    redrives: u32,
}

/// One walk through a machine: the execution's, a branch's or an item's.
#[derive(Debug, Clone)]
struct Thread {
    state: String,
    /// The state's raw input.
    input: Value,
    entered_ms: i64,
    /// Tries of each retrier of the state.
    tries: Vec<u64>,
    /// The item of the innermost Map: index and value.
    item: Option<(usize, Value)>,
    /// The entry of the history that led here.
    last: u64,
    doing: Doing,
}

#[derive(Debug, Clone)]
enum Doing {
    Task {
        ticket: u64,
        deadline: Option<u64>,
        heartbeat: Option<(u64, u64)>,
    },
    /// A Wait state.
    Wait {
        ticket: u64,
    },
    /// Waiting for the next try.
    Retry {
        ticket: u64,
    },
    /// Threads of a Parallel or a Map.
    Threads(Threads),
    /// Failed, or ended with a sibling.
    Stopped,
}

#[derive(Debug, Clone)]
struct Threads {
    slots: Vec<Slot>,
    /// Most that run at once.
    limit: usize,
    /// Failures that are borne, and those that were.
    tolerated: usize,
    failed: usize,
}

#[derive(Debug, Clone)]
enum Slot {
    Waiting {
        input: Value,
        item: Option<(usize, Value)>,
    },
    Running(Box<Thread>),
    Done(Value),
    /// A failure that is borne.
    Borne,
}

/// Starts an execution of `machine`.
pub fn start(machine: &Machine, start: Start) -> (Execution, Vec<Command>) {
    let now_ms = start.at_ms;
    let random = Random(start.seed);
    let book = Book { random, tickets: 0, history: Vec::new(), redrives: 0 };
    let root = Thread::new(machine, start.input.clone(), None, 0, now_ms);
    let mut execution = Execution { start, status: Status::Running, deadline: None, root, book };
    let input = execution.start.input.clone();
    let commands = execution.with(now_ms, |run, root, deadline| {
        root.last = run.log(Type::ExecutionStarted, 0, json!({"input": input}));
        *deadline = machine.timeout_seconds.map(|seconds| run.wake(seconds));
        Some(run.go(machine, root, None))
    });
    (execution, commands)
}

/// What an event does to an execution, and what is to be done now. Neither looks at
/// a clock nor does anything itself: the same events give the same execution.
pub fn step(
    machine: &Machine,
    mut execution: Execution,
    happened: &Happened,
) -> (Execution, Vec<Command>) {
    let running = execution.status == Status::Running;
    let commands = match &happened.event {
        Event::Redrive => {
            if running || matches!(execution.status, Status::Succeeded { .. }) {
                return (execution, Vec::new());
            }
            execution.status = Status::Running;
            execution.book.redrives += 1;
            let count = execution.book.redrives;
            execution.with(happened.at_ms, |run, root, deadline| {
                let details = json!({"redriveCount": count});
                root.last = run.log(Type::ExecutionRedriven, root.last, details);
                *deadline = machine.timeout_seconds.map(|seconds| run.wake(seconds));
                Some(run.redrive(machine, root))
            })
        }
        _ if !running => Vec::new(),
        Event::Stop { failure } => {
            execution.end(happened.at_ms, Type::ExecutionAborted, Status::Aborted(failure.clone()))
        }
        Event::Woken { ticket } if execution.deadline == Some(*ticket) => {
            let failure = Failure::new(TIMEOUT, "The execution took longer than TimeoutSeconds.");
            execution.end(happened.at_ms, Type::ExecutionTimedOut, Status::TimedOut(failure))
        }
        event => execution.with(happened.at_ms, |run, root, _| run.deliver(machine, root, event)),
    };
    (execution, commands)
}

impl Execution {
    /// How it was started.
    pub fn started(&self) -> &Start {
        &self.start
    }

    /// How it stands.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// What happened so far, oldest first.
    pub fn history(&self) -> &[Entry] {
        &self.book.history
    }

    /// The states that it is in, outermost first.
    pub fn current(&self) -> Vec<&str> {
        let mut out = Vec::new();
        if self.status == Status::Running {
            self.root.names(&mut out);
        }
        out
    }

    /// Whether an event would change anything.
    pub fn concerns(&self, event: &Event) -> bool {
        let running = self.status == Status::Running;
        match event {
            Event::Stop { .. } => running,
            Event::Redrive => !running && !matches!(self.status, Status::Succeeded { .. }),
            Event::Woken { ticket } if self.deadline == Some(*ticket) => running,
            event => running && self.root.waits_for(event),
        }
    }

    /// Runs `f` and turns what became of the root thread into the status.
    fn with(
        &mut self,
        now_ms: i64,
        f: impl FnOnce(&mut Run<'_>, &mut Thread, &mut Option<u64>) -> Option<Turn>,
    ) -> Vec<Command> {
        let mut run =
            Run { start: &self.start, book: &mut self.book, commands: Vec::new(), now_ms };
        let turn = f(&mut run, &mut self.root, &mut self.deadline);
        match turn {
            None | Some(Turn::Blocked) => {}
            Some(Turn::Done(output)) => {
                run.log(Type::ExecutionSucceeded, self.root.last, json!({"output": output}));
                self.status = Status::Succeeded { output };
            }
            Some(Turn::Failed(failure)) => {
                run.log(Type::ExecutionFailed, self.root.last, details(&failure));
                self.status = Status::Failed(failure);
            }
        }
        run.commands
    }

    fn end(&mut self, now_ms: i64, kind: Type, status: Status) -> Vec<Command> {
        let commands = self.with(now_ms, |run, root, _| {
            run.cancel(root);
            let failure = status.failure().map(details).unwrap_or_default();
            run.log(kind, root.last, failure);
            None
        });
        self.status = status;
        commands
    }
}

impl Thread {
    fn new(
        machine: &Machine,
        input: Value,
        item: Option<(usize, Value)>,
        last: u64,
        now_ms: i64,
    ) -> Self {
        Self {
            state: machine.start_at.clone(),
            input,
            entered_ms: now_ms,
            tries: Vec::new(),
            item,
            last,
            doing: Doing::Stopped,
        }
    }

    fn waits_for(&self, event: &Event) -> bool {
        match (&self.doing, event) {
            (Doing::Threads(threads), event) => threads.slots.iter().any(|slot| match slot {
                Slot::Running(child) => child.waits_for(event),
                _ => false,
            }),
            (Doing::Wait { ticket } | Doing::Retry { ticket }, Event::Woken { ticket: woken }) => {
                ticket == woken
            }
            (Doing::Task { deadline, heartbeat, .. }, Event::Woken { ticket }) => {
                *deadline == Some(*ticket) || heartbeat.is_some_and(|(wake, _)| wake == *ticket)
            }
            (Doing::Task { ticket, heartbeat, .. }, Event::Heartbeat { ticket: alive }) => {
                ticket == alive && heartbeat.is_some()
            }
            (
                Doing::Task { ticket, .. },
                Event::Succeeded { ticket: done, .. } | Event::Failed { ticket: done, .. },
            ) => ticket == done,
            _ => false,
        }
    }

    fn names<'a>(&'a self, out: &mut Vec<&'a str>) {
        out.push(&self.state);
        if let Doing::Threads(threads) = &self.doing {
            for slot in &threads.slots {
                if let Slot::Running(thread) = slot {
                    thread.names(out);
                }
            }
        }
    }
}
