//! Reading the lake: training data, engagement, one user's records, and the tables as they are.

pub(crate) mod checkouts;
pub(crate) mod engagement;
pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod products;
pub(crate) mod recent;
pub(crate) mod ties;
pub(crate) mod touches;
