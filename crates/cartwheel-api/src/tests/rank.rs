//! `POST /v1/rank`.

use cartwheel_events::Record;
use serde_json::json;

use super::harness::Shop;

#[tokio::test]
async fn given_products_are_ranked_and_recorded_as_an_impression() {
    let shop = Shop::open().await;
    let add = json!({"user_id": "u1", "event": "add_to_cart", "product_ids": ["tea"]});
    shop.post("/v1/events", &add).await;
    let body = json!({"user_id": "u1", "products": ["milk", 7, "unknown", "tea"], "limit": 2});
    let answer = shop.post("/v1/rank", &body).await.json();
    assert_eq!(answer["model_version"], "m1");
    assert_eq!(
        answer["products"],
        json!([{"product_id": "tea", "probability": 0.5},
               {"product_id": "milk", "probability": 0.5}])
    );
    let unranked = json!([{"product_id": "unknown", "reason": "unknown"}]);
    assert_eq!(answer["unranked"], unranked);
    let records = shop.stored(2).await;
    let Record::Impression(impression) = &records[1] else { panic!("{records:?}") };
    assert_eq!(answer["recommendation_id"], impression.recommendation_id.as_str());
    assert_eq!(impression.cart[0].as_str(), "tea");
    let shown: Vec<_> = impression.shown.iter().collect();
    assert_eq!((shown.len(), shown[1].product_id.as_str()), (2, "milk"));
    assert!(shown.iter().all(|item| item.source == "rank"));
    // The request's cart overrides the session's.
    let body = json!({"anonymous_id": "g", "products": ["milk", "tea"], "cart": ["milk"]});
    let answer = shop.post("/v1/rank", &body).await.json();
    assert_eq!(answer["products"][0]["product_id"], "milk");
}

#[tokio::test]
async fn of_a_long_ranking_the_first_200_products_count_as_sent() {
    let shop = Shop::open().await;
    let products: Vec<String> = (0..300).map(|n| format!("p{n}")).collect();
    let answer = shop.post("/v1/rank", &json!({"user_id": "u", "products": products})).await.json();
    assert_eq!(answer["products"].as_array().unwrap().len(), 300);
    let records = shop.stored(1).await;
    let Record::Impression(impression) = &records[0] else { panic!("{records:?}") };
    assert_eq!(impression.shown.len(), 200);
    let last = impression.shown[199].product_id.as_str();
    assert_eq!(answer["products"][199]["product_id"], last);
}

#[tokio::test]
async fn a_bad_request_names_the_field() {
    let shop = Shop::open().await;
    for (body, field) in [
        (json!({"products": ["a"]}), "user_id"),
        (json!({"user_id": "u"}), "products"),
        (json!({"user_id": "u", "products": []}), "products"),
        (json!({"user_id": "u", "products": vec!["a"; 1001]}), "products"),
        (json!({"user_id": "u", "products": ["a", ""]}), "products[1]"),
        (json!({"user_id": "u", "products": ["a"], "limit": 0}), "limit"),
        (json!({"user_id": "u", "products": ["a"], "cart": vec!["a"; 201]}), "cart"),
        (json!({"user_id": "u", "products": ["a"], "filter": "prize < 3"}), "filter"),
        (json!({"user_id": "u", "products": ["a"], "explain": true}), "explain"),
    ] {
        let problem = shop.post("/v1/rank", &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{problem}");
    }
    let most = json!({"user_id": "u", "products": vec!["a"; 1000], "limit": 1000});
    assert_eq!(shop.post("/v1/rank", &most).await.status, 200);
}
