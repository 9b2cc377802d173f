//! The id of a request, in the header `x-request-id`.

use axum::http::{HeaderMap, HeaderName};

/// The header's name.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id. `observe` sets it on every request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(&REQUEST_ID)?.to_str().ok()
}
