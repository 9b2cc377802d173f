//! What to buy again, and when.

use cartwheel_events::UserId;
use cartwheel_sessions::Session;
use futures::executor::block_on;

use super::shop::{DAY_MS, NOW_MS, product, query, regular, release, session};
use crate::{Answer, Engine, Filters, Query, ServingEngine};

/// The newest of the shopper's orders, a week after the one before.
const LAST_MS: i64 = NOW_MS - 72 * DAY_MS;

fn ask(session: Option<&Session>, change: impl FnOnce(&mut Query<'_>)) -> Answer {
    let engine = ServingEngine::new(release(None));
    let (user, record) = (UserId::new("u").unwrap(), regular().encode());
    let mut query = query(&user, Some(&record));
    (query.session, query.now_ms) = (session, LAST_MS + 5 * DAY_MS);
    change(&mut query);
    engine.buy_again(&query)
}

fn ids(answer: &Answer) -> Vec<&str> {
    answer.items.iter().map(|item| item.product_id.as_str()).collect()
}

#[test]
fn a_weekly_product_is_due_a_week_after_its_last_purchase() {
    let answer = ask(None, |_| ());
    assert_eq!(ids(&answer).len(), 3, "{answer:?}");
    let item = answer.items.iter().find(|item| item.product_id.as_str() == "p4").unwrap();
    let at = |text: &Option<String>| {
        text.as_deref().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
    };
    let (due, earliest, latest) = (at(&item.due_at), at(&item.due_earliest), at(&item.due_latest));
    assert!(((5 * DAY_MS)..(11 * DAY_MS)).contains(&(due - LAST_MS)), "{item:?}");
    assert!(earliest < due && due < latest, "{item:?}");
    assert!(item.probability > 0.5 && item.probability <= 1.0, "{item:?}");
    assert_eq!(item.source.as_deref(), Some("buy_again"));
    assert!(item.reasons[0].starts_with("You buy it about every "), "{item:?}");
    // The same dates are in every answer about the product.
    let (user, record) = (UserId::new("u").unwrap(), regular().encode());
    let engine = ServingEngine::new(release(None));
    let question = Query { now_ms: LAST_MS + 5 * DAY_MS, ..query(&user, Some(&record)) };
    let answer = block_on(engine.recommend(question));
    let recommended = answer.items.iter().find(|item| item.product_id.as_str() == "p4").unwrap();
    assert_eq!(recommended.due_at, item.due_at);
    assert!(answer.items.iter().any(|item| item.due_at.is_none()), "never bought");
}

#[test]
fn the_cart_and_what_does_not_qualify_are_left_out() {
    let in_cart = session(&["p4"], &[]);
    let answer = ask(Some(&in_cart), |_| ());
    assert!(!ids(&answer).contains(&"p4") && answer.items.len() == 2, "{answer:?}");
    let answer = ask(None, |query| {
        query.filters = Filters { exclude_products: vec![product("p0")], ..Filters::default() };
        query.limit = 1;
    });
    assert!(answer.items.len() == 1 && ids(&answer) != ["p0"], "{answer:?}");
    let answer = ask(None, |query| query.record = None);
    assert!(answer.degraded && answer.items.is_empty(), "{answer:?}");
}

#[test]
fn what_was_bought_on_the_same_day_comes_last() {
    let bought = session(&[], &[("e", LAST_MS + 5 * DAY_MS, &["p0"])]);
    let answer = ask(Some(&bought), |_| ());
    assert_eq!(ids(&answer).last(), Some(&"p0"), "{answer:?}");
}
