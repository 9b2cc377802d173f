//! Products that are new to the customer, reasons, and products that are similar to others.

use cartwheel_events::UserId;
use cartwheel_recommend::Discovery;
use futures::executor::block_on;
use rustc_hash::FxHashMap;

use super::shop::{NOW_MS, model, product, query, regular, release};
use crate::{Answer, Engine, Filters, Query, ServingEngine, Similarity};

fn ask(share: f32, query: impl for<'a> Fn(&'a UserId, &'a [u8]) -> Query<'a>) -> Answer {
    let engine = ServingEngine::new(release(Some(model()))).discovering(Discovery::new(share));
    let (user, record) = (UserId::new("u").unwrap(), regular().encode());
    block_on(engine.recommend(query(&user, &record)))
}

fn new_in(answer: &Answer, places: usize) -> usize {
    let bought = ["p0", "p1", "p4"];
    let first = answer.items.iter().take(places);
    first.filter(|item| !bought.contains(&item.product_id.as_str())).count()
}

#[test]
fn discovery_is_the_least_share_of_new_products() {
    let answer = |share| ask(share, |user, record| query(user, Some(record)));
    assert_eq!(new_in(&answer(0.0), 3), 0, "the user buys the same three products");
    assert_eq!(new_in(&answer(0.5), 2), 1);
    assert_eq!(new_in(&answer(0.5), 4), 2);
    let all = answer(1.0);
    assert!(all.items.len() >= 5);
    assert_eq!(new_in(&all, all.items.len()), all.items.len());
}

#[test]
fn a_list_says_the_same_at_most_three_times() {
    for explain in [false, true] {
        let answer = ask(0.0, |user, _| Query {
            cart: Some(vec![product("p0"), product("p2")]),
            explain,
            limit: 10,
            ..query(user, None)
        });
        let mut said: FxHashMap<&str, usize> = FxHashMap::default();
        answer.items.iter().flat_map(|i| &i.reasons).for_each(|r| *said.entry(r).or_default() += 1);
        assert!(!said.is_empty() && said.values().all(|&times| times <= 3), "{said:?}");
    }
}

#[test]
fn an_explained_answer_names_its_columns_in_plain_words() {
    let answer = ask(0.0, |user, record| Query { explain: true, ..query(user, Some(record)) });
    let explanation = answer.items[0].explanation.as_ref().unwrap();
    let times = explanation.features.iter().find(|f| f.name == "up_order_count").unwrap();
    assert_eq!(
        (times.label.as_str(), times.unit.as_str(), times.subject.as_str()),
        ("Times the customer bought it", "orders", "habit")
    );
    assert!(times.contribution > 0.0);
    assert_eq!(answer.items[0].reasons[0], "You buy this every 7 days");
}

#[test]
fn similar_products_are_bought_together_or_alike_but_not_both() {
    let engine = ServingEngine::new(release(None));
    let similar = |kind| {
        let found = engine.similar(&product("p0"), kind, &Filters::default(), 5, NOW_MS).unwrap();
        let id = |item: &crate::Recommendation| item.product_id.as_str().to_owned();
        found.iter().map(id).collect::<Vec<_>>()
    };
    // Half of all orders hold p1; the others of its orders hold each of p4 to p8 by chance.
    assert_eq!(similar(Some(Similarity::BoughtTogether)), ["p1"]);
    assert_eq!(similar(Some(Similarity::Substitutes)), ["p2", "p3", "p4"]);
    assert_eq!(similar(Some(Similarity::AlsoViewed))[0], "p1", "of the same aisle");
    assert_eq!(similar(None), ["p1", "p2", "p3", "p4"]);
}
