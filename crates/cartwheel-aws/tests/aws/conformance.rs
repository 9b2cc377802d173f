use std::sync::Arc;

use cartwheel_aws::{Lake, S3Registry};
use cartwheel_registry::conformance::Backing;
use cartwheel_registry::{Pending, Registry};
use cartwheel_sessions::{ProductStore, UserStore};
use cartwheel_testkit::Emulator;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::harness::{bucket, products, stream, users};

#[tokio::test(flavor = "multi_thread")]
async fn kinesis_conforms() {
    let kinesis = Emulator::kinesis();
    kinesis.make_stream("events", 4);
    let stream = stream(&kinesis.url(), "events").await;
    cartwheel_stream::conformance::stream(Arc::new(stream)).await;
}

/// Sequence numbers as Kinesis gives them.
const SEQUENCES: [&str; 8] = [
    "49590338271490256608559692538361571095921575989136588898",
    "49590338271490256608559692538361571095921575989136588899",
    "49590338271490256608559692538361571095921575989136589000",
    "49590338271490256608559692538361571095921575989136589010",
    "49590338271490256608559692540925702759324208523137515618",
    "49590338271490256608559692540925702759324208523137515619",
    "49590338271490256608559692540925702759324208523137515700",
    "149590338271490256608559692540925702759324208523137515618",
];

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_conforms() {
    let dynamodb = Emulator::dynamodb();
    dynamodb.make_users("users");
    let store: Arc<dyn UserStore> = Arc::new(users(&dynamodb.url(), "users").await);
    cartwheel_sessions::conformance::users(store.clone(), "x", SEQUENCES).await;
    let [a, b, c, d, ..] = SEQUENCES;
    cartwheel_sessions::conformance::ties(store.clone(), "y", [a, b, c, d]).await;
    let other: Arc<dyn UserStore> = Arc::new(users(&dynamodb.url(), "users").await);
    cartwheel_sessions::conformance::writers(vec![store, other.clone(), other], "x", 60).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_catalogue_conforms() {
    let dynamodb = Emulator::dynamodb();
    dynamodb.make_users("users");
    let lake = Lake::on(Arc::new(InMemory::new()));
    let mut stores: Vec<Arc<dyn ProductStore>> = Vec::new();
    for _ in 0..3 {
        stores.push(products(&dynamodb.url(), "users", lake.clone()).await);
    }
    cartwheel_sessions::conformance::products(stores[0].clone(), "p").await;
    // Their changes are more than a journal keeps.
    cartwheel_sessions::conformance::product_writers(stores, "p", 60).await;
}

/// A lake of its own below a prefix of the bucket.
struct Prefix(Arc<dyn ObjectStore>);

impl Backing for Prefix {
    fn registry(&self) -> Arc<dyn Registry> {
        Arc::new(S3Registry::new(Lake::on(self.0.clone())))
    }

    fn put<'a>(&'a self, name: &'a str, content: &'a [u8]) -> Pending<'a, ()> {
        Box::pin(async move {
            self.0.put(&name.into(), content.to_vec().into()).await.unwrap();
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Pending<'a, ()> {
        Box::pin(async move { self.0.delete(&name.into()).await.unwrap() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_on_s3_conforms() {
    let moto = Emulator::moto();
    moto.make_bucket("lake");
    let lake = |name: &str| -> Arc<dyn Backing> {
        Arc::new(Prefix(Arc::new(PrefixStore::new(bucket(&moto.url(), "lake"), name))))
    };
    cartwheel_registry::conformance::registry(&lake).await;
    cartwheel_registry::document_conformance::documents(&lake).await;
    cartwheel_engine::conformance::deployment(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn user_records_are_found_with_their_set_and_long_ones_whole() {
    use cartwheel_events::UserId;
    let dynamodb = Emulator::dynamodb();
    dynamodb.make_users("users");
    let store = users(&dynamodb.url(), "users").await;
    let user = |n: usize| UserId::new(format!("u{n}")).unwrap();
    let record =
        |n: usize, size: usize| (0..size).map(|at| (at * 31 + n) as u8).collect::<Vec<u8>>();
    // A user with 50,000 products takes about a megabyte: more than two items.
    let sizes = |n: usize| if n == 7 { 1_000_000 } else { 40 + n };
    let records = (0..120).map(|n| (user(n), record(n, sizes(n))));
    let items = store.load("fs-1", records, 1_700_000_000).await.unwrap();
    assert_eq!(items, 122);
    store.load("fs-2", [(user(3), b"new".to_vec())], 1_700_000_000).await.unwrap();

    let asked: Vec<UserId> = (0..130).map(user).collect();
    let found = store.find(&asked, Some("fs-1"), 1_700_000_000_000).await.unwrap();
    for (n, shopper) in found.iter().enumerate() {
        let expected = (n < 120).then(|| record(n, sizes(n)));
        assert_eq!(shopper.record, expected, "user {n}");
        assert_eq!(shopper.session, None);
    }
    let found = store.find(&asked[3..5], Some("fs-2"), 1_700_000_000_000).await.unwrap();
    assert_eq!(found[0].record.as_deref(), Some(&b"new"[..]));
    assert_eq!(found[1].record, None);
    let found = store.find(&asked[3..4], None, 1_700_000_000_000).await.unwrap();
    assert_eq!(found[0].record, None, "nobody asked for it");
}
