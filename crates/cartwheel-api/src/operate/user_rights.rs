//! The interface between the API and the place where users' data are stored.

use cartwheel_events::UserId;
use cartwheel_stream::Pending;
use serde_json::Value;

use crate::operate::views::erasure::ErasureView;

/// Erases and exports users: a server does it in its data directory, the functions in their account.
/// Errors are sentences for the log.
pub trait UserRights: Send + Sync {
    /// Starts the erasure of a user. When this returns, no answer uses the user's data any more,
    /// and the erasure from files is durably scheduled.
    ///
    /// # Errors
    /// When the erasure cannot be recorded.
    fn erase<'a>(&'a self, user_id: &'a UserId) -> Pending<'a, Result<ErasureView, String>>;

    /// Erasures in progress, by user.
    ///
    /// # Errors
    /// When they cannot be read.
    fn erasures(&self) -> Pending<'_, Result<Vec<ErasureView>, String>>;

    /// Exports what lake and stream store about a user.
    ///
    /// # Errors
    /// When it cannot be read.
    fn stored<'a>(&'a self, user_id: &'a UserId) -> Pending<'a, Result<Value, String>>;
}
