//! Routes for the earlier versions of the rules.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use cartwheel_rules::Rules;
use serde_json::Value;

use super::change::{change, document};
use super::manage::view;
use crate::access::caller::Caller;
use crate::http::problem::Problem;
use crate::http::request::{self, Params};
use crate::shop::document_history::{DocumentHistory, UndoRequest};
use crate::state::Shared;

/// Lists the versions of the rules
#[utoipa::path(get, path = "/v1/rules/history", tag = "rules", params(
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 50, description = "Maximum number of versions, 1 to 50; 20 by default"),
), responses(
    (status = 200, description = "Versions, the newest first", body = DocumentHistory),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn rule_history(
    State(state): State<Shared>,
    params: Params,
) -> Result<Json<DocumentHistory>, Problem> {
    let by_id = |stored: &Value| -> BTreeMap<String, Value> {
        let rules = stored["rules"].as_array().cloned().unwrap_or_default();
        let with_id = |rule: Value| Some((rule["id"].as_str()?.to_owned(), rule));
        rules.into_iter().filter_map(with_id).collect()
    };
    document(&state).history(params, by_id).await.map(Json)
}

/// Puts an earlier version of the rules back
///
/// It becomes the newest version, so that this can be undone too.
#[utoipa::path(post, path = "/v1/rules/undo", tag = "rules", params(
    ("If-Match" = Option<String>, Header, description = "Do so only if the document has one of these entity tags"),
), request_body = UndoRequest, responses(
    (status = 200, description = "The rules, with their new entity tag", body = super::manage::RulesView),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 404, description = "The version is not kept, or this server does not change rules", body = Problem),
    (status = 409, description = "There is no earlier version, it is not valid any more, or others change them at the same time", body = Problem),
    (status = 412, description = "The document does not have the entity tag", body = Problem),
))]
pub(crate) async fn undo_rules(
    State(state): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let undo: UndoRequest = request::json(request, &state.bodies).await?;
    let content = document(&state).earlier(&undo).await?;
    let put_back = |rules: &mut Rules| {
        rules.clone_from(content.document());
        Ok(())
    };
    let version = change(&state, &caller, &headers, None, put_back).await?;
    Ok(view(&state, &version))
}
