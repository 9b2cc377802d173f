//! Erasures as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

/// The next step of an erasure. Answers no longer use the user's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErasureStep {
    /// The next compaction erases the user from stream, lake and session files.
    Lake,
    /// The next run of the pipeline erases the user from feature sets.
    Features,
}

/// An erasure in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErasureView {
    /// The user.
    pub user_id: String,
    /// The time of the request, UTC milliseconds.
    pub erased_at_ms: i64,
    /// The next step.
    pub step: ErasureStep,
    /// Files of the lake that cannot be read and may hold the user, each with the error; at most
    /// five. The erasure ends once each of them is repaired or removed.
    pub unreadable: Vec<String>,
}
