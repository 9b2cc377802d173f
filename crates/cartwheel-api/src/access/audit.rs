//! The audit log: admin actions are recorded before they are executed.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// A change that only an admin may make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdminAction {
    /// The start of the action, UTC milliseconds.
    pub time_ms: i64,
    /// The name of the key, `anonymous` if no key is needed, or `cli`.
    pub actor: String,
    /// The address that the request came from.
    pub address: Option<String>,
    /// The HTTP method, or `RUN` for a command.
    pub method: String,
    /// The route, such as `/v1/models/{version}/deploy`, or the command.
    pub route: String,
    /// The values of the route's parameters. A user's id is replaced by [`hashed_id`].
    pub target: BTreeMap<String, String>,
    /// The request's id; null for a command.
    pub request_id: Option<String>,
}

/// Records how an action ended, as an HTTP status.
pub type ActionEnd = Box<dyn FnOnce(u16) -> io::Result<()> + Send>;

/// A durable record of admin actions. The calls may block.
pub trait AuditLog: Send + Sync {
    /// Records an action durably before it is executed.
    ///
    /// # Errors
    /// When the record cannot be written. The action must then not be executed.
    fn begin(&self, action: &AdminAction) -> io::Result<ActionEnd>;
}

/// Replaces a user's id in the audit log: `sha256:` and the first 16 digits of its hash.
pub fn hashed_id(id: &str) -> String {
    format!("sha256:{}", hex::encode(&Sha256::digest(id.as_bytes())[..8]))
}
