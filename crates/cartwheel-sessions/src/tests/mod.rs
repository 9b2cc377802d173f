mod backfill;
mod cache;
mod damage;
mod failing;
mod flush;
mod imports;
mod recovery;
mod ties;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cartwheel_ambient::Clock;
use cartwheel_events::{Event, EventRecord, Record, UserId};
use cartwheel_stream::{MemoryStream, Position, ReadError, Sequence, Stream};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::*;

const NOW: i64 = 1_700_000_000_000;

fn event(body: &Value) -> Event {
    Event::from_json(body).unwrap()
}

fn record(id: &str, body: &Value, at: i64) -> EventRecord {
    EventRecord::new(event(body), id.into(), at)
}

fn at(sequence: u64) -> Position {
    Position { shard: 3, sequence: sequence.into() }
}

/// An event about products; a search is for their ids.
fn act(kind: &str, products: &[&str]) -> Value {
    if kind == "search" {
        return json!({"user_id": "u", "event": kind, "query": products.join(" ")});
    }
    json!({"user_id": "u", "event": kind, "product_ids": products})
}

fn user(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

fn session_of(acts: &[(&str, &[&str])]) -> Session {
    let mut session = Session::default();
    for (sequence, (kind, products)) in acts.iter().enumerate() {
        let record = record(&format!("e{sequence}"), &act(kind, products), NOW);
        assert!(session.apply(at(sequence as u64), &record));
    }
    session
}

fn cart(session: &Session) -> Vec<(String, u32)> {
    session.cart.iter().map(|item| (item.product_id.to_string(), item.quantity)).collect()
}

#[test]
fn each_event_kind_changes_its_part_of_the_session() {
    let mut session = session_of(&[
        ("view", &["a"]),
        ("add_to_cart", &["a", "b"]),
        ("add_to_cart", &["a"]),
        ("remove_from_cart", &["b"]),
        ("search", &["green", "tea"]),
    ]);
    let [search] = session.searches.make_contiguous() else { panic!("{session:?}") };
    assert_eq!((&*search.query, search.at_ms), ("green tea", NOW));
    assert_eq!(cart(&session), [("a".to_owned(), 2)]);
    assert_eq!(session.views.len(), 1);
    assert_eq!((session.events, session.adds), (5, 3));

    let session = session_of(&[
        ("add_to_cart", &["a", "b", "c"]),
        ("update_cart", &["d", "e"]),
        ("checkout", &["d", "x"]),
    ]);
    assert_eq!(cart(&session), [("e".to_owned(), 1)]);
    let items: Vec<&str> = session.checkouts[0].items.iter().map(|p| p.as_str()).collect();
    assert_eq!(items, ["d", "x"]);
    assert_eq!(session.checkouts[0].event_id, "e2");

    assert!(session_of(&[("add_to_cart", &["a"]), ("update_cart", &[])]).cart.is_empty());
}

#[test]
fn every_list_of_a_session_is_bounded() {
    let mut session = Session::default();
    for sequence in 0..300 {
        let product = format!("p{sequence}");
        for (n, kind) in
            ["view", "add_to_cart", "checkout", "add_to_cart", "search"].iter().enumerate()
        {
            let id = format!("{sequence}-{n}");
            session.apply(at(sequence * 5 + n as u64), &record(&id, &act(kind, &[&product]), NOW));
        }
    }
    assert_eq!(session.cart.len(), MAX_CART);
    assert_eq!(session.views.len(), MAX_VIEWS);
    assert_eq!(session.views.back().unwrap().product_id.as_str(), "p299");
    assert_eq!(session.cart_changes.len(), MAX_CART_CHANGES);
    assert_eq!(session.searches.len(), MAX_SEARCHES);
    assert_eq!(session.searches.back().unwrap().query, "p299");
    assert_eq!(session.recent_events.len(), MAX_RECENT);
    assert_eq!(session.checkouts.len(), MAX_CHECKOUTS);
    assert_eq!(session.checkouts.last().unwrap().event_id, "299-2");
    assert_eq!(session.checkout_count, 300);
}

#[test]
fn a_session_expires_after_seven_days() {
    let mut session = Session::default();
    session.apply(at(0), &record("e0", &act("add_to_cart", &["a"]), NOW));
    assert!(!session.is_expired(NOW + SESSION_MS));
    assert!(session.is_expired(NOW + SESSION_MS + 1));
    session.apply(at(1), &record("e1", &act("add_to_cart", &["b"]), NOW + SESSION_MS + 1));
    assert_eq!(cart(&session), [("b".to_owned(), 1)]);
    assert_eq!((session.events, session.next_sequence), (1, 2.into()));
}

#[test]
fn a_repeated_event_is_recognized_by_id_and_body() {
    let mut session = Session::default();
    let body = act("add_to_cart", &["a", "b"]);
    session.apply(at(7), &record("e1", &body, NOW));
    let recent = session.recent("e1", NOW + DEDUP_MS).unwrap();
    assert_eq!(recent.position, Some(at(7)));
    assert!(recent.repeats(&event(&body)));
    assert!(!recent.repeats(&event(&act("add_to_cart", &["a"]))));
    assert!(!recent.repeats(&event(&act("add_to_cart", &["ab"]))));
    assert!(!recent.repeats(&event(&act("view", &["a", "b"]))));
    assert!(!recent.repeats(&event(&act("checkout", &[]))));
    assert!(session.recent("e2", NOW).is_none());
    assert!(session.recent("e1", NOW + DEDUP_MS + 1).is_none());

    // A checkout of the cart is stored with the cart's items and sent without.
    session.apply(at(8), &record("e2", &act("checkout", &["a", "b"]), NOW));
    assert!(session.recent("e2", NOW).unwrap().repeats(&event(&act("checkout", &[]))));
    assert!(!session.recent("e2", NOW).unwrap().repeats(&event(&act("checkout", &["b"]))));
}

#[test]
fn stored_hashes_never_change() {
    // Stored sessions contain this hash: another value would turn repetitions into conflicts.
    assert_eq!(event_hash(&event(&act("view", &["a"]))), 0xe86f_9734_9f90_287a);
    let whole =
        event(&json!({"user_id": "u", "event": "checkout", "session_id": "s", "source": "web",
        "recommendation_id": "r", "timestamp": NOW, "items": [
            {"product_id": "a", "quantity": 2, "price": 1.5}, {"product_id": "b"}]}));
    assert_eq!(event_hash(&whole), 0x1e7a_f915_a8b2_ba1f);
    assert!(
        RecentEvent::new(Some(at(1)), &EventRecord::new(whole.clone(), "e".into(), NOW))
            .repeats(&whole)
    );
}

#[test]
fn positions_give_record_ids_and_shard_ids() {
    assert_eq!(at(42).record_id(), "3-42");
    assert_eq!(at(42).shard_id(), "shardId-000000000003");
    assert_eq!(Position::parse("3-42"), Some(at(42)));
    assert_eq!(Position::parse("3-"), None);
}

#[test]
fn recent_events_are_stored_without_field_names_and_read_with_them_too() {
    let mut session = Session::default();
    session.apply(at(7), &record("e1", &act("view", &["a"]), NOW));
    let mut json = serde_json::to_value(&session).unwrap();
    assert_eq!(serde_json::from_value::<Session>(json.clone()).unwrap(), session);
    let list = json["recent_events"][0].as_array().unwrap().clone();
    assert_eq!((&list[0], &list[3]), (&"e1".into(), &"3-7".into()));
    assert_eq!(json["views"], json!([["a", NOW]]));
    // The form that release 0.1 wrote.
    let names = ["event_id", "body_hash", "bare_hash", "record_id", "received_at_ms"];
    let named = names.iter().map(ToString::to_string).zip(list);
    json["recent_events"][0] = serde_json::Value::Object(named.collect());
    assert_eq!(serde_json::from_value::<Session>(json).unwrap(), session);
}

fn table(folder: &tempfile::TempDir) -> Arc<dyn SessionTable> {
    Arc::new(RedbSessionTable::new(folder.path().join("sessions.redb")))
}

#[test]
fn a_sweep_removes_expired_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(&folder);
    let mut changed = Vec::new();
    for n in 0..10 {
        let mut session = Session::default();
        let age = if n % 2 == 0 { SESSION_MS + 1 } else { 0 };
        session.apply(at(0), &record("e", &act("view", &["a"]), NOW - age));
        changed.push((user(&format!("u{n}")), Arc::new(session)));
    }
    table.commit(&[], &mut changed.into_iter()).unwrap();
    let mut after = table.sweep(None, 4, NOW).unwrap();
    assert_eq!(after.as_deref(), Some("u3"));
    while after.is_some() {
        after = table.sweep(after.as_deref(), 4, NOW).unwrap();
    }
    let left = (0..10).filter(|n| table.session(&user(&format!("u{n}"))).unwrap().is_some());
    assert_eq!(left.collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
}

fn event_record(user: &str, id: &str, kind: &str) -> Record {
    let body = json!({"user_id": user, "event": kind, "product_ids": ["a"]});
    Record::Event(record(id, &body, NOW))
}

#[test]
fn what_a_page_reports_as_seen_is_no_action_of_the_shopper() {
    let mut session = Session::default();
    let view = act("view", &["a"]);
    assert!(session.apply(at(0), &record("e1", &view, NOW)));
    let before = session.clone();
    let mut seen = act("impression", &["a", "b"]);
    seen["recommendation_id"] = json!("r");
    assert!(session.apply(at(1), &record("e2", &seen, NOW + 1)));
    let mut backfilled = record("e3", &seen, NOW - 1);
    backfilled.backfilled_at_ms = Some(NOW + 2);
    assert!(session.apply(at(2), &backfilled));
    let expected = Session { next_sequence: session.next_sequence, updated_ms: NOW + 1, ..before };
    assert_eq!(session, expected);
}

/// Runs the consumer until `until` holds, and then shuts it down.
async fn consume(stream: &Arc<MemoryStream>, sessions: &Arc<Sessions>, until: impl Fn() -> bool) {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stream: Arc<dyn Stream> = Arc::clone(stream) as _;
    let shutdown = async move { drop(stopped.await) };
    let task = tokio::spawn(consume_sessions(
        stream,
        Arc::clone(sessions),
        Clock::fixed(NOW),
        |_| (),
        shutdown,
    ));
    while !until() {
        assert!(!task.is_finished(), "the consumer ended");
        tokio::task::yield_now().await;
    }
    stop.send(()).unwrap();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_record_is_applied_once_by_the_consumer_and_the_api_together() {
    let folder = tempfile::tempdir().unwrap();
    let stream = Arc::new(MemoryStream::new(4));
    let records =
        (0..50).map(|n| event_record(&format!("u{}", n % 7), &n.to_string(), "add_to_cart"));
    stream.put(records.collect()).await;
    {
        let sessions = Arc::new(Sessions::new(table(&folder), 1000));
        assert!(!sessions.is_ready());
        consume(&stream, &sessions, || sessions.is_ready()).await;
        assert_eq!(sessions.session(&user("u0"), NOW).unwrap().unwrap().events, 8);
    }
    // The next process continues from the checkpoint, while more events come.
    stream.put(vec![event_record("u0", "50", "add_to_cart")]).await;
    let sessions = Arc::new(Sessions::new(table(&folder), 1000));
    let run = consume(&stream, &sessions, || {
        sessions.session(&user("u0"), NOW).unwrap().is_some_and(|session| session.events == 10)
    });
    let submit = async {
        while !sessions.is_ready() {
            tokio::task::yield_now().await;
        }
        let _lock = sessions.lock_all(&[user("u0")]).await;
        let sent = event_record("u0", "51", "add_to_cart");
        let position = stream.put(vec![sent.clone()]).await.remove(0).unwrap();
        let Record::Event(sent) = sent else { unreachable!() };
        let session = sessions.apply(position, &sent).unwrap();
        assert_eq!(cart(&session), [("a".to_owned(), 10)]);
    };
    tokio::join!(run, submit);
    let stored = reopened(sessions, &folder).session(&user("u0")).unwrap().unwrap();
    assert_eq!((stored.events, cart(&stored)), (10, vec![("a".to_owned(), 10)]));
}

/// Drops the sessions and opens their table again.
fn reopened(sessions: Arc<Sessions>, folder: &tempfile::TempDir) -> Arc<dyn SessionTable> {
    drop(Arc::into_inner(sessions).unwrap());
    table(folder)
}

#[tokio::test]
async fn a_stream_that_ends_before_the_checkpoint_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    stream.put(vec![event_record("u", "1", "view")]).await;
    let sessions = Arc::new(Sessions::new(table(&folder), 1000));
    consume(&stream, &sessions, || sessions.is_ready()).await;
    drop(sessions);
    let sessions = Arc::new(Sessions::new(table(&folder), 1000));
    let empty: Arc<dyn Stream> = Arc::new(MemoryStream::new(1));
    let result =
        consume_sessions(empty, Arc::clone(&sessions), Clock::fixed(NOW), |_| (), async {}).await;
    assert!(matches!(result, Err(ConsumeError::Read(ReadError::Beyond { .. }))), "{result:?}");
    assert!(!sessions.is_ready());
}

proptest! {
    #[test]
    fn replay_changes_nothing(acts in prop::collection::vec((0..5_usize, 0..6_u8), 1..60),
                              restarts in prop::collection::vec(0..60_usize, 0..4)) {
        let kinds = ["view", "add_to_cart", "remove_from_cart", "update_cart", "checkout"];
        let records: Vec<EventRecord> = acts.iter().enumerate().map(|(n, &(kind, product))| {
            record(&format!("e{n}"), &act(kinds[kind], &[&format!("p{product}")]), NOW + n as i64)
        }).collect();
        let mut once = Session::default();
        for (n, record) in records.iter().enumerate() {
            prop_assert!(once.apply(at(n as u64), record));
        }
        let mut often = Session::default();
        for (n, record) in records.iter().enumerate() {
            often.apply(at(n as u64), record);
            if restarts.contains(&n) {
                for (n, record) in records[..=n].iter().enumerate() {
                    prop_assert!(!often.apply(at(n as u64), record));
                }
            }
        }
        prop_assert_eq!(&once, &often);
        let text = serde_json::to_vec(&once).unwrap();
        prop_assert_eq!(once, serde_json::from_slice(&text).unwrap());
    }
}

fn open(dir: &std::path::Path) -> Arc<dyn UserStore> {
    let table = RedbSessionTable::new(dir.join("sessions.redb"));
    let sessions = Sessions::new(Arc::new(table), 100);
    sessions.set_caught_up();
    Arc::new(sessions)
}

#[tokio::test]
async fn sessions_pass_the_conformance_checks() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    conformance::users(store.clone(), "x", ["0", "1", "2", "3", "4", "7", "8", "9"]).await;
    conformance::ties(store.clone(), "x", ["10", "11", "12", "13"]).await;
    conformance::writers(vec![store.clone(), store], "x", 60).await;
}
