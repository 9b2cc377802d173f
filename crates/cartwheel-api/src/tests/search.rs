//! Searches of the shop through the router.

use std::sync::Arc;

use cartwheel_sessions::LiveCatalogue;
use serde_json::{Value, json};

use super::harness::Shop;
use super::products::keep;

async fn shop() -> Shop {
    let shop = Shop::with(|state| keep(state, &Arc::new(LiveCatalogue::in_memory()))).await;
    let product = |id: &str, name: &str, brand: &str, price: &str, more: Value| {
        let mut product = json!({
            "product_id": id, "name": name, "brand": brand, "price": price, "currency": "EUR",
            "categories": ["Food", "Pantry"],
        });
        product.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        product
    };
    let products = [
        product("m1", "Whole Milk", "Farm", "1.20", json!({"in_stock": true})),
        product("m2", "Oat Milk", "Mill", "2.40", json!({"created_at": "2026-01-02T00:00:00Z"})),
        product("m3", "Milk Chocolate", "Mill", "3.10", json!({})),
        product("t1", "Green Tea", "Leaf", "4.00", json!({"attributes": {"origin": "Assam"}})),
        product("h1", "Secret Milk", "Farm", "9.00", json!({"hidden": true})),
    ];
    assert_eq!(shop.post("/v1/products", &json!(products)).await.status, 200);
    shop
}

fn ids(body: &Value) -> Vec<&str> {
    let list = body["products"].as_array().unwrap().iter();
    list.map(|product| product["product_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_search_finds_counts_and_narrows() {
    let shop = shop().await;
    let search = async |query: &str| shop.get(&format!("/v1/search?{query}")).await.json();
    let found = search("q=mlik").await;
    assert_eq!((&found["total"], &found["corrected_query"]), (&json!(3), &json!("milk")));
    assert_eq!(
        found["facets"]["brands"],
        json!([{"name": "Mill", "count": 2}, {"name": "Farm", "count": 1}])
    );
    assert_eq!(found["facets"]["in_stock"], 1);
    assert_eq!(found["facets"]["prices"][0]["min_price"], "1.20");
    let narrowed = search("q=milk&brand=Mill&max_price=2.40").await;
    assert_eq!(ids(&narrowed), ["m2"]);
    assert_eq!(ids(&search("q=milk&in_stock=true").await), ["m1"]);
    assert_eq!(ids(&search("q=assam").await), ["t1"]);
    assert_eq!(ids(&search("q=T1").await), ["t1"]);
    assert_eq!(ids(&search("q=choc&typing=true").await), ["m3"]);
    assert_eq!(ids(&search("q=milk&sort=price").await), ["m1", "m2", "m3"]);
    assert_eq!(ids(&search("q=milk&sort=-price").await), ["m3", "m2", "m1"]);
    assert_eq!(search("q=milk&sort=newest").await["total"], 3);
    assert_eq!(search("q=milk&sort=popular").await["total"], 3);
    let cheap = search("q=milk&filter=price%20%3C%3D%202.4").await;
    assert_eq!((ids(&cheap).len(), &cheap["total"]), (2, &json!(2)));
    assert!(!ids(&cheap).contains(&"m3"));
    assert_eq!(cheap["facets"]["brands"].as_array().unwrap().len(), 2, "{cheap}");
    let of_cart = "q=milk&user_id=u1&filter=cart.size%20%3E%200";
    assert_eq!(search(of_cart).await["total"], 0);
    let event = json!({"user_id": "u1", "event": "add_to_cart", "product_ids": ["m1"]});
    assert_eq!(shop.post("/v1/events", &event).await.status, 200);
    assert_eq!(search(of_cart).await["total"], 3);
    let nothing = search("q=oat%20tea").await;
    assert_eq!((nothing["total"].clone(), ids(&nothing).len()), (json!(0), 0));
    assert_eq!(
        nothing["did_you_mean"],
        json!([{"query": "oat", "total": 1}, {"query": "tea", "total": 1}])
    );
    assert_eq!(search("q=secret").await["total"], 0);
}

#[tokio::test]
async fn pages_of_a_search_hold_every_product_once() {
    let shop = shop().await;
    let mut path = "/v1/search?q=milk&limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = shop.get(&path).await.json();
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/search?q=milk&limit=2&cursor={cursor}");
    }
    seen.sort();
    assert_eq!(seen, ["m1", "m2", "m3"]);
}

#[tokio::test]
async fn a_new_or_changed_product_is_found_by_the_next_search() {
    let shop = shop().await;
    let total =
        async |q: &str| shop.get(&format!("/v1/search?q={q}")).await.json()["total"].clone();
    assert_eq!(total("kombucha").await, 0);
    let product = json!([{"product_id": "k", "name": "Kombucha"}]);
    shop.post("/v1/products", &product).await;
    assert_eq!(total("kombucha").await, 1);
    let renamed = json!([{"product_id": "k", "name": "Ginger Beer"}]);
    shop.post("/v1/products", &renamed).await;
    assert_eq!((total("kombucha").await, total("ginger").await), (json!(0), json!(1)));
}

#[tokio::test]
async fn a_mistake_in_a_search_is_explained() {
    let shop = Shop::open().await;
    for (query, field) in [
        ("limit=3", "q"),
        ("q=milk&sort=best", "sort"),
        ("q=milk&limit=101", "limit"),
        ("q=milk&cursor=10001", "cursor"),
        ("q=milk&cursor=x", "cursor"),
        ("q=milk&user_id=a%01b", "user_id"),
        ("q=milk&min_price=free", "min_price"),
        ("q=milk&typing=1", "typing"),
        ("q=milk&colour=red", "colour"),
        ("q=milk&filter=price%20%3C", "filter"),
        ("q=milk&filter=cart.size%20%3D%200", "filter"),
    ] {
        let reply = shop.get(&format!("/v1/search?{query}")).await;
        assert_eq!(reply.problem(400, "invalid-field")["field"], field);
    }
}
