//! Problems of a definition, each with its place.

use serde::Serialize;

/// A problem of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Path of the faulty field, such as `States.Train.Retry[0].MaxAttempts`.
    pub place: String,
    /// Description of the problem, without the place.
    pub message: String,
}

/// An invalid definition, with all its problems.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|p| format!("{}: {}", p.place, p.message)).collect::<Vec<_>>().join("\n"))]
pub struct InvalidDefinition(pub Vec<Problem>);

/// The place of a field of the object at `place`. The whole definition is at `""`.
pub(crate) fn join(place: &str, field: &str) -> String {
    if place.is_empty() { field.to_owned() } else { format!("{place}.{field}") }
}
