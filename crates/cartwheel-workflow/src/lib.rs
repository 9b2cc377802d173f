//! State machines in the Amazon States Language, with JSONPath.
//!
//! [`Machine::parse`] reads and checks a definition as a whole. [`start`] and
//! [`step`] are the interpreter: from an execution and what happened to it to the
//! execution after it and what is to be done, without clock or I/O. [`Runner`] does
//! what is to be done, and writes down what happened before it acts on it.
//!
//! Where the States Language and the service differ, this does as the service; the
//! paths are RFC 9535's.

mod choice;
mod definition;
mod execution;
mod failure;
mod history;
mod intrinsic;
mod path;
mod reading;
mod runner;
mod scope;
mod template;

pub use definition::{Invalid, Machine, Problem};
pub use execution::{
    Command, Event, Execution, Happened, MAX_HISTORY, MAX_PAYLOAD, Start, Status, TaskRun, start,
    step,
};
pub use failure::Failure;
pub use history::{Entry, Type};
pub use runner::{
    Clock, Description, JournalError, LogLine, Progress, Reporter, Resources, Runner, RunnerError,
    RunnerOptions, Summary, TaskResult, describe, list, logs,
};
