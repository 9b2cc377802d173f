//! The lake as the API shows it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LakeTable)]
pub struct TableSummary {
    /// Its name.
    pub name: String,
    /// Parquet files.
    pub files: usize,
    /// Rows of all of them.
    pub rows: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// When the newest was written, UTC milliseconds.
    pub newest_ms: Option<i64>,
    /// Files that cannot be read and are left out; the log names them.
    pub unreadable: usize,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LakeColumn)]
pub struct ColumnView {
    /// Its name.
    pub name: String,
    /// Its Arrow type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it may be null.
    pub nullable: bool,
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LakeFile)]
pub struct FileView {
    /// Its path in the lake.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// When it was written, UTC milliseconds.
    pub written_ms: i64,
}

/// Rows as texts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
#[schema(as = LakeSample)]
pub struct SampleView {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// One text a column; null for none.
    pub rows: Vec<Vec<Option<String>>>,
}

/// All of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LakeTableDetail)]
pub struct TableView {
    /// As in the list.
    #[serde(flatten)]
    pub table: TableSummary,
    /// Its schema.
    pub columns: Vec<ColumnView>,
    /// The newest first, at most 20.
    pub newest_files: Vec<FileView>,
    /// Up to 20 rows of the newest file.
    pub sample: SampleView,
}

/// A feature set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FeatureSetView {
    /// Its name.
    pub version: String,
    /// Whether it serves.
    pub serving: bool,
    /// When it was written, UTC milliseconds.
    pub created_ms: i64,
    /// Users with a record.
    pub users: u64,
    /// Orders folded.
    pub orders: u64,
    /// Lines folded.
    pub lines: u64,
    /// Products of the catalogue.
    pub products: u64,
    /// Rows to train on.
    pub train_rows: u64,
    /// Rows for early stopping.
    pub valid_rows: u64,
    /// Held-out baskets for evaluation.
    pub gate_examples: u64,
}

/// A row that an import left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Reject)]
pub struct RejectView {
    /// The file it was in.
    pub file: String,
    /// Its line there.
    pub line: String,
    /// Why.
    pub reason: String,
    /// What it said.
    pub row: String,
}

/// Rows that the last import left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Rejects)]
pub struct RejectsView {
    /// How many.
    pub rows: u64,
    /// The file that lists them, in the lake.
    pub file: String,
    /// The first 10.
    pub sample: Vec<RejectView>,
}

/// What work on the lake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LakeJobKind {
    /// Files are imported.
    Import,
    /// A shop is generated and imported.
    Generate,
}

/// Where work on the lake stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LakeJobState {
    /// At work.
    Running,
    /// It succeeded.
    Done,
    /// It failed.
    Failed,
}

/// Work on the lake; one at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LakeJob {
    /// What it is.
    pub kind: LakeJobKind,
    /// Where it stands.
    pub state: LakeJobState,
    /// The step in words.
    pub what: String,
    /// How much of the step is done.
    pub done: u64,
    /// Of how much, where it is known.
    pub total: Option<u64>,
    /// When it started, UTC milliseconds.
    pub started_ms: i64,
    /// When it ended, UTC milliseconds.
    pub ended_ms: Option<i64>,
    /// What it came to, or why it failed.
    pub message: Option<String>,
}

/// What the lake holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Lake)]
pub struct LakeView {
    /// Its tables.
    pub tables: Vec<TableSummary>,
    /// The newest first.
    pub feature_sets: Vec<FeatureSetView>,
    /// Of the last import; null where it left nothing out.
    pub rejects: Option<RejectsView>,
    /// The work that was started last; null with none.
    pub job: Option<LakeJob>,
}

/// Work to start on the lake. It replaces the imported orders and products; events stay.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum StartLakeJob {
    /// Imports files in the Instacart schema.
    Import {
        /// Their directory on the server's machine.
        directory: String,
    },
    /// Generates a shop and imports it.
    Generate {
        /// 10 to 1,000,000.
        #[schema(minimum = 10, maximum = 1_000_000)]
        users: u64,
        /// 100 to 100,000.
        #[schema(minimum = 100, maximum = 100_000)]
        products: u64,
        /// 10 to 20,000,000.
        #[schema(minimum = 10, maximum = 20_000_000)]
        orders: u64,
        /// The same seed gives the same shop.
        seed: u64,
    },
}
