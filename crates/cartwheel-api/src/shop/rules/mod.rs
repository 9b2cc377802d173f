//! The rules of the shop, and their changes.

mod change;
mod history;
mod manage;

use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::routes::Routes;

pub(crate) use change::refused;

/// The routes for rules.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::Admin, routes!(manage::rules))
        .scoped(Scope::Admin, routes!(manage::put_rule, manage::delete_rule))
        .scoped(Scope::Admin, routes!(history::rule_history))
        .scoped(Scope::Admin, routes!(history::undo_rules))
}
