//! Routes for the earlier versions of the rules.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use cartwheel_registry::{DocumentVersion, KEPT_VERSIONS};
use cartwheel_rules::{RuleBook, Rules};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change::{change, document};
use super::manage::view;
use crate::access::caller::Caller;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{self, Params};
use crate::state::Shared;

/// Versions of an answer by default.
const DEFAULT_LIMIT: usize = 20;
/// Most versions of an answer: all that are kept.
const MAX_LIMIT: usize = KEPT_VERSIONS as usize;

/// The versions of the rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleHistory {
    /// Versions, the newest first. The last 50 are kept.
    versions: Vec<RuleVersion>,
}

/// A version of the rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuleVersion {
    /// Its number.
    version: u64,
    /// When it was stored, UTC milliseconds.
    changed_at_ms: i64,
    /// The name of the key that stored it, or `cli`.
    by: String,
    /// The ids of the rules that differ from the version before, in alphabetical order; null if that
    /// version is no longer kept.
    changed: Option<Vec<String>>,
}

/// A request to put an earlier version back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoRulesRequest {
    /// The version to put back: by default the one before the newest; 0 for no rules.
    version: Option<u64>,
}

/// Lists the versions of the rules
#[utoipa::path(get, path = "/v1/rules/history", tag = "rules", params(
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 50, description = "Maximum number of versions, 1 to 50; 20 by default"),
), responses(
    (status = 200, description = "Versions, the newest first", body = RuleHistory),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn rule_history(
    State(state): State<Shared>,
    mut params: Params,
) -> Result<Json<RuleHistory>, Problem> {
    let limit = params.number("limit", DEFAULT_LIMIT, 1..=MAX_LIMIT)?;
    params.end("limit")?;
    // One more, to say what the last one changed.
    let stored = document(&state).history(limit + 1).await?;
    let versions = stored.iter().enumerate().take(limit).map(|(at, version)| RuleVersion {
        version: version.version,
        changed_at_ms: version.changed_at_ms,
        by: version.by.clone(),
        changed: match stored.get(at + 1) {
            Some(before) => Some(differing(&rules_of(version), &rules_of(before))),
            None if version.version == 1 => Some(differing(&rules_of(version), &[])),
            None => None,
        },
    });
    Ok(Json(RuleHistory { versions: versions.collect() }))
}

/// Puts an earlier version of the rules back
///
/// It becomes the newest version, so that this can be undone too.
#[utoipa::path(post, path = "/v1/rules/undo", tag = "rules", params(
    ("If-Match" = Option<String>, Header, description = "Do so only if the document has one of these entity tags"),
), request_body = UndoRulesRequest, responses(
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
    let UndoRulesRequest { version } = request::json(request, &state.bodies).await?;
    let newest = state.rules.current().version;
    let wanted = match version {
        Some(version) => version,
        None => newest
            .checked_sub(1)
            .ok_or_else(|| Problem::new(Kind::Conflict, "Nobody has changed the rules yet."))?,
    };
    let content = match wanted {
        0 => Rules::default(),
        _ => earlier(&state, wanted).await?,
    };
    let put_back = |rules: &mut Rules| {
        rules.clone_from(&content);
        Ok(())
    };
    let version = change(&state, &caller, &headers, None, put_back).await?;
    Ok(view(&state, &version))
}

/// A version that is kept, if it is still valid.
async fn earlier(state: &Shared, wanted: u64) -> Result<Rules, Problem> {
    let stored = document(state).history(MAX_LIMIT).await?;
    let found = stored.into_iter().find(|version| version.version == wanted).ok_or_else(|| {
        let detail = format!("Version {wanted} is not kept; /v1/rules/history lists those.");
        Problem::new(Kind::NotFound, detail)
    })?;
    let book: RuleBook = serde_json::from_value(found.content).map_err(|error| {
        let detail = format!("Version {wanted} is not valid any more: {error}.");
        Problem::new(Kind::Conflict, detail)
    })?;
    Ok(book.into())
}

/// A rule as it is stored.
type Stored = (String, serde_json::Value);

/// The rules of a version.
fn rules_of(version: &DocumentVersion) -> Vec<Stored> {
    let rules = version.content["rules"].as_array().cloned().unwrap_or_default();
    let with_id = |rule: serde_json::Value| Some((rule["id"].as_str()?.to_owned(), rule));
    rules.into_iter().filter_map(with_id).collect()
}

/// The ids of the rules in which two versions differ.
fn differing(one: &[Stored], other: &[Stored]) -> Vec<String> {
    let only = |these: &[Stored], those: &[Stored]| -> Vec<String> {
        let rules = these.iter().filter(|rule| !those.contains(rule));
        rules.map(|(id, _)| id.clone()).collect()
    };
    let mut ids = [only(one, other), only(other, one)].concat();
    ids.sort_unstable();
    ids.dedup();
    ids
}
