//! What every tool needs: its description, and requests to the shop's server.

use std::pin::Pin;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::client::{self, Credentials};
use crate::context::Context;

/// The answer of a tool, later.
pub(super) type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value>> + Send + 'a>>;

/// Where an assistant's tools work, and by which right.
pub(super) struct Session {
    pub(super) context: Context,
    pub(super) credentials: Credentials,
}

/// A tool.
pub(super) struct ToolSpec {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    /// Whether it stores a proposal; otherwise it only reads.
    pub(super) proposes: bool,
    /// The JSON schema of its arguments.
    pub(super) arguments: fn() -> Value,
    pub(super) answer: for<'a> fn(&'a Session, Value) -> Answer<'a>,
}

/// The schema of an object that has these properties and no others.
pub(super) fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "required": required,
           "properties": properties})
}

/// The schema of a shopper.
pub(super) fn shopper() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 129,
           "description": "A user's id, or ~ and the anonymous id of a guest."})
}

/// Reads a tool's arguments.
///
/// # Errors
/// When a field is missing, unknown or of another type.
pub(super) fn arguments<T: DeserializeOwned>(arguments: Value) -> Result<T> {
    serde_json::from_value(arguments).context("the arguments do not fit the tool")
}

/// Asks the server of the data directory.
///
/// # Errors
/// When none runs, or it refuses the request.
pub(super) async fn ask(
    session: &Session,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value> {
    anyhow::ensure!(
        session.context.data_dir.server().exists(),
        "no server runs on {}: start it with `cartwheel serve`",
        session.context.data_dir.0.display()
    );
    client::send_as(&session.credentials, &session.context.data_dir, method, path, body).await
}

/// A text as a part of a path or of a query.
pub(super) fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// The field of a body that names a shopper.
pub(super) fn named(shopper: &str) -> (&'static str, &str) {
    match shopper.strip_prefix('~') {
        Some(guest) => ("anonymous_id", guest),
        None => ("user_id", shopper),
    }
}
