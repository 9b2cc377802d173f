//! Writing the users' records of a feature set.

use aws_sdk_dynamodb::types::AttributeValue;
use cartwheel_events::UserId;
use cartwheel_sessions::StoreError;
use futures::stream::{StreamExt, TryStreamExt};

use super::{CHUNKS, CONCURRENT, Users, piece};
use crate::table::{DATA, EXPIRES, Item, MAX_DATA, MAX_WRITE, blob, bytes, key, put};

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
            let chunks = record.len().div_ceil(MAX_DATA).max(1);
            let expires = expires.clone();
            (0..chunks)
                .map(|n| {
                    let end = record.len().min((n + 1) * MAX_DATA);
                    let mut item = key(user.as_str(), &piece(feature_set, n));
                    item.insert(DATA.to_owned(), blob(&record[n * MAX_DATA..end]));
                    item.insert(CHUNKS.to_owned(), AttributeValue::N(chunks.to_string()));
                    item.insert(EXPIRES.to_owned(), expires.clone());
                    item
                })
                .collect::<Vec<Item>>()
        });
        let batches = Batches { items: items.peekable() };
        let work = batches.map(|batch| async move {
            let count = batch.len();
            let requests = batch.into_iter().map(put).collect::<Result<_, _>>()?;
            self.table.send(requests).await.map(|()| count)
        });
        let counts = futures::stream::iter(work).buffer_unordered(CONCURRENT);
        counts.try_fold(0, |all, count| std::future::ready(Ok(all + count))).await
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
