//! A checked rule.

use std::collections::BTreeSet;

use cartwheel_events::ProductId;
use cartwheel_filter::{Condition, Item, Segment};

use crate::document::Rule;

/// Products that a checked rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// By id.
    Ids(BTreeSet<ProductId>),
    /// By a condition.
    Condition(Condition),
}

impl Selector {
    /// Whether it names a product at `now_ms`, UTC milliseconds.
    pub fn matches(&self, item: &Item<'_>, now_ms: i64) -> bool {
        match self {
            Self::Ids(ids) => ids.iter().any(|id| id.as_str() == item.product_id),
            Self::Condition(condition) => condition.matches(item, now_ms),
        }
    }
}

/// A rule with its compiled parts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checked {
    pub(crate) rule: Rule,
    pub(crate) products: Option<Selector>,
    pub(crate) cart: Option<Selector>,
    pub(crate) segment: Option<Segment>,
}
