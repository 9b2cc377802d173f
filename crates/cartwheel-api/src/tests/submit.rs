use std::sync::Arc;

use cartwheel_sessions::{RedbSessionTable, Sessions};
use serde_json::{Value, json};

use super::harness::Shop;
use super::streams::Faults;

fn add(user: &str, event_id: &str, products: &[&str]) -> Value {
    json!({"user_id": user, "event_id": event_id, "event": "add_to_cart", "product_ids": products})
}

#[tokio::test]
async fn the_response_matches_the_documentation() {
    let shop = Shop::open().await;
    let reply = shop.post("/submit", &add("u1", "e1", &["milk"])).await;
    let body = reply.json();
    assert_eq!(reply.status, 200, "{body}");
    let mut keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "degraded",
            "event_id",
            "message",
            "model_version",
            "recommendation_id",
            "recommendations",
            "record_id",
            "shard_id"
        ]
    );
    assert_eq!(body["event_id"], "e1");
    assert_eq!(body["model_version"], "m1");
    assert_eq!(body["degraded"], false);
    let (shard, _) = body["record_id"].as_str().unwrap().split_once('-').unwrap();
    assert_eq!(body["shard_id"], format!("shardId-{:012}", shard.parse::<u32>().unwrap()));
    assert_eq!(body["recommendations"].as_array().unwrap().len(), 10);
    let first = &body["recommendations"][0];
    let mut keys: Vec<&String> = first.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        ["aisle", "department", "probability", "product_id", "product_name", "reasons"]
    );
    // The response reflects the event.
    assert_eq!(first["product_id"], "milk");
}

#[tokio::test]
async fn the_session_is_visible_to_the_next_request() {
    let shop = Shop::open().await;
    shop.post("/submit", &add("u1", "e1", &["milk"])).await;
    shop.post("/submit", &add("u1", "e2", &["bread"])).await;
    let reply = shop.get("/v1/users/u1/recommendations?limit=3").await;
    assert_eq!(reply.products(), ["milk", "bread", "p1"]);
    let reply = shop.get("/v1/users/u2/recommendations?limit=1").await;
    assert_eq!(reply.products(), ["p1"]);
}

#[tokio::test]
async fn an_event_without_an_id_gets_one() {
    let shop = Shop::open().await;
    let body = json!({"user_id": 7, "event": "view", "product_ids": [1]});
    let first = shop.post("/submit", &body).await.json();
    let second = shop.post("/submit", &body).await.json();
    assert!(first["event_id"].as_str().unwrap().starts_with("id-"));
    assert_ne!(first["event_id"], second["event_id"]);
    assert_ne!(first["record_id"], second["record_id"]);
}

#[tokio::test]
async fn a_repeat_is_stored_once() {
    let shop = Shop::open().await;
    let first = shop.post("/submit", &add("u1", "e1", &["milk"])).await.json();
    shop.post("/submit", &add("u1", "e2", &["bread"])).await;
    let again = shop.post("/submit", &add("u1", "e1", &["milk"])).await;
    // The recommendations are current: they reflect the bread added since.
    assert_eq!(again.products()[..2], ["milk", "bread"]);
    let again = again.json();
    assert_eq!(again["record_id"], first["record_id"]);
    assert_eq!(again["shard_id"], first["shard_id"]);
    assert_ne!(again["recommendation_id"], first["recommendation_id"]);
    assert_eq!(shop.stored_events().await.len(), 2);

    let reply = shop.post("/submit", &add("u1", "e1", &["eggs"])).await;
    assert_eq!(reply.problem(422, "event-id-reused")["field"], "event_id");
    // Another shopper may use the same id.
    let other = shop.post("/submit", &add("u2", "e1", &["eggs"])).await;
    assert_eq!(other.status, 200);
    assert_eq!(shop.stored_events().await.len(), 3);
}

#[tokio::test]
async fn concurrent_repeats_are_stored_once() {
    let shop = Shop::open().await;
    let body = add("u1", "e1", &["milk"]);
    let replies = futures::future::join_all((0..20).map(|_| shop.post("/submit", &body))).await;
    let ids: std::collections::BTreeSet<String> =
        replies.iter().map(|reply| reply.json()["record_id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(shop.stored_events().await.len(), 1);
}

#[tokio::test]
async fn an_event_is_stored_even_if_the_client_disconnects() {
    let shop = Shop::open().await;
    let body = add("u1", "e1", &["milk"]);
    {
        let mut request = Box::pin(shop.post("/submit", &body));
        // One poll starts the request; then the client disconnects.
        assert!(futures::poll!(&mut request).is_pending());
    }
    assert_eq!(shop.stored(1).await.len(), 1);
    shop.post("/submit", &add("u1", "e2", &["bread"])).await;
    let reply = shop.get("/v1/users/u1/recommendations?limit=3").await;
    assert_eq!(reply.products(), ["milk", "bread", "p1"]);
}

#[tokio::test]
async fn a_checkout_without_products_buys_the_cart() {
    let shop = Shop::open().await;
    let checkout = json!({"user_id": "u1", "event_id": "c1", "event": "checkout"});
    let reply = shop.post("/submit", &checkout).await;
    assert_eq!(reply.problem(422, "empty-cart")["field"], "product_ids");
    assert!(shop.stored_events().await.is_empty());

    let items = json!([{"product_id": "milk", "quantity": 3}, {"product_id": "bread"}]);
    shop.post("/submit", &json!({"user_id": "u1", "event": "add_to_cart", "items": items})).await;
    let first = shop.post("/submit", &checkout).await;
    // The cart is empty afterwards.
    assert_eq!(first.products()[0], "p1");
    let stored = shop.stored_events().await;
    let record = stored.last().unwrap();
    assert_eq!(record.event_id, "c1");
    let products: Vec<&str> = record.product_ids.iter().map(|id| id.as_str()).collect();
    assert_eq!((products, &record.quantities), (vec!["milk", "bread"], &vec![3, 1]));

    // The same checkout is a repeat, although the cart is now empty.
    let again = shop.post("/submit", &checkout).await;
    assert_eq!(again.json()["record_id"], first.json()["record_id"]);
    assert_eq!(shop.stored_events().await.len(), 2);
}

#[tokio::test]
async fn get_recommendations_stores_no_event() {
    let shop = Shop::open().await;
    shop.post("/submit", &add("u1", "e1", &["milk"])).await;
    let body = json!({"user_id": "u1", "event": "get_recommendations"});
    let reply = shop.post("/submit", &body).await;
    assert_eq!(reply.products()[0], "milk");
    assert!(reply.json()["record_id"].is_null());
    assert_eq!(shop.stored_events().await.len(), 1);
}

#[tokio::test]
async fn each_error_in_the_body_is_a_problem() {
    let shop = Shop::open().await;
    let reply = shop.post_as("/submit", "application/json", "{\"user_id\": ").await;
    reply.problem(400, "malformed-json");
    let reply = shop.post_as("/submit", "application/json", "{} {}").await;
    reply.problem(400, "malformed-json");
    let reply = shop.post_as("/submit", "text/plain", "{}").await;
    assert_eq!(reply.problem(415, "unsupported-media-type")["expected"], "application/json");
    let reply = shop.post_as("/submit", "application/json", vec![b' '; (1 << 20) + 1]).await;
    assert_eq!(reply.problem(413, "payload-too-large")["expected"], "at most 1048576 bytes");
    for (body, field) in [
        (json!([]), ""),
        (json!({"event": "view"}), "user_id"),
        (json!({"user_id": "u", "event": "buy"}), "event"),
        (json!({"user_id": "u", "event": "view", "product_ids": ["x"], "admin": 1}), "admin"),
        (
            json!({"user_id": "u", "event": "view", "items": [{"product_id": "x", "quantity": 0}]}),
            "items[0].quantity",
        ),
    ] {
        let problem = shop.post("/submit", &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{body}");
        assert!(problem["expected"].is_string());
    }
    assert!(shop.stored_events().await.is_empty());
}

#[tokio::test]
async fn a_body_without_a_length_is_bounded_too() {
    let shop = Shop::open().await;
    let chunks = (0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 20_000]));
    let body = axum::body::Body::from_stream(futures::stream::iter(chunks));
    let reply = shop.post_as("/submit", "application/json", body).await;
    reply.problem(413, "payload-too-large");
}

#[tokio::test]
async fn a_full_or_stopped_stream_asks_the_client_to_retry() {
    for (faults, status, name) in [
        (Faults::Throttled, 429, "throttled"),
        (Faults::Stopped, 503, "unavailable"),
        (Faults::Failed, 503, "unavailable"),
        (Faults::TooLarge, 413, "payload-too-large"),
    ] {
        let shop = Shop::failing(faults).await;
        let reply = shop.post("/submit", &add("u1", "e1", &["milk"])).await;
        reply.problem(status, name);
        assert_eq!(reply.headers.contains_key("retry-after"), status != 413);
        // An event that is not stored does not change the session.
        let reply = shop.get("/v1/users/u1/recommendations?limit=1").await;
        assert_eq!(reply.products(), ["p1"]);
        let now = 1_700_000_000_000;
        let user = cartwheel_events::UserId::new("u1").unwrap();
        assert!(shop.sessions.session(&user, now).unwrap().is_none());
    }
}

#[tokio::test]
async fn no_event_is_accepted_before_the_sessions_catch_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbSessionTable::new(folder.path().join("starting.redb"));
    let sessions = Arc::new(Sessions::new(Arc::new(store), 1000));
    let starting = Arc::clone(&sessions);
    let shop = Shop::with(|state| state.users = starting).await;
    let reply = shop.post("/submit", &add("u1", "e1", &["milk"])).await;
    reply.problem(503, "unavailable");
    assert_eq!(shop.get("/readyz").await.status, 503);
    assert_eq!(shop.get("/healthz").await.status, 200);
    sessions.set_caught_up();
    assert_eq!(shop.get("/readyz").await.json()["engine"]["release"], "r1");
    assert_eq!(shop.post("/submit", &add("u1", "e1", &["milk"])).await.status, 200);
}
