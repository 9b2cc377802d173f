//! Routes for the shop: events in, recommendations and products out.

pub(crate) mod accept;
pub(crate) mod again;
pub(crate) mod backfill;
pub(crate) mod buy_again;
pub(crate) mod catalogue;
pub(crate) mod clients;
pub(crate) mod document;
pub(crate) mod document_history;
pub(crate) mod event_stream;
pub(crate) mod events;
pub(crate) mod expression;
pub(crate) mod filters;
pub(crate) mod foreign;
pub(crate) mod impressions;
pub(crate) mod merge;
pub(crate) mod moment;
pub(crate) mod placements;
pub(crate) mod products;
pub(crate) mod put;
pub(crate) mod rank;
pub(crate) mod recommendations;
pub(crate) mod rules;
pub(crate) mod search;
pub(crate) mod shoppers;
pub(crate) mod submit;
pub(crate) mod synonyms;
