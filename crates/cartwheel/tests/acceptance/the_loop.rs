//! The loop through the real binary: an event changes the next answer, reaches the
//! lake once, and becomes a feature.

use std::time::{Duration, Instant};

use crate::shop::{Server, cartwheel, delivered, ids, shop, wait_for_delivery};
use serde_json::{Value, json};

#[test]
fn an_event_changes_the_next_answer_and_is_in_the_lake_once() {
    let data = shop();
    let server = Server::start(data.path());
    let (_, users) = server.get("/v1/users?limit=1").unwrap();
    let user = users["users"][0]["user_id"].as_str().unwrap().to_owned();
    let ask = json!({"user_id": user, "event": "get_recommendations"});
    let before = ids(&server.submit(&ask));
    assert_eq!(before.len(), 10);
    let add = json!({"user_id": user, "event": "add_to_cart", "product_ids": [before[0]],
                     "event_id": "first"});
    let after = server.submit(&add);
    assert!(!ids(&after).contains(&before[0]), "what is in the cart is not recommended");
    assert_ne!(ids(&after), before);
    let again = server.submit(&add);
    assert_eq!(again["record_id"], after["record_id"], "the same event is stored once");
    wait_for_delivery(data.path(), 1);
    server.stop();

    let server = Server::start(data.path());
    assert!(!ids(&server.submit(&ask)).contains(&before[0]), "the cart outlives a restart");
    let again = server.submit(&add);
    assert_eq!(again["record_id"], after["record_id"], "and so does the event id");
    server.stop();
    assert_eq!(delivered(data.path(), "event_id"), ["first"]);
}

#[test]
fn a_checkout_is_an_order_for_the_next_features_and_a_new_model_is_picked_up() {
    let data = shop();
    let orders = |text: String| -> u64 {
        let manifest: Value = serde_json::from_str(&text).unwrap();
        manifest["orders"].as_u64().unwrap()
    };
    let before = orders(cartwheel(data.path(), &["--json", "features"]).unwrap());
    let server = Server::start(data.path());
    let add = json!({"user_id": "newcomer", "event": "add_to_cart", "product_ids": ["1", "2"]});
    assert_eq!(ids(&server.submit(&add)).len(), 10, "a user never seen gets a list");
    let checkout = json!({"user_id": "newcomer", "event": "checkout"});
    server.submit(&checkout);
    let (status, problem) = server.post("/submit", &checkout).unwrap();
    assert_eq!((status, problem["field"].as_str()), (422, Some("product_ids")), "{problem}");
    wait_for_delivery(data.path(), 2);

    let after = orders(cartwheel(data.path(), &["--json", "features"]).unwrap());
    assert_eq!(after, before + 1);
    let trained = cartwheel(data.path(), &["--json", "train"]).unwrap();
    let trained: Value = serde_json::from_str(&trained).unwrap();
    let start = Instant::now();
    loop {
        let (_, ready) = server.get("/readyz").unwrap();
        if ready["engine"]["model_version"] == trained["model"] {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "the new model does not serve");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (_, answer) = server
        .post("/v1/recommendations", &json!({"user_id": "newcomer", "explain": true, "limit": 1}))
        .unwrap();
    let shown = &answer["recommendations"][0];
    let features = shown["explanation"]["features"].as_array().unwrap();
    let orders = features.iter().find(|f| f["name"] == "user_orders").unwrap();
    assert_eq!(
        orders["value"], 1.0,
        "the checkout is counted once: in the record, not in the session"
    );
    // The contributions of the features sum to the probability.
    let added = |f: &Value| f["contribution"].as_f64().unwrap();
    let sum: f64 = features.iter().map(added).sum();
    let log_odds = shown["explanation"]["base"].as_f64().unwrap() + sum;
    let probability = shown["probability"].as_f64().unwrap();
    assert!((1.0 / (1.0 + (-log_odds).exp()) - probability).abs() < 1e-4, "{shown}");

    // The console shows that the checkout is in the features and in the new model.
    let live = server.first_event("/v1/live");
    let events = live["events"].as_array().unwrap();
    let seen = events.iter().find(|event| event["event"] == "checkout").unwrap();
    assert_eq!((&seen["stage"], &seen["model_version"]), (&json!("in_model"), &trained["model"]));
    assert!(seen["file"].as_str().unwrap().starts_with("events/year="), "{seen}");
    let added = events.iter().find(|event| event["event"] == "add_to_cart").unwrap();
    assert_eq!(added["stage"], "delivered", "only checkouts become features");
    assert!(live["delivery"]["files"].as_u64() > Some(0), "{live}");
    server.stop();
}
