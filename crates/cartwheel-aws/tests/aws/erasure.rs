//! A shopper is erased from the table and from the lake, and what comes later stays.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use cartwheel_ambient::Clock;
use cartwheel_aws::{Lake, LakeEraser, LakeErasures, Users, export};
use cartwheel_events::{Event, EventRecord, UserId};
use cartwheel_lake::Erasure;
use cartwheel_sessions::{Shopper, UserStore};
use cartwheel_stream::{Position, Sequence};
use cartwheel_testkit::Emulator;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use serde_json::json;

use crate::harness::{bucket, users};

const NOW: i64 = 1_795_000_000_000;
const HOUR: i64 = 3_600_000;
const RETENTION: Duration = Duration::from_secs(24 * 3600);

fn id(user: &str) -> UserId {
    UserId::new(user).unwrap()
}

/// The record of a view, accepted at `at_ms`, at a place in the stream.
fn view(user: &str, at_ms: i64, sequence: u64) -> (Position, EventRecord) {
    let body = json!({"user_id": user, "event": "view", "product_ids": ["p"]});
    let event = Event::from_json(&body).unwrap();
    let position = Position { shard: 0, sequence: Sequence::from(sequence) };
    (position, EventRecord::new(event, format!("e{sequence}"), at_ms))
}

/// Reads shoppers, again if the emulator takes longer than a request may.
async fn find(users: &Users, ids: &[UserId], set: Option<&str>) -> Vec<Shopper> {
    for _ in 0..100 {
        if let Ok(found) = users.find(ids, set, NOW).await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the table does not answer");
}

async fn events(users: &Users, user: &str) -> u64 {
    let found = find(users, &[id(user)], None).await;
    found[0].session.as_ref().map_or(0, |session| session.events)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_forgets_a_shopper_and_late_records_change_nothing() {
    let dynamodb = Emulator::dynamodb();
    dynamodb.make_users("users");
    let store = users(&dynamodb.url(), "users").await;
    store.apply(&[view("u", NOW, 10), view("other", NOW, 11)]).await.unwrap();
    let long = vec![7; 1_000_000];
    let records = [(id("u"), long), (id("other"), vec![1])];
    store.load("fs-1", records, NOW / 1000).await.unwrap();

    for _ in 0..2 {
        store.forget(&id("u"), NOW + 5).await.unwrap();
        // Accepted before the erasure, and delivered after it.
        store.apply(&[view("u", NOW, 10), view("u", NOW + 4, 20)]).await.unwrap();
        let found = find(&store, &[id("u"), id("other")], Some("fs-1")).await;
        assert_eq!(found[0].record, None);
        assert_eq!(found[0].session.as_ref().map_or(0, |session| session.events), 0);
        assert_eq!(found[1].record, Some(vec![1]), "of nobody else");
        assert_eq!(events(&store, "other").await, 1);
    }
    store.apply(&[view("u", NOW + 6, 21)]).await.unwrap();
    assert_eq!(events(&store, "u").await, 1, "a new history begins");
    store.forget(&id("u"), NOW + 5).await.unwrap();
    assert_eq!(events(&store, "u").await, 1, "and the same erasure again leaves it alone");
    store.forget(&id("nobody"), NOW).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_has_read_the_session_does_not_bring_it_back() {
    let dynamodb = Emulator::dynamodb();
    dynamodb.make_users("users");
    let (store, other) =
        (users(&dynamodb.url(), "users").await, users(&dynamodb.url(), "users").await);
    store.apply(&[view("u", NOW, 0)]).await.unwrap();
    let consume = tokio::spawn(async move {
        for n in 1..200_u64 {
            store.apply(&[view("u", NOW + n as i64, n)]).await.unwrap();
        }
    });
    while events(&other, "u").await < 20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    other.forget(&id("u"), NOW + 1000).await.unwrap();
    consume.await.unwrap();
    assert_eq!(events(&other, "u").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn side_by_side_no_erasure_is_lost() {
    let moto = Emulator::moto();
    moto.make_bucket("lake");
    let tasks = (0..6).map(|n| {
        let erasures = LakeErasures::new(Lake::on(bucket(&moto.url(), "lake")));
        tokio::spawn(async move {
            let user_id = format!("u{n}");
            let erasure = Erasure { user_id, before: 0.into(), erased_at_ms: NOW };
            erasures.change(|list| list.add(erasure.clone())).await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let erasures = LakeErasures::new(Lake::on(bucket(&moto.url(), "lake")));
    let list = erasures.list().await.unwrap();
    assert_eq!(list.pending().count(), 6);
    erasures.change(|_| Ok(())).await.unwrap();
}

/// Shopper, guest and time of an event.
type Row<'a> = (&'a str, Option<&'a str>, i64);

/// A part of `events` as Firehose writes it, without a place in the stream.
fn delivered(rows: &[Row<'_>]) -> Vec<u8> {
    let texts = |of: &dyn Fn(&Row<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from(rows.iter().map(of).collect::<Vec<_>>()))
    };
    let times = Int64Array::from(rows.iter().map(|row| row.2).collect::<Vec<_>>());
    write(&[
        ("event_id", texts(&|row| Some(format!("{}-{}", row.0, row.2)))),
        ("user_id", texts(&|row| Some(row.0.to_owned()))),
        ("event", texts(&|_| Some("view".to_owned()))),
        ("anonymous_id", texts(&|row| row.1.map(str::to_owned))),
        ("received_at_ms", Arc::new(times)),
    ])
}

fn orders(users: &[&str]) -> Vec<u8> {
    let ids = StringArray::from_iter_values(users.iter().map(|user| format!("order of {user}")));
    let numbers = Int32Array::from(vec![1; users.len()]);
    write(&[
        ("order_id", Arc::new(ids)),
        ("user_id", Arc::new(StringArray::from(users.to_vec()))),
        ("order_number", Arc::new(numbers)),
    ])
}

fn write(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns.iter().cloned()).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

const HOURS: &str = "events/year=2026/month=11/day=23/hour=10";

async fn lay(store: &Arc<dyn ObjectStore>, now: i64) {
    let put = async |key: &str, bytes: Vec<u8>| {
        store.put(&key.into(), bytes.into()).await.unwrap();
    };
    let both = [("u", Some("g"), now - HOUR), ("other", None, now - HOUR), ("u", None, now + 9)];
    put(&format!("{HOURS}/a.parquet"), delivered(&both)).await;
    put(&format!("{HOURS}/b.parquet"), delivered(&[("u", None, now)])).await;
    put(&format!("{HOURS}/c.parquet"), delivered(&[("~g", None, now - HOUR)])).await;
    let part = "orders/import=1/part-00000.parquet";
    put(part, orders(&["u", "other"])).await;
    put("orders/import=1/part-00001.parquet", orders(&["other"])).await;
    put("orders/import=0/part-00000.parquet", b"of an import that was killed".to_vec()).await;
    let manifest = cartwheel_lake::Manifest {
        orders: vec![part.into(), "orders/import=1/part-00001.parquet".into()],
        ..Default::default()
    };
    put("imports/current.json", manifest.to_bytes().unwrap()).await;
}

/// A table and a lake with a day's events and an import.
struct Account {
    store: Arc<dyn ObjectStore>,
    lake: Lake,
    users: Users,
    erasures: LakeErasures,
    /// UTC milliseconds. The service notes the time of each object.
    now: i64,
    _services: [Emulator; 2],
}

impl Account {
    async fn laid() -> Self {
        let (moto, dynamodb) = (Emulator::moto(), Emulator::dynamodb());
        moto.make_bucket("lake");
        dynamodb.make_users("users");
        let store = bucket(&moto.url(), "lake");
        let now = Clock::system().now_ms();
        lay(&store, now).await;
        let (lake, users) = (Lake::on(store.clone()), users(&dynamodb.url(), "users").await);
        let erasures = LakeErasures::new(lake.clone());
        Self { store, lake, users, erasures, now, _services: [moto, dynamodb] }
    }
}

async fn keys(store: &Arc<dyn ObjectStore>, prefix: &str) -> Vec<String> {
    let objects: Vec<_> = store.list(Some(&prefix.into())).try_collect().await.unwrap();
    let mut keys: Vec<String> = objects.iter().map(|o| o.location.to_string()).collect();
    keys.sort();
    keys
}

/// How many rows an export has of a table.
fn rows(export: &serde_json::Value, table: &str) -> usize {
    export[table].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lake_forgets_a_shopper_in_two_rounds() {
    let Account { store, lake, users, erasures, now, .. } = &Account::laid().await;
    let (now, limit) = (*now, Duration::from_secs(60));

    let found = export(lake, &id("u"), limit).await.unwrap();
    assert_eq!((rows(&found, "events"), rows(&found, "orders")), (3, 1), "{found}");
    assert_eq!((&found["truncated"], &found["problems"]), (&json!(false), &json!([])));
    let cut = export(lake, &id("u"), Duration::ZERO).await.unwrap();
    assert_eq!(cut["truncated"], json!(true), "{cut}");
    assert!(cut["problems"][0].as_str().unwrap().contains("not read within 0 s"), "{cut}");

    erasures.erase(users, &id("u"), now).await.unwrap();
    let eraser = LakeEraser::new(lake, users, RETENTION);
    // An object that cannot be read holds up no other, and is named.
    let broken = format!("{HOURS}/d.parquet");
    store.put(&broken.as_str().into(), "damaged".into()).await.unwrap();
    let pass = eraser.pass(now + HOUR, limit).await.unwrap();
    assert_eq!((pass.changed, pass.guests, pass.cleaned), (3, 1, 0), "{pass:?}");
    assert!(pass.unreadable[0].contains("d.parquet"), "{pass:?}");
    store.delete(&broken.as_str().into()).await.unwrap();
    let pass = eraser.pass(now + HOUR, limit).await.unwrap();
    assert_eq!((pass.changed, pass.cleaned), (1, 0), "the guest's: {pass:?}");
    let found = export(lake, &id("u"), limit).await.unwrap();
    assert_eq!((rows(&found, "events"), rows(&found, "orders")), (1, 0), "{found}");
    let other = export(lake, &id("other"), limit).await.unwrap();
    assert_eq!((rows(&other, "events"), rows(&other, "orders")), (1, 2), "{other}");
    assert_eq!(keys(store, "events").await, [format!("{HOURS}/a.parquet")]);
    let orders = keys(store, "orders/import=1").await;
    assert!(orders.iter().all(|key| key != "orders/import=1/part-00000.parquet"), "{orders:?}");
    assert_eq!(orders.len(), 2);

    // What Firehose still held is erased by the second pass, after the stream's retention.
    let late = format!("{HOURS}/late.parquet");
    let rows_of_both = delivered(&[("u", None, now - 1), ("other", None, now - 1)]);
    store.put(&late.as_str().into(), rows_of_both.into()).await.unwrap();
    let pass = eraser.pass(now + 2 * HOUR, limit).await.unwrap();
    assert_eq!((pass.read, pass.cleaned), (0, 0), "not yet: {pass:?}");
    let pass = eraser.pass(now + 24 * HOUR, limit).await.unwrap();
    // No feature set holds them: nothing was built.
    assert_eq!((pass.changed, pass.cleaned, pass.finished), (1, 2, 2), "{pass:?}");
    let other = export(lake, &id("other"), limit).await.unwrap();
    assert_eq!(rows(&other, "events"), 2);
    let list = erasures.list().await.unwrap();
    assert_eq!((list.pending().count(), list.cleaned), (0, 2));
    assert_eq!(eraser.pass(now + 25 * HOUR, limit).await.unwrap().read, 0, "nothing is due");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_that_takes_longer_than_a_pass_is_erased_from_in_several() {
    let Account { store, lake, users, erasures, now, .. } = &Account::laid().await;
    let now = *now;
    erasures.erase(users, &id("u"), now).await.unwrap();

    // Each pass has time for one object.
    let first = LakeEraser::new(lake, users, RETENTION).with_batch(1);
    let pass = first.pass(now + HOUR, Duration::ZERO).await.unwrap();
    assert_eq!((pass.read, pass.left), (1, 4), "{pass:?}");
    assert!(!erasures.list().await.unwrap().of("u").unwrap().hidden);
    // What is requested meanwhile has a round of its own, and does not begin this one again.
    erasures.erase(users, &id("other"), now).await.unwrap();
    let (mut hours, mut left) = (2, pass.left);
    while left > 0 {
        // Each is run by a new process of the function.
        let eraser = LakeEraser::new(lake, users, RETENTION).with_batch(1);
        let pass = eraser.pass(now + hours * HOUR, Duration::ZERO).await.unwrap();
        assert_eq!((pass.read, pass.left, pass.cleaned), (1, left - 1, 0), "{pass:?}");
        (hours, left) = (hours + 1, pass.left);
    }
    let found = export(lake, &id("u"), Duration::from_secs(60)).await.unwrap();
    assert_eq!((rows(&found, "events"), rows(&found, "orders")), (1, 0), "{found}");
    let found = export(lake, &id("other"), Duration::from_secs(60)).await.unwrap();
    assert_eq!((rows(&found, "events"), rows(&found, "orders")), (1, 2), "{found}");
    let list = erasures.list().await.unwrap();
    assert!(list.of("u").unwrap().hidden && !list.of("other").unwrap().hidden, "{list:?}");

    // A round that began before the stream's retention was over may have missed what came late,
    // whenever it ends.
    let eraser = LakeEraser::new(lake, users, RETENTION).with_batch(1);
    eraser.pass(now + 23 * HOUR, Duration::ZERO).await.unwrap();
    let late = format!("{HOURS}/z.parquet");
    store.put(&late.as_str().into(), delivered(&[("u", None, now - 1)]).into()).await.unwrap();
    let limit = Duration::from_secs(60);
    let pass = eraser.pass(now + 24 * HOUR, limit).await.unwrap();
    assert_eq!((pass.left, pass.cleaned), (0, 0), "{pass:?}");
    let pass = eraser.pass(now + 24 * HOUR, limit).await.unwrap();
    assert_eq!((pass.cleaned, pass.finished), (3, 3), "{pass:?}");
    let found = export(lake, &id("u"), limit).await.unwrap();
    assert_eq!(rows(&found, "events"), 1, "{found}");
}
