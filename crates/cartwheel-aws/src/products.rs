//! The live catalogue on AWS.
//!
//! Its changes are a journal in the table of users. The items whose `user_id` is `catalogue`, a tab
//! and `changes`, which is no shopper's id, are its entries: `item` is their number, from 1 without
//! gaps, in 20 digits, and `data` their changes as compressed JSON. An entry is put on condition that
//! its number is free: changes have one order, and a process that puts an entry has applied all
//! before it. Every process has the whole catalogue in memory and follows the journal.
//!
//! A process that puts entries also shortens the journal: the newest listing of each product goes
//! into the lake, as the module `snapshot` describes, and the entries before are emptied. Their numbers stay
//! taken until the items expire (`expires_at`), so that a writer that is behind cannot take them. A
//! process that starts, or that misses emptied entries, reads the snapshot and then the entries after
//! it.

mod entry;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use cartwheel_ambient::Clock;
use cartwheel_events::ProductId;
use cartwheel_sessions::{
    ChangeError, Listing, LiveCatalogue, ProductChange, ProductLock, ProductStore, StoreError,
    UnknownProduct,
};
use cartwheel_stream::{Pending, Position, PutError, Sequence, Stream};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::lake::{Lake, Read};
use crate::products::entry::{Entry, number_of, position, sort_key};
use crate::retry::{TRIES, pause, text};
use crate::table::{DATA, EXPIRES, ITEM, Item, Table, USER, blob, bytes, key, names, s, service};

/// Most products of the live catalogue on AWS, deleted ones included: every process reads them all
/// when it starts.
const MAX_PRODUCTS: usize = 100_000;
/// The journal is shortened when it has this many entries more than the snapshot.
const ENTRIES: u64 = 128;
/// Attempts to put an entry while other processes put theirs.
const RACES: u32 = 20;

/// Seconds that an emptied entry keeps its number, which is far longer than a request lasts.
const EMPTY_SECONDS: i64 = 24 * 3600;

/// The partition of the journal. No id of a shopper has a tab.
const JOURNAL: &str = "catalogue\tchanges";

/// The live catalogue of this process, and the journal that it follows.
#[derive(Debug)]
pub struct Products {
    table: Table,
    lake: Lake,
    clock: Clock,
    live: Arc<LiveCatalogue>,
    journal: Mutex<Journal>,
    /// When the journal was last looked at.
    looked: parking_lot::Mutex<Option<Instant>>,
}

/// How far the journal is applied.
#[derive(Debug, Default)]
struct Journal {
    /// Whether the snapshot was looked for.
    is_open: bool,
    /// The number of the newest entry that is applied.
    applied: u64,
    /// The number of the newest entry in the snapshot.
    snapshot: u64,
    /// The version of the snapshot in the lake.
    version: Option<String>,
}

impl Products {
    /// The products in the table with this name, and in a lake. They are read by
    /// [`Products::refresh`].
    pub fn new(client: Client, table: impl Into<String>, lake: Lake, clock: Clock) -> Self {
        Self {
            table: Table { client, name: table.into() },
            lake,
            clock,
            live: Arc::new(LiveCatalogue::in_memory()),
            journal: Mutex::default(),
            looked: parking_lot::Mutex::default(),
        }
    }

    /// The products as this process knows them.
    pub fn live(&self) -> Arc<LiveCatalogue> {
        Arc::clone(&self.live)
    }

    /// Takes over what other processes have changed.
    ///
    /// # Errors
    /// When table or lake do not answer, or have lost changes.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let mut journal = self.journal.lock().await;
        self.follow(&mut journal).await?;
        *self.looked.lock() = Some(Instant::now());
        Ok(())
    }

    /// The same, unless the last time is less than `every` ago. It waits for at most `limit`, and
    /// then goes on in the background. A failure is logged.
    pub async fn keep_up(self: &Arc<Self>, every: Duration, limit: Duration) {
        let is_due = {
            let mut looked = self.looked.lock();
            let is_due = looked.is_none_or(|looked| looked.elapsed() >= every);
            if is_due {
                *looked = Some(Instant::now());
            }
            is_due
        };
        if !is_due {
            return;
        }
        let own = Arc::clone(self);
        let work = tokio::spawn(async move {
            if let Err(error) = own.refresh().await {
                tracing::error!(%error, "cannot read changes of the catalogue");
            }
        });
        // If it is late, the next requests see the changes.
        let _ = tokio::time::timeout(limit, work).await;
    }

    /// The catalogue as it was after the entry `newest`. `None` if a later snapshot has taken its place.
    ///
    /// # Errors
    /// When table or lake do not answer.
    pub async fn after(&self, newest: Sequence) -> Result<Option<LiveCatalogue>, StoreError> {
        let Some(newest) = newest.as_u64() else { return Ok(None) };
        let live = Arc::new(LiveCatalogue::in_memory());
        let read = self.lake.read(snapshot::NAME, None).await;
        let snapshot = match read.map_err(|e| service(e.to_string()))? {
            Read::Found(found) => {
                let live = Arc::clone(&live);
                let restore = move || snapshot::restore(&live, &found.content);
                let read = tokio::task::spawn_blocking(restore).await;
                let read = read.map_err(|e| service(e.to_string()))?;
                read.map_err(|e| service(format!("{}: {e}", snapshot::NAME)))?
            }
            Read::Missing | Read::Unchanged => 0,
        };
        if snapshot > newest {
            return Ok(None);
        }
        let mut applied = snapshot;
        while applied < newest {
            let page = self.entries_between(applied + 1, newest).await?;
            let before = applied;
            for item in page {
                // It was emptied meanwhile.
                if !item.contains_key(DATA) {
                    return Ok(None);
                }
                applied = number_of(names(&item)?.1)?;
                let entry = Entry::from_slice(bytes(&item, DATA)?)?;
                entry.changes.iter().for_each(|change| live.apply(position(applied), change));
            }
            if applied == before {
                return Ok(None);
            }
        }
        Ok(Arc::into_inner(live))
    }

    /// The next entries of a range, in order.
    async fn entries_between(&self, first: u64, last: u64) -> Result<Vec<Item>, StoreError> {
        let request = self.table.client.query().table_name(&self.table.name);
        let request = request
            .consistent_read(true)
            .key_condition_expression("#user = :journal AND #item BETWEEN :first AND :last")
            .expression_attribute_names("#user", USER)
            .expression_attribute_names("#item", ITEM)
            .expression_attribute_values(":journal", s(JOURNAL))
            .expression_attribute_values(":first", s(sort_key(first)))
            .expression_attribute_values(":last", s(sort_key(last)));
        let page = request.send().await.map_err(|e| service(text(&e)))?;
        Ok(page.items.unwrap_or_default())
    }

    /// Applies the entries that are new to this process. Returns the writer of each, and its number.
    async fn follow(&self, journal: &mut Journal) -> Result<Vec<(u64, u64)>, StoreError> {
        if !journal.is_open {
            self.read_snapshot(journal).await?;
            journal.is_open = true;
        }
        let mut writers = Vec::new();
        loop {
            let request = self.table.client.query().table_name(&self.table.name);
            let request = request
                .consistent_read(true)
                .key_condition_expression("#user = :journal AND #item > :applied")
                .expression_attribute_names("#user", USER)
                .expression_attribute_names("#item", ITEM)
                .expression_attribute_values(":journal", s(JOURNAL))
                .expression_attribute_values(":applied", s(sort_key(journal.applied)));
            let page = request.send().await.map_err(|e| service(text(&e)))?;
            for item in page.items.unwrap_or_default() {
                let number = number_of(names(&item)?.1)?;
                // The first entry that the snapshot need not have.
                let left = if item.contains_key(DATA) { number } else { number + 1 };
                if left > journal.applied + 1 {
                    self.read_emptied(journal, left).await?;
                }
                if number > journal.applied {
                    let entry = Entry::from_slice(bytes(&item, DATA)?)?;
                    self.apply(journal, &entry);
                    writers.push((entry.writer, number));
                }
            }
            if page.last_evaluated_key.is_none() {
                return Ok(writers);
            }
        }
    }

    /// Applies the next entry.
    fn apply(&self, journal: &mut Journal, entry: &Entry) {
        journal.applied += 1;
        let changes = entry.changes.iter();
        changes.for_each(|change| self.live.apply(position(journal.applied), change));
    }

    /// Takes over the entries before `number`, which were emptied, from the snapshot.
    async fn read_emptied(&self, journal: &mut Journal, number: u64) -> Result<(), StoreError> {
        self.read_snapshot(journal).await?;
        if journal.applied + 1 >= number {
            return Ok(());
        }
        Err(service(format!(
            "changes {} to {} of the catalogue are neither in the table nor in the lake: restore the \
             newest version of the object {} in the lake",
            journal.applied + 1,
            number - 1,
            snapshot::NAME,
        )))
    }

    /// Takes over the snapshot of the lake, if it is new to this process.
    async fn read_snapshot(&self, journal: &mut Journal) -> Result<(), StoreError> {
        let read = self.lake.read(snapshot::NAME, journal.version.as_deref()).await;
        let Read::Found(found) = read.map_err(|e| service(e.to_string()))? else { return Ok(()) };
        let live = self.live();
        let read = tokio::task::spawn_blocking(move || snapshot::restore(&live, &found.content));
        let read = read.await.map_err(|e| service(e.to_string()))?;
        journal.snapshot = read.map_err(|e| service(format!("{}: {e}", snapshot::NAME)))?;
        journal.version = Some(found.version);
        journal.applied = journal.applied.max(journal.snapshot);
        Ok(())
    }

    /// Puts changes as one entry, and applies them.
    async fn append(
        &self,
        journal: &mut Journal,
        changes: Vec<ProductChange>,
    ) -> Vec<Result<Position, ChangeError>> {
        #[allow(clippy::disallowed_methods, reason = "no two processes may draw the same number")]
        let writer = rand::random();
        for n in 1..=RACES {
            let current: Vec<bool> =
                changes.iter().map(|change| self.live.is_current(change)).collect();
            let holds = changes.iter().zip(&current).filter(|(_, is_current)| **is_current);
            let records: Vec<_> = holds.map(|(change, _)| change.record.clone()).collect();
            if records.is_empty() {
                return vec![Err(ChangeError::Raced); changes.len()];
            }
            let entry = Entry { writer, changes: records };
            let put = match self.put_entry(journal, &entry).await {
                Ok(true) => {
                    self.apply(journal, &entry);
                    Ok(Some(journal.applied))
                }
                // Another process was faster, or the answer to the put was lost.
                Ok(false) => self.follow(journal).await.map(|entries| {
                    entries.into_iter().find(|entry| entry.0 == writer).map(|entry| entry.1)
                }),
                Err(error) => Err(error),
            };
            match put {
                Ok(Some(number)) => {
                    let result = |is_current| match is_current {
                        true => Ok(position(number)),
                        false => Err(ChangeError::Raced),
                    };
                    return current.into_iter().map(result).collect();
                }
                Ok(None) => pause(n.min(TRIES)).await,
                Err(error) => {
                    return vec![Err(failed(&error)); changes.len()];
                }
            }
        }
        vec![Err(PutError::Throttled.into()); changes.len()]
    }

    /// Puts the next entry. Returns whether its number was free.
    async fn put_entry(&self, journal: &Journal, entry: &Entry) -> Result<bool, StoreError> {
        let key = key(JOURNAL, &sort_key(journal.applied + 1));
        let request = self.table.client.put_item().set_item(Some(key));
        let request = request.item(DATA, blob(entry.to_vec()?));
        self.table.put_if(request.condition_expression("attribute_not_exists(user_id)")).await
    }

    /// Writes a snapshot and empties the entries before its last, if the journal is long.
    async fn shorten(&self, journal: &mut Journal) -> Result<(), StoreError> {
        let is_long = |journal: &Journal| journal.applied >= journal.snapshot + ENTRIES;
        if !is_long(journal) {
            return Ok(());
        }
        // Another process may have done it.
        self.read_snapshot(journal).await?;
        if !is_long(journal) {
            return Ok(());
        }
        let (live, applied) = (self.live(), journal.applied);
        let content = tokio::task::spawn_blocking(move || snapshot::encode(&live, applied));
        let content = content.await.map_err(|e| service(e.to_string()))?;
        let content = content.map_err(|e| service(e.to_string()))?;
        let written = self.lake.replace(snapshot::NAME, content, journal.version.clone()).await;
        let Some(version) = written.map_err(|e| service(e.to_string()))? else { return Ok(()) };
        (journal.snapshot, journal.version) = (applied, Some(version));
        let expires = AttributeValue::N((self.clock.now_ms() / 1000 + EMPTY_SECONDS).to_string());
        let empty = |mut key: Item| {
            key.insert(EXPIRES.to_owned(), expires.clone());
            key
        };
        // The last one stays, so that a process that follows notices what it has missed.
        let keys = self.entries_before(applied).await?;
        self.table.replace(keys.into_iter().map(empty).collect()).await
    }

    /// The keys of the entries with smaller numbers that are not empty.
    async fn entries_before(&self, number: u64) -> Result<Vec<Item>, StoreError> {
        let mut keys = Vec::new();
        let mut from: Option<Item> = None;
        loop {
            let request = self.table.client.query().table_name(&self.table.name);
            let request = request
                .key_condition_expression("#user = :journal AND #item < :number")
                .filter_expression("attribute_exists(#data)")
                .projection_expression("#user, #item")
                .expression_attribute_names("#user", USER)
                .expression_attribute_names("#item", ITEM)
                .expression_attribute_values(":journal", s(JOURNAL))
                .expression_attribute_names("#data", DATA)
                .expression_attribute_values(":number", s(sort_key(number)))
                .set_exclusive_start_key(from);
            let page = request.send().await.map_err(|e| service(text(&e)))?;
            keys.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(keys);
            }
        }
    }
}

/// The result of a change for which the table failed.
fn failed(error: &StoreError) -> ChangeError {
    tracing::error!(%error, "a change of the catalogue was not stored");
    PutError::Failed(error.to_string()).into()
}

impl ProductStore for Products {
    fn lock<'a>(
        &'a self,
        products: &'a [ProductId],
    ) -> Pending<'a, Result<ProductLock, StoreError>> {
        Box::pin(async move {
            let lock = self.live.lock(products).await?;
            self.refresh().await?;
            Ok(lock)
        })
    }

    fn find<'a>(
        &'a self,
        products: &'a [ProductId],
    ) -> Pending<'a, Result<Vec<Option<Listing>>, StoreError>> {
        self.live.find(products)
    }

    /// The journal is the record of all changes: the stream gets none.
    fn put<'a>(
        &'a self,
        _stream: &'a dyn Stream,
        changes: Vec<ProductChange>,
    ) -> Pending<'a, Vec<Result<Position, ChangeError>>> {
        Box::pin(async move {
            let mut journal = self.journal.lock().await;
            if !journal.is_open
                && let Err(error) = self.follow(&mut journal).await
            {
                return vec![Err(failed(&error)); changes.len()];
            }
            let mut results = Vec::with_capacity(changes.len());
            for changes in entry::split(changes) {
                results.extend(self.append(&mut journal, changes).await);
            }
            if let Err(error) = self.shorten(&mut journal).await {
                tracing::warn!(%error, "the journal of the catalogue stays long; the next change tries again");
            }
            results
        })
    }

    fn page<'a>(
        &'a self,
        after: Option<&'a ProductId>,
        limit: usize,
    ) -> Pending<'a, Result<Vec<(ProductId, Listing)>, StoreError>> {
        self.live.page(after, limit)
    }

    fn full(&self) -> Option<usize> {
        (self.live.len() >= MAX_PRODUCTS).then_some(MAX_PRODUCTS)
    }

    /// None: nothing follows the stream's events here to count them.
    fn unknown(&self) -> Pending<'_, Result<BTreeMap<ProductId, UnknownProduct>, StoreError>> {
        self.live.unknown()
    }
}
