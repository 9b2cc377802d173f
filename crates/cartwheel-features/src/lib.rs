//! Folds users' histories into features.
//!
//! [`UserState::apply`] is the only definition of a user's features. The batch job folds
//! a whole history of events, serving folds the session's later events into the stored state, and
//! training folds up to the moment of a question and emits the example.
//! An order is one kind of event; views, adds, removes and searches are the others.
//! Product statistics and baskets are partials with an associative, commutative merge
//! ([`Partial::merge`]), from which the [`Catalogue`] is built. The crate is pure: no I/O,
//! no clock.

mod affinity;
mod basket;
mod cadence;
mod catalogue;
mod codec;
mod content;
mod contents;
mod gaps;
mod hazard;
mod histories;
mod holdout;
mod inverse;
mod lists;
mod neighbour;
mod neighbours;
mod parameters;
mod partial;
mod product_info;
mod returns;
mod sample;
mod scaler;
mod scratch_row;
mod search;
mod selection;
mod shopper;
mod source;
mod subject;
mod touch;
mod transitions;
mod user;
mod visits;
mod weeks;
mod word_index;
mod words;

pub use affinity::{Affinities, MAX_AFFINITIES};
pub use basket::Basket;
pub use cadence::{Cadence, Cadences, Credibility};
pub use catalogue::{Catalogue, Product, Sold, Variant};
pub use codec::CodecError;
pub use content::{Content, Rarity, Terms};
pub use contents::{Contents, MAX_ALIKE};
pub use gaps::{Gaps, Repeats, SHORTEST_GAP};
pub use hazard::{Hazard, Rebuys};
pub use histories::{Histories, HistorySamples, OrderHistory};
pub use holdout::{
    CROSS_FOLDS, CROSS_USERS, Fold, GATE_ONE_IN, GROUPS, cross_fold_of, example_key, fnv1a,
    fold_of, group_of, mix, stable_hash,
};
pub use lists::Lists;
pub use neighbour::Neighbour;
pub use neighbours::MAX_NEIGHBOURS;
pub use parameters::{Parameter, Parameters};
pub use partial::{Merged, Partial, ProductStats, SampleSizes};
pub use product_info::{ProductDetails, ProductInfo};
pub use returns::{Movement, Pieces, net_returns};
pub use sample::BottomK;
pub use scaler::Scaler;
pub use search::{MAX_SEARCHES, SEARCH_WORDS, Search};
pub use selection::{Named, Selection};
pub use shopper::{HISTORY_PRODUCTS, SHOPPER_ORDERS, Shopper, Weighted, heaviest};
pub use source::{Source, Sources};
pub use subject::{Subject, Subjects};
pub use touch::{Action, MAX_TOUCHES, Touch, VISIT_GAP_MS, cart_of, visits};
pub use transitions::MAX_TRANSITIONS;
pub use user::{Context, Event, Example, LastCheckout, Line, Order, UserProduct, UserState};
pub use visits::{Attention, MAX_RELATED, Near, Related, VISIT_TOUCHES, Visit, Visits};
pub use weeks::{FAST_DECAY_DAYS, Lately, Trail, Weeks, week_end_ms, week_of};
pub use word_index::{Wanted, WordIndex};

#[cfg(test)]
mod tests;
