//! A product as the live catalogue holds it.

use std::sync::Arc;

use cartwheel_catalogue::Product;
use cartwheel_events::ProductRecord;
use cartwheel_stream::{Position, Sequence};
use serde::{Deserialize, Serialize};

/// A product of the live catalogue, or what remains of a deleted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The product; `None` after its deletion.
    pub product: Option<Arc<Product>>,
    /// The position of its newest change.
    pub position: Position,
    /// When its newest change was accepted, UTC milliseconds.
    pub changed_at_ms: i64,
    /// When its first change was accepted, UTC milliseconds.
    pub added_at_ms: i64,
}

impl Listing {
    /// Returns the listing after a change, `None` if the change is already part of `before`.
    ///
    /// # Errors
    /// When the record's product cannot be read.
    pub fn after(
        before: Option<&Self>,
        position: Position,
        record: &ProductRecord,
    ) -> Result<Option<Self>, serde_json::Error> {
        if before.is_some_and(|before| position.sequence <= before.position.sequence) {
            return Ok(None);
        }
        let product = record.product.as_ref().map(Product::deserialize).transpose()?;
        Ok(Some(Self {
            product: product.map(Arc::new),
            position,
            changed_at_ms: record.received_at_ms,
            added_at_ms: before.map_or(record.received_at_ms, |before| before.added_at_ms),
        }))
    }

    /// Encodes the listing as one line of JSON.
    ///
    /// # Errors
    /// When the product cannot be expressed in JSON.
    pub fn to_vec(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Stored {
            product: self.product.as_deref().map(std::borrow::Cow::Borrowed),
            shard: self.position.shard,
            sequence: self.position.sequence,
            changed_at_ms: self.changed_at_ms,
            added_at_ms: self.added_at_ms,
        })
    }

    /// Decodes a listing that [`Listing::to_vec`] encoded.
    ///
    /// # Errors
    /// When the bytes are no listing.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let stored: Stored<'_> = serde_json::from_slice(bytes)?;
        Ok(Self {
            product: stored.product.map(|product| Arc::new(product.into_owned())),
            position: Position { shard: stored.shard, sequence: stored.sequence },
            changed_at_ms: stored.changed_at_ms,
            added_at_ms: stored.added_at_ms,
        })
    }
}

/// The stored form.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    product: Option<std::borrow::Cow<'a, Product>>,
    shard: u32,
    sequence: Sequence,
    changed_at_ms: i64,
    added_at_ms: i64,
}
