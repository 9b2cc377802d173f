//! Routes for the earlier versions of the placements.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use cartwheel_placements::Placements;
use serde_json::Value;

use super::change::{document, refused};
use super::manage::view;
use crate::access::caller::Caller;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{self, Params};
use crate::shop::document_history::{DocumentHistory, UndoRequest};
use crate::state::Shared;

/// Lists the versions of the placements
#[utoipa::path(get, path = "/v1/placements/history", tag = "placements", params(
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 50, description = "Maximum number of versions, 1 to 50; 20 by default"),
), responses(
    (status = 200, description = "Versions, the newest first", body = DocumentHistory),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn placement_history(
    State(state): State<Shared>,
    params: Params,
) -> Result<Json<DocumentHistory>, Problem> {
    let named = |stored: &Value| -> BTreeMap<String, Value> {
        let placements = stored["placements"].as_object().cloned().unwrap_or_default();
        placements.into_iter().collect()
    };
    document(&state).history(params, named).await.map(Json)
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
    let undo: UndoRequest = request::json(request, &state.bodies).await?;
    let content = document(&state).earlier(&undo).await?;
    content.check().map_err(|invalid| {
        let problem = refused(invalid, None);
        Problem::new(Kind::Conflict, problem.detail)
    })?;
    let put_back = |placements: &mut Placements| {
        placements.clone_from(&content);
        Ok(())
    };
    Ok(view(&document(&state).change(&state, &caller, &headers, put_back).await?))
}
