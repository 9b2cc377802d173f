//! What trends: against the baseline, by country, and from stored counts.

use cartwheel_events::{Event, EventRecord, Record};
use cartwheel_stream::Sequence;
use serde_json::json;

use super::shop::{DAY_MS, NOW_MS, release};
use crate::{Engine, Filters, ServingEngine, Trend, TrendsError, Window};

fn engine() -> ServingEngine {
    ServingEngine::new(release(None))
}

/// Counts as many views of a product by shoppers of a country.
fn views(engine: &ServingEngine, product: &str, country: &str, count: usize, at_ms: i64) {
    let view = || {
        let body = json!({
            "user_id": "u", "event": "view", "product_ids": [product], "country": country,
        });
        let record = EventRecord::new(Event::from_json(&body).unwrap(), "e".to_owned(), at_ms);
        (Sequence::default(), Record::Event(record))
    };
    let records: Vec<_> = (0..count).map(|_| view()).collect();
    let next = engine.trends().counted(0).next();
    engine.trends().count(0, &records, next);
}

/// The products that trend.
fn trending(engine: &ServingEngine, window: Window, country: Option<&str>) -> Vec<String> {
    let trend = Trend { window, country: country.map(|country| country.parse().unwrap()) };
    let found = engine.trending(trend, 10, &Filters::default(), NOW_MS);
    assert_eq!(found.len(), 10, "best sellers follow");
    let trends = found.into_iter().filter(|item| item.reasons[0].starts_with("Many shoppers"));
    trends.map(|item| item.product_id.to_string()).collect()
}

/// Weeks in which p0 is popular, then a day on which Austrians turn to p5, and Germans to p6.
fn weeks() -> ServingEngine {
    let engine = engine();
    for day in 1..60 {
        views(&engine, "p0", "AT", 30, NOW_MS - day * DAY_MS);
        views(&engine, "p0", "DE", 30, NOW_MS - day * DAY_MS);
        views(&engine, "p6", "DE", 1, NOW_MS - day * DAY_MS);
    }
    views(&engine, "p0", "AT", 30, NOW_MS);
    views(&engine, "p5", "AT", 9, NOW_MS);
    views(&engine, "p6", "DE", 30, NOW_MS);
    engine
}

#[test]
fn a_trend_is_against_the_baseline_and_of_a_country() {
    let engine = weeks();
    assert_eq!(trending(&engine, Window::Day, None), ["p6", "p5"]);
    assert_eq!(trending(&engine, Window::Day, Some("AT")), ["p5"]);
    assert_eq!(trending(&engine, Window::Day, Some("DE")), ["p6"]);
    assert!(trending(&engine, Window::Day, Some("FR")).is_empty(), "nothing is known of it");
}

#[test]
fn stored_counts_and_positions_are_restored_together() {
    let engine = weeks();
    let stored = engine.trends().stored();
    let again = self::engine();
    again.trends().restore(&stored).unwrap();
    assert_eq!(again.trends().counted(0), engine.trends().counted(0));
    for (_, window) in Window::NAMES {
        for country in [None, Some("AT"), Some("DE")] {
            assert_eq!(trending(&again, window, country), trending(&engine, window, country));
        }
    }
    for damaged in [&[][..], &[2], &stored[..stored.len() - 3]] {
        assert_eq!(again.trends().restore(damaged), Err(TrendsError::Format));
    }
    assert_eq!(trending(&again, Window::Day, None), ["p6", "p5"], "kept");
}

#[test]
fn the_number_of_countries_is_bounded() {
    let engine = weeks();
    for first in b'A'..=b'Z' {
        for second in b'A'..=b'Z' {
            let country = [first, second];
            views(&engine, "p9", std::str::from_utf8(&country).unwrap(), 1, NOW_MS);
        }
    }
    assert!(engine.trends().stored().len() < 10_000);
    assert_eq!(trending(&engine, Window::Day, Some("AT"))[0], "p5", "the largest remain");
}
