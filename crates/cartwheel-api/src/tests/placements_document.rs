//! The routes that show and change placements, over a registry in a directory.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use cartwheel_placements::Placements;
use cartwheel_registry::{LiveDocument, LocalRegistry};
use serde_json::{Value, json};

use super::harness::{Reply, Shop};
use crate::{ApiKey, KeyHash, PLACEMENTS, Scope};

/// A shop whose placements are stored in `lake`.
async fn shop(lake: &std::path::Path) -> Shop {
    let registry = Arc::new(LocalRegistry::new(lake));
    Shop::with(|state| {
        state.placements = Arc::new(LiveDocument::new(registry, PLACEMENTS));
        let key = |name: &str, scope| ApiKey {
            name: name.into(),
            hash: KeyHash::of(&format!("secret-{name}")),
            scopes: vec![scope],
            publishable: None,
            signing: None,
        };
        state.keys.replace(vec![key("boss", Scope::Admin), key("web", Scope::RecommendationsRead)]);
    })
    .await
}

/// A request with the key of `boss`, and its headers.
async fn ask(shop: &Shop, method: &str, path: &str, body: &Value, tag: Option<&str>) -> Reply {
    let request = Request::builder().method(method).uri(path).header("x-api-key", "secret-boss");
    let request = request.header("content-type", "application/json");
    let request = match tag {
        Some(tag) => request.header("if-match", tag),
        None => request,
    };
    shop.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn get(shop: &Shop, path: &str) -> Reply {
    ask(shop, "GET", path, &json!(null), None).await
}

async fn put(shop: &Shop, name: &str, placement: Value) -> Reply {
    ask(shop, "PUT", &format!("/v1/placements/{name}"), &placement, None).await
}

fn tag(reply: &Reply) -> &str {
    reply.headers["etag"].to_str().unwrap()
}

#[tokio::test]
async fn a_change_is_durable_and_in_effect_with_the_next_request() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    let from_the_start = get(&shop, "/v1/placements").await;
    assert_eq!(tag(&from_the_start), "\"0\"");
    let body = from_the_start.json();
    assert_eq!((&body["version"], &body["by"]), (&json!(0), &Value::Null));
    assert_eq!(body["placements"]["home"]["kind"], "for_you");

    let tea = json!({"kind": "popular", "limit": 2, "filter": "price < context.most"});
    let stored = put(&shop, "tea", tea.clone()).await;
    assert_eq!((stored.status.as_u16(), tag(&stored), stored.json()), (201, "\"1\"", tea.clone()));
    let body = json!({"user_id": "u", "context": {"most": 20}});
    let answer = ask(&shop, "POST", "/v1/placements/tea", &body, None).await.json();
    let list = answer["recommendations"].as_array().unwrap();
    assert_eq!((list.len(), &list[0]["reasons"][0]), (2, &json!("price < context.most")));
    assert_eq!(put(&shop, "tea", json!({"kind": "new"})).await.status, 200);
    assert_eq!(get(&shop, "/v1/placements/tea").await.json(), json!({"kind": "new", "limit": 10}));

    let all = get(&shop, "/v1/placements").await.json();
    assert_eq!((&all["version"], &all["by"]), (&json!(2), &json!("boss")));
    assert!(all["changed_at_ms"].as_i64().unwrap() >= super::harness::START);

    // Another process with the same registry knows it after a look.
    let registry = Arc::new(LocalRegistry::new(lake.path()));
    let other = LiveDocument::<Placements>::new(registry, PLACEMENTS);
    other.refresh().await.unwrap();
    assert!(other.current().content.placements.contains_key("tea"));

    assert_eq!(ask(&shop, "DELETE", "/v1/placements/tea", &json!({}), None).await.status, 204);
    get(&shop, "/v1/placements/tea").await.problem(404, "not-found");
    ask(&shop, "DELETE", "/v1/placements/tea", &json!({}), None).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_condition_protects_the_changes_of_others() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    let placement = json!({"kind": "new"});
    let path = "/v1/placements/tea";
    for stale in ["\"7\"", "\"x\"", "W/\"0\""] {
        let refused = ask(&shop, "PUT", path, &placement, Some(stale)).await;
        refused.problem(412, "precondition-failed");
    }
    for fitting in ["\"0\"", "*", "\"7\", \"2\""] {
        assert!(ask(&shop, "PUT", path, &placement, Some(fitting)).await.status.is_success());
    }
    ask(&shop, "DELETE", path, &json!({}), Some("\"1\"")).await.problem(412, "precondition-failed");
    let all = json!({"placements": {"only": {"kind": "new"}}});
    let refused = ask(&shop, "PUT", "/v1/placements", &all, Some("\"1\"")).await;
    refused.problem(412, "precondition-failed");
    assert_eq!(ask(&shop, "PUT", "/v1/placements", &all, Some("\"3\"")).await.status, 200);

    // What is wrong with the request itself comes first.
    let invalid = json!({"kind": "new", "limit": 0});
    let refused = ask(&shop, "PUT", path, &invalid, Some("\"1\"")).await;
    assert_eq!(refused.problem(400, "invalid-field")["field"], "limit");
    ask(&shop, "DELETE", path, &json!({}), Some("\"1\"")).await.problem(404, "not-found");

    // Another process has changed them since: the change is made after it.
    let registry = Arc::new(LocalRegistry::new(lake.path()));
    let other = LiveDocument::<Placements>::new(registry, PLACEMENTS);
    other.refresh().await.unwrap();
    let mut theirs = other.current().content.clone();
    theirs.placements.insert("theirs".to_owned(), Placements::default().placements["home"].clone());
    other.put(4, &theirs, "cli", 1).await.unwrap();
    assert_eq!(put(&shop, "mine", placement).await.status, 201);
    let names = get(&shop, "/v1/placements").await.json()["placements"].take();
    let names: Vec<&String> = names.as_object().unwrap().keys().collect();
    assert_eq!(names, ["mine", "only", "theirs"]);
}

#[tokio::test]
async fn what_is_not_valid_changes_nothing_and_names_the_field() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    for (name, placement, field) in [
        ("Tea", json!({"kind": "new"}), "name"),
        ("history", json!({"kind": "new"}), "name"),
        ("tea", json!({"kind": "knew"}), "kind"),
        ("tea", json!({"kind": "new", "colour": 1}), "colour"),
        ("tea", json!({"kind": "new", "limit": 101}), "limit"),
        ("tea", json!({"kind": "new", "fallback": ["tee"]}), "fallback[0]"),
        ("tea", json!({"kind": "new", "filter": "prise < 3"}), "filter"),
        ("cart", json!({"kind": "new"}), "kind"),
    ] {
        // The path of the history has no PUT.
        let reply = put(&shop, name, placement).await;
        if name == "history" {
            reply.problem(405, "method-not-allowed");
            continue;
        }
        assert_eq!(reply.problem(400, "invalid-field")["field"], field, "{name}");
    }
    for (method, path) in [("DELETE", "/v1/placements/%ff"), ("GET", "/v1/placements/%ff")] {
        let reply = ask(&shop, method, path, &json!({}), None).await;
        assert_eq!(reply.problem(400, "invalid-field")["field"], "name");
    }
    let circle = json!({"kind": "for_you", "fallback": ["home"]});
    let problem = put(&shop, "home", circle.clone()).await.problem(400, "invalid-field");
    assert_eq!(problem["field"], "fallback");
    let wrong = json!({"kind": "new", "filter": "price < 3 and prise = 4"});
    let problem = put(&shop, "tea", wrong).await.problem(400, "invalid-field");
    assert_eq!(problem["position"], 15, "{problem}");
    let document = json!({"placements": {"tea": {"kind": "new"}, "home": circle}});
    let problem = ask(&shop, "PUT", "/v1/placements", &document, None).await;
    assert_eq!(problem.problem(400, "invalid-field")["field"], "placements.home.fallback");
    assert_eq!(get(&shop, "/v1/placements").await.json()["version"], 0);

    // A placement that another falls back to stays.
    put(&shop, "tea", json!({"kind": "new"})).await;
    put(&shop, "home", json!({"kind": "for_you", "fallback": ["tea"]})).await;
    let refused = ask(&shop, "DELETE", "/v1/placements/tea", &json!({}), None).await;
    assert!(refused.problem(409, "conflict")["detail"].as_str().unwrap().contains("home"));

    // A request has to give the values of the filter.
    put(&shop, "tea", json!({"kind": "new", "filter": "brand = context.brand"})).await;
    let asked = json!({"user_id": "u", "context": {"bran": "x"}});
    let refused = ask(&shop, "POST", "/v1/placements/tea", &asked, None).await;
    let problem = refused.problem(400, "invalid-field");
    assert_eq!(problem["field"], "context");
    assert!(problem["detail"].as_str().unwrap().contains("context.bran?"), "{problem}");
}

#[tokio::test]
async fn earlier_versions_are_listed_and_can_be_put_back() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    let undo = |body: Value| ask_undo(&shop, body);
    undo(json!({})).await.problem(409, "conflict");
    put(&shop, "tea", json!({"kind": "new"})).await;
    put(&shop, "tea", json!({"kind": "popular"})).await;
    put(&shop, "home", json!({"kind": "popular"})).await;
    let history = get(&shop, "/v1/placements/history").await.json();
    let versions = history["versions"].as_array().unwrap();
    let summary: Vec<(&Value, &Value)> =
        versions.iter().map(|version| (&version["version"], &version["changed"])).collect();
    let expected =
        [(&json!(3), &json!(["home"])), (&json!(2), &json!(["tea"])), (&json!(1), &json!(["tea"]))];
    assert_eq!(summary, expected);
    assert_eq!(versions[0]["by"], "boss");
    let short = get(&shop, "/v1/placements/history?limit=1").await.json();
    assert_eq!(short["versions"].as_array().unwrap().len(), 1);
    assert_eq!(short["versions"][0]["changed"], json!(["home"]));

    // Back to the version before, then to a given one, then to the start.
    let back = undo(json!({})).await.json();
    assert_eq!(
        (&back["version"], &back["placements"]["home"]["kind"]),
        (&json!(4), &json!("for_you"))
    );
    let back = undo(json!({"version": 1})).await.json();
    assert_eq!(back["placements"]["tea"]["kind"], "new");
    let back = undo(json!({"version": 0})).await.json();
    assert!(back["placements"]["tea"].is_null());
    undo(json!({"version": 99})).await.problem(404, "not-found");
    let home = get(&shop, "/v1/placements/home").await;
    assert_eq!((tag(&home), &home.json()["limit"]), ("\"6\"", &json!(20)));
}

async fn ask_undo(shop: &Shop, body: Value) -> Reply {
    ask(shop, "POST", "/v1/placements/undo", &body, None).await
}

#[tokio::test]
async fn placements_are_for_admins_and_their_products_for_shoppers() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    let as_web = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("x-api-key", "secret-web");
        let request = request.header("content-type", "application/json");
        shop.send(request.body(Body::from(json!({"user_id": "u"}).to_string())).unwrap())
    };
    for (method, path) in [
        ("GET", "/v1/placements"),
        ("PUT", "/v1/placements"),
        ("GET", "/v1/placements/home"),
        ("PUT", "/v1/placements/home"),
        ("DELETE", "/v1/placements/home"),
        ("GET", "/v1/placements/history"),
        ("POST", "/v1/placements/undo"),
    ] {
        as_web(method, path).await.problem(403, "forbidden");
    }
    assert_eq!(as_web("POST", "/v1/placements/home").await.status, 200);
}

#[tokio::test]
async fn a_server_without_a_registry_answers_and_changes_nothing() {
    let shop = Shop::open().await;
    let body = json!({"kind": "new"});
    let put = Request::put("/v1/placements/tea").header("content-type", "application/json");
    let reply = shop.send(put.body(Body::from(body.to_string())).unwrap()).await;
    let detail = reply.problem(404, "not-found")["detail"].to_string();
    assert!(detail.contains("does not change them"), "{detail}");
    assert_eq!(shop.get("/v1/placements").await.json()["version"], 0);
    assert_eq!(shop.get("/v1/placements/history").await.json()["versions"], json!([]));
}

#[tokio::test]
async fn explored_places_are_marked_and_recorded_and_a_preview_has_none() {
    let lake = tempfile::tempdir().unwrap();
    let shop = shop(lake.path()).await;
    let refused = put(&shop, "home", json!({"kind": "for_you", "explore": {"slots": 11}})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["field"]), (400, &json!("explore.slots")));
    let placement = json!({"kind": "for_you", "limit": 4, "explore": {"slots": 2}});
    assert_eq!(put(&shop, "home", placement).await.status, 200);
    let asked = json!({"user_id": "u1", "limit": 3});
    let answer = ask(&shop, "POST", "/v1/placements/home", &asked, None).await.json();
    let propensities = |list: &Value| -> Vec<Value> {
        let list = list.as_array().unwrap().iter();
        list.map(|item| item["propensity"].clone()).collect()
    };
    let marked = [json!(null), json!(0.25), json!(0.25)];
    assert_eq!(propensities(&answer["recommendations"]), marked);
    let records = shop.stored(1).await;
    let [cartwheel_events::Record::Impression(shown)] = &records[..] else { panic!("{records:?}") };
    assert_eq!(answer["recommendation_id"], shown.recommendation_id.as_str());
    let recorded: Vec<Option<f64>> = shown.shown.iter().map(|item| item.propensity).collect();
    assert_eq!(recorded, [None, Some(0.25), Some(0.25)]);
    let draft = json!({"user_id": "u1", "rules": []});
    let preview = ask(&shop, "POST", "/v1/placements/home/preview", &draft, None).await.json();
    assert_eq!(propensities(&preview["before"]), vec![json!(null); 4]);
}
