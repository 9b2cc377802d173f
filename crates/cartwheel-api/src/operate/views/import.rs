//! Imports of uploaded files as the API shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::operate::views::import_mapping::ImportMapping;
use crate::operate::views::import_preview::{ImportPreview, ImportResult};

/// What the rows of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportContent)]
pub enum ImportContent {
    /// Events: a column says what happened.
    Events,
    /// Lines of orders: each row is a product that was bought.
    Orders,
    /// Products.
    Products,
}

impl ImportContent {
    /// Every kind of content.
    pub const ALL: [Self; 3] = [Self::Events, Self::Orders, Self::Products];

    /// The name in requests, and the name of the command `cartwheel import …`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Orders => "orders",
            Self::Products => "products",
        }
    }
}

/// The state of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// The file arrives.
    Uploading,
    /// The file is read, to show how it is understood.
    Reading,
    /// The file waits to be started.
    Ready,
    /// The file is imported.
    Importing,
    /// The import is complete.
    Done,
    /// The file cannot be read or imported. Nothing has changed, except that products which were
    /// stored before stay.
    Failed,
}

/// What happens to earlier data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportMode {
    /// It stays. Products keep the fields that the file does not name.
    Append,
    /// What was imported before is removed; events that the server received stay. Products that
    /// the file lacks are hidden.
    Replace,
}

/// How to import.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StartFileImport {
    /// What happens to earlier data. Without it, orders and events are refused if there is any,
    /// and products are added.
    pub mode: Option<ImportMode>,
    /// The share of rows that may be rejected, in percent [default: 5].
    #[schema(minimum = 0, maximum = 100)]
    pub max_rejects: Option<f64>,
    /// With `replace`: hide the products that the file lacks even if they are more than 20 % of
    /// those on offer.
    pub confirm: bool,
}

/// The progress of an import.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ImportProgress {
    /// The current step: `uploading` and `reading` count bytes, `writing` counts parts, and
    /// `products` products.
    pub step: String,
    /// The completed part of the step.
    pub done: u64,
    /// The whole of the step, if known.
    pub total: Option<u64>,
    /// Rows read, estimated from the preview.
    pub rows: Option<u64>,
    /// The completed part a second.
    pub per_second: Option<f64>,
    /// Seconds until the end of the step.
    pub seconds_left: Option<u64>,
}

/// An import of an uploaded file.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = FileImport)]
pub struct ImportView {
    /// The id.
    pub import_id: String,
    /// What the rows are.
    pub kind: ImportContent,
    /// The file's name.
    pub name: String,
    /// The file's size in bytes, as far as it has arrived.
    pub bytes: u64,
    /// The state.
    pub state: ImportState,
    /// The fields that columns may be mapped to. Columns of products may also be mapped to
    /// attributes, such as `attributes.colour`.
    pub fields: Vec<String>,
    /// What the caller has said about the file.
    pub mapping: ImportMapping,
    /// How the file is understood. Null until it is read, and if it cannot be read.
    pub preview: Option<ImportPreview>,
    /// The progress of what is going on.
    pub progress: Option<ImportProgress>,
    /// What the import did.
    pub result: Option<ImportResult>,
    /// Why it failed, and what to do.
    pub error: Option<String>,
    /// The start of the upload or of the last step, UTC milliseconds.
    pub changed_ms: i64,
}

/// Data that was imported before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct EarlierImports {
    /// Imports.
    pub imports: u64,
    /// Orders of known users.
    pub orders: u64,
    /// Events other than orders.
    pub events: u64,
}
