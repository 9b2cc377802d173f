//! Filter expressions over the release of ten products and the live catalogue.

use std::sync::Arc;

use cartwheel_events::{ProductRecord, UserId};
use cartwheel_filter::{Context, Expression, Source};
use cartwheel_sessions::{LiveCatalogue, Session};
use cartwheel_stream::{Position, Sequence};
use futures::executor::block_on;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::shop::{NOW_MS, model, product, query, regular, release, session};
use crate::{Engine, Filters, Query, Recommendation, ServingEngine, Similarity, Trend};

struct Shop {
    engine: ServingEngine,
    live: Arc<LiveCatalogue>,
    changes: u64,
}

impl Shop {
    fn new() -> Self {
        let live = Arc::new(LiveCatalogue::in_memory());
        let engine = ServingEngine::new(release(Some(model()))).with_catalogue(live.clone(), false);
        Self { engine, live, changes: 0 }
    }

    /// Changes a product, or deletes it.
    fn change(&mut self, id: &str, fields: Option<Value>) {
        self.changes += 1;
        let fields = fields.map(|mut fields| {
            fields["product_id"] = json!(id);
            fields
        });
        let record = ProductRecord {
            schema_version: 1,
            product_id: product(id),
            product: fields,
            received_at_ms: NOW_MS,
        };
        let sequence = Sequence::from(self.changes);
        self.live.apply(Position { shard: 0, sequence }, &record);
    }

    fn price(&mut self, id: &str, price: &str) {
        self.change(id, Some(json!({"price": price, "name": id, "brand": "b"})));
    }

    fn popular(&self, limit: usize, text: &str) -> Vec<String> {
        ids(&self.engine.popular(limit, &filters(text, Source::Everybody), NOW_MS))
    }

    fn ask(&self, session: &Session, change: impl FnOnce(&mut Query<'_>)) -> Vec<String> {
        let (user, record) = (UserId::new("u").unwrap(), regular().encode());
        let mut query = query(&user, Some(&record));
        query.session = Some(session);
        change(&mut query);
        ids(&block_on(self.engine.recommend(query)).items)
    }
}

fn filters(text: &str, source: Source) -> Filters {
    let expression = Expression::parse(text, Context::default(), source).unwrap();
    Filters { expression: Some(expression), ..Filters::default() }
}

fn ids(items: &[Recommendation]) -> Vec<String> {
    items.iter().map(|item| item.product_id.to_string()).collect()
}

#[test]
fn a_list_is_filled_up_with_products_that_fulfil_the_expression() {
    let mut shop = Shop::new();
    for n in 0..300 {
        shop.price(&format!("n{n}"), if n % 3 == 0 { "5.00" } else { "15.00" });
    }
    for is_indexed in [false, true] {
        if is_indexed {
            shop.engine.index_for_filters();
        }
        let cheap = filters("price < 10", Source::Shopper);
        let found = shop.ask(&Session::default(), |query| {
            (query.filters, query.limit) = (cheap.clone(), 100);
        });
        assert_eq!(found.len(), 100, "all that fulfil it");
        let number = |id: &str| id.strip_prefix('n').and_then(|n| n.parse::<u32>().ok()).unwrap();
        assert!(found.iter().all(|id| number(id) % 3 == 0));
        assert_eq!(shop.popular(100, "price < 10").len(), 100);
        assert_eq!(shop.popular(7, "price < 10 and product_id != 'n0'").len(), 7);
        let trending = shop.engine.trending(
            Trend::default(),
            5,
            &filters("price = 15", Source::Everybody),
            NOW_MS,
        );
        assert_eq!(trending.len(), 5);
        // Of products that only the release describes, department and aisle are known.
        let food = shop.popular(100, "department = 'food' and not ('aisle 0' in categories)");
        assert_eq!(food, ["p2", "p3", "p4"]);
        let aisle = filters("aisle = 'aisle 0' and product_id != 'p0'", Source::Everybody);
        let similar = shop.engine.similar(&product("p0"), None, &aisle, 5, NOW_MS).unwrap();
        assert_eq!(ids(&similar), ["p1"]);
        // Other filters hold beside the expression.
        let both = Filters {
            exclude_products: vec![product("p2")],
            ..filters("department = 'food'", Source::Everybody)
        };
        assert!(!ids(&shop.engine.popular(100, &both, NOW_MS)).contains(&"p2".to_owned()));
    }
}

#[test]
fn a_changed_product_counts_with_the_next_request() {
    let mut shop = Shop::new();
    shop.price("p0", "20");
    shop.engine.index_for_filters();
    let cheap = |shop: &Shop| shop.popular(10, "price < 10");
    assert!(cheap(&shop).is_empty());
    shop.price("p0", "9.99");
    assert_eq!(cheap(&shop), ["p0"]);
    shop.price("new", "1");
    assert_eq!(cheap(&shop), ["p0", "new"]);
    shop.price("p0", "10.00");
    assert_eq!(cheap(&shop), ["new"]);
    shop.change("new", None);
    assert!(cheap(&shop).is_empty());
    // Another release has other indices.
    shop.engine.swap(release(None));
    shop.price("p7", "3");
    assert_eq!(cheap(&shop), ["p7"]);
}

#[test]
fn products_that_are_alike_follow_changes() {
    let mut shop = Shop::new();
    // One more than a kept list has, all in the aisle of "own".
    let fields = |name: &str| json!({"name": name, "categories": ["food", "teas"]});
    shop.change("own", Some(fields("green tea")));
    (0..=200).for_each(|n| shop.change(&format!("n{n:03}"), Some(fields(&format!("tea {n}")))));
    shop.engine.index_for_filters();
    let alike = |shop: &Shop, limit: usize, text: &str| {
        let (own, kind) = (product("own"), Some(Similarity::Substitutes));
        let found =
            shop.engine.similar(&own, kind, &filters(text, Source::Everybody), limit, NOW_MS);
        ids(&found.unwrap())
    };
    let any = "product_id != ''";
    assert_eq!(alike(&shop, 2, any), ["n000", "n001"]);
    assert_eq!(alike(&shop, 2, "product_id != 'n000'"), ["n001", "n002"]);
    // Another product comes nearer; one leaves the aisle, and one the shop.
    shop.change("n007", Some(fields("green tea")));
    shop.change("n000", Some(json!({"name": "tea 0", "categories": ["garden", "hoses"]})));
    shop.change("n001", None);
    assert_eq!(alike(&shop, 3, any), ["n007", "n002", "n003"]);
    assert_eq!(alike(&shop, 1, "product_id = 'n200'"), ["n200"], "beyond what is kept");
    assert_eq!(alike(&shop, 300, any).len(), 199 + 5, "with the department's");
    // The product itself becomes another one.
    shop.change("own", Some(json!({"name": "hose", "categories": ["garden", "hoses"]})));
    assert_eq!(alike(&shop, 3, any), ["n000"]);
}

#[test]
fn an_expression_knows_shopper_and_cart() {
    let mut shop = Shop::new();
    for (id, price) in [("p0", "4"), ("p1", "5"), ("p2", "6"), ("p3", "7"), ("p4", "2")] {
        shop.price(id, price);
    }
    let cart = session(&["p0"], &[]);
    let found = |text: &str, cart: &Session| {
        let mut found = shop.ask(cart, |query| query.filters = filters(text, Source::Shopper));
        found.sort();
        found
    };
    assert_eq!(found("price <= cart.max_price * 1.5", &cart), ["p1", "p2", "p4"]);
    assert!(found("price <= cart.max_price * 1.5", &Session::default()).is_empty());
    assert_eq!(found("user.orders = 4 and price > 6 and not user.is_guest", &cart), ["p3"]);
    let overridden = shop.ask(&cart, |query| {
        query.cart = Some(["p4", "p4"].map(product).to_vec());
        query.filters = filters("cart.size = 1 and cart.total = 4 and price = 4", Source::Shopper);
    });
    assert_eq!(overridden, ["p0"]);
}

proptest! {
    /// Whatever was indexed when, an answer is that of the products as they are now.
    #[test]
    fn an_index_changes_no_answer(
        changes in prop::collection::vec((0..14_u32, prop::option::of(1..6_u32), any::<bool>()), 1..40)
    ) {
        let mut shop = Shop::new();
        let mut prices = std::collections::BTreeMap::new();
        for (id, price, is_indexed) in changes {
            let id = format!("p{id}");
            match price {
                Some(price) => {
                    shop.price(&id, &price.to_string());
                    prices.insert(id, price);
                }
                None => {
                    shop.change(&id, None);
                    prices.remove(&id);
                }
            }
            if is_indexed {
                shop.engine.index_for_filters();
            }
            let mut found = shop.popular(20, "price < 3 or price = 5");
            found.sort();
            let expected = prices.iter().filter(|(_, price)| **price < 3 || **price == 5);
            let expected: Vec<&String> = expected.map(|(id, _)| id).collect();
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        }
    }
}
