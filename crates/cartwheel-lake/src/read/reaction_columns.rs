//! The columns of figures in a stored file.

use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};

use crate::files::scan::{floats, numbers};
use crate::read::reactions::Reactions;

const COUNTS: [&str; 5] = ["sent", "shown", "viewed", "added", "bought"];

/// The columns of some rows.
pub(super) fn columns<'a>(
    rows: impl Iterator<Item = &'a Reactions> + Clone,
) -> Vec<(&'static str, ArrayRef)> {
    let count = |of: fn(&Reactions) -> u64| -> ArrayRef {
        let counts = rows.clone().map(|row| i64::try_from(of(row)).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(counts))
    };
    let revenue = Float64Array::from_iter_values(rows.clone().map(|row| row.revenue));
    vec![
        ("sent", count(|row| row.sent)),
        ("shown", count(|row| row.shown)),
        ("viewed", count(|row| row.viewed)),
        ("added", count(|row| row.added)),
        ("bought", count(|row| row.bought)),
        ("revenue", Arc::new(revenue)),
    ]
}

/// The columns of a batch.
pub(super) struct ReactionColumns<'a> {
    counts: [&'a Int64Array; 5],
    revenue: &'a Float64Array,
}

impl<'a> ReactionColumns<'a> {
    /// Finds the columns.
    ///
    /// # Errors
    /// When one is missing or of another type.
    pub(super) fn of(batch: &'a RecordBatch) -> io::Result<Self> {
        let [sent, shown, viewed, added, bought] = COUNTS;
        let of = |name| numbers(batch, name);
        let counts = [of(sent)?, of(shown)?, of(viewed)?, of(added)?, of(bought)?];
        Ok(Self { counts, revenue: floats(batch, "revenue")? })
    }

    /// The figures of a row.
    pub(super) fn row(&self, row: usize) -> Reactions {
        let [sent, shown, viewed, added, bought] =
            self.counts.map(|counts| u64::try_from(counts.value(row)).unwrap_or_default());
        Reactions { sent, shown, viewed, added, bought, revenue: self.revenue.value(row) }
    }
}
