//! The interface to a model that runs on another machine.

use cartwheel_stream::Pending;

/// An endpoint failed to score rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("endpoint: {0}")]
pub struct ScoreError(pub String);

/// Scores rows on another machine.
pub trait Scorer: Send + Sync {
    /// Returns one probability per row, of the model that `variant` has. `rows` holds scaled values,
    /// `width` per row.
    fn score<'a>(
        &'a self,
        variant: &'a str,
        rows: &'a [f32],
        width: usize,
    ) -> Pending<'a, Result<Vec<f32>, ScoreError>>;
}
