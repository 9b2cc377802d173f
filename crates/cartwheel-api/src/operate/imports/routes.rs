//! Routes for imports of uploaded files.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::contract::schema::File;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{self, NamePath, Params};
use crate::operate::imports::open::Imports;
use crate::operate::imports::upload;
use crate::operate::views::import::{EarlierImports, ImportContent, ImportView, StartFileImport};
use crate::operate::views::import_mapping::ImportMapping;
use crate::routes::Routes;
use crate::state::{AppState, Shared};

/// Longest time that an answer waits for a file to be read.
const READ_WAIT: Duration = Duration::from_secs(5);

/// The routes for imports.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::Admin, routes!(imports))
        .uploads(Scope::Admin, routes!(upload_import))
        .scoped(Scope::Admin, routes!(import, discard_import))
        .scoped(Scope::Admin, routes!(preview_import))
        .scoped(Scope::Admin, routes!(start_import))
}

/// What a server imports.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileImports {
    /// The import that is open or ended last; null without one.
    import: Option<ImportView>,
    /// The largest file, in bytes.
    max_upload_bytes: u64,
    /// The mappings that come with the program.
    presets: Vec<String>,
    /// Orders and events that were imported before.
    earlier: EarlierImports,
}

/// The imports of uploaded files.
///
/// # Errors
/// When this server has none, as in a function.
fn of(state: &AppState) -> Result<Arc<Imports>, Problem> {
    let missing = || {
        let detail = "This server imports no files: it keeps no data directory.";
        Problem::new(Kind::NotFound, detail)
    };
    state.imports.clone().ok_or_else(missing)
}

/// Shows the open import
#[utoipa::path(get, path = "/v1/imports", tag = "data", responses(
    (status = 200, description = "The import that is open or ended last", body = FileImports),
    (status = 404, description = "This server imports no files", body = Problem),
    (status = 503, description = "The lake cannot be read at the moment", body = Problem),
))]
pub(crate) async fn imports(State(state): State<Shared>) -> Result<Json<FileImports>, Problem> {
    let imports = of(&state)?;
    Ok(Json(FileImports {
        import: imports.last(),
        max_upload_bytes: imports.limit(),
        presets: imports.presets(),
        earlier: imports.earlier().await?,
    }))
}

/// Uploads a file
///
/// The body is the file itself: CSV, TSV, JSON lines or Parquet, or a feed of products; plain, gzip
/// or zstd. Nothing is imported yet: the answer shows how the file is understood, with its first
/// rows and what is rejected. If a large file is still being read, the state is `reading`: ask `GET
/// /v1/imports/{id}` until it is `ready`. One import is open at a time.
#[utoipa::path(post, path = "/v1/imports", tag = "data", params(
    ("kind" = ImportContent, Query, description = "What the rows are"),
    ("name" = Option<String>, Query, max_length = 200, description = "The file's name, for messages"),
), request_body(content = File, content_type = "application/octet-stream"), responses(
    (status = 201, description = "The file has arrived", body = ImportView),
    (status = 400, description = "A parameter is not valid, or the body is empty", body = Problem),
    (status = 404, description = "This server imports no files", body = Problem),
    (status = 409, description = "Another import is open", body = Problem),
    (status = 413, description = "The file is too large", body = Problem),
))]
pub(crate) async fn upload_import(
    State(state): State<Shared>,
    mut params: Params,
    request: Request,
) -> Result<Response, Problem> {
    let imports = of(&state)?;
    let kind = params.text("kind")?.unwrap_or_default();
    let kind = ImportContent::ALL.into_iter().find(|known| known.as_str() == kind);
    let kind = kind.ok_or_else(|| {
        Problem::field("kind", "kind is missing or unknown.", "events, orders or products")
    })?;
    let name = params.text("name")?.unwrap_or_default();
    params.end("kind, name")?;
    let total = upload::check(&request, imports.limit())?;
    let id = imports.begin(kind, &name)?;
    let (silence, closing) = (state.settings.timeout, state.closing.subscribe());
    upload::receive(&imports, &id, total, request, silence, closing).await?;
    let view = imports.when_read(&id, READ_WAIT).await?;
    let mut response = (StatusCode::CREATED, Json(view)).into_response();
    if let Ok(location) = HeaderValue::try_from(format!("/v1/imports/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Shows an import
#[utoipa::path(get, path = "/v1/imports/{id}", tag = "data", params(
    ("id" = String, Path, description = "The import"),
), responses(
    (status = 200, description = "State, preview, progress and result", body = ImportView),
    (status = 404, description = "The import does not exist", body = Problem),
))]
pub(crate) async fn import(
    State(state): State<Shared>,
    NamePath(id): NamePath,
) -> Result<Json<ImportView>, Problem> {
    of(&state)?.view(&id).map(Json)
}

/// Reads a file with another mapping
///
/// What the mapping leaves out is recognised. If a large file is still being read, the state is
/// `reading`: ask `GET /v1/imports/{id}` until it is `ready`.
#[utoipa::path(post, path = "/v1/imports/{id}/preview", tag = "data", params(
    ("id" = String, Path, description = "The import"),
), request_body = ImportMapping, responses(
    (status = 200, description = "How the file is understood now", body = ImportView),
    (status = 400, description = "A field is not valid", body = Problem),
    (status = 404, description = "The import does not exist", body = Problem),
    (status = 409, description = "The import is running or complete", body = Problem),
))]
pub(crate) async fn preview_import(
    State(state): State<Shared>,
    NamePath(id): NamePath,
    request: Request,
) -> Result<Json<ImportView>, Problem> {
    let imports = of(&state)?;
    let mapping: ImportMapping = request::json(request, &state.bodies).await?;
    imports.read(&id, mapping)?;
    imports.when_read(&id, READ_WAIT.min(state.settings.timeout / 2)).await.map(Json)
}

/// Starts an import
///
/// `GET /v1/imports/{id}` shows its progress. Orders and events become visible when the import is
/// complete, all at once. The next run of the pipeline learns from them.
#[utoipa::path(post, path = "/v1/imports/{id}/start", tag = "data", params(
    ("id" = String, Path, description = "The import"),
), request_body = StartFileImport, responses(
    (status = 202, description = "The import has started", body = ImportView),
    (status = 400, description = "A field is not valid", body = Problem),
    (status = 404, description = "The import does not exist", body = Problem),
    (status = 409, description = "The file is not understood, the import is running or complete, or another job on the lake is running", body = Problem),
))]
pub(crate) async fn start_import(
    State(state): State<Shared>,
    NamePath(id): NamePath,
    request: Request,
) -> Result<(StatusCode, Json<ImportView>), Problem> {
    let imports = of(&state)?;
    let start: StartFileImport = request::json(request, &state.bodies).await?;
    if let Some(percent) = start.max_rejects
        && !(0.0..=100.0).contains(&percent)
    {
        return Err(Problem::field("max_rejects", "max_rejects is out of range.", "0 to 100"));
    }
    let _turn = imports.turn().await;
    if state.operator.as_ref().is_some_and(|operator| operator.has_lake_job()) {
        let detail = "Another job on the lake is running: wait until it ends.";
        return Err(Problem::new(Kind::Conflict, detail));
    }
    Ok((StatusCode::ACCEPTED, Json(imports.start(&id, start)?)))
}

/// Discards an import
///
/// Stops what is going on and removes the file. Of an import of orders or events that is running,
/// nothing remains; products that are stored stay.
#[utoipa::path(delete, path = "/v1/imports/{id}", tag = "data", params(
    ("id" = String, Path, description = "The import"),
), responses(
    (status = 204, description = "It is discarded"),
    (status = 404, description = "The import does not exist", body = Problem),
))]
pub(crate) async fn discard_import(
    State(state): State<Shared>,
    NamePath(id): NamePath,
) -> Result<StatusCode, Problem> {
    of(&state)?.discard(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
