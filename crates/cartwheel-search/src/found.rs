//! What a search finds.

use std::cmp::Ordering;

use cartwheel_catalogue::Money;

use crate::facets::Facets;

/// What a search finds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The number of products that match and pass the filters.
    pub total: usize,
    /// Counts of the matches.
    pub facets: Facets,
    /// The query that was searched for, if typos were corrected.
    pub corrected: Option<String>,
    /// What was probably meant, if nothing matches even without filters.
    pub suggestions: Vec<Suggestion>,
}

/// A product that matches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match {
    /// The caller's number of the product.
    pub key: u32,
    /// The words of the query that it has with a typo.
    pub typos: u8,
    /// The words of the query of which it only has the beginning.
    pub parts: u8,
    /// How well it fits among the products with as many parts and typos, above 0.
    pub score: f32,
    /// The price of a piece.
    pub price: Option<Money>,
}

impl Match {
    /// The order by relevance, best first: products that have the words as they are, then those
    /// that have the beginnings of some, then those with typos; among them by score.
    pub fn by_relevance(&self, other: &Self) -> Ordering {
        let worse = |m: &Self| (m.typos + m.parts, m.typos);
        worse(self)
            .cmp(&worse(other))
            .then_with(|| other.score.total_cmp(&self.score))
            .then_with(|| self.key.cmp(&other.key))
    }
}

/// A query that finds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The query.
    pub query: String,
    /// The number of products that it finds.
    pub total: usize,
}
