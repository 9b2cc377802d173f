//! Changes of the document of placements.

use std::sync::Arc;

use cartwheel_placements::{InvalidPlacement, Placements};
use cartwheel_registry::Edition;

use crate::http::problem::Problem;
use crate::shop::document::Document;
use crate::state::AppState;

/// A version of the document.
pub(super) type Version = Arc<Edition<Placements>>;

/// The document of placements.
pub(super) fn document(state: &AppState) -> Document<'_, Placements> {
    Document { live: &state.placements, noun: "placements" }
}

/// The problem for a document that is refused. In the body of one placement, fields are named
/// without the document around them.
pub(super) fn refused(invalid: InvalidPlacement, body_of: Option<&str>) -> Problem {
    let field = match body_of {
        Some(name) if name == invalid.placement && invalid.field.is_empty() => "name".to_owned(),
        Some(name) if name == invalid.placement => invalid.field.clone(),
        _ => invalid.path(),
    };
    let position = invalid.position.and_then(|position| u16::try_from(position).ok());
    Problem { position, ..Problem::field(field, invalid.detail, invalid.expected) }
}
