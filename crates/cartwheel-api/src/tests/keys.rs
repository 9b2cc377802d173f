use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::harness::{Reply, Shop};
use crate::{ApiKey, KeyHash, Scope};

async fn ask(shop: &Shop, method: &str, path: &str, header: (&str, &str)) -> Reply {
    let body = json!({"user_id": "u", "event": "view", "product_ids": ["x"]}).to_string();
    let request = Request::builder().method(method).uri(path).header(header.0, header.1);
    let request = request.header("content-type", "application/json");
    shop.send(request.body(Body::from(body)).unwrap()).await
}

fn key(key: &str, scopes: &[Scope]) -> ApiKey {
    ApiKey { hash: KeyHash::of(key), scopes: scopes.to_vec() }
}

#[tokio::test]
async fn a_key_may_do_what_its_scopes_say() {
    let mut keys = None;
    let shop = Shop::with(|state| {
        state.keys.replace(vec![
            key("writes", &[Scope::EventsWrite]),
            key("reads", &[Scope::RecommendationsRead]),
            key("operates", &[Scope::Admin]),
        ]);
        keys = Some(state.keys.clone());
    })
    .await;
    let table = [
        ("POST", "/submit", "writes operates"),
        ("GET", "/v1/popular", "reads operates"),
        ("GET", "/v1/departments", "reads operates"),
        ("GET", "/v1/users/u/cart", "reads operates"),
        ("GET", "/v1/users/u", "operates"),
        ("GET", "/v1/users", "operates"),
        ("GET", "/metrics", "operates"),
        ("GET", "/v1/live", "operates"),
        ("GET", "/v1/models", "operates"),
        ("POST", "/v1/models/rollback", "operates"),
        ("POST", "/v1/lake/job", "operates"),
        ("GET", "/v1/quality", "operates"),
        ("POST", "/v1/pipeline/executions", "operates"),
        ("POST", "/v1/nothing", "operates"),
        ("GET", "/healthz", "writes reads operates stranger"),
        ("GET", "/", "writes reads operates stranger"),
        ("OPTIONS", "/submit", "writes reads operates stranger"),
    ];
    for (method, path, allowed) in table {
        for brought in ["writes", "reads", "operates", "stranger"] {
            let reply = ask(&shop, method, path, ("x-api-key", brought)).await;
            let refused = [401, 403].contains(&reply.status.as_u16());
            assert_eq!(!refused, allowed.contains(brought), "{brought}: {method} {path}");
            if refused {
                let kind = if brought == "stranger" { "unauthorized" } else { "forbidden" };
                reply.problem(if brought == "stranger" { 401 } else { 403 }, kind);
            }
        }
    }
    let reply = ask(&shop, "GET", "/v1/popular", ("authorization", "Bearer reads")).await;
    assert_eq!(reply.status, 200);
    let problem = shop.get("/v1/popular").await.problem(401, "unauthorized");
    assert!(problem["detail"].as_str().unwrap().contains("recommendations:read"), "{problem}");

    // A key that is revoked may do nothing from then on.
    keys.unwrap().replace(vec![key("operates", &[Scope::Admin])]);
    ask(&shop, "GET", "/v1/popular", ("x-api-key", "reads")).await.problem(401, "unauthorized");
}

#[test]
fn keys_are_written_with_their_scopes() {
    let hash = KeyHash::of("k").to_string();
    assert_eq!(hash.parse::<ApiKey>().unwrap(), key("k", &[Scope::Admin]));
    let both = key("k", &[Scope::EventsWrite, Scope::RecommendationsRead]);
    assert_eq!(format!("events:write+recommendations:read={hash}").parse(), Ok(both));
    for bad in ["", "x", &hash[1..], &format!("all={hash}"), &format!("={hash}")] {
        assert!(bad.parse::<ApiKey>().is_err(), "{bad}");
    }
}
