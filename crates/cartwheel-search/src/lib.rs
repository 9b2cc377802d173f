//! Full-text search over the products of a shop.
//!
//! An [`Index`] holds [`Document`]s in segments, each an inverted index in memory. It never
//! changes: [`Index::with`] makes another one that shares all segments and has one more, so that
//! a changed product costs as much as it has words. [`Index::search`] reads a [`Question`] word
//! by word: as a whole word, as the beginning of one, or as a word with a typo.
//!
//! The crate is pure: no I/O, no clock, no threads.

mod corrections;
mod dictionary;
mod document;
mod evaluation;
mod facets;
mod found;
mod index;
mod question;
mod reading;
mod segment;
mod synonyms;
mod words;

pub use document::Document;
pub use facets::{Facet, FacetFilters, Facets, PriceRange};
pub use found::{Found, Match, Suggestion};
pub use index::Index;
pub use question::{MAX_QUERY_WORDS, Question};
pub use synonyms::{InvalidSynonyms, MAX_SYNONYM_GROUPS, SynonymGroups, Synonyms};

#[cfg(test)]
mod tests;
