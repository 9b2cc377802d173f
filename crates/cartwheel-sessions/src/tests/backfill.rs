//! Backfilled events join the past of a session and leave its present alone.

use super::*;

const HOUR: i64 = 3_600_000;

fn backfilled(id: &str, body: &Value, at_ms: i64) -> EventRecord {
    EventRecord::backfilled(event(body), id.into(), at_ms, NOW)
}

#[test]
fn a_late_event_joins_the_history_and_leaves_the_cart_alone() {
    let mut session = Session::default();
    session.apply(at(0), &record("v2", &act("view", &["b"]), NOW - 2 * HOUR));
    session.apply(at(1), &record("a2", &act("add_to_cart", &["milk"]), NOW - HOUR));
    session.apply(at(2), &record("c2", &act("checkout", &["tea"]), NOW));
    let before = session.clone();
    for (n, (kind, products)) in [
        ("view", &["a"][..]),
        ("add_to_cart", &["old"]),
        ("remove_from_cart", &["milk"]),
        ("update_cart", &["old"]),
        ("checkout", &["milk"]),
    ]
    .into_iter()
    .enumerate()
    {
        let late = backfilled(&format!("late-{n}"), &act(kind, products), NOW - 3 * HOUR);
        assert!(session.apply(at(3 + n as u64), &late));
    }
    assert_eq!(session.cart, before.cart);
    assert_eq!(session.updated_ms, before.updated_ms);
    let views: Vec<_> = session.views.iter().map(|view| view.product_id.as_str()).collect();
    assert_eq!(views, ["a", "b"]);
    let checkouts: Vec<_> = session.checkouts.iter().map(|c| &*c.event_id).collect();
    assert_eq!(checkouts, ["late-4", "c2"]);
    assert!(session.recent("late-4", NOW).is_some() && session.recent("c2", NOW).is_some());
    // A replay changes nothing.
    let after = session.clone();
    assert!(!session.apply(at(3), &backfilled("late-0", &act("view", &["a"]), NOW - 3 * HOUR)));
    assert_eq!(session, after);
}

#[test]
fn an_expired_event_enters_no_session() {
    let mut session = Session::default();
    let expired = backfilled("e", &act("add_to_cart", &["a"]), NOW - SESSION_MS - 1);
    assert!(!session.apply(at(0), &expired));
    assert_eq!(session, Session::default());
    assert!(session.apply(at(1), &backfilled("f", &act("add_to_cart", &["a"]), NOW - SESSION_MS)));
    assert_eq!(cart(&session), [("a".to_owned(), 1)]);
}

#[test]
fn a_late_event_evicts_nothing_newer() {
    let mut session = Session::default();
    for n in 0..100_u64 {
        session.apply(at(2 * n), &record(&format!("v{n}"), &act("view", &["x"]), NOW));
        session.apply(at(2 * n + 1), &record(&format!("c{n}"), &act("checkout", &["x"]), NOW));
    }
    let before = session.clone();
    for (sequence, kind) in [(200, "view"), (201, "checkout")] {
        session.apply(at(sequence), &backfilled("late", &act(kind, &["y"]), NOW - HOUR));
    }
    assert_eq!((&session.views, &session.checkouts), (&before.views, &before.checkouts));
    assert_eq!(session.recent_events, before.recent_events);
}

proptest! {
    /// Events that come in the order of their times make the session that they make live.
    #[test]
    fn a_backfill_in_order_equals_live_events(
        acts in prop::collection::vec((0..5_usize, 0..6_u8), 1..60),
    ) {
        let kinds = ["view", "add_to_cart", "remove_from_cart", "update_cart", "checkout"];
        let (mut live, mut filled) = (Session::default(), Session::default());
        for (n, &(kind, product)) in acts.iter().enumerate() {
            let (id, body) = (format!("e{n}"), act(kinds[kind], &[&format!("p{product}")]));
            let at_ms = NOW - (acts.len() - n) as i64 * HOUR;
            live.apply(at(n as u64), &record(&id, &body, at_ms));
            filled.apply(at(n as u64), &backfilled(&id, &body, at_ms));
        }
        prop_assert_eq!(live, filled);
    }
}
