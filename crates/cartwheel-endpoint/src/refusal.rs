//! Requests that get no scores.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// Why a request gets no scores. The text is the answer's body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The content type or the encoding of the rows is not supported: 415.
    #[error("{0}")]
    Unreadable(String),
    /// The rows do not fit the model: 400.
    #[error("{0}")]
    OtherWidth(String),
    /// The format of the answer is not supported: 406.
    #[error("{0}")]
    NotAcceptable(String),
    /// The body is larger than the limit in bytes: 413.
    #[error("the body is larger than {0} bytes: send fewer rows at once")]
    TooLarge(usize),
    /// The body did not arrive in time: 408.
    #[error("the body did not arrive in time")]
    Slow,
    /// The body ended early: 400.
    #[error("the body ended early")]
    Ended,
    /// The server is busy with other large bodies: 503.
    #[error("too many large bodies arrive at once: try again later")]
    Busy,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Unreadable(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::OtherWidth(_) | Self::Ended => StatusCode::BAD_REQUEST,
            Self::NotAcceptable(_) => StatusCode::NOT_ACCEPTABLE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, format!("{self}\n")).into_response()
    }
}
