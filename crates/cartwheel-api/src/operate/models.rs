//! Routes for models: list, deploy, roll back.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::http::request::NamePath;
use crate::operate::views::models::{ModelDetail, ModelView, ReleaseView};
use crate::routes::Routes;
use crate::state::{AppState, Shared};

/// The routes for models.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::Admin, routes!(models))
        .scoped(Scope::Admin, routes!(model))
        .scoped(Scope::Admin, routes!(deploy))
        .scoped(Scope::Admin, routes!(rollback))
}

/// Models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Models {
    /// Models, newest first.
    models: Vec<ModelView>,
}

fn unread(why: String) -> Problem {
    Problem::hiding(Kind::Unavailable, "The models cannot be read at the moment.", why)
}

fn unknown() -> Problem {
    Problem::new(Kind::NotFound, "The model does not exist.")
}

/// Lists models
#[utoipa::path(get, path = "/v1/models", tag = "pipeline", responses(
    (status = 200, description = "Models, newest first", body = Models),
    (status = 404, description = "This server has no models", body = Problem),
    (status = 503, description = "The models cannot be read at the moment", body = Problem),
))]
pub(crate) async fn models(State(state): State<Shared>) -> Result<Json<Models>, Problem> {
    let operator = state.operator()?;
    let models = blocking(move || operator.models()).await?.map_err(unread)?;
    Ok(Json(Models { models }))
}

/// Shows a model
#[utoipa::path(get, path = "/v1/models/{version}", tag = "pipeline", params(
    ("version" = String, Path, description = "The model"),
), responses(
    (status = 200, description = "The model in detail", body = ModelDetail),
    (status = 404, description = "The model does not exist", body = Problem),
    (status = 503, description = "The model cannot be read at the moment", body = Problem),
))]
pub(crate) async fn model(
    State(state): State<Shared>,
    NamePath(version): NamePath,
) -> Result<Json<ModelDetail>, Problem> {
    let operator = state.operator()?;
    let model = blocking(move || operator.model(&version)).await?.map_err(unread)?;
    model.map(Json).ok_or_else(unknown)
}

/// Time limit for a published release to be opened.
const OPENING: Duration = Duration::from_secs(5);

/// Waits until the release serves, so that the next request is answered by it.
async fn serves(state: &AppState, release: ReleaseView) -> Json<ReleaseView> {
    let opened = async {
        while state.engine.status().release != Some(release.name()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(OPENING, opened).await.is_err() {
        tracing::warn!(model = release.model, "the release is published but does not serve yet");
    }
    Json(release)
}

/// Deploys a model
#[utoipa::path(post, path = "/v1/models/{version}/deploy", tag = "pipeline", params(
    ("version" = String, Path, description = "The model"),
), responses(
    (status = 200, description = "The release", body = ReleaseView),
    (status = 404, description = "The model does not exist", body = Problem),
    (status = 409, description = "The model cannot serve", body = Problem),
    (status = 503, description = "The models cannot be read at the moment", body = Problem),
))]
pub(crate) async fn deploy(
    State(state): State<Shared>,
    NamePath(version): NamePath,
) -> Result<Json<ReleaseView>, Problem> {
    let operator = state.operator()?;
    let release = blocking(move || {
        let models = operator.models().map_err(unread)?;
        if !models.iter().any(|model| model.version == version) {
            return Err(unknown());
        }
        let refused = |why| Problem::hiding(Kind::Conflict, "The model cannot serve.", why);
        operator.deploy(&version).map_err(refused)
    });
    let release = release.await??;
    Ok(serves(&state, release).await)
}

/// Rolls back to the previous release
#[utoipa::path(post, path = "/v1/models/rollback", tag = "pipeline", responses(
    (status = 200, description = "The release", body = ReleaseView),
    (status = 404, description = "This server has no models", body = Problem),
    (status = 409, description = "There is no previous release", body = Problem),
))]
pub(crate) async fn rollback(State(state): State<Shared>) -> Result<Json<ReleaseView>, Problem> {
    let operator = state.operator()?;
    let release = blocking(move || operator.rollback()).await?;
    let refused = "There is no previous release, or it can no longer serve.";
    let release = release.map_err(|why| Problem::hiding(Kind::Conflict, refused, why))?;
    Ok(serves(&state, release).await)
}
