//! The live catalogue of several processes: what each sees, and what faults do to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use cartwheel_aws::{Lake, Products};
use cartwheel_events::{ProductId, ProductRecord, SCHEMA_VERSION};
use cartwheel_sessions::{ChangeError, LiveCatalogue, ProductChange, ProductStore};
use cartwheel_stream::{MemoryStream, Position};
use cartwheel_testkit::{Emulator, FaultProxy, Faults};
use object_store::memory::InMemory;
use serde_json::{Value, json};

use crate::harness::{bucket, config, products};

const NOW: i64 = 1_700_000_000_000;
/// A journal of this many entries is shortened.
const ENTRIES: usize = 128;
/// The partition of the journal.
const JOURNAL: &str = "catalogue\tchanges";

fn id(product: &str) -> ProductId {
    ProductId::new(product).unwrap()
}

/// A change of a product as `store` knows it.
fn change(store: &Products, product: &str, mut fields: Value) -> ProductChange {
    fields["product_id"] = product.into();
    let record = ProductRecord {
        schema_version: SCHEMA_VERSION,
        product_id: id(product),
        product: Some(fields),
        received_at_ms: NOW,
    };
    ProductChange { before: store.live().get(&id(product)).map(|l| l.position), record }
}

async fn put(store: &Products, changes: Vec<ProductChange>) -> Vec<Result<Position, ChangeError>> {
    store.put(&MemoryStream::new(1), changes).await
}

async fn put_stock(store: &Products, product: &str, stock: usize) -> Result<Position, ChangeError> {
    put(store, vec![change(store, product, json!({"stock": stock}))]).await.remove(0)
}

fn stock(live: &LiveCatalogue, product: &str) -> Option<u32> {
    live.get(&id(product))?.product?.stock
}

/// The number of entries in the journal that are not empty.
async fn entries(dynamodb: &Emulator) -> usize {
    let client = aws_sdk_dynamodb::Client::new(&config(&dynamodb.url()).await);
    let items = client.query().table_name("users").consistent_read(true);
    let items = items
        .key_condition_expression("user_id = :journal")
        .filter_expression("attribute_exists(#data)")
        .expression_attribute_names("#data", "data")
        .expression_attribute_values(":journal", AttributeValue::S(JOURNAL.into()));
    items.send().await.unwrap().items().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_journal_becomes_a_snapshot_that_every_process_reads() {
    let (dynamodb, moto) = (Emulator::dynamodb(), Emulator::moto());
    dynamodb.make_users("users");
    moto.make_bucket("lake");
    let open = async || {
        let lake = Lake::on(bucket(&moto.url(), "lake"));
        products(&dynamodb.url(), "users", lake).await
    };
    let (writer, follower) = (open().await, open().await);
    follower.refresh().await.unwrap();
    put_stock(&writer, "old", 7).await.unwrap();
    put_stock(&writer, "gone", 1).await.unwrap();
    let mut gone = change(&writer, "gone", json!({}));
    gone.record.product = None;
    put(&writer, vec![gone]).await.remove(0).unwrap();
    for n in 0..ENTRIES + 9 {
        put_stock(&writer, "sold", n).await.unwrap();
    }
    // One at the end of the snapshot, and what came after it.
    let kept = entries(&dynamodb).await;
    assert!((2..=ENTRIES).contains(&kept), "{kept} entries");

    // One that has missed emptied entries puts none in their place, and one that is new sees it.
    put_stock(&follower, "late", 2).await.unwrap();
    let started = open().await;
    for process in [&follower, &started] {
        process.refresh().await.unwrap();
        let live = process.live();
        assert_eq!(stock(&live, "sold"), Some(ENTRIES as u32 + 8));
        assert_eq!(stock(&live, "old"), Some(7));
        assert_eq!(live.get(&id("gone")).unwrap().product, None);
        writer.refresh().await.unwrap();
        assert_eq!(stock(&live, "late"), Some(2));
        for product in ["sold", "old", "gone", "late"] {
            assert_eq!(live.get(&id(product)), writer.live().get(&id(product)), "{product}");
        }
    }
    assert!(cartwheel_events::UserId::new(JOURNAL).is_err(), "no shopper writes into the journal");

    // They write on where the first one stopped.
    put_stock(&started, "sold", 3).await.unwrap();
    assert_eq!(put_stock(&follower, "sold", 4).await, Err(ChangeError::Raced));
    assert_eq!(stock(&follower.live(), "sold"), Some(3), "it has noticed the change");

    // Without the snapshot, a new process says what is missing.
    let bare = products(&dynamodb.url(), "users", Lake::on(Arc::new(InMemory::new()))).await;
    let error = bare.refresh().await.unwrap_err().to_string();
    assert!(error.contains("restore the newest version of the object snapshots/"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_and_large_products_are_stored_in_several_entries() {
    let dynamodb = Emulator::dynamodb();
    dynamodb.make_users("users");
    let lake = Lake::on(Arc::new(InMemory::new()));
    let open = async || products(&dynamodb.url(), "users", lake.clone()).await;
    let (writer, reader) = (open().await, open().await);
    // Text that hardly compresses.
    let mut seed = 1_u64;
    let mut text = || -> String {
        let letter = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b' ' + (seed >> 33) as u8 % 90)
        };
        (0..5_000).map(letter).collect()
    };
    let changes: Vec<ProductChange> = (0..300)
        .map(|n| change(&writer, &format!("p{n}"), json!({"description": text()})))
        .collect();
    let results = put(&writer, changes).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(entries(&dynamodb).await > 3);
    reader.refresh().await.unwrap();
    assert_eq!(reader.live().len(), 300);
    assert_eq!(reader.live().get(&id("p299")), writer.live().get(&id("p299")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_fails_loses_and_doubles_no_change() {
    for seed in 0..3 {
        let dynamodb = Emulator::dynamodb();
        dynamodb.make_users("users");
        let faults = Faults { error: 0.05, throttle: 0.1, lost_answer: 0.1, ..Faults::default() };
        let proxy = FaultProxy::start(dynamodb.port(), seed, faults).await;
        let lake = Lake::on(Arc::new(InMemory::new()));
        let faulty = products(&proxy.url(), "users", lake.clone()).await;
        let (mut stored, mut tries) = (Vec::new(), 0);
        while stored.len() < 60 {
            tries += 1;
            assert!(tries < 600, "seed {seed}: it has to end");
            if faulty.lock(&[id("p")]).await.is_err() {
                continue;
            }
            // A failed put may have been stored; the same stock again is another change then.
            if let Ok(position) = put_stock(&faulty, "p", stored.len()).await {
                stored.push(position.sequence);
            }
        }
        let seen = proxy.seen();
        assert!(seen.lost_answers > 0 && seen.throttled > 0, "{seen:?}");
        assert!(stored.is_sorted_by(|a, b| a < b), "seed {seed}: {stored:?}");
        let plain = products(&dynamodb.url(), "users", lake).await;
        plain.refresh().await.unwrap();
        assert_eq!(plain.live().get(&id("p")), faulty.live().get(&id("p")), "seed {seed}");
        assert_eq!(stock(&plain.live(), "p"), Some(59));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_looks_at_the_journal_at_intervals_and_does_not_wait_for_a_dead_table() {
    let dynamodb = Emulator::dynamodb();
    dynamodb.make_users("users");
    let lake = Lake::on(Arc::new(InMemory::new()));
    let proxy = FaultProxy::start(dynamodb.port(), 1, Faults::default()).await;
    let writer = products(&dynamodb.url(), "users", lake.clone()).await;
    let follower = products(&proxy.url(), "users", lake).await;
    let (hour, limit) = (Duration::from_secs(3600), Duration::from_secs(20));
    follower.keep_up(hour, limit).await;
    let looks = proxy.seen().requests;
    put_stock(&writer, "p", 1).await.unwrap();
    follower.keep_up(hour, limit).await;
    assert_eq!((proxy.seen().requests, stock(&follower.live(), "p")), (looks, None));
    follower.keep_up(Duration::ZERO, limit).await;
    assert_eq!((proxy.seen().requests, stock(&follower.live(), "p")), (looks + 1, Some(1)));

    let slow = cartwheel_testkit::Slow { fraction: 1.0, delay: Duration::from_secs(60) };
    proxy.set(Faults { slow: Some(slow), ..Faults::default() });
    let start = Instant::now();
    follower.keep_up(Duration::ZERO, Duration::from_millis(20)).await;
    assert!(start.elapsed() < Duration::from_secs(10), "it answers with what it knows");
    assert_eq!(stock(&follower.live(), "p"), Some(1));
}
