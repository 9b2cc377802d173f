//! Conformance checks that every [`Stream`] must pass.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use cartwheel_events::{Event, EventRecord, Record};
use serde_json::json;

use crate::position::{Sequence, shard_of};
use crate::stream::Stream;

/// Returns a record of a view by `user` with event id `id`.
///
/// # Panics
/// When `user` or `id` is not a valid id.
pub fn record(user: &str, id: &str) -> Record {
    let body = json!({"user_id": user, "event": "view", "product_ids": ["p"]});
    let event = Event::from_json(&body).unwrap();
    Record::Event(EventRecord::new(event, id.to_owned(), 1_700_000_000_000))
}

/// Returns an impression of a product by `user`, with the id `answer`.
///
/// # Panics
/// When `user` is not a valid id.
pub fn impression(user: &str) -> Record {
    let text = json!({
        "schema_version": 1, "recommendation_id": "answer", "user_id": user, "release": "r",
        "cart": [], "shown": [{"product_id": "p", "position": 0, "score": 0.5, "source": "cart"}],
        "received_at_ms": 1_700_000_000_000_i64
    });
    Record::Impression(serde_json::from_value(text).unwrap())
}

/// Returns the id of a record.
pub fn id(record: &Record) -> String {
    match record {
        Record::Event(event) => event.event_id.clone(),
        Record::Impression(impression) => impression.recommendation_id.clone(),
        Record::Product(change) => change.product_id.to_string(),
    }
}

/// Reads every record of every shard, by position.
pub async fn all(stream: &dyn Stream) -> BTreeMap<(u32, Sequence), Record> {
    let mut out = BTreeMap::new();
    for shard in 0..stream.shards() {
        let mut from = Sequence::default();
        loop {
            let batch = stream.read(shard, from, 7).await.unwrap();
            for (sequence, record) in batch.records {
                assert!(sequence >= from, "no record is read twice");
                out.insert((shard, sequence), (*record).clone());
            }
            if batch.next == from {
                break;
            }
            from = batch.next;
        }
    }
    out
}

/// Checks that a stream behaves as the trait requires. The stream must be empty.
///
/// # Panics
/// When it does not.
pub async fn stream(stream: Arc<dyn Stream>) {
    let records: Vec<Record> =
        (0..300).map(|n| record(&format!("u{}", n % 9), &format!("e{n}"))).collect();
    let results = stream.put(records.clone()).await;
    assert_eq!(results.len(), records.len(), "one result per record");
    let found = all(&*stream).await;
    assert_eq!(found.len(), records.len());
    for (result, record) in results.iter().zip(&records) {
        let position = result.as_ref().unwrap();
        assert_eq!(&found[&(position.shard, position.sequence)], record, "it is at its position");
        let user = &*record.partition_key();
        assert_eq!(position.shard, shard_of(user, stream.shards()), "a user has one shard");
    }
    for user in 0..9 {
        let own = |r: &&Record| r.partition_key() == format!("u{user}");
        let order: Vec<String> = found.values().filter(own).map(id).collect();
        let expected: Vec<String> = records.iter().filter(own).map(id).collect();
        assert_eq!(order, expected, "a user's records keep their order");
    }
    let shard = results[0].as_ref().unwrap().shard;
    stream.put(vec![impression("u0"), record("u0", "after")]).await;
    let (mut from, mut others) = (Sequence::default(), Vec::new());
    loop {
        let batch = stream.read_without_impressions(shard, from, 7).await.unwrap();
        others.extend(batch.records.iter().map(|(_, record)| id(record)));
        if batch.next == from {
            break;
        }
        from = batch.next;
    }
    let mut all = Vec::new();
    let found = self::all(&*stream).await;
    all.extend(found.iter().filter(|((of, _), _)| *of == shard).map(|(_, record)| id(record)));
    assert_eq!(all.len(), others.len() + 1, "all but the impression");
    all.retain(|id| id != "answer");
    assert_eq!(all, others);
    let end = stream.read(shard, Sequence::default(), 1000).await.unwrap().next;
    let late = stream.clone();
    let waiting = tokio::spawn(async move { late.wait(shard, end).await });
    stream.put(vec![records[0].clone()]).await[0].as_ref().unwrap();
    waiting.await.unwrap();
    assert!(stream.read(shard, (u64::MAX / 2).into(), 1).await.is_err(), "past the end");
    assert!(stream.read(stream.shards(), Sequence::default(), 1).await.is_err(), "no such shard");
}
