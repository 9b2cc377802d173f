//! The executions of one state machine, as they are shown.

use std::future::Future;
use std::pin::Pin;

use serde_json::Value;

use crate::runner::{Description, Listing, RunnerError};

/// A future that the caller drives.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Shows the executions of a state machine, whether a [`Runner`](crate::Runner) or Step Functions runs
/// them.
pub trait Runs: Send + Sync {
    /// The definition that the next execution takes.
    ///
    /// # Errors
    /// When it cannot be read.
    fn definition(&self) -> Pending<'_, Result<Value, RunnerError>>;

    /// Lists executions, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    fn list(&self) -> Pending<'_, Result<Listing, RunnerError>>;

    /// Describes an execution.
    ///
    /// # Errors
    /// When no execution has the name, or it cannot be read.
    fn describe<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Description, RunnerError>>;
}
