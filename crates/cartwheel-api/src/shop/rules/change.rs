//! Changes of the document of rules.

use std::sync::Arc;

use axum::http::HeaderMap;
use cartwheel_registry::Edition;
use cartwheel_rules::{Conflict, Problems, RuleBook, Rules};

use crate::access::caller::Caller;
use crate::http::problem::{Kind, Problem};
use crate::shop::document::Document;
use crate::state::{AppState, Shared};

/// A version of the document.
pub(super) type Version = Arc<Edition<RuleBook>>;

/// Most mistakes that a problem describes.
const DESCRIBED: usize = 5;

/// The document of rules.
pub(super) fn document(state: &AppState) -> Document<'_, RuleBook> {
    Document { live: &state.rules, noun: "rules" }
}

/// Changes the rules, and returns the new version. `rule` is the one that the body holds.
pub(super) async fn change(
    state: &Shared,
    caller: &Caller,
    headers: &HeaderMap,
    rule: Option<&str>,
    edit: impl Fn(&mut Rules) -> Result<(), Problem>,
) -> Result<Version, Problem> {
    let edit = |book: &mut RuleBook| {
        let mut rules = book.document().clone();
        edit(&mut rules)?;
        *book = RuleBook::try_from(rules).map_err(|problems| refused(&problems, rule))?;
        Ok(())
    };
    document(state).change(state, caller, headers, edit).await
}

/// The contradictions between rules, in effect at the moment.
pub(super) fn conflicts(state: &AppState, version: &Version) -> Vec<Conflict> {
    state.engine.conflicts(version.content.set(), state.clock.now_ms())
}

/// The problem for rules that are refused: the field of the first mistake, and all of them in words.
/// In the body of one rule, fields are named without the document around them.
pub(crate) fn refused(problems: &Problems, body_of: Option<&str>) -> Problem {
    let Problems(problems) = problems;
    let Some(first) = problems.first() else {
        return Problem::new(Kind::InvalidField, "The rules are not valid.");
    };
    let of_body = body_of == Some(first.rule.as_str());
    let field = match of_body || first.rule.is_empty() {
        true => first.field.clone(),
        false => format!("rules.{}.{}", first.rule, first.field),
    };
    let mut detail = first.problem.clone();
    for problem in problems.iter().skip(1).take(DESCRIBED - 1) {
        detail.push_str(&format!(" {}: {}", problem.field, problem.problem));
    }
    if problems.len() > DESCRIBED {
        detail.push_str(&format!(" And {} more.", problems.len() - DESCRIBED));
    }
    let position = first.position.and_then(|position| u16::try_from(position).ok());
    Problem { position, ..Problem::field(field, detail, first.expected.clone()) }
}
