//! What shoppers searched for.

use super::*;
use crate::SearchCount;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

fn search(user: &str, query: &str, at: i64) -> Record {
    let body = json!({"user_id": user, "event": "search", "query": query});
    Record::Event(EventRecord::new(Event::from_json(&body).unwrap(), format!("e{at}"), at))
}

async fn lake_of(records: Vec<Record>) -> (tempfile::TempDir, Lake) {
    let stream = Arc::new(MemoryStream::new(2));
    stream.put(records).await;
    let dir = tempfile::tempdir().unwrap();
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    (dir, lake)
}

/// Query, searches, shoppers, followed.
fn rows(counts: &[SearchCount]) -> Vec<(&str, u64, u64, u64)> {
    counts
        .iter()
        .map(|one| (one.query.as_str(), one.searches, one.shoppers, one.followed))
        .collect()
}

#[tokio::test]
async fn queries_are_counted_with_their_shoppers_and_the_looks_that_followed() {
    let (_dir, lake) = lake_of(vec![
        // The same search on its second page, with a look at two products: one search, followed once.
        search("u1", " Green  Tea", 1_000),
        search("u1", "green tea", 2_000),
        event("u1", "view", &["a"], None, 3_000),
        event("u1", "add_to_cart", &["a"], None, 4_000),
        // Another shopper follows a recommendation, and later looks at a product on their own.
        search("u2", "green tea", 5_000),
        event("u2", "view", &["a"], Some("r1"), 6_000),
        event("u2", "view", &["a"], None, 5_001 + 30 * MINUTE_MS),
        // The look belongs to the last search.
        search("u3", "mlik", 7_000),
        search("u3", "milk", 8_000),
        event("u3", "view", &["m"], None, 9_000),
        // After half an hour, it is another search of the same shopper.
        search("u3", "milk", 2 * HOUR_MS),
        // Outside the span.
        search("u4", "milk", 5 * HOUR_MS),
    ])
    .await;
    let found = lake.searches(0, 4 * HOUR_MS, 100).unwrap();
    assert_eq!(
        rows(&found.queries),
        [("green tea", 2, 2, 1), ("milk", 2, 1, 1), ("mlik", 1, 1, 0)]
    );
    assert_eq!(found.since_ms, 0);
    assert!(lake.searches(10 * HOUR_MS, 11 * HOUR_MS, 100).unwrap().queries.is_empty());
}

#[tokio::test]
async fn of_too_many_events_the_newest_hours_count() {
    let mut records: Vec<Record> = (0..10).map(|n| search(&format!("u{n}"), "old", n)).collect();
    records.extend((0..10).map(|n| search(&format!("u{n}"), "new", 3 * HOUR_MS + n)));
    let (_dir, lake) = lake_of(records).await;
    let found = lake.searches(0, 4 * HOUR_MS, 15).unwrap();
    assert_eq!((rows(&found.queries), found.since_ms), (vec![("new", 10, 10, 0)], HOUR_MS));
    let found = lake.searches(0, 4 * HOUR_MS, 5).unwrap();
    assert_eq!((found.queries[0].searches, found.since_ms), (5, HOUR_MS));
    assert_eq!(lake.searches(0, 4 * HOUR_MS, 20).unwrap().queries.len(), 2);
}

#[tokio::test]
async fn a_guest_and_the_user_that_it_turns_out_to_be_are_one_shopper() {
    let record = |body: serde_json::Value, at| {
        let event = Event::from_json(&body).unwrap();
        Record::Event(EventRecord::new(event, format!("e{at}"), at))
    };
    let (_dir, lake) = lake_of(vec![
        record(json!({"anonymous_id": "g", "event": "search", "query": "tea"}), 1_000),
        record(json!({"anonymous_id": "g", "user_id": "u", "event": "identify"}), 2_000),
        search("u", "tea", 2 * HOUR_MS),
    ])
    .await;
    assert_eq!(rows(&lake.searches(0, 4 * HOUR_MS, 100).unwrap().queries), [("tea", 2, 1, 0)]);
}
