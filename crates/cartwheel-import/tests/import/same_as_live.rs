//! Events that were imported and events that arrived live give the same feature set.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_ambient::Clock;
use cartwheel_events::{Event, EventRecord, Record};
use cartwheel_feature_job::{Input, JobOptions, build, product_info};
use cartwheel_feature_set::FeatureSet;
use cartwheel_features::{ProductInfo, stable_hash};
use cartwheel_import::Content;
use cartwheel_lake::{Delivery, DeliveryOptions, Lake};
use cartwheel_stream::{MemoryStream, Stream};
use serde_json::{Value, json};

use crate::shop::{Shop, options};

const DAY_MS: i64 = 86_400_000;
/// 2025-01-01T09:00Z.
const FIRST_MS: i64 = 1_735_722_000_000;

/// A year of searches, views, carts, purchases and returns of some users, as a client would have sent them.
fn events() -> Vec<Value> {
    let mut events = guests();
    for user in 0..60_i64 {
        for order in 0..(2 + user % 9) {
            let at = FIRST_MS + (order * 17 + user) * DAY_MS + user * 61_000;
            let user_id = format!("üser-{user}");
            let product = |n: i64| format!("p{}", (user * 7 + order * n) % 23);
            if order % 2 == 1 {
                events.push(json!({"event_id": format!("q{user}-{order}"), "user_id": user_id,
                    "event": "search", "query": product(1), "timestamp": at - 90_000}));
            }
            events.push(json!({"event_id": format!("v{user}-{order}"), "user_id": user_id,
                "event": "view", "product_ids": [product(1)], "timestamp": at - 60_000,
                "session_id": format!("s{user}")}));
            events.push(json!({"event_id": format!("o{user}-{order}"), "user_id": user_id,
                "event": "checkout", "timestamp": at, "items": [
                    {"product_id": product(1), "quantity": 2, "price": 2.5},
                    {"product_id": product(3)}, {"product_id": "common"}]}));
            if order % 4 == 3 {
                events.push(json!({"event_id": format!("r{user}-{order}"), "user_id": user_id,
                    "event": "return", "timestamp": at + DAY_MS, "items": [
                        {"product_id": product(1), "quantity": order % 3 + 1},
                        {"product_id": "never-bought"}]}));
            }
        }
    }
    events
}

/// Guests who buy: 61 logs in by an event, 62 with a purchase, and 63 never does.
fn guests() -> Vec<Value> {
    let mut events = Vec::new();
    for guest in 61..=63_i64 {
        for order in 0..4 {
            let mut event = json!({"event_id": format!("o{guest}-{order}"), "event": "checkout",
                "timestamp": FIRST_MS + (order * 11 + guest) * DAY_MS, "anonymous_id": format!("g{guest}"),
                "product_ids": [format!("p{}", (guest + order) % 23), "common"]});
            if guest == 62 && order == 2 {
                event["user_id"] = "üser-62".into();
            }
            events.push(event);
        }
    }
    events.push(json!({"event_id": "login", "event": "identify", "user_id": "üser-61",
        "anonymous_id": "g61", "timestamp": FIRST_MS + 90 * DAY_MS}));
    events
}

/// The files of a feature set. The manifest names the version, which tells where data comes from.
fn feature_set(dir: &Path, input: Input) -> BTreeMap<String, Vec<u8>> {
    let set = build(input, &dir.join("features"), &JobOptions::default(), &|_| {}).unwrap();
    let manifest = &set.manifest;
    assert_eq!((manifest.users, manifest.gate_examples > 0), (63, true));
    for (user, orders) in [("üser-61", 4), ("üser-62", 4), ("~g63", 4), ("~g61", 0), ("~g62", 0)]
    {
        assert_eq!(
            set.users().unwrap().get(user).unwrap().map_or(0, |state| state.orders),
            orders,
            "{user}"
        );
    }
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir.join("features").join(&manifest.version)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name != "manifest.json" {
            files.insert(name, std::fs::read(path).unwrap());
        }
    }
    files
}

fn products(lake: &Lake) -> Vec<ProductInfo> {
    lake.read_products().unwrap().into_iter().map(product_info).collect()
}

fn imported(events: &[Value]) -> (Shop, Input) {
    let shop = Shop::new();
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let source = shop.file("events.ndjson", lines);
    let done = shop.import(&source, &options(Content::Events)).unwrap();
    assert_eq!(done.summary.rejected, 0, "{:?}", done.understood.reasons);
    let lake = shop.lake();
    let manifest = lake.import_manifest().unwrap().unwrap();
    let ties = lake.checkouts().unwrap().ties;
    let input = Input {
        import_id: manifest.id,
        events: manifest.events,
        ties,
        baskets: manifest.baskets,
        products: products(&lake),
        ..Input::default()
    };
    (shop, input)
}

async fn live(events: &[Value]) -> (Shop, Input) {
    let shop = Shop::new();
    deliver(&shop, events).await;
    let found = shop.lake().checkouts().unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
    let touches = shop.lake().touches(&found.ties, stable_hash).unwrap();
    (shop, Input { checkouts: found.records, touches, ..Input::default() })
}

/// Delivers events to the shop's lake.
async fn deliver(shop: &Shop, events: &[Value]) {
    let stream = Arc::new(MemoryStream::new(4));
    let record = |event: &Value| {
        let event = Event::from_json(event).unwrap();
        let (id, at) = (event.event_id.clone().unwrap(), event.timestamp_ms.unwrap());
        Record::Event(EventRecord::new(event, id, at))
    };
    stream.put(events.iter().map(record).collect()).await;
    let options = DeliveryOptions {
        max_records: 100_000,
        max_age: Duration::from_millis(1),
        clock: Clock::system(),
    };
    let lake = shop.lake();
    let checkpoint = shop.path().join("delivery.json");
    let mut delivery = Delivery::new(stream as _, &lake, options, &checkpoint, |_| {}).unwrap();
    delivery.deliver().await.unwrap();
}

#[tokio::test]
async fn imported_and_live_events_give_the_same_feature_set() {
    let events = events();
    let (shop, input) = imported(&events);
    let from_import = feature_set(shop.path(), input);
    let (shop, input) = live(&events).await;
    let from_stream = feature_set(shop.path(), input);
    assert_eq!(from_import.keys().collect::<Vec<_>>(), from_stream.keys().collect::<Vec<_>>());
    for (name, content) in &from_import {
        assert!(*content == from_stream[name], "{name} differs");
    }
    // Half of the events arrive twice, imported and live: they count once.
    let (shop, mut input) = imported(&events[..events.len() / 2]);
    let (_live, rest) = live(&events).await;
    (input.checkouts, input.touches) = (rest.checkouts, rest.touches);
    assert!(feature_set(shop.path(), input) == from_stream);
}

#[tokio::test]
async fn a_login_after_the_import_hands_imported_orders_over() {
    let events = events();
    let (shop, mut input) = imported(&events);
    let set = |input: Input| {
        build(input, &shop.path().join("features"), &JobOptions::default(), &|_| {}).unwrap()
    };
    let orders = |set: &FeatureSet, user: &str| {
        set.users().unwrap().get(user).unwrap().map_or(0, |state| state.orders)
    };
    let again = Input {
        events: input.events.clone(),
        products: input.products.clone(),
        ties: input.ties.clone(),
        ..Input::default()
    };
    let before = set(again);
    let login = json!({"event_id": "late", "event": "identify", "user_id": "üser-63",
        "anonymous_id": "g63", "timestamp": FIRST_MS + 300 * DAY_MS});
    deliver(&shop, &[login]).await;
    input.ties = shop.lake().checkouts().unwrap().ties;
    input.import_id = String::new();
    let after = set(input);
    assert_ne!(before.manifest.version, after.manifest.version);
    assert_eq!((orders(&before, "~g63"), orders(&before, "üser-63")), (4, 0));
    assert_eq!((orders(&after, "~g63"), orders(&after, "üser-63")), (0, 4));
}
