//! How a feed is understood.

use cartwheel_catalogue::Product;
use serde::Serialize;
use serde_json::Value;

use crate::columns::Column;
use crate::error::ImportError;
use crate::feed::mapping::FeedMapping;
use crate::feed::read::FeedReading;
use crate::recognise::How;
use crate::source::Source;

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
    /// Why the rows cannot be understood, and what to do. Then nothing is counted.
    pub problem: Option<String>,
    /// The columns of a table; empty if the lines have the form of the catalogue's own products.
    pub columns: Vec<Column>,
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

/// Reads the products of feeds and shows how they are understood. If no column is recognised as the
/// product's id, the preview says so and shows the columns.
///
/// # Errors
/// When a source cannot be read as a whole.
pub fn preview_feed(sources: &[Source], mapping: &FeedMapping) -> Result<FeedPreview, ImportError> {
    let mut reading = FeedReading::new(mapping);
    let problem = match sources.iter().try_for_each(|source| reading.add(source)) {
        Err(ImportError::Mapping { problem, .. }) => Some(problem),
        other => other.map(|()| None)?,
    };
    let columns = reading.take_columns();
    let feed = reading.finish();
    let products = feed.products.len() as u64;
    let field = |(field, columns): (String, Vec<String>)| {
        let how = if mapping.columns(&field).is_some() { How::Given } else { How::Name };
        FeedField { field, columns, how }
    };
    let mut problems = feed.problems;
    problems.truncate(SHOWN_REJECTED);
    Ok(FeedPreview {
        problem,
        columns,
        fields: feed.fields.into_iter().map(field).collect(),
        ignored_columns: feed.ignored_columns,
        rows: products + feed.rejected,
        products,
        first_products: feed.products.iter().take(SHOWN).map(Product::to_json).collect(),
        rejected: feed.rejected,
        problems,
    })
}
