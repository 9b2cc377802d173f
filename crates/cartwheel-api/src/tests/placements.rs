//! `POST /v1/placements/{name}` and `POST /v1/page`.

use cartwheel_events::{Impression, Record};
use serde_json::{Value, json};

use super::harness::Shop;

fn ids(list: &Value) -> Vec<&str> {
    let products = list["recommendations"].as_array().unwrap();
    products.iter().map(|item| item["product_id"].as_str().unwrap()).collect()
}

fn impressions(records: &[Record]) -> Vec<&Impression> {
    let shown = records.iter().filter_map(|record| match record {
        Record::Impression(impression) => Some(impression),
        Record::Event(_) | Record::Product(_) => None,
    });
    shown.collect()
}

#[tokio::test]
async fn a_placement_answers_and_is_recorded_with_its_name() {
    let shop = Shop::open().await;
    let body = json!({"user_id": "u1", "cart": ["tea"], "limit": 3, "page": "start"});
    let answer = shop.post("/v1/placements/home", &body).await.json();
    assert_eq!((&answer["placement"], &answer["model_version"]), (&json!("home"), &json!("m1")));
    assert_eq!(ids(&answer), ["tea", "p1", "p2"]);
    assert_eq!(answer["recommendations"][0]["kind"], "for_you");
    let records = shop.stored(1).await;
    let shown = impressions(&records)[0];
    assert_eq!(answer["recommendation_id"], shown.recommendation_id.as_str());
    assert_eq!(shown.placement.as_deref(), Some("home"));
    assert_eq!((shown.page.as_deref(), shown.cart[0].as_str()), (Some("start"), "tea"));
    assert_eq!((shown.shown.len(), shown.shown[2].position), (3, 2));

    // The placement's own limit is the default.
    let body = json!({"anonymous_id": "g"});
    assert_eq!(ids(&shop.post("/v1/placements/mail", &body).await.json()).len(), 6);
}

#[tokio::test]
async fn a_page_has_a_list_and_an_impression_for_each_placement() {
    let shop = Shop::open().await;
    let body = json!({
        "user_id": "u1", "page": "product", "product_id": "p1",
        "placements": [
            {"name": "product", "limit": 2},
            {"name": "product_substitutes", "limit": 2, "product_id": "p9"},
            {"name": "category", "products": ["a", "b"], "limit": 1},
        ],
    });
    let answer = shop.post("/v1/page", &body).await.json();
    let lists = answer["placements"].as_array().unwrap();
    let names: Vec<&str> = lists.iter().map(|list| list["placement"].as_str().unwrap()).collect();
    assert_eq!(names, ["product", "product_substitutes", "category"]);
    let all: Vec<&str> = lists.iter().flat_map(ids).collect();
    assert_eq!(all, ["p1", "p2", "p3", "p4", "p5"]);
    let records = shop.stored(3).await;
    for (list, shown) in lists.iter().zip(impressions(&records)) {
        assert_eq!(list["recommendation_id"], shown.recommendation_id.as_str());
        assert_eq!(list["placement"], shown.placement.as_deref().unwrap());
        assert_eq!(shown.page.as_deref(), Some("product"));
    }
}

#[tokio::test]
async fn a_missing_placement_is_a_404_with_the_names_that_exist() {
    let shop = Shop::open().await;
    let body = json!({"user_id": "u1", "placements": [{"name": "home"}, {"name": "hoem"}]});
    for (path, body) in [("/v1/placements/hoem", json!({"user_id": "u1"})), ("/v1/page", body)] {
        let problem = shop.post(path, &body).await.problem(404, "not-found");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("\"hoem\"") && detail.contains("home, home_buy_again"), "{detail}");
    }
}

#[tokio::test]
async fn a_bad_request_names_the_field() {
    let shop = Shop::open().await;
    let one = |list: Value| json!({"user_id": "u", "placements": [{"name": "home"}, list]});
    for (path, body, field) in [
        ("/v1/placements/home", json!({}), "user_id"),
        ("/v1/placements/home", json!({"user_id": "u", "limit": 21}), "limit"),
        ("/v1/placements/home", json!({"user_id": "u", "limit": 0}), "limit"),
        ("/v1/placements/home", json!({"user_id": "u", "page": "Home"}), "page"),
        ("/v1/placements/home", json!({"user_id": "u", "k": 1}), "k"),
        ("/v1/placements/home", json!({"user_id": "u", "cart": vec!["x"; 201]}), "cart"),
        ("/v1/placements/product", json!({"user_id": "u"}), "product_id"),
        ("/v1/placements/category", json!({"user_id": "u"}), "products"),
        ("/v1/placements/category", json!({"user_id": "u", "products": []}), "products"),
        ("/v1/page", json!({"user_id": "u"}), "placements"),
        ("/v1/page", json!({"user_id": "u", "placements": []}), "placements"),
        ("/v1/page", one(json!({"name": "product"})), "placements[1].product_id"),
        ("/v1/page", one(json!({"name": "home", "limit": 99})), "placements[1].limit"),
        ("/v1/page", one(json!({"name": "home", "x": 1})), "placements[1].x"),
        ("/v1/page", one(json!({"name": "home", "filter": "price <"})), "placements[1].filter"),
    ] {
        let problem = shop.post(path, &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{path} {problem}");
    }
    let many = json!({"user_id": "u", "placements": vec![json!({"name": "home"}); 11]});
    let problem = shop.post("/v1/page", &many).await.problem(400, "invalid-field");
    assert_eq!(problem["expected"], "1 to 10 placements");
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_impressions_of_its_lists() {
    // The stream never stores an impression.
    let shop = Shop::failing(super::streams::Faults::Hanging).await;
    let lists = vec![json!({"name": "home", "limit": 1}); 10];
    for _ in 0..5 {
        let body = json!({"user_id": "u", "placements": lists});
        assert_eq!(shop.post("/v1/page", &body).await.status, 200);
    }
    assert_eq!(shop.impressions.free(), 0, "a page takes one place");
    // Two pages found no place, and three are not stored yet.
    assert_eq!(shop.impressions.dropped(), 20);
}
