//! Filter expressions of requests.

use serde_json::json;

use super::harness::Shop;

#[tokio::test]
async fn every_list_takes_a_filter() {
    let shop = Shop::open().await;
    let filter = "price < 20 and not ('alcohol' in tags)";
    let encoded = filter.replace(' ', "%20").replace('\'', "%27").replace('<', "%3C");
    let written = "price < 20 and not \"alcohol\" in tags";
    for list in ["popular", "trending", "products/p1/similar", "users/u1/recommendations"] {
        let answer = shop.get(&format!("/v1/{list}?limit=1&filter={encoded}")).await.json();
        assert_eq!(answer["recommendations"][0]["reasons"], json!([written]), "{list}");
    }
    let event = json!({"user_id": "u1", "event": "view", "product_ids": ["p1"]});
    let answer = shop.post(&format!("/submit?filter={encoded}"), &event).await.json();
    assert_eq!(answer["recommendations"][0]["reasons"], json!([written]));
    let body = json!({"user_id": "u1", "filter": "price <= cart.max_price * 1.5 and \
                      brand = context.brand", "context": {"brand": "Uji"}});
    let answer = shop.post("/v1/recommendations", &body).await.json();
    let written = "price <= cart.max_price * 1.5 and brand = context.brand";
    assert_eq!(answer["recommendations"][0]["reasons"], json!([written]));
}

#[tokio::test]
async fn a_bad_filter_is_a_problem_with_its_position() {
    let shop = Shop::open().await;
    let filter = "price < 20 and departement = 'Tea'";
    let body = json!({"user_id": "u1", "filter": filter});
    let problem = shop.post("/v1/recommendations", &body).await.problem(400, "invalid-field");
    assert_eq!((&problem["field"], &problem["position"]), (&json!("filter"), &json!(16)));
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(
        detail.lines().collect::<Vec<_>>(),
        [
            "At character 16, there is no field departement. Did you mean department?",
            filter,
            "               ^^^^^^^^^^^",
        ]
    );
    assert!(problem["expected"].as_str().unwrap().contains("department"), "{problem}");
    for path in ["/v1/popular?filter=price", "/v1/products/p1/similar?filter=cart.size%3E1"] {
        let problem = shop.get(path).await.problem(400, "invalid-field");
        assert_eq!((&problem["field"], &problem["position"]), (&json!("filter"), &json!(1)));
    }
    // Nothing is stored of an event whose answer cannot be given.
    let event = json!({"user_id": "u1", "event": "view", "product_ids": ["p1"], "event_id": "e1"});
    for path in ["/submit?filter=price", "/submit?limit=3"] {
        shop.post(path, &event).await.problem(400, "invalid-field");
    }
    let stored = shop.post("/submit", &event).await.json();
    assert_eq!(stored["message"], "The event is stored.");
    for (context, field) in [
        (json!({"brand": {"is": "Uji"}}), "context.brand"),
        (json!({"other": "Uji"}), "filter"),
        (json!("Uji"), "context"),
    ] {
        let filter = "brand = context.brand";
        let body = json!({"user_id": "u1", "filter": filter, "context": context});
        let problem = shop.post("/v1/recommendations", &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{problem}");
    }
}
