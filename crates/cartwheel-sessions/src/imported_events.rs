//! The interface to events that were imported beside the stream.

use cartwheel_events::{EventRecord, UserId};

/// The imported events of a shopper, in the order of their times.
#[derive(Debug, Clone)]
pub struct ShopperEvents {
    /// The shopper.
    pub user_id: UserId,
    /// The events. Their `received_at_ms` is their own time.
    pub events: Vec<EventRecord>,
}

/// The events that were imported beside the stream. Calls may block.
pub trait ImportedEvents: Send + Sync {
    /// The ids of the imports, oldest first.
    ///
    /// # Errors
    /// When they cannot be read now.
    fn ids(&self) -> Result<Vec<String>, String>;

    /// Reads the events of import `id` since `from_ms` (UTC milliseconds): calls `each` once for
    /// every shopper, until it returns false.
    ///
    /// # Errors
    /// When they cannot be read now.
    fn read(
        &self,
        id: &str,
        from_ms: i64,
        each: &mut dyn FnMut(ShopperEvents) -> bool,
    ) -> Result<(), String>;
}
