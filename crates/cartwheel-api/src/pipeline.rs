//! Runs of the pipeline.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cartwheel_workflow::{
    Description, Failure, JournalError, Listing, LogLine, RunnerError, Summary, describe, list,
    logs as logs_of,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::operator::Operator;
use crate::problem::{Kind, Problem};
use crate::request::{self, NamePath};
use crate::state::{AppState, Shared};

/// Longest silence of a stream of history; a gateway may cut longer ones.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often a followed run is looked at for progress, which is not counted.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How to start a run.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StartRun {
    /// Name of the run; from the time by default.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,80}$")]
    pub name: Option<String>,
    /// Hyperparameters of XGBoost, over the definition's: texts, by name.
    pub hyperparameters: std::collections::BTreeMap<String, String>,
}

/// A run that has started.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Started {
    /// Its name.
    name: String,
}

/// Runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Executions {
    /// The newest first.
    executions: Vec<Summary>,
    /// Runs whose files cannot be read, in words.
    damaged: Vec<String>,
}

/// What a run's tasks said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Log {
    /// Oldest first.
    lines: Vec<LogLine>,
}

pub(crate) fn operator(state: &AppState) -> Result<Arc<dyn Operator>, Problem> {
    let missing = || Problem::new(Kind::NotFound, "This server runs no pipeline.");
    state.operator.clone().ok_or_else(missing)
}

fn refused(error: RunnerError) -> Problem {
    let kind = match &error {
        RunnerError::Unknown(_) => Kind::NotFound,
        RunnerError::Busy(_) | RunnerError::Exists(_) | RunnerError::State(..) => Kind::Conflict,
        RunnerError::Name(_) | RunnerError::Definition(_) => Kind::InvalidField,
        _ => {
            let detail = "The pipeline's files cannot be used now.";
            return Problem::hiding(Kind::Unavailable, detail, error);
        }
    };
    Problem::new(kind, error.to_string())
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    // What is logged meanwhile is logged under the request's id.
    let span = tracing::Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    done.map_err(|error| Problem::hiding(Kind::Internal, "The work broke off.", error))
}

/// Shows the state machine
#[utoipa::path(get, path = "/v1/pipeline/definition", tag = "pipeline", responses(
    (status = 200, description = "Its definition in the Amazon States Language", body = Object),
    (status = 404, description = "This server runs no pipeline", body = Problem),
))]
pub(crate) async fn definition(State(state): State<Shared>) -> Result<Json<Value>, Problem> {
    Ok(Json(operator(&state)?.definition()))
}

/// A damaged journal in words: its file's name, and not where it lies.
fn told(error: &JournalError) -> String {
    tracing::error!(%error, "a run cannot be read");
    let (path, what) = match error {
        JournalError::Damaged { path, line, .. } => (path, format!("line {line} is damaged")),
        JournalError::Definition { path, .. } => (path, "its definition is not valid".to_owned()),
        JournalError::Io { path, .. } => (path, "it cannot be read".to_owned()),
        _ => return "a run cannot be read".to_owned(),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}: {what}")
}

/// Lists runs
#[utoipa::path(get, path = "/v1/pipeline/executions", tag = "pipeline", responses(
    (status = 200, description = "Runs, the newest first", body = Executions),
    (status = 404, description = "This server runs no pipeline", body = Problem),
))]
pub(crate) async fn executions(State(state): State<Shared>) -> Result<Json<Executions>, Problem> {
    let operator = operator(&state)?;
    let Listing { executions, damaged } = blocking(move || list(operator.runner().dir())).await?;
    Ok(Json(Executions { executions, damaged: damaged.iter().map(told).collect() }))
}

/// Starts a run
#[utoipa::path(post, path = "/v1/pipeline/executions", tag = "pipeline", request_body = StartRun, responses(
    (status = 201, description = "It has started", body = Started),
    (status = 400, description = "A field is not valid", body = Problem),
    (status = 404, description = "This server runs no pipeline", body = Problem),
    (status = 409, description = "A run is running, or has that name", body = Problem),
    (status = 413, description = "The body is too large", body = Problem),
    (status = 415, description = "Not application/json", body = Problem),
    (status = 503, description = "Its files cannot be written now", body = Problem),
))]
pub(crate) async fn start(
    State(state): State<Shared>,
    request: Request,
) -> Result<(StatusCode, Json<Started>), Problem> {
    let operator = operator(&state)?;
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
    (status = 404, description = "There is no such run", body = Problem),
))]
pub(crate) async fn execution(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Json<Description>, Problem> {
    let operator = operator(&state)?;
    let found = blocking(move || describe(operator.runner().dir(), &name)).await?;
    found.map(Json).map_err(refused)
}

/// Shows a run's log
#[utoipa::path(get, path = "/v1/pipeline/executions/{name}/logs", tag = "pipeline", params(
    ("name" = String, Path, description = "The run"),
), responses(
    (status = 200, description = "What its tasks said, the oldest line first", body = Log),
    (status = 404, description = "There is no such run", body = Problem),
))]
pub(crate) async fn logs(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Json<Log>, Problem> {
    let operator = operator(&state)?;
    let lines = blocking(move || logs_of(operator.runner().dir(), &name)).await?;
    Ok(Json(Log { lines: lines.map_err(refused)? }))
}

/// Follows a run
///
/// Server-sent events: the run as it stands, again after each change, until it ends.
#[utoipa::path(get, path = "/v1/pipeline/executions/{name}/events", operation_id = "follow", tag = "pipeline", params(
    ("name" = String, Path, description = "The run"),
), responses(
    (status = 200, description = "The run, again and again", body = String, content_type = "text/event-stream"),
    (status = 404, description = "There is no such run", body = Problem),
))]
pub(crate) async fn events(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Response, Problem> {
    let operator = operator(&state)?;
    let (first, reader) = (name.clone(), operator.clone());
    blocking(move || describe(reader.runner().dir(), &first)).await?.map_err(refused)?;
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
                // Either is a reason to look again, and so is the end.
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
    (status = 200, description = "It stops", body = Started),
    (status = 404, description = "There is no such run", body = Problem),
    (status = 409, description = "It has ended", body = Problem),
))]
pub(crate) async fn stop(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Json<Started>, Problem> {
    let operator = operator(&state)?;
    operator.runner().stop(&name, Failure::new("Stopped", "by the operator")).map_err(refused)?;
    operator.runner().ended(&name).await;
    Ok(Json(Started { name }))
}

/// Goes on with a run that failed or was stopped
#[utoipa::path(post, path = "/v1/pipeline/executions/{name}/redrive", tag = "pipeline", params(
    ("name" = String, Path, description = "The run"),
), responses(
    (status = 200, description = "It goes on", body = Started),
    (status = 404, description = "There is no such run", body = Problem),
    (status = 409, description = "It is running or has succeeded, or another is running", body = Problem),
))]
pub(crate) async fn redrive(
    State(state): State<Shared>,
    NamePath(name): NamePath,
) -> Result<Json<Started>, Problem> {
    let operator = operator(&state)?;
    operator.runner().redrive(&name).map_err(refused)?;
    Ok(Json(Started { name }))
}
