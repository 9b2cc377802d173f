//! The history of an execution.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most entries of a history. An execution that reaches it fails.
pub const MAX_HISTORY: usize = 25_000;

/// An entry of a history, with the fields and type names of AWS's `GetExecutionHistory`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = HistoryEntry))]
pub struct Entry {
    /// Number of the entry, from 1.
    pub id: u64,
    /// Id of the entry that led to this one; 0 for the first.
    #[serde(rename = "previousEventId")]
    pub previous_id: u64,
    /// Time in UTC milliseconds.
    #[serde(rename = "timestamp_ms")]
    pub at_ms: i64,
    /// Type of the entry, such as `TaskStateEntered`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub kind: EntryType,
    /// The fields of the type: name, input, output, error, cause and the like.
    pub details: Value,
}

macro_rules! types {
    ($($name:ident),* $(,)?) => {
        /// The type of an entry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the names are AWS's")]
        pub enum EntryType { $($name),* }

        impl EntryType {
            /// The type that AWS calls `name`, if histories of this crate can have it.
            pub fn named(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self::$name),)* _ => None }
            }

            /// The name that AWS uses.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

// Some of them only Step Functions writes: it starts and submits tasks in steps of their own, and notes
// which states an abortion ended.
types! {
    ExecutionStarted, ExecutionSucceeded, ExecutionFailed, ExecutionTimedOut, ExecutionAborted,
    ExecutionRedriven, TaskStateEntered, TaskStateExited, TaskScheduled, TaskSucceeded, TaskFailed,
    TaskTimedOut, TaskStarted, TaskStartFailed, TaskSubmitted, TaskSubmitFailed, TaskStateAborted,
    PassStateEntered, PassStateExited, ChoiceStateEntered, ChoiceStateExited,
    WaitStateEntered, WaitStateExited, WaitStateAborted, SucceedStateEntered, SucceedStateExited, FailStateEntered,
    ParallelStateEntered, ParallelStateStarted, ParallelStateSucceeded, ParallelStateFailed,
    ParallelStateExited, ParallelStateAborted, MapStateEntered, MapStateStarted, MapIterationStarted,
    MapIterationSucceeded, MapIterationFailed, MapStateSucceeded, MapStateFailed, MapStateExited,
    MapStateAborted, MapIterationAborted,
}

impl EntryType {
    /// `{type_name}StateEntered`.
    pub(crate) fn entered(type_name: &str) -> Self {
        Self::of_state(type_name, "Entered")
    }

    /// `{type_name}StateExited`.
    pub(crate) fn exited(type_name: &str) -> Self {
        Self::of_state(type_name, "Exited")
    }

    /// `{type_name}StateSucceeded`.
    pub(crate) fn succeeded(type_name: &str) -> Self {
        Self::of_state(type_name, "Succeeded")
    }

    /// `{type_name}StateFailed`.
    pub(crate) fn failed(type_name: &str) -> Self {
        Self::of_state(type_name, "Failed")
    }

    fn of_state(type_name: &str, suffix: &str) -> Self {
        Self::named(&format!("{type_name}State{suffix}")).unwrap_or(Self::ExecutionFailed)
    }
}
