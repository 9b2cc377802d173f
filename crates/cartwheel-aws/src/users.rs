//! Users on DynamoDB.
//!
//! One table with partition key `user_id` and sort key `item`. The item `session` has the
//! session as compressed JSON (`data`), the sequence number that it continues from (`seq`,
//! 57 digits, so that text compares as numbers do), when the shopper was erased (`erased_at_ms`, if
//! that happened) and its expiry (`expires_at`). The items
//! `features#<set>#<n>` have the user's record of a feature set, cut into pieces that fit
//! an item; each has the number of pieces (`chunks`).

mod forget;
mod load;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use cartwheel_events::{EventRecord, UserId};
use cartwheel_sessions::{SESSION_MS, Session, Shopper, StoreError, UserLock, UserStore};
use cartwheel_stream::{Pending, Position};
use futures::stream::{StreamExt, TryStreamExt};

use crate::breaker::Breaker;
use crate::retry::{TRIES, pause, text};
use crate::table::{DATA, EXPIRES, Item, Table, blob, bytes, key, names, s, service};

/// Most keys of one `BatchGetItem`.
const MAX_GET: usize = 100;
/// Longest time that a request waits for a shopper to be read.
const LIMIT: Duration = Duration::from_millis(500);
/// Requests in flight at once.
const CONCURRENT: usize = 16;
/// Attempts to apply records to a session while other consumers change it.
const RACES: u32 = 20;
/// Compression level of sessions: each kilobyte written costs a write unit.
const LEVEL: i32 = 3;
/// Largest JSON of a session, in bytes.
const MAX_SESSION: usize = 4 << 20;

const SESSION: &str = "session";
const SEQ: &str = "seq";
const CHUNKS: &str = "chunks";
const ERASED: &str = "erased_at_ms";

/// The user store on a DynamoDB table.
#[derive(Debug)]
pub struct Users {
    table: Table,
    /// Keeps requests from waiting for a table that does not answer.
    reads: Breaker,
}

/// Records of a user that were not applied.
#[derive(Debug)]
pub struct Unapplied {
    /// The first of them.
    pub first: Position,
    /// Why they were not applied.
    pub error: StoreError,
}

fn piece(feature_set: &str, n: usize) -> String {
    format!("features#{feature_set}#{n}")
}

/// Reads the session in an item. A damaged session is logged and counts as absent.
fn session(item: &Item) -> Option<Session> {
    let read = || -> std::io::Result<Session> {
        let data = bytes(item, DATA).map_err(std::io::Error::other)?;
        Ok(serde_json::from_slice(&zstd::bulk::decompress(data, MAX_SESSION)?)?)
    };
    read().inspect_err(|error| tracing::error!(%error, "a session is damaged")).ok()
}

/// Whether a record was accepted before the shopper was erased. Several processes put records, so
/// that no sequence number could tell.
fn is_erased(session: &Session, record: &EventRecord) -> bool {
    let accepted_ms = record.backfilled_at_ms.unwrap_or(record.received_at_ms);
    session.erased_ms.is_some_and(|erased_ms| accepted_ms <= erased_ms)
}

impl Users {
    /// The users in the table with this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { table: Table { client, name: table.into() }, reads: Breaker::new(LIMIT) }
    }

    /// Reads items. Items that do not exist are left out.
    async fn get(&self, keys: Vec<Item>, consistent: bool) -> Result<Vec<Item>, StoreError> {
        let chunks = keys.chunks(MAX_GET).map(<[Item]>::to_vec).collect::<Vec<_>>();
        let pages = chunks.into_iter().map(|keys| self.get_some(keys, consistent));
        let pages: Vec<Vec<Item>> =
            futures::stream::iter(pages).buffered(CONCURRENT).try_collect().await?;
        Ok(pages.into_iter().flatten().collect())
    }

    async fn get_some(
        &self,
        mut keys: Vec<Item>,
        consistent: bool,
    ) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::with_capacity(keys.len());
        for n in 1..=TRIES {
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(consistent)
                .build()
                .map_err(|e| service(e.to_string()))?;
            let request =
                self.table.client.batch_get_item().request_items(&self.table.name, wanted);
            let output = request.send().await.map_err(|e| service(text(&e)))?;
            let tables = output.responses.unwrap_or_default();
            found.extend(tables.into_values().flatten());
            let left = output.unprocessed_keys.unwrap_or_default();
            keys = left.into_values().flat_map(|wanted| wanted.keys).collect();
            if keys.is_empty() {
                return Ok(found);
            }
            pause(n).await;
        }
        Err(service(format!("{} items were not read in {TRIES} attempts", keys.len())))
    }

    async fn find_all(
        &self,
        users: &[UserId],
        feature_set: Option<&str>,
        now_ms: i64,
    ) -> Result<Vec<Shopper>, StoreError> {
        let first = feature_set.map(|set| piece(set, 0));
        let mut wanted: Vec<&str> = users.iter().map(UserId::as_str).collect();
        wanted.sort_unstable();
        // A request may name each key once.
        wanted.dedup();
        let items = [Some(SESSION), first.as_deref()];
        let keys =
            wanted.iter().flat_map(|user| items.iter().flatten().map(|item| key(user, item)));
        let mut shoppers: HashMap<String, Shopper> = HashMap::new();
        let mut long: Vec<(String, usize)> = Vec::new();
        for item in self.get(keys.collect(), false).await? {
            let (user, name) = names(&item)?;
            let shopper = shoppers.entry(user.clone()).or_default();
            if name == SESSION {
                let session = session(&item).filter(|session| !session.is_expired(now_ms));
                shopper.session = session.map(Arc::new);
            } else {
                shopper.record = Some(bytes(&item, DATA)?.to_vec());
                let chunks = item.get(CHUNKS).and_then(|n| n.as_n().ok()?.parse().ok());
                long.extend(chunks.filter(|&n| n > 1).map(|n| (user, n)));
            }
        }
        if let Some(set) = feature_set {
            for (user, chunks) in long {
                let record = self.pieces(&user, set, chunks).await?;
                let shopper = shoppers.entry(user).or_default();
                shopper.record.get_or_insert_default().extend(record);
            }
        }
        Ok(users
            .iter()
            .map(|user| shoppers.get(user.as_str()).cloned().unwrap_or_default())
            .collect())
    }

    /// Reads the pieces of a long record after the first.
    async fn pieces(&self, user: &str, set: &str, chunks: usize) -> Result<Vec<u8>, StoreError> {
        let keys = (1..chunks).map(|n| key(user, &piece(set, n))).collect();
        let mut found: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for item in self.get(keys, false).await? {
            let (_, name) = names(&item)?;
            let n = name.rsplit('#').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            found.insert(n, bytes(&item, DATA)?.to_vec());
        }
        if found.len() + 1 != chunks {
            return Err(service(format!("pieces of the record of {user} are missing")));
        }
        Ok(found.into_values().flatten().collect())
    }

    /// Applies the records of a user, in order, that are not applied yet.
    async fn apply_user(
        &self,
        user: &str,
        known: Option<Item>,
        records: &[&(Position, EventRecord)],
    ) -> Result<(), StoreError> {
        let mut item = known;
        for n in 1..=RACES {
            let mut now = item.as_ref().and_then(session).unwrap_or_default();
            let mut changed = false;
            for (position, record) in records {
                changed |= !is_erased(&now, record) && now.apply(*position, record);
            }
            if !changed {
                return Ok(());
            }
            match self.put_session(user, &now, item.as_ref()).await? {
                true => return Ok(()),
                false => pause(n.min(TRIES)).await,
            }
            // Another consumer of the same shard was faster.
            item = self.get(vec![key(user, SESSION)], true).await?.pop();
        }
        Err(service(format!("the session of {user} changed {RACES} times while it was applied")))
    }

    /// Writes a session if the stored one is still that of the item `known`: it has the sequence
    /// number and the erasure of that one. Returns whether it was written.
    async fn put_session(
        &self,
        user: &str,
        session: &Session,
        known: Option<&Item>,
    ) -> Result<bool, StoreError> {
        let json = serde_json::to_vec(session).map_err(|e| service(e.to_string()))?;
        let data = zstd::bulk::compress(&json, LEVEL).map_err(|e| service(e.to_string()))?;
        let last_ms = session.updated_ms.max(session.erased_ms.unwrap_or_default());
        let expires = (last_ms + SESSION_MS) / 1000;
        let request = self.table.client.put_item();
        let request = request
            .set_item(Some(key(user, SESSION)))
            .item(DATA, blob(data))
            .item(SEQ, s(format!("{:057}", session.next_sequence)))
            .item(EXPIRES, AttributeValue::N(expires.to_string()));
        let request = match session.erased_ms {
            None => request,
            Some(ms) => request.item(ERASED, AttributeValue::N(ms.to_string())),
        };
        let request = match known {
            None => request.condition_expression("attribute_not_exists(user_id)"),
            Some(known) => {
                let before = known.get(SEQ).cloned();
                let before = before.ok_or_else(|| service(format!("an item has no {SEQ}")))?;
                let request = request
                    .expression_attribute_names("#seq", SEQ)
                    .expression_attribute_names("#erased", ERASED)
                    .expression_attribute_values(":before", before);
                // An erasure leaves the sequence number as it is.
                match known.get(ERASED).cloned() {
                    None => request
                        .condition_expression("#seq = :before AND attribute_not_exists(#erased)"),
                    Some(erased) => request
                        .condition_expression("#seq = :before AND #erased = :erased")
                        .expression_attribute_values(":erased", erased),
                }
            }
        };
        self.table.put_if(request).await
    }

    /// Applies records of a shard, in order. Returns the users whose records were not all
    /// applied, each with the first record to deliver again.
    pub async fn consume(&self, records: &[(Position, EventRecord)]) -> Vec<Unapplied> {
        let mut by_user: BTreeMap<&str, Vec<&(Position, EventRecord)>> = BTreeMap::new();
        for record in records {
            by_user.entry(record.1.user_id.as_str()).or_default().push(record);
        }
        let keys = by_user.keys().map(|user| key(user, SESSION)).collect();
        let mut known: HashMap<String, Item> = HashMap::new();
        match self.get(keys, true).await {
            Ok(items) => {
                let named = items.into_iter().filter_map(|item| Some((names(&item).ok()?.0, item)));
                known.extend(named);
            }
            Err(error) => {
                let first = records.first().map(|record| record.0);
                return first.map(|first| Unapplied { first, error }).into_iter().collect();
            }
        }
        let mut work = Vec::with_capacity(by_user.len());
        for (user, records) in by_user {
            let item = known.remove(user);
            work.push(async move {
                let applied = self.apply_user(user, item, &records).await;
                applied.err().map(|error| Unapplied { first: records[0].0, error })
            });
        }
        let mut work = futures::stream::iter(work).buffer_unordered(CONCURRENT);
        let mut unapplied = Vec::new();
        while let Some(failed) = work.next().await {
            unapplied.extend(failed);
        }
        unapplied
    }
}

impl UserStore for Users {
    fn is_ready(&self) -> bool {
        true
    }

    /// Takes no lock: several processes put events of a user, and the stream orders them.
    fn lock<'a>(&'a self, _users: &'a [UserId]) -> Pending<'a, Option<UserLock>> {
        Box::pin(std::future::ready(None))
    }

    fn find<'a>(
        &'a self,
        users: &'a [UserId],
        feature_set: Option<&'a str>,
        now_ms: i64,
    ) -> Pending<'a, Result<Vec<Shopper>, StoreError>> {
        Box::pin(async move {
            let found = self.reads.call(self.find_all(users, feature_set, now_ms)).await;
            found.map_err(|error| service(error.to_string()))
        })
    }

    fn accept<'a>(
        &'a self,
        before: Option<Arc<Session>>,
        position: Position,
        record: &'a EventRecord,
    ) -> Pending<'a, Result<Arc<Session>, StoreError>> {
        let mut session = before.unwrap_or_default();
        Arc::make_mut(&mut session).apply(position, record);
        Box::pin(std::future::ready(Ok(session)))
    }

    fn apply<'a>(
        &'a self,
        records: &'a [(Position, EventRecord)],
    ) -> Pending<'a, Result<(), StoreError>> {
        Box::pin(async move {
            match self.consume(records).await.pop() {
                Some(unapplied) => Err(unapplied.error),
                None => Ok(()),
            }
        })
    }
}
