//! What the lake holds, and work on it.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::pipeline::{blocking, operator};
use crate::problem::{Kind, Problem};
use crate::request::{self, NamePath};
use crate::state::Shared;

/// Least and most users, products and orders of a generated shop.
const USERS: std::ops::RangeInclusive<u64> = 10..=1_000_000;
const PRODUCTS: std::ops::RangeInclusive<u64> = 100..=100_000;
const ORDERS: std::ops::RangeInclusive<u64> = 10..=20_000_000;

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

/// The work on the lake that was started last.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastLakeJob {
    /// Null with none since the server's start.
    job: Option<LakeJob>,
}

fn unread(why: String) -> Problem {
    Problem::hiding(Kind::Unavailable, "The lake cannot be read now.", why)
}

/// Shows what the lake holds
#[utoipa::path(get, path = "/v1/lake", tag = "data", responses(
    (status = 200, description = "Tables, feature sets, rejects", body = LakeView),
    (status = 404, description = "This server has no lake of its own", body = Problem),
    (status = 503, description = "It cannot be read now", body = Problem),
))]
pub(crate) async fn lake(State(state): State<Shared>) -> Result<Json<LakeView>, Problem> {
    let operator = operator(&state)?;
    blocking(move || operator.lake()).await?.map(Json).map_err(unread)
}

/// Shows a table
#[utoipa::path(get, path = "/v1/lake/tables/{name}", tag = "data", params(
    ("name" = String, Path, description = "The table"),
), responses(
    (status = 200, description = "Schema, newest files, sample rows", body = TableView),
    (status = 404, description = "There is no such table", body = Problem),
    (status = 503, description = "It cannot be read now", body = Problem),
))]
pub(crate) async fn table(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Json<TableView>, Problem> {
    let operator = operator(&state)?;
    let table = blocking(move || operator.table(&name)).await?.map_err(unread)?;
    table.map(Json).ok_or_else(|| Problem::new(Kind::NotFound, "There is no such table."))
}

/// Shows the work on the lake that was started last
#[utoipa::path(get, path = "/v1/lake/job", tag = "data", responses(
    (status = 200, description = "How far it is", body = LastLakeJob),
    (status = 404, description = "This server has no lake of its own", body = Problem),
))]
pub(crate) async fn job(State(state): State<Shared>) -> Result<Json<LastLakeJob>, Problem> {
    Ok(Json(LastLakeJob { job: operator(&state)?.lake_job() }))
}

/// Imports files, or generates a shop
#[utoipa::path(post, path = "/v1/lake/job", tag = "data", request_body = StartLakeJob, responses(
    (status = 202, description = "It has started", body = LakeJob),
    (status = 400, description = "A field is not valid", body = Problem),
    (status = 404, description = "This server has no lake of its own", body = Problem),
    (status = 409, description = "Other work is running", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Not application/json", body = Problem),
))]
pub(crate) async fn start_job(
    State(state): State<Shared>,
    request: Request,
) -> Result<(StatusCode, Json<LakeJob>), Problem> {
    let operator = operator(&state)?;
    let body: StartLakeJob = request::json(request, &state.bodies).await?;
    if let StartLakeJob::Generate { users, products, orders, .. } = &body {
        for (name, value, range) in
            [("users", users, USERS), ("products", products, PRODUCTS), ("orders", orders, ORDERS)]
        {
            if !range.contains(value) {
                let expected = format!("a number from {} to {}", range.start(), range.end());
                return Err(Problem::field(name, format!("{name} is out of range."), expected));
            }
        }
    }
    let job = blocking(move || operator.start_lake_job(body)).await?;
    let busy = "Other work on the lake is running: wait until it has ended.";
    let job = job.map_err(|_| Problem::new(Kind::Conflict, busy))?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}
