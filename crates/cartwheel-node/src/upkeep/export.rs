//! Everything that is stored about a user.

use anyhow::Result;
use cartwheel_events::UserId;
use serde_json::{Value, json};

use crate::upkeep::{MAX_ROWS, Upkeep};

impl Upkeep {
    /// Exports the data that lake and stream store about a user, and what guests did that turned
    /// out to be this user. Blocks; must be called within a tokio runtime.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn stored(&self, user_id: &UserId) -> Result<Value> {
        let mut stored = self.stored_of(user_id)?;
        let ties = tokio::runtime::Handle::current().block_on(self.ties(user_id))?;
        let mut guests = serde_json::Map::new();
        for guest in ties.guests(user_id.as_str()) {
            let mut of_guest = self.stored_of(&UserId::new(guest)?)?;
            let is_own = |row: &Value| {
                // A malformed record has no time: it may be the user's.
                let Some(at_ms) = row["received_at_ms"].as_i64() else { return true };
                ties.user(guest, at_ms) == Some(user_id.as_str())
            };
            for rows in of_guest.as_object_mut().into_iter().flat_map(|tables| tables.values_mut())
            {
                if let Value::Array(rows) = rows {
                    rows.retain(|row| !row.is_object() || is_own(row));
                }
            }
            guests.insert(guest.to_owned(), of_guest);
        }
        stored["guests"] = Value::Object(guests);
        Ok(stored)
    }

    /// Exports the records of one shopper.
    fn stored_of(&self, user_id: &UserId) -> Result<Value> {
        let stored = self.lake.user_records(user_id.as_str(), MAX_ROWS)?;
        let mut stored = serde_json::to_value(stored)?;
        let runtime = tokio::runtime::Handle::current();
        stored["stream"] = json!(runtime.block_on(self.undelivered(user_id))?);
        Ok(stored)
    }
}
