//! Routes for the earlier versions of the placements.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use cartwheel_placements::Placements;
use cartwheel_registry::{DocumentVersion, KEPT_VERSIONS};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::change::{document, refused};
use super::manage::view;
use crate::access::caller::Caller;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{self, Params};
use crate::state::Shared;

/// Versions of an answer by default.
const DEFAULT_LIMIT: usize = 20;
/// Most versions of an answer: all that are kept.
const MAX_LIMIT: usize = KEPT_VERSIONS as usize;

/// The versions of the placements.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlacementHistory {
    /// Versions, the newest first. The last 50 are kept.
    versions: Vec<PlacementVersion>,
}

/// A version of the placements.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlacementVersion {
    /// Its number.
    version: u64,
    /// When it was stored, UTC milliseconds.
    changed_at_ms: i64,
    /// The name of the key that stored it, or `cli`.
    by: String,
    /// The placements that differ from the version before, in alphabetical order; null if that
    /// version is no longer kept.
    changed: Option<Vec<String>>,
}

/// A request to put an earlier version back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoRequest {
    /// The version to put back: by default the one before the newest; 0 for the placements that
    /// exist from the start.
    version: Option<u64>,
}

/// Lists the versions of the placements
#[utoipa::path(get, path = "/v1/placements/history", tag = "placements", params(
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 50, description = "Maximum number of versions, 1 to 50; 20 by default"),
), responses(
    (status = 200, description = "Versions, the newest first", body = PlacementHistory),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn placement_history(
    State(state): State<Shared>,
    mut params: Params,
) -> Result<Json<PlacementHistory>, Problem> {
    let limit = params.number("limit", DEFAULT_LIMIT, 1..=MAX_LIMIT)?;
    params.end("limit")?;
    // One more, to say what the last one changed.
    let mut stored = document(&state).history(limit + 1).await?;
    stored.extend(stored.last().is_some_and(|oldest| oldest.version == 1).then(from_the_start));
    let changed = |at: usize| {
        let before = stored.get(at + 1)?;
        Some(differing(&stored[at].content, &before.content))
    };
    let shown = stored.iter().enumerate().filter(|(_, version)| version.version > 0).take(limit);
    let versions = shown.map(|(at, version)| PlacementVersion {
        version: version.version,
        changed_at_ms: version.changed_at_ms,
        by: version.by.clone(),
        changed: changed(at),
    });
    Ok(Json(PlacementHistory { versions: versions.collect() }))
}

/// Puts an earlier version of the placements back
///
/// It becomes the newest version, so that this can be undone too.
#[utoipa::path(post, path = "/v1/placements/undo", tag = "placements", params(
    ("If-Match" = Option<String>, Header, description = "Do so only if the document has one of these entity tags"),
), request_body = UndoRequest, responses(
    (status = 200, description = "The placements, with their new entity tag", body = super::manage::PlacementsView),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 404, description = "The version is not kept, or this server does not change placements", body = Problem),
    (status = 409, description = "There is no earlier version, it is not valid any more, or others change them at the same time", body = Problem),
    (status = 412, description = "The document does not have the entity tag", body = Problem),
))]
pub(crate) async fn undo_placements(
    State(state): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let UndoRequest { version } = request::json(request, &state.bodies).await?;
    let newest = state.placements.current().version;
    let wanted = match version {
        Some(version) => version,
        None => newest.checked_sub(1).ok_or_else(|| {
            Problem::new(Kind::Conflict, "The placements are those that exist from the start.")
        })?,
    };
    let content = match wanted {
        0 => Placements::default(),
        _ => earlier(&state, wanted).await?,
    };
    let put_back = |placements: &mut Placements| {
        placements.clone_from(&content);
        Ok(())
    };
    Ok(view(&document(&state).change(&state, &caller, &headers, put_back).await?))
}

/// A version that is kept, if it is still valid.
async fn earlier(state: &Shared, wanted: u64) -> Result<Placements, Problem> {
    let stored = document(state).history(MAX_LIMIT).await?;
    let found = stored.into_iter().find(|version| version.version == wanted).ok_or_else(|| {
        let detail = format!("Version {wanted} is not kept; /v1/placements/history lists those.");
        Problem::new(Kind::NotFound, detail)
    })?;
    let content: Placements = serde_json::from_value(found.content).map_err(|error| {
        let detail = format!("Version {wanted} is of another release: {error}.");
        Problem::new(Kind::Conflict, detail)
    })?;
    content.check().map_err(|invalid| {
        let problem = refused(invalid, None);
        Problem::new(Kind::Conflict, problem.detail)
    })?;
    Ok(content)
}

/// The placements that exist from the start, as the version before the first.
fn from_the_start() -> DocumentVersion {
    let content = serde_json::to_value(Placements::default()).unwrap_or_default();
    DocumentVersion { version: 0, changed_at_ms: 0, by: String::new(), content }
}

/// The names of the placements in which two documents differ.
fn differing(one: &Value, other: &Value) -> Vec<String> {
    let names = |document: &Value| -> Vec<String> {
        let placements = document["placements"].as_object();
        placements.map(|all| all.keys().cloned().collect()).unwrap_or_default()
    };
    let mut names = [names(one), names(other)].concat();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| one["placements"].get(name) != other["placements"].get(name));
    names
}
