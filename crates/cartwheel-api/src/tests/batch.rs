use serde_json::{Value, json};

use super::harness::Shop;

fn view(user: &str, id: &str) -> Value {
    json!({"user_id": user, "event_id": id, "event": "view", "product_ids": ["x"]})
}

#[tokio::test]
async fn every_event_is_validated_on_its_own() {
    let shop = Shop::open().await;
    let body = json!([
        view("u1", "e1"),
        {"user_id": "u1", "event": "view"},
        view("u2", "e1"),
        {"user_id": "u1", "event": "get_recommendations"},
        view("u1", "e1"),
        {"user_id": "u1", "event_id": "e1", "event": "view", "product_ids": ["y"]},
    ]);
    let reply = shop.post("/v1/events", &body).await;
    let answer = reply.json();
    assert_eq!(reply.status, 200, "{answer}");
    assert_eq!(answer["failed_count"], 3);
    let records = answer["records"].as_array().unwrap();
    assert_eq!(records.len(), 6);
    assert_eq!(records[0]["event_id"], "e1");
    assert!(records[0]["record_id"].is_string() && records[0].get("error").is_none());
    assert_eq!(records[1]["error"]["field"], "product_ids");
    assert!(records[2]["record_id"].is_string());
    assert_eq!(records[3]["error"]["field"], "event");
    assert_eq!(records[4]["record_id"], records[0]["record_id"]);
    assert_eq!(records[5]["error"]["type"], "urn:cartwheel:problem:event-id-reused");
    assert_eq!(shop.stored_events().await.len(), 2);
}

#[tokio::test]
async fn a_checkout_sees_the_events_before_it() {
    let shop = Shop::open().await;
    let body = json!([
        {"user_id": "u1", "event": "add_to_cart", "product_ids": ["a", "b"]},
        {"user_id": "u1", "event": "remove_from_cart", "product_ids": ["a"]},
        {"user_id": "u1", "event": "checkout"},
        {"user_id": "u1", "event": "checkout"},
    ]);
    let answer = shop.post("/v1/events", &body).await.json();
    assert_eq!(answer["failed_count"], 1, "{answer}");
    assert_eq!(answer["records"][3]["error"]["type"], "urn:cartwheel:problem:empty-cart");
    let stored = shop.stored_events().await;
    let bought: Vec<&str> = stored[2].product_ids.iter().map(|id| id.as_str()).collect();
    assert_eq!(bought, ["b"]);
}

#[tokio::test]
async fn a_single_event_returns_its_problem_as_the_response() {
    let shop = Shop::open().await;
    let answer = shop.post("/v1/events", &view("u1", "e1")).await.json();
    assert_eq!(
        (&answer["failed_count"], answer["records"].as_array().unwrap().len()),
        (&json!(0), 1)
    );
    shop.post("/v1/events", &json!({"user_id": "u1"})).await.problem(400, "invalid-field");
}

#[tokio::test]
async fn batches_are_bounded() {
    let shop = Shop::open().await;
    let most: Vec<Value> = (0..500).map(|n| view("u1", &format!("e{n}"))).collect();
    let answer = shop.post("/v1/events", &json!(most)).await.json();
    assert_eq!(
        (&answer["failed_count"], answer["records"].as_array().unwrap().len()),
        (&json!(0), 500)
    );
    let more: Vec<Value> = (0..501).map(|n| view("u2", &format!("e{n}"))).collect();
    shop.post("/v1/events", &json!(more)).await.problem(400, "invalid-field");
    let lines: String = more.iter().map(|event| format!("{event}\n")).collect();
    let reply = shop.post_as("/v1/events", "application/x-ndjson", lines).await;
    assert_eq!(reply.status, 200, "a stream has no limit");
    shop.post("/v1/events", &json!([])).await.problem(400, "invalid-field");
    let reply = shop.post_as("/v1/events", "text/csv", "a,b").await;
    reply.problem(415, "unsupported-media-type");
    assert_eq!(shop.stored_events().await.len(), 1001);
}
