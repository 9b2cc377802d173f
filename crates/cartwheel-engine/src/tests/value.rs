//! Answers in the order of the products' value.

use std::sync::Arc;

use cartwheel_events::{ProductRecord, UserId};
use cartwheel_sessions::LiveCatalogue;
use cartwheel_stream::{Position, Sequence};
use futures::executor::block_on;
use serde_json::json;

use super::shop::{NOW_MS, model, product, query, regular, release};
use crate::{Answer, Engine, Query, ServingEngine, Value, ValueShare};

/// Prices and costs of the shop's products. The user buys `p0`, `p1` and `p4` in every order: they
/// are equally likely, and likelier than all others.
const PRICES: [(&str, &str, Option<&str>); 4] = [
    ("p0", "2", Some("1")),
    ("p1", "9", Some("8.50")),
    ("p4", "4", None),
    ("p2", "3", Some("1.50")),
];

fn ask(value: Value) -> Answer {
    let live = Arc::new(LiveCatalogue::in_memory());
    for (at, (id, price, cost)) in PRICES.into_iter().enumerate() {
        let fields = json!({"product_id": id, "price": price, "cost": cost});
        let record = ProductRecord {
            schema_version: 1,
            product_id: product(id),
            product: Some(fields),
            received_at_ms: NOW_MS - 1_000,
        };
        live.apply(Position { shard: 0, sequence: Sequence::from(at as u64 + 1) }, &record);
    }
    let engine = ServingEngine::new(release(Some(model()))).valuing(value);
    let engine = engine.with_catalogue(live, false);
    let (user, record) = (UserId::new("u").unwrap(), regular().encode());
    block_on(engine.recommend(Query { explain: true, ..query(&user, Some(&record)) }))
}

fn ids(answer: &Answer, places: usize) -> Vec<&str> {
    answer.items.iter().take(places).map(|item| item.product_id.as_str()).collect()
}

#[test]
fn of_equally_likely_products_the_dearer_or_the_more_profitable_comes_first() {
    let (off, price, margin) = (ask(Value::Off), ask(Value::Price), ask(Value::Margin));
    assert_eq!(ids(&price, 3), ["p1", "p4", "p0"], "9, 4 and 2");
    // Margins of 1, 0.5 and 1.5; that of p4 is unknown and counts as the middle one.
    assert_eq!(ids(&margin, 3)[2], "p1");
    assert_ne!(ids(&off, 3), ids(&price, 3));
    let probability = |answer: &Answer, id: &str| {
        answer.items.iter().find(|item| item.product_id.as_str() == id).unwrap().probability
    };
    for answer in [&price, &margin] {
        assert_eq!(answer.items.len(), off.items.len());
        for item in &off.items {
            assert_eq!(probability(answer, item.product_id.as_str()), item.probability);
        }
    }
}

#[test]
fn an_explanation_names_the_value_behind_the_order() {
    let value = |answer: &Answer, id: &str| {
        let item = answer.items.iter().find(|item| item.product_id.as_str() == id).unwrap();
        item.explanation.as_ref().unwrap().value.clone()
    };
    let share = |by: &str, is_known| Some(ValueShare { by: by.to_owned(), is_known });
    assert_eq!(value(&ask(Value::Off), "p4"), None);
    assert_eq!(value(&ask(Value::Price), "p4"), share("price", true));
    let margin = ask(Value::Margin);
    assert_eq!(value(&margin, "p4"), share("margin", false), "its cost is unknown");
    assert_eq!(value(&margin, "p0"), share("margin", true));
}
