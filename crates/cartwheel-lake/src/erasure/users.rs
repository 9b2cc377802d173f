//! Which records an erasure covers.

use std::io;
use std::path::Path;

use arrow_array::{Array, RecordBatch};
use cartwheel_stream::Sequence;
use rustc_hash::FxHashMap;

use crate::erasure::pending::Erasure;
use crate::files::scan::{numbers, scan, sequences, texts};

/// The users to erase, with their erasures.
pub(super) struct ErasedUsers<'a>(FxHashMap<&'a str, &'a Erasure>);

impl<'a> ErasedUsers<'a> {
    pub(super) fn new(erasures: &'a [Erasure]) -> Self {
        Self(erasures.iter().map(|erasure| (erasure.user_id.as_str(), erasure)).collect())
    }

    /// Whether the user is one of them.
    pub(super) fn contains(&self, user: &str) -> bool {
        self.0.contains_key(user)
    }

    /// Whether a record with this user and sequence number is erased.
    pub(super) fn erases(&self, user: &str, sequence: Sequence) -> bool {
        self.0.get(user).is_some_and(|erasure| sequence < erasure.before)
    }

    /// Whether a file holds rows of one of them. Only its `user_id` column is read.
    pub(super) fn are_in(&self, path: &Path) -> io::Result<bool> {
        let mut found = false;
        scan(path, Some(&["user_id"]), |batch| {
            let users = texts(batch, "user_id")?;
            found |= users.iter().flatten().any(|user| self.contains(user));
            Ok(())
        })?;
        Ok(found)
    }

    /// Marks the rows of an imported table that are kept.
    pub(super) fn keep_imported(&self, batch: &RecordBatch) -> io::Result<Vec<bool>> {
        let users = texts(batch, "user_id")?;
        Ok(users.iter().map(|user| !user.is_some_and(|user| self.contains(user))).collect())
    }

    /// Marks the rows of a delivered table that are kept.
    pub(super) fn keep_delivered(&self, batch: &RecordBatch) -> io::Result<Vec<bool>> {
        let users = texts(batch, "user_id")?;
        let (sequences, received) = (sequences(batch), numbers(batch, "received_at_ms")?);
        let is_kept = |row: usize| {
            let Some(erasure) = self.0.get(users.value(row)).filter(|_| users.is_valid(row)) else {
                return true;
            };
            match sequences.filter(|all| all.is_valid(row)) {
                Some(all) => erasure.before <= Sequence::from(all.value(row)),
                None => received.value(row) > erasure.erased_at_ms,
            }
        };
        Ok((0..batch.num_rows()).map(is_kept).collect())
    }
}
