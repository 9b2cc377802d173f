//! Writing the users' records of a feature set.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use cartwheel_events::UserId;
use cartwheel_sessions::StoreError;
use futures::stream::{StreamExt, TryStreamExt};

use super::{CHUNKS, CONCURRENT, DATA, EXPIRES, Item, Users, bytes, key, piece, service};
use crate::retry::{TRIES, is_throttled, pause, text};

/// Most items of one `BatchWriteItem`.
pub(super) const MAX_WRITE: usize = 25;
/// Largest piece of a record, in bytes: an item has 400 kB, names and keys included.
const PIECE: usize = 380_000;
/// Largest `BatchWriteItem`, in bytes: under the service's 16 MB.
const MAX_WRITE_BYTES: usize = 8_000_000;
/// Seconds after which a record expires that no run has loaded again.
const RECORD_SECONDS: i64 = 90 * 24 * 3600;

impl Users {
    /// Writes encoded user records of a feature set, replacing older ones. `now_s` is the
    /// current time in UTC seconds. Returns the number of items written.
    ///
    /// # Errors
    /// When a record is not written. The same call may be repeated.
    pub async fn load(
        &self,
        feature_set: &str,
        records: impl IntoIterator<Item = (UserId, Vec<u8>)>,
        now_s: i64,
    ) -> Result<usize, StoreError> {
        let expires = AttributeValue::N((now_s + RECORD_SECONDS).to_string());
        let items = records.into_iter().flat_map(|(user, record)| {
            let chunks = record.len().div_ceil(PIECE).max(1);
            let expires = expires.clone();
            (0..chunks)
                .map(|n| {
                    let end = record.len().min((n + 1) * PIECE);
                    let mut item = key(user.as_str(), &piece(feature_set, n));
                    item.insert(
                        DATA.to_owned(),
                        AttributeValue::B(Blob::new(&record[n * PIECE..end])),
                    );
                    item.insert(CHUNKS.to_owned(), AttributeValue::N(chunks.to_string()));
                    item.insert(EXPIRES.to_owned(), expires.clone());
                    item
                })
                .collect::<Vec<Item>>()
        });
        let batches = Batches { items: items.peekable() };
        let work = batches.map(|batch| async move {
            let count = batch.len();
            self.write(batch).await.map(|()| count)
        });
        let counts = futures::stream::iter(work).buffer_unordered(CONCURRENT);
        counts.try_fold(0, |all, count| std::future::ready(Ok(all + count))).await
    }

    async fn write(&self, batch: Vec<Item>) -> Result<(), StoreError> {
        let request = |item: Item| -> Result<WriteRequest, StoreError> {
            let put = PutRequest::builder().set_item(Some(item)).build();
            Ok(WriteRequest::builder()
                .put_request(put.map_err(|e| service(e.to_string()))?)
                .build())
        };
        self.send(batch.into_iter().map(request).collect::<Result<_, _>>()?).await
    }

    /// Writes and removes items of one `BatchWriteItem`.
    pub(super) async fn send(&self, mut left: Vec<WriteRequest>) -> Result<(), StoreError> {
        for n in 1..=TRIES * 2 {
            let output = self.client.batch_write_item().request_items(&self.table, left.clone());
            match output.send().await {
                Ok(output) => {
                    let tables = output.unprocessed_items.unwrap_or_default();
                    left = tables.into_values().flatten().collect();
                }
                Err(error) if is_throttled(&error) => {}
                Err(error) => return Err(service(text(&error))),
            }
            if left.is_empty() {
                return Ok(());
            }
            pause(n).await;
        }
        Err(service(format!("{} records were not written", left.len())))
    }
}

/// Groups items into batches that fit a request.
struct Batches<I: Iterator<Item = Item>> {
    items: std::iter::Peekable<I>,
}

impl<I: Iterator<Item = Item>> Iterator for Batches<I> {
    type Item = Vec<Item>;

    fn next(&mut self) -> Option<Vec<Item>> {
        let size = |item: &Item| bytes(item, DATA).map_or(0, <[u8]>::len);
        let mut batch = vec![self.items.next()?];
        let mut total = size(&batch[0]);
        while batch.len() < MAX_WRITE {
            let Some(item) = self.items.next_if(|item| total + size(item) <= MAX_WRITE_BYTES)
            else {
                break;
            };
            total += size(&item);
            batch.push(item);
        }
        Some(batch)
    }
}
