//! What is found in an uploaded file, as the command line prints it with `--json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::operate::views::import_mapping::OrderByView;

/// How the rows of a file are cut into cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportFormat {
    /// Lines of cells.
    Delimited {
        /// The character between cells.
        #[schema(value_type = String)]
        delimiter: char,
        /// Whether cells may be in double quotes. Otherwise a backslash escapes.
        quoted: bool,
    },
    /// One JSON object a line.
    Json,
    /// Parquet.
    Parquet,
}

/// A file and its format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportSource {
    /// The file's name.
    pub name: String,
    /// Its format.
    pub format: ImportFormat,
}

/// A column of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportColumn {
    /// The name.
    pub name: String,
    /// The first different values, as they are written.
    pub examples: Vec<String>,
}

/// A field and its columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportField {
    /// The field.
    pub field: String,
    /// Its columns. The first one with a value counts.
    pub columns: Vec<String>,
    /// How they were found: `given` by the caller, by `name`, or by `content`.
    pub how: String,
}

/// A row as it is understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImportRow {
    /// The row's line in the file.
    pub line: u64,
    /// The customer; null if unknown.
    pub user_id: Option<String>,
    /// The guest; null if there is none.
    pub anonymous_id: Option<String>,
    /// The kind of event.
    pub event: String,
    /// The id of the order or event; empty if there is none.
    pub id: String,
    /// The time, UTC milliseconds.
    pub at_ms: i64,
    /// The product.
    pub product_id: String,
    /// Number of pieces.
    pub quantity: u32,
    /// Price of a piece.
    pub price: Option<f64>,
    /// The product's name; empty if there is none.
    pub product_name: String,
    /// The text of a search; empty for everything else.
    pub query: String,
}

/// A reason for which rows are rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportReason {
    /// The reason.
    pub reason: String,
    /// Rows rejected for it.
    pub rows: u64,
    /// The first of these rows.
    pub example: String,
}

/// A code in the place of a product that is none: postage, fees, corrections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportServiceCode {
    /// The code.
    pub product_id: String,
    /// Its usual description.
    pub name: String,
    /// Lines that are left out because of it.
    pub lines: u64,
}

/// How a file is understood.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImportPreview {
    /// The file and its format, if it has orders or events.
    pub sources: Vec<ImportSource>,
    /// Why the rows cannot be understood, and what to do. Then nothing is counted.
    pub problem: Option<String>,
    /// The columns of the file.
    pub columns: Vec<ImportColumn>,
    /// The fields and their columns.
    pub fields: Vec<ImportField>,
    /// Columns that mean nothing to the import.
    pub ignored_columns: Vec<String>,
    /// How lines without an order id become orders.
    pub order_by: Option<OrderByView>,
    /// The time zone of times without one.
    pub timezone: Option<String>,
    /// All rows.
    pub rows: u64,
    /// Rows that are understood as lines of orders or as events.
    pub lines: u64,
    /// Products that are understood, in a file of products.
    pub products: u64,
    /// The first rows as they are understood.
    pub first_rows: Vec<ImportRow>,
    /// The first products as they are understood.
    #[schema(value_type = Vec<Object>)]
    pub first_products: Vec<Value>,
    /// Rejected rows.
    pub rejected: u64,
    /// Why rows of orders and events are rejected, the most frequent reason first.
    pub reasons: Vec<ImportReason>,
    /// Rejected products, each with the reason.
    pub problems: Vec<String>,
    /// Rows of other kinds of events, which are left out, by name.
    pub other_events: BTreeMap<String, u64>,
    /// Rows without customer and price, which are left out.
    pub stock_corrections: u64,
    /// Lines whose customer is unknown. They count for popularity and for what is bought
    /// together.
    pub lines_without_customer: u64,
    /// Codes that are no products; their lines are left out.
    pub service_codes: Vec<ImportServiceCode>,
    /// The first time, UTC milliseconds.
    pub first_ms: Option<i64>,
    /// The last time, UTC milliseconds.
    pub last_ms: Option<i64>,
    /// What the shop should know.
    pub notes: Vec<String>,
    /// The mapping in the form of a file for `cartwheel import --mapping`.
    pub mapping: Option<String>,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportResult {
    /// Whether the same file was imported before; then nothing has changed.
    pub unchanged: bool,
    /// Orders of known users.
    pub orders: u64,
    /// Lines of these orders.
    pub lines: u64,
    /// Users of the orders and events.
    pub users: u64,
    /// Products.
    pub products: u64,
    /// Events other than orders.
    pub events: u64,
    /// Orders whose customer is unknown.
    pub baskets: u64,
    /// Products that were hidden because the file lacks them. Null unless that was wanted, and if
    /// products of the file failed.
    pub hidden: Option<u64>,
    /// Rejected rows.
    pub rejected: u64,
    /// The first problems with products.
    pub problems: Vec<String>,
    /// Guests and returns.
    pub assembled: Option<ImportReturns>,
}

/// Guests and returns among the imported lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportReturns {
    /// Guests among the users.
    pub guests: u64,
    /// Products that were given back.
    pub returns: u64,
    /// Those that undo a purchase.
    pub returns_netted: u64,
    /// Those that no purchase covers.
    pub returns_unmatched: u64,
    /// Orders that were given back whole.
    pub orders_undone: u64,
}
