//! A shop without history: products, then events, and never an empty list.

use std::sync::Arc;

use cartwheel_events::{Event, EventRecord, ProductRecord, Record, UserId};
use cartwheel_sessions::LiveCatalogue;
use cartwheel_stream::{Position, Sequence};
use futures::executor::block_on;
use serde_json::{Value, json};

use super::shop::{DAY_MS, NOW_MS, product, query};
use crate::{
    Answer, Engine, Filters, Opened, Query, Recommendation, ServingEngine, StoredRecord, Trend,
};

struct FirstDay {
    engine: ServingEngine,
    live: Arc<LiveCatalogue>,
    changes: u64,
}

impl FirstDay {
    fn begin() -> Self {
        let live = Arc::new(LiveCatalogue::in_memory());
        let engine = ServingEngine::new(Opened::nothing("UTC").unwrap());
        Self { engine: engine.with_catalogue(live.clone(), false), live, changes: 0 }
    }

    fn put(&mut self, id: &str, mut fields: Value) {
        self.changes += 1;
        fields["product_id"] = json!(id);
        let record = ProductRecord {
            schema_version: 1,
            product_id: product(id),
            product: Some(fields),
            received_at_ms: NOW_MS - 1_000 + self.changes as i64,
        };
        let sequence = Sequence::from(self.changes);
        self.live.apply(Position { shard: 0, sequence }, &record);
    }

    fn event(&self, kind: &str, id: &str, at_ms: i64) {
        let body = json!({"user_id": "u", "event": kind, "product_ids": [id]});
        let event = Event::from_json(&body).unwrap();
        let record = EventRecord::new(event, format!("e{at_ms}"), at_ms);
        let trends = self.engine.trends();
        let at = trends.counted(0);
        trends.count(0, &[(at, Record::Event(record))], at.next());
    }

    fn ask(&self, cart: &[&str]) -> Answer {
        let user_id = UserId::new("u").unwrap();
        let feature_set = self.engine.external_records();
        block_on(self.engine.recommend(Query {
            record:
                feature_set.as_deref().map(|feature_set| StoredRecord { feature_set, bytes: None }),
            cart: Some(cart.iter().map(|id| product(id)).collect()),
            ..query(&user_id, None)
        }))
    }

    fn trending(&self, now_ms: i64) -> Vec<Recommendation> {
        self.engine.trending(Trend::default(), 10, &Filters::default(), now_ms)
    }
}

fn ids(items: &[Recommendation]) -> Vec<&str> {
    items.iter().map(|item| item.product_id.as_str()).collect()
}

#[test]
fn a_shop_answers_from_its_first_product_on() {
    let mut shop = FirstDay::begin();
    assert!(shop.engine.status().ready && !shop.engine.status().degraded);
    let empty = shop.ask(&[]);
    assert!(empty.items.is_empty() && !empty.degraded);
    shop.put("p0", json!({"name": "The first"}));
    let first = shop.ask(&[]);
    assert_eq!((ids(&first.items), first.degraded), (vec!["p0"], false));
    for n in 1..10 {
        shop.put(&format!("p{n}"), json!({"name": format!("Product {n}")}));
    }
    assert_eq!(shop.ask(&[]).items.len(), 10);
    assert_eq!(shop.ask(&["p3", "p4"]).items.len(), 8);
    assert_eq!(shop.trending(NOW_MS).len(), 10, "nothing trends: the newest are listed");
}

#[test]
fn shoppers_turn_to_products_and_the_lists_follow() {
    let mut shop = FirstDay::begin();
    for n in 0..10 {
        shop.put(&format!("p{n}"), json!({"name": format!("Product {n}")}));
    }
    shop.event("checkout", "p6", NOW_MS - 6 * DAY_MS);
    shop.event("view", "p2", NOW_MS - 10);
    shop.event("add_to_cart", "p7", NOW_MS);
    shop.event("get_recommendations", "p1", NOW_MS);
    shop.event("view", "unknown", NOW_MS);
    let answer = shop.ask(&[]);
    assert_eq!(ids(&answer.items)[..2], ["p7", "p2"], "by decayed counts");
    assert_eq!(answer.items.len(), 10);
    assert_eq!(answer.items[0].source.as_deref(), Some("trending"));
    assert_eq!(answer.items[0].reasons, ["Many shoppers turn to it now"]);
    assert_eq!(ids(&shop.trending(NOW_MS))[..2], ["p7", "p2"]);
    assert_ne!(shop.trending(NOW_MS)[2].reasons, ["Many shoppers turn to it now"], "long ago");
    let later = shop.trending(NOW_MS + 60 * DAY_MS);
    assert_eq!(later.len(), 10);
    assert_ne!(later[0].reasons, ["Many shoppers turn to it now"]);

    shop.put("p7", json!({"name": "Product 7", "stock": 0}));
    let answer = shop.ask(&[]);
    assert_eq!((ids(&answer.items)[0], answer.items.len()), ("p2", 9));
    assert!(!ids(&shop.trending(NOW_MS)).contains(&"p7"));
}

#[test]
fn products_that_nobody_has_bought_have_similar_ones_by_content() {
    let mut shop = FirstDay::begin();
    for (id, name, path, brand) in [
        ("house", "House blend, whole beans", ["Drinks", "Coffee"], "Roast"),
        ("decaf", "Decaf", ["Drinks", "Coffee"], "Other"),
        ("dark", "Dark blend, whole beans", ["Drinks", "Coffee"], "Roast"),
        ("green", "Green tea", ["Drinks", "Tea"], "Leaf"),
        ("mug", "A mug", ["Kitchen", "Mugs"], "Roast"),
        ("hammer", "Hammer", ["Tools", "Hammers"], "Iron"),
    ] {
        shop.put(id, json!({"name": name, "categories": path, "brand": brand}));
    }
    let similar =
        shop.engine.similar(&product("house"), None, &Filters::default(), 10, NOW_MS).unwrap();
    assert_eq!(ids(&similar), ["dark", "decaf", "green", "mug"]);
    assert_eq!(similar[0].reasons, ["Also in Coffee"]);
    assert_eq!(similar[3].reasons, ["Also from Roast"]);
    assert_eq!(
        shop.engine.similar(&product("house"), None, &Filters::default(), 1, NOW_MS).unwrap().len(),
        1
    );
}
