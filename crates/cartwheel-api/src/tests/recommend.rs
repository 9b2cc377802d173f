use cartwheel_events::Record;
use serde_json::{Value, json};

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
async fn explanations_show_the_contribution_of_each_feature() {
    let shop = Shop::open().await;
    let body = json!({"user_id": "u1", "explain": true});
    let answer = shop.post("/v1/recommendations", &body).await.json();
    let item = &answer["recommendations"][0];
    assert!(item.get("source").is_none());
    assert_eq!(
        item["explanation"],
        json!({"source": "popular", "value": null, "base": -2.0, "features": [
            {"name": "user_orders", "value": 3.0, "contribution": 0.5,
             "label": "Orders of the customer", "unit": "orders", "subject": "customer"},
        ]})
    );
    assert_eq!(answer["candidates"], json!([{"source": "popular", "candidates": 200}]));
    let answer = shop.post("/v1/recommendations", &json!({"user_id": "u1"})).await.json();
    assert!(answer.get("candidates").is_none());
    assert!(answer["recommendations"][0].get("explanation").is_none());
}

#[tokio::test]
async fn a_shoppers_cart_and_record_can_be_read() {
    let shop = Shop::open().await;
    for (event, products) in
        [("view", json!(["p1", "x"])), ("view", json!(["p1"])), ("add_to_cart", json!(["p1"]))]
    {
        let body = json!({"user_id": "u1", "event": event, "product_ids": products});
        assert_eq!(shop.post("/submit", &body).await.status, 200);
    }
    let cart = shop.get("/v1/users/u1/cart").await.json();
    assert_eq!(cart["items"][0]["product_name"], "product");
    assert_eq!(cart["items"][0]["quantity"], 1);
    let viewed: Vec<_> = cart["viewed"].as_array().unwrap().iter().collect();
    assert_eq!(viewed.len(), 2, "each product is shown once: {cart}");
    assert_eq!((&viewed[0]["product_id"], &viewed[1]["product_name"]), (&json!("p1"), &json!("x")));
    let user = shop.get("/v1/users/u1").await.json();
    assert_eq!((&user["record"]["orders"], &user["session"]["events"]), (&json!(3), &json!(3)));
    assert_eq!(user["session"]["views"].as_array().unwrap().len(), 3);
    let unknown = shop.get("/v1/users/nobody").await.json();
    assert!(unknown["record"].is_null() && unknown["session"].is_null(), "{unknown}");
    assert_eq!(shop.get("/v1/users/nobody/cart").await.json()["items"], json!([]));
    shop.get("/v1/users/a%00b/cart").await.problem(400, "invalid-field");
    let history = shop.get("/v1/users/u1/orders").await.json()["history"].take();
    assert_eq!((&history["orders"], &history["last_order_ms"]), (&json!(3), &Value::Null));
    let bought = &history["products"][0];
    assert_eq!((&bought["product_id"], &bought["orders"]), (&json!("p1"), &json!(2)));
    assert_eq!(bought["shown"], true);
    assert!(shop.get("/v1/users/nobody/orders").await.json()["history"].is_null());
}

#[tokio::test]
async fn each_response_stores_an_impression() {
    let shop = Shop::open().await;
    // An explained response is for inspection and is not shown to a shopper.
    let body = json!({"user_id": "u1", "explain": true});
    assert_eq!(shop.post("/v1/recommendations", &body).await.status, 200);
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
        ("/v1/users/a%7Fb/recommendations", "id"),
        ("/v1/products?offset=x", "offset"),
        ("/v1/products/%00", "id"),
        ("/v1/popular?in_stock_only=1", "in_stock_only"),
        ("/v1/trending?window=2h", "window"),
        ("/v1/trending?country=AUT", "country"),
        ("/v1/popular?window=1h", "window"),
        ("/v1/users?limit=0", "limit"),
    ] {
        let problem = shop.get(path).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{path} {problem}");
    }
}

#[tokio::test]
async fn the_catalogue_can_be_browsed() {
    let shop = Shop::open().await;
    let body = shop.get("/v1/products?search=oat%20milk&offset=5&limit=2").await.json();
    assert_eq!(body["products"][0]["product_id"], "p5");
    assert_eq!(body["products"][1]["product_name"], "oat milk");
    assert_eq!(shop.get("/v1/products/p1").await.json()["orders"], 7);
    shop.get("/v1/products/p9").await.problem(404, "not-found");
    assert_eq!(shop.get("/v1/products/p1/similar?limit=4").await.products().len(), 4);
    shop.get("/v1/products/p9/similar").await.problem(404, "not-found");
    for list in ["/v1/popular", "/v1/trending"] {
        assert_eq!(shop.get(list).await.products().len(), 10);
        let none = format!("{list}?department=none");
        assert_eq!(shop.get(&none).await.products().len(), 0);
    }
    assert_eq!(shop.get("/v1/users?limit=2").await.json()["users"][1]["orders"], 3);
    let asked = |answer: &Value| answer["recommendations"][0]["aisle"].clone();
    let trending = shop.get("/v1/trending?window=1h&country=at").await.json();
    assert_eq!(asked(&trending), "Hour Some(\"AT\")");
    assert_eq!(asked(&shop.get("/v1/trending").await.json()), "Day None");
}

#[tokio::test]
async fn responses_do_not_wait_for_impressions_and_these_are_bounded() {
    // The stream never stores an impression; responses must not wait for it.
    let shop = Shop::failing(Faults::Hanging).await;
    for _ in 0..5 {
        assert_eq!(shop.get("/v1/users/u1/recommendations").await.status, 200);
    }
    assert_eq!(shop.impressions.free(), 0);
}
