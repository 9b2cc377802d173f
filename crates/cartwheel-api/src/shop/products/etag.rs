//! Entity tags: the position of a product's newest change, and conditions on it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use cartwheel_sessions::Listing;

use crate::http::problem::{Kind, Problem};

/// The entity tag of a product.
pub(super) fn etag(listing: &Listing) -> String {
    format!("\"{}\"", listing.position.record_id())
}

/// The entity tag as a header.
pub(super) fn header(listing: &Listing) -> Option<(HeaderName, HeaderValue)> {
    // Digits and a dash between quotes: always a valid value.
    Some((header::ETAG, HeaderValue::from_str(&etag(listing)).ok()?))
}

/// The condition of a request on the product that it changes (RFC 9110, sections 13.1.1 and
/// 13.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Condition {
    /// Nothing.
    #[default]
    Any,
    /// `If-Match`: one of these entity tags, or any product for `*`.
    Match(Vec<String>),
    /// `If-None-Match: *`: that there is no such product.
    Absent,
}

impl Condition {
    /// Reads the condition from the headers.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
            (None, None) => Ok(Self::Any),
            (Some(tags), None) => {
                Ok(Self::Match(tags.split(',').map(|tag| tag.trim().to_owned()).collect()))
            }
            (None, Some("*")) => Ok(Self::Absent),
            _ => Err(Problem::field(
                "if-none-match",
                "The condition is not supported here.",
                "if-match with entity tags or *, or if-none-match with *",
            )),
        }
    }

    /// Checks the condition. `listing` is the product's, and `exists` tells whether there is
    /// such a product at all, here or in the release.
    pub(super) fn check(&self, listing: Option<&Listing>, exists: bool) -> Result<(), Problem> {
        let holds = match self {
            Self::Any => true,
            Self::Absent => !exists,
            Self::Match(tags) => {
                let own = listing.map(etag);
                tags.iter().any(|tag| (tag == "*" && exists) || Some(tag) == own.as_ref())
            }
        };
        if holds {
            return Ok(());
        }
        let detail = match self {
            Self::Absent => "There is already a product with this id.",
            _ => "The product has changed since. Read it again and repeat the change.",
        };
        Err(Problem::new(Kind::PreconditionFailed, detail))
    }
}
