//! How far a round of erasing has come.
//!
//! A function ends after a quarter of an hour, and a large lake takes longer to read. A round keeps to
//! the erasures that it began with, so that it ends however many are requested meanwhile; those have
//! a round of their own.

use cartwheel_lake::Erasure;
use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::erasures::ErasuresError;
use crate::lake::Lake;
use crate::lake_copy::place;

/// The object of the open round; `null` between two.
const ROUND: &str = "erasures/round.json";
/// Most objects of a round that are named as unreadable.
const MAX_UNREADABLE: usize = 100;

/// A round over the objects of the lake, in one pass or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Round {
    /// What it erases.
    pub erasures: Vec<Erasure>,
    /// When it began, UTC milliseconds. What was delivered later may have been missed.
    pub begun_ms: i64,
    /// Objects that were written earlier are not read, UTC milliseconds.
    pub from_ms: i64,
    /// The [`place`] of the last object that was read. Places fall.
    pub at: Option<String>,
    /// Objects that may hold users, each with the reason; at most 100.
    pub unreadable: Vec<String>,
}

impl Round {
    /// The round that is open in `lake`.
    ///
    /// # Errors
    /// When S3 fails, or the object is damaged.
    pub(crate) async fn open(lake: &Lake) -> Result<Option<Self>, ErasuresError> {
        let Some(bytes) = lake.find(ROUND).await? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map_err(|error| ErasuresError::Damaged { object: ROUND, error })
    }

    /// Keeps what is open. One pass runs at a time, so nobody else writes it.
    ///
    /// # Errors
    /// When S3 fails.
    pub(crate) async fn keep(open: Option<&Self>, lake: &Lake) -> Result<(), ErasuresError> {
        let bytes = serde_json::to_vec(&open)
            .map_err(|error| ErasuresError::Damaged { object: ROUND, error })?;
        Ok(lake.put(ROUND, bytes).await?)
    }

    /// Whether the round has yet to read an object.
    pub(crate) fn has_yet_to_read(&self, object: &ObjectMeta) -> bool {
        let is_before = self.at.as_deref().is_some_and(|at| place(object) >= at);
        !is_before && object.last_modified.timestamp_millis() >= self.from_ms
    }

    /// Adds objects that could not be read.
    pub(crate) fn note(&mut self, unreadable: Vec<String>) {
        self.unreadable.extend(unreadable);
        self.unreadable.truncate(MAX_UNREADABLE);
    }
}
