//! Tools that read.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::tool::{Session, ToolSpec, arguments, ask, escaped, named, object, shopper};
use crate::client;
use crate::proposals::Proposals;

/// A guest without any history, for whom lists are made where no shopper is named.
const NOBODY: &str = "~nobody";
/// How far down the shopper's list a product is looked for.
const FAR: usize = 100;

pub(super) const TOOLS: &[ToolSpec] = &[
    ToolSpec {
        name: "health",
        title: "How the server is",
        description: "Whether the server is ready, the release and the model that it serves, and \
                      parts that fail.",
        proposes: false,
        arguments: || object(&[], json!({})),
        answer: |session, given| Box::pin(health(session, given)),
    },
    ToolSpec {
        name: "quality",
        title: "How shoppers react to recommendations",
        description: "Counts of products shown, viewed, added and bought by day, source and \
                      placement, with what exploration has learned.",
        proposes: false,
        arguments: || {
            object(
                &[],
                json!({"days": days(), "placement": {"type": "string", "maxLength": 64,
                "description": "Only answers of this placement."}}),
            )
        },
        answer: |session, given| Box::pin(quality(session, given)),
    },
    ToolSpec {
        name: "product_quality",
        title: "How shoppers react to a product",
        description: "How often a product was recommended, viewed, added and bought, by day, \
                      placement and source.",
        proposes: false,
        arguments: || object(&["product"], json!({"product": product(), "days": days()})),
        answer: |session, given| Box::pin(product_quality(session, given)),
    },
    ToolSpec {
        name: "explain",
        title: "Why a shopper sees these products",
        description: "A shopper's recommendations, each with its reasons, the features that moved \
                      its score, and the rule that moved its place.",
        proposes: false,
        arguments: || {
            object(
                &["shopper"],
                json!({"shopper": shopper(), "limit": {"type": "integer",
                "minimum": 1, "maximum": 100, "description": "Number of products; 10 by default."}}),
            )
        },
        answer: |session, given| Box::pin(explain(session, given)),
    },
    ToolSpec {
        name: "why_not_shown",
        title: "Why a product is not shown",
        description: "What is known of a product, whether it may be shown at all, its place among \
                      a shopper's first 100 recommendations with the rules in effect, its \
                      probability without rules, and the rules.",
        proposes: false,
        arguments: || object(&["product"], json!({"product": product(), "shopper": shopper()})),
        answer: |session, given| Box::pin(why_not_shown(session, given)),
    },
    ToolSpec {
        name: "models",
        title: "Models and the gate's verdicts",
        description: "Every model, newest first, with the gate's verdict: why it was released or \
                      rejected.",
        proposes: false,
        arguments: || object(&[], json!({})),
        answer: |session, given| Box::pin(plain(session, given, "/v1/models")),
    },
    ToolSpec {
        name: "rules",
        title: "The shop's rules",
        description: "The rules in effect, and their contradictions.",
        proposes: false,
        arguments: || object(&[], json!({})),
        answer: |session, given| Box::pin(plain(session, given, "/v1/rules")),
    },
    ToolSpec {
        name: "placements",
        title: "The lists of the shop's pages",
        description: "Every placement: its kind, filter, fallbacks and dials.",
        proposes: false,
        arguments: || object(&[], json!({})),
        answer: |session, given| Box::pin(plain(session, given, "/v1/placements")),
    },
    ToolSpec {
        name: "searches",
        title: "What shoppers searched for",
        description: "The most frequent searches, and those without a result.",
        proposes: false,
        arguments: || object(&[], json!({"days": days()})),
        answer: |session, given| Box::pin(searches(session, given)),
    },
    ToolSpec {
        name: "simulate_rule",
        title: "Try a rule",
        description: "A placement's list for a shopper as it is, and as it would be with a rule \
                      added or, if its id exists, replaced. Nothing is stored. docs/rules.md \
                      describes rules, such as {\"id\": \"tea\", \"products\": {\"select\": \
                      \"department = \\\"Tea\\\"\"}, \"action\": {\"kind\": \"boost\", \"factor\": 3}}.",
        proposes: false,
        arguments: || {
            object(
                &["rule", "placement"],
                json!({"rule": {"type": "object",
                "description": "The rule."}, "placement": {"type": "string", "maxLength": 64,
                "description": "The placement, such as home."}, "shopper": shopper(),
                "product": {"type": "string", "maxLength": 128,
                "description": "The product of the page, for placements that need one."}}),
            )
        },
        answer: |session, given| Box::pin(simulate_rule(session, given)),
    },
    ToolSpec {
        name: "proposals",
        title: "Proposals that wait",
        description: "Proposals that no person has confirmed or rejected yet.",
        proposes: false,
        arguments: || object(&[], json!({})),
        answer: |session, given| Box::pin(waiting(session, given)),
    },
];

fn days() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": 90,
           "description": "Number of days, the last of which is today; 7 by default."})
}

fn product() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 128, "description": "A product's id."})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn plain(session: &Session, given: Value, path: &str) -> Result<Value> {
    let Nothing {} = arguments(given)?;
    ask(session, "GET", path, None).await
}

async fn health(session: &Session, given: Value) -> Result<Value> {
    let Nothing {} = arguments(given)?;
    // Not being ready is an answer too.
    let (_, body) =
        client::get_as(&session.credentials, &session.context.data_dir, "/readyz").await?;
    serde_json::from_str(&body).context("the server's answer is not JSON")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfDays {
    days: Option<u32>,
    placement: Option<String>,
}

async fn quality(session: &Session, given: Value) -> Result<Value> {
    let OfDays { days, placement } = arguments(given)?;
    let placement = placement.map(|name| format!("&placement={}", escaped(&name)));
    let path = format!("/v1/quality?days={}{}", days.unwrap_or(7), placement.unwrap_or_default());
    ask(session, "GET", &path, None).await
}

async fn searches(session: &Session, given: Value) -> Result<Value> {
    let OfDays { days, placement } = arguments(given)?;
    anyhow::ensure!(placement.is_none(), "searches belong to no placement");
    let path = format!("/v1/search/queries?days={}", days.unwrap_or(7));
    ask(session, "GET", &path, None).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfProduct {
    product: String,
    days: Option<u32>,
}

async fn product_quality(session: &Session, given: Value) -> Result<Value> {
    let OfProduct { product, days } = arguments(given)?;
    let days = days.unwrap_or(7);
    let path = format!("/v1/quality/products/{}?days={days}", escaped(&product));
    ask(session, "GET", &path, None).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfShopper {
    shopper: String,
    limit: Option<u32>,
}

async fn explain(session: &Session, given: Value) -> Result<Value> {
    let OfShopper { shopper, limit } = arguments(given)?;
    let path = format!(
        "/v1/users/{}/recommendations?explain=true&limit={}",
        escaped(&shopper),
        limit.unwrap_or(10)
    );
    ask(session, "GET", &path, None).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfProductAndShopper {
    product: String,
    shopper: Option<String>,
}

async fn why_not_shown(session: &Session, given: Value) -> Result<Value> {
    let OfProductAndShopper { product, shopper } = arguments(given)?;
    let shopper = shopper.as_deref().unwrap_or(NOBODY);
    let (field, id) = named(shopper);
    let question = json!({"products": [product], field: id});
    let ranking = ask(session, "POST", "/v1/rank", Some(&question)).await?;
    let path = format!("/v1/users/{}/recommendations?limit={FAR}", escaped(shopper));
    let list = ask(session, "GET", &path, None).await?;
    let items = list["recommendations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let place = items.iter().position(|item| item["product_id"] == product.as_str());
    let rules = ask(session, "GET", "/v1/rules", None).await?;
    // An unknown product has no entry, which the ranking says too.
    let path = format!("/v1/catalogue/products/{}", escaped(&product));
    let catalogue = ask(session, "GET", &path, None).await.ok();
    Ok(json!({
        "place_in_first_100": place.map(|place| place + 1), "of": items.len(),
        "unranked_because": ranking["unranked"][0]["reason"],
        "without_rules": ranking["products"][0], "catalogue": catalogue,
        "rules": rules["rules"],
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Simulated {
    rule: Value,
    placement: String,
    shopper: Option<String>,
    product: Option<String>,
}

async fn simulate_rule(session: &Session, given: Value) -> Result<Value> {
    let Simulated { rule, placement, shopper, product } = arguments(given)?;
    let mut rules = ask(session, "GET", "/v1/rules", None).await?["rules"].take();
    let all = rules.as_array_mut().context("the server's answer has no rules")?;
    match all.iter_mut().find(|known| known["id"] == rule["id"]) {
        Some(known) => *known = rule,
        None => all.push(rule),
    }
    let (field, id) = named(shopper.as_deref().unwrap_or(NOBODY));
    let mut question = json!({"rules": rules, field: id});
    if let Some(product) = product {
        question["product_id"] = product.into();
    }
    let path = format!("/v1/placements/{}/preview", escaped(&placement));
    ask(session, "POST", &path, Some(&question)).await
}

async fn waiting(session: &Session, given: Value) -> Result<Value> {
    let Nothing {} = arguments(given)?;
    Ok(json!({"proposals": Proposals::new(&session.context.data_dir).list()?}))
}
