//! What is stored of a user: shown whole, and erased.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cartwheel_events::UserId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{Params, UserPath};
use crate::operate::views::erasure::ErasureView;
use crate::routes::Routes;
use crate::shop::shoppers::{SessionView, read};
use crate::state::Shared;
use cartwheel_engine::UserRecord;

/// Impressions of the answers before an erasure have this long to be stored, so that the
/// erasure takes them in.
const SETTLE: Duration = Duration::from_secs(1);

/// The routes for a user's rights: erasure and export.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::Admin, routes!(erase))
        .scoped(Scope::Admin, routes!(export))
        .scoped(Scope::Admin, routes!(erasures))
}

/// Users who are being erased.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErasuresView {
    /// By id. Who is not here any longer is erased from everything.
    erasures: Vec<ErasureView>,
}

/// Everything that is stored of a user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserExport {
    /// Who.
    #[schema(value_type = String)]
    user_id: UserId,
    /// Now, UTC milliseconds.
    exported_at_ms: i64,
    /// Null where nothing happened in seven days.
    session: Option<SessionView>,
    /// The user's record of the serving feature set.
    record: Option<UserRecord>,
    /// Rows of the lake by table, `orders`, `events` and `impressions`, and records of the
    /// stream that are not there yet; `truncated` says whether there are more.
    #[schema(value_type = Object)]
    stored: Value,
}

/// Erases a user
///
/// From the answer on nothing knows the user. The next compaction takes the user's records
/// out of stream, lake and sessions' files, the next run of the pipeline out of the feature
/// sets, and so out of later models. `GET /v1/erasures` says how far that is. Events that
/// come later begin anew.
#[utoipa::path(delete, path = "/v1/users/{id}", tag = "data", params(
    ("id" = String, Path, description = "The user"),
), responses(
    (status = 202, description = "Gone from answers, and on the way out of files",
     body = ErasureView),
    (status = 400, description = "The id is not valid", body = Problem),
    (status = 404, description = "This server stores no users itself", body = Problem),
    (status = 503, description = "The erasure cannot be written down now", body = Problem),
))]
pub(crate) async fn erase(
    State(state): State<Shared>,
    UserPath(user_id): UserPath,
    params: Params,
) -> Result<(StatusCode, Json<ErasureView>), Problem> {
    params.end("none")?;
    let operator = state.operator()?;
    if !state.users.is_ready() {
        return Err(Problem::new(Kind::Unavailable, "The sessions have not caught up yet."));
    }
    state.settle(SETTLE).await;
    let detail = "The erasure cannot be written down now.";
    let erased = operator.erase(&user_id).await;
    let erased = erased.map_err(|why| Problem::hiding(Kind::Unavailable, detail, why))?;
    state.monitor.forget(&user_id);
    Ok((StatusCode::ACCEPTED, Json(erased)))
}

/// Lists users who are being erased
#[utoipa::path(get, path = "/v1/erasures", tag = "data", responses(
    (status = 200, description = "Those who are not yet erased from everything",
     body = ErasuresView),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "This server stores no users itself", body = Problem),
))]
pub(crate) async fn erasures(
    State(state): State<Shared>,
    params: Params,
) -> Result<Json<ErasuresView>, Problem> {
    params.end("none")?;
    Ok(Json(ErasuresView { erasures: state.operator()?.erasures() }))
}

/// Exports all that is stored of a user
#[utoipa::path(get, path = "/v1/users/{id}/export", tag = "data", params(
    ("id" = String, Path, description = "The user"),
), responses(
    (status = 200, description = "Session, record and rows; empty for an unknown user",
     body = UserExport),
    (status = 400, description = "The id is not valid", body = Problem),
    (status = 404, description = "This server stores no users itself", body = Problem),
    (status = 503, description = "What is stored cannot be read now", body = Problem),
))]
pub(crate) async fn export(
    State(state): State<Shared>,
    UserPath(user_id): UserPath,
    params: Params,
) -> Result<Json<UserExport>, Problem> {
    params.end("none")?;
    let operator = state.operator()?;
    let known = read(&state, &user_id).await?;
    let user = user_id.clone();
    let stored = blocking(move || operator.stored(&user)).await?;
    let detail = "What is stored cannot be read now.";
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
