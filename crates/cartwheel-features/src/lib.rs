//! Folds over users' histories, and what they are finished into.
//!
//! [`UserState::apply`] is the only definition of a user's features: the batch
//! job folds a history from its first order on, serving folds the session's
//! checkouts into the stored state, and training folds up to a label order and
//! emits its example before applying it. Product statistics and baskets are
//! partials with an associative, commutative merge ([`Partial::merge`]),
//! finished into the [`Catalogue`]. Pure: no I/O, no clock.

mod catalogue;
mod codec;
mod holdout;
mod partial;
mod sample;
mod scaler;
mod user;

pub use catalogue::{Catalogue, MAX_NEIGHBOURS, Neighbour, Product, ProductInfo};
pub use codec::CodecError;
pub use holdout::{Fold, fold_of, stable_hash};
pub use partial::{Basket, Partial, ProductStats};
pub use sample::BottomK;
pub use scaler::{Moments, Scaler};
pub use user::{Context, Example, Line, Order, UserProduct, UserState};

#[cfg(test)]
mod tests;
