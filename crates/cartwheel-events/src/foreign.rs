//! Reads events that clients send in the formats of other products.
//!
//! Each format has a module that reads its envelope: the list of events, the user, the
//! time and the event's name. The format's [`Table`] maps names and fields to ours.
//! Events and fields that the table does not list are ignored, so a site can send its
//! whole feed.

mod ga4;
mod mapping;
mod segment;
mod shopify;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::event::Invalid;
pub use mapping::Mapped;
pub use shopify::shopify_order;

/// A foreign format whose payloads are accepted unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// Google Analytics 4: the body of a Measurement Protocol request.
    Ga4,
    /// Segment: a call of the tracking API, or a batch of calls.
    Segment,
}

impl Foreign {
    /// Reads a payload and returns one result per event, in order: 1 to [`crate::MAX_BATCH`].
    /// Field paths start at the payload's root.
    ///
    /// # Errors
    /// The field that makes the whole payload unreadable, such as an `events` that is not
    /// a list.
    pub fn read(self, body: &Value) -> Result<Vec<Mapped>, Invalid> {
        match self {
            Self::Ga4 => ga4::read(body),
            Self::Segment => segment::read(body),
        }
    }
}
