//! Routes that show the lake and start imports.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{self, NamePath};
use crate::operate::views::lake::{LakeJob, LakeView, StartLakeJob, TableView};
use crate::routes::Routes;
use crate::state::Shared;

/// Limits on a generated shop.
const USERS: std::ops::RangeInclusive<u64> = 10..=1_000_000;
const PRODUCTS: std::ops::RangeInclusive<u64> = 100..=100_000;
const ORDERS: std::ops::RangeInclusive<u64> = 10..=20_000_000;

/// The routes for the lake.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::Admin, routes!(lake))
        .scoped(Scope::Admin, routes!(table))
        .scoped(Scope::Admin, routes!(job, start_job))
}

/// The last job on the lake.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastLakeJob {
    /// Null if no job has run since the start.
    job: Option<LakeJob>,
}

fn unread(why: String) -> Problem {
    Problem::hiding(Kind::Unavailable, "The lake cannot be read at the moment.", why)
}

/// Shows the lake
#[utoipa::path(get, path = "/v1/lake", tag = "data", responses(
    (status = 200, description = "Tables, feature sets, rejected rows", body = LakeView),
    (status = 404, description = "This server has no lake", body = Problem),
    (status = 503, description = "The lake cannot be read at the moment", body = Problem),
))]
pub(crate) async fn lake(State(state): State<Shared>) -> Result<Json<LakeView>, Problem> {
    let operator = state.operator()?;
    blocking(move || operator.lake()).await?.map(Json).map_err(unread)
}

/// Shows a table
#[utoipa::path(get, path = "/v1/lake/tables/{name}", tag = "data", params(
    ("name" = String, Path, description = "The table"),
), responses(
    (status = 200, description = "Schema, newest files, sample rows", body = TableView),
    (status = 404, description = "The table does not exist", body = Problem),
    (status = 503, description = "The lake cannot be read at the moment", body = Problem),
))]
pub(crate) async fn table(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Json<TableView>, Problem> {
    let operator = state.operator()?;
    let table = blocking(move || operator.table(&name)).await?.map_err(unread)?;
    table.map(Json).ok_or_else(|| Problem::new(Kind::NotFound, "The table does not exist."))
}

/// Shows the last job on the lake
#[utoipa::path(get, path = "/v1/lake/job", tag = "data", responses(
    (status = 200, description = "The job and its progress", body = LastLakeJob),
    (status = 404, description = "This server has no lake", body = Problem),
))]
pub(crate) async fn job(State(state): State<Shared>) -> Result<Json<LastLakeJob>, Problem> {
    Ok(Json(LastLakeJob { job: state.operator()?.lake_job() }))
}

/// Imports files or generates a shop
#[utoipa::path(post, path = "/v1/lake/job", tag = "data", request_body = StartLakeJob, responses(
    (status = 202, description = "The job has started", body = LakeJob),
    (status = 400, description = "A field is not valid", body = Problem),
    (status = 404, description = "This server has no lake", body = Problem),
    (status = 409, description = "Another job is running", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Not application/json", body = Problem),
))]
pub(crate) async fn start_job(
    State(state): State<Shared>,
    request: Request,
) -> Result<(StatusCode, Json<LakeJob>), Problem> {
    let operator = state.operator()?;
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
    let busy = "Another job on the lake is running: wait until it ends.";
    let _turn = match &state.imports {
        Some(imports) => Some(imports.turn().await),
        None => None,
    };
    if state.imports.as_ref().is_some_and(|imports| imports.is_importing()) {
        return Err(Problem::new(Kind::Conflict, busy));
    }
    let job = blocking(move || operator.start_lake_job(body)).await?;
    let job = job.map_err(|_| Problem::new(Kind::Conflict, busy))?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}
