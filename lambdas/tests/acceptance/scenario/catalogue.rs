//! The shop changes its catalogue.

use serde_json::{Value, json};

use crate::shop::{Shop, products, ranks};

/// The product's entity tag.
async fn etag(shop: &impl Shop, id: &str) -> String {
    let (status, entry) = shop.call("GET", &format!("/v1/catalogue/products/{id}"), None).await;
    assert_eq!(status, 200, "{entry}");
    entry["etag"].as_str().unwrap().to_owned()
}

/// The ids that a search finds.
async fn found(shop: &impl Shop, words: &str) -> Vec<String> {
    let (status, answer) = shop.call("GET", &format!("/v1/search?q={words}"), None).await;
    assert_eq!(status, 200, "{answer}");
    let list = answer["products"].as_array().unwrap();
    list.iter().map(|product| product["product_id"].as_str().unwrap().to_owned()).collect()
}

/// A product is renamed and sold out, and a new one arrives. Returns lists of recommendations.
pub async fn changes(shop: &mut impl Shop) -> Vec<Value> {
    let list = format!("/v1/users/{}/recommendations?limit=100", shop.learned().users[1]);
    let (_, before) = shop.call("GET", &list, None).await;
    let best = products(&before)[0].clone();
    let path = format!("/v1/products/{best}");

    // The next answers have the new name, whatever the product is asked for.
    let named = json!({"name": "Quokka biscuits", "categories": ["Snacks", "Biscuits"],
                       "price": "2.50", "currency": "EUR"});
    let (status, stored) = shop.call("PUT", &path, Some(named.clone())).await;
    assert_eq!((status, &stored["name"]), (200, &named["name"]), "{stored}");
    let (_, renamed) = shop.call("GET", &list, None).await;
    let item = |answer: &Value, id: &str| {
        let items = answer["recommendations"].as_array().unwrap();
        items.iter().find(|item| item["product_id"] == id).cloned()
    };
    let shown = item(&renamed, &best).expect("a name changes no list");
    let texts = ["product_name", "department", "aisle"].map(|field| &shown[field]);
    assert_eq!(texts, ["Quokka biscuits", "Snacks", "Biscuits"], "{shown}");
    assert_eq!(found(shop, "quokka").await, [best.as_str()]);

    // Somebody else was faster: nothing is changed.
    let tag = etag(shop, &best).await;
    let mut sold_out = named.clone();
    sold_out["in_stock"] = json!(false);
    let condition = [("if-match", tag.as_str())];
    let (status, stored) = shop.send("PUT", &path, Some(sold_out), &condition).await;
    assert_eq!((status, &stored["in_stock"]), (200, &json!(false)), "{stored}");
    let (status, refused) = shop.send("PUT", &path, Some(named.clone()), &condition).await;
    assert_eq!((status, &refused["status"]), (412, &json!(412)), "{refused}");

    // Sold out, it is in no answer, and its page says so.
    let (_, without) = shop.call("GET", &list, None).await;
    assert_eq!(products(&without).len(), 100, "others take its place");
    assert!(item(&without, &best).is_none(), "{without}");
    let (_, popular) = shop.call("GET", "/v1/popular?limit=100", None).await;
    assert!(item(&popular, &best).is_none(), "{popular}");
    assert_eq!(found(shop, "quokka").await, [""; 0]);
    let (status, page) = shop.call("GET", &path, None).await;
    assert_eq!((status, &page["shown"]), (200, &json!(false)), "{page}");

    // A new product is found, and gone when it is removed.
    let tea = json!({"name": "Numbat tea", "categories": ["Drinks", "Tea"], "price": "3.10",
                     "currency": "EUR", "stock": 5});
    let (status, stored) = shop.call("PUT", "/v1/products/tea-1", Some(tea)).await;
    assert_eq!((status, &stored["product_id"]), (201, &json!("tea-1")), "{stored}");
    assert_eq!(found(shop, "numbta").await, ["tea-1"], "with a typo, too");
    let (_, with_tea) = shop.call("GET", &list, None).await;
    assert_eq!(shop.call("DELETE", "/v1/products/tea-1", None).await.0, 204);
    assert_eq!(shop.call("GET", "/v1/products/tea-1", None).await.0, 404);
    assert_eq!(found(shop, "numbat").await, [""; 0]);
    let (status, refused) = shop.call("PUT", &path, Some(json!({"price": "x"}))).await;
    assert_eq!((status, &refused["field"]), (400, &json!("price")), "{refused}");
    [&before, &renamed, &without, &popular, &with_tea].map(ranks).into()
}
