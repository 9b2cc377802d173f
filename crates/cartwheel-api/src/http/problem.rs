//! Errors as RFC 9457 problem documents: the one place that maps them to HTTP.

use std::num::NonZeroU16;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cartwheel_events::Invalid;
use serde::Serialize;
use utoipa::ToSchema;

/// What kind of problem: its type, title and status never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The body is not JSON.
    MalformedJson,
    /// A field of the body or the query is not as it should be.
    InvalidField,
    /// No API key, or one that is not known.
    Unauthorized,
    /// An API key without the right.
    Forbidden,
    /// There is no such path, product or page.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The body took too long to come.
    SlowBody,
    /// The body is larger than the server takes.
    PayloadTooLarge,
    /// The body has a content type that the path does not take.
    UnsupportedMediaType,
    /// What was asked for does not fit how things stand.
    Conflict,
    /// The event id was used for another event of the user.
    EventIdReused,
    /// A checkout of an empty cart.
    EmptyCart,
    /// More requests than the server takes now.
    Throttled,
    /// The server starts, stops or has lost its disk.
    Unavailable,
    /// The answer took too long.
    Timeout,
    /// A fault of the server.
    Internal,
}

impl Kind {
    /// Every kind, in the order of documentation.
    pub const ALL: [Self; 16] = [
        Self::MalformedJson,
        Self::InvalidField,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::SlowBody,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Conflict,
        Self::EventIdReused,
        Self::EmptyCart,
        Self::Throttled,
        Self::Unavailable,
        Self::Timeout,
        Self::Internal,
    ];

    /// The stable `type`, a status and a title.
    pub fn parts(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::MalformedJson => {
                ("urn:cartwheel:problem:malformed-json", S::BAD_REQUEST, "The body is not JSON")
            }
            Self::InvalidField => {
                ("urn:cartwheel:problem:invalid-field", S::BAD_REQUEST, "A field is not valid")
            }
            Self::Unauthorized => {
                ("urn:cartwheel:problem:unauthorized", S::UNAUTHORIZED, "An API key is needed")
            }
            Self::Forbidden => (
                "urn:cartwheel:problem:forbidden",
                S::FORBIDDEN,
                "The API key has no right to this",
            ),
            Self::NotFound => ("urn:cartwheel:problem:not-found", S::NOT_FOUND, "Not found"),
            Self::MethodNotAllowed => (
                "urn:cartwheel:problem:method-not-allowed",
                S::METHOD_NOT_ALLOWED,
                "The path does not take this method",
            ),
            Self::SlowBody => (
                "urn:cartwheel:problem:slow-body",
                S::REQUEST_TIMEOUT,
                "The body took too long to come",
            ),
            Self::PayloadTooLarge => (
                "urn:cartwheel:problem:payload-too-large",
                S::PAYLOAD_TOO_LARGE,
                "The body is too large",
            ),
            Self::UnsupportedMediaType => (
                "urn:cartwheel:problem:unsupported-media-type",
                S::UNSUPPORTED_MEDIA_TYPE,
                "The content type is not supported",
            ),
            Self::Conflict => {
                ("urn:cartwheel:problem:conflict", S::CONFLICT, "Things stand otherwise")
            }
            Self::EventIdReused => (
                "urn:cartwheel:problem:event-id-reused",
                S::UNPROCESSABLE_ENTITY,
                "The event id belongs to another event",
            ),
            Self::EmptyCart => (
                "urn:cartwheel:problem:empty-cart",
                S::UNPROCESSABLE_ENTITY,
                "There is nothing to check out",
            ),
            Self::Throttled => {
                ("urn:cartwheel:problem:throttled", S::TOO_MANY_REQUESTS, "Too many requests")
            }
            Self::Unavailable => (
                "urn:cartwheel:problem:unavailable",
                S::SERVICE_UNAVAILABLE,
                "The server cannot answer now",
            ),
            Self::Timeout => (
                "urn:cartwheel:problem:timeout",
                S::SERVICE_UNAVAILABLE,
                "The answer took too long",
            ),
            Self::Internal => (
                "urn:cartwheel:problem:internal",
                S::INTERNAL_SERVER_ERROR,
                "The server made a mistake",
            ),
        }
    }
}

/// An RFC 9457 problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem; never changes.
    #[serde(rename = "type")]
    pub problem_type: &'static str,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The offending field, as a path such as `items[2].quantity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What was expected there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Seconds after which it is worth another try, where that is known; the header
    /// `retry-after` says it.
    #[serde(skip)]
    pub retry_after: Option<NonZeroU16>,
}

impl Problem {
    /// A problem of that kind, with what is wrong in a sentence.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (problem_type, status, title) = kind.parts();
        Self {
            problem_type,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            expected: None,
            retry_after: None,
        }
    }

    /// A problem whose cause is for the log alone: it may name files and libraries.
    pub(crate) fn hiding(kind: Kind, detail: &str, cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "{detail}");
        Self::new(kind, format!("{detail} The log says why, under this request's id."))
    }

    /// A field that is not as it should be.
    pub fn field(
        field: impl Into<String>,
        detail: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            field: Some(field.into()),
            expected: Some(expected.into()),
            ..Self::new(Kind::InvalidField, detail)
        }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let detail = format!("{} {}", invalid.field, invalid.problem);
        Self::field(invalid.field, detail.trim_start(), invalid.expected)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Strings and numbers only: serialising cannot fail.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let media = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, media);
        // The causes of these pass in about a second, or not at all.
        if matches!(self.status, 429 | 503) {
            headers.insert(header::RETRY_AFTER, self.retry_after.map_or(1, NonZeroU16::get).into());
        }
        match self.status {
            401 => {
                let scheme = HeaderValue::from_static("Bearer realm=\"cartwheel\"");
                headers.insert(header::WWW_AUTHENTICATE, scheme);
            }
            // What is left of the body is not waited for.
            408 => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
