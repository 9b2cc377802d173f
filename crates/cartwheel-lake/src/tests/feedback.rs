//! What followed from recommendations.

use jiff::civil::date;
use jiff::tz::TimeZone;

use super::*;
use crate::{Feedback, FeedbackDays, FeedbackKey, ProductFeedback, Reactions};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A lake with these records.
async fn lake_of(records: Vec<Record>) -> (tempfile::TempDir, Lake) {
    let stream = Arc::new(MemoryStream::new(2));
    stream.put(records).await;
    let dir = tempfile::tempdir().unwrap();
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    (dir, lake)
}

/// The figures by position: sent, shown, viewed, added, bought.
fn by_position(found: &Feedback) -> Vec<[u64; 5]> {
    let mut sums: Vec<[u64; 5]> = Vec::new();
    for (key, row) in &found.rows {
        let Reactions { sent, shown, viewed, added, bought, .. } = *row;
        let at = key.position as usize;
        sums.resize(sums.len().max(at + 1), [0; 5]);
        for (sum, count) in sums[at].iter_mut().zip([sent, shown, viewed, added, bought]) {
            *sum += count;
        }
    }
    sums
}

#[tokio::test]
async fn an_event_counts_for_the_answer_that_it_names() {
    let (_dir, lake) = lake_of(vec![
        impression("r1", "u1", &["a", "b", "c"], 1_000),
        event("u1", "impression", &["a", "z"], Some("r1"), 1_500),
        event("u1", "view", &["b"], Some("r1"), 2_000),
        event("u1", "add_to_cart", &["b"], Some("r1"), 3_000),
        // No recommendation, a product that it does not hold, an unknown recommendation.
        event("u1", "add_to_cart", &["a"], None, 4_000),
        event("u1", "add_to_cart", &["z"], Some("r1"), 5_000),
        event("u1", "view", &["a"], Some("other"), 6_000),
        // Another shopper buys the product first.
        event("u2", "checkout", &["b"], None, 7_000),
        impression("r2", "u2", &["b"], 8_000),
        event("u1", "checkout", &["b", "a"], None, 9_000),
        // Bought again, without being found again.
        event("u1", "checkout", &["b"], None, 9_500),
        // A later hour, and an answer without products.
        impression("r3", "u1", &["c"], 7_300_000),
        event("u1", "checkout", &["c"], Some("r3"), 7_400_000),
        impression("r4", "u1", &[], 7_500_000),
    ])
    .await;
    let counted = |from, to| by_position(&lake.feedback(from, to, HOUR_MS, 100).unwrap());
    assert_eq!(counted(0, 8_000), [[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]]);
    assert_eq!(counted(8_000, 9_000), [[1, 0, 0, 0, 0]]);
    assert_eq!(counted(7_000_000, 8_000_000), [[1, 1, 0, 0, 1]]);
    assert!(counted(0, 1_000).is_empty());
    let (_dir, ruled) = lake_of(vec![impression("r", "u", &["a", "moved"], 0)]).await;
    let ruled = ruled.feedback(0, 1, HOUR_MS, 100).unwrap();
    let rules: Vec<&str> = ruled.rows.keys().map(|key| key.rule.as_str()).collect();
    assert_eq!(rules, ["", "tea"]);
    let all = lake.feedback(0, 8_000_000, HOUR_MS, 100).unwrap();
    let key = all.rows.keys().next().unwrap();
    let expected = FeedbackKey { model: "m".into(), source: "popular".into(), ..key.clone() };
    assert_eq!((key, key.placement.as_str(), all.one_in), (&expected, "home", 1));
}

#[tokio::test]
async fn an_event_after_the_window_counts_for_nothing() {
    let (_dir, lake) = lake_of(vec![
        impression("r1", "u", &["a", "b"], 0),
        event("u", "view", &["a"], Some("r1"), HOUR_MS),
        event("u", "add_to_cart", &["b"], Some("r1"), HOUR_MS),
        event("u", "view", &["b"], Some("r1"), HOUR_MS + 1),
        event("u", "checkout", &["b"], None, HOUR_MS + 2),
    ])
    .await;
    let found = |window| by_position(&lake.feedback(0, 1, window, 100).unwrap());
    assert_eq!(found(HOUR_MS), [[1, 1, 1, 0, 0], [1, 1, 0, 1, 0]]);
    assert_eq!(found(2 * HOUR_MS), [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]);
}

#[tokio::test]
async fn what_a_guest_found_is_bought_by_the_user_that_it_turns_out_to_be() {
    let record = |body: serde_json::Value, at| {
        let event = Event::from_json(&body).unwrap();
        Record::Event(EventRecord::new(event, format!("e{at}"), at))
    };
    let add = json!({"anonymous_id": "g", "event": "add_to_cart", "product_ids": ["a"], "recommendation_id": "r1"});
    let login = json!({"anonymous_id": "g", "user_id": "u", "event": "identify"});
    let items = json!([{"product_id": "a", "quantity": 2, "price": 1.25}, {"product_id": "b"}]);
    let buy = json!({"user_id": "u", "event": "checkout", "items": items});
    let guest = UserId::guest("g").unwrap();
    let (_dir, lake) = lake_of(vec![
        impression("r1", guest.as_str(), &["a"], 1_000),
        record(add, 2_000),
        record(login, 3_000),
        record(buy, 4_000),
    ])
    .await;
    let found = lake.feedback(0, HOUR_MS, HOUR_MS, 100).unwrap();
    assert_eq!(by_position(&found), [[1, 1, 0, 1, 1]]);
    assert_eq!(found.rows.values().map(|row| row.revenue).sum::<f64>(), 2.5);
}

#[tokio::test]
async fn of_too_many_answers_those_of_some_shoppers_count_with_all_their_events() {
    let mut records = Vec::new();
    for user in 0..400 {
        let (id, user) = (format!("r{user}"), format!("u{user}"));
        records.push(impression(&id, &user, &["a"], 1_000));
        records.push(event(&user, "add_to_cart", &["a"], Some(&id), 2_000));
    }
    let (_dir, lake) = lake_of(records).await;
    let found = lake.feedback(0, HOUR_MS, HOUR_MS, 100).unwrap();
    let [[sent, shown, _, added, _]] = by_position(&found)[..] else { panic!("{found:?}") };
    assert_eq!((found.one_in, sent, sent), (4, shown, added));
    assert!((60..=140).contains(&sent), "{sent}");
}

#[tokio::test]
async fn the_figures_of_a_day_are_stored_once_nothing_can_change_them() {
    // In Tokyo the second answer is from the next day.
    let (_dir, lake) = lake_of(vec![
        impression("r1", "u", &["a"], 0),
        impression("r2", "u", &["a"], 15 * HOUR_MS),
        event("u", "view", &["a"], Some("r2"), 20 * HOUR_MS),
    ])
    .await;
    let days = |zone: &str, window_ms| FeedbackDays {
        zone: TimeZone::get(zone).unwrap(),
        window_ms,
        limit: 100,
    };
    let tokyo = days("Asia/Tokyo", DAY_MS);
    assert_eq!(tokyo.day_of(15 * HOUR_MS), date(1970, 1, 2));
    let stored = lake.dir().join("feedback/1970-01-02.parquet");
    let open = tokyo.of(&lake, date(1970, 1, 2), 3 * DAY_MS - 9 * HOUR_MS).unwrap();
    assert!(!stored.exists(), "an event may still come");
    let later = 10 * DAY_MS;
    let closed = tokyo.of(&lake, date(1970, 1, 2), later).unwrap();
    assert!(stored.exists());
    assert_eq!((&open, by_position(&closed)), (&closed, vec![[1, 1, 1, 0, 0]]));
    assert_eq!(by_position(&tokyo.of(&lake, date(1970, 1, 1), later).unwrap()), [[1, 0, 0, 0, 0]]);

    std::fs::remove_dir_all(lake.dir().join("events")).unwrap();
    assert_eq!(tokyo.of(&lake, date(1970, 1, 2), later).unwrap(), closed, "read, not counted");
    let utc = days("UTC", DAY_MS).of(&lake, date(1970, 1, 1), later).unwrap();
    assert_eq!(by_position(&utc), [[2, 0, 0, 0, 0]], "another day begins at another time");
    std::fs::write(&stored, b"damaged").unwrap();
    let again = tokyo.of(&lake, date(1970, 1, 2), later).unwrap();
    assert_eq!(by_position(&again), [[1, 0, 0, 0, 0]], "counted from what is left");
}

/// The figures by product and placement: sent, shown, viewed, added, bought.
fn by_product(found: &ProductFeedback) -> Vec<(&str, &str, [u64; 5])> {
    let mut rows = Vec::new();
    for (key, row) in &found.rows {
        let Reactions { sent, shown, viewed, added, bought, .. } = *row;
        let counts = [sent, shown, viewed, added, bought];
        rows.push((key.product_id.as_str(), key.placement.as_str(), counts));
    }
    rows
}

#[tokio::test]
async fn the_figures_of_a_product_are_counted_and_stored_by_themselves() {
    let (_dir, lake) = lake_of(vec![
        impression("r1", "u", &["a", "b"], 1_000),
        impression("r2", "v", &["b"], 2_000),
        event("u", "view", &["b"], Some("r1"), 3_000),
        event("v", "add_to_cart", &["b"], Some("r2"), 4_000),
        event("v", "checkout", &["b"], None, 5_000),
    ])
    .await;
    let days = FeedbackDays { zone: TimeZone::UTC, window_ms: HOUR_MS, limit: 100 };
    let day = date(1970, 1, 1);
    let stored = lake.dir().join("feedback_products/1970-01-01.parquet");
    let expected = vec![("a", "home", [1, 0, 0, 0, 0]), ("b", "home", [2, 2, 1, 1, 1])];
    let open = days.products_of(&lake, day, HOUR_MS).unwrap();
    assert_eq!((by_product(&open), stored.exists()), (expected.clone(), false));
    assert_eq!(days.products_of(&lake, day, 10 * DAY_MS).unwrap(), open);
    std::fs::remove_dir_all(lake.dir().join("events")).unwrap();
    assert_eq!(days.products_of(&lake, day, 10 * DAY_MS).unwrap(), open, "read, not counted");
    // Of too many, those that were shown most often.
    let few = lake.product_feedback(0, HOUR_MS, HOUR_MS, 100, 1).unwrap();
    assert_eq!(by_product(&few), [("b", "home", [2, 0, 0, 0, 0])]);
}

#[tokio::test]
async fn products_that_exploration_chose_are_counted_separately_and_stored() {
    let (_dir, lake) = lake_of(vec![
        impression("r1", "u", &["a", "explored"], 0),
        event("u", "view", &["explored"], Some("r1"), 1),
    ])
    .await;
    let days = FeedbackDays { zone: TimeZone::UTC, window_ms: HOUR_MS, limit: 100 };
    let found = days.of(&lake, date(1970, 1, 1), 3 * DAY_MS).unwrap();
    let explored: Vec<(u32, bool, u64)> =
        found.rows.iter().map(|(key, row)| (key.position, key.explored, row.viewed)).collect();
    assert_eq!(explored, [(0, false, 0), (1, true, 1)]);
    assert!(lake.dir().join("feedback/1970-01-01.parquet").exists());
    assert_eq!(days.of(&lake, date(1970, 1, 1), 4 * DAY_MS).unwrap(), found, "as it is stored");
}
