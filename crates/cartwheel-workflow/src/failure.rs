//! Errors as the States Language knows them.

use serde::{Deserialize, Serialize};

/// Why a state or an execution failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct Failure {
    /// The error's name, `States.Timeout` or the task's own.
    pub error: String,
    /// What happened, in words.
    pub cause: String,
}

/// Any error except the two that nothing catches.
pub const ALL: &str = "States.ALL";
/// A task took too long.
pub const TIMEOUT: &str = "States.Timeout";
/// A task sent no heartbeat in time.
pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
/// Any error of a task, except that it took too long.
pub const TASK_FAILED: &str = "States.TaskFailed";
/// The data do not fit what the definition does with them.
pub const RUNTIME: &str = "States.Runtime";
/// A payload is too large.
pub const DATA_LIMIT: &str = "States.DataLimitExceeded";
/// A payload template's path found nothing.
pub const PARAMETER_PATH: &str = "States.ParameterPathFailure";
/// An intrinsic function could not be computed.
pub const INTRINSIC: &str = "States.IntrinsicFailure";
/// No rule of a Choice matched.
pub const NO_CHOICE: &str = "States.NoChoiceMatched";

impl Failure {
    /// An error with its cause.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }

    pub(crate) fn runtime(cause: impl Into<String>) -> Self {
        Self::new(RUNTIME, cause)
    }

    /// Whether retriers and catchers may handle it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.error == RUNTIME || self.error == DATA_LIMIT
    }

    /// Whether one of the names of an `ErrorEquals` matches.
    pub(crate) fn matches(&self, names: &[String]) -> bool {
        !self.is_terminal()
            && names.iter().any(|name| match name.as_str() {
                ALL => true,
                TASK_FAILED => self.error != TIMEOUT,
                TIMEOUT => self.error == TIMEOUT || self.error == HEARTBEAT_TIMEOUT,
                name => name == self.error,
            })
    }
}
