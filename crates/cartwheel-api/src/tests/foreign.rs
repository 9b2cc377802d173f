use axum::body::Body;
use axum::http::{HeaderValue, Request};
use cartwheel_events::EventKind;
use serde_json::{Value, json};

use super::harness::{Reply, Shop};

const GA4: &str = "/v1/events/ga4";
const SEGMENT: &str = "/v1/events/segment";

/// A request as a site's server sends it to the Measurement Protocol.
fn ga4(events: Value) -> Value {
    json!({
        "client_id": "1032476589.1699000000",
        "user_id": "u1",
        "timestamp_micros": 1_699_000_123_456_789_i64,
        "user_properties": {"member": {"value": "yes"}},
        "consent": {"ad_user_data": "DENIED"},
        "user_agent": "Mozilla/5.0",
        "events": events,
    })
}

fn ga4_event(name: &str, more: Value) -> Value {
    let mut params = json!({
        "session_id": "1699000000", "engagement_time_msec": 100, "currency": "EUR", "value": 7.0,
        "items": [{"item_id": "milk", "item_name": "Milk", "affiliation": "Shop", "index": 0,
                   "item_category": "Dairy", "price": 1.75, "quantity": 2},
                  {"item_id": "bread", "item_name": "Bread", "price": "3.50", "quantity": "1"}],
    });
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"name": name, "params": params})
}

/// A call as analytics.js sends it.
fn track(event: &str, message: &str, properties: Value) -> Value {
    json!({
        "type": "track", "messageId": message, "event": event, "properties": properties,
        "anonymousId": "9b1c3d2e-77aa-4c55-8f3e-2a6b4c8d0e1f", "userId": "u1",
        "timestamp": "2023-11-03T08:28:43.456Z", "sentAt": "2023-11-03T08:28:43.500Z",
        "writeKey": "wk", "integrations": {}, "_metadata": {"bundled": ["Segment.io"]},
        "context": {"ip": "203.0.113.9", "locale": "en-GB", "timezone": "Europe/Berlin"},
    })
}

fn with(body: &Value, path: &str, media: Option<&str>, origin: Option<&str>) -> Request<Body> {
    let mut request = Request::post(path);
    for (name, value) in [("content-type", media), ("origin", origin)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    request.body(Body::from(body.to_string())).unwrap()
}

fn records(reply: &Reply) -> Vec<Value> {
    let answer = reply.json();
    assert_eq!(reply.status, 200, "{answer}");
    answer["records"].as_array().unwrap().clone()
}

/// The stored events, without the guests' sides of ties.
async fn own_events(shop: &Shop) -> Vec<cartwheel_events::EventRecord> {
    let stored = shop.stored_events().await.into_iter();
    stored.filter(|event| event.tied.is_none()).collect()
}

#[tokio::test]
async fn a_ga4_request_is_stored() {
    let shop = Shop::open().await;
    let body = ga4(json!([
        ga4_event("page_view", json!({"page_location": "https://shop.example/"})),
        ga4_event("add_to_cart", json!({"recommendation_id": "r-1"})),
        ga4_event("purchase", json!({"transaction_id": "T-1", "tax": 0.3, "shipping": 4})),
    ]));
    let reply = shop.post(GA4, &body).await;
    let answer = reply.json();
    assert_eq!((&answer["failed_count"], &answer["ignored_count"]), (&json!(0), &json!(1)));
    let results = records(&reply);
    assert_eq!(results[0], json!({"ignored": true}));
    assert!(results[1]["event_id"].as_str().unwrap().starts_with("id-"));
    assert!(results[1].get("ignored").is_none() && results[1]["record_id"].is_string());
    assert_eq!(results[2]["event_id"], "T-1");

    let stored = own_events(&shop).await;
    let kinds: Vec<EventKind> = stored.iter().map(|event| event.event).collect();
    assert_eq!(kinds, [EventKind::AddToCart, EventKind::Checkout]);
    let cart = &stored[0];
    assert_eq!((cart.user_id.as_str(), cart.source.as_deref()), ("u1", Some("ga4")));
    assert_eq!(cart.session_id.as_deref(), Some("1699000000"));
    assert_eq!(cart.recommendation_id.as_deref(), Some("r-1"));
    assert_eq!(cart.timestamp_ms, Some(1_699_000_123_456));
    assert_eq!((&cart.quantities, &cart.prices), (&vec![2, 1], &vec![Some(1.75), Some(3.5)]));
    let text = String::from_utf8(shop.get("/metrics").await.bytes).unwrap();
    assert!(text.contains("cartwheel_events_total{result=\"ignored\"}"), "{text}");
}

#[tokio::test]
async fn a_cart_reported_through_segment_is_the_shoppers_cart() {
    let shop = Shop::open().await;
    shop.post(SEGMENT, &track("Product Added", "m-1", json!({"product_id": "milk"}))).await;
    let reply = shop.get("/v1/users/u1/recommendations?limit=1").await;
    assert_eq!(reply.products(), ["milk"]);
    // An order without products takes the products of the cart.
    let order = track("Order Completed", "m-2", json!({"order_id": "o-1", "total": 1.75}));
    assert_eq!(records(&shop.post(SEGMENT, &order).await)[0]["event_id"], "m-2");
    let stored = own_events(&shop).await;
    assert_eq!(stored[1].product_ids[0].as_str(), "milk");
    // The cart is then empty.
    let order = track("Order Completed", "m-3", json!({"order_id": "o-2"}));
    shop.post(SEGMENT, &order).await.problem(422, "empty-cart");
}

#[tokio::test]
async fn a_message_sent_again_is_stored_once() {
    let shop = Shop::open().await;
    let long = format!("ajs-next-1699000123456-{}", "5f0c".repeat(29));
    for message in ["ajs-next-1699000123456-5f0c2a7e", long.as_str()] {
        let call = track("Product Viewed", message, json!({"sku": "G-32", "price": 18.99}));
        let first = records(&shop.post(SEGMENT, &call).await);
        let mut again = call.clone();
        again["sentAt"] = json!("2023-11-03T08:29:13.500Z");
        let second = records(&shop.post(SEGMENT, &json!({"batch": [again, call]})).await);
        assert_eq!(first[0]["record_id"], second[0]["record_id"]);
        assert_eq!(first[0], second[1]);
    }
    let purchase = ga4(json!([ga4_event("purchase", json!({"transaction_id": "T 1/é"}))]));
    let first = records(&shop.post(GA4, &purchase).await);
    assert_eq!(first, records(&shop.post(GA4, &purchase).await));
    let stored = own_events(&shop).await;
    assert_eq!(stored.len(), 3);
    assert_eq!(stored[0].event_id, "ajs-next-1699000123456-5f0c2a7e");
    assert!(stored[1].event_id.starts_with("sha256:"), "{}", stored[1].event_id);
    assert_eq!(stored[2].event_id, "T 1/é");
    let mut other = purchase;
    other["events"][0]["params"]["items"][0]["quantity"] = json!(9);
    shop.post(GA4, &other).await.problem(422, "event-id-reused");
}

#[tokio::test]
async fn a_segment_batch_is_validated_call_by_call() {
    let shop = Shop::open().await;
    let body = json!({"sentAt": "2023-11-03T08:28:44.000Z", "writeKey": "wk", "context": {},
    "batch": [
        track("Product Added", "m-1", json!({"product_id": "milk", "quantity": 2})),
        {"type": "identify", "userId": "u1", "messageId": "m-2", "traits": {"plan": "pro"}},
        track("Product Added", "m-3", json!({"name": "Milk"})),
        {"type": "track", "event": "Product Removed", "messageId": "m-4",
         "properties": {"product_id": "milk"}},
        track("Coupon Applied", "m-5", json!({"coupon_id": "c"})),
        track("Order Completed", "m-6", json!({"products": [{"product_id": "milk"},
                                                            {"sku": "a\tb"}]})),
        track("Order Completed", "m-7", json!({"products": [{"product_id": "milk"}]})),
    ]});
    let reply = shop.post(SEGMENT, &body).await;
    let answer = reply.json();
    assert_eq!((&answer["failed_count"], &answer["ignored_count"]), (&json!(3), &json!(2)));
    let results = records(&reply);
    assert_eq!(results[0]["event_id"], "m-1");
    for (at, field) in [
        (2, "batch[2].properties.product_id"),
        (3, "batch[3].userId"),
        (5, "batch[5].properties.products[1].sku"),
    ] {
        assert_eq!(results[at]["error"]["field"], field, "{}", results[at]);
        assert_eq!(results[at]["error"]["status"], 400);
    }
    assert_eq!((&results[1], &results[4]), (&json!({"ignored": true}), &json!({"ignored": true})));
    assert_eq!(results[6]["event_id"], "m-7");
    assert_eq!(own_events(&shop).await.len(), 2);
}

#[tokio::test]
async fn errors_name_the_field() {
    let shop = Shop::open().await;
    let events = json!([ga4_event("purchase", json!({}))]);
    for (body, field) in [
        (json!({"client_id": "1.2"}), "events"),
        (json!({"client_id": "1.2", "events": []}), "events"),
        (json!({"client_id": "1.2", "events": vec![json!({"name": "scroll"}); 501]}), "events"),
        (json!({"events": events}), "user_id"),
        (json!({"user_id": "jane\nshop", "events": events}), "user_id"),
        (ga4(json!([ga4_event("view_item", json!({"items": []}))])), "events[0].params.items"),
    ] {
        let problem = shop.post(GA4, &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{body}");
        assert!(problem["expected"].is_string());
    }
    shop.post(SEGMENT, &json!({"batch": []})).await.problem(400, "invalid-field");
    shop.post_as(SEGMENT, "application/json", "{").await.problem(400, "malformed-json");
    shop.post_as(SEGMENT, "text/csv", "a,b").await.problem(415, "unsupported-media-type");
    let large = vec![b' '; (1 << 20) + 1];
    shop.post_as(GA4, "application/json", large).await.problem(413, "payload-too-large");
    assert!(own_events(&shop).await.is_empty());
}

#[tokio::test]
async fn a_text_plain_body_is_parsed_as_json_unless_another_site_sends_it() {
    let trusted = "https://shop.example";
    let shop = Shop::with(|state| {
        let origins = vec![HeaderValue::from_static("https://shop.example")];
        state.settings =
            std::sync::Arc::new(crate::Settings { cors_origins: origins, ..Default::default() });
    })
    .await;
    let body = ga4(json!([ga4_event("view_item", json!({}))]));
    let plain = Some("text/plain;charset=UTF-8");
    for (media, origin, status) in [
        (None, None, 200),
        (plain, None, 200),
        (plain, Some(trusted), 200),
        (plain, Some("https://other.example"), 403),
        (None, Some("null"), 403),
    ] {
        let reply = shop.send(with(&body, GA4, media, origin)).await;
        assert_eq!(reply.status, status, "{media:?} {origin:?}");
    }
    assert_eq!(own_events(&shop).await.len(), 3);
    // Behind a gateway, the content type alone decides.
    let shop = Shop::with(|state| {
        let settings = crate::Settings { behind_gateway: true, ..Default::default() };
        state.settings = std::sync::Arc::new(settings);
    })
    .await;
    let reply = shop.send(with(&body, GA4, plain, Some("https://other.example"))).await;
    assert_eq!(reply.status, 415);
}
