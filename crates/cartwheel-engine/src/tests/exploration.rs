//! Exploration: which products it may show, how, and what it learns.

use std::collections::{BTreeMap, BTreeSet};

use cartwheel_events::{Event, EventRecord, Impression, ImpressionItem, ProductId, Record, UserId};
use cartwheel_filter::{Context, Expression, Source};
use cartwheel_placements::Kind;
use cartwheel_rules::{RuleSet, Rules};
use cartwheel_stream::Sequence;
use futures::executor::block_on;
use serde_json::{Value, json};

use super::catalogue::Shop;
use super::shop::{NOW_MS, model, query, regular, release, session};
use crate::{Engine, Placed, Ruled, ServingEngine, Slot, SlotStep};

fn engine() -> ServingEngine {
    ServingEngine::new(release(Some(model())))
}

fn slot(limit: usize, explore: usize, id: &str) -> Slot {
    Slot {
        placement: "home".to_owned(),
        steps: vec![SlotStep { kind: Kind::ForYou, expression: None }],
        limit,
        explore,
        recommendation_id: Some(id.to_owned()),
        ..Slot::default()
    }
}

fn lists(engine: &ServingEngine, slots: &[Slot], rules: Value) -> Vec<Vec<Placed>> {
    let (user, record) = (UserId::new("u").unwrap(), regular().encode());
    let session = session(&["p2"], &[]);
    let rules: Rules = serde_json::from_value(json!({"rules": rules})).unwrap();
    let (rules, context) = (RuleSet::new(&rules).unwrap(), Context::default());
    let mut query = query(&user, Some(&record));
    query.session = Some(&session);
    query.rules = Some(Ruled { rules: &rules, context: &context });
    block_on(engine.page(query, slots)).lists
}

fn list(engine: &ServingEngine, slot: &Slot) -> Vec<Placed> {
    lists(engine, std::slice::from_ref(slot), json!([])).remove(0)
}

fn ids(list: &[Placed]) -> Vec<&str> {
    list.iter().map(|placed| placed.recommendation.product_id.as_str()).collect()
}

fn explored(list: &[Placed]) -> Vec<bool> {
    list.iter().map(|placed| placed.recommendation.propensity.is_some()).collect()
}

#[test]
fn it_is_off_by_default_and_without_an_id() {
    let engine = engine();
    let plain = list(&engine, &Slot { recommendation_id: None, ..slot(4, 0, "") });
    assert_eq!(list(&engine, &slot(4, 0, "r1")), plain);
    assert_eq!(list(&engine, &Slot { recommendation_id: None, ..slot(4, 2, "") }), plain);
    assert_eq!(explored(&plain), [false; 4]);
}

#[test]
fn the_last_places_are_drawn_by_the_id_of_the_answer() {
    let engine = engine();
    let plain = list(&engine, &slot(5, 0, "r"));
    let mut seen = BTreeSet::new();
    for n in 0..200 {
        let asked = slot(5, 2, &format!("r{n}"));
        let found = list(&engine, &asked);
        assert_eq!(explored(&found), [false, false, false, true, true]);
        assert_eq!(found[..3], plain[..3]);
        let different: BTreeSet<&str> = ids(&found).into_iter().collect();
        assert!(different.len() == 5 && !different.contains("p2"), "{found:?}");
        assert_eq!(list(&engine, &asked), found, "the same id, the same answer");
        seen.extend(found[3..].iter().map(|placed| placed.recommendation.product_id.clone()));
    }
    // Ten products without the one in the cart and the three that stand.
    assert_eq!(seen.len(), 6, "{seen:?}");
}

#[test]
fn a_product_is_shown_as_often_as_its_propensity_says() {
    const ANSWERS: usize = 4_000;
    let engine = engine();
    let mut counts = BTreeMap::<String, (usize, f64)>::new();
    for n in 0..ANSWERS {
        let found = list(&engine, &slot(5, 1, &format!("019ac5a2-{n}")));
        let drawn = &found[4].recommendation;
        let stated = drawn.propensity.unwrap();
        let count = counts.entry(drawn.product_id.to_string()).or_insert((0, stated));
        assert_eq!(count.1, stated, "it does not depend on the draw");
        count.0 += 1;
    }
    let sum: f64 = counts.values().map(|(_, stated)| stated).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{counts:?}");
    for (count, stated) in counts.values() {
        let error = (*count as f64 / ANSWERS as f64 - stated).abs();
        let deviation = (stated * (1.0 - stated) / ANSWERS as f64).sqrt();
        assert!(error <= 5.0 * deviation, "{counts:?}");
    }
}

#[test]
fn filters_rules_and_earlier_lists_hold() {
    let engine = engine();
    let only_food = || {
        let text = "department = 'food'";
        Expression::parse(text, Context::default(), Source::Shopper).unwrap()
    };
    for n in 0..50 {
        let id = format!("r{n}");
        let mut filtered = slot(4, 3, &id);
        filtered.steps[0].expression = Some(only_food());
        let found = list(&engine, &filtered);
        assert!(found.iter().all(|p| p.recommendation.department == "food"), "{found:?}");
        let both = lists(&engine, &[slot(4, 2, &id), slot(4, 2, &format!("s{n}"))], json!([]));
        let all: BTreeSet<&str> = both.iter().flat_map(|list| ids(list)).collect();
        assert_eq!(all.len(), both.iter().map(Vec::len).sum::<usize>(), "{both:?}");
        let rules = json!([
            {"id": "first", "products": {"ids": ["p7"]}, "action": {"kind": "pin", "place": 4}},
            {"id": "never", "products": {"ids": ["p8"]}, "action": {"kind": "block"}},
            {"id": "few", "products": {"ids": ["p0", "p1", "p3", "p4"]},
             "action": {"kind": "at_most", "count": 2}},
            {"id": "some", "products": {"ids": ["p0", "p5"]},
             "action": {"kind": "at_least", "count": 2}},
        ]);
        let found = lists(&engine, &[slot(4, 3, &id)], rules).remove(0);
        let found = ids(&found);
        assert_eq!(found[3], "p7", "{found:?}");
        assert!(!found.contains(&"p8"), "{found:?}");
        let few = found.iter().filter(|id| ["p0", "p1", "p3", "p4"].contains(id)).count();
        assert!(few <= 2 && found.contains(&"p0") && found.contains(&"p5"), "{found:?}");
    }
}

/// The records of an answer that explored a product, and of what followed.
fn answered(n: usize, explored: &str, events: &[&str]) -> Vec<(Sequence, Record)> {
    let (id, user_id) = (format!("r-{explored}-{n}"), UserId::new("u").unwrap());
    let item = |(position, product_id): (u32, &str)| ImpressionItem {
        product_id: ProductId::new(product_id).unwrap(),
        position,
        score: 0.1,
        source: "popular".to_owned(),
        rule: None,
        propensity: (product_id == explored).then_some(0.5),
    };
    let answer = Record::Impression(Impression {
        schema_version: 1,
        recommendation_id: id.clone(),
        user_id,
        release: "f+m".to_owned(),
        cart: Vec::new(),
        shown: [(0, "p0"), (1, explored)].into_iter().map(item).collect(),
        received_at_ms: NOW_MS,
        placement: None,
        page: None,
        moment: None,
    });
    let event = |kind: &&str| {
        let body = json!({"user_id": "u", "event": kind, "product_ids": ["p0", explored],
            "recommendation_id": id});
        let event = Event::from_json(&body).unwrap();
        Record::Event(EventRecord::new(event, format!("{id}{kind}"), NOW_MS))
    };
    // Delivery may repeat an answer.
    let records = [answer.clone(), answer].into_iter().chain(events.iter().map(event));
    records.map(|record| (Sequence::default(), record)).collect()
}

fn count(engine: &ServingEngine, records: &[(Sequence, Record)]) {
    let next = engine.trends().counted(0).next();
    engine.trends().count(0, records, next);
}

#[test]
fn what_shoppers_click_is_shown_more_often_and_survives_a_restart() {
    let engine = engine();
    let share = |engine: &ServingEngine, product: &str| {
        let answers = (0..300).map(|n| list(engine, &slot(5, 1, &format!("a{n}"))));
        answers.filter(|found| ids(found)[4] == product).count()
    };
    let before = (share(&engine, "p6"), share(&engine, "p7"));
    assert!(before.0 > 0 && before.1 > 0, "{before:?}");
    for n in 0..100 {
        let clicked: &[&str] = match n % 4 {
            0 => &["impression", "view", "add_to_cart"],
            _ => &["impression"],
        };
        count(&engine, &answered(n, "p6", clicked));
        count(&engine, &answered(n, "p7", &["impression"]));
        // Sent, and never seen.
        count(&engine, &answered(n, "p8", &[]));
    }
    let learned = engine.explored(10);
    let figures: Vec<(&str, u64, u64)> =
        learned.iter().map(|p| (p.product_id.as_str(), p.trials, p.clicks)).collect();
    assert_eq!(figures, [("p6", 100, 25), ("p7", 100, 0)]);
    let p6 = &learned[0];
    assert!(p6.low < p6.mean && p6.mean < p6.high && (p6.mean - 0.25).abs() < 0.05, "{p6:?}");
    let after = (share(&engine, "p6"), share(&engine, "p7"));
    assert!(after.0 > before.0 && after.1 < before.1, "{before:?} {after:?}");

    let again = self::engine();
    again.trends().restore(&engine.trends().stored()).unwrap();
    assert_eq!(again.explored(10), learned);
    assert_eq!(share(&again, "p6"), after.0);
    // An event after the restart counts for an answer before it, and once.
    let late = &answered(99, "p7", &["view", "view"])[2..];
    count(&again, late);
    assert_eq!((again.explored(10)[1].trials, again.explored(10)[1].clicks), (100, 1));
}

#[test]
fn products_that_are_sent_count_while_no_page_reports_what_is_visible() {
    let engine = engine();
    count(&engine, &answered(1, "p6", &[]));
    count(&engine, &answered(2, "p6", &["view"]));
    let learned = engine.explored(1).remove(0);
    assert_eq!((learned.trials, learned.clicks), (2, 1));
}

#[test]
fn new_products_are_tried_until_they_are_known() {
    let mut shop = Shop::over(release(Some(model())));
    for n in 0..10 {
        shop.put(&format!("p{n}"), json!({"name": format!("name {n}")}));
    }
    for n in 0..45 {
        shop.put(&format!("new{n}"), json!({"name": format!("new name {n}")}));
    }
    let tried = |shop: &Shop| {
        let mut tried = BTreeMap::<String, usize>::new();
        for n in 0..400 {
            let found = list(&shop.engine, &slot(5, 1, &format!("r{n}")));
            *tried.entry(found[4].recommendation.product_id.to_string()).or_default() += 1;
        }
        tried
    };
    let before = tried(&shop);
    let new = before.keys().filter(|id| id.starts_with("new")).count();
    assert!(new > 10 && before["new44"] > 4, "the newest are among them: {before:?}");
    // Once the newest was seen two hundred times without a click, others take its place.
    for n in 0..200 {
        count(&shop.engine, &answered(n, "new44", &["impression"]));
    }
    let after = tried(&shop);
    assert!(after.get("new44").is_none_or(|count| *count < 4), "{before:?} {after:?}");
}
