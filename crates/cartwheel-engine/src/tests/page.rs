//! The lists of a page, over the release of ten products.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cartwheel_events::{EventKind, EventRecord, ProductId, Record, UserId};
use cartwheel_filter::{Context, Expression, Source};
use cartwheel_placements::{Kind, Placements};
use cartwheel_recommend::{Diversity, FEATURES};
use cartwheel_sessions::{ProductView, Session};
use cartwheel_stream::Pending;
use futures::executor::block_on;
use serde_json::json;

use super::catalogue::Shop;
use super::shop::{NOW_MS, model, product, query, regular, release, session};
use crate::{Engine, Page, Placed, Query, ScoreError, Scorer, ServingEngine, Slot, SlotStep};

fn slot(limit: usize, kinds: &[Kind]) -> Slot {
    let step = |&kind| SlotStep { kind, expression: None };
    Slot { steps: kinds.iter().map(step).collect(), limit, ..Slot::default() }
}

fn page(engine: &ServingEngine, session: &Session, slots: &[Slot]) -> Page {
    page_of(engine, session, slots, |_| ())
}

fn page_of(
    engine: &ServingEngine,
    session: &Session,
    slots: &[Slot],
    change: impl FnOnce(&mut Query<'_>),
) -> Page {
    let (user, record) = (UserId::new("u").unwrap(), regular().encode());
    let mut query = query(&user, Some(&record));
    query.session = Some(session);
    change(&mut query);
    block_on(engine.page(query, slots))
}

fn ids(page: &Page, list: usize) -> Vec<&str> {
    page.lists[list].iter().map(|placed| placed.recommendation.product_id.as_str()).collect()
}

fn kinds(page: &Page, list: usize) -> Vec<Kind> {
    page.lists[list].iter().map(|placed| placed.kind).collect()
}

/// The slot of a placement that exists from the start.
fn placement(name: &str, product_id: Option<&str>, products: &[&str]) -> Slot {
    let document = Placements::default();
    let step =
        |step: cartwheel_placements::Step<'_>| SlotStep { kind: step.kind, expression: None };
    Slot {
        placement: name.to_owned(),
        steps: document.chain(name).into_iter().map(step).collect(),
        limit: document.placements[name].limit,
        diversity: Diversity::NONE,
        explore: 0,
        recommendation_id: None,
        product: product_id.map(product),
        products: products.iter().map(|id| product(id)).collect(),
    }
}

#[test]
fn no_product_stands_twice_and_earlier_lists_come_first() {
    for model in [Some(model()), None] {
        let engine = ServingEngine::new(release(model));
        let names = ["home", "home_buy_again", "home_trending", "product", "cart", "mail"];
        for rotation in 0..names.len() {
            let mut names = names.to_vec();
            names.rotate_left(rotation);
            let slots: Vec<Slot> = names
                .iter()
                .map(|name| Slot { limit: 3, ..placement(name, Some("p5"), &[]) })
                .collect();
            let page = page(&engine, &session(&["p2"], &[]), &slots);
            let all: Vec<&str> = (0..slots.len()).flat_map(|list| ids(&page, list)).collect();
            let different: BTreeSet<&str> = all.iter().copied().collect();
            assert_eq!(all.len(), different.len(), "{names:?}: {all:?}");
            // Ten products without the one in the cart and the one of the page.
            assert_eq!(all.len(), 8, "{names:?}: {all:?}");
            assert!(!different.contains("p2") && !different.contains("p5"), "{all:?}");
            let full = names.first().filter(|name| **name != "home_buy_again");
            assert!(full.is_none() || page.lists[0].len() == 3, "{names:?}: {all:?}");
        }
    }
}

#[test]
fn lists_that_share_nothing_are_those_of_single_placements() {
    let engine = ServingEngine::new(release(Some(model())));
    let session = session(&["p2"], &[]);
    let only = |text: &str, kinds: &[Kind]| {
        let expression = Expression::parse(text, Context::default(), Source::Shopper).unwrap();
        let step = |&kind| SlotStep { kind, expression: Some(expression.clone()) };
        Slot { steps: kinds.iter().map(step).collect(), limit: 5, ..Slot::default() }
    };
    let slots = [
        only("department = 'food'", &[Kind::ForYou]),
        only("aisle = 'aisle 3'", &[Kind::Cart, Kind::Popular]),
        only("aisle = 'aisle 4'", &[Kind::Trending, Kind::Popular]),
        Slot {
            products: ["p5", "p2"].map(product).to_vec(),
            ..only("department != ''", &[Kind::Rank])
        },
    ];
    let together = page(&engine, &session, &slots);
    for (at, slot) in slots.iter().enumerate() {
        let alone = page(&engine, &session, std::slice::from_ref(slot));
        assert!(!alone.lists[0].is_empty());
        assert_eq!(alone.lists[0], together.lists[at], "list {at}");
    }
    assert_eq!(ids(&together, 3).len(), 2, "the cart's products are ranked too");
}

#[test]
fn a_list_for_the_shopper_is_what_is_recommended() {
    for model in [Some(model()), None] {
        let engine = ServingEngine::new(release(model));
        let session = session(&["p2"], &[]);
        let (user, record) = (UserId::new("u").unwrap(), regular().encode());
        let asked = Query { session: Some(&session), ..query(&user, Some(&record)) };
        let recommended = block_on(engine.recommend(asked)).items;
        let page = page(&engine, &session, &[slot(10, &[Kind::ForYou])]);
        let listed: Vec<_> = page.lists[0].iter().map(|p| p.recommendation.clone()).collect();
        assert_eq!(listed, recommended);
        assert!(page.lists[0].iter().all(|placed| placed.kind == Kind::ForYou));
    }
}

#[test]
fn fallbacks_fill_a_list_and_each_product_says_where_it_is_from() {
    let engine = ServingEngine::new(release(Some(model())));
    let nobody = Session::default();
    // The cart is empty: only the fallbacks have products.
    let cart = slot(4, &[Kind::Cart, Kind::BuyAgain, Kind::Popular]);
    let filled = page(&engine, &nobody, std::slice::from_ref(&cart));
    assert_eq!(kinds(&filled, 0), [Kind::BuyAgain, Kind::BuyAgain, Kind::BuyAgain, Kind::Popular]);
    let bought: BTreeSet<&str> = ids(&filled, 0)[..3].iter().copied().collect();
    assert_eq!(bought, BTreeSet::from(["p0", "p1", "p4"]));
    let dated = |placed: &Placed| placed.recommendation.due_at.is_some();
    assert!(filled.lists[0][..3].iter().all(dated), "{filled:?}");

    let with_cart = page(&engine, &session(&["p2"], &[]), &[cart]);
    // The shopper has bought p4 before; p3 is always bought with p2.
    assert_eq!(ids(&with_cart, 0)[..2], ["p4", "p3"]);
    assert_eq!(kinds(&with_cart, 0)[0], Kind::Cart);
    assert_eq!(with_cart.lists[0].len(), 4);

    // What qualifies bounds a list, and nothing else does.
    let all = page(&engine, &nobody, &[slot(100, &[Kind::New, Kind::Popular])]);
    assert_eq!(all.lists[0].len(), 10);
    let short = page(&engine, &nobody, &[slot(100, &[Kind::BuyAgain])]);
    assert_eq!(short.lists[0].len(), 3);
}

#[test]
fn filters_hold_for_fallbacks_and_see_the_cart() {
    let mut shop = Shop::over(release(Some(model())));
    for (id, price) in [("p2", "4"), ("p3", "5"), ("p6", "3"), ("p7", "9")] {
        shop.put(id, json!({"name": id, "price": price}));
    }
    let text = "price <= cart.max_price";
    let expression = Expression::parse(text, Context::default(), Source::Shopper).unwrap();
    let step = |kind| SlotStep { kind, expression: Some(expression.clone()) };
    let steps = [Kind::Cart, Kind::BuyAgain, Kind::Popular].map(step).to_vec();
    let slots = [Slot { steps, limit: 5, ..Slot::default() }];
    assert_eq!(ids(&page(&shop.engine, &session(&["p2"], &[]), &slots), 0), ["p6"]);
    assert_eq!(ids(&page(&shop.engine, &session(&["p3"], &[]), &slots), 0), ["p2", "p6"]);
}

#[test]
fn each_kind_lists_its_own_products() {
    let mut shop = Shop::over(release(Some(model())));
    shop.put("new", json!({"name": "New", "categories": ["food"]}));
    shop.put("p9", json!({"name": "Hidden", "hidden": true}));
    let viewed = |id: &str, at_ms| ProductView { product_id: product(id), at_ms };
    let views = ["p7", "new", "p9", "p6", "p7"].into_iter().zip(NOW_MS - 60_000..);
    let session = Session {
        views: views.map(|(id, at_ms)| viewed(id, at_ms)).collect(),
        ..session(&["p2"], &[])
    };
    let event = EventRecord { product_ids: vec![product("p8")], ..view(NOW_MS - 1000) };
    let trends = shop.engine.trends();
    let at = trends.counted(0);
    trends.count(0, &[(at, Record::Event(event))], at.next());
    for (kind, expected) in [
        (Kind::New, vec!["new"]),
        (Kind::RecentlyViewed, vec!["p7", "p6", "new"]),
        (Kind::Trending, vec!["p8"]),
        (Kind::Cart, vec!["p4", "p3"]),
        (Kind::BoughtTogether, vec!["p1"]),
        (Kind::Rank, vec!["p4", "p3", "p2"]),
    ] {
        let asked = Slot {
            product: Some(product("p0")),
            products: ["p2", "p0", "p4", "p9", "p3"].map(product).to_vec(),
            ..slot(3, &[kind])
        };
        let page = page(&shop.engine, &session, &[asked]);
        let mut found = ids(&page, 0);
        if kind == Kind::Rank {
            // The shopper has bought p4 before; the order of the others is that of popularity.
            assert_eq!(found[0], "p4");
            found.sort_unstable_by(|a, b| b.cmp(a));
        } else if kind == Kind::Cart {
            found.truncate(2);
        }
        assert_eq!(found, expected, "{kind}");
        let placed = &page.lists[0][0];
        assert_eq!(placed.kind, kind);
        assert!(
            placed.recommendation.source.is_some() && !placed.recommendation.reasons.is_empty()
        );
    }
    // Without a product or products to ask about, these kinds are empty.
    for kind in [Kind::BoughtTogether, Kind::Substitutes, Kind::AlsoViewed, Kind::Rank] {
        assert!(page(&shop.engine, &session, &[slot(3, &[kind])]).lists[0].is_empty(), "{kind}");
    }
    let unknown = Slot { product: Some(product("nothing")), ..slot(3, &[Kind::AlsoViewed]) };
    assert!(page(&shop.engine, &session, &[unknown]).lists[0].is_empty());
}

fn view(received_at_ms: i64) -> EventRecord {
    let event = json!({"user_id": "v", "event": "view", "product_ids": ["p8"]});
    let event = cartwheel_events::Event::from_json(&event).unwrap();
    let record = EventRecord::new(event, "e".to_owned(), received_at_ms);
    assert_eq!(record.event, EventKind::View);
    record
}

/// Gives every row the same probability, and counts how often it is asked.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Scorer for Arc<Counting> {
    fn score<'a>(
        &'a self,
        variant: &'a str,
        rows: &'a [f32],
        width: usize,
    ) -> Pending<'a, Result<Vec<f32>, ScoreError>> {
        assert_eq!((variant, width), ("a", FEATURES.len()));
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { Ok(vec![0.25; rows.len() / width]) })
    }
}

#[test]
fn a_page_is_ranked_in_one_pass() {
    let asked = Arc::new(Counting::default());
    let engine = ServingEngine::new(release(Some(model()))).scored_by(Arc::new(Arc::clone(&asked)));
    let names = ["home", "home_buy_again", "cart", "checkout", "category", "product"];
    let slots: Vec<Slot> =
        names.iter().map(|name| placement(name, Some("p5"), &["p1", "p7"])).collect();
    let answer = page(&engine, &session(&["p2"], &[]), &slots);
    assert_eq!(asked.0.load(Ordering::Relaxed), 1);
    assert!(!answer.degraded);
    // Nothing is ranked for lists that are the same for everybody.
    page(&engine, &Session::default(), &[slot(3, &[Kind::Popular, Kind::New])]);
    assert_eq!(asked.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_page_without_a_record_is_degraded_and_full() {
    let engine = ServingEngine::new(release(Some(model())));
    let slots = [placement("home", None, &[])];
    let answer = page_of(&engine, &Session::default(), &slots, |query| query.record = None);
    assert!(answer.degraded);
    assert_eq!(answer.lists[0].len(), 10);
    let excluded: Vec<ProductId> = ["p0", "p1"].map(product).to_vec();
    let rest = page_of(&engine, &Session::default(), &slots, |query| {
        query.filters.exclude_products = excluded;
    });
    assert_eq!(rest.lists[0].len(), 8);
}
