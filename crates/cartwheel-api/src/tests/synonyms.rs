//! The routes for synonyms, over a registry in a directory.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use cartwheel_engine::Synonyms;
use cartwheel_registry::{LiveDocument, LocalRegistry};
use serde_json::{Value, json};

use super::harness::{Reply, Shop};
use crate::SYNONYMS;

/// A shop whose synonyms are stored in `lake`.
async fn shop(lake: &std::path::Path) -> Shop {
    let registry = Arc::new(LocalRegistry::new(lake));
    Shop::with(|state| state.synonyms = Arc::new(LiveDocument::new(registry, SYNONYMS))).await
}

async fn ask(shop: &Shop, method: &str, path: &str, body: &Value, tag: &str) -> Reply {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json").header("if-match", tag);
    shop.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn put(shop: &Shop, groups: &[&str], tag: &str) -> Reply {
    ask(shop, "PUT", "/v1/synonyms", &json!({"groups": groups}), tag).await
}

#[tokio::test]
async fn synonyms_are_replaced_listed_and_undone() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    let empty = shop.get("/v1/synonyms").await;
    assert_eq!(
        (&empty.headers["etag"], &empty.json()["groups"]),
        (&"\"0\"".parse().unwrap(), &json!([]))
    );
    let stored = put(&shop, &["soda, pop", " tv => television "], "\"0\"").await;
    assert_eq!((stored.status.as_u16(), &stored.headers["etag"]), (200, &"\"1\"".parse().unwrap()));
    assert_eq!(stored.json()["groups"], json!(["soda, pop", "tv => television"]));
    put(&shop, &["soda, pop"], "\"0\"").await.problem(412, "precondition-failed");
    assert_eq!(put(&shop, &["soda, pop", "tea, chai"], "\"1\"").await.status, 200);

    // Another process with the same registry knows them after a look.
    let registry = Arc::new(LocalRegistry::new(lake.path()));
    let other = LiveDocument::<Synonyms>::new(registry, SYNONYMS);
    other.refresh().await.unwrap();
    assert_eq!(other.current().content.document().groups, ["soda, pop", "tea, chai"]);

    let history = shop.get("/v1/synonyms/history").await.json();
    let changed = |at: usize| history["versions"][at]["changed"].clone();
    assert_eq!(changed(0), json!(["tea, chai", "tv => television"]));
    assert_eq!(changed(1), json!(["soda, pop", "tv => television"]));
    let undone = ask(&shop, "POST", "/v1/synonyms/undo", &json!({}), "*").await.json();
    assert_eq!(undone["groups"], json!(["soda, pop", "tv => television"]));
    let undone = ask(&shop, "POST", "/v1/synonyms/undo", &json!({"version": 0}), "*").await;
    assert_eq!((&undone.json()["version"], &undone.json()["groups"]), (&json!(4), &json!([])));
}

#[tokio::test]
async fn a_group_that_is_not_valid_changes_nothing_and_is_named() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    for wrong in ["alone", "tv =>", "# soda, pop", "soda, pop\ntea, chai"] {
        let problem = put(&shop, &["tea, chai", wrong], "*").await.problem(400, "invalid-field");
        assert_eq!(problem["field"], "groups[1]", "{wrong}");
    }
    let unknown = json!({"groups": [], "words": []});
    ask(&shop, "PUT", "/v1/synonyms", &unknown, "*").await.problem(400, "invalid-field");
    assert_eq!(shop.get("/v1/synonyms").await.json()["version"], 0);
}
