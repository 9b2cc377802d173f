//! The routes for rules, over a registry in a directory.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use cartwheel_registry::{LiveDocument, LocalRegistry};
use cartwheel_rules::RuleBook;
use serde_json::{Value, json};

use super::harness::{Reply, Shop};
use crate::{ApiKey, KeyHash, PLACEMENTS, RULES, Scope};

/// A shop whose rules are stored in `lake`.
async fn shop(lake: &std::path::Path) -> Shop {
    let registry = Arc::new(LocalRegistry::new(lake));
    Shop::with(|state| {
        state.placements = Arc::new(LiveDocument::new(registry.clone(), PLACEMENTS));
        state.rules = Arc::new(LiveDocument::new(registry, RULES));
        state.keys.replace(vec![boss()]);
    })
    .await
}

fn boss() -> ApiKey {
    ApiKey {
        name: "boss".into(),
        hash: KeyHash::of("secret"),
        scopes: vec![Scope::Admin, Scope::RecommendationsRead],
        publishable: None,
        signing: None,
    }
}

async fn ask(shop: &Shop, method: &str, path: &str, body: &Value, tag: Option<&str>) -> Reply {
    let request = Request::builder().method(method).uri(path).header("x-api-key", "secret");
    let request = request.header("content-type", "application/json");
    let request = match tag {
        Some(tag) => request.header("if-match", tag),
        None => request,
    };
    shop.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn get(shop: &Shop, path: &str) -> Value {
    ask(shop, "GET", path, &json!(null), None).await.json()
}

async fn put(shop: &Shop, rule: &Value) -> Reply {
    let path = format!("/v1/rules/{}", rule["id"].as_str().unwrap());
    ask(shop, "PUT", &path, rule, None).await
}

fn block(id: &str) -> Value {
    json!({"id": id, "name": "", "active": true, "priority": 0,
        "products": {"select": "department = \"Tea\""}, "action": {"kind": "block"}})
}

#[tokio::test]
async fn a_rule_is_stored_with_its_contradictions() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    let empty = ask(&shop, "GET", "/v1/rules", &json!(null), None).await;
    assert_eq!(empty.headers["etag"], "\"0\"");
    assert_eq!(empty.json()["rules"], json!([]));
    let stored = put(&shop, &block("no-tea")).await;
    assert_eq!((stored.status.as_u16(), stored.headers["etag"].to_str().unwrap()), (201, "\"1\""));
    assert_eq!(stored.json()["rule"], block("no-tea"));
    assert_eq!(stored.json()["conflicts"], json!([]));
    let mut boost = block("more-tea");
    boost["action"] = json!({"kind": "boost", "factor": 2.0});
    let stored = put(&shop, &boost).await.json();
    let conflict = &stored["conflicts"][0];
    assert_eq!(conflict["kind"], "moved_and_blocked");
    assert_eq!(conflict["rules"], json!(["no-tea", "more-tea"]));
    assert_eq!(conflict["wins"], "no-tea");
    let all = get(&shop, "/v1/rules").await;
    assert_eq!((&all["version"], &all["by"]), (&json!(2), &json!("boss")));
    assert_eq!((all["rules"].as_array().unwrap().len(), &all["conflicts"][0]), (2, conflict));
    assert_eq!(put(&shop, &block("more-tea")).await.status, 200);

    // Another process with the same registry knows them after a look.
    let registry = Arc::new(LocalRegistry::new(lake.path()));
    let other = LiveDocument::<RuleBook>::new(registry, RULES);
    other.refresh().await.unwrap();
    assert_eq!(other.current().content.document().rules.len(), 2);

    let path = "/v1/rules/no-tea";
    ask(&shop, "DELETE", path, &json!({}), Some("\"1\"")).await.problem(412, "precondition-failed");
    assert_eq!(ask(&shop, "DELETE", path, &json!({}), Some("\"3\"")).await.status, 204);
    for condition in [None, Some("\"1\"")] {
        ask(&shop, "DELETE", path, &json!({}), condition).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn what_is_not_valid_changes_nothing_and_has_its_place() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    let refused = |field: &'static str, value: Value| {
        let mut rule = block("a");
        rule[field] = value;
        rule
    };
    for (rule, field, position) in [
        (
            refused("products", json!({"select": "price < 3 and departement = 'Tea'"})),
            "products.select",
            json!(15),
        ),
        (refused("scope", json!({"segment": "price < 3"})), "scope.segment", json!(1)),
        (refused("action", json!({"kind": "boost", "factor": 1})), "action.factor", Value::Null),
        (refused("priority", json!(5000)), "priority", Value::Null),
    ] {
        let problem = put(&shop, &rule).await.problem(400, "invalid-field");
        assert_eq!((&problem["field"], &problem["position"]), (&json!(field), &position));
    }
    let problem = put(&shop, &refused("action", json!({"kind": "shout"}))).await;
    assert_eq!(problem.status, 400);
    let other = ask(&shop, "PUT", "/v1/rules/b", &block("a"), None).await;
    assert_eq!(other.problem(400, "invalid-field")["field"], "id");
    assert_eq!(get(&shop, "/v1/rules").await["version"], 0);
}

#[tokio::test]
async fn changes_are_listed_and_undone() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    let undo = |body: Value| {
        let shop = &shop;
        async move { ask(shop, "POST", "/v1/rules/undo", &body, None).await }
    };
    undo(json!({})).await.problem(409, "conflict");
    for id in ["a", "b"] {
        assert_eq!(put(&shop, &block(id)).await.status, 201);
    }
    let undone = undo(json!({})).await.json();
    assert_eq!((&undone["version"], undone["rules"].as_array().unwrap().len()), (&json!(3), 1));
    let history = get(&shop, "/v1/rules/history").await["versions"].take();
    let line = |at: usize| (&history[at]["version"], &history[at]["changed"], &history[at]["by"]);
    assert_eq!(line(0), (&json!(3), &json!(["b"]), &json!("boss")));
    assert_eq!(line(2), (&json!(1), &json!(["a"]), &json!("boss")));
    assert_eq!(undo(json!({"version": 0})).await.json()["rules"], json!([]));
    undo(json!({"version": 77})).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_server_without_a_registry_does_not_change_rules() {
    let shop = Shop::with(|state| state.keys.replace(vec![boss()])).await;
    let problem = put(&shop, &block("a")).await.problem(404, "not-found");
    assert!(problem["detail"].as_str().unwrap().contains("does not change them"), "{problem}");
}

#[tokio::test]
async fn a_preview_stores_nothing_and_tells_what_contradicts() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    let path = "/v1/placements/home/preview";
    let mut boost = block("b");
    boost["action"] = json!({"kind": "boost", "factor": 2.0});
    let body = json!({"user_id": "u", "rules": [block("a"), boost]});
    let preview = ask(&shop, "POST", path, &body, None).await.json();
    assert_eq!(preview["conflicts"][0]["wins"], "a");
    let list = |name: &str| preview[name].as_array().unwrap().len();
    assert!(list("before") > 0 && list("before") == list("after"));
    assert_eq!(get(&shop, "/v1/rules").await["version"], 0);
    let body = json!({"user_id": "u", "rules": [{"id": "A", "action": {"kind": "block"}}]});
    let problem = ask(&shop, "POST", path, &body, None).await.problem(400, "invalid-field");
    assert_eq!(problem["field"], "rules.A.id");
    let nowhere = json!({"user_id": "u", "rules": []});
    let path = "/v1/placements/nowhere/preview";
    ask(&shop, "POST", path, &nowhere, None).await.problem(404, "not-found");
}
