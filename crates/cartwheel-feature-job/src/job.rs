//! The job on one machine: from the lake's files to a named feature set.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use cartwheel_events::EventKind;
use cartwheel_feature_set::{
    Calendar, FeatureSet, FeatureSetWriter, NewFeatureSet, UserFileWriter, UserRecords,
};
use cartwheel_features::{GROUPS, ProductInfo, stable_hash};
use cartwheel_files::Partitions;
use cartwheel_lake::Ties;
use cartwheel_recommend::FEATURES;
use parking_lot::Mutex;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::assemble::Assembler;
use crate::batches::RowGroups;
use crate::columns::strings;
use crate::decode::{
    BasketColumns, CheckoutColumns, LineColumns, OrderColumns, SearchColumns, TouchColumns,
    action_of, names, search_row,
};
use crate::finish::{Finished, finish};
use crate::fold::Folded;
use crate::options::JobOptions;
use crate::products::{self, ProductIndex};
use crate::rows::{CheckoutRow, TouchRow};
use crate::shuffle::{Sender, rows};
use crate::write::{Origin, short_hash, write};

/// Order lines that one partition holds on average: bounds the memory of a thread.
const PARTITION_LINES: u64 = 500_000;

/// The input of the job.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Id of the imported data; part of the set's name.
    pub import_id: String,
    /// Parquet files of the `orders` table.
    pub orders: Vec<PathBuf>,
    /// Parquet files of the `order_products` table.
    pub order_products: Vec<PathBuf>,
    /// The `products` table.
    pub products: Vec<ProductInfo>,
    /// Delivered checkouts and returns, without repetitions.
    pub checkouts: Vec<cartwheel_lake::CheckoutRow>,
    /// Delivered views, adds, removes and searches.
    pub touches: cartwheel_lake::Touches,
    /// Imported Parquet files of the `events` table.
    pub events: Vec<PathBuf>,
    /// The guests that turned out to be users: their imported events are the users'.
    pub ties: Ties,
    /// Parquet files of the `baskets` table.
    pub baskets: Vec<PathBuf>,
    /// Erasures that the lake had completed when it was read.
    pub erasures: u64,
}

/// The progress of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Rows are sent to their partitions.
    Shuffle {
        /// Rows sent.
        done: u64,
        /// All rows.
        total: u64,
    },
    /// Partitions are folded.
    Fold {
        /// Partitions folded.
        done: u64,
        /// All partitions.
        total: u64,
    },
    /// The fold's results become catalogues.
    Merge,
    /// Examples become rows.
    Assemble,
    /// Rows and manifest are written.
    Write,
}

/// Builds the feature set of `input` below `features`, or opens it if it exists.
///
/// # Errors
/// When a file cannot be read or written. No incomplete set remains.
pub fn build(
    input: Input,
    features: &Path,
    options: &JobOptions,
    progress: &(dyn Fn(Phase) + Sync),
) -> io::Result<FeatureSet> {
    let version = version(&input, options);
    if let Ok(set) = FeatureSet::open(&features.join(&version)) {
        return Ok(set);
    }
    let calendar = Calendar::new(&options.timezone).map_err(io::Error::other)?;
    let mut set = NewFeatureSet::create(features)?;

    let orders = RowGroups::of(&input.orders)?;
    let lines = RowGroups::of(&input.order_products)?;
    let events = RowGroups::of(&input.events)?;
    let baskets = RowGroups::of(&input.baskets)?;
    let total = lines.rows() + events.entries() + baskets.entries();
    let count = (total / PARTITION_LINES + 1).next_multiple_of(4).min(1024) as usize;
    let partitions = Partitions::create(set.dir(), count)?;
    let products = products(input.products, &input.checkouts);
    let checkouts = &input.checkouts;
    let ties = &input.ties;
    let touches = &input.touches;
    let products_of = &products;
    let tables =
        Tables { orders, lines, events, ties, baskets, products: products_of, checkouts, touches };
    shuffle(&tables, &partitions, progress)?;

    let users = Mutex::new(OrderedUsers::new(set.users()?));
    let done = AtomicU64::new(0);
    let total = partitions.count() as u64;
    let next = AtomicUsize::new(0);
    // One result a thread, because each is as large as the catalogue.
    let fold = |_| {
        let mut folded = None;
        let mut bytes = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= partitions.count() {
                return Ok::<_, io::Error>(folded);
            }
            let folded = folded.get_or_insert_with(|| Folded::new(products.len(), options));
            partitions.read_into(at, &mut bytes)?;
            let records = folded.partition(rows(&bytes)?, options, &calendar)?;
            users.lock().add(at, records)?;
            progress(Phase::Fold { done: done.fetch_add(1, Ordering::Relaxed) + 1, total });
        }
    };
    let threads = (0..rayon::current_num_threads()).into_par_iter().with_max_len(1);
    let folded: Vec<Option<Folded>> = threads.map(fold).collect::<io::Result<_>>()?;
    let folded = folded.into_iter().flatten().reduce(|mut all, other| {
        all.merge(other);
        all
    });
    let folded = folded.unwrap_or_else(|| Folded::new(products.len(), options));
    drop(partitions);
    let users = users.into_inner().writer;

    progress(Phase::Merge);
    let (users, finished) = beside(|| users.finish(), || finish(folded, products, options))?;
    let Finished { catalogues, first, gate, later, histories, assembly } = finished;
    debug_assert_eq!(users, assembly.users);
    set.gate(&gate)?;
    set.histories(&histories)?;
    if options.until_ms.is_some() {
        set.later(&later)?;
    }
    drop((gate, later, histories));

    let mut assembler = Assembler::new(assembly, options);
    let mut first = Some(first);
    for group in 0..GROUPS {
        progress(Phase::Merge);
        let others = first.take().unwrap_or_else(|| catalogues.of_others(group));
        progress(Phase::Assemble);
        beside(|| set.catalogue_of_others(group, &others), || assembler.add(group, &others))?;
    }
    progress(Phase::Merge);
    let whole = catalogues.whole();
    drop(catalogues);
    progress(Phase::Assemble);
    let ((), assembled) = beside(|| set.catalogue(&whole), || assembler.finish())?;
    progress(Phase::Write);
    let origin = Origin { version: version.clone(), erasures: input.erasures };
    write(&mut set, &whole, &assembled, origin, options)?;
    set.publish(&version)
}

/// Stores something on a thread of its own, which mostly waits for the disk, while all others compute.
fn beside<S: Send, T>(
    store: impl FnOnce() -> io::Result<S> + Send,
    compute: impl FnOnce() -> T,
) -> io::Result<(S, T)> {
    std::thread::scope(|scope| {
        let stored = scope.spawn(store);
        let computed = compute();
        let stored = stored.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((stored, computed))
    })
}

/// Names a set by its data, options and columns, so that the same set is built once.
fn version(input: &Input, options: &JobOptions) -> String {
    let mut text = format!("{}\n{options:?}\n{}\n", input.import_id, FEATURES.join(","));
    // Without returns, quantities change nothing.
    let has_returns = input.checkouts.iter().any(|c| c.is_return);
    for c in &input.checkouts {
        let (user, at_ms, event, products) =
            (&c.user_id, c.received_at_ms, &c.event_id, &c.product_ids);
        text.push_str(&format!("{user} {at_ms} {event} {products:?}\n"));
        if has_returns {
            text.push_str(&format!("{} {:?}\n", c.is_return, c.quantities));
        }
    }
    if !input.touches.is_empty() {
        // They come in no order, so that their hashes are added up.
        let hash = |touch| stable_hash(format!("{touch:?}").as_bytes());
        let sum = input.touches.iter().map(hash).fold(0, u64::wrapping_add);
        text.push_str(&format!("touches {sum:x}\n"));
        let hash = |search| stable_hash(format!("{search:?}").as_bytes());
        let sum = input.touches.searches().map(hash).fold(0, u64::wrapping_add);
        text.push_str(&format!("searches {sum:x}\n"));
    }
    if !input.events.is_empty() {
        // A login after the import changes to whom imported events belong.
        text.push_str(&input.ties.fingerprint());
    }
    // The live catalogue changes products between two imports.
    for product in &input.products {
        text.push_str(&format!("{product:?}\n"));
    }
    format!("fs-{}", short_hash(text.as_bytes()))
}

/// Returns the products by catalogue index, with those that only a checkout contains.
fn products(
    mut table: Vec<ProductInfo>,
    checkouts: &[cartwheel_lake::CheckoutRow],
) -> Vec<ProductInfo> {
    let bought = checkouts.iter().filter(|checkout| !checkout.is_return);
    let bought = bought.flat_map(|checkout| &checkout.product_ids);
    table.extend(bought.map(|id| ProductInfo::unnamed(id)));
    products::in_order(table)
}

/// The rows of a job.
struct Tables<'a> {
    orders: RowGroups,
    lines: RowGroups,
    events: RowGroups,
    ties: &'a Ties,
    baskets: RowGroups,
    /// By catalogue index.
    products: &'a [ProductInfo],
    checkouts: &'a [cartwheel_lake::CheckoutRow],
    touches: &'a cartwheel_lake::Touches,
}

/// Sends all rows to the partitions of their users.
fn shuffle(
    tables: &Tables<'_>,
    partitions: &Partitions,
    progress: &(dyn Fn(Phase) + Sync),
) -> io::Result<()> {
    let index = ProductIndex::new(tables.products);
    let groups = [&tables.orders, &tables.lines, &tables.events, &tables.baskets];
    let total = groups.iter().map(|groups| groups.rows()).sum();
    let sent = AtomicU64::new(0);
    let count = |rows: usize| {
        let before = sent.fetch_add(rows as u64, Ordering::Relaxed);
        progress(Phase::Shuffle { done: before + rows as u64, total });
    };
    tables.orders.read(&names::ORDERS, |batches| {
        let mut sender = Sender::new(partitions);
        for batch in batches {
            let batch = batch?;
            let (users, orders) = (strings(&batch, "user_id")?, OrderColumns::of(&batch)?);
            for at in 0..batch.num_rows() {
                sender.order(users.value(at), &orders.row(at))?;
            }
            count(batch.num_rows());
        }
        sender.finish()
    })?;
    tables.lines.read(&names::LINES, |batches| {
        let mut sender = Sender::new(partitions);
        for batch in batches {
            let batch = batch?;
            let (users, lines) = (strings(&batch, "user_id")?, LineColumns::of(&batch, &index)?);
            for at in 0..batch.num_rows() {
                sender.line(users.value(at), &lines.row(at)?)?;
            }
            count(batch.num_rows());
        }
        sender.finish()
    })?;
    shuffle_events(tables, &index, partitions, &count)?;
    let mut sender = Sender::new(partitions);
    for checkout in tables.checkouts {
        // The product of a return need not exist: nobody bought it.
        let items = checkout.product_ids.iter().zip(&checkout.quantities);
        let known = items.filter(|(id, _)| !checkout.is_return || index.get(id).is_ok());
        let (ids, pieces): (Vec<&str>, Vec<u32>) =
            known.map(|(id, &pieces)| (id.as_str(), pieces)).unzip();
        let row = CheckoutRow {
            hash: 0,
            user_id: String::new(),
            at_ms: checkout.received_at_ms,
            event_id: checkout.event_id.clone(),
            products: index.all(ids.into_iter())?,
            pieces,
            is_return: checkout.is_return,
        };
        sender.checkout(&checkout.user_id, &row)?;
    }
    for touch in tables.touches.iter() {
        let (Ok(product), Some(action)) = (index.get(touch.product_id), action_of(touch.kind))
        else {
            continue;
        };
        let cartwheel_lake::Touch { user_id, received_at_ms: at_ms, event, place, .. } = touch;
        let user_row =
            TouchRow { hash: 0, at_ms, event, place, product, action, user_id: String::new() };
        sender.touch(user_id, &user_row)?;
    }
    for search in tables.touches.searches() {
        if let Some(row) = search_row(search.query, search.received_at_ms, search.event) {
            sender.search(search.user_id, &row)?;
        }
    }
    sender.finish()
}

/// Sends the imported checkouts, returns, touches, searches and baskets to their partitions.
fn shuffle_events(
    tables: &Tables<'_>,
    index: &ProductIndex<'_>,
    partitions: &Partitions,
    count: &(impl Fn(usize) + Sync),
) -> io::Result<()> {
    tables.events.read(&names::EVENTS, |batches| {
        let mut sender = Sender::new(partitions);
        for batch in batches {
            let batch = batch?;
            let (users, kinds) = (strings(&batch, "user_id")?, strings(&batch, "event")?);
            let checkouts = CheckoutColumns::of(&batch, index)?;
            let touches = TouchColumns::of(&batch, index)?;
            let searches = SearchColumns::of(&batch)?;
            for at in 0..batch.num_rows() {
                let shopper = users.value(at);
                let owner = |at_ms| tables.ties.user(shopper, at_ms).unwrap_or(shopper);
                let Some(kind) = EventKind::parse(kinds.value(at)) else { continue };
                if let EventKind::Checkout | EventKind::Return = kind {
                    let row = checkouts.row(at, kind == EventKind::Return)?;
                    sender.checkout(owner(row.at_ms), &row)?;
                } else if let Some(action) = action_of(kind) {
                    for row in touches.rows(at, action)? {
                        sender.touch(owner(row.at_ms), &row)?;
                    }
                } else if let (EventKind::Search, Some(row)) = (kind, searches.row(at)) {
                    sender.search(owner(row.search.at_ms), &row)?;
                }
            }
            count(batch.num_rows());
        }
        sender.finish()
    })?;
    tables.baskets.read(&names::BASKETS, |batches| {
        let mut sender = Sender::new(partitions);
        for batch in batches {
            let batch = batch?;
            let (ids, kinds) = (strings(&batch, "basket_id")?, strings(&batch, "event")?);
            let baskets = BasketColumns::of(&batch, "ordered_at_ms", index)?;
            for at in 0..batch.num_rows() {
                // The purchase that a return without a customer undoes is unknown.
                if EventKind::parse(kinds.value(at)) == Some(EventKind::Checkout) {
                    sender.basket(ids.value(at), &baskets.row(at)?)?;
                }
            }
            count(batch.num_rows());
        }
        sender.finish()
    })
}

/// Appends the records of the partitions in the order of the partitions, which end in any
/// order.
struct OrderedUsers {
    writer: UserFileWriter,
    /// The partition to append next.
    next: usize,
    waiting: FxHashMap<usize, UserRecords>,
}

impl OrderedUsers {
    fn new(writer: UserFileWriter) -> Self {
        Self { writer, next: 0, waiting: FxHashMap::default() }
    }

    fn add(&mut self, partition: usize, records: UserRecords) -> io::Result<()> {
        self.waiting.insert(partition, records);
        while let Some(records) = self.waiting.remove(&self.next) {
            self.writer.append(&records)?;
            self.next += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_keeps_its_name_between_releases() {
        // A new name would build the set of unchanged data again.
        let checkout = cartwheel_lake::CheckoutRow {
            user_id: "u".to_owned(),
            received_at_ms: 5,
            event_id: "e".to_owned(),
            product_ids: vec!["p".to_owned(), "q".to_owned()],
            quantities: vec![1, 2],
            is_return: false,
        };
        let input = Input {
            import_id: "imported".to_owned(),
            checkouts: vec![checkout],
            ..Input::default()
        };
        let text = format!(
            "imported\nJobOptions {{ label_orders: 20, max_examples: 16000, max_baskets: 1000000, \
             max_shoppers: 20000, max_visits: 100000, label: None, without: [], unlearned: [], search: Quick, min_gate_users: 20, seed: 1, timezone: \"UTC\", until_ms: None }}\n{}\nu 5 e [\"p\", \"q\"]\n",
            FEATURES.join(",")
        );
        let expected = format!("fs-{}", short_hash(text.as_bytes()));
        assert_eq!(version(&input, &JobOptions::default()), expected);
    }
}
