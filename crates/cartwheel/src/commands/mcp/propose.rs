//! Tools that propose a change. Nothing changes until a person confirms it.

use anyhow::{Result, bail};
use cartwheel_ambient::Ids;
use cartwheel_rules::{Rule, RuleBook, Rules};
use serde::Deserialize;
use serde_json::{Value, json};

use super::tool::{Session, ToolSpec, arguments, ask, escaped, object};
use crate::proposals::{Proposal, Proposals};

/// Longest reason, in characters.
const LONGEST_REASON: usize = 2000;

pub(super) const TOOLS: &[ToolSpec] = &[
    ToolSpec {
        name: "propose_rule",
        title: "Propose a rule",
        description: "Proposes to add a rule, or to replace the one of the same id. Try it with \
                      simulate_rule first.",
        proposes: true,
        arguments: || {
            object(
                &["rule", "why"],
                json!({"why": why(),
                "rule": {"type": "object", "description": "The rule, as for simulate_rule."}}),
            )
        },
        answer: |session, given| Box::pin(rule(session, given)),
    },
    ToolSpec {
        name: "propose_rule_removal",
        title: "Propose to remove a rule",
        description: "Proposes to remove the rule with that id.",
        proposes: true,
        arguments: || {
            object(
                &["id", "why"],
                json!({"why": why(),
                "id": {"type": "string", "minLength": 1, "maxLength": 64,
                       "description": "The rule's id."}}),
            )
        },
        answer: |session, given| Box::pin(rule_removal(session, given)),
    },
    ToolSpec {
        name: "propose_rollback",
        title: "Propose a rollback",
        description: "Proposes to serve the previous release again.",
        proposes: true,
        arguments: || object(&["why"], json!({"why": why()})),
        answer: |session, given| Box::pin(rollback(session, given)),
    },
];

fn why() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": LONGEST_REASON,
           "description": "The reason, for the person who decides."})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRule {
    rule: Rule,
    why: String,
}

async fn rule(session: &Session, given: Value) -> Result<Value> {
    let OfRule { rule, why } = arguments(given)?;
    let alone = Rules { rules: vec![rule.clone()] };
    if let Err(wrong) = RuleBook::try_from(alone) {
        let problems: Vec<String> = wrong.0.iter().map(ToString::to_string).collect();
        bail!("the rule is not valid: {}", problems.join("; "));
    }
    let title = format!("Add or replace the rule {}", rule.id);
    let path = format!("/v1/rules/{}", escaped(&rule.id));
    let body = Some(serde_json::to_value(&rule)?);
    store(session, title, why, ("PUT", path, body), "/console/rules")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRemoval {
    id: String,
    why: String,
}

async fn rule_removal(session: &Session, given: Value) -> Result<Value> {
    let OfRemoval { id, why } = arguments(given)?;
    let rules = ask(session, "GET", "/v1/rules", None).await?;
    let known =
        rules["rules"].as_array().is_some_and(|all| all.iter().any(|rule| rule["id"] == *id));
    anyhow::ensure!(known, "there is no rule {id:?}: the tool rules lists them");
    let path = format!("/v1/rules/{}", escaped(&id));
    store(session, format!("Remove the rule {id}"), why, ("DELETE", path, None), "/console/rules")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRollback {
    why: String,
}

async fn rollback(session: &Session, given: Value) -> Result<Value> {
    let OfRollback { why } = arguments(given)?;
    let request = ("POST", "/v1/models/rollback".to_owned(), None);
    store(session, "Serve the previous release again".to_owned(), why, request, "/console/models")
}

/// Stores a proposal and tells how a person confirms it.
fn store(
    session: &Session,
    title: String,
    why: String,
    (method, path, body): (&str, String, Option<Value>),
    console: &str,
) -> Result<Value> {
    let length = why.chars().count();
    anyhow::ensure!(
        (1..=LONGEST_REASON).contains(&length),
        "why has 1 to {LONGEST_REASON} characters"
    );
    let proposal = Proposal {
        id: String::new(),
        proposed_ms: 0,
        title,
        why,
        method: method.to_owned(),
        path,
        body,
        console: console.to_owned(),
    };
    let proposals = Proposals::new(&session.context.data_dir);
    let proposal = proposals.add(proposal, &session.context.clock, &Ids::uuid_v7())?;
    let directory = session.context.data_dir.0.display();
    let command =
        |verb: &str| format!("cartwheel --data-dir {directory} proposals {verb} {}", proposal.id);
    Ok(json!({
        "state": "Nothing has changed yet: a person has to confirm the proposal.",
        "confirm": command("confirm"), "reject": command("reject"), "proposal": proposal,
    }))
}
