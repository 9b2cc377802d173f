//! The lake as the API shows it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LakeTable)]
pub struct TableSummary {
    /// The name.
    pub name: String,
    /// The number of Parquet files.
    pub files: usize,
    /// The number of rows in all files.
    pub rows: u64,
    /// The size of all files in bytes.
    pub bytes: u64,
    /// The time of the newest file, UTC milliseconds.
    pub newest_ms: Option<i64>,
    /// The number of unreadable files, which are left out. The log names them.
    pub unreadable: usize,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LakeColumn)]
pub struct ColumnView {
    /// The name.
    pub name: String,
    /// The Arrow type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether values may be null.
    pub nullable: bool,
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LakeFile)]
pub struct FileView {
    /// The path in the lake.
    pub path: String,
    /// The number of rows.
    pub rows: u64,
    /// The size in bytes.
    pub bytes: u64,
    /// The time of writing, UTC milliseconds.
    pub written_ms: i64,
}

/// Sample rows as text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
#[schema(as = LakeSample)]
pub struct SampleView {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// One text per column; null for a missing value.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A table in detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LakeTableDetail)]
pub struct TableView {
    /// The table's entry in the list.
    #[serde(flatten)]
    pub table: TableSummary,
    /// The columns.
    pub columns: Vec<ColumnView>,
    /// The newest files, at most 20.
    pub newest_files: Vec<FileView>,
    /// Up to 20 rows of the newest file.
    pub sample: SampleView,
}

/// A feature set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FeatureSetView {
    /// The name.
    pub version: String,
    /// Whether it serves.
    pub serving: bool,
    /// The time of writing, UTC milliseconds.
    pub created_ms: i64,
    /// The number of users.
    pub users: u64,
    /// The number of orders.
    pub orders: u64,
    /// The number of order lines.
    pub lines: u64,
    /// The number of products.
    pub products: u64,
    /// The number of training rows.
    pub train_rows: u64,
    /// The number of validation rows.
    pub valid_rows: u64,
    /// The number of held-out questions.
    pub gate_examples: u64,
}

/// A row that an import rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Reject)]
pub struct RejectView {
    /// The source file.
    pub file: String,
    /// The line in the file.
    pub line: String,
    /// Why it was rejected.
    pub reason: String,
    /// The row itself.
    pub row: String,
}

/// Rows that the last import rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Rejects)]
pub struct RejectsView {
    /// The number of rejected rows.
    pub rows: u64,
    /// The file in the lake that lists them.
    pub file: String,
    /// The first 10 of them.
    pub sample: Vec<RejectView>,
}

/// The kind of a job on the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LakeJobKind {
    /// It imports files.
    Import,
    /// It generates and imports a shop.
    Generate,
}

/// The state of a job on the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LakeJobState {
    /// It runs.
    Running,
    /// It succeeded.
    Done,
    /// It failed.
    Failed,
}

/// A job on the lake. Only one runs at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LakeJob {
    /// The kind of job.
    pub kind: LakeJobKind,
    /// The state.
    pub state: LakeJobState,
    /// The current step.
    pub what: String,
    /// The completed part of the step.
    pub done: u64,
    /// The whole of the step, if known.
    pub total: Option<u64>,
    /// The start, UTC milliseconds.
    pub started_ms: i64,
    /// The end, UTC milliseconds.
    pub ended_ms: Option<i64>,
    /// The result, or the reason for the failure.
    pub message: Option<String>,
}

/// The lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Lake)]
pub struct LakeView {
    /// The tables.
    pub tables: Vec<TableSummary>,
    /// Feature sets, newest first.
    pub feature_sets: Vec<FeatureSetView>,
    /// Rows that the last import rejected; null if it rejected none.
    pub rejects: Option<RejectsView>,
    /// The last job; null without one.
    pub job: Option<LakeJob>,
}

/// A job to start on the lake. It replaces imported orders and products; events remain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum StartLakeJob {
    /// Imports files in the Instacart schema.
    Import {
        /// The directory of the files on the server.
        directory: String,
    },
    /// Generates a shop and imports it.
    Generate {
        /// The number of users, 10 to 1,000,000.
        #[schema(minimum = 10, maximum = 1_000_000)]
        users: u64,
        /// The number of products, 100 to 100,000.
        #[schema(minimum = 100, maximum = 100_000)]
        products: u64,
        /// The number of orders, 10 to 20,000,000.
        #[schema(minimum = 10, maximum = 20_000_000)]
        orders: u64,
        /// The seed. Equal seeds generate equal shops.
        seed: u64,
    },
}
