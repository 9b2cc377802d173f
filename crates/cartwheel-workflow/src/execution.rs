//! One execution, and the pure functions that start it and apply events to it.

mod children;
mod delivery;
mod interpreter;
mod payload;
mod protocol;
mod recovery;
mod states;
mod thread;

use serde_json::json;

use crate::definition::Machine;
use crate::failure::{Failure, TIMEOUT};
use crate::history::{Entry, EntryType};
use crate::random::Random;
use interpreter::{Interpreter, SharedState, ThreadStatus, failure_details};
pub use payload::MAX_PAYLOAD;
pub use protocol::{Command, Event, Start, Status, TaskRun, TimedEvent};
use thread::Thread;

/// One execution of a state machine.
#[derive(Debug, Clone)]
pub struct Execution {
    start: Start,
    status: Status,
    /// Ticket of the wake-up at the machine's timeout.
    deadline: Option<u64>,
    root: Thread,
    shared: SharedState,
}

/// Starts an execution of `machine`. Returns it with the first commands.
pub fn start(machine: &Machine, start: Start) -> (Execution, Vec<Command>) {
    let now_ms = start.at_ms;
    let random = Random::new(start.seed);
    let shared = SharedState { random, tickets: 0, history: Vec::new(), redrives: 0 };
    let root = Thread::new(machine, start.input.clone(), None, 0, now_ms);
    let mut execution = Execution { start, status: Status::Running, deadline: None, root, shared };
    let details = json!({"input": execution.start.input});
    let commands = execution.interpret(now_ms, |interpreter, root, deadline| {
        interpreter.log_for(root, EntryType::ExecutionStarted, details);
        *deadline = machine.timeout_seconds.map(|seconds| interpreter.wake_after(seconds));
        Some(interpreter.run(machine, root))
    });
    (execution, commands)
}

/// Applies an event to an execution. Returns the new execution with the commands that
/// follow.
///
/// The function reads no clock and does no I/O: the same events give the same execution.
pub fn step(
    machine: &Machine,
    mut execution: Execution,
    event: &TimedEvent,
) -> (Execution, Vec<Command>) {
    let &TimedEvent { at_ms: now_ms, ref event } = event;
    let running = execution.status == Status::Running;
    let commands = match event {
        Event::Redrive => {
            if !execution.accepts(&Event::Redrive) {
                return (execution, Vec::new());
            }
            execution.status = Status::Running;
            execution.shared.redrives += 1;
            let details = json!({"redriveCount": execution.shared.redrives});
            execution.interpret(now_ms, |interpreter, root, deadline| {
                interpreter.log_for(root, EntryType::ExecutionRedriven, details);
                *deadline = machine.timeout_seconds.map(|seconds| interpreter.wake_after(seconds));
                Some(interpreter.redrive(machine, root))
            })
        }
        _ if !running => Vec::new(),
        Event::Stop { failure } => {
            execution.end(now_ms, EntryType::ExecutionAborted, Status::Aborted(failure.clone()))
        }
        Event::Woken { ticket } if execution.deadline == Some(*ticket) => {
            let failure = Failure::new(TIMEOUT, "The execution took longer than TimeoutSeconds.");
            execution.end(now_ms, EntryType::ExecutionTimedOut, Status::TimedOut(failure))
        }
        event => execution
            .interpret(now_ms, |interpreter, root, _| interpreter.deliver(machine, root, event)),
    };
    (execution, commands)
}

impl Execution {
    /// The parameters that the execution was started with.
    pub fn started(&self) -> &Start {
        &self.start
    }

    /// The current status.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The history, oldest entry first.
    pub fn history(&self) -> &[Entry] {
        &self.shared.history
    }

    /// Names of the current states, outermost first. Empty once the execution has ended.
    pub fn current(&self) -> Vec<&str> {
        let mut states = Vec::new();
        if self.status == Status::Running {
            self.root.collect_states(&mut states);
        }
        states
    }

    /// Whether an event would change the execution.
    pub fn accepts(&self, event: &Event) -> bool {
        let running = self.status == Status::Running;
        match event {
            Event::Stop { .. } => running,
            Event::Redrive => !running && !matches!(self.status, Status::Succeeded { .. }),
            Event::Woken { ticket } if self.deadline == Some(*ticket) => running,
            event => running && self.root.waits_for(event),
        }
    }

    /// Runs `f` on the root thread and the deadline, and sets the execution's status from
    /// the root thread's.
    fn interpret(
        &mut self,
        now_ms: i64,
        f: impl FnOnce(&mut Interpreter<'_>, &mut Thread, &mut Option<u64>) -> Option<ThreadStatus>,
    ) -> Vec<Command> {
        let mut interpreter = Interpreter {
            start: &self.start,
            shared: &mut self.shared,
            commands: Vec::new(),
            now_ms,
        };
        match f(&mut interpreter, &mut self.root, &mut self.deadline) {
            None | Some(ThreadStatus::Blocked) => {}
            Some(ThreadStatus::Done(output)) => {
                let details = json!({"output": output});
                interpreter.log(EntryType::ExecutionSucceeded, self.root.last_entry, details);
                self.status = Status::Succeeded { output };
            }
            Some(ThreadStatus::Failed(failure)) => {
                let details = failure_details(&failure);
                interpreter.log(EntryType::ExecutionFailed, self.root.last_entry, details);
                self.status = Status::Failed(failure);
            }
        }
        interpreter.commands
    }

    /// Ends the execution from outside.
    fn end(&mut self, now_ms: i64, kind: EntryType, status: Status) -> Vec<Command> {
        let commands = self.interpret(now_ms, |interpreter, root, _| {
            interpreter.cancel(root);
            let details = status.failure().map(failure_details).unwrap_or_default();
            interpreter.log(kind, root.last_entry, details);
            None
        });
        self.status = status;
        commands
    }
}
