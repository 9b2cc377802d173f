//! Placements: the lists of the shop's pages, and the document that configures them.

mod answer;
mod change;
mod history;
mod manage;
mod preview;
pub(crate) mod slot;
mod visit;

use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::routes::Routes;

/// The routes for placements.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .for_guests(Scope::RecommendationsRead, routes!(answer::placement))
        .for_guests(Scope::RecommendationsRead, routes!(answer::page))
        .scoped(Scope::Admin, routes!(manage::placements, manage::put_placements))
        .scoped(
            Scope::Admin,
            routes!(manage::show_placement, manage::put_placement, manage::delete_placement),
        )
        .scoped(Scope::Admin, routes!(history::placement_history))
        .scoped(Scope::Admin, routes!(history::undo_placements))
        .scoped(Scope::Admin, routes!(preview::preview))
}
