use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::harness::{Reply, Shop};
use crate::access::scope::Access;
use crate::http::peer::Peer;
use crate::router::routes;
use crate::{ApiKey, AppState, KeyHash, PublishableKey, Scope, Settings, SigningSecret};

async fn ask(shop: &Shop, method: &str, path: &str, header: (&str, &str)) -> Reply {
    shop.send(asking(method, path, header)).await
}

fn asking(method: &str, path: &str, header: (&str, &str)) -> Request<Body> {
    let body = json!({"user_id": "u", "event": "view", "product_ids": ["x"]}).to_string();
    let request = Request::builder().method(method).uri(path).header(header.0, header.1);
    request.header("content-type", "application/json").body(Body::from(body)).unwrap()
}

/// Sends a request from a client address.
async fn ask_from(shop: &Shop, address: &str, key: &str) -> Reply {
    let mut request = asking("GET", "/v1/popular", ("x-api-key", key));
    request.extensions_mut().insert(Peer(address.parse().unwrap()));
    shop.send(request).await
}

fn key(key: &str, scopes: &[Scope]) -> ApiKey {
    ApiKey {
        name: key.into(),
        hash: KeyHash::of(key),
        scopes: scopes.to_vec(),
        publishable: None,
        signing: None,
    }
}

/// Adds one key per scope, each named after its scope.
fn one_key_a_scope(state: &mut AppState) {
    state.keys.replace(vec![
        key("writes", &[Scope::EventsWrite]),
        key("reads", &[Scope::RecommendationsRead]),
        key("keeps", &[Scope::CatalogueWrite]),
        key("operates", &[Scope::Admin]),
    ]);
}

#[tokio::test]
async fn the_hosts_own_key_stays_beside_those_of_the_shop() {
    let mut keys = None;
    let shop = Shop::with(|state| {
        state.keys.set_own(key("own", &[Scope::RecommendationsRead]));
        keys = Some(state.keys.clone());
    })
    .await;
    let status =
        async |name| ask(&shop, "GET", "/v1/popular", ("x-api-key", name)).await.status.as_u16();
    assert_eq!(status("").await, 200, "it does not lock anybody out");
    keys.unwrap().replace(vec![key("operates", &[Scope::Admin])]);
    assert_eq!((status("").await, status("own").await, status("operates").await), (401, 200, 200));
    ask(&shop, "GET", "/v1/imports", ("x-api-key", "own")).await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_key_grants_its_scopes_only() {
    let mut keys = None;
    let shop = Shop::with(|state| {
        one_key_a_scope(state);
        keys = Some(state.keys.clone());
    })
    .await;
    let table = [
        ("POST", "/submit", "writes operates"),
        ("POST", "/v1/events/ga4", "writes operates"),
        ("POST", "/v1/events/segment", "writes operates"),
        ("GET", "/v1/popular", "reads operates"),
        ("GET", "/v1/products/p1", "reads operates"),
        ("GET", "/v1/catalogue/products", "keeps operates"),
        ("GET", "/v1/catalogue/unknown", "keeps operates"),
        ("POST", "/v1/products", "keeps operates"),
        ("PUT", "/v1/products/p1", "keeps operates"),
        ("PATCH", "/v1/products/p1", "keeps operates"),
        ("DELETE", "/v1/products/p1", "keeps operates"),
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
        ("GET", "/v1/quality/products", "operates"),
        ("GET", "/v1/quality/products/p1", "operates"),
        ("GET", "/v1/search", "reads operates"),
        ("GET", "/v1/search/queries", "operates"),
        ("GET", "/v1/synonyms", "operates"),
        ("POST", "/v1/pipeline/executions", "operates"),
        ("POST", "/v1/nothing", "operates"),
        ("GET", "/healthz", "writes reads keeps operates stranger"),
        ("GET", "/", "writes reads keeps operates stranger"),
        ("OPTIONS", "/submit", "writes reads keeps operates stranger"),
    ];
    for (method, path, allowed) in table {
        for brought in ["writes", "reads", "keeps", "operates", "stranger"] {
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

    // A revoked key grants nothing.
    keys.unwrap().replace(vec![key("operates", &[Scope::Admin])]);
    ask(&shop, "GET", "/v1/popular", ("x-api-key", "reads")).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn without_a_key_left_nobody_is_admitted_until_keys_are_disabled() {
    let mut keys = None;
    let shop = Shop::with(|state| keys = Some(state.keys.clone())).await;
    let keys = keys.unwrap();
    assert_eq!(shop.get("/v1/users").await.status, 200);
    keys.replace(vec![key("operates", &[Scope::Admin])]);
    keys.replace(Vec::new());
    shop.get("/v1/users").await.problem(401, "unauthorized");
    ask(&shop, "GET", "/v1/users", ("x-api-key", "operates")).await.problem(401, "unauthorized");
    assert_eq!(shop.get("/healthz").await.status, 200);
    keys.disable();
    assert_eq!(shop.get("/v1/users").await.status, 200);
    keys.require();
    shop.get("/v1/users").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn readiness_tells_strangers_no_counts() {
    let shop = Shop::with(one_key_a_scope).await;
    for brought in ["", "stranger", "writes", "reads", "keeps"] {
        let body = ask(&shop, "GET", "/readyz", ("x-api-key", brought)).await.json();
        assert_eq!(body, json!({"ready": true, "degraded": false}), "{brought}");
    }
    let body = ask(&shop, "GET", "/readyz", ("x-api-key", "operates")).await.json();
    assert_eq!((&body["engine"]["release"], &body["stream"]), (&json!("r1"), &json!("ready")));
    assert_eq!(Shop::open().await.get("/readyz").await.json(), body);
    // An open route is no place for guesses.
    let guess = async || {
        let mut request = asking("GET", "/readyz", ("x-api-key", "guess"));
        request.extensions_mut().insert(Peer("192.0.2.7".parse().unwrap()));
        shop.send(request).await.status.as_u16()
    };
    for _ in 0..30 {
        assert_eq!(guess().await, 200);
    }
    assert_eq!(guess().await, 429);
}

/// Tries every route of the OpenAPI document with every kind of key. The document also names
/// the scopes; another test compares it with the file in the repository.
#[tokio::test]
async fn every_route_requires_its_scope() {
    let shop = Shop::with(one_key_a_scope).await;
    let document = shop.get("/openapi.json").await.json();
    let access = routes().access;
    let mut tried = 0;
    for (template, item) in document["paths"].as_object().unwrap() {
        let path = template.replace("{id}", "p1").replace("{name}", "x").replace("{version}", "x");
        assert!(!path.contains('{'), "{template} has a name that this test does not know");
        for method in item.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let scope = match access.needed(&method.parse().unwrap(), Some(template)) {
                Access::Open => None,
                Access::Needs(scope, _) => Some(scope),
            };
            for (brought, held) in [
                ("", None),
                ("stranger", None),
                ("writes", Some(Scope::EventsWrite)),
                ("reads", Some(Scope::RecommendationsRead)),
                ("keeps", Some(Scope::CatalogueWrite)),
                ("operates", Some(Scope::Admin)),
            ] {
                let reply = ask(&shop, &method, &path, ("x-api-key", brought)).await;
                let status = reply.status.as_u16();
                let what = format!("{method} {path} with {brought:?}: {status}");
                tried += 1;
                match (scope, held) {
                    (Some(_), None) => {
                        assert_eq!(status, 401, "{what}");
                        reply.problem(401, "unauthorized");
                        assert!(reply.headers.contains_key("www-authenticate"), "{what}");
                    }
                    (Some(scope), Some(held)) if held != scope && held != Scope::Admin => {
                        assert_eq!(status, 403, "{what}");
                        reply.problem(403, "forbidden");
                    }
                    // 404 because the shop has no pipeline, 422 for an empty cart.
                    _ => assert!(![401, 403].contains(&status) && status < 500, "{what}"),
                }
            }
        }
    }
    assert!(tried >= 38 * 6, "{tried}");
}

#[tokio::test]
async fn a_key_over_its_rate_limit_gets_retry_after() {
    let shop = Shop::with(|state| {
        one_key_a_scope(state);
        state.limit(&Settings { rate_per_key: 2, ..Settings::default() });
    })
    .await;
    let popular = |key| ask(&shop, "GET", "/v1/popular", ("x-api-key", key));
    for _ in 0..4 {
        assert_eq!(popular("reads").await.status, 200);
    }
    let refused = popular("reads").await;
    refused.problem(429, "throttled");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(popular("operates").await.status, 200, "another key has its own");
    assert_eq!(shop.get("/healthz").await.status, 200, "nobody needs a key for it");
}

#[tokio::test]
async fn an_address_over_its_rate_limit_is_refused_with_any_key() {
    let shop = Shop::with(|state| {
        one_key_a_scope(state);
        state.limit(&Settings { rate_per_address: 3, ..Settings::default() });
    })
    .await;
    for key in ["reads", "operates", "", "stranger", "reads", "operates"] {
        assert_ne!(ask_from(&shop, "2001:db8::1", key).await.status, 429);
    }
    ask_from(&shop, "2001:db8::abcd", "operates").await.problem(429, "throttled");
    assert_eq!(ask_from(&shop, "2001:db8:0:1::1", "reads").await.status, 200);
    for _ in 0..50 {
        assert_eq!(ask_from(&shop, "127.0.0.1", "reads").await.status, 200);
    }
}

#[tokio::test]
async fn guessing_keys_is_slowed_down_without_locking_out_valid_keys() {
    let shop = Shop::with(one_key_a_scope).await;
    let (mut unknown, mut slowed) = (0, 0);
    for guess in 0..200 {
        let reply = ask_from(&shop, "192.0.2.7", &format!("guess-{guess}")).await;
        match reply.status.as_u16() {
            401 => unknown += 1,
            429 => {
                // About two seconds: 30 per minute.
                let wait: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=2).contains(&wait), "{wait}");
                slowed += 1;
            }
            status => panic!("{status}"),
        }
    }
    assert!((30..40).contains(&unknown) && unknown + slowed == 200, "{unknown} {slowed}");
    assert_eq!(ask_from(&shop, "192.0.2.7", "reads").await.status, 200);
    assert_eq!(ask_from(&shop, "192.0.2.8", "guess").await.status, 401, "others are not slowed");
}

#[tokio::test]
async fn admin_fields_in_bodies_are_refused() {
    let shop = Shop::with(one_key_a_scope).await;
    let event = json!({"user_id": "u", "event": "view", "product_ids": ["x"]});
    for (field, value) in [
        ("received_at_ms", json!(1)),
        ("scope", json!("admin")),
        ("record_id", json!("0-0")),
        ("schema_version", json!(9)),
    ] {
        let mut event = event.clone();
        event[field] = value;
        for path in ["/submit", "/v1/events"] {
            let request = Request::post(path).header("x-api-key", "writes");
            let request = request.header("content-type", "application/json");
            let reply = shop.send(request.body(Body::from(event.to_string())).unwrap()).await;
            let problem = reply.problem(400, "invalid-field");
            assert_eq!(problem["field"], field);
        }
    }
    for body in [json!({"user_id": "u", "release": "r0"}), json!({"user_id": "u", "admin": true})] {
        let request = Request::post("/v1/recommendations").header("x-api-key", "reads");
        let request = request.header("content-type", "application/json");
        let reply = shop.send(request.body(Body::from(body.to_string())).unwrap()).await;
        reply.problem(400, "invalid-field");
    }
    assert!(shop.stored_events().await.is_empty());
}

#[test]
fn keys_are_written_with_their_scopes() {
    let hash = KeyHash::of("k").to_string();
    let nameless: ApiKey = hash.parse().unwrap();
    assert_eq!(
        (&*nameless.name, &nameless.scopes[..]),
        (&*format!("key-{}", &hash[..8]), &[Scope::Admin][..])
    );
    let both = key("k", &[Scope::EventsWrite, Scope::RecommendationsRead]);
    assert_eq!(format!("k@events:write+recommendations:read={hash}").parse(), Ok(both.clone()));
    let (publishable, signing) = (PublishableKey::new([1; 16]), SigningSecret::new([2; 32]));
    let text = format!(
        "k@events:write+recommendations:read={hash};publishable={};signing={}",
        publishable.as_str(),
        signing.expose()
    );
    let web = ApiKey { publishable: Some(publishable), signing: Some(signing), ..both };
    assert_eq!(text.parse(), Ok(web));
    for bad in [
        "",
        "x",
        &hash[1..],
        &format!("all={hash}"),
        &format!("={hash}"),
        &format!("a b@admin={hash}"),
        &format!("@admin={hash}"),
        &format!("{hash};publishable=cw_00"),
        &format!("{hash};signing=00"),
        &format!("{hash};other=1"),
    ] {
        assert!(bad.parse::<ApiKey>().is_err(), "{bad}");
    }
}
