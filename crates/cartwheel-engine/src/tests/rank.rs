//! Given products, ordered for a shopper.

use std::sync::Arc;

use cartwheel_events::{ProductId, ProductRecord, UserId};
use cartwheel_filter::{Context, Expression, Source};
use cartwheel_sessions::{LiveCatalogue, Session};
use cartwheel_stream::{Position, Sequence};
use futures::executor::block_on;
use serde_json::{Value, json};

use super::shop::{NOW_MS, model, product, query, regular, release, session};
use crate::{Engine, Filters, Opened, Query, Ranking, ServingEngine, UnrankedReason};

/// A shop with three changed products: a new one, a hidden one and a cheap one.
fn shop(opened: Opened) -> ServingEngine {
    let live = Arc::new(LiveCatalogue::in_memory());
    let engine = ServingEngine::new(opened).with_catalogue(live.clone(), false);
    let put = |number: u64, id: &str, fields: Value| {
        let record = ProductRecord {
            schema_version: 1,
            product_id: product(id),
            product: Some(fields),
            received_at_ms: NOW_MS,
        };
        live.apply(Position { shard: 0, sequence: Sequence::from(number) }, &record);
    };
    put(1, "new", json!({"product_id": "new", "name": "New"}));
    put(2, "p3", json!({"product_id": "p3", "name": "Hidden", "hidden": true}));
    put(3, "p2", json!({"product_id": "p2", "name": "Cheap", "price": "1"}));
    engine
}

fn rank(
    engine: &ServingEngine,
    session: &Session,
    products: &[&str],
    change: impl FnOnce(&mut Query<'_>),
) -> Ranking {
    let (user, record) = (UserId::new("u").unwrap(), regular().encode());
    let mut query = query(&user, Some(&record));
    (query.session, query.limit) = (Some(session), 1000);
    change(&mut query);
    let products: Vec<ProductId> = products.iter().map(|id| product(id)).collect();
    block_on(engine.rank(query, &products))
}

fn ids(ranking: &Ranking) -> Vec<&str> {
    ranking.items.iter().map(|item| item.product_id.as_str()).collect()
}

#[test]
fn every_product_that_may_be_shown_has_a_place() {
    let engine = shop(release(Some(model())));
    let given = ["p9", "p3", "nothing", "p1", "new", "p2", "p1", "p0"];
    let carts: [&[&str]; 3] = [&[], &["p0"], &["new", "p0"]];
    for cart in carts {
        let ranking = rank(&engine, &session(cart, &[]), &given, |_| ());
        let mut found = ids(&ranking);
        // The shopper buys 0 and 1 every week.
        assert!(["p0", "p1"].contains(&found[0]) && ["p0", "p1"].contains(&found[1]), "{found:?}");
        found.sort_unstable();
        assert_eq!(found, ["new", "p0", "p1", "p2", "p9"], "{cart:?}");
        assert!(ranking.items.is_sorted_by(|a, b| a.probability >= b.probability));
        let unranked: Vec<_> =
            ranking.unranked.iter().map(|u| (u.product_id.as_str(), u.reason)).collect();
        let reasons = [("p3", UnrankedReason::NotShown), ("nothing", UnrankedReason::Unknown)];
        assert_eq!(unranked, reasons);
        assert_eq!((&*ranking.model_version, ranking.degraded), ("m-1", false));
    }
}

#[test]
fn probabilities_are_those_of_recommendations() {
    for model in [Some(model()), None] {
        let engine = shop(release(model));
        let (user, record) = (UserId::new("u").unwrap(), regular().encode());
        let answer = block_on(engine.recommend(query(&user, Some(&record))));
        let known = answer.items.iter().filter(|item| item.product_id.as_str() != "new");
        let mut known: Vec<_> =
            known.map(|item| (item.product_id.as_str(), item.probability)).collect();
        let given: Vec<&str> = known.iter().map(|(id, _)| *id).collect();
        let ranking = rank(&engine, &Session::default(), &given, |_| ());
        let mut ranked: Vec<_> =
            ranking.items.iter().map(|i| (i.product_id.as_str(), i.probability)).collect();
        // Products that are due are put first in recommendations alone.
        known.sort_by_key(|(id, _)| *id);
        ranked.sort_by_key(|(id, _)| *id);
        assert_eq!(ranked, known);
        assert!(ranked.len() >= 8);
    }
}

#[test]
fn a_filter_and_a_limit_shorten_the_list() {
    let engine = shop(release(Some(model())));
    let expression = Expression::parse("price < 3", Context::default(), Source::Shopper).unwrap();
    let filters = Filters { expression: Some(expression), ..Filters::default() };
    let given = ["p0", "p1", "p2"];
    let ranking = rank(&engine, &Session::default(), &given, |query| query.filters = filters);
    assert_eq!(ids(&ranking), ["p2"]);
    assert!(ranking.unranked.iter().all(|u| u.reason == UnrankedReason::Filtered));
    assert_eq!(ranking.unranked.len(), 2);
    let ranking = rank(&engine, &Session::default(), &given, |query| query.limit = 2);
    assert_eq!((ids(&ranking).len(), ranking.unranked.len()), (2, 0));
}
