//! Filter expressions over the catalogue: a small language, checked before it runs.
//!
//! [`Expression::parse`] reads a text. [`Expression::bind`] replaces what it says about shopper
//! and cart by values. The resulting [`Condition`] decides on one product
//! ([`Condition::matches`]), or selects from an [`Index`] of all products at once
//! ([`Condition::select`]); both always agree. A [`Segment`] is a condition on the shopper alone. The crate is pure: no I/O, no clock.

mod ast;
mod bind;
mod check;
mod compare;
mod context;
mod decimal;
mod error;
mod evaluate;
mod expression;
mod index;
mod item;
mod lex;
mod name;
mod parse;
mod segment;
mod select;
mod value;

pub use bind::{Shopper, ShopperCart};
pub use context::Context;
pub use error::FilterError;
pub use expression::{Condition, Expression, Source};
pub use index::Index;
pub use item::Item;
pub use lex::MAX_LENGTH;
pub use parse::{MAX_DEPTH, MAX_TERMS};
pub use segment::Segment;

#[cfg(test)]
mod tests;
