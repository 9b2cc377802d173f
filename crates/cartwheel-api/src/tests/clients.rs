//! The addresses that clients of Segment, RudderStack and Google Analytics 4 call.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cartwheel_events::{EventKind, EventRecord};
use serde_json::{Value, json};

use super::harness::{Reply, Shop};
use super::streams::Faults;
use crate::{ApiKey, AppState, KeyHash, PublishableKey, Scope, Settings};

const GUEST: &str = "9b1c3d2e-77aa-4c55-8f3e-2a6b4c8d0e1f";

/// A key with both halves, as a shop's pages and server hold them.
fn web_key(state: &mut AppState) {
    state.keys.replace(vec![ApiKey {
        name: "web".into(),
        hash: KeyHash::of("secret"),
        scopes: vec![Scope::EventsWrite],
        publishable: Some(PublishableKey::new([5; 16])),
        signing: None,
    }]);
}

fn basic(key: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{key}:")))
}

/// A call as a client sends it, with its write key as the user name.
async fn call(shop: &Shop, path: &str, key: &str, body: &Value) -> Reply {
    let request = Request::post(path).header("authorization", basic(key));
    let request = request.header("content-type", "text/plain");
    shop.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn segment(kind: &str, message: &str, more: Value) -> Value {
    let mut body = json!({"messageId": message, "anonymousId": GUEST, "userId": "u1",
        "event": "Product Viewed", "properties": {"product_id": "milk"},
        "timestamp": "2023-11-03T08:28:43.456Z"});
    let fields = body.as_object_mut().unwrap();
    if !kind.is_empty() {
        fields.insert("type".to_owned(), kind.into());
    }
    fields.extend(more.as_object().unwrap().clone());
    body
}

async fn own_events(shop: &Shop) -> Vec<EventRecord> {
    let stored = shop.stored_events().await.into_iter();
    stored.filter(|event| event.tied.is_none()).collect()
}

#[tokio::test]
async fn every_address_of_segments_clients_takes_its_call() {
    let shop = Shop::with(web_key).await;
    for (address, stored) in [
        ("track", Some(EventKind::View)),
        ("t", Some(EventKind::View)),
        ("identify", Some(EventKind::Identify)),
        ("i", Some(EventKind::Identify)),
        ("alias", Some(EventKind::Identify)),
        ("a", Some(EventKind::Identify)),
        ("p", None),
        ("screen", None),
        ("s", None),
        ("group", None),
        ("g", None),
    ] {
        let before = own_events(&shop).await.len();
        let path = format!("/v1/{address}");
        let reply = call(&shop, &path, "secret", &segment("", address, json!({}))).await;
        let answer = reply.json();
        assert_eq!(reply.status, 200, "{address}: {answer}");
        assert_eq!(answer["ignored_count"], i32::from(stored.is_none()), "{address}");
        let events = own_events(&shop).await;
        assert_eq!(events[before..].iter().map(|e| e.event).next(), stored, "{address}");
    }
    for address in ["batch", "b"] {
        let batch = json!({"writeKey": "secret", "sentAt": "2023-11-03T08:28:44Z", "batch": [
            segment("track", address, json!({})),
            segment("page", "p", json!({"name": "Home"})),
            segment("track", "x", json!({"properties": {}})),
        ]});
        let reply = call(&shop, &format!("/v1/{address}"), "secret", &batch).await;
        let answer = reply.json();
        assert_eq!(reply.status, 200, "{answer}");
        assert_eq!((&answer["failed_count"], &answer["ignored_count"]), (&json!(1), &json!(1)));
        assert_eq!(answer["records"][0]["event_id"], address);
    }
    // The type in the call decides.
    call(&shop, "/v1/t", "secret", &segment("page", "late", json!({}))).await;
    assert!(own_events(&shop).await.iter().all(|event| event.event_id != "late"));
}

#[tokio::test]
async fn a_write_key_is_the_user_name_of_basic() {
    let shop = Shop::with(web_key).await;
    let body = segment("track", "m", json!({}));
    call(&shop, "/v1/batch", "guess", &body).await.problem(401, "unauthorized");
    call(&shop, "/v1/batch", "", &body).await.problem(401, "unauthorized");
    for broken in ["Basic", "Basic ", "Basic %", "Basic c2VjcmV0", "basic", "Digest secret"] {
        let request = Request::post("/v1/track").header("authorization", broken);
        let request = request.header("content-type", "application/json");
        let reply = shop.send(request.body(Body::from(body.to_string())).unwrap()).await;
        reply.problem(401, "unauthorized");
    }
    assert!(own_events(&shop).await.is_empty());
}

#[tokio::test]
async fn a_publishable_key_sends_the_guests_events_whoever_has_logged_in() {
    let shop = Shop::with(web_key).await;
    let page = PublishableKey::new([5; 16]).as_str().to_owned();
    let identify = segment("identify", "m-1", json!({}));
    let answer = call(&shop, "/v1/i", &page, &identify).await.json();
    assert_eq!(answer["ignored_count"], 1, "a page ties nobody: {answer}");
    let added = segment("track", "m-2", json!({"event": "Product Added"}));
    assert_eq!(call(&shop, "/v1/t", &page, &added).await.status, 200);
    let of = |events: Vec<EventRecord>| -> Vec<String> {
        events.iter().map(|event| event.user_id.as_str().to_owned()).collect()
    };
    let guest = format!("~{GUEST}");
    assert_eq!(of(own_events(&shop).await), [guest.as_str()]);
    // Without a guest, or with one whose id can be guessed, there is nobody to act for.
    for id in [Value::Null, json!("7")] {
        let call_of = segment("track", "m-3", json!({"anonymousId": id}));
        call(&shop, "/v1/t", &page, &call_of).await.problem(403, "other-shopper");
    }
    // The shop's server ties the guest, whose cart goes over to the user.
    assert_eq!(call(&shop, "/v1/identify", "secret", &identify).await.status, 200);
    let order = json!({"type": "track", "event": "Order Completed", "messageId": "m-4",
        "userId": "u1", "properties": {"order_id": "o-1"}});
    let answer = call(&shop, "/v1/track", "secret", &order).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let stored = own_events(&shop).await;
    let bought = stored.iter().find(|event| event.event == EventKind::Checkout).unwrap();
    assert_eq!((bought.user_id.as_str(), bought.product_ids[0].as_str()), ("u1", "milk"));
}

#[tokio::test]
async fn a_batch_that_cannot_be_stored_now_is_sent_again() {
    let shop = Shop::failing(Faults::Throttled).await;
    let batch = json!({"batch": [segment("page", "m-1", json!({})),
                                 segment("track", "m-2", json!({}))]});
    let reply = shop.post("/v1/batch", &batch).await;
    assert!(reply.status == 429 || reply.status == 503, "{}", reply.status);
    assert!(reply.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn the_measurement_protocol_takes_its_key_in_the_address() {
    let shop = Shop::with(web_key).await;
    let body = json!({"client_id": "1032476589.1699000000", "events": [
        {"name": "view_item", "params": {"items": [{"item_id": "milk"}]}},
        {"name": "page_view"}]});
    let collect = "/mp/collect?measurement_id=G-1&api_secret=";
    let send = async |path: &str| shop.post_as(path, "", body.to_string()).await;
    let answer = send(&format!("{collect}secret")).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(answer.json()["ignored_count"], 1);
    send(collect).await.problem(401, "unauthorized");
    send(&format!("{collect}guess")).await.problem(401, "unauthorized");
    // No other address takes one.
    send("/v1/events/ga4?api_secret=secret").await.problem(401, "unauthorized");
    assert_eq!(own_events(&shop).await.len(), 1);
}

#[tokio::test]
async fn segments_browser_client_learns_where_to_send() {
    let shop = Shop::with(web_key).await;
    for (host, protocol) in [
        ("127.0.0.1:8080", "http"),
        ("localhost:8080", "http"),
        ("[::1]:8080", "http"),
        ("events.shop.example", "https"),
    ] {
        let request = Request::get("/v1/projects/cwp_5/settings").header("host", host);
        let reply = shop.send(request.body(Body::empty()).unwrap()).await;
        let target = json!({"apiKey": "cwp_5", "apiHost": format!("{host}/v1"),
                            "protocol": protocol});
        assert_eq!(reply.json()["integrations"], json!({"Segment.io": target}), "{host}");
        assert_eq!(reply.json()["metrics"], json!({"sampleRate": 0}));
    }
}

#[tokio::test]
async fn a_page_of_another_site_may_send_its_key_as_authorization() {
    let shop = Shop::with(|state| {
        let origins = vec![HeaderValue::from_static("https://shop.example")];
        state.settings =
            std::sync::Arc::new(Settings { cors_origins: origins, ..Settings::default() });
    })
    .await;
    let request = Request::options("/v1/t").header("origin", "https://shop.example");
    let request = request.header("access-control-request-method", "POST");
    let request = request.header("access-control-request-headers", "authorization");
    let reply = shop.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status, 200);
    // A wildcard does not cover it.
    assert_eq!(reply.headers["access-control-allow-headers"], "authorization");
}
