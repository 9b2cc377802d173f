//! Erasures as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

/// From where a user has still to be erased. Answers know nothing of the user by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureStep {
    /// From stream, lake and sessions' files: the next compaction does it.
    Lake,
    /// From feature sets: the next run of the pipeline does it.
    Features,
}

/// A user who is being erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErasureView {
    /// Who.
    pub user_id: String,
    /// When it was asked for, UTC milliseconds.
    pub erased_at_ms: i64,
    /// What comes next.
    pub step: ErasureStep,
}
