//! Routes that show and change rules.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use cartwheel_rules::{Conflict, Rule, Rules};
use serde::Serialize;
use utoipa::ToSchema;

use super::change::{Version, change, conflicts};
use crate::access::caller::Caller;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{self, Params};
use crate::shop::document::etag;
use crate::state::{AppState, Shared};

/// The rules, with the version of the document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RulesView {
    /// The version, which is also the entity tag; 0 before the first rule.
    version: u64,
    /// When they last changed, UTC milliseconds; null before the first rule.
    changed_at_ms: Option<i64>,
    /// The name of the key that changed them, or `cli`.
    by: Option<String>,
    /// Rules, in the order in which they were added.
    rules: Vec<Rule>,
    /// Rules that contradict one another, and the one that wins.
    conflicts: Vec<Conflict>,
}

/// A stored rule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoredRule {
    /// The version of the document, which is also the entity tag.
    version: u64,
    /// The rule.
    rule: Rule,
    /// The contradictions that the rule is a part of. They are no reason to refuse it: the rule that
    /// wins is in effect.
    conflicts: Vec<Conflict>,
}

/// The answer with a version of the document.
pub(super) fn view(state: &AppState, version: &Version) -> Response {
    let view = RulesView {
        version: version.version,
        changed_at_ms: version.changed_at_ms,
        by: version.by.clone(),
        rules: version.content.document().rules.clone(),
        conflicts: conflicts(state, version),
    };
    (etag(version.version), Json(view)).into_response()
}

/// Lists all rules
#[utoipa::path(get, path = "/v1/rules", tag = "rules", responses(
    (status = 200, description = "The rules, with their entity tag", body = RulesView),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn rules(
    State(state): State<Shared>,
    params: Params,
) -> Result<Response, Problem> {
    params.end("none")?;
    Ok(view(&state, &state.rules.current()))
}

/// Adds or replaces a rule
///
/// It is in effect with the next request. Rules that contradict it are in the answer.
#[utoipa::path(put, path = "/v1/rules/{id}", tag = "rules", params(
    ("id" = String, Path, description = "The rule"),
    ("If-Match" = Option<String>, Header, description = "Store it only if the document has one of these entity tags"),
), request_body = Rule, responses(
    (status = 200, description = "The replaced rule, with the new entity tag", body = StoredRule),
    (status = 201, description = "The new rule, with the new entity tag", body = StoredRule),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 404, description = "This server does not change rules", body = Problem),
    (status = 409, description = "Others change rules at the same time", body = Problem),
    (status = 412, description = "The document does not have the entity tag", body = Problem),
))]
pub(crate) async fn put_rule(
    State(state): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let rule: Rule = request::json(request, &state.bodies).await?;
    if rule.id != id {
        let detail = "The id is another than that of the path.";
        return Err(Problem::field("id", detail, "the id of the path"));
    }
    let existed = state.rules.current().content.document().rules.iter().any(|r| r.id == id);
    let put = |document: &mut Rules| {
        match document.rules.iter_mut().find(|known| known.id == id) {
            Some(known) => known.clone_from(&rule),
            None => document.rules.push(rule.clone()),
        }
        Ok(())
    };
    let version = change(&state, &caller, &headers, Some(&id), put).await?;
    let mut conflicts = conflicts(&state, &version);
    conflicts.retain(|conflict| conflict.rules.contains(&id));
    let stored = StoredRule { version: version.version, rule, conflicts };
    let status = if existed { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, etag(version.version), Json(stored)).into_response())
}

/// Removes a rule
#[utoipa::path(delete, path = "/v1/rules/{id}", tag = "rules", params(
    ("id" = String, Path, description = "The rule"),
    ("If-Match" = Option<String>, Header, description = "Remove it only if the document has one of these entity tags"),
), responses(
    (status = 204, description = "It is removed; the header has the new entity tag"),
    (status = 404, description = "The rule does not exist, or this server does not change rules", body = Problem),
    (status = 409, description = "Others change rules at the same time", body = Problem),
    (status = 412, description = "The document does not have the entity tag", body = Problem),
))]
pub(crate) async fn delete_rule(
    State(state): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let delete = |document: &mut Rules| {
        let before = document.rules.len();
        document.rules.retain(|rule| rule.id != id);
        if document.rules.len() < before {
            return Ok(());
        }
        let shown: String = id.chars().take(64).collect();
        Err(Problem::new(Kind::NotFound, format!("There is no rule {shown:?}.")))
    };
    let version = change(&state, &caller, &headers, None, delete).await?;
    Ok((StatusCode::NO_CONTENT, etag(version.version)).into_response())
}
