//! The tools for assistants, which the binary brings.

use std::sync::Arc;

use axum::http::{Request, Response};
use bytes::Bytes;
use cartwheel_stream::Pending;

/// Answers a message of an assistant: the headers of the request of `/mcp`, and its decoded body.
pub type Assistants =
    Arc<dyn Fn(Request<Bytes>) -> Pending<'static, Response<Bytes>> + Send + Sync>;
