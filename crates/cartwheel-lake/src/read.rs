//! Reading the lake: training data, feedback, one user's records, and the tables as they are.

pub(crate) mod checkouts;
pub(crate) mod export;
pub(crate) mod feedback;
pub(crate) mod feedback_days;
mod feedback_join;
pub(crate) mod inspect;
pub(crate) mod past;
pub(crate) mod products;
mod reaction_columns;
pub(crate) mod reactions;
pub(crate) mod recent;
pub(crate) mod searches;
pub(crate) mod ties;
pub(crate) mod touches;
mod users;
