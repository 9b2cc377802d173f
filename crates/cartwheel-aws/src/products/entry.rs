//! Entries of the journal: their numbers and their content.

use cartwheel_events::ProductRecord;
use cartwheel_sessions::{ProductChange, StoreError};
use cartwheel_stream::Position;
use serde::{Deserialize, Serialize};

use crate::table::{MAX_DATA, service};

/// Compression level: each kilobyte written costs a write unit.
const LEVEL: i32 = 3;
/// Bytes of an entry's JSON beside its changes, at most. Compression may add as much.
const FRAME: usize = 1_000;
/// Most bytes of an entry's JSON.
const MAX_JSON: usize = 1 << 20;

/// Changes that are stored together, at most one of each product.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// A random number by which a writer whose answer was lost recognizes its entry.
    pub(super) writer: u64,
    pub(super) changes: Vec<ProductRecord>,
}

impl Entry {
    pub(super) fn to_vec(&self) -> Result<Vec<u8>, StoreError> {
        let json = serde_json::to_vec(self).map_err(|e| service(e.to_string()))?;
        zstd::bulk::compress(&json, LEVEL).map_err(|e| service(e.to_string()))
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = |e: &dyn std::fmt::Display| {
            service(format!("an entry of the catalogue's journal is damaged: {e}"))
        };
        let json = zstd::bulk::decompress(bytes, MAX_JSON).map_err(|e| damaged(&e))?;
        serde_json::from_slice(&json).map_err(|e| damaged(&e))
    }
}

/// The position of the changes of an entry. A product is in it once.
pub(super) fn position(number: u64) -> Position {
    Position { shard: 0, sequence: number.into() }
}

/// The sort key of an entry: as texts, numbers compare as they do.
pub(super) fn sort_key(number: u64) -> String {
    format!("{number:020}")
}

/// The number of an entry, from its sort key.
pub(super) fn number_of(sort_key: &str) -> Result<u64, StoreError> {
    let wrong = |_| service(format!("the catalogue's journal has no place for {sort_key:?}"));
    sort_key.parse().map_err(wrong)
}

/// Splits changes into entries that fit an item even if they cannot be compressed.
pub(super) fn split(changes: Vec<ProductChange>) -> Vec<Vec<ProductChange>> {
    let mut parts: Vec<Vec<ProductChange>> = Vec::new();
    let mut left = 0;
    for change in changes {
        let size = serde_json::to_vec(&change.record).map_or(MAX_DATA, |json| json.len() + 1);
        match parts.last_mut() {
            Some(part) if size <= left => {
                part.push(change);
                left -= size;
            }
            _ => {
                parts.push(vec![change]);
                left = (MAX_DATA - 2 * FRAME).saturating_sub(size);
            }
        }
    }
    parts
}
