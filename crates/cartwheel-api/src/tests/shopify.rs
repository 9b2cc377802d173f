//! Shopify's webhooks through the router: signatures, orders, products.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cartwheel_events::EventKind;
use cartwheel_sessions::LiveCatalogue;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::harness::{Reply, Shop};
use super::products::keep;
use crate::{ApiKey, AppState, KeyHash, Scope, Settings, WebhookSecret};

const SECRET: &str = "hush-hush-hush-hush";

/// A server that takes webhooks, and needs a key for everything else.
fn takes_webhooks(state: &mut AppState) {
    let shopify_secret = WebhookSecret::new(SECRET);
    state.settings = Arc::new(Settings { shopify_secret, ..Settings::default() });
    let (name, hash, scopes) = ("boss".into(), KeyHash::of("boss"), vec![Scope::Admin]);
    state.keys.replace(vec![ApiKey { name, hash, scopes, publishable: None, signing: None }]);
}

async fn shop() -> Shop {
    Shop::with(|state| {
        takes_webhooks(state);
        keep(state, &Arc::new(LiveCatalogue::in_memory()));
    })
    .await
}

fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

async fn send(shop: &Shop, topic: &str, body: &str, signature: &str) -> Reply {
    let request = Request::post("/v1/shopify")
        .header("content-type", "application/json")
        .header("x-shopify-topic", topic)
        .header("x-shopify-shop-domain", "shop.example")
        .header("x-shopify-webhook-id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043")
        .header("x-shopify-hmac-sha256", signature);
    shop.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Sends a signed webhook and returns what became of it.
async fn webhook(shop: &Shop, topic: &str, body: &Value) -> Value {
    let body = body.to_string();
    let reply = send(shop, topic, &body, &signature(&body)).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    reply.json()
}

async fn product(shop: &Shop, id: &str) -> Reply {
    let request = Request::get(format!("/v1/catalogue/products/{id}")).header("x-api-key", "boss");
    shop.send(request.body(Body::empty()).unwrap()).await
}

fn order() -> Value {
    json!({"id": 820_982_911_946_154_508_i64, "created_at": "2023-11-14T17:13:20-05:00",
        "customer": {"id": 115_310_627_314_723_954_i64},
        "line_items": [{"product_id": 632_910_392, "quantity": 2, "price": "199.00"}]})
}

#[tokio::test]
async fn a_signature_takes_the_place_of_a_key() {
    let shop = shop().await;
    // Computed by another implementation of HMAC.
    let (body, known) = ("{\"id\": 632910392}", "fyjphOuNntcuMuHlvyVFFotO1o+FoyO5EZ6VHJTJ0XM=");
    let reply = send(&shop, "shop/update", body, known).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"outcome": "ignored"})));
    let of_another = signature("{\"id\": 1}");
    for wrong in ["", "no base64", "AAAA", &of_another, &known[1..]] {
        send(&shop, "orders/create", body, wrong).await.problem(401, "unauthorized");
    }
    let request = Request::post("/v1/shopify").header("content-type", "application/json");
    let unsigned = request.header("x-api-key", "boss").body(Body::from(body));
    shop.send(unsigned.unwrap()).await.problem(401, "unauthorized");
    let broken = "{\"id\":";
    send(&shop, "orders/create", broken, &signature(broken)).await.problem(400, "malformed-json");
    assert!(shop.stored_events().await.is_empty());
    let bare = Shop::open().await;
    send(&bare, "orders/create", body, known).await.problem(404, "not-found");
    assert!(WebhookSecret::new("too short").is_none());
}

#[tokio::test]
async fn an_order_is_a_checkout_however_often_it_is_sent() {
    let shop = Shop::with(takes_webhooks).await;
    for _ in 0..3 {
        assert_eq!(webhook(&shop, "orders/create", &order()).await, json!({"outcome": "stored"}));
    }
    let stored = shop.stored_events().await;
    let [event] = &stored[..] else { panic!("{stored:?}") };
    assert_eq!(event.event, EventKind::Checkout);
    assert_eq!(event.event_id, "shopify-820982911946154508");
    assert_eq!(
        (event.user_id.as_str(), event.source.as_deref()),
        ("115310627314723954", Some("shopify"))
    );
    assert_eq!((event.product_ids[0].as_str(), &event.quantities[..]), ("632910392", &[2][..]));
    // An order that has changed since, or that is not valid, is not sent again and again.
    let mut other = order();
    other["line_items"][0]["quantity"] = json!(3);
    let answer = webhook(&shop, "orders/create", &other).await;
    assert_eq!((&answer["outcome"], &answer["error"]["status"]), (&json!("refused"), &json!(422)));
    other["id"] = Value::Null;
    let answer = webhook(&shop, "orders/create", &other).await;
    assert_eq!((&answer["outcome"], &answer["error"]["field"]), (&json!("refused"), &json!("id")));
    for (topic, field, value) in
        [("orders/create", "test", json!(true)), ("orders/paid", "id", json!(5))]
    {
        let mut body = order();
        body[field] = value;
        assert_eq!(webhook(&shop, topic, &body).await["outcome"], "ignored", "{topic}");
    }
    assert_eq!(shop.stored_events().await.len(), 1);
}

#[tokio::test]
async fn products_follow_the_shop() {
    let shop = shop().await;
    let mut shirt = json!({"id": 632_910_392, "title": "Shirt", "vendor": "Acme",
        "product_type": "Shirts", "handle": "shirt", "status": "active", "published_at": "now",
        "tags": "summer", "image": null,
        "variants": [{"price": "19.99", "inventory_management": null}]});
    assert_eq!(webhook(&shop, "products/create", &shirt).await["outcome"], "stored");
    let known = product(&shop, "632910392").await.json();
    assert_eq!(known["product"]["name"], "Shirt", "{known}");
    assert_eq!(known["product"]["url"], "https://shop.example/products/shirt");
    // What the shop adds by other ways stays.
    let patch = json!({"attributes": {"colour": "red"}, "currency": "EUR"}).to_string();
    let request = Request::patch("/v1/products/632910392").header("x-api-key", "boss");
    let request = request.header("content-type", "application/json").body(Body::from(patch));
    assert_eq!(shop.send(request.unwrap()).await.status, 200);
    shirt["variants"][0]["price"] = json!("17.50");
    shirt["status"] = json!("draft");
    for _ in 0..2 {
        assert_eq!(webhook(&shop, "products/update", &shirt).await["outcome"], "stored");
    }
    let known = product(&shop, "632910392").await.json();
    assert_eq!(
        (&known["product"]["price"], &known["product"]["hidden"]),
        (&json!("17.50"), &json!(true))
    );
    assert_eq!(known["product"]["attributes"]["colour"], "red", "{known}");
    shirt["title"] = json!("x".repeat(501));
    let answer = webhook(&shop, "products/update", &shirt).await;
    assert_eq!(
        (&answer["outcome"], &answer["error"]["field"]),
        (&json!("refused"), &json!("name"))
    );
    let gone = json!({"id": 632_910_392});
    for _ in 0..2 {
        assert_eq!(webhook(&shop, "products/delete", &gone).await["outcome"], "stored");
    }
    let answer = webhook(&shop, "products/delete", &json!({"id": "x"})).await;
    assert_eq!((&answer["outcome"], &answer["error"]["field"]), (&json!("refused"), &json!("id")));
}
