//! The interpreter of one step. It runs threads until they block or end.

use serde_json::{Value, json};

use super::payload::check_size;
use super::protocol::{Command, Start};
use super::thread::{Phase, Thread};
use crate::definition::Machine;
use crate::expression::Scope;
use crate::failure::Failure;
use crate::history::{Entry, EntryType, MAX_HISTORY};
use crate::random::Random;
use crate::template::Template;

/// The state that all threads of an execution share.
#[derive(Debug, Clone)]
pub(super) struct SharedState {
    pub random: Random,
    /// The newest ticket.
    pub tickets: u64,
    pub history: Vec<Entry>,
    pub redrives: u32,
}

/// Interprets one event and collects the commands that follow from it.
pub(super) struct Interpreter<'a> {
    pub start: &'a Start,
    pub shared: &'a mut SharedState,
    pub commands: Vec<Command>,
    pub now_ms: i64,
}

/// The status of a thread after it has run as far as it can.
pub(super) enum ThreadStatus {
    /// The thread waits for events.
    Blocked,
    Done(Value),
    Failed(Failure),
}

/// The result of running a state.
pub(super) enum Transition {
    /// The thread stays in the state and waits for events.
    Stay,
    /// The thread leaves the state with its output. Without a next state the thread ends.
    Exit {
        output: Value,
        next: Option<String>,
    },
    Fail(Failure),
}

impl Interpreter<'_> {
    /// Adds an entry to the history and returns its id.
    pub(super) fn log(&mut self, kind: EntryType, previous_id: u64, details: Value) -> u64 {
        let id = self.shared.history.len() as u64 + 1;
        self.shared.history.push(Entry { id, previous_id, at_ms: self.now_ms, kind, details });
        id
    }

    /// Adds an entry to the history after the thread's newest one.
    pub(super) fn log_for(&mut self, thread: &mut Thread, kind: EntryType, details: Value) {
        thread.last_entry = self.log(kind, thread.last_entry, details);
    }

    pub(super) fn new_ticket(&mut self) -> u64 {
        self.shared.tickets += 1;
        self.shared.tickets
    }

    /// Requests a wake-up at a time and returns its ticket.
    pub(super) fn wake_at(&mut self, at_ms: i64) -> u64 {
        let ticket = self.new_ticket();
        self.commands.push(Command::Wake { ticket, at_ms });
        ticket
    }

    /// Requests a wake-up after some seconds and returns its ticket.
    pub(super) fn wake_after(&mut self, seconds: u64) -> u64 {
        self.wake_at(self.after(seconds))
    }

    /// The time after some seconds, in UTC milliseconds.
    pub(super) fn after(&self, seconds: u64) -> i64 {
        let ms = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        self.now_ms.saturating_add(ms)
    }

    pub(super) fn fill(
        &mut self,
        template: Option<&Template>,
        data: &Value,
        context: &Value,
    ) -> Result<Option<Value>, Failure> {
        let mut scope = self.scope(data, context);
        template.map(|template| template.fill(&mut scope)).transpose()
    }

    pub(super) fn scope<'s>(&'s mut self, data: &'s Value, context: &'s Value) -> Scope<'s> {
        Scope { data, context, random: &mut self.shared.random }
    }

    /// The context object (`$$`) in the thread's state.
    pub(super) fn context(&self, thread: &Thread) -> Value {
        let start = self.start;
        let mut context = json!({
            "Execution": {
                "Id": format!("arn:aws:states:local:000000000000:execution:{}:{}", start.machine, start.name),
                "Input": start.input,
                "Name": start.name,
                "RoleArn": "arn:aws:iam::000000000000:role/local",
                "StartTime": format_time(start.at_ms),
                "RedriveCount": self.shared.redrives,
            },
            "State": {
                "EnteredTime": format_time(thread.entered_ms),
                "Name": thread.state,
                "RetryCount": thread.retry_count(),
            },
            "StateMachine": {
                "Id": format!("arn:aws:states:local:000000000000:stateMachine:{}", start.machine),
                "Name": start.machine,
            },
        });
        if let Some(item) = &thread.item {
            context["Map"] = json!({"Item": {"Index": item.index, "Value": item.value}});
        }
        context
    }

    /// Enters the thread's state and runs the thread until it blocks or ends.
    pub(super) fn run(&mut self, machine: &Machine, thread: &mut Thread) -> ThreadStatus {
        let transition = self.enter(machine, thread);
        self.resume(machine, thread, transition)
    }

    /// Continues after the thread's state has run, until the thread blocks or ends.
    pub(super) fn resume(
        &mut self,
        machine: &Machine,
        thread: &mut Thread,
        mut transition: Transition,
    ) -> ThreadStatus {
        loop {
            let (output, next) = match transition {
                Transition::Stay => return ThreadStatus::Blocked,
                Transition::Fail(failure) => {
                    // Children are kept: a redrive resumes those that did not succeed.
                    if !matches!(thread.phase, Phase::Children(_)) {
                        thread.phase = Phase::Idle;
                    }
                    return ThreadStatus::Failed(failure);
                }
                Transition::Exit { output, next } => (output, next),
            };
            if let Err(failure) = check_size(&output) {
                transition = Transition::Fail(failure);
                continue;
            }
            let type_name = machine.state(&thread.state).map(|state| state.kind.name());
            let kind = EntryType::exited(type_name.unwrap_or_default());
            let details = json!({"name": thread.state, "output": output});
            self.log_for(thread, kind, details);
            let Some(next) = next else { return ThreadStatus::Done(output) };
            thread.state = next;
            thread.input = output;
            thread.phase = Phase::Idle;
            thread.retries.clear();
            transition = self.enter(machine, thread);
        }
    }

    fn enter(&mut self, machine: &Machine, thread: &mut Thread) -> Transition {
        let Some(state) = machine.state(&thread.state) else {
            let cause = format!("There is no state {:?}.", thread.state);
            return Transition::Fail(Failure::runtime(cause));
        };
        if self.shared.history.len() >= MAX_HISTORY {
            let cause = format!("The execution's history has reached {MAX_HISTORY} entries.");
            return Transition::Fail(Failure::runtime(cause));
        }
        thread.entered_ms = self.now_ms;
        thread.retries = vec![0; state.kind.work().map_or(0, |work| work.retry.len())];
        let details = json!({"name": thread.state, "input": thread.input});
        self.log_for(thread, EntryType::entered(state.kind.name()), details);
        self.run_state(state, thread)
    }
}

/// The history details of a failure.
pub(super) fn failure_details(failure: &Failure) -> Value {
    json!({"error": failure.error, "cause": failure.cause})
}

/// A time as the context object shows it.
fn format_time(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}
