//! Checks that every [`ProductStore`] has to pass.

#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::sync::Arc;
use std::task::Poll;

use cartwheel_events::{ProductId, ProductRecord, SCHEMA_VERSION};
use cartwheel_stream::{MemoryStream, Position, Stream};
use serde_json::{Value, json};

use crate::catalogue::listing::Listing;
use crate::catalogue::store::{ChangeError, ProductChange, ProductStore};

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

fn stock(listing: &Listing) -> Option<u32> {
    listing.product.as_ref()?.stock
}

/// Puts one change on top of `before`.
async fn put(
    store: &dyn ProductStore,
    stream: &dyn Stream,
    before: Option<&Listing>,
    record: ProductRecord,
) -> Result<Position, ChangeError> {
    let before = before.map(|before| before.position);
    store.put(stream, vec![ProductChange { before, record }]).await.remove(0)
}

/// Checks reads, changes, conditions, deletion and paging. The store must hold no products whose
/// ids begin with `prefix`.
///
/// # Panics
/// When the store fails a check.
pub async fn products(store: Arc<dyn ProductStore>, prefix: &str) {
    let stream = MemoryStream::new(2);
    let ids = ["a", "b", "c"].map(|n| ProductId::new(format!("{prefix}-{n}")).unwrap());
    let [a, b, _] = ids.each_ref().map(ProductId::as_str);
    let find = async || store.find(&ids).await.unwrap();
    let lock = store.lock(&ids).await.unwrap();
    assert_eq!(find().await, vec![None; 3], "no product is stored");

    let new = |record| ProductChange { before: None, record };
    let first = vec![
        new(change(a, Some(json!({"name": "First"})), NOW)),
        new(change(b, Some(json!({"name": "Other", "stock": 0})), NOW + 1)),
    ];
    let stored: Vec<Position> =
        store.put(&stream, first.clone()).await.into_iter().map(Result::unwrap).collect();
    let found = find().await;
    let names: Vec<_> = found.iter().map(name).collect();
    assert_eq!(names, [Some("First".to_owned()), Some("Other".to_owned()), None]);
    let positions: Vec<_> = found.iter().flatten().map(|listing| listing.position).collect();
    assert_eq!(positions, stored);

    let second = change(a, Some(json!({"name": "Second"})), NOW + 2);
    let newer = put(&*store, &stream, found[0].as_ref(), second).await.unwrap();
    assert!(newer.sequence > stored[0].sequence);
    let listing = find().await[0].clone().unwrap();
    assert_eq!(listing.position, newer);
    assert_eq!((listing.added_at_ms, listing.changed_at_ms), (NOW, NOW + 2));

    // One change of two builds on what is no longer so.
    let late = vec![
        ProductChange {
            before: Some(stored[0]),
            record: change(a, Some(json!({"name": "Late"})), NOW + 3),
        },
        ProductChange { before: Some(stored[1]), record: change(b, None, NOW + 3) },
    ];
    let results = store.put(&stream, late).await;
    assert_eq!(results[0], Err(ChangeError::Raced));
    let found = find().await;
    assert_eq!(name(&found[0]).as_deref(), Some("Second"));
    let deleted = found[1].clone().unwrap();
    assert_eq!((deleted.product.as_ref(), Ok(deleted.position)), (None, results[1].clone()));
    let again = store.put(&stream, first).await;
    assert_eq!(again, vec![Err(ChangeError::Raced); 2], "they exist, deleted or not");
    assert!(store.put(&stream, Vec::new()).await.is_empty());

    let back = change(b, Some(json!({"name": "Back"})), NOW + 4);
    put(&*store, &stream, Some(&deleted), back).await.unwrap();
    drop(lock);
    let first = store.page(Some(&ProductId::new(format!("{prefix}-")).unwrap()), 1).await.unwrap();
    assert_eq!(first.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), [a]);
    let rest = store.page(Some(&first[0].0), 1).await.unwrap();
    assert_eq!(rest[0].0.as_str(), b);
    assert_eq!(name(&Some(rest[0].1.clone())), Some("Back".to_owned()));
    assert_eq!(store.full(), None);
}

/// Checks that no change is lost when `stores`, which share their products, count the stock of one
/// product up, each `times` times.
///
/// # Panics
/// When the store fails a check.
pub async fn product_writers(stores: Vec<Arc<dyn ProductStore>>, prefix: &str, times: u32) {
    let id = ProductId::new(format!("{prefix}-counted")).unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    let count = async |store: Arc<dyn ProductStore>| {
        let mut done = 0;
        while done < times {
            let _lock = store.lock(std::slice::from_ref(&id)).await.unwrap();
            let before = store.find(std::slice::from_ref(&id)).await.unwrap().remove(0);
            let next = before.as_ref().and_then(stock).unwrap_or(0) + 1;
            let record = change(id.as_str(), Some(json!({"stock": next})), NOW);
            match put(&*store, &*stream, before.as_ref(), record).await {
                Ok(_) => done += 1,
                Err(error) => assert_eq!(error, ChangeError::Raced),
            }
        }
    };
    let expected = times * stores.len() as u32;
    let mut writers = Vec::new();
    for store in stores.iter().cloned() {
        writers.push(count(store));
    }
    join(writers).await;
    for store in stores {
        let _lock = store.lock(std::slice::from_ref(&id)).await.unwrap();
        let found = store.find(std::slice::from_ref(&id)).await.unwrap().remove(0).unwrap();
        assert_eq!(stock(&found), Some(expected), "every process sees every change");
    }
}

/// Waits for all of `work`, which takes turns.
async fn join(work: Vec<impl Future<Output = ()>>) {
    let mut work: Vec<_> = work.into_iter().map(|work| Some(Box::pin(work))).collect();
    std::future::poll_fn(|context| {
        for slot in &mut work {
            if slot.as_mut().is_some_and(|work| work.as_mut().poll(context).is_ready()) {
                *slot = None;
            }
        }
        if work.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
