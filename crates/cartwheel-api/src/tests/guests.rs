//! Guests that turn out to be users.

use serde_json::{Value, json};

use super::harness::Shop;

async fn cart(shop: &Shop, shopper: &str) -> Vec<(String, u64)> {
    let cart = shop.get(&format!("/v1/users/{shopper}/cart")).await.json();
    let items = cart["items"].as_array().unwrap().iter();
    items
        .map(|i| (i["product_id"].as_str().unwrap().into(), i["quantity"].as_u64().unwrap()))
        .collect()
}

fn owned(items: &[(&str, u64)]) -> Vec<(String, u64)> {
    items.iter().map(|&(id, quantity)| (id.to_owned(), quantity)).collect()
}

fn event(shopper: Value, kind: &str, products: &[&str]) -> Value {
    let mut event = json!({"event": kind, "product_ids": products});
    event.as_object_mut().unwrap().extend(shopper.as_object().unwrap().clone());
    event
}

async fn submit(shop: &Shop, shopper: Value, kind: &str, products: &[&str]) -> Vec<String> {
    shop.post("/submit", &event(shopper, kind, products)).await.products()
}

#[tokio::test]
async fn one_event_with_both_ids_takes_the_guests_cart_over() {
    let shop = Shop::open().await;
    let (guest, user) = (json!({"anonymous_id": "g"}), json!({"user_id": "u"}));
    let both = json!({"anonymous_id": "g", "user_id": "u"});
    submit(&shop, user, "add_to_cart", &["milk"]).await;
    submit(&shop, guest.clone(), "view", &["seen"]).await;
    submit(&shop, guest.clone(), "add_to_cart", &["tea"]).await;
    submit(&shop, guest.clone(), "add_to_cart", &["tea", "milk"]).await;
    // The answer to the event itself knows the cart.
    let products = submit(&shop, both.clone(), "view", &["x"]).await;
    assert_eq!(products[..2], ["milk", "tea"]);
    assert_eq!(cart(&shop, "u").await, owned(&[("milk", 1), ("tea", 2)]));
    assert_eq!(cart(&shop, "~g").await, []);
    let seen = shop.get("/v1/users/u/cart").await.json();
    assert_eq!(seen["viewed"][1]["product_id"], "seen");
    // What the guest does afterwards goes over with the next event of both, once.
    submit(&shop, guest, "add_to_cart", &["jam"]).await;
    assert_eq!(cart(&shop, "~g").await, owned(&[("jam", 1)]));
    let bought = submit(&shop, both, "checkout", &[]).await;
    assert_eq!(bought[0], "p1", "the carts of both are empty");
    assert_eq!(cart(&shop, "u").await, []);
    let checkout = shop.stored_events().await.into_iter().find(|e| e.event.as_str() == "checkout");
    let products = checkout.unwrap().product_ids;
    let products: Vec<_> = products.iter().map(|id| id.as_str()).collect();
    assert_eq!(products, ["milk", "tea", "jam"]);
}

#[tokio::test]
async fn a_merge_takes_purchases_over_and_is_an_event() {
    let shop = Shop::open().await;
    submit(&shop, json!({"anonymous_id": "g"}), "checkout", &["tea"]).await;
    let merge = shop.post("/v1/users/u/merge", &json!({"anonymous_id": "g"})).await.json();
    assert_eq!(merge["user_id"], "u");
    let detail = shop.get("/v1/users/u").await.json();
    assert_eq!(detail["session"]["checkouts"][0]["items"][0]["product_id"], "tea");
    let stored = shop.stored_events().await;
    let tie = stored.iter().find(|event| event.user_id.as_str() == "u").unwrap();
    assert_eq!((tie.event.as_str(), tie.anonymous_id.as_deref()), ("identify", Some("g")));
    assert_eq!(merge["event_id"], tie.event_id);
    // Again changes nothing.
    let before = shop.get("/v1/users/u").await.json();
    shop.post("/v1/users/u/merge", &json!({"anonymous_id": "g"})).await.json();
    let after = shop.get("/v1/users/u").await.json();
    assert_eq!(before["session"]["checkouts"], after["session"]["checkouts"]);
    for (path, body, field) in [
        ("/v1/users/~g/merge", json!({"anonymous_id": "h"}), "id"),
        ("/v1/users/u/merge", json!({"anonymous_id": ""}), "anonymous_id"),
        ("/v1/users/u/merge", json!({}), "anonymous_id"),
    ] {
        let problem = shop.post(path, &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{problem}");
    }
    for (body, field) in [
        (json!({"event": "identify", "user_id": "u"}), "anonymous_id"),
        (json!({"event": "identify", "anonymous_id": "g"}), "user_id"),
    ] {
        let problem = shop.post("/submit", &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{problem}");
    }
}

#[tokio::test]
async fn a_guest_tied_to_a_second_user_starts_afresh() {
    let shop = Shop::open().await;
    let guest = json!({"anonymous_id": "g"});
    let tie = |user: &str| json!({"event": "identify", "user_id": user, "anonymous_id": "g"});
    submit(&shop, guest.clone(), "add_to_cart", &["a"]).await;
    shop.post("/submit", &tie("ann")).await;
    submit(&shop, guest.clone(), "add_to_cart", &["b"]).await;
    shop.post("/submit", &tie("bob")).await;
    assert_eq!(cart(&shop, "ann").await, owned(&[("a", 1)]));
    assert_eq!((cart(&shop, "bob").await, cart(&shop, "~g").await), (vec![], vec![]));
    submit(&shop, guest, "add_to_cart", &["c"]).await;
    shop.post("/submit", &tie("bob")).await;
    assert_eq!(cart(&shop, "bob").await, owned(&[("c", 1)]));
}

#[tokio::test]
async fn ties_within_a_batch_see_the_events_before_them() {
    let shop = Shop::open().await;
    let (guest, user) = (json!({"anonymous_id": "g"}), json!({"user_id": "u"}));
    let both = json!({"user_id": "u", "anonymous_id": "g"});
    let batch = json!([
        event(guest.clone(), "add_to_cart", &["tea"]),
        event(guest, "add_to_cart", &["milk"]),
        event(both, "identify", &[]),
        event(user.clone(), "remove_from_cart", &["milk"]),
        event(user, "checkout", &[]),
    ]);
    let answer = shop.post("/v1/events", &batch).await.json();
    assert_eq!(answer["failed_count"], 0, "{answer}");
    let stored = shop.stored_events().await;
    let checkout = stored.iter().find(|event| event.event.as_str() == "checkout").unwrap();
    let products: Vec<_> = checkout.product_ids.iter().map(|id| id.as_str()).collect();
    assert_eq!(products, ["tea"]);
    assert_eq!((cart(&shop, "u").await, cart(&shop, "~g").await), (vec![], vec![]));
}

#[tokio::test]
async fn identify_and_alias_of_segment_tie_a_guest() {
    let shop = Shop::open().await;
    for (guest, call) in [
        ("g1", json!({"type": "identify", "userId": "u1", "anonymousId": "g1", "messageId": "m"})),
        ("g2", json!({"type": "alias", "userId": "u2", "previousId": "g2"})),
    ] {
        submit(&shop, json!({"anonymous_id": guest}), "add_to_cart", &["tea"]).await;
        let user = call["userId"].as_str().unwrap().to_owned();
        let answer = shop.post("/v1/events/segment", &call).await.json();
        assert!(answer["records"][0]["record_id"].is_string(), "{answer}");
        assert_eq!(cart(&shop, &user).await, owned(&[("tea", 1)]));
    }
    let ga4 = json!({"client_id": "1.2", "user_id": "u3",
        "events": [{"name": "view_item", "params": {"items": [{"item_id": "x"}]}}]});
    submit(&shop, json!({"anonymous_id": "1.2"}), "add_to_cart", &["tea"]).await;
    shop.post("/v1/events/ga4", &ga4).await.json();
    assert_eq!(cart(&shop, "u3").await, owned(&[("tea", 1)]));
}
