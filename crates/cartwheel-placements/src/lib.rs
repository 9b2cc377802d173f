//! Placements: the named lists of a shop's pages.
//!
//! [`Placements`] is the document that an admin writes. [`Placements::check`] accepts or refuses it
//! as a whole, and [`Placements::chain`] says where the products of a placement come from. The crate
//! is pure: no I/O, no clock.

mod chain;
mod check;
mod from_the_start;
mod kind;
mod placement;

pub use chain::Step;
pub use check::{
    InvalidPlacement, MAX_CHAIN, MAX_FALLBACK, MAX_PLACEMENTS, NAME_EXPECTED, is_name,
};
pub use kind::{Kind, Parameter};
pub use placement::{
    DEFAULT_LIMIT, Dials, Explore, MAX_EXPLORED, MAX_LIMIT, MAX_RANKED, Placement, Placements,
};

#[cfg(test)]
mod tests;
