//! Errors as RFC 9457 problem documents. Only this file maps errors to HTTP.

use std::num::NonZeroU16;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cartwheel_events::Invalid;
use cartwheel_filter::FilterError;
use serde::Serialize;
use utoipa::ToSchema;

/// The kind of a problem. Its type, title and status never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The body is not JSON.
    MalformedJson,
    /// A field of the body or the query is not valid.
    InvalidField,
    /// The API key is missing or unknown.
    Unauthorized,
    /// The shopper token is malformed, forged or expired.
    InvalidToken,
    /// The key or token lacks the scope.
    Forbidden,
    /// The token or publishable key does not act for this shopper.
    OtherShopper,
    /// A page of another site has sent the request.
    ForeignSite,
    /// A proxy stands before a server without keys.
    ForwardedWithoutKeys,
    /// The server does not answer to this host.
    Misdirected,
    /// The path, product or page does not exist.
    NotFound,
    /// The path does not support the method.
    MethodNotAllowed,
    /// The body did not arrive in time.
    SlowBody,
    /// The body is larger than the server accepts.
    PayloadTooLarge,
    /// The path does not support the content type.
    UnsupportedMediaType,
    /// The request conflicts with the current state.
    Conflict,
    /// A condition of the request, such as `If-Match`, does not hold.
    PreconditionFailed,
    /// Another event of the user has the same event id.
    EventIdReused,
    /// The checkout has an empty cart.
    EmptyCart,
    /// There are too many requests at the moment.
    Throttled,
    /// The server is starting or stopping, or cannot use its disk.
    Unavailable,
    /// The answer took too long.
    Timeout,
    /// The server has a bug.
    Internal,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 22] = [
        Self::MalformedJson,
        Self::InvalidField,
        Self::Unauthorized,
        Self::InvalidToken,
        Self::Forbidden,
        Self::OtherShopper,
        Self::ForeignSite,
        Self::ForwardedWithoutKeys,
        Self::Misdirected,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::SlowBody,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::EventIdReused,
        Self::EmptyCart,
        Self::Throttled,
        Self::Unavailable,
        Self::Timeout,
        Self::Internal,
    ];

    /// The stable `type`, the status and the title.
    pub fn parts(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::MalformedJson => {
                ("urn:cartwheel:problem:malformed-json", S::BAD_REQUEST, "The body is not JSON")
            }
            Self::InvalidField => {
                ("urn:cartwheel:problem:invalid-field", S::BAD_REQUEST, "A field is not valid")
            }
            Self::Unauthorized => (
                "urn:cartwheel:problem:unauthorized",
                S::UNAUTHORIZED,
                "A valid API key is required",
            ),
            Self::InvalidToken => (
                "urn:cartwheel:problem:invalid-token",
                S::UNAUTHORIZED,
                "A valid shopper token is required",
            ),
            Self::OtherShopper => (
                "urn:cartwheel:problem:other-shopper",
                S::FORBIDDEN,
                "The credential is not for this shopper",
            ),
            Self::Forbidden => {
                ("urn:cartwheel:problem:forbidden", S::FORBIDDEN, "The API key lacks the scope")
            }
            Self::ForeignSite => (
                "urn:cartwheel:problem:foreign-site",
                S::FORBIDDEN,
                "Pages of this site may not call the server",
            ),
            Self::ForwardedWithoutKeys => (
                "urn:cartwheel:problem:forwarded-without-keys",
                S::FORBIDDEN,
                "A server behind a proxy needs API keys",
            ),
            Self::Misdirected => (
                "urn:cartwheel:problem:misdirected",
                S::MISDIRECTED_REQUEST,
                "The server does not answer to this host",
            ),
            Self::NotFound => ("urn:cartwheel:problem:not-found", S::NOT_FOUND, "Not found"),
            Self::MethodNotAllowed => (
                "urn:cartwheel:problem:method-not-allowed",
                S::METHOD_NOT_ALLOWED,
                "The path does not support this method",
            ),
            Self::SlowBody => (
                "urn:cartwheel:problem:slow-body",
                S::REQUEST_TIMEOUT,
                "The body did not arrive in time",
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
            Self::Conflict => (
                "urn:cartwheel:problem:conflict",
                S::CONFLICT,
                "The request conflicts with the current state",
            ),
            Self::PreconditionFailed => (
                "urn:cartwheel:problem:precondition-failed",
                S::PRECONDITION_FAILED,
                "A condition of the request does not hold",
            ),
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
                "The server cannot answer at the moment",
            ),
            Self::Timeout => (
                "urn:cartwheel:problem:timeout",
                S::SERVICE_UNAVAILABLE,
                "The answer took too long",
            ),
            Self::Internal => {
                ("urn:cartwheel:problem:internal", S::INTERNAL_SERVER_ERROR, "Internal error")
            }
        }
    }
}

/// An RFC 9457 problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Identifies the kind of problem; never changes.
    #[serde(rename = "type")]
    pub problem_type: &'static str,
    /// A title for the kind of problem.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The problem with this request.
    pub detail: String,
    /// The offending field, as a path such as `items[2].quantity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What was expected in that field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The character of that field where the problem begins, from 1; only of a filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u16>,
    /// Seconds to wait before another attempt, if known. Sent as the header `retry-after`.
    #[serde(skip)]
    pub retry_after: Option<NonZeroU16>,
}

impl Problem {
    /// A problem of that kind; `detail` is a sentence about this request.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (problem_type, status, title) = kind.parts();
        Self {
            problem_type,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            expected: None,
            position: None,
            retry_after: None,
        }
    }

    /// A problem whose cause goes only to the log, because it may name files and libraries.
    pub(crate) fn hiding(kind: Kind, detail: &str, cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "{detail}");
        Self::new(kind, format!("{detail} The server's log has the cause under this request's id."))
    }

    /// Whether the same request may succeed later: its cause is not the request.
    pub(crate) fn is_passing(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    /// A field that is not valid.
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

impl From<FilterError> for Problem {
    fn from(error: FilterError) -> Self {
        let detail = format!("{error}\n{}", error.excerpt());
        Self {
            position: u16::try_from(error.position()).ok(),
            ..Self::field("filter", detail, error.expected())
        }
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
        // These causes pass within about a second, or not at all.
        if matches!(self.status, 429 | 503) {
            headers.insert(header::RETRY_AFTER, self.retry_after.map_or(1, NonZeroU16::get).into());
        }
        match self.status {
            401 => {
                let scheme = HeaderValue::from_static("Bearer realm=\"cartwheel\"");
                headers.insert(header::WWW_AUTHENTICATE, scheme);
            }
            // Do not wait for the rest of the body.
            408 => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
