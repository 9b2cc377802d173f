//! `POST /v1/beacon`: events of a page that goes away.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use cartwheel_ambient::Clock;
use cartwheel_events::UserId;
use serde_json::{Value, json};

use super::harness::{Reply, START, Shop};
use crate::{ApiKey, AppState, Claims, KeyHash, PublishableKey, Scope, Settings, SigningSecret};

const GUEST: &str = "9b1c3d2e-77aa-4c55-8f3e-2a6b4c8d0e1f";
const SHOP: &str = "https://shop.example";
const PLAIN: &str = "text/plain;charset=UTF-8";

fn keyed(state: &mut AppState) {
    state.clock = Clock::fixed(START);
    let settings =
        Settings { cors_origins: vec![HeaderValue::from_static(SHOP)], ..Settings::default() };
    state.settings = Arc::new(settings);
    state.keys.replace(vec![ApiKey {
        name: "web".into(),
        hash: KeyHash::of("secret"),
        scopes: vec![Scope::EventsWrite],
        publishable: Some(PublishableKey::new([5; 16])),
        signing: Some(SigningSecret::new([7; 32])),
    }]);
}

fn publishable() -> String {
    PublishableKey::new([5; 16]).as_str().to_owned()
}

fn token(sub: &str) -> String {
    let sub = UserId::new(sub).unwrap();
    let claims = Claims { sub, exp: START / 1000 + 60, scope: "events:write".into() };
    claims.sign(&SigningSecret::new([7; 32]))
}

fn view(shopper: &str, id: &str) -> Value {
    json!({shopper: id, "event": "view", "product_ids": ["x"], "event_id": "e1"})
}

async fn send(shop: &Shop, origin: &str, site: &str, media: &str, body: &Value) -> Reply {
    let request = Request::post("/v1/beacon").header("host", "api.example:8080");
    let request = request.header("origin", origin).header("sec-fetch-site", site);
    let request = request.header("content-type", media);
    shop.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_beacon_brings_its_key_in_the_body() {
    let shop = Shop::with(keyed).await;
    let guest = json!({"key": publishable(), "events": [view("anonymous_id", GUEST)]});
    let user = json!({"key": token("u"), "events": [view("user_id", "u")]});
    for body in [&guest, &guest, &user] {
        let answer = send(&shop, SHOP, "cross-site", PLAIN, body).await.json();
        assert_eq!(answer["failed_count"], 0, "{answer}");
    }
    let json = send(&shop, SHOP, "cross-site", "application/json", &user).await;
    assert_eq!(json.status, 200);
    // The page of the same host, which cors_origins does not list.
    let own = send(&shop, "http://api.example:8080", "same-origin", PLAIN, &guest).await;
    assert_eq!(own.status, 200);
    let stored = shop.stored_events().await;
    assert_eq!(stored.len(), 2, "an event that is sent again is stored once");

    // For somebody else, nothing is stored.
    for (key, event) in [
        (publishable(), view("user_id", "u")),
        (publishable(), view("anonymous_id", "7")),
        (token("u"), view("user_id", "v")),
    ] {
        let body = json!({"key": key, "events": [event]});
        let answer = send(&shop, SHOP, "cross-site", PLAIN, &body).await.json();
        let kind = &answer["records"][0]["error"]["type"];
        assert_eq!(kind, "urn:cartwheel:problem:other-shopper", "{answer}");
    }
    assert_eq!(shop.stored_events().await.len(), 2);
}

#[tokio::test]
async fn a_beacon_that_is_not_allowed_stores_nothing() {
    let shop = Shop::with(keyed).await;
    let events = json!([view("anonymous_id", GUEST)]);
    let with = |key: &str| json!({"key": key, "events": events});
    let refused = async |body: &Value, status: u16, kind: &str| {
        send(&shop, SHOP, "cross-site", PLAIN, body).await.problem(status, kind)
    };
    let problem = refused(&json!({"events": events}), 401, "unauthorized").await;
    assert!(problem["detail"].as_str().unwrap().contains("key in the body"), "{problem}");
    refused(&with("cwp_00000000000000000000000000000000"), 401, "unauthorized").await;
    refused(&with("v1.e30.e30"), 401, "invalid-token").await;
    // A secret key never belongs into a page.
    assert_eq!(refused(&with("secret"), 400, "invalid-field").await["field"], "key");
    refused(&with(&format!("v1.{}", "a".repeat(2000))), 400, "invalid-field").await;
    let none = json!({"key": publishable(), "events": []});
    assert_eq!(refused(&none, 400, "invalid-field").await["field"], "events");
    let other = json!({"key": publishable(), "events": events, "more": 1});
    refused(&other, 400, "invalid-field").await;

    let good = with(&publishable());
    for site in ["https://evil.example", "null"] {
        send(&shop, site, "cross-site", PLAIN, &good).await.problem(403, "foreign-site");
    }
    for media in ["application/x-www-form-urlencoded", "text/html", ""] {
        let reply = send(&shop, SHOP, "cross-site", media, &good).await;
        reply.problem(415, "unsupported-media-type");
    }
    assert_eq!(shop.stored_events().await.len(), 0);
}

#[tokio::test]
async fn guessing_keys_by_beacons_is_slowed_down() {
    let shop = Shop::with(keyed).await;
    let mut last = 0;
    for guess in 0..31 {
        let key = format!("cwp_{guess:032x}");
        let body = json!({"key": key, "events": [view("anonymous_id", GUEST)]});
        let mut request = Request::post("/v1/beacon").header("content-type", "application/json");
        let peer = crate::http::peer::Peer("192.0.2.1".parse().unwrap());
        request.extensions_mut().unwrap().insert(peer);
        let reply = shop.send(request.body(Body::from(body.to_string())).unwrap()).await;
        last = reply.status.as_u16();
        assert!(last == 401 || guess == 30, "{guess}: {last}");
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn without_keys_a_beacon_needs_none() {
    let shop = Shop::open().await;
    let body = json!({"events": [view("user_id", "u")]});
    assert_eq!(shop.post("/v1/beacon", &body).await.json()["failed_count"], 0);
    assert_eq!(shop.stored_events().await.len(), 1);
}
