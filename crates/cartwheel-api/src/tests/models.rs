//! The routes for models on a host that shows them and leaves changes to others.

use std::sync::Arc;

use cartwheel_registry::LocalRegistry;
use serde_json::{Value, json};

use super::harness::Shop;

const ELSEWHERE: &str = "Somebody else deploys.";

async fn shop(lake: &std::path::Path) -> Shop {
    let registry = Arc::new(LocalRegistry::new(lake));
    Shop::with(|state| {
        state.models = Some(registry);
        state.operated_by = Some(ELSEWHERE);
    })
    .await
}

fn put(lake: &std::path::Path, name: &str, content: &Value) {
    let path = lake.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content.to_string()).unwrap();
}

fn manifest(n: usize) -> Value {
    json!({"version": format!("m-{n:03}"), "feature_set": "fs-1", "schema_hash": "h",
           "parameters": {"eta": "0.1", "max_depth": 6}, "model_sha256": "0"})
}

#[tokio::test]
async fn the_newest_models_and_those_that_serve_are_listed() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    assert_eq!(shop.get("/v1/models").await.json(), json!({"models": []}));
    for n in 0..120 {
        put(lake.path(), &format!("models/m-{n:03}/manifest.json"), &manifest(n));
        let written =
            std::fs::File::open(lake.path().join(format!("models/m-{n:03}/manifest.json")));
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000 + n as u64);
        written.unwrap().set_modified(at).unwrap();
    }
    let release = json!({"feature_set": "fs-1", "model": "m-000", "schema_hash": "h"});
    put(lake.path(), "releases/current.json", &release);
    let listed = shop.get("/v1/models").await.json();
    let models = listed["models"].as_array().unwrap();
    assert_eq!(models.len(), 101, "the newest 100, and the one that serves");
    assert_eq!(
        (&models[0]["version"], &models[0]["status"]),
        (&json!("m-119"), &json!("candidate"))
    );
    assert_eq!(models[0]["parameters"], json!({"eta": "0.1", "max_depth": "6"}));
    assert_eq!(models[0]["verdict"], "Not evaluated yet.");
    let serving = models.last().unwrap();
    assert_eq!((&serving["version"], &serving["status"]), (&json!("m-000"), &json!("serving")));
}

#[tokio::test]
async fn a_host_that_shows_models_says_who_changes_them() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    put(lake.path(), "models/m-001/manifest.json", &manifest(1));
    for path in ["/v1/models/m-001/deploy", "/v1/models/rollback"] {
        let problem = shop.post(path, &json!({})).await.problem(404, "not-found");
        assert_eq!(problem["detail"], ELSEWHERE, "{path}");
    }
    for path in ["/v1/models/m-404", "/v1/models/..%2Freleases"] {
        shop.get(path).await.problem(404, "not-found");
    }
    assert_eq!(shop.get("/readyz").await.json()["operated_by"], ELSEWHERE);
    let damaged = shop.get("/v1/models/m-001").await.problem(503, "unavailable");
    let detail = damaged["detail"].as_str().unwrap();
    assert!(detail.starts_with("The models cannot be read at the moment."), "{detail}");
    put(lake.path(), "releases/current.json", &json!([]));
    shop.get("/v1/models").await.problem(503, "unavailable");
    Shop::open().await.get("/v1/models").await.problem(404, "not-found");
}
