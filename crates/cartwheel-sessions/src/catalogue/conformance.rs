//! Checks that every [`ProductStore`] has to pass.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use cartwheel_events::{ProductId, ProductRecord, SCHEMA_VERSION};
use cartwheel_stream::Position;
use serde_json::{Value, json};

use crate::catalogue::listing::Listing;
use crate::catalogue::store::ProductStore;

const NOW: i64 = 1_700_000_000_000;

/// A change that leaves the product with `fields`, or deletes it.
pub(crate) fn change(id: &str, fields: Option<Value>, at_ms: i64) -> ProductRecord {
    let product = fields.map(|mut fields| {
        fields["product_id"] = json!(id);
        fields
    });
    let product_id = ProductId::new(id).unwrap();
    ProductRecord { schema_version: SCHEMA_VERSION, product_id, product, received_at_ms: at_ms }
}

fn name(listing: &Option<Listing>) -> Option<String> {
    listing.as_ref()?.product.as_ref()?.name.clone()
}

/// Checks reads, changes, replays, deletion and paging. The store must hold no products whose
/// ids begin with `prefix`. `sequences` are ascending sequence numbers of its stream.
///
/// # Panics
/// When the store fails a check.
pub async fn products(store: Arc<dyn ProductStore>, prefix: &str, sequences: [&str; 5]) {
    let ids = ["a", "b", "c"].map(|n| ProductId::new(format!("{prefix}-{n}")).unwrap());
    let [a, b, _] = ids.each_ref().map(ProductId::as_str);
    let at = |n: usize| Position { shard: 1, sequence: sequences[n].parse().unwrap() };
    assert_eq!(store.find(&ids).await.unwrap(), vec![None; 3], "no product is stored");

    let changes = [
        (at(0), change(a, Some(json!({"name": "First"})), NOW)),
        (at(1), change(b, Some(json!({"name": "Other", "stock": 0})), NOW + 1)),
        (at(2), change(a, Some(json!({"name": "Second"})), NOW + 2)),
    ];
    store.apply(&changes).await.unwrap();
    let found = store.find(&ids).await.unwrap();
    let names: Vec<_> = found.iter().map(name).collect();
    assert_eq!(names, [Some("Second".to_owned()), Some("Other".to_owned()), None]);
    let listing = found[0].clone().unwrap();
    assert_eq!(listing.position, at(2));
    assert_eq!((listing.added_at_ms, listing.changed_at_ms), (NOW, NOW + 2));

    // Delivered again: all records, and one that is older than the newest.
    store.apply(&changes).await.unwrap();
    store.apply(&changes[..1]).await.unwrap();
    assert_eq!(store.find(&ids).await.unwrap(), found, "a replay changes nothing");

    store.apply(&[(at(3), change(b, None, NOW + 3))]).await.unwrap();
    let deleted = store.find(&ids[1..2]).await.unwrap().remove(0).unwrap();
    assert_eq!((deleted.product, deleted.position), (None, at(3)));
    store.apply(&changes).await.unwrap();
    let still = store.find(&ids[1..2]).await.unwrap().remove(0).unwrap();
    assert_eq!(still.product, None, "a replay does not bring a deleted product back");
    store.apply(&[(at(4), change(b, Some(json!({"name": "Back"})), NOW + 4))]).await.unwrap();

    let first = store.page(Some(&ProductId::new(format!("{prefix}-")).unwrap()), 1).await.unwrap();
    assert_eq!(first.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), [a]);
    let rest = store.page(Some(&first[0].0), 1).await.unwrap();
    assert_eq!(rest[0].0.as_str(), b);
    assert_eq!(name(&Some(rest[0].1.clone())), Some("Back".to_owned()));
}
