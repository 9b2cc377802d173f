use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Foreign, Mapped};
use crate::check_id;
use crate::event::{Event, EventKind};

fn only(format: Foreign, body: &Value) -> Event {
    let mut mapped = format.read(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert_eq!(mapped.len(), 1);
    mapped.pop().unwrap().unwrap_or_else(|error| panic!("{error}: {body}")).expect("not mapped")
}

/// A GA4 request that the tests modify.
fn ga4() -> Value {
    json!({
        "client_id": "1234567890.1700000000",
        "timestamp_micros": "1700000000123456",
        "non_personalized_ads": false,
        "consent": {"ad_user_data": "GRANTED", "ad_personalization": "DENIED"},
        "user_properties": {"customer_tier": {"value": "gold"}},
        "events": [{"name": "purchase", "params": {
            "currency": "EUR", "value": 30.03, "transaction_id": "T_12345", "coupon": "SUMMER_FUN",
            "shipping": 3.33, "tax": 1.11, "session_id": 1700000000, "engagement_time_msec": "100",
            "items": [
                {"item_id": "SKU_12345", "item_name": "Stan and Friends Tee", "index": 0,
                 "discount": 2.22, "item_brand": "Google", "price": 10.01, "quantity": 3},
                {"item_id": 99, "item_name": "Mug", "price": "3.50", "quantity": "2"},
                {"item_id": "SKU_12345", "price": "", "quantity": null}
            ]
        }}]
    })
}

/// A Segment call that the tests modify.
fn segment() -> Value {
    json!({
        "type": "track",
        "messageId": "ajs-next-1698873212345-8f5ab2c4",
        "anonymousId": "ac3d4f0e-1b6e-4f9a-9a53-1d5a0b1c2d3e",
        "userId": null,
        "event": "Product Added",
        "properties": {"cart_id": "skdjsidjsdkdj29j", "product_id": "507f1f77bcf86cd799439011",
                       "sku": "G-32", "category": "Games", "name": "Monopoly: 3rd Edition",
                       "quantity": 1, "price": "18.99", "position": 3, "currency": "usd"},
        "context": {"library": {"name": "analytics.js", "version": "next-1.53.0"},
                    "page": {"path": "/games"}, "userAgent": "Mozilla/5.0"},
        "integrations": {"Mixpanel": true},
        "originalTimestamp": "2023-11-01T21:13:32.100Z",
        "sentAt": "2023-11-01T21:13:32.345Z",
        "receivedAt": "2023-11-01T21:13:32.500Z",
        "timestamp": "2023-11-01T22:13:32.123+01:00",
        "version": 2
    })
}

#[test]
fn a_ga4_purchase_becomes_a_checkout() {
    let event = only(Foreign::Ga4, &ga4());
    assert_eq!(event.kind, EventKind::Checkout);
    assert_eq!(event.user_id.as_str(), "~1234567890.1700000000");
    assert_eq!(event.event_id.as_deref(), Some("T_12345"));
    assert_eq!(event.session_id.as_deref(), Some("1700000000"));
    assert_eq!(event.timestamp_ms, Some(1_700_000_000_123));
    assert_eq!(event.source.as_deref(), Some("ga4"));
    let items: Vec<_> =
        event.items.iter().map(|i| (i.product_id.as_str(), i.quantity, i.price)).collect();
    assert_eq!(items, [("SKU_12345", 4, Some(10.01)), ("99", 2, Some(3.5))]);
}

#[test]
fn a_segment_product_added_becomes_an_add_to_cart() {
    let event = only(Foreign::Segment, &segment());
    assert_eq!(event.kind, EventKind::AddToCart);
    assert_eq!(event.user_id.as_str(), "~ac3d4f0e-1b6e-4f9a-9a53-1d5a0b1c2d3e");
    assert_eq!(event.event_id.as_deref(), Some("ajs-next-1698873212345-8f5ab2c4"));
    assert_eq!(event.timestamp_ms, Some(1_698_873_212_123));
    assert_eq!(event.source.as_deref(), Some("segment"));
    assert_eq!(event.items[0].product_id.as_str(), "507f1f77bcf86cd799439011");
    assert_eq!((event.items[0].quantity, event.items[0].price), (1, Some(18.99)));
}

#[test]
fn listed_names_map_to_their_kind_and_others_are_ignored() {
    let kinds =
        [EventKind::View, EventKind::AddToCart, EventKind::RemoveFromCart, EventKind::Checkout];
    for (name, kind) in
        ["view_item", "add_to_cart", "remove_from_cart", "purchase"].into_iter().zip(kinds)
    {
        let mut body = ga4();
        body["events"][0]["name"] = json!(name);
        assert_eq!(only(Foreign::Ga4, &body).kind, kind);
    }
    for (name, kind) in ["Product Viewed", "Product Added", "Product Removed", "Order Completed"]
        .into_iter()
        .zip(kinds)
    {
        let mut body = segment();
        body["event"] = json!(name);
        body["properties"]["products"] = json!([{"sku": "G-32"}]);
        assert_eq!(only(Foreign::Segment, &body).kind, kind);
    }
    let ignored = |format: Foreign, body: Value| {
        assert_eq!(format.read(&body), Ok(vec![Ok(None)]), "{body}");
    };
    for name in ["page_view", "view_item_list", "begin_checkout", "refund", "my_own", ""] {
        ignored(Foreign::Ga4, json!({"client_id": "1.2", "events": [{"name": name}]}));
    }
    for call in ["identify", "page", "screen", "group", "alias"] {
        ignored(Foreign::Segment, json!({"type": call, "userId": "u1", "traits": {}}));
    }
    ignored(Foreign::Segment, json!({"type": "track", "event": "Signed Up", "userId": "u 1"}));
}

#[test]
fn user_and_time_come_from_the_first_field_with_a_value() {
    let mut body = ga4();
    body["user_id"] = json!(42);
    body["events"][0]["timestamp_micros"] = json!(1_700_000_001_000_000_i64);
    let event = only(Foreign::Ga4, &body);
    assert_eq!((event.user_id.as_str(), event.timestamp_ms), ("42", Some(1_700_000_001_000)));
    assert_eq!(event.guest.as_ref().unwrap().as_str(), "~1234567890.1700000000");
    let app = json!({"app_instance_id": "0123456789abcdef0123456789abcdef",
                     "events": [{"name": "purchase"}]});
    let event = only(Foreign::Ga4, &app);
    assert_eq!(event.user_id.as_str(), "~0123456789abcdef0123456789abcdef");
    assert_eq!((event.timestamp_ms, event.event_id, event.items.len()), (None, None, 0));

    let mut body = segment();
    body["userId"] = json!("u1");
    body["timestamp"] = json!(null);
    body["properties"]["product_id"] = json!("");
    let event = only(Foreign::Segment, &body);
    assert_eq!((event.user_id.as_str(), event.timestamp_ms), ("u1", Some(1_698_873_212_100)));
    assert_eq!(event.guest.as_ref().unwrap().as_str(), "~ac3d4f0e-1b6e-4f9a-9a53-1d5a0b1c2d3e");
    assert_eq!(event.items[0].product_id.as_str(), "G-32");
    // A call to /v1/track has no type.
    body.as_object_mut().unwrap().remove("type");
    assert_eq!(only(Foreign::Segment, &body), event);
}

#[test]
fn an_invalid_event_id_becomes_a_stable_hash() {
    let id = |message: Value| {
        let mut body = segment();
        body["messageId"] = message;
        only(Foreign::Segment, &body).event_id
    };
    let long = json!("ajs-next-1698873212345-".to_owned() + &"8f5ab2c4".repeat(16));
    let derived = id(long.clone()).unwrap();
    assert_eq!(check_id(&derived), Ok(()));
    assert_eq!(id(long), Some(derived.clone()));
    // The first half of what `printf 'a\tb' | sha256sum` prints.
    let other = id(json!("a\tb")).unwrap();
    assert_eq!(other, "sha256:894891f8b78a9945b0aa07e70d5f71f1");
    assert_eq!(id(json!(7)), Some("7".to_owned()));
    assert_eq!(id(json!("")), None);

    let mut body = segment();
    body["event"] = json!("Order Completed");
    body["properties"]["order_id"] = json!("50314b8e9bcf000000000000");
    body["properties"]["products"] = json!([]);
    assert_eq!(
        only(Foreign::Segment, &body).event_id.as_deref(),
        Some("ajs-next-1698873212345-8f5ab2c4")
    );
    body["messageId"] = json!(null);
    assert_eq!(only(Foreign::Segment, &body).event_id.as_deref(), Some("50314b8e9bcf000000000000"));
}

#[test]
fn an_error_names_the_path_of_the_invalid_field() {
    let set = |mut body: Value, pointer: &str, value: Value| {
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let fault = |mapped: Result<Vec<Mapped>, crate::Invalid>| match mapped {
        Err(error) => error.field,
        Ok(mut mapped) => mapped.pop().unwrap().unwrap_err().field,
    };
    let item = "/events/0/params/items/1";
    for (pointer, value, field) in [
        ("", json!([]), ""),
        ("/client_id", json!("jane\nshop"), "client_id"),
        ("/client_id", json!(null), "user_id"),
        ("/timestamp_micros", json!("now"), "timestamp_micros"),
        ("/timestamp_micros", json!(-1), "timestamp_micros"),
        ("/events", json!({}), "events"),
        ("/events", json!([]), "events"),
        ("/events", json!(vec![json!({"name": "page_view"}); 501]), "events"),
        ("/events/0", json!(3), "events[0]"),
        ("/events/0/name", json!(3), "events[0].name"),
        ("/events/0/params", json!([]), "events[0].params"),
        ("/events/0/params/transaction_id", json!(1.5), "events[0].params.transaction_id"),
        ("/events/0/params/session_id", json!("a\tb"), "events[0].params.session_id"),
        ("/events/0/params/items", json!("x"), "events[0].params.items"),
        ("/events/0/params/items", json!(vec![0; 201]), "events[0].params.items"),
        (item, json!("x"), "events[0].params.items[1]"),
        (item, json!({"item_name": "Mug"}), "events[0].params.items[1].item_id"),
        (&format!("{item}/item_id"), json!("a\u{0}b"), "events[0].params.items[1].item_id"),
        (&format!("{item}/quantity"), json!("2.5"), "events[0].params.items[1].quantity"),
        (&format!("{item}/quantity"), json!(0), "events[0].params.items[1].quantity"),
        (&format!("{item}/price"), json!("3,50"), "events[0].params.items[1].price"),
        (&format!("{item}/price"), json!("inf"), "events[0].params.items[1].price"),
        (&format!("{item}/price"), json!(-1), "events[0].params.items[1].price"),
    ] {
        let body = set(ga4(), pointer, value.clone());
        assert_eq!(fault(Foreign::Ga4.read(&body)), field, "{pointer} = {value}");
    }
    let mut empty = set(ga4(), "/events/0/name", json!("add_to_cart"));
    empty["events"][0]["params"]["items"] = json!([]);
    assert_eq!(fault(Foreign::Ga4.read(&empty)), "events[0].params.items");

    for (pointer, value, field) in [
        ("", json!("track"), ""),
        ("", json!({"batch": []}), "batch"),
        ("", json!({"batch": null}), "batch"),
        ("", json!({}), "event"),
        ("/type", json!(1), "type"),
        ("/event", json!(null), "event"),
        ("/event", json!(["Product Added"]), "event"),
        ("/anonymousId", json!(null), "userId"),
        ("/anonymousId", json!("a\tb"), "anonymousId"),
        ("/messageId", json!({}), "messageId"),
        ("/timestamp", json!("yesterday"), "timestamp"),
        ("/timestamp", json!(1_698_873_212), "timestamp"),
        ("/properties", json!("x"), "properties"),
        ("/properties", json!({"sku": "a\tb"}), "properties.sku"),
        ("/properties", json!({"name": "Monopoly"}), "properties.product_id"),
        ("/properties/price", json!("$18.99"), "properties.price"),
    ] {
        let body = set(segment(), pointer, value.clone());
        assert_eq!(fault(Foreign::Segment.read(&body)), field, "{pointer} = {value}");
    }
    let mut order = set(segment(), "/event", json!("Order Completed"));
    order["properties"]["products"] = json!([{"sku": "G-32"}, {"sku": "G-33", "quantity": "no"}]);
    let batch = json!({"batch": [order], "sentAt": "2023-11-01T21:13:32.345Z"});
    assert_eq!(fault(Foreign::Segment.read(&batch)), "batch[0].properties.products[1].quantity");
}

/// JSON of any shape, rich in the formats' own field names.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "events",
        "batch",
        "name",
        "params",
        "items",
        "item_id",
        "quantity",
        "price",
        "client_id",
        "user_id",
        "timestamp_micros",
        "transaction_id",
        "session_id",
        "type",
        "track",
        "event",
        "properties",
        "products",
        "product_id",
        "sku",
        "userId",
        "anonymousId",
        "messageId",
        "timestamp",
        "purchase",
        "view_item",
        "add_to_cart",
        "Product Added",
        "Order Completed",
        "2023-11-14T22:13:20Z",
        "3.50",
        "",
        "é",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..8).prop_map(|fields| {
                let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(fields.collect())
            }),
        ]
    })
}

/// Replaces a node of `body`, chosen by `way`, with `value`.
fn graft(body: &mut Value, mut way: usize, value: Value) {
    let children = match body {
        Value::Object(fields) => fields.len(),
        Value::Array(values) => values.len(),
        _ => 0,
    };
    if children == 0 || way.is_multiple_of(4) {
        *body = value;
        return;
    }
    way /= 4;
    let next = match body {
        Value::Object(fields) => fields.values_mut().nth(way % children),
        Value::Array(values) => values.get_mut(way % children),
        _ => None,
    };
    if let Some(next) = next {
        graft(next, way / children, value);
    }
}

proptest! {
    #[test]
    fn any_json_gives_valid_events_or_an_error(
        value in any_json(),
        way in any::<usize>(),
    ) {
        let mut grafted = [ga4(), segment()];
        grafted.iter_mut().for_each(|body| graft(body, way, value.clone()));
        for body in [&value, &grafted[0], &grafted[1]] {
            for format in [Foreign::Ga4, Foreign::Segment] {
                let Ok(mapped) = format.read(body) else { continue };
                for event in mapped.into_iter().flatten().flatten() {
                    prop_assert!(event.items.len() <= crate::MAX_ITEMS);
                    prop_assert!(event.event_id.is_none_or(|id| check_id(&id).is_ok()));
                    prop_assert!(event.timestamp_ms.is_none_or(|ms| ms >= 0));
                    for item in event.items {
                        prop_assert!(item.quantity >= 1);
                        prop_assert!(item.price.is_none_or(|price| price.is_finite() && price >= 0.0));
                    }
                }
            }
        }
    }
}

#[test]
fn searches_keep_their_text() {
    let mut body = ga4();
    body["events"][0] = json!({"name": "view_search_results", "params": {"search_term": "mug"}});
    let event = only(Foreign::Ga4, &body);
    assert_eq!((event.kind, event.query.as_deref()), (EventKind::Search, Some("mug")));
    let mut call = segment();
    call["event"] = json!("Products Searched");
    call["properties"] = json!({"query": "mug"});
    let event = only(Foreign::Segment, &call);
    assert_eq!((event.kind, event.query.as_deref()), (EventKind::Search, Some("mug")));
    call["properties"] = json!({});
    let error = Foreign::Segment.read(&call).unwrap().pop().unwrap().unwrap_err();
    assert_eq!(error.field, "properties.query");
}
