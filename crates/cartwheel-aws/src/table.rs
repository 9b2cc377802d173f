//! The table on DynamoDB: its keys, and writes that are repeated while it throttles.
//!
//! Partition key `user_id`, sort key `item`. What items mean is in [`crate::users`] and
//! [`crate::products`].

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use cartwheel_sessions::StoreError;

use crate::retry::{TRIES, is_throttled, pause, text};

/// Most items of one `BatchWriteItem`.
pub(crate) const MAX_WRITE: usize = 25;
/// Most bytes of an attribute: an item has 400 kB, names and keys included.
pub(crate) const MAX_DATA: usize = 380_000;

pub(crate) const USER: &str = "user_id";
pub(crate) const ITEM: &str = "item";
pub(crate) const DATA: &str = "data";
pub(crate) const EXPIRES: &str = "expires_at";

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The table, and how it is reached.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

pub(crate) fn service(message: String) -> StoreError {
    StoreError::Service(message)
}

pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(crate) fn blob(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

pub(crate) fn key(user: &str, item: &str) -> Item {
    HashMap::from([(USER.to_owned(), s(user)), (ITEM.to_owned(), s(item))])
}

pub(crate) fn bytes<'a>(item: &'a Item, name: &str) -> Result<&'a [u8], StoreError> {
    let found = item.get(name).and_then(|value| value.as_b().ok());
    found.map(Blob::as_ref).ok_or_else(|| service(format!("an item has no {name}")))
}

/// The partition and the name of an item.
pub(crate) fn names(item: &Item) -> Result<(String, &str), StoreError> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    match (text(USER), text(ITEM)) {
        (Some(user), Some(item)) => Ok((user.clone(), item)),
        _ => Err(service("an item has no key".to_owned())),
    }
}

/// A request that writes an item.
pub(crate) fn put(item: Item) -> Result<WriteRequest, StoreError> {
    let put = PutRequest::builder().set_item(Some(item)).build();
    Ok(WriteRequest::builder().put_request(put.map_err(|e| service(e.to_string()))?).build())
}

impl Table {
    /// Sends a put with a condition. Returns whether the condition held, so that it was written.
    pub(crate) async fn put_if(&self, request: PutItemFluentBuilder) -> Result<bool, StoreError> {
        let request = request.table_name(&self.name);
        let mut n = 1;
        loop {
            let Err(error) = request.clone().send().await else { return Ok(true) };
            let refused = error.as_service_error();
            if refused.is_some_and(|e| e.is_conditional_check_failed_exception()) {
                return Ok(false);
            }
            if !is_throttled(&error) || n == TRIES {
                return Err(service(text(&error)));
            }
            pause(n).await;
            n += 1;
        }
    }

    /// Removes items.
    pub(crate) async fn remove(&self, keys: Vec<Item>) -> Result<(), StoreError> {
        let request = |key| -> Result<WriteRequest, StoreError> {
            let delete = DeleteRequest::builder().set_key(Some(key)).build();
            let delete = delete.map_err(|e| service(e.to_string()))?;
            Ok(WriteRequest::builder().delete_request(delete).build())
        };
        let requests: Vec<_> = keys.into_iter().map(request).collect::<Result<_, _>>()?;
        self.send_all(&requests).await
    }

    /// Writes small items in place of those that are there.
    pub(crate) async fn replace(&self, items: Vec<Item>) -> Result<(), StoreError> {
        let requests: Vec<_> = items.into_iter().map(put).collect::<Result<_, _>>()?;
        self.send_all(&requests).await
    }

    async fn send_all(&self, requests: &[WriteRequest]) -> Result<(), StoreError> {
        for batch in requests.chunks(MAX_WRITE) {
            self.send(batch.to_vec()).await?;
        }
        Ok(())
    }

    /// Writes and removes items of one `BatchWriteItem`.
    pub(crate) async fn send(&self, mut left: Vec<WriteRequest>) -> Result<(), StoreError> {
        for n in 1..=TRIES * 2 {
            let output = self.client.batch_write_item().request_items(&self.name, left.clone());
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
        Err(service(format!("{} items were not written", left.len())))
    }
}
