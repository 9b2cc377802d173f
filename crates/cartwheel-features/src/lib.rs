//! Folds users' order histories into features.
//!
//! [`UserState::apply`] is the only definition of a user's features. The batch job folds
//! a whole history, serving folds the session's checkouts into the stored state, and
//! training folds up to a label order and emits the example before applying that order.
//! Product statistics and baskets are partials with an associative, commutative merge
//! ([`Partial::merge`]), from which the [`Catalogue`] is built. The crate is pure: no I/O,
//! no clock.

mod basket;
mod catalogue;
mod codec;
mod hazard;
mod holdout;
mod neighbours;
mod partial;
mod returns;
mod sample;
mod scaler;
mod shopper;
mod transitions;
mod user;
mod weeks;

pub use basket::Basket;
pub use catalogue::{Catalogue, Product, ProductInfo, Sold};
pub use codec::CodecError;
pub use hazard::{Hazard, Rebuys};
pub use holdout::{
    CROSS_FOLDS, CROSS_USERS, Fold, GATE_ONE_IN, GROUPS, cross_fold_of, fold_of, group_of,
    stable_hash,
};
pub use neighbours::{MAX_NEIGHBOURS, Neighbour};
pub use partial::{Partial, ProductStats};
pub use returns::{Movement, Pieces, net_returns};
pub use sample::BottomK;
pub use scaler::{Moments, Scaler};
pub use shopper::{HISTORY_PRODUCTS, SHOPPER_ORDERS, Shopper, Weighted, heaviest};
pub use transitions::MAX_TRANSITIONS;
pub use user::{Context, Example, LastCheckout, Line, Order, UserProduct, UserState};
pub use weeks::{FAST_DECAY_DAYS, Lately, Trail, Weeks, week_end_ms, week_of};

#[cfg(test)]
mod tests;
