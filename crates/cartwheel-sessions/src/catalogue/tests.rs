use std::sync::Arc;

use cartwheel_ambient::Clock;
use cartwheel_events::{Event, EventRecord, ProductId, Record};
use cartwheel_stream::{MemoryStream, Sequence, Stream};
use proptest::prelude::*;
use serde_json::json;

use super::conformance::change;
use super::{Changes, LiveCatalogue, MAX_UNKNOWN, ProductStore, consume_products};

fn id(id: &str) -> ProductId {
    ProductId::new(id).unwrap()
}

fn named(product: &str, name: &str) -> Record {
    Record::Product(change(product, Some(json!({"name": name})), Clock::fixed(7).now_ms()))
}

fn view(products: &[String]) -> Record {
    let body = json!({"user_id": "u", "event": "view", "product_ids": products});
    let event = Event::from_json(&body).unwrap();
    Record::Event(EventRecord::new(event, format!("e-{}", products.join("-").len()), 9))
}

fn name(catalogue: &LiveCatalogue, product: &str) -> Option<String> {
    catalogue.get(&id(product))?.product?.name.clone()
}

async fn consume(stream: &Arc<dyn Stream>, catalogue: &Arc<LiveCatalogue>) {
    let (stream, catalogue) = (Arc::clone(stream), Arc::clone(catalogue));
    consume_products(stream, catalogue, |_| false, |_| (), async {}).await.unwrap();
}

#[tokio::test]
async fn the_catalogue_of_this_process_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = LiveCatalogue::open(&folder.path().join("catalogue.redb")).unwrap();
    let catalogue: Arc<dyn ProductStore> = Arc::new(catalogue);
    crate::conformance::products(catalogue.clone(), "p").await;
    crate::conformance::product_writers(vec![catalogue.clone(), catalogue], "p", 20).await;
}

#[test]
fn a_replay_changes_nothing() {
    let catalogue = LiveCatalogue::in_memory();
    let at = |n: u64| cartwheel_stream::Position { shard: 1, sequence: n.into() };
    let changes = [
        (at(1), change("a", Some(json!({"name": "First"})), 7)),
        (at(3), change("a", Some(json!({"name": "Second"})), 8)),
        (at(4), change("b", Some(json!({"name": "Other"})), 8)),
        (at(8), change("b", None, 9)),
    ];
    changes.iter().for_each(|(position, record)| catalogue.apply(*position, record));
    let listings = || ["a", "b"].map(|product| catalogue.get(&id(product)));
    let found = listings();
    assert_eq!(found[1].as_ref().map(|listing| listing.product.is_none()), Some(true));
    // All of them again, and one that is older than the newest.
    changes.iter().for_each(|(position, record)| catalogue.apply(*position, record));
    catalogue.apply(changes[2].0, &changes[2].1);
    assert_eq!(listings(), found);

    let copy = LiveCatalogue::in_memory();
    for (product, listing) in ["a", "b"].into_iter().zip(found.clone()) {
        copy.restore(&id(product), listing.unwrap());
    }
    let old = copy.get(&id("a")).unwrap();
    copy.apply(at(9), &change("a", Some(json!({"name": "Third"})), 9));
    copy.restore(&id("a"), old);
    assert_eq!(name(&copy, "a").as_deref(), Some("Third"), "it is newer");
    assert_eq!(copy.get(&id("b")), found[1]);
}

#[tokio::test]
async fn what_was_not_written_is_replayed_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.redb");
    let stream: Arc<dyn Stream> = Arc::new(MemoryStream::new(2));
    stream.put(vec![named("a", "1"), view(&["x".into(), "a".into()]), named("b", "1")]).await;
    {
        let catalogue = Arc::new(LiveCatalogue::open(&path).unwrap());
        assert!(catalogue.is_fresh());
        consume(&stream, &catalogue).await;
        // The process dies before this change is written.
        let position = stream.put(vec![named("a", "2")]).await.remove(0).unwrap();
        let Record::Product(record) = named("a", "2") else { unreachable!() };
        catalogue.apply(position, &record);
        assert_eq!(name(&catalogue, "a").as_deref(), Some("2"));
    }
    let catalogue = Arc::new(LiveCatalogue::open(&path).unwrap());
    assert!(!catalogue.is_fresh());
    assert_eq!(name(&catalogue, "a").as_deref(), Some("1"));
    catalogue.catch_up(&stream, |_| false, |_| ()).await.unwrap();
    assert_eq!(name(&catalogue, "a").as_deref(), Some("2"));
    assert_eq!(name(&catalogue, "b").as_deref(), Some("1"));
    let unknown = catalogue.unknown_products();
    assert_eq!(unknown.keys().map(ProductId::as_str).collect::<Vec<_>>(), ["x"]);
    assert_eq!(unknown[&id("x")].events, 1, "an event is counted once");
}

#[tokio::test]
async fn an_unknown_product_is_counted_until_it_is_named_or_ignored() {
    let stream: Arc<dyn Stream> = Arc::new(MemoryStream::new(1));
    let catalogue = Arc::new(LiveCatalogue::in_memory());
    stream.put(vec![view(&["x".into(), "y".into()]), view(&["x".into(), "known".into()])]).await;
    // The engine looks into the catalogue to answer.
    let own = Arc::clone(&catalogue);
    let known =
        move |id: &ProductId| !own.changed_since(0).listings.is_empty() || id.as_str() == "known";
    let (s, c) = (Arc::clone(&stream), Arc::clone(&catalogue));
    consume_products(s, c, known, |_| (), async {}).await.unwrap();
    let events: Vec<u64> =
        catalogue.unknown_products().values().map(|unknown| unknown.events).collect();
    assert_eq!(events, [2, 1]);
    stream.put(vec![named("x", "X"), Record::Product(change("y", None, 8))]).await;
    stream.put(vec![view(&["x".into(), "y".into()])]).await;
    consume(&stream, &catalogue).await;
    assert!(catalogue.unknown_products().is_empty());
}

#[tokio::test]
async fn the_counted_unknown_products_are_bounded() {
    let stream: Arc<dyn Stream> = Arc::new(MemoryStream::new(1));
    let catalogue = Arc::new(LiveCatalogue::in_memory());
    let ids: Vec<String> = (0..MAX_UNKNOWN + 50).map(|n| format!("x{n}")).collect();
    stream.put(ids.chunks(150).map(view).collect()).await;
    consume(&stream, &catalogue).await;
    assert_eq!(catalogue.unknown_products().len(), MAX_UNKNOWN);
}

#[tokio::test]
async fn a_damaged_file_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.redb");
    std::fs::write(&path, b"not a database").unwrap();
    let catalogue = LiveCatalogue::open(&path).unwrap();
    assert!(catalogue.is_fresh() && catalogue.is_empty());
    assert!(folder.path().join("catalogue.damaged").exists());
}

#[tokio::test]
async fn the_stream_keeps_what_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let stream: Arc<dyn Stream> = Arc::new(MemoryStream::new(1));
    stream.put(vec![named("a", "1"), named("b", "1")]).await;
    let catalogue = Arc::new(LiveCatalogue::open(&folder.path().join("c.redb")).unwrap());
    let floor = parking_lot::Mutex::new(None);
    catalogue.catch_up(&stream, |_| false, |next| *floor.lock() = Some(next)).await.unwrap();
    assert_eq!(*floor.lock(), Some(Sequence::from(2)));
}

proptest! {
    /// Whoever follows the changes from some version on sees the newest listings.
    #[test]
    fn changes_since_a_version_lead_to_the_newest_state(
        writes in prop::collection::vec((0_u8..9, any::<bool>()), 1..60),
        from in 0_usize..60,
    ) {
        let catalogue = LiveCatalogue::in_memory();
        let mut seen = std::collections::BTreeMap::new();
        let mut version = 0;
        for (n, (product, deleted)) in writes.iter().enumerate() {
            if n == from {
                let Changes { version: now, listings, .. } = catalogue.changed_since(0);
                version = now;
                seen.extend(listings);
            }
            let fields = (!deleted).then(|| json!({"name": n.to_string()}));
            let sequence = Sequence::from(n as u64);
            let position = cartwheel_stream::Position { shard: 0, sequence };
            catalogue.apply(position, &change(&format!("p{product}"), fields, n as i64));
        }
        let Changes { version: now, listings, .. } = catalogue.changed_since(version);
        seen.extend(listings);
        prop_assert_eq!(now, catalogue.version());
        for product in 0..9 {
            let id = id(&format!("p{product}"));
            prop_assert_eq!(seen.get(&id).cloned(), catalogue.get(&id));
        }
    }
}
