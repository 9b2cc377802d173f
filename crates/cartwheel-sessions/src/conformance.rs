//! Checks that every [`UserStore`] and every [`ProductStore`](crate::ProductStore) has to pass.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use cartwheel_events::{Event, EventRecord, UserId};
use cartwheel_stream::{Position, Sequence};
use serde_json::json;

pub use crate::catalogue::conformance::{product_writers, products};
use crate::{SESSION_MS, Session, Shopper, UserStore};

const NOW: i64 = 1_700_000_000_000;

fn record(user: &str, kind: &str, product: &str, id: &str, at_ms: i64) -> EventRecord {
    let body = json!({"user_id": user, "event": kind, "product_ids": [product]});
    EventRecord::new(Event::from_json(&body).unwrap(), id.to_owned(), at_ms)
}

fn at(sequence: &str) -> Position {
    Position { shard: 1, sequence: sequence.parse().unwrap() }
}

fn cart(shopper: &Shopper) -> Vec<String> {
    let session = shopper.session.as_deref().cloned().unwrap_or_default();
    session.cart.iter().map(|item| item.product_id.to_string()).collect()
}

/// Checks reads, writes, replays and expiry. The store must hold no users whose ids begin
/// with `name`. `sequences` are ascending sequence numbers of its stream.
///
/// # Panics
/// When the store fails a check.
pub async fn users(store: Arc<dyn UserStore>, name: &str, sequences: [&str; 8]) {
    let ids = ["a", "b", "c"].map(|n| UserId::new(format!("{name}-{n}")).unwrap());
    let [a, b, c] = ids.each_ref().map(UserId::as_str);
    assert!(store.is_ready());
    let found = store.find(&ids, None, NOW).await.unwrap();
    assert_eq!(found, vec![Shopper::default(); 3], "no user is stored");

    let records = [
        (at(sequences[0]), record(a, "add_to_cart", "p1", "e0", NOW)),
        (at(sequences[1]), record(b, "add_to_cart", "p9", "e1", NOW)),
        (at(sequences[2]), record(a, "add_to_cart", "p2", "e2", NOW)),
        (at(sequences[4]), record(a, "remove_from_cart", "p1", "e3", NOW)),
    ];
    store.apply(&records).await.unwrap();
    let found = store.find(&ids, None, NOW).await.unwrap();
    assert_eq!(found.iter().map(cart).collect::<Vec<_>>(), [vec!["p2"], vec!["p9"], vec![]]);
    assert_eq!(found[2].session, None, "{c} has no events");
    let session = found[0].session.clone().unwrap();
    assert_eq!(session.next_sequence, at(sequences[4]).sequence.next());

    // Delivered again: all records, some of them, and one that is older than the newest.
    store.apply(&records).await.unwrap();
    store.apply(&records[2..3]).await.unwrap();
    let late = (at(sequences[3]), record(a, "add_to_cart", "p3", "late", NOW));
    store.apply(std::slice::from_ref(&late)).await.unwrap();
    let again = store.find(&ids[..1], None, NOW).await.unwrap();
    assert_eq!(again[0].session.as_deref(), Some(&*session), "a replay changes nothing");

    // The same user twice in one request, and users in another order.
    let twice = [ids[1].clone(), ids[0].clone(), ids[1].clone()];
    let found = store.find(&twice, None, NOW).await.unwrap();
    assert_eq!(found.iter().map(cart).collect::<Vec<_>>(), [["p9"], ["p2"], ["p9"]]);

    // The session that `accept` returns contains the record, whichever process stores it.
    let own = record(b, "add_to_cart", "p8", "e5", NOW);
    let before = found[0].session.clone();
    let after = store.accept(before, at(sequences[5]), &own).await.unwrap();
    let products: Vec<_> = after.cart.iter().map(|item| item.product_id.as_str()).collect();
    assert_eq!(products, ["p9", "p8"]);
    store.apply(&[(at(sequences[5]), own)]).await.unwrap();
    let found = store.find(&ids[1..2], None, NOW).await.unwrap();
    assert_eq!(found[0].session.as_deref(), Some(&*after), "the consumer stores the same session");
    let fresh = record(c, "view", "p1", "e6", NOW);
    let after = store.accept(None, at(sequences[6]), &fresh).await.unwrap();
    assert_eq!((after.events, after.views.len()), (1, 1));

    // A session expires after seven days, and the next event starts another.
    let later = NOW + SESSION_MS + 1;
    let found = store.find(&ids[..1], None, later).await.unwrap();
    assert_eq!(found[0], Shopper::default());
    store.apply(&[(at(sequences[7]), record(a, "add_to_cart", "p4", "e7", later))]).await.unwrap();
    let found = store.find(&ids[..1], None, later).await.unwrap();
    assert_eq!(cart(&found[0]), ["p4"]);
}

/// Checks that a guest's session goes over to a user, also when the records come again or those of
/// the guest first. The store must hold no users whose ids contain `name`. `sequences` are
/// ascending sequence numbers of its stream.
///
/// # Panics
/// When the store fails a check.
pub async fn ties(store: Arc<dyn UserStore>, name: &str, sequences: [&str; 4]) {
    let (user, guest) = (format!("{name}-u"), UserId::guest(format!("{name}-g")).unwrap());
    let shoppers = [UserId::new(&user).unwrap(), guest.clone()];
    let body = json!({"anonymous_id": guest.anonymous_id(), "event": "add_to_cart",
        "product_ids": ["tea"]});
    let added = EventRecord::new(Event::from_json(&body).unwrap(), "g0".to_owned(), NOW);
    let added = (at(sequences[0]), added);
    store.apply(std::slice::from_ref(&added)).await.unwrap();
    let found = store.find(&shoppers, None, NOW).await.unwrap();
    let session = found[1].session.clone().unwrap();

    let body = json!({"user_id": user, "anonymous_id": guest.anonymous_id(), "event": "identify"});
    let mut own = EventRecord::new(Event::from_json(&body).unwrap(), "t".to_owned(), NOW);
    own.carried = session.tie_to(&shoppers[0]).map(Box::new);
    let until = session.next_sequence.to_string();
    let tie = (at(sequences[2]), EventRecord::tie(&own, guest.clone(), until));
    let own = (at(sequences[1]), own);
    for _ in 0..2 {
        store.apply(std::slice::from_ref(&tie)).await.unwrap();
        store.apply(std::slice::from_ref(&own)).await.unwrap();
        store.apply(std::slice::from_ref(&added)).await.unwrap();
        let found = store.find(&shoppers, None, NOW).await.unwrap();
        assert_eq!(found.iter().map(cart).collect::<Vec<_>>(), [vec!["tea"], vec![]]);
        let tied_to = found[1].session.as_ref().unwrap().tied_to.clone();
        assert_eq!(tied_to.as_ref(), Some(&shoppers[0]));
    }
    let later = record(guest.anonymous_id().unwrap(), "add_to_cart", "jam", "g1", NOW);
    let later = EventRecord { user_id: guest, ..later };
    store.apply(&[(at(sequences[3]), later)]).await.unwrap();
    let found = store.find(&shoppers, None, NOW).await.unwrap();
    assert_eq!(found.iter().map(cart).collect::<Vec<_>>(), [vec!["tea"], vec!["jam"]]);
}

/// Checks concurrent writers: each of `stores` applies the same `count` records of one
/// user, in batches of another size, and the session is the one that a single writer makes.
///
/// # Panics
/// When the store fails the check.
pub async fn writers(stores: Vec<Arc<dyn UserStore>>, name: &str, count: u64) {
    let user = UserId::new(format!("{name}-w")).unwrap();
    let records: Vec<(Position, EventRecord)> = (0..count)
        .map(|n| {
            let position = Position { shard: 0, sequence: Sequence::from(n * 3) };
            let product = format!("p{}", n % 40);
            (position, record(user.as_str(), "add_to_cart", &product, &format!("e{n}"), NOW))
        })
        .collect();
    let mut alone = Session::default();
    for (position, record) in &records {
        alone.apply(*position, record);
    }
    let tasks = stores.iter().cloned().enumerate().map(|(writer, store)| {
        let records = records.clone();
        tokio::spawn(async move {
            for batch in records.chunks(writer + 1) {
                store.apply(batch).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let found = stores[0].find(&[user], None, NOW).await.unwrap();
    assert_eq!(found[0].session.as_deref(), Some(&alone));
}
