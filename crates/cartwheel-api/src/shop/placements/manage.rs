//! Routes that show and change placements.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use cartwheel_placements::{Kind as ListKind, Placement, Placements};
use serde::Serialize;
use utoipa::ToSchema;

use super::change::{Version, document, refused};
use super::slot::unknown;
use crate::access::caller::Caller;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{self, Params, PlacementPath};
use crate::shop::document::etag;
use crate::state::Shared;

/// Every placement, with the version of the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlacementsView {
    /// The version, which is also the entity tag; 0 for the placements that exist from the start.
    version: u64,
    /// When they last changed, UTC milliseconds; null for those that exist from the start.
    changed_at_ms: Option<i64>,
    /// The name of the key that changed them, or `cli`.
    by: Option<String>,
    /// Placements by name.
    placements: BTreeMap<String, Placement>,
}

/// The answer with a version of the document.
pub(super) fn view(version: &Version) -> Response {
    let view = PlacementsView {
        version: version.version,
        changed_at_ms: version.changed_at_ms,
        by: version.by.clone(),
        placements: version.content.placements.clone(),
    };
    (etag(version.version), Json(view)).into_response()
}

/// Lists all placements
#[utoipa::path(get, path = "/v1/placements", tag = "placements", responses(
    (status = 200, description = "The placements, with their entity tag", body = PlacementsView),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn placements(
    State(state): State<Shared>,
    params: Params,
) -> Result<Response, Problem> {
    params.end("none")?;
    Ok(view(&state.placements.current()))
}

/// Replaces all placements
///
/// The whole document is replaced, or nothing. It is in effect with the next request.
#[utoipa::path(put, path = "/v1/placements", tag = "placements", params(
    ("If-Match" = Option<String>, Header, description = "Replace them only if they have one of these entity tags"),
), request_body = Placements, responses(
    (status = 200, description = "The placements, with their new entity tag", body = PlacementsView),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 404, description = "This server does not change placements", body = Problem),
    (status = 409, description = "Others change them at the same time", body = Problem),
    (status = 412, description = "They do not have the entity tag", body = Problem),
))]
pub(crate) async fn put_placements(
    State(state): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let wanted: Placements = request::json(request, &state.bodies).await?;
    wanted.check().map_err(|invalid| refused(invalid, None))?;
    let replace = |placements: &mut Placements| {
        placements.clone_from(&wanted);
        Ok(())
    };
    Ok(view(&document(&state).change(&state, &caller, &headers, replace).await?))
}

/// Shows a placement
#[utoipa::path(get, path = "/v1/placements/{name}", tag = "placements", params(
    ("name" = String, Path, description = "The placement"),
), responses(
    (status = 200, description = "The placement, with the entity tag of the document", body = Placement),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "The placement does not exist", body = Problem),
))]
pub(crate) async fn show_placement(
    State(state): State<Shared>,
    PlacementPath(name): PlacementPath,
    params: Params,
) -> Result<Response, Problem> {
    params.end("none")?;
    one(StatusCode::OK, &state.placements.current(), &name)
}

/// Adds or replaces a placement
///
/// It is in effect with the next request.
#[utoipa::path(put, path = "/v1/placements/{name}", tag = "placements", params(
    ("name" = String, Path, description = "The placement"),
    ("If-Match" = Option<String>, Header, description = "Store it only if the document has one of these entity tags"),
), request_body = Placement, responses(
    (status = 200, description = "The replaced placement, with the new entity tag", body = Placement),
    (status = 201, description = "The new placement, with the new entity tag", body = Placement),
    (status = 400, description = "Not JSON, or the name or a field is not valid", body = Problem),
    (status = 404, description = "This server does not change placements", body = Problem),
    (status = 409, description = "Others change placements at the same time", body = Problem),
    (status = 412, description = "The document does not have the entity tag", body = Problem),
))]
pub(crate) async fn put_placement(
    State(state): State<Shared>,
    caller: Caller,
    PlacementPath(name): PlacementPath,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let placement: Placement = request::json(request, &state.bodies).await?;
    let existed = state.placements.current().content.placements.contains_key(&name);
    let put = |document: &mut Placements| {
        document.placements.insert(name.clone(), placement.clone());
        document.check().map_err(|invalid| refused(invalid, Some(&name)))
    };
    let version = document(&state).change(&state, &caller, &headers, put).await?;
    one(if existed { StatusCode::OK } else { StatusCode::CREATED }, &version, &name)
}

/// Removes a placement
#[utoipa::path(delete, path = "/v1/placements/{name}", tag = "placements", params(
    ("name" = String, Path, description = "The placement"),
    ("If-Match" = Option<String>, Header, description = "Remove it only if the document has one of these entity tags"),
), responses(
    (status = 204, description = "It is removed; the header has the new entity tag"),
    (status = 400, description = "The name is not valid", body = Problem),
    (status = 404, description = "The placement does not exist, or this server does not change placements", body = Problem),
    (status = 409, description = "Another placement falls back to it", body = Problem),
    (status = 412, description = "The document does not have the entity tag", body = Problem),
))]
pub(crate) async fn delete_placement(
    State(state): State<Shared>,
    caller: Caller,
    PlacementPath(name): PlacementPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let delete = |document: &mut Placements| {
        if document.placements.remove(&name).is_none() {
            return Err(unknown(document, &name));
        }
        // A fallback to a kind of the same name remains valid.
        let mut others = document.placements.iter().filter(|_| ListKind::named(&name).is_none());
        match others.find(|(_, placement)| placement.fallback.contains(&name)) {
            Some((other, _)) => {
                let detail =
                    format!("The placement {other} falls back to {name}: change it first.");
                Err(Problem::new(Kind::Conflict, detail))
            }
            None => Ok(()),
        }
    };
    let version = document(&state).change(&state, &caller, &headers, delete).await?;
    Ok((StatusCode::NO_CONTENT, etag(version.version)).into_response())
}

fn one(status: StatusCode, version: &Version, name: &str) -> Result<Response, Problem> {
    let document = &version.content;
    let placement = document.placements.get(name).ok_or_else(|| unknown(document, name))?;
    Ok((status, etag(version.version), Json(placement)).into_response())
}
