//! What a shop demands of its lists: rules, checked when they are saved and applied to rankings.
//!
//! A [`Rules`] document becomes a [`RuleSet`], or a list of [`Problem`]s. For a request,
//! [`RuleSet::ruling`] picks the rules that hold, and [`Ruling::arrange`] applies them to a ranked
//! list. [`RuleSet::conflicts`] finds rules that contradict one another. The crate is pure: no
//! I/O, no clock, no catalogue of its own.

mod arrange;
mod book;
mod check;
mod checked;
mod conflicts;
mod document;
mod placed;
mod problem;
mod rule_set;
mod ruling;
mod scope;
mod tally;

pub use book::RuleBook;
pub use check::{MAX_FACTOR, MAX_IDS, MAX_PLACE, MAX_RULES};
pub use checked::Selector;
pub use conflicts::{Conflict, ConflictKind, Known, MAX_CONFLICTS};
pub use document::{Action, Per, Products, Rule, Rules};
pub use placed::{Moved, Placed};
pub use problem::{Problem, Problems};
pub use rule_set::RuleSet;
pub use ruling::{Demand, Occasion, Ruling, Selects};
pub use scope::{Scope, Weekday};
pub use tally::Room;

#[cfg(test)]
mod tests;
