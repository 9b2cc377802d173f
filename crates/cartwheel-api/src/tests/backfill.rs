//! Events that are backfilled with their own times.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use cartwheel_ambient::Clock;
use cartwheel_feature_job::{Input, JobOptions, build};
use cartwheel_lake::{CompactionOptions, Compactor, Delivery, DeliveryOptions, Lake};
use serde_json::{Value, json};

use super::harness::{START, Shop};
use crate::{ApiKey, KeyHash, Scope};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
const PATH: &str = "/v1/events?backfill=true";

fn event(id: &str, user: &str, kind: &str, products: &[&str], at_ms: i64) -> Value {
    json!({"event_id": id, "user_id": user, "event": kind, "product_ids": products,
           "timestamp": at_ms})
}

async fn still() -> Shop {
    Shop::with(|state| state.clock = Clock::fixed(START)).await
}

#[tokio::test]
async fn a_backfilled_event_keeps_its_time_and_leaves_the_cart_of_today() {
    let shop = still().await;
    let today = json!({"user_id": "u", "event": "add_to_cart", "product_ids": ["milk"]});
    shop.post("/submit", &today).await;
    let past = json!([
        event("o1", "u", "checkout", &["milk", "tea"], START - 400 * DAY),
        event("v1", "u", "update_cart", &["old"], START - HOUR),
        event("v2", "u", "view", &["x"], START - 2 * HOUR),
    ]);
    let answer = shop.post(PATH, &past).await.json();
    assert_eq!(answer["failed_count"], 0, "{answer}");
    assert!(answer["records"].as_array().unwrap().iter().all(|r| r.get("warnings").is_none()));
    let cart = shop.get("/v1/users/u/cart").await.json();
    assert_eq!(cart["items"].as_array().unwrap().len(), 1);
    assert_eq!(cart["items"][0]["product_id"], "milk");
    assert_eq!(cart["viewed"][0]["product_id"], "x");
    let mut stored = shop.stored_events().await;
    stored.sort_by_key(|event| event.received_at_ms);
    let times = stored.iter().map(|event| (event.received_at_ms, event.backfilled_at_ms));
    assert_eq!(
        times.collect::<Vec<_>>(),
        [
            (START - 400 * DAY, Some(START)),
            (START - 2 * HOUR, Some(START)),
            (START - HOUR, Some(START)),
            (START, None)
        ]
    );
    // The same batch again stores nothing that a session knows.
    let again = shop.post(PATH, &past).await.json();
    assert_eq!(again["records"][2]["record_id"], answer["records"][2]["record_id"]);
}

#[tokio::test]
async fn impossible_times_and_checkouts_without_products_are_refused() {
    let shop = still().await;
    for at_ms in [json!(null), json!(0), json!(631_151_999_999_i64), json!(START + DAY + 1)] {
        let mut body = event("e", "u", "view", &["x"], 0);
        body["timestamp"] = at_ms;
        let problem = shop.post(PATH, &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], "timestamp");
    }
    for at_ms in [631_152_000_000, START + DAY] {
        let body = event(&format!("e{at_ms}"), "u", "view", &["x"], at_ms);
        assert_eq!(shop.post(PATH, &body).await.status, 200);
    }
    let cart = json!({"user_id": "u", "event": "add_to_cart", "product_ids": ["x"]});
    shop.post("/submit", &cart).await;
    let bare = json!({"user_id": "u", "event": "checkout", "timestamp": START - DAY});
    shop.post(PATH, &bare).await.problem(422, "empty-cart");
    let misspelt = shop.post("/v1/events?backfil=true", &cart).await;
    misspelt.problem(400, "invalid-field");
    shop.post("/v1/events?backfill=yes", &cart).await.problem(400, "invalid-field");
}

#[tokio::test]
async fn an_old_timestamp_without_backfill_is_answered_with_a_warning() {
    let shop = still().await;
    for (age, warns) in [(HOUR, false), (HOUR + 1, true), (-DAY, false)] {
        let body = event(&format!("e{age}"), "u", "view", &["x"], START - age);
        // Twice: a repeat says the same.
        for _ in 0..2 {
            let answer = shop.post("/submit", &body).await.json();
            let records = shop.post("/v1/events", &json!([body])).await.json();
            for warnings in [&answer["warnings"], &records["records"][0]["warnings"]] {
                let text = warnings[0].as_str().unwrap_or_default();
                assert_eq!(text.contains("backfill=true"), warns, "{age}: {warnings}");
            }
        }
    }
    assert!(shop.stored_events().await.iter().all(|event| event.received_at_ms == START));
}

#[tokio::test]
async fn a_backfill_needs_an_admin() {
    let shop = Shop::with(|state| {
        state.clock = Clock::fixed(START);
        let key = |name: &str, scope| ApiKey {
            name: name.into(),
            hash: KeyHash::of(name),
            scopes: vec![scope],
            publishable: None,
            signing: None,
        };
        state.keys.replace(vec![key("writes", Scope::EventsWrite), key("operates", Scope::Admin)]);
    })
    .await;
    let send = async |key: &str| {
        let body = event("e", "u", "view", &["x"], START - DAY).to_string();
        let request = Request::post(PATH).header("x-api-key", key);
        let request = request.header("content-type", "application/json");
        shop.send(request.body(Body::from(body)).unwrap()).await
    };
    let problem = send("writes").await.problem(403, "forbidden");
    assert!(problem["detail"].as_str().unwrap().contains("admin"), "{problem}");
    assert_eq!(send("operates").await.status, 200);
}

/// Four months of three shoppers: views, carts, and checkouts with and without products.
fn history() -> Vec<Value> {
    let mut events = Vec::new();
    for week in 0..16_i64 {
        for (n, user) in ["ann", "bob", "~cy"].into_iter().enumerate() {
            let at_ms = START - 120 * DAY + week * 7 * DAY + n as i64 * HOUR;
            let products = [format!("p{}", week % 5), format!("p{}", (week + n as i64) % 7)];
            let products: Vec<&str> = products.iter().map(String::as_str).collect();
            for (step, kind) in ["view", "add_to_cart", "checkout"].into_iter().enumerate() {
                let id = format!("{kind}-{user}-{week}");
                let at_ms = at_ms + step as i64 * 60_000;
                let mut event = event(&id, user, kind, &products, at_ms);
                if let Some(guest) = user.strip_prefix('~') {
                    event.as_object_mut().unwrap().remove("user_id");
                    event["anonymous_id"] = json!(guest);
                }
                events.push(event);
            }
        }
    }
    events.sort_by_key(|event| event["timestamp"].as_i64());
    events
}

/// Delivers the shop's stream, builds a feature set and returns its files but the manifest.
async fn features(shop: &Shop, folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let lake = Lake::open(&folder.join("lake")).unwrap();
    let options =
        DeliveryOptions { max_records: 100, max_age: Duration::ZERO, clock: Clock::fixed(START) };
    let checkpoint = folder.join("delivery.json");
    let log = Arc::clone(&shop.log);
    let mut delivery = Delivery::new(log, &lake, options, &checkpoint, |_| ()).unwrap();
    delivery.deliver().await.unwrap();
    // Late parts in hours of long ago are merged like those of today.
    let delivered = delivery.status().now().next;
    let compactor = Compactor::new(&lake, CompactionOptions::default());
    let compacted = compactor.compact(START, &delivered, &[], &mut |_| ()).unwrap();
    assert_eq!(compacted.problems, [""; 0]);
    let checkouts = lake.checkouts().unwrap();
    assert!(checkouts.problems.is_empty());
    let input = Input { checkouts: checkouts.records, ..Input::default() };
    let set = build(input, &folder.join("features"), &JobOptions::default(), &|_| ()).unwrap();
    assert_eq!((set.manifest.users, set.manifest.orders), (3, 48));
    let files = std::fs::read_dir(folder.join("features").join(&set.manifest.version)).unwrap();
    let files = files.map(|entry| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
    });
    files.filter(|(name, _)| name != "manifest.json").collect()
}

#[tokio::test]
async fn backfilled_and_live_events_make_the_same_feature_set() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    // Live: the clock stands at each event's time.
    let now = Arc::new(AtomicI64::new(0));
    let clock = Arc::clone(&now);
    let live = Shop::with(move |state| {
        state.clock = Clock::new(move || clock.load(Ordering::SeqCst));
    })
    .await;
    for event in history() {
        now.store(event["timestamp"].as_i64().unwrap(), Ordering::SeqCst);
        assert_eq!(live.post("/submit", &event).await.status, 200);
    }
    // Backfilled: everything today, the newest first, and a part of it twice.
    let filled = still().await;
    let mut events = history();
    events.reverse();
    for batch in events.chunks(90).chain(events[..60].chunks(90)) {
        let answer = filled.post(PATH, &json!(batch)).await.json();
        assert_eq!(answer["failed_count"], 0, "{answer}");
    }
    // Both: half of it was live, and all of it is backfilled.
    let clock = Arc::clone(&now);
    let both = Shop::with(move |state| {
        state.clock = Clock::new(move || clock.load(Ordering::SeqCst));
    })
    .await;
    for event in &history()[..70] {
        now.store(event["timestamp"].as_i64().unwrap(), Ordering::SeqCst);
        assert_eq!(both.post("/submit", event).await.status, 200);
    }
    now.store(START, Ordering::SeqCst);
    for batch in history().chunks(90) {
        assert_eq!(both.post(PATH, &json!(batch)).await.json()["failed_count"], 0);
    }
    let expected = features(&live, folders[0].path()).await;
    assert!(expected.len() > 8 && expected.values().all(|bytes| !bytes.is_empty()));
    for (shop, folder) in [(&filled, &folders[1]), (&both, &folders[2])] {
        let found = features(shop, folder.path()).await;
        assert!(found.keys().eq(expected.keys()));
        for (name, bytes) in found {
            assert!(bytes == expected[&name], "{name} differs");
        }
    }
}
