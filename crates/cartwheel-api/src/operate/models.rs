//! Routes for models: list, deploy, roll back.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use cartwheel_registry::Registry;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::http::request::NamePath;
use crate::operate::model_views;
use crate::operate::views::models::{ModelDetail, ModelStatus, ModelView, ReleaseView};
use crate::routes::Routes;
use crate::state::{AppState, Shared};

/// Most models in a list, beside those of the releases: an answer of a function has at most 6 MB.
const LISTED: usize = 100;
/// Time limit for reading models: API Gateway waits for ten seconds.
const READING: Duration = Duration::from_secs(8);

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
    /// Models, newest first: the newest 100 and those of the releases.
    models: Vec<ModelView>,
}

fn unread(why: String) -> Problem {
    Problem::hiding(Kind::Unavailable, "The models cannot be read at the moment.", why)
}

fn unknown() -> Problem {
    Problem::new(Kind::NotFound, "The model does not exist.")
}

/// Reads the registry on a thread for blocking work, since a local one reads files.
async fn read<T: Send + 'static>(
    state: &AppState,
    work: impl AsyncFnOnce(Arc<dyn Registry>) -> Result<T, String> + Send + 'static,
) -> Result<T, Problem> {
    let registry = state.models()?;
    let runtime = tokio::runtime::Handle::current();
    let read = blocking(move || {
        runtime.block_on(async { tokio::time::timeout(READING, work(registry)).await })
    });
    read.await?
        .map_err(|_| unread(format!("reading took longer than {READING:?}")))?
        .map_err(unread)
}

/// Lists models
#[utoipa::path(get, path = "/v1/models", tag = "pipeline", responses(
    (status = 200, description = "Models, newest first", body = Models),
    (status = 404, description = "This server shows no models", body = Problem),
    (status = 503, description = "The models cannot be read at the moment", body = Problem),
))]
pub(crate) async fn models(State(state): State<Shared>) -> Result<Json<Models>, Problem> {
    let read = read(&state, async |registry| model_views::list(&*registry).await);
    let mut models = read.await?;
    let mut listed = 0;
    models.retain(|model| {
        listed += 1;
        let serves = [ModelStatus::Serving, ModelStatus::Challenger, ModelStatus::Previous];
        listed <= LISTED || serves.contains(&model.status)
    });
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
    let read = read(&state, async move |registry| model_views::find(&*registry, &version).await);
    read.await?.map(Json).ok_or_else(unknown)
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
    let wanted = version.clone();
    let known =
        read(&state, async move |registry| model_views::is_known(&*registry, &wanted).await);
    if !known.await? {
        return Err(unknown());
    }
    let refused = |why| Problem::hiding(Kind::Conflict, "The model cannot serve.", why);
    let release = blocking(move || operator.deploy(&version)).await?.map_err(refused)?;
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
