//! What an execution went through.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One entry, with the fields and type names of AWS's `GetExecutionHistory`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = HistoryEntry))]
pub struct Entry {
    /// From 1 on.
    pub id: u64,
    /// The entry that led to this one, 0 for the first.
    #[serde(rename = "previousEventId")]
    pub previous_id: u64,
    /// UTC milliseconds.
    #[serde(rename = "timestamp_ms")]
    pub at_ms: i64,
    /// What it is.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub kind: Type,
    /// Name, input, output, error, cause: what the type has.
    pub details: Value,
}

macro_rules! types {
    ($($name:ident),* $(,)?) => {
        /// The type of an entry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the names are AWS's")]
        pub enum Type { $($name),* }

        impl Type {
            fn named(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self::$name),)* _ => None }
            }

            /// Its name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

types! {
    ExecutionStarted, ExecutionSucceeded, ExecutionFailed, ExecutionTimedOut, ExecutionAborted,
    ExecutionRedriven, TaskStateEntered, TaskStateExited, TaskScheduled, TaskSucceeded, TaskFailed,
    TaskTimedOut, PassStateEntered, PassStateExited, ChoiceStateEntered, ChoiceStateExited,
    WaitStateEntered, WaitStateExited, SucceedStateEntered, SucceedStateExited, FailStateEntered,
    ParallelStateEntered, ParallelStateStarted, ParallelStateSucceeded, ParallelStateFailed,
    ParallelStateExited, MapStateEntered, MapStateStarted, MapIterationStarted,
    MapIterationSucceeded, MapIterationFailed, MapStateSucceeded, MapStateFailed, MapStateExited,
}

impl Type {
    pub(crate) fn entered(kind: &str) -> Self {
        Self::of(kind, "Entered")
    }

    pub(crate) fn exited(kind: &str) -> Self {
        Self::of(kind, "Exited")
    }

    pub(crate) fn succeeded(kind: &str) -> Self {
        Self::of(kind, "Succeeded")
    }

    pub(crate) fn failed(kind: &str) -> Self {
        Self::of(kind, "Failed")
    }

    fn of(kind: &str, what: &str) -> Self {
        Self::named(&format!("{kind}State{what}")).unwrap_or(Self::ExecutionFailed)
    }
}
