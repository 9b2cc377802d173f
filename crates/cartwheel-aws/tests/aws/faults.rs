use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cartwheel_engine::Scorer;
use cartwheel_events::{EventRecord, Record, UserId};
use cartwheel_sessions::{Session, UserStore};
use cartwheel_stream::conformance::{all, id, record};
use cartwheel_stream::{Position, Sequence, Stream};
use cartwheel_testkit::{Emulator, FaultProxy, Faults, Slow, free_port};

use crate::harness::{config, stream, users};

const NOW: i64 = 1_700_000_000_000;

/// A stream that fails in every way at once: what is acknowledged is stored, a user's
/// first copies keep their order, and only what was refused is put again.
#[tokio::test(flavor = "multi_thread")]
async fn puts_survive_partial_failures_throttling_and_lost_answers() {
    for seed in 0..6 {
        let kinesis = Emulator::kinesis();
        kinesis.make_stream("events", 4);
        let faults = Faults {
            error: 0.05,
            throttle: 0.05,
            lost_answer: 0.05,
            partial: 0.5,
            slow: Some(Slow { fraction: 0.2, delay: Duration::from_millis(20) }),
        };
        let proxy = FaultProxy::start(kinesis.port(), seed, faults).await;
        let client = aws_sdk_kinesis::Client::new(&config(&proxy.url()).await);
        let faulty = cartwheel_aws::KinesisStream::new(client, "events");
        let records: Vec<Record> =
            (0..400).map(|n| record(&format!("u{}", n % 37), &format!("e{n}"))).collect();
        let mut acknowledged: Vec<String> = Vec::new();
        for batch in records.chunks(80) {
            let results = faulty.put(batch.to_vec()).await;
            assert_eq!(results.len(), batch.len());
            let stored = results.iter().zip(batch).filter(|(result, _)| result.is_ok());
            acknowledged.extend(stored.map(|(_, record)| id(record)));
        }
        let seen = proxy.seen();
        assert!(seen.partial > 0, "{seen:?}");
        assert!(acknowledged.len() > 390, "seed {seed}: {} of 400", acknowledged.len());

        let found = all(&stream(&kinesis.url(), "events").await).await;
        let mut copies: BTreeMap<String, usize> = BTreeMap::new();
        let mut order: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for record in found.values() {
            let n: usize = id(record)[1..].parse().unwrap();
            let copy = copies.entry(id(record)).or_default();
            *copy += 1;
            if *copy == 1 {
                order.entry(record.partition_key().into_owned()).or_default().push(n);
            }
        }
        for id in &acknowledged {
            assert!(copies.contains_key(id), "seed {seed}: {id} was acknowledged and is lost");
        }
        for (user, order) in order {
            assert!(order.is_sorted(), "seed {seed}: {user} has {order:?}");
        }
        let again = copies.values().filter(|copies| **copies > 1).count();
        assert!(
            seen.lost_answers > 0 || again == 0,
            "seed {seed}: {again} stored twice, though every answer came: {seen:?}"
        );
    }
}

/// Several consumers over a table that fails, with batches that come again and late:
/// the sessions are as if everything had been applied once, in order.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_survive_a_table_that_fails() {
    for seed in 0..4 {
        let dynamodb = Emulator::dynamodb();
        dynamodb.make_users("users");
        let faults =
            Faults { error: 0.05, throttle: 0.1, lost_answer: 0.05, partial: 0.5, slow: None };
        let proxy = FaultProxy::start(dynamodb.port(), seed, faults).await;
        let store = Arc::new(users(&proxy.url(), "users").await);
        let records: Vec<(Position, EventRecord)> = (0..240_u64)
            .map(|n| {
                let Record::Event(event) = record(&format!("u{}", n % 30), &format!("e{n}")) else {
                    unreachable!("an event")
                };
                (Position { shard: 0, sequence: Sequence::from(n) }, event)
            })
            .collect();
        for (n, batch) in records.chunks(40).enumerate() {
            let mut tries = 0;
            while !store.consume(batch).await.is_empty() {
                tries += 1;
                assert!(tries < 50, "seed {seed}: it has to end");
            }
            if n > 0 {
                // An old batch comes once more, behind a newer one.
                let old = &records[(n - 1) * 40..n * 40];
                let _ = store.consume(old).await;
            }
        }
        let seen = proxy.seen();
        assert!(seen.partial > 0 && seen.throttled > 0, "{seen:?}");
        let plain = users(&dynamodb.url(), "users").await;
        for n in 0..30 {
            let user = UserId::new(format!("u{n}")).unwrap();
            let mut expected = Session::default();
            for (position, record) in records.iter().filter(|(_, r)| r.user_id == user) {
                expected.apply(*position, record);
            }
            let found = plain.find(&[user], None, NOW).await.unwrap();
            assert_eq!(found[0].session.as_deref(), Some(&expected), "seed {seed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_loaded_whole_through_unprocessed_items() {
    let dynamodb = Emulator::dynamodb();
    dynamodb.make_users("users");
    let faults = Faults { throttle: 0.1, partial: 0.6, ..Faults::default() };
    let proxy = FaultProxy::start(dynamodb.port(), 9, faults).await;
    let ids: Vec<UserId> = (0..300).map(|n| UserId::new(format!("u{n}")).unwrap()).collect();
    let records = ids.iter().map(|id| (id.clone(), id.as_str().repeat(30).into_bytes()));
    let items = users(&proxy.url(), "users").await.load("fs-1", records, 0).await.unwrap();
    assert_eq!(items, 300);
    assert!(proxy.seen().partial > 3, "{:?}", proxy.seen());
    // The same through a table that leaves keys out, too.
    proxy.set(Faults { partial: 0.5, ..Faults::default() });
    let store = users(&proxy.url(), "users").await;
    for some in ids.chunks(20) {
        // A request gives up after half a second; here the next one asks again.
        let mut asked = 0;
        let found = loop {
            match store.find(some, Some("fs-1"), NOW).await {
                Ok(found) => break found,
                Err(error) => assert!(asked < 50, "{error}"),
            }
            asked += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        for (id, shopper) in some.iter().zip(found) {
            assert_eq!(shopper.record.unwrap(), id.as_str().repeat(30).into_bytes());
        }
    }
}

/// An endpoint that nobody serves, and one that never answers: callers get an error, and
/// soon get it at once.
#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_endpoint_is_not_waited_for() {
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    for url in [nowhere, silent] {
        let client = aws_sdk_sagemakerruntime::Client::new(&config(&url).await);
        let endpoint = cartwheel_aws::Endpoint::new(client, "shop");
        let mut times = Vec::new();
        for _ in 0..200 {
            let start = Instant::now();
            assert!(endpoint.score("a", &[1.0, 2.0], 2).await.is_err());
            times.push(start.elapsed());
        }
        times.sort_unstable();
        assert!(times[190] < Duration::from_millis(20), "{:?}", times[190]);
    }
}
