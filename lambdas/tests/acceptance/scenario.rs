//! The scenario, independent of the backend.

mod catalogue;
mod erasure;
mod placements;

use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{Shop, products, ranks};

/// Attempts until something that follows in the background has to have happened.
const ATTEMPTS: usize = 300;
/// The pause between two of them.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs the scenario and returns every list of recommendations.
pub async fn play(shop: &mut impl Shop) -> Vec<Value> {
    shop.publish().await;
    let mut shown = shopping(shop).await;
    shown.extend(catalogue::changes(shop).await);
    shown.extend(placements::change(shop).await);
    shown.extend(erasure::erases(shop).await);
    shown
}

/// Shoppers fill carts and buy.
async fn shopping(shop: &mut impl Shop) -> Vec<Value> {
    let [user, other] = shop.learned().users.clone();
    let mut shown = Vec::new();
    let popular = shop.call("GET", "/v1/popular?limit=3", None).await.1;
    let product =
        |n: usize| popular["recommendations"][n]["product_id"].as_str().unwrap().to_owned();

    // The answer to an event takes it into account.
    let add = json!({"user_id": user, "event": "add_to_cart", "product_ids": [product(0)],
                     "event_id": "add-1"});
    let (status, first) = shop.call("POST", "/submit", Some(add.clone())).await;
    assert_eq!((status, first["degraded"].clone()), (200, json!(false)), "{first}");
    assert_eq!(first["model_version"], shop.learned().model.as_str());
    assert_eq!(products(&first).len(), 10);
    assert!(!products(&first).contains(&product(0)), "it is in the cart");
    shown.push(ranks(&first));
    shop.catch_up().await;

    // So does the next request, with or without an event.
    let path = format!("/v1/users/{user}/recommendations");
    let (status, answer) = shop.call("GET", &path, None).await;
    assert_eq!((status, ranks(&answer)), (200, ranks(&first)), "the session has the cart");
    let (_, bare) =
        shop.call("POST", "/v1/recommendations", Some(json!({"user_id": user, "cart": []}))).await;
    assert_ne!(ranks(&bare), ranks(&first), "the cart matters");
    shown.push(ranks(&bare));

    // A repeated event is stored once; with another body it is rejected.
    let (status, again) = shop.call("POST", "/submit", Some(add)).await;
    assert_eq!((status, &again["record_id"]), (200, &first["record_id"]));
    assert_eq!(again["message"], "The event was stored before.");
    let other_body = json!({"user_id": user, "event": "view", "product_ids": [product(1)],
                            "event_id": "add-1"});
    assert_eq!(shop.call("POST", "/submit", Some(other_body)).await.0, 422);

    // A batch, then a checkout of the cart.
    let batch = json!([
        {"user_id": user, "event": "add_to_cart", "product_ids": [product(1)]},
        {"user_id": "stranger", "event": "view", "product_ids": [product(2)]},
        {"user_id": user, "event": "nonsense"},
        {"user_id": user, "event": "remove_from_cart", "product_ids": [product(0)]},
    ]);
    let (status, answer) = shop.call("POST", "/v1/events", Some(batch)).await;
    assert_eq!((status, answer["failed_count"].clone()), (200, json!(1)), "{answer}");
    shop.catch_up().await;
    let (_, explained) = shop.call("GET", &format!("{path}?explain=true"), None).await;
    shown.push(ranks(&explained));
    let checkout = json!({"user_id": user, "event": "checkout"});
    let (status, bought) = shop.call("POST", "/submit", Some(checkout.clone())).await;
    assert_eq!((status, bought["degraded"].clone()), (200, json!(false)), "{bought}");
    shop.catch_up().await;
    let (_, answer) = shop.call("GET", &path, None).await;
    assert_eq!(ranks(&answer), ranks(&bought), "the purchase is in the user's history");
    shown.push(ranks(&bought));
    let (status, empty) = shop.call("POST", "/submit", Some(checkout)).await;
    assert_eq!((status, empty["type"].clone()), (422, json!("urn:cartwheel:problem:empty-cart")));

    // Another user, and an unknown user.
    for user in [other.as_str(), "stranger", "nobody"] {
        let path = format!("/v1/users/{user}/recommendations?limit=20");
        let (status, answer) = shop.call("GET", &path, None).await;
        assert_eq!((status, products(&answer).len()), (200, 20), "{user}");
        assert_eq!(answer["degraded"], json!(false));
        shown.push(ranks(&answer));
    }
    let (status, ready) = shop.call("GET", "/readyz", None).await;
    assert_eq!((status, ready["ready"].clone()), (200, json!(true)), "{ready}");
    shown
}
