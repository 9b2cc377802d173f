//! What shoppers searched for, as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

/// How often a query was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct QueryCount {
    /// The query in lower case, with one space between words.
    pub query: String,
    /// How often it was asked. A shopper's same query within half an hour counts once.
    pub searches: u64,
    /// Shoppers who asked it.
    pub shoppers: u64,
    /// Searches after which the shopper looked at a product or added it to the cart: within half
    /// an hour, before the next search, and not from a recommendation.
    pub followed: u64,
}

/// The searches of a period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchCounts {
    /// When the period begins, UTC milliseconds.
    pub since_ms: i64,
    /// Queries of fewer shoppers are not named.
    pub min_shoppers: u64,
    /// All searches.
    pub searches: u64,
    /// The queries of enough shoppers, the most frequent first.
    pub queries: Vec<QueryCount>,
}
