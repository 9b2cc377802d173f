//! Routes for a user's rights: export and erasure.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cartwheel_events::UserId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::access::scope::Scope;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{Params, UserPath};
use crate::operate::views::erasure::ErasureView;
use crate::routes::Routes;
use crate::shop::shoppers::{SessionView, read};
use crate::state::Shared;
use cartwheel_engine::UserRecord;

/// Time for impressions of earlier answers to be stored, so that the erasure includes them.
const SETTLE: Duration = Duration::from_secs(1);

/// The routes for a user's rights: erasure and export.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::Admin, routes!(erase))
        .scoped(Scope::Admin, routes!(export))
        .scoped(Scope::Admin, routes!(erasures))
}

/// Erasures in progress.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErasuresView {
    /// Erasures by user. A user who is no longer listed is erased completely.
    erasures: Vec<ErasureView>,
}

/// Everything stored about a user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserExport {
    /// The user.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The time of the export, UTC milliseconds.
    exported_at_ms: i64,
    /// Null without activity in the last seven days.
    session: Option<SessionView>,
    /// The user's record in the serving feature set.
    record: Option<UserRecord>,
    /// Rows of the lake by table (`orders`, `events`, `impressions`), malformed records and rejected
    /// rows of imports that hold the id (`errors`, `rejects`), and records of the `stream`
    /// that are not delivered yet. `truncated` tells whether there are more. `guests` has the same
    /// of each guest that turned out to be the user.
    #[schema(value_type = Object)]
    stored: Value,
}

/// Erases a user
///
/// From the answer on, recommendations no longer use the user's data. The next compaction
/// removes it from stream, lake and session files; the next run of the pipeline removes it from
/// feature sets, and thereby from later models. Guests that were tied to the user are erased too.
/// `GET /v1/erasures` shows the progress. Later
/// events of the user start a new history.
#[utoipa::path(delete, path = "/v1/users/{id}", tag = "data", params(
    ("id" = String, Path, description = "The user"),
), responses(
    (status = 202, description = "Removed from answers; removal from files has started",
     body = ErasureView),
    (status = 400, description = "The id is not valid", body = Problem),
    (status = 404, description = "This server does not store users", body = Problem),
    (status = 503, description = "The erasure cannot be recorded at the moment", body = Problem),
))]
pub(crate) async fn erase(
    State(state): State<Shared>,
    UserPath(user_id): UserPath,
    params: Params,
) -> Result<(StatusCode, Json<ErasureView>), Problem> {
    params.end("none")?;
    let rights = state.user_rights()?;
    if !state.users.is_ready() {
        return Err(Problem::new(Kind::Unavailable, "The sessions have not caught up yet."));
    }
    state.settle(SETTLE).await;
    let detail = "The erasure cannot be recorded at the moment.";
    let erased = rights.erase(&user_id).await;
    let erased = erased.map_err(|why| Problem::hiding(Kind::Unavailable, detail, why))?;
    state.monitor.forget(&user_id);
    Ok((StatusCode::ACCEPTED, Json(erased)))
}

/// Lists erasures in progress
#[utoipa::path(get, path = "/v1/erasures", tag = "data", responses(
    (status = 200, description = "Erasures that are not complete yet",
     body = ErasuresView),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "This server does not store users", body = Problem),
))]
pub(crate) async fn erasures(
    State(state): State<Shared>,
    params: Params,
) -> Result<Json<ErasuresView>, Problem> {
    params.end("none")?;
    let detail = "The list of erasures cannot be read at the moment.";
    let listed = state.user_rights()?.erasures().await;
    let erasures = listed.map_err(|why| Problem::hiding(Kind::Unavailable, detail, why))?;
    Ok(Json(ErasuresView { erasures }))
}

/// Exports everything stored about a user
#[utoipa::path(get, path = "/v1/users/{id}/export", tag = "data", params(
    ("id" = String, Path, description = "The user"),
), responses(
    (status = 200, description = "Session, record and rows; empty for an unknown user",
     body = UserExport),
    (status = 400, description = "The id is not valid", body = Problem),
    (status = 404, description = "This server does not store users", body = Problem),
    (status = 503, description = "The stored data cannot be read at the moment", body = Problem),
))]
pub(crate) async fn export(
    State(state): State<Shared>,
    caller: Caller,
    UserPath(user_id): UserPath,
    params: Params,
) -> Result<Json<UserExport>, Problem> {
    params.end("none")?;
    let rights = state.user_rights()?;
    let shopper = caller.permit(user_id)?;
    let known = read(&state, &shopper).await?;
    let user_id = shopper.into_id();
    let stored = rights.stored(&user_id).await;
    let detail = "The stored data cannot be read at the moment.";
    let stored = stored.map_err(|why| Problem::hiding(Kind::Unavailable, detail, why))?;
    let exported_at_ms = state.clock.now_ms();
    Ok(Json(UserExport {
        user_id,
        exported_at_ms,
        session: known.session,
        record: known.record,
        stored,
    }))
}
