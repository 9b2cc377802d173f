//! The inputs and outputs of the interpreter: events in, commands out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;

/// The parameters of a new execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Name of the execution.
    pub name: String,
    /// Name of the state machine.
    pub machine: String,
    /// The execution's input.
    pub input: Value,
    /// Start time in UTC milliseconds.
    pub at_ms: i64,
    /// Seed of the execution's random numbers.
    pub seed: u64,
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedEvent {
    /// Time in UTC milliseconds. Never decreases within an execution.
    pub at_ms: i64,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// An event of an execution. A ticket that nothing waits for changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A task succeeded.
    Succeeded {
        /// Ticket of the task.
        ticket: u64,
        /// Result of the task.
        output: Value,
    },
    /// A task failed.
    Failed {
        /// Ticket of the task.
        ticket: u64,
        /// Error of the task.
        #[serde(flatten)]
        failure: Failure,
    },
    /// A task is alive.
    Heartbeat {
        /// Ticket of the task.
        ticket: u64,
    },
    /// The time of a [`Command::Wake`] has come.
    Woken {
        /// Ticket of the command.
        ticket: u64,
    },
    /// The caller aborts the execution.
    Stop {
        /// Error and cause of the abort.
        #[serde(flatten)]
        failure: Failure,
    },
    /// The caller retries a failed execution. Results of completed work are kept.
    Redrive,
}

/// An effect that an execution asks the caller for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Run a task and answer with [`Event::Succeeded`] or [`Event::Failed`].
    Run(TaskRun),
    /// Stop a task. Its result is no longer needed.
    Cancel {
        /// Ticket of the task.
        ticket: u64,
    },
    /// Answer with [`Event::Woken`] at a time.
    Wake {
        /// Ticket of the answer.
        ticket: u64,
        /// Time in UTC milliseconds.
        at_ms: i64,
    },
}

/// A task to run.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRun {
    /// Ticket of the answer.
    pub ticket: u64,
    /// Name of the state.
    pub state: String,
    /// The resource that runs the task, an ARN.
    pub resource: String,
    /// The task's parameters.
    pub input: Value,
    /// Number of earlier attempts.
    pub attempt: u32,
}

/// The status of an execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The execution has not ended.
    Running,
    /// The execution succeeded.
    Succeeded {
        /// Output of the last state.
        output: Value,
    },
    /// The execution failed.
    Failed(Failure),
    /// The execution exceeded its `TimeoutSeconds`.
    TimedOut(Failure),
    /// The caller stopped the execution.
    Aborted(Failure),
}

impl Status {
    /// The name that AWS uses.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded { .. } => "SUCCEEDED",
            Self::Failed(_) => "FAILED",
            Self::TimedOut(_) => "TIMED_OUT",
            Self::Aborted(_) => "ABORTED",
        }
    }

    /// The error of an execution that ended without success.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(f) | Self::TimedOut(f) | Self::Aborted(f) => Some(f),
            Self::Running | Self::Succeeded { .. } => None,
        }
    }
}
