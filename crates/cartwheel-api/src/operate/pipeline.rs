//! Routes for runs of the pipeline.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cartwheel_workflow::{
    Description, Failure, JournalError, Listing, LogLine, RunnerError, Summary, describe,
    logs as logs_of,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{self, NamePath};
use crate::operate::views::run::StartRun;
use crate::routes::Routes;
use crate::state::Shared;

/// Longest silence of an event stream: gateways close idle connections.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Interval at which a followed run is read for progress, which does not notify.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The routes for runs of the pipeline.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::Admin, routes!(definition))
        .scoped(Scope::Admin, routes!(executions, start))
        .scoped(Scope::Admin, routes!(execution))
        .scoped(Scope::Admin, routes!(events))
        .scoped(Scope::Admin, routes!(logs))
        .scoped(Scope::Admin, routes!(stop))
        .scoped(Scope::Admin, routes!(redrive))
}

/// A run that has started.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Started {
    /// The run's name.
    name: String,
}

/// Runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Executions {
    /// Runs, newest first. On AWS, the newest 100, each without error and current states.
    executions: Vec<Summary>,
    /// Descriptions of runs that cannot be read.
    damaged: Vec<String>,
}

/// The log of a run's tasks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Log {
    /// Lines, oldest first.
    lines: Vec<LogLine>,
}

fn refused(error: RunnerError) -> Problem {
    let kind = match &error {
        RunnerError::Unknown(_) => Kind::NotFound,
        RunnerError::Busy(_)
        | RunnerError::Exists(_)
        | RunnerError::State(..)
        | RunnerError::NothingToDo(_) => Kind::Conflict,
        RunnerError::Name(_) | RunnerError::Definition(_) => Kind::InvalidField,
        RunnerError::Service(why) => {
            return Problem::hiding(
                Kind::Unavailable,
                "The runs cannot be read at the moment.",
                why,
            );
        }
        _ => {
            let detail = "The pipeline's files cannot be used at the moment.";
            return Problem::hiding(Kind::Unavailable, detail, error);
        }
    };
    Problem::new(kind, error.to_string())
}

/// Refuses a request about a run. No run has a name that is not valid.
fn refused_for_run(error: RunnerError) -> Problem {
    match error {
        RunnerError::Name(name) => refused(RunnerError::Unknown(name)),
        error => refused(error),
    }
}

/// Shows the state machine
#[utoipa::path(get, path = "/v1/pipeline/definition", tag = "pipeline", responses(
    (status = 200, description = "The definition in the Amazon States Language", body = Object),
    (status = 404, description = "This server shows no runs", body = Problem),
    (status = 503, description = "The definition cannot be read at the moment", body = Problem),
))]
pub(crate) async fn definition(State(state): State<Shared>) -> Result<Json<Value>, Problem> {
    state.runs()?.definition().await.map(Json).map_err(refused)
}

/// Describes an unreadable journal by its file name, without the path.
fn describe_damage(error: &JournalError) -> String {
    tracing::error!(%error, "cannot read a run");
    let (path, what) = match error {
        JournalError::Damaged { path, line, .. } => (path, format!("line {line} is damaged")),
        JournalError::Definition { path, .. } => (path, "its definition is not valid".to_owned()),
        JournalError::Io { path, .. } => (path, "it cannot be read".to_owned()),
        _ => return "cannot read a run".to_owned(),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}: {what}")
}

/// Lists runs
#[utoipa::path(get, path = "/v1/pipeline/executions", tag = "pipeline", responses(
    (status = 200, description = "Runs, newest first", body = Executions),
    (status = 404, description = "This server shows no runs", body = Problem),
    (status = 503, description = "The runs cannot be read at the moment", body = Problem),
))]
pub(crate) async fn executions(State(state): State<Shared>) -> Result<Json<Executions>, Problem> {
    let Listing { executions, damaged } = state.runs()?.list().await.map_err(refused)?;
    Ok(Json(Executions { executions, damaged: damaged.iter().map(describe_damage).collect() }))
}

/// Starts a run
#[utoipa::path(post, path = "/v1/pipeline/executions", tag = "pipeline", request_body = StartRun, responses(
    (status = 201, description = "The run has started", body = Started),
    (status = 400, description = "A field is not valid", body = Problem),
    (status = 404, description = "This server runs no pipeline", body = Problem),
    (status = 409, description = "Another run is running or has this name, or the lake is empty", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Not application/json", body = Problem),
    (status = 503, description = "The files of the run cannot be written at the moment", body = Problem),
))]
pub(crate) async fn start(
    State(state): State<Shared>,
    request: Request,
) -> Result<(StatusCode, Json<Started>), Problem> {
    let operator = state.operator()?;
    let body: StartRun = request::json(request, &state.bodies).await?;
    let handle = tokio::runtime::Handle::current();
    let name = blocking(move || {
        let _runtime = handle.enter();
        operator.start(&body)
    })
    .await?
    .map_err(refused)?;
    Ok((StatusCode::CREATED, Json(Started { name })))
}

/// Shows a run
#[utoipa::path(get, path = "/v1/pipeline/executions/{name}", tag = "pipeline", params(
    ("name" = String, Path, description = "The run"),
), responses(
    (status = 200, description = "The run with its whole history", body = Description),
    (status = 404, description = "The run does not exist", body = Problem),
    (status = 503, description = "The run cannot be read at the moment", body = Problem),
))]
pub(crate) async fn execution(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Json<Description>, Problem> {
    state.runs()?.describe(&name).await.map(Json).map_err(refused_for_run)
}

/// Shows a run's log
#[utoipa::path(get, path = "/v1/pipeline/executions/{name}/logs", tag = "pipeline", params(
    ("name" = String, Path, description = "The run"),
), responses(
    (status = 200, description = "The log of the run's tasks, oldest line first", body = Log),
    (status = 404, description = "The run does not exist", body = Problem),
))]
pub(crate) async fn logs(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Json<Log>, Problem> {
    let operator = state.operator()?;
    let lines = blocking(move || logs_of(operator.runner().dir(), &name)).await?;
    Ok(Json(Log { lines: lines.map_err(refused_for_run)? }))
}

/// Follows a run
///
/// Server-sent events: the run's state, and again after each change until it ends.
#[utoipa::path(get, path = "/v1/pipeline/executions/{name}/events", operation_id = "follow", tag = "pipeline", params(
    ("name" = String, Path, description = "The run"),
), responses(
    (status = 200, description = "The run after each change", body = String, content_type = "text/event-stream"),
    (status = 404, description = "The run does not exist", body = Problem),
))]
pub(crate) async fn events(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Response, Problem> {
    let operator = state.operator()?;
    let (first, reader) = (name.clone(), operator.clone());
    blocking(move || describe(reader.runner().dir(), &first)).await?.map_err(refused_for_run)?;
    let stream =
        futures::stream::unfold((operator, name, false), |(operator, name, ended)| async move {
            if ended {
                return None;
            }
            let watch = operator.runner().watch(&name);
            let (reader, run) = (operator.clone(), name.clone());
            let found = blocking(move || describe(reader.runner().dir(), &run)).await.ok()?.ok()?;
            let ended = found.summary.status != "RUNNING" || watch.is_none();
            let event = Event::default().event("execution").json_data(&found).ok()?;
            if !ended && let Some(mut changed) = watch {
                // A change, the timeout and the end all lead to another read.
                let _ = tokio::time::timeout(LOOK_EVERY, changed.changed()).await;
            }
            Some((Ok::<_, Infallible>(event), (operator, name, ended)))
        });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// Stops a run
#[utoipa::path(post, path = "/v1/pipeline/executions/{name}/stop", tag = "pipeline", params(
    ("name" = String, Path, description = "The run"),
), responses(
    (status = 200, description = "The run stops", body = Started),
    (status = 404, description = "The run does not exist", body = Problem),
    (status = 409, description = "The run has ended", body = Problem),
))]
pub(crate) async fn stop(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Json<Started>, Problem> {
    let operator = state.operator()?;
    operator
        .runner()
        .stop(&name, Failure::new("Stopped", "by the operator"))
        .map_err(refused_for_run)?;
    operator.runner().ended(&name).await;
    Ok(Json(Started { name }))
}

/// Redrives a run that failed or was stopped
#[utoipa::path(post, path = "/v1/pipeline/executions/{name}/redrive", tag = "pipeline", params(
    ("name" = String, Path, description = "The run"),
), responses(
    (status = 200, description = "The run continues", body = Started),
    (status = 404, description = "The run does not exist", body = Problem),
    (status = 409, description = "The run is running or has succeeded, or another run is running", body = Problem),
))]
pub(crate) async fn redrive(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Json<Started>, Problem> {
    let operator = state.operator()?;
    operator.runner().redrive(&name).map_err(refused_for_run)?;
    Ok(Json(Started { name }))
}
