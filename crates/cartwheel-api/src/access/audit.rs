//! The audit log: admin actions are recorded before they are executed.

use std::collections::BTreeMap;
use std::io;

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

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
    /// The values of the route's parameters. A user's id is replaced by its
    /// [`pseudonym`](AuditKey::pseudonym).
    pub target: BTreeMap<String, String>,
    /// The request's id; null for a command.
    pub request_id: Option<String>,
}

impl AdminAction {
    /// The action with the ids of users replaced.
    ///
    /// # Errors
    /// When the log has no key for that.
    pub(crate) fn with_users_hidden(mut self, log: &dyn AuditLog) -> io::Result<Self> {
        if self.route.starts_with("/v1/users/") {
            for id in self.target.values_mut() {
                *id = log.pseudonym(id)?;
            }
        }
        Ok(self)
    }
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

    /// Replaces a user's id.
    ///
    /// # Errors
    /// When the log's key cannot be read.
    fn pseudonym(&self, user_id: &str) -> io::Result<String>;
}

/// The secret of an audit log. `Debug` hides it.
#[derive(Clone)]
pub struct AuditKey(String);

impl AuditKey {
    /// The key with this random text.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// Replaces a user's id: `hmac:` and the first 16 digits of its HMAC-SHA256. Short ids can be
    /// guessed from a hash without a key.
    pub fn pseudonym(&self, user_id: &str) -> String {
        format!("hmac:{:.16}", self.mac(&["user", user_id]))
    }

    /// The link of a line to the one before it: the HMAC-SHA256 of both, in hexadecimal.
    pub fn link(&self, previous: &str, line: &str) -> String {
        self.mac(&["line", previous, line])
    }

    fn mac(&self, parts: &[&str]) -> String {
        #[allow(clippy::expect_used, reason = "HMAC accepts keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        hex::encode(mac.finalize().into_bytes())
    }
}

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditKey")
    }
}
