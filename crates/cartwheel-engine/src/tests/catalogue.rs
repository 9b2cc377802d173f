//! Answers with the live catalogue laid over the release of ten products.

use std::collections::BTreeSet;
use std::sync::Arc;

use cartwheel_events::{ProductRecord, UserId};
use cartwheel_sessions::{LiveCatalogue, Session};
use cartwheel_stream::{Position, Sequence};
use futures::executor::block_on;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::shop::{NOW_MS, model, product, query, regular, release, session, unnamed_release};
use super::text_search::text_search;
use crate::{
    Engine, Filters, Opened, PageStart, ProductSearch, Query, Recommendation, ServingEngine,
    TextSearch, Trend, Visibility,
};

/// A shop whose products can be changed.
pub(super) struct Shop {
    pub(super) engine: ServingEngine,
    pub(super) live: Arc<LiveCatalogue>,
    changes: u64,
}

impl Shop {
    pub(super) fn over(opened: Opened) -> Self {
        let live = Arc::new(LiveCatalogue::in_memory());
        let engine = ServingEngine::new(opened).with_catalogue(live.clone(), false);
        Self { engine, live, changes: 0 }
    }

    fn new() -> Self {
        Self::over(release(Some(model())))
    }

    /// Changes a product, or deletes it.
    pub(super) fn change(&mut self, id: &str, fields: Option<Value>) {
        self.changes += 1;
        let fields = fields.map(|mut fields| {
            fields["product_id"] = json!(id);
            fields
        });
        let record = ProductRecord {
            schema_version: 1,
            product_id: product(id),
            product: fields,
            received_at_ms: NOW_MS - 1_000_000 + self.changes as i64,
        };
        let sequence = Sequence::from(self.changes);
        self.live.apply(Position { shard: 0, sequence }, &record);
    }

    pub(super) fn put(&mut self, id: &str, fields: Value) {
        self.change(id, Some(fields));
    }

    fn ask(&self, change: impl FnOnce(&mut Query<'_>)) -> Vec<Recommendation> {
        self.ask_in(&Session::default(), change)
    }

    fn ask_in(
        &self,
        session: &Session,
        change: impl FnOnce(&mut Query<'_>),
    ) -> Vec<Recommendation> {
        let (user, record) = (UserId::new("u").unwrap(), regular().encode());
        let mut query = query(&user, Some(&record));
        query.session = Some(session);
        change(&mut query);
        block_on(self.engine.recommend(query)).items
    }

    /// Every id that any list of the shop shows at a time.
    fn shown(&self, now_ms: i64) -> BTreeSet<String> {
        let mut shown = self.ask(|query| query.now_ms = now_ms);
        let cart = session(&["p0"], &[]);
        shown.extend(self.ask_in(&cart, |query| query.now_ms = now_ms));
        shown.extend(self.engine.popular(100, &Filters::default(), now_ms));
        shown.extend(self.engine.trending(Trend::default(), 100, &Filters::default(), now_ms));
        for id in ["p0", "p2", "new"] {
            shown.extend(
                self.engine
                    .similar(&product(id), None, &Filters::default(), 50, now_ms)
                    .unwrap_or_default(),
            );
        }
        let start = PageStart::Offset(0);
        let found = self.engine.products(&ProductSearch::default(), &start, 100, now_ms);
        let found = found.unwrap().products;
        let listed: usize = self.engine.departments(now_ms).iter().map(|d| d.products).sum();
        assert_eq!(listed, found.len(), "departments count what is listed");
        let searches = ["product", "new"].into_iter().flat_map(|text| {
            let search = TextSearch { now_ms, ..text_search(text) };
            self.engine.search(&search).products
        });
        let searched: Vec<_> = searches.collect();
        let found = found.into_iter().chain(searched);
        let ids = shown.into_iter().map(|item| item.product_id);
        ids.chain(found.map(|item| item.product_id)).map(|id| id.to_string()).collect()
    }
}

fn ids(items: &[Recommendation]) -> Vec<&str> {
    items.iter().map(|item| item.product_id.as_str()).collect()
}

#[test]
fn a_product_that_may_not_be_shown_is_in_no_list() {
    let closed = [
        Some(json!({"hidden": true})),
        Some(json!({"in_stock": false})),
        Some(json!({"stock": 0})),
        Some(json!({"available_from": NOW_MS + 1})),
        Some(json!({"available_until": NOW_MS})),
        None,
    ];
    for fields in closed {
        let mut shop = Shop::new();
        for id in ["p0", "p9", "new"] {
            assert_eq!(shop.shown(NOW_MS).contains(id), id != "new");
            shop.change(id, fields.clone());
            assert!(!shop.shown(NOW_MS).contains(id), "{id} {fields:?}");
        }
        // It comes back as soon as it may be shown.
        for id in ["p0", "p9", "new"] {
            shop.put(id, json!({"stock": 1}));
            assert!(shop.shown(NOW_MS).contains(id), "{id} {fields:?}");
        }
    }
}

#[test]
fn a_product_is_shown_between_its_dates() {
    let mut shop = Shop::new();
    shop.put("p0", json!({"available_from": NOW_MS + 10, "available_until": NOW_MS + 20}));
    let shown = |at| shop.shown(NOW_MS + at).contains("p0");
    assert_eq!([9, 10, 19, 20].map(shown), [false, true, true, false]);
}

#[test]
fn an_answer_is_as_long_as_asked_for_while_enough_products_qualify() {
    let mut shop = Shop::new();
    for n in 0..300 {
        shop.put(&format!("new{n}"), json!({"name": "New", "hidden": n % 3 == 0}));
    }
    for id in ["p0", "p1", "p2"] {
        shop.put(id, json!({"stock": 0}));
    }
    let answer = shop.ask(|query| query.limit = 100);
    assert_eq!(answer.len(), 100);
    let distinct: BTreeSet<_> = ids(&answer).into_iter().collect();
    assert_eq!(distinct.len(), 100, "no product is shown twice");
    let filters = Filters { departments: vec!["food".to_owned()], ..Filters::default() };
    let answer = shop.ask(|query| query.filters = filters);
    assert_eq!(ids(&answer), ["p4", "p3"], "all that qualify");
}

#[test]
fn texts_and_prices_are_the_newest() {
    let mut shop = Shop::new();
    let fields = json!({
        "name": "Oat drink", "categories": ["Drinks", "Plant based"], "price": "1.90",
        "currency": "EUR", "image_url": "/oat.jpg", "stock": 3, "brand": "Oats"
    });
    shop.put("p0", fields);
    let answer = shop.ask(|_| ());
    let item = answer.iter().find(|item| item.product_id.as_str() == "p0").unwrap();
    let texts = [&*item.product_name, &*item.department, &*item.aisle];
    assert_eq!(texts, ["Oat drink", "Drinks", "Plant based"]);
    assert_eq!(item.price.unwrap().to_string(), "1.90");
    assert_eq!((item.currency.unwrap().as_str(), item.in_stock), ("EUR", Some(true)));
    assert_eq!(item.image_url.as_deref(), Some("/oat.jpg"));
    let similar =
        shop.engine.similar(&product("p0"), None, &Filters::default(), 1, NOW_MS).unwrap();
    assert_eq!(similar[0].reasons, ["Bought together with Oat drink"]);
    let other = answer.iter().find(|item| item.product_id.as_str() == "p1").unwrap();
    assert_eq!((other.price, other.in_stock), (None, None), "nothing is known of it");
    // The filters follow the newest categories too.
    let filters = Filters { departments: vec!["Drinks".to_owned()], ..Filters::default() };
    assert_eq!(ids(&shop.ask(|query| query.filters = filters)), ["p0"]);
    let stated = Filters { in_stock_only: true, ..Filters::default() };
    assert_eq!(ids(&shop.ask(|query| query.filters = stated)), ["p0"]);
}

#[test]
fn a_new_product_is_recommended_by_its_category_and_brand() {
    let mut shop = Shop::new();
    for n in 0..40 {
        shop.put(&format!("other{n}"), json!({"name": "Other", "categories": ["far", "away"]}));
    }
    shop.put("fits", json!({"name": "Fits", "categories": ["food", "aisle 0"]}));
    let answer = shop.ask(|_| ());
    let item = answer.iter().find(|item| item.product_id.as_str() == "fits").unwrap();
    assert_eq!(item.source.as_deref(), Some("new"));
    assert_eq!(item.reasons, ["New in aisle 0"]);
    assert!(item.probability > 0.0 && item.probability < answer[0].probability);
    // A new product in the cart steers what else is new.
    shop.put("held", json!({"name": "Held", "brand": "Brand", "categories": ["x", "y"]}));
    shop.put("same", json!({"name": "Same", "brand": "Brand", "categories": ["z", "w"]}));
    let cart = session(&["held"], &[]);
    let answer = shop.ask_in(&cart, |query| query.explain = true);
    assert!(ids(&answer).contains(&"same"), "{:?}", ids(&answer));
    assert!(!ids(&answer).contains(&"held"), "what is in the cart is not recommended");
    let same = answer.iter().find(|item| item.product_id.as_str() == "same").unwrap();
    assert_eq!(same.explanation.as_ref().unwrap().features, [], "it has no feature row");
}

#[test]
fn a_shop_without_orders_answers_from_its_catalogue() {
    let mut shop = Shop::over(Opened::nothing("UTC").unwrap());
    assert!(shop.engine.status().ready, "it waits for its first product");
    assert_eq!((shop.engine.status().products, shop.ask(|_| ()).len()), (0, 0));
    for n in 0..20 {
        shop.put(&format!("n{n}"), json!({"name": format!("Tea {n}"), "brand": "B"}));
    }
    assert_eq!(shop.engine.status().products, 20);
    assert_eq!(shop.ask(|_| ()).len(), 10);
    assert_eq!(shop.engine.popular(10, &Filters::default(), NOW_MS)[0].product_id.as_str(), "n19");
    assert_eq!(
        shop.engine.similar(&product("n3"), None, &Filters::default(), 5, NOW_MS).unwrap().len(),
        5
    );
    shop.change("n3", None);
    assert!(shop.engine.similar(&product("n3"), None, &Filters::default(), 5, NOW_MS).is_none());
    assert_eq!(shop.engine.status().products, 19);
}

#[test]
fn products_that_nobody_has_described_count_until_there_is_a_catalogue() {
    let mut shop = Shop::over(unnamed_release());
    assert_eq!(shop.ask(|_| ()).len(), 10, "there is nothing else");
    shop.put("p3", json!({"name": "Tea"}));
    assert_eq!(ids(&shop.ask(|_| ())), ["p3"]);
    assert_eq!(shop.engine.unnamed().len(), 9);
    assert!(shop.engine.describes(&product("p3")) && !shop.engine.describes(&product("p4")));
    shop.change("p3", None);
    assert_eq!(shop.ask(|_| ()).len(), 9, "the shop describes nothing again");
    shop.put("p3", json!({"name": "Tea"}));
    let live = shop.live.clone();
    let accepting = ServingEngine::new(unnamed_release()).with_catalogue(live, true);
    let popular = accepting.popular(100, &Filters::default(), NOW_MS);
    assert_eq!(popular.len(), 10);
}

#[test]
fn a_new_release_is_served_with_the_same_catalogue() {
    let mut shop = Shop::new();
    shop.put("p0", json!({"hidden": true}));
    shop.put("new", json!({"name": "New"}));
    shop.engine.swap(release(None));
    assert!(!shop.shown(NOW_MS).contains("p0") && shop.shown(NOW_MS).contains("new"));
}

#[test]
fn pages_follow_each_other_and_searches_find_by_every_field() {
    let mut shop = Shop::new();
    for n in 0..5 {
        let fields = json!({"name": "Cup", "brand": "Mug & Co", "price": n, "tags": ["gift"]});
        shop.put(&format!("new{n}"), fields);
    }
    shop.put("p4", json!({"hidden": true}));
    let page = |search: &ProductSearch<'_>, start: &PageStart| {
        shop.engine.products(search, start, 4, NOW_MS).unwrap()
    };
    let mut seen = Vec::new();
    let mut start = PageStart::Offset(0);
    loop {
        let found = page(&ProductSearch::default(), &start);
        assert_eq!(found.total, 14);
        seen.extend(found.products.iter().map(|p| p.product_id.to_string()));
        let Some(next) = found.next_cursor else { break };
        start = PageStart::After(next);
    }
    assert_eq!(seen.len(), 14);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 14);
    let unknown = PageStart::After(product("gone"));
    assert!(shop.engine.products(&ProductSearch::default(), &unknown, 4, NOW_MS).is_none());

    let count = |search: ProductSearch<'_>| page(&search, &PageStart::Offset(0)).total;
    let text = |text: &str| ProductSearch { text: Some(text.to_owned()), ..Default::default() };
    assert_eq!([count(text("cup")), count(text("mug gift")), count(text("NEW3"))], [5, 5, 1]);
    let brand = ProductSearch { brand: Some("Mug & Co".to_owned()), ..Default::default() };
    assert_eq!(count(brand), 5);
    let price = |text: &str| Some(text.parse().unwrap());
    let between =
        ProductSearch { min_price: price("1"), max_price: price("2.00"), ..Default::default() };
    assert_eq!(count(between), 2);
    let hidden = ProductSearch { visibility: Visibility::Hidden, ..Default::default() };
    assert_eq!(count(hidden), 1);
    let all = ProductSearch { visibility: Visibility::All, ..Default::default() };
    assert_eq!(count(all), 15);
}

/// A change of a product: its fields, or a deletion.
fn any_change() -> impl Strategy<Value = (String, Option<Value>)> {
    let id = prop_oneof![
        (0..10_u8).prop_map(|n| format!("p{n}")),
        (0..6_u8).prop_map(|n| format!("new{n}")),
    ];
    let fields = prop_oneof![
        Just(json!({})),
        Just(json!({"hidden": true})),
        Just(json!({"stock": 0})),
        Just(json!({"stock": 5, "brand": "B", "categories": ["food", "aisle 1"]})),
        Just(json!({"available_from": NOW_MS + 5})),
        Just(json!({"available_until": NOW_MS + 5})),
    ];
    (id, prop::option::weighted(0.85, fields))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the changes, and however often a request comes between them: every list shows
    /// what may be shown and nothing else, as a fresh engine over the same catalogue does.
    #[test]
    fn lists_hold_what_may_be_shown(
        changes in prop::collection::vec((any_change(), any::<bool>()), 1..30),
        later in prop::sample::select(vec![0_i64, 5]),
    ) {
        let mut shop = Shop::new();
        for ((id, fields), asked) in changes {
            shop.change(&id, fields);
            if asked {
                shop.ask(|_| ());
            }
        }
        let now_ms = NOW_MS + later;
        let mut expected: BTreeSet<String> = (0..10).map(|n| format!("p{n}")).collect();
        for (id, listing) in shop.live.changed_since(0).listings {
            match listing.product.is_some_and(|product| product.is_shown(now_ms)) {
                true => expected.insert(id.to_string()),
                false => expected.remove(id.as_str()),
            };
        }
        prop_assert_eq!(&shop.shown(now_ms), &expected);
        let answer = shop.ask(|query| query.now_ms = now_ms);
        prop_assert_eq!(answer.len(), expected.len().min(10));
        let live = shop.live.clone();
        let fresh = ServingEngine::new(release(Some(model()))).with_catalogue(live, false);
        let fresh = Shop { engine: fresh, live: shop.live.clone(), changes: 0 };
        prop_assert_eq!(fresh.shown(now_ms), expected);
        prop_assert_eq!(fresh.engine.status(), shop.engine.status());
    }
}
