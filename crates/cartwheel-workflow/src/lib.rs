//! State machines in the Amazon States Language, with JSONPath.
//!
//! [`Machine::parse`] parses a definition and reports all its problems. [`start`] and
//! [`step`] interpret it: they take an execution and an event, and return the new
//! execution and the commands to carry out, without a clock and without I/O. [`Runner`]
//! carries out the commands and writes each event to a journal before it applies it.
//!
//! Where AWS Step Functions differs from the States Language specification, this crate
//! follows Step Functions. Paths follow RFC 9535.

mod choice;
mod definition;
mod execution;
mod expression;
mod failure;
mod history;
mod intrinsic;
mod parser;
mod path;
mod problem;
mod random;
mod reference_path;
mod runner;
mod runs;
mod template;

pub use definition::{Machine, TaskResource};
pub use execution::{
    Command, Event, Execution, MAX_PAYLOAD, Start, Status, TaskRun, TimedEvent, start, step,
};
pub use failure::Failure;
pub use history::{Entry, EntryType, MAX_HISTORY};
pub use problem::{InvalidDefinition, Problem};
pub use runner::{
    Description, JournalError, Listing, LogLine, Progress, Reporter, Resources, Runner,
    RunnerError, RunnerOptions, Summary, TaskResult, describe, is_open, list, logs,
};
pub use runs::{Pending, Runs};
