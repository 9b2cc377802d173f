//! How a feed is understood.

use serde::Serialize;
use serde_json::Value;

use crate::feed::read::Feed;
use crate::recognise::How;

/// Products that are shown.
const SHOWN: usize = 10;
/// Rejected rows that are shown.
const SHOWN_REJECTED: usize = 100;

/// A field of products and its columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedField {
    /// The field.
    pub field: String,
    /// Its columns. The first one with a text counts.
    pub columns: Vec<String>,
    /// How they were found.
    pub how: How,
}

/// How a feed is understood.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeedPreview {
    /// The fields and their columns.
    pub fields: Vec<FeedField>,
    /// Columns that mean nothing to the import.
    pub ignored_columns: Vec<String>,
    /// Rows that are understood or rejected; of rows with the same id, the last one counts.
    pub rows: u64,
    /// Products that are understood.
    pub products: u64,
    /// The first products as they are understood.
    pub first_products: Vec<Value>,
    /// Rejected rows.
    pub rejected: u64,
    /// The first rejected rows, each with the reason.
    pub problems: Vec<String>,
}

impl Feed {
    /// How the feed is understood, with its first products.
    pub fn preview(&self) -> FeedPreview {
        let fields = self.fields.iter().map(|(field, columns)| FeedField {
            field: field.clone(),
            columns: columns.clone(),
            how: How::Name,
        });
        let products = self.products.len() as u64;
        FeedPreview {
            fields: fields.collect(),
            ignored_columns: self.ignored_columns.clone(),
            rows: products + self.rejected,
            products,
            first_products: self.products.iter().take(SHOWN).map(|p| p.to_json()).collect(),
            rejected: self.rejected,
            problems: self.problems.iter().take(SHOWN_REJECTED).cloned().collect(),
        }
    }
}
