//! The job: from the lake's files to a named feature set.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use cartwheel_features::{Catalogue, Example, ProductInfo, Scaler};
use cartwheel_recommend::FEATURES;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::assemble::{Labelled, fit, labelled};
use crate::fold::{Folded, Records};
use crate::shuffle::{CheckoutRow, EvalSet, LineRow, OrderRow, Partitions, Sender};
use crate::table::{RowGroups, write_rows};
use cartwheel_feature_set::Calendar;
use cartwheel_feature_set::UserWriter;
use cartwheel_feature_set::{FeatureSet, Manifest, write_json, write_packed};

/// Lines that one partition holds on average: bounds the memory of a thread.
const PARTITION_LINES: u64 = 500_000;

/// A checkout of the event stream: user, received at (UTC ms), event id, products.
pub type Checkout = (String, i64, String, Vec<String>);

/// What the job reads.
#[derive(Debug, Default)]
pub struct Input {
    /// Names the imported data; part of the version.
    pub import_id: String,
    /// Parquet files of the `orders` table.
    pub orders: Vec<PathBuf>,
    /// Parquet files of the `order_products` table.
    pub order_products: Vec<PathBuf>,
    /// The `products` table.
    pub products: Vec<ProductInfo>,
    /// Checkouts, each once.
    pub checkouts: Vec<Checkout>,
    /// Erasures whose end the lake had seen before it was read.
    pub erasures: u64,
}

/// How the job runs.
#[derive(Debug, Clone)]
pub struct JobOptions {
    /// Newest orders of a user that are labels.
    pub label_orders: usize,
    /// Most examples to train on.
    pub max_examples: usize,
    /// Most baskets that neighbours are made from.
    pub max_baskets: usize,
    /// Seed of carts and samples.
    pub seed: u64,
    /// The shop's time zone.
    pub timezone: String,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            label_orders: 7,
            max_examples: 8_000,
            max_baskets: 1_000_000,
            seed: 1,
            timezone: "UTC".to_owned(),
        }
    }
}

/// How far the job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Rows sent to their partitions, of all.
    Shuffle(u64, u64),
    /// Partitions folded, of all.
    Fold(u64, u64),
    /// Partials become catalogues.
    Merge,
    /// Examples become rows.
    Assemble,
    /// Files are written.
    Write,
}

/// Builds the feature set of `input` below `features`, or opens it where it exists.
///
/// # Errors
/// When a file cannot be read or written; nothing half done is named.
pub fn build(
    input: Input,
    features: &Path,
    options: &JobOptions,
    progress: &(dyn Fn(Phase) + Sync),
) -> io::Result<FeatureSet> {
    let version = version(&input, options);
    let erasures = input.erasures;
    let dir = features.join(&version);
    if let Ok(set) = FeatureSet::open(&dir) {
        return Ok(set);
    }
    let calendar = Calendar::new(&options.timezone).map_err(io::Error::other)?;
    std::fs::create_dir_all(features)?;
    let scratch = tempfile::Builder::new().prefix(".building-").tempdir_in(features)?;
    let out = scratch.path();

    let orders = RowGroups::of(&input.orders)?;
    let lines = RowGroups::of(&input.order_products)?;
    let count = (lines.rows() / PARTITION_LINES + 1).next_multiple_of(4).min(1024) as usize;
    let partitions = Partitions::create(out, count)?;
    let products = products(input.products, &input.checkouts);
    shuffle(&partitions, &orders, &lines, &products, &input.checkouts, progress)?;

    let users = Mutex::new(Users::new(UserWriter::create(&out.join("users.bin"))?));
    let done = std::sync::atomic::AtomicU64::new(0);
    let folded = (0..partitions.len())
        .into_par_iter()
        .try_fold(
            || Folded::new(products.len(), options),
            |mut folded, at| {
                let records = folded.partition(partitions.read(at)?, options, &calendar)?;
                let mut users = users.lock().map_err(|_| io::Error::other("a fold panicked"))?;
                users.add(at, records)?;
                let n = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
                progress(Phase::Fold(n, partitions.len() as u64));
                Ok::<_, io::Error>(folded)
            },
        )
        .try_reduce(
            || Folded::new(products.len(), options),
            |mut a, b| {
                a.merge(b);
                Ok(a)
            },
        )?;
    drop(partitions);
    let users = users.into_inner().map_err(|_| io::Error::other("a fold panicked"))?.finish()?;

    progress(Phase::Merge);
    let Finished { whole, cut, gate, assembly } = finish(folded, products);
    debug_assert_eq!(users, assembly.users);
    write_packed(&out.join("catalogue.bin"), &whole)?;
    write_packed(&out.join("catalogue_cut.bin"), &cut)?;
    write_packed(&out.join("gate.bin"), &gate)?;
    drop(whole);

    progress(Phase::Assemble);
    let assembled = assemble(&cut, assembly, options.seed);
    progress(Phase::Write);
    write(out, version, &cut, &assembled, (options.seed, erasures))?;
    std::fs::File::open(out)?.sync_all()?;
    let whole = scratch.keep();
    std::fs::rename(&whole, &dir)?;
    std::fs::File::open(features)?.sync_all()?;
    FeatureSet::open(&dir).map_err(io::Error::other)
}

/// What assembling needs beside the cut catalogue.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Assembly {
    train: Vec<Example>,
    valid: Vec<Example>,
    pub users: u64,
    watermark_ms: i64,
    orders: u64,
    lines: u64,
    gate_examples: u64,
}

/// The merged partials, finished.
pub(crate) struct Finished {
    pub whole: Catalogue,
    pub cut: Catalogue,
    pub gate: Vec<Example>,
    pub assembly: Assembly,
}

/// Finishes the catalogues and samples. `products` are those of the fold.
pub(crate) fn finish(folded: Folded, products: Vec<ProductInfo>) -> Finished {
    let orders = folded.whole.orders;
    let lines = folded.whole.products.iter().map(|p| u64::from(p.orders)).sum();
    let infos = products.clone();
    let (whole, cut) = rayon::join(
        || Catalogue::finish(infos, folded.whole),
        || Catalogue::finish(products, folded.cut),
    );
    let by_key = |mut examples: Vec<Example>| {
        examples.sort_by(|a, b| (&a.user_id, a.order_number).cmp(&(&b.user_id, b.order_number)));
        examples
    };
    let gate = folded.gate.into_sorted();
    let assembly = Assembly {
        train: by_key(folded.train.into_sorted()),
        valid: by_key(folded.valid.into_sorted()),
        users: folded.users,
        watermark_ms: folded.watermark_ms,
        orders,
        lines,
        gate_examples: gate.len() as u64,
    };
    Finished { whole, cut, gate, assembly }
}

/// Examples as scaled rows.
pub(crate) struct Assembled {
    assembly: Assembly,
    train: Labelled,
    valid: Labelled,
    scaler: Scaler,
}

/// Makes rows of the examples, and scales them by the training rows.
pub(crate) fn assemble(cut: &Catalogue, assembly: Assembly, seed: u64) -> Assembled {
    let mut train = labelled(cut, &assembly.train, seed);
    let mut valid = labelled(cut, &assembly.valid, seed);
    let scaler = fit(&train.rows);
    for data in [&mut train, &mut valid] {
        data.rows.par_chunks_exact_mut(FEATURES.len()).for_each(|row| scaler.apply(row));
    }
    Assembled { assembly, train, valid, scaler }
}

/// Files that [`write`] writes; the manifest last.
pub(crate) const ASSEMBLED: [&str; 8] = [
    "train.parquet",
    "train_keys.parquet",
    "valid.parquet",
    "valid_keys.parquet",
    "scaler.json",
    "features.json",
    "schema.json",
    "manifest.json",
];

/// Writes rows, scaler, columns and the manifest.
pub(crate) fn write(
    out: &Path,
    version: String,
    cut: &Catalogue,
    assembled: &Assembled,
    (seed, erasures): (u64, u64),
) -> io::Result<()> {
    let Assembled { assembly, train, valid, scaler } = assembled;
    write_rows(out, "train", train, &assembly.train, cut)?;
    write_rows(out, "valid", valid, &assembly.valid, cut)?;
    write_json(&out.join("scaler.json"), scaler)?;
    write_json(&out.join("features.json"), &FEATURES.to_vec())?;
    let schema_hash = hash(FEATURES.join(",").as_bytes());
    let schema =
        serde_json::json!({"hash": schema_hash, "label": "label", "features": FEATURES.to_vec()});
    write_json(&out.join("schema.json"), &schema)?;
    let manifest = Manifest {
        version,
        schema_hash,
        watermark_ms: assembly.watermark_ms,
        users: assembly.users,
        orders: assembly.orders,
        lines: assembly.lines,
        products: cut.products.len() as u64,
        train_rows: train.labels.len() as u64,
        valid_rows: valid.labels.len() as u64,
        gate_examples: assembly.gate_examples,
        seed,
        erasures,
    };
    write_json(&out.join("manifest.json"), &manifest)
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// Names data, options and columns, so that the same work is not done twice.
fn version(input: &Input, options: &JobOptions) -> String {
    let mut text = format!("{}\n{options:?}\n{}\n", input.import_id, FEATURES.join(","));
    for (user, at, event, products) in &input.checkouts {
        text.push_str(&format!("{user} {at} {event} {products:?}\n"));
    }
    format!("fs-{}", hash(text.as_bytes()))
}

/// The catalogue's texts by index, which is the order of ids; products that only
/// a checkout names are added.
fn products(mut known: Vec<ProductInfo>, checkouts: &[Checkout]) -> Vec<ProductInfo> {
    let named = checkouts.iter().flat_map(|c| &c.3);
    known.extend(named.map(|id| unnamed(id)));
    in_order(known)
}

/// A product that only a checkout names.
pub(crate) fn unnamed(id: &str) -> ProductInfo {
    ProductInfo {
        product_id: id.to_owned(),
        name: format!("Product {id}"),
        aisle: "unknown".to_owned(),
        department: "unknown".to_owned(),
    }
}

/// Sorts by id; of several the first stays.
pub(crate) fn in_order(mut products: Vec<ProductInfo>) -> Vec<ProductInfo> {
    products.sort_by(|a, b| a.product_id.cmp(&b.product_id));
    products.dedup_by(|a, b| a.product_id == b.product_id);
    products
}

fn shuffle(
    partitions: &Partitions,
    orders: &RowGroups,
    lines: &RowGroups,
    products: &[ProductInfo],
    checkouts: &[Checkout],
    progress: &(dyn Fn(Phase) + Sync),
) -> io::Result<()> {
    let index: FxHashMap<&str, u32> =
        products.iter().enumerate().map(|(at, p)| (p.product_id.as_str(), at as u32)).collect();
    let all = orders.rows() + lines.rows();
    let sent = std::sync::atomic::AtomicU64::new(0);
    let count = |rows: usize| {
        let n = sent.fetch_add(rows as u64, std::sync::atomic::Ordering::Relaxed);
        progress(Phase::Shuffle(n + rows as u64, all));
    };
    orders.read(|batches| {
        let mut sender = Sender::new(partitions);
        for batch in batches {
            let batch = batch?;
            send_orders(&batch, &mut sender)?;
            count(batch.num_rows());
        }
        sender.finish()
    })?;
    lines.read(|batches| {
        let mut sender = Sender::new(partitions);
        for batch in batches {
            let batch = batch?;
            send_lines(&batch, &index, &mut sender)?;
            count(batch.num_rows());
        }
        sender.finish()
    })?;
    let mut sender = Sender::new(partitions);
    for (user_id, at_ms, event_id, ids) in checkouts {
        sender.checkout(&CheckoutRow {
            hash: 0,
            user_id: user_id.clone(),
            at_ms: *at_ms,
            event_id: event_id.clone(),
            products: ids.iter().filter_map(|id| index.get(id.as_str()).copied()).collect(),
        })?;
    }
    sender.finish()
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> io::Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| io::Error::other(format!("column {name} is missing")))
}

macro_rules! typed {
    ($batch:expr, $name:literal, $cast:ident $(::<$t:ty>)?) => {
        column($batch, $name)?
            .$cast$(::<$t>)?()
            .ok_or_else(|| io::Error::other(concat!("column ", $name, " has another type")))?
    };
}

fn send_orders(batch: &RecordBatch, sender: &mut Sender<'_>) -> io::Result<()> {
    let user = typed!(batch, "user_id", as_string_opt::<i32>);
    let set = typed!(batch, "eval_set", as_string_opt::<i32>);
    let number = typed!(batch, "order_number", as_primitive_opt::<Int32Type>);
    let dow = typed!(batch, "order_dow", as_primitive_opt::<Int32Type>);
    let hour = typed!(batch, "order_hour_of_day", as_primitive_opt::<Int32Type>);
    let days = typed!(batch, "days_since_prior_order", as_primitive_opt::<Float32Type>);
    let at_ms = typed!(batch, "ordered_at_ms", as_primitive_opt::<Int64Type>);
    for at in 0..batch.num_rows() {
        let byte = |column: &arrow_array::Int32Array| {
            column.is_valid(at).then(|| column.value(at)).and_then(|x| u8::try_from(x).ok())
        };
        sender.order(&OrderRow {
            hash: 0,
            user_id: user.value(at).to_owned(),
            number: number.value(at).unsigned_abs(),
            eval_set: match set.value(at) {
                "test" => EvalSet::Test,
                "train" => EvalSet::Train,
                _ => EvalSet::Prior,
            },
            dow: byte(dow),
            hour: byte(hour),
            days: days.is_valid(at).then(|| days.value(at)),
            at_ms: at_ms.is_valid(at).then(|| at_ms.value(at)),
        })?;
    }
    Ok(())
}

fn send_lines(
    batch: &RecordBatch,
    index: &FxHashMap<&str, u32>,
    sender: &mut Sender<'_>,
) -> io::Result<()> {
    let user = typed!(batch, "user_id", as_string_opt::<i32>);
    let product = typed!(batch, "product_id", as_string_opt::<i32>);
    let number = typed!(batch, "order_number", as_primitive_opt::<Int32Type>);
    let position = typed!(batch, "add_to_cart_order", as_primitive_opt::<Int32Type>);
    let reordered = typed!(batch, "reordered", as_primitive_opt::<Int32Type>);
    for at in 0..batch.num_rows() {
        let id = product.value(at);
        let product = index.get(id).copied();
        let unknown = || io::Error::other(format!("product {id} is not in the products table"));
        let row = LineRow {
            hash: 0,
            number: number.value(at).unsigned_abs(),
            position: position.value(at).unsigned_abs(),
            product: product.ok_or_else(unknown)?,
            reordered: reordered.is_valid(at).then(|| reordered.value(at) != 0),
        };
        sender.line(user.value(at), &row)?;
    }
    Ok(())
}

/// Puts the partitions' records in their order as they come.
struct Users {
    writer: UserWriter,
    next: usize,
    waiting: FxHashMap<usize, Records>,
    count: u64,
}

impl Users {
    fn new(writer: UserWriter) -> Self {
        Self { writer, next: 0, waiting: FxHashMap::default(), count: 0 }
    }

    fn add(&mut self, partition: usize, records: Records) -> io::Result<()> {
        self.waiting.insert(partition, records);
        while let Some(records) = self.waiting.remove(&self.next) {
            self.writer.append(&records.bytes, &records.index)?;
            self.count += records.index.len() as u64;
            self.next += 1;
        }
        Ok(())
    }

    fn finish(self) -> io::Result<u64> {
        self.writer.finish()?;
        Ok(self.count)
    }
}
