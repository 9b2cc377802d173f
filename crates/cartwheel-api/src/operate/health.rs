//! Routes for liveness and readiness.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cartwheel_stream::StreamState;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::operate::tasks::{TaskState, TaskStatus};
use crate::routes::Routes;
use crate::state::Shared;
use cartwheel_engine::EngineStatus;

/// The routes for health.
pub(crate) fn routes() -> Routes {
    Routes::default().open(routes!(healthz)).open(routes!(readyz))
}

/// The server's readiness. Where keys are required, only an admin key is told more than `ready` and
/// `degraded`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether events are accepted and answered.
    ready: bool,
    /// Whether answers lack a part.
    degraded: bool,
    /// Whether the sessions have caught up with the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<bool>,
    /// The state of the stream: `ready`; `full` until a consumer catches up or the disk has
    /// space; `stopped` until a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'static str>,
    /// The state of the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<EngineStatus>,
    /// How operators do what this host does not do for them, as sentences; absent on a host that does
    /// everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    operated_by: Option<&'static str>,
    /// The background tasks of this server, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<Vec<TaskStatus>>,
}

/// Reports that the process runs
#[utoipa::path(get, path = "/healthz", tag = "operations", responses(
    (status = 200, description = "The process runs", body = String, content_type = "text/plain"),
))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Reports whether events are accepted and answered
///
/// Where keys are required, a request without an admin key gets `ready` and `degraded` alone.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses(
    (status = 200, description = "Events are accepted and answered", body = Readiness),
    (status = 503, description = "Not yet, or no longer", body = Readiness),
))]
pub(crate) async fn readyz(
    State(state): State<Shared>,
    caller: Caller,
) -> (StatusCode, Json<Readiness>) {
    let engine = state.engine.status();
    let sessions = state.users.is_ready();
    let stream = match state.stream.state() {
        StreamState::Ready => "ready",
        StreamState::Full => "full",
        _ => "stopped",
    };
    let tasks = state.tasks.list();
    let failed = tasks.iter().any(|task| task.state == TaskState::Failed);
    let restarting = tasks.iter().any(|task| task.state == TaskState::Restarting);
    let ready = engine.ready && sessions && stream == "ready" && !failed;
    let degraded = engine.degraded || !sessions || restarting;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let told = caller.is_admin();
    let readiness = Readiness {
        ready,
        degraded,
        sessions: told.then_some(sessions),
        stream: told.then_some(stream),
        engine: told.then_some(engine),
        operated_by: state.operated_by.filter(|_| told),
        tasks: told.then_some(tasks),
    };
    (status, Json(readiness))
}
