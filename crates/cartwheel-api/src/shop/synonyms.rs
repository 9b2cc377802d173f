//! Routes for words that mean the same in searches.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use cartwheel_engine::{SynonymGroups, Synonyms};
use cartwheel_registry::Edition;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::access::scope::Scope;
use crate::http::problem::Problem;
use crate::http::request::{self, Params};
use crate::routes::Routes;
use crate::shop::document::{Document, etag};
use crate::shop::document_history::{DocumentHistory, UndoRequest};
use crate::state::{AppState, Shared};

/// The routes for synonyms.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::Admin, routes!(synonyms, put_synonyms))
        .scoped(Scope::Admin, routes!(synonym_history))
        .scoped(Scope::Admin, routes!(undo_synonyms))
}

/// The synonyms, with the version of the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SynonymsView {
    /// The version, which is also the entity tag; 0 before the first change.
    version: u64,
    /// When they last changed, UTC milliseconds; null before the first change.
    changed_at_ms: Option<i64>,
    /// The name of the key that changed them, or `cli`.
    by: Option<String>,
    /// Groups such as `soda, pop, soft drink`, or `tv => television` for one direction.
    groups: Vec<String>,
}

fn document(state: &AppState) -> Document<'_, Synonyms> {
    Document { live: &state.synonyms, noun: "synonyms" }
}

fn view(edition: &Arc<Edition<Synonyms>>) -> Response {
    let view = SynonymsView {
        version: edition.version,
        changed_at_ms: edition.changed_at_ms,
        by: edition.by.clone(),
        groups: edition.content.document().groups.clone(),
    };
    (etag(edition.version), Json(view)).into_response()
}

/// Lists the words that mean the same
#[utoipa::path(get, path = "/v1/synonyms", tag = "synonyms", responses(
    (status = 200, description = "The synonyms, with their entity tag", body = SynonymsView),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn synonyms(
    State(state): State<Shared>,
    params: Params,
) -> Result<Response, Problem> {
    params.end("none")?;
    Ok(view(&state.synonyms.current()))
}

/// Replaces the words that mean the same
///
/// The next search knows them.
#[utoipa::path(put, path = "/v1/synonyms", tag = "synonyms", params(
    ("If-Match" = Option<String>, Header, description = "Store them only if the document has one of these entity tags"),
), request_body = SynonymGroups, responses(
    (status = 200, description = "The synonyms, with their new entity tag", body = SynonymsView),
    (status = 400, description = "Not JSON, or a group is not valid", body = Problem),
    (status = 404, description = "This server does not change synonyms", body = Problem),
    (status = 409, description = "Others change synonyms at the same time", body = Problem),
    (status = 412, description = "The document does not have the entity tag", body = Problem),
))]
pub(crate) async fn put_synonyms(
    State(state): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let groups: SynonymGroups = request::json(request, &state.bodies).await?;
    let content = Synonyms::try_from(groups).map_err(|invalid| {
        let field = format!("groups[{}]", invalid.line.saturating_sub(1));
        let expected = "two or more phrases, as in `soda, pop` or `tv => television`";
        Problem::field(field, format!("Group {}: {}.", invalid.line, invalid.problem), expected)
    })?;
    replace(&state, &caller, &headers, &content).await
}

/// Lists the versions of the synonyms
#[utoipa::path(get, path = "/v1/synonyms/history", tag = "synonyms", params(
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 50, description = "Maximum number of versions, 1 to 50; 20 by default"),
), responses(
    (status = 200, description = "Versions, the newest first", body = DocumentHistory),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn synonym_history(
    State(state): State<Shared>,
    params: Params,
) -> Result<Json<DocumentHistory>, Problem> {
    let by_group = |stored: &Value| -> BTreeMap<String, Value> {
        let groups = stored["groups"].as_array().into_iter().flatten();
        groups.filter_map(|group| Some((group.as_str()?.to_owned(), group.clone()))).collect()
    };
    document(&state).history(params, by_group).await.map(Json)
}

/// Puts an earlier version of the synonyms back
///
/// It becomes the newest version, so that this can be undone too.
#[utoipa::path(post, path = "/v1/synonyms/undo", tag = "synonyms", params(
    ("If-Match" = Option<String>, Header, description = "Do so only if the document has one of these entity tags"),
), request_body = UndoRequest, responses(
    (status = 200, description = "The synonyms, with their new entity tag", body = SynonymsView),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 404, description = "The version is not kept, or this server does not change synonyms", body = Problem),
    (status = 409, description = "There is no earlier version, it is not valid any more, or others change them at the same time", body = Problem),
    (status = 412, description = "The document does not have the entity tag", body = Problem),
))]
pub(crate) async fn undo_synonyms(
    State(state): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let undo: UndoRequest = request::json(request, &state.bodies).await?;
    let content = document(&state).earlier(&undo).await?;
    replace(&state, &caller, &headers, &content).await
}

async fn replace(
    state: &Shared,
    caller: &Caller,
    headers: &HeaderMap,
    content: &Synonyms,
) -> Result<Response, Problem> {
    let put = |synonyms: &mut Synonyms| {
        synonyms.clone_from(content);
        Ok(())
    };
    document(state).change(state, caller, headers, put).await.map(|stored| view(&stored))
}
