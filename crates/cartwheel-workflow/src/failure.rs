//! Errors of the States Language.

use serde::{Deserialize, Serialize};

/// The error of a state or an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct Failure {
    /// Name of the error: a predefined one such as `States.Timeout`, or the task's own.
    pub error: String,
    /// Human-readable description.
    pub cause: String,
}

/// Matches every error except `States.Runtime` and `States.DataLimitExceeded`.
pub(crate) const ALL: &str = "States.ALL";
/// A task or an execution exceeded its time limit.
pub(crate) const TIMEOUT: &str = "States.Timeout";
/// A task sent no heartbeat in time.
pub(crate) const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
/// In `ErrorEquals`, matches every error of a task except a timeout.
pub(crate) const TASK_FAILED: &str = "States.TaskFailed";
/// The data do not have the shape that the definition expects.
pub(crate) const RUNTIME: &str = "States.Runtime";
/// A payload is too large.
pub(crate) const DATA_LIMIT: &str = "States.DataLimitExceeded";
/// A path in a payload template found nothing.
pub(crate) const PARAMETER_PATH: &str = "States.ParameterPathFailure";
/// `ResultPath` does not fit the state's input.
pub(crate) const RESULT_PATH: &str = "States.ResultPathMatchFailure";
/// An intrinsic function failed.
pub(crate) const INTRINSIC: &str = "States.IntrinsicFailure";
/// No rule of a Choice state matched.
pub(crate) const NO_CHOICE: &str = "States.NoChoiceMatched";

impl Failure {
    /// Creates a failure from the error's name and its cause.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }

    pub(crate) fn runtime(cause: impl Into<String>) -> Self {
        Self::new(RUNTIME, cause)
    }

    /// Whether an `ErrorEquals` with these names matches the failure.
    pub(crate) fn matches(&self, names: &[String]) -> bool {
        !self.is_terminal()
            && names.iter().any(|name| match name.as_str() {
                ALL => true,
                TASK_FAILED => self.error != TIMEOUT,
                TIMEOUT => self.error == TIMEOUT || self.error == HEARTBEAT_TIMEOUT,
                name => name == self.error,
            })
    }

    /// Whether neither a retrier nor a catcher may handle the failure.
    fn is_terminal(&self) -> bool {
        self.error == RUNTIME || self.error == DATA_LIMIT
    }
}
