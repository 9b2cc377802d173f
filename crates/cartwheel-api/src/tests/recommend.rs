use cartwheel_events::Record;
use serde_json::json;

use super::harness::Shop;
use super::streams::Faults;

#[tokio::test]
async fn the_requests_cart_overrides_the_sessions() {
    let shop = Shop::open().await;
    let add = json!({"user_id": "u1", "event": "add_to_cart", "product_ids": ["milk"]});
    shop.post("/submit", &add).await;
    let body = json!({"user_id": "u1", "cart": ["tea", 7], "limit": 3});
    let reply = shop.post("/v1/recommendations", &body).await;
    assert_eq!(reply.products(), ["tea", "7", "p1"]);
    let body = json!({"user_id": "u1", "limit": 2, "filters": {"exclude_products": ["p1"]}});
    let reply = shop.post("/v1/recommendations", &body).await;
    assert_eq!(reply.products(), ["milk", "p2"]);
}

#[tokio::test]
async fn explained_answers_show_features() {
    let shop = Shop::open().await;
    let body = json!({"user_id": "u1", "explain": true});
    let item = shop.post("/v1/recommendations", &body).await.json()["recommendations"][0].clone();
    assert_eq!(item["source"], "popular");
    assert_eq!(item["features"], json!([["user_orders", 3.0]]));
    let body = json!({"user_id": "u1"});
    let item = shop.post("/v1/recommendations", &body).await.json()["recommendations"][0].clone();
    assert!(item.get("source").is_none() && item.get("features").is_none());
}

#[tokio::test]
async fn each_answer_leaves_an_impression() {
    let shop = Shop::open().await;
    let body = json!({"user_id": "u1", "cart": ["tea"], "limit": 2});
    let answer = shop.post("/v1/recommendations", &body).await.json();
    let records = shop.stored(1).await;
    let [Record::Impression(impression)] = &records[..] else { panic!("{records:?}") };
    assert_eq!(answer["recommendation_id"], impression.recommendation_id.as_str());
    assert_eq!(impression.release, "r1");
    assert_eq!(impression.cart[0].as_str(), "tea");
    assert_eq!(impression.shown.len(), 2);
    assert_eq!(impression.shown[1].product_id.as_str(), "p1");
    assert_eq!((impression.shown[1].position, impression.shown[1].source.as_str()), (1, "popular"));
}

#[tokio::test]
async fn bad_requests_name_the_field() {
    let shop = Shop::open().await;
    for (body, field) in [
        (json!({}), "user_id"),
        (json!({"user_id": ""}), "user_id"),
        (json!({"user_id": "u", "limit": 0}), "limit"),
        (json!({"user_id": "u", "limit": 101}), "limit"),
        (json!({"user_id": "u", "limit": "x"}), "limit"),
        (json!({"user_id": "u", "cart": vec!["x"; 201]}), "cart"),
        (json!({"user_id": "u", "cart": ["x", ""]}), "cart[1]"),
        (json!({"user_id": "u", "filters": {"aisle": []}}), "filters.aisle"),
        (json!({"user_id": "u", "filters": {"aisles": vec!["x"; 1001]}}), "filters.aisles"),
        (json!({"user_id": "u", "k": 3}), "k"),
    ] {
        let problem = shop.post("/v1/recommendations", &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{problem}");
    }
    for (path, field) in [
        ("/v1/users/u1/recommendations?limit=101", "limit"),
        ("/v1/users/u1/recommendations?limit=-1", "limit"),
        ("/v1/users/u1/recommendations?k=1", "k"),
        ("/v1/users/a%20b/recommendations", "id"),
        ("/v1/products?offset=x", "offset"),
        ("/v1/products/%00", "id"),
        ("/v1/popular?in_stock_only=1", "in_stock_only"),
        ("/v1/users?limit=0", "limit"),
    ] {
        let problem = shop.get(path).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{path} {problem}");
    }
}

#[tokio::test]
async fn the_catalogue_is_shown() {
    let shop = Shop::open().await;
    let body = shop.get("/v1/products?search=oat%20milk&offset=5&limit=2").await.json();
    assert_eq!(body["products"][0]["product_id"], "p5");
    assert_eq!(body["products"][1]["product_name"], "oat milk");
    assert_eq!(shop.get("/v1/products/p1").await.json()["orders"], 7);
    shop.get("/v1/products/p9").await.problem(404, "not-found");
    assert_eq!(shop.get("/v1/products/p1/similar?limit=4").await.products().len(), 4);
    shop.get("/v1/products/p9/similar").await.problem(404, "not-found");
    assert_eq!(shop.get("/v1/popular").await.products().len(), 10);
    assert_eq!(shop.get("/v1/popular?department=none").await.products().len(), 0);
    assert_eq!(shop.get("/v1/users?limit=2").await.json()["users"][1]["orders"], 3);
}

#[tokio::test]
async fn impressions_are_bounded_and_not_waited_for() {
    // No impression ever arrives: the answers do not wait for that.
    let shop = Shop::failing(Faults::Hanging).await;
    for _ in 0..5 {
        assert_eq!(shop.get("/v1/users/u1/recommendations").await.status, 200);
    }
    assert_eq!(shop.impressions.free(), 0);
}
