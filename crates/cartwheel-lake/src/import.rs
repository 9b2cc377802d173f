//! Importing a shop's past in the Instacart schema.
//!
//! Orders are read first; of each only user, number and set stay in memory, which
//! is what lines need. Lines and products stream through.

mod csv_file;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Int32Array, Int64Array, StringArray};
use cartwheel_events::check_id;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::manifest::{Lake, LakeError, Manifest};
use crate::parts;
use crate::rejects::Rejects;
use crate::tables::{self, PartWriter};
use csv_file::{CsvFile, Row, digest, find};

/// Rows of one batch.
const BATCH: usize = 65_536;
const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// How to import.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Day of everybody's newest order, UTC milliseconds; otherwise that of the
    /// first import, or today.
    pub as_of_ms: Option<i64>,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read, as they lie on disk.
    pub bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
}

/// What an import counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportSummary {
    /// Orders imported.
    pub orders: u64,
    /// Order lines imported.
    pub lines: u64,
    /// Users of these orders.
    pub users: u64,
    /// Products of the catalogue.
    pub products: u64,
    /// Rows left out.
    pub rejected: u64,
    /// Where they stand with their reasons.
    pub rejects: Option<PathBuf>,
    /// Whether the same files had been imported already.
    pub unchanged: bool,
}

impl fmt::Display for ImportSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.unchanged { "Already imported, unchanged" } else { "Imported" };
        write!(
            f,
            "{verb}: {} orders with {} lines of {} users, {} products; {} rows rejected",
            self.orders, self.lines, self.users, self.products, self.rejected
        )?;
        match &self.rejects {
            Some(path) => write!(f, ", see {}", path.display()),
            None => Ok(()),
        }
    }
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file that has to be there is not.
    #[error("{0}: no such file, plain or .gz: expected {1}")]
    Missing(PathBuf, &'static str),
    /// A file cannot be used at all.
    #[error("{path}: {problem}")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The lake cannot be written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A file cannot be read or written.
    #[error("import: {0}")]
    Io(#[from] io::Error),
}

struct Order {
    user: u32,
    number: u32,
}

struct Import<'a> {
    lake: &'a Lake,
    folder: String,
    rejects: Rejects,
    /// Ids of users, by index.
    users: Vec<Box<str>>,
    orders: FxHashMap<Box<str>, Order>,
    products: FxHashSet<Box<str>>,
    summary: ImportSummary,
}

/// Imports the folder `dir`; the lake changes at the end, at once, or not at all.
///
/// # Errors
/// When a whole file is missing or unusable. Wrong rows are no error: they are
/// counted and written to a rejects file.
pub fn instacart(
    lake: &Lake,
    dir: &Path,
    options: &ImportOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<ImportSummary, ImportError> {
    let orders = find(dir, "orders.csv")
        .ok_or_else(|| ImportError::Missing(dir.join("orders.csv"), "the orders"))?;
    let mut lines: Vec<PathBuf> =
        ["order_products__prior.csv", "order_products__train.csv", "order_products.csv"]
            .iter()
            .filter_map(|name| find(dir, name))
            .collect();
    if lines.is_empty() {
        let path = dir.join("order_products.csv");
        return Err(ImportError::Missing(path, "the lines, in one file or __prior and __train"));
    }
    if lines.len() == 3 {
        lines.truncate(2);
    }
    let [products, aisles, departments] =
        ["products.csv", "aisles.csv", "departments.csv"].map(|name| find(dir, name));
    let optional = [&products, &aisles, &departments].into_iter().flatten();
    let files: Vec<&PathBuf> = std::iter::once(&orders).chain(&lines).chain(optional).collect();

    let id = digest(&files, options.as_of_ms)?;
    // Another import, or an erasure, may be at work on these tables.
    let _lock = lake.lock("import")?;
    for table in ["orders", "order_products", "products"] {
        parts::sweep(&lake.dir().join(table))?;
    }
    let before = lake.import_manifest()?;
    if let Some(known) = before.as_ref().filter(|m| m.id == id) {
        return Ok(ImportSummary { unchanged: true, ..known.summary.clone() });
    }
    let as_of_ms = options.as_of_ms.or(before.as_ref().map(|m| m.as_of_ms)).unwrap_or_else(|| {
        let now = jiff::Timestamp::now().as_millisecond();
        now - now.rem_euclid(DAY_MS)
    });
    let total_bytes = files.iter().filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum();
    let mut read = 0;
    let mut tick = |bytes: u64| {
        read += bytes;
        progress(Progress { bytes: read, total_bytes });
    };

    let rejects = lake.dir().join("rejects").join(format!("{id}.csv"));
    let mut import = Import {
        lake,
        folder: format!("import={id}"),
        rejects: Rejects::new(&rejects),
        users: Vec::new(),
        orders: FxHashMap::default(),
        products: FxHashSet::default(),
        summary: ImportSummary::default(),
    };
    let order_parts = import.orders(&orders, as_of_ms, &mut tick)?;
    let texts = import.texts([&aisles, &departments], &mut tick)?;
    let mut product_writer = import.writer("products", tables::products());
    if let Some(path) = &products {
        import.products(path, &texts, &mut product_writer, &mut tick)?;
    }
    let line_parts = import.lines(&lines, &mut product_writer, &mut tick)?;
    let product_parts = product_writer.finish()?;

    let Import { rejects, mut summary, orders, users, products, .. } = import;
    summary.orders = orders.len() as u64;
    summary.users = users.len() as u64;
    summary.products = products.len() as u64;
    summary.rejected = rejects.count;
    summary.rejects = rejects.finish()?;
    lake.put_manifest(&Manifest {
        id,
        as_of_ms,
        orders: order_parts,
        order_products: line_parts,
        products: product_parts,
        summary: summary.clone(),
    })?;
    if let Some(old) = before {
        for folder in [&old.orders, &old.order_products, &old.products] {
            if let Some(folder) = folder.first().and_then(|part| part.parent()) {
                // Readers opened what they read; what is left behind harms nobody.
                let _ = std::fs::remove_dir_all(folder);
            }
        }
    }
    Ok(summary)
}

/// One order's row before its date is known.
struct Draft {
    order_id: Box<str>,
    user: u32,
    eval_set: &'static str,
    number: u32,
    dow: Option<i32>,
    hour: Option<i32>,
    days: Option<f32>,
    at_ms: i64,
}

impl<'a> Import<'a> {
    fn writer(&self, table: &str, schema: arrow_schema::SchemaRef) -> PartWriter<'a> {
        PartWriter::new(self.lake, Path::new(table).join(&self.folder), schema)
    }

    fn reject(&mut self, row: &Row<'_>, reason: &str) -> io::Result<()> {
        self.rejects.add(row.file, row.line, reason, &row.text())
    }

    fn orders(
        &mut self,
        path: &Path,
        as_of_ms: i64,
        tick: &mut dyn FnMut(u64),
    ) -> Result<Vec<PathBuf>, ImportError> {
        let mut file = CsvFile::open(path, &["order_id", "user_id", "order_number"])?;
        let mut by_id: FxHashMap<Box<str>, u32> = FxHashMap::default();
        let mut numbers: FxHashSet<(u32, u32)> = FxHashSet::default();
        let mut drafts: Vec<Draft> = Vec::new();
        file.rows(tick, |row| {
            let row = match row {
                Ok(row) => row,
                Err(broken) => return self.rejects.add(broken.0, broken.1, &broken.2, ""),
            };
            let (order_id, user_id) = (row.get("order_id"), row.get("user_id"));
            if let Err(e) = check_id(order_id) {
                return self.reject(&row, &format!("order_id {e}"));
            }
            if let Err(e) = check_id(user_id) {
                return self.reject(&row, &format!("user_id {e}"));
            }
            let Some(number) = row.number("order_number", 1.0, 1e9) else {
                return self.reject(&row, "order_number is not a number from 1");
            };
            let eval_set = match row.get("eval_set") {
                "prior" | "" => "prior",
                "train" => "train",
                "test" => "test",
                _ => return self.reject(&row, "eval_set is not prior, train or test"),
            };
            for (name, most) in
                [("order_dow", 6.0), ("order_hour_of_day", 23.0), ("days_since_prior_order", 1e5)]
            {
                if !row.get(name).is_empty() && row.number(name, 0.0, most).is_none() {
                    return self.reject(&row, &format!("{name} is out of range"));
                }
            }
            if self.orders.contains_key(order_id) {
                return self.reject(&row, "order_id stands twice");
            }
            let next = self.users.len() as u32;
            let user = *by_id.entry(user_id.into()).or_insert(next);
            if user == next {
                self.users.push(user_id.into());
            }
            let number = number as u32;
            if !numbers.insert((user, number)) {
                return self.reject(&row, "the user has another order of that number");
            }
            self.orders.insert(order_id.into(), Order { user, number });
            drafts.push(Draft {
                order_id: order_id.into(),
                user,
                eval_set,
                number,
                dow: row.number("order_dow", 0.0, 6.0).map(|x| x as i32),
                hour: row.number("order_hour_of_day", 0.0, 23.0).map(|x| x as i32),
                days: row.number("days_since_prior_order", 0.0, 1e5).map(|x| x as f32),
                at_ms: 0,
            });
            Ok(())
        })?;
        if drafts.is_empty() {
            let problem = "holds no usable order".to_owned();
            return Err(ImportError::Unusable { path: path.to_owned(), problem });
        }
        drafts.sort_by_key(|d| (d.user, d.number));
        date(&mut drafts, as_of_ms);
        let mut writer = self.writer("orders", tables::orders());
        for drafts in drafts.chunks(BATCH) {
            let text = |f: &dyn Fn(&Draft) -> String| {
                Arc::new(StringArray::from_iter_values(drafts.iter().map(f))) as ArrayRef
            };
            let int = |f: fn(&Draft) -> Option<i32>| {
                Arc::new(Int32Array::from_iter(drafts.iter().map(f))) as ArrayRef
            };
            writer.write(vec![
                text(&|d| d.order_id.to_string()),
                text(&|d| self.users[d.user as usize].to_string()),
                text(&|d| d.eval_set.to_owned()),
                int(|d| i32::try_from(d.number).ok()),
                Arc::new(Int64Array::from_iter_values(drafts.iter().map(|d| d.at_ms))),
                int(|d| d.dow),
                int(|d| d.hour),
                Arc::new(Float32Array::from_iter(drafts.iter().map(|d| d.days))),
            ])?;
        }
        Ok(writer.finish()?)
    }

    /// Names of aisles and departments, by id.
    fn texts(
        &mut self,
        files: [&Option<PathBuf>; 2],
        tick: &mut dyn FnMut(u64),
    ) -> Result<[FxHashMap<String, String>; 2], ImportError> {
        let mut out = [FxHashMap::default(), FxHashMap::default()];
        let columns = [("aisle_id", "aisle"), ("department_id", "department")];
        for ((path, names), (key, text)) in files.into_iter().zip(&mut out).zip(columns) {
            let Some(path) = path else { continue };
            CsvFile::open(path, &[key, text])?.rows(tick, |row| {
                match row {
                    Ok(row) => {
                        names.insert(row.get(key).to_owned(), row.get(text).to_owned());
                    }
                    Err(broken) => self.rejects.add(broken.0, broken.1, &broken.2, "")?,
                }
                Ok(())
            })?;
        }
        Ok(out)
    }

    fn products(
        &mut self,
        path: &Path,
        [aisles, departments]: &[FxHashMap<String, String>; 2],
        writer: &mut PartWriter<'_>,
        tick: &mut dyn FnMut(u64),
    ) -> Result<(), ImportError> {
        let mut rows: Vec<[String; 6]> = Vec::new();
        let unknown = || "unknown".to_owned();
        CsvFile::open(path, &["product_id"])?.rows(tick, |row| {
            let row = match row {
                Ok(row) => row,
                Err(broken) => return self.rejects.add(broken.0, broken.1, &broken.2, ""),
            };
            let id = row.get("product_id");
            if let Err(e) = check_id(id) {
                return self.reject(&row, &format!("product_id {e}"));
            }
            if !self.products.insert(id.into()) {
                return self.reject(&row, "product_id stands twice");
            }
            let name = match row.get("product_name") {
                "" => format!("Product {id}"),
                name => name.chars().take(500).collect(),
            };
            let (aisle, department) = (row.get("aisle_id"), row.get("department_id"));
            rows.push([
                id.to_owned(),
                name,
                aisle.to_owned(),
                aisles.get(aisle).cloned().unwrap_or_else(unknown),
                department.to_owned(),
                departments.get(department).cloned().unwrap_or_else(unknown),
            ]);
            Ok(())
        })?;
        Ok(write_products(writer, &rows)?)
    }

    fn lines(
        &mut self,
        paths: &[PathBuf],
        products: &mut PartWriter<'_>,
        tick: &mut dyn FnMut(u64),
    ) -> Result<Vec<PathBuf>, ImportError> {
        let mut writer = self.writer("order_products", tables::order_products());
        let mut lines = Lines::default();
        let mut new: Vec<[String; 6]> = Vec::new();
        let mut basket: (String, FxHashSet<String>) = Default::default();
        for path in paths {
            let mut kept = 0_u64;
            CsvFile::open(path, &["order_id", "product_id"])?.rows(tick, |row| {
                let row = match row {
                    Ok(row) => row,
                    Err(broken) => return self.rejects.add(broken.0, broken.1, &broken.2, ""),
                };
                let (order_id, product) = (row.get("order_id"), row.get("product_id"));
                let Some(&Order { user, number }) = self.orders.get(order_id) else {
                    return self.reject(&row, "order_id is not among the orders");
                };
                if let Err(e) = check_id(product) {
                    return self.reject(&row, &format!("product_id {e}"));
                }
                if basket.0 != order_id {
                    basket = (order_id.to_owned(), FxHashSet::default());
                }
                if !basket.1.insert(product.to_owned()) {
                    return self.reject(&row, "the order holds the product already");
                }
                let given = row.get("add_to_cart_order");
                let position = match row.number("add_to_cart_order", 1.0, 1e6) {
                    Some(position) => position as i32,
                    None if given.is_empty() => basket.1.len() as i32,
                    None => return self.reject(&row, "add_to_cart_order is out of range"),
                };
                let reordered = match row.get("reordered") {
                    "" => None,
                    "0" | "0.0" => Some(0),
                    "1" | "1.0" => Some(1),
                    _ => return self.reject(&row, "reordered is not 0 or 1"),
                };
                if !self.products.contains(product) {
                    self.products.insert(product.into());
                    let name = format!("Product {product}");
                    let unknown = || "unknown".to_owned();
                    let none = String::new();
                    new.push([product.to_owned(), name, none.clone(), unknown(), none, unknown()]);
                }
                lines.push(
                    order_id,
                    product,
                    position,
                    reordered,
                    &self.users[user as usize],
                    number,
                );
                kept += 1;
                if lines.len() == BATCH { writer.write(lines.take()) } else { Ok(()) }
            })?;
            if kept == 0 {
                let problem = "holds no usable line".to_owned();
                return Err(ImportError::Unusable { path: path.clone(), problem });
            }
            self.summary.lines += kept;
        }
        writer.write(lines.take())?;
        write_products(products, &new)?;
        Ok(writer.finish()?)
    }
}

/// Lays dates backwards: each user's newest order on the day of `as_of_ms`.
fn date(drafts: &mut [Draft], as_of_ms: i64) {
    let mut newer: Option<(u32, i64, Option<f32>)> = None;
    for draft in drafts.iter_mut().rev() {
        let day = match newer {
            Some((user, day, gap)) if user == draft.user => {
                day - gap.unwrap_or(0.0) as i64 * DAY_MS
            }
            _ => as_of_ms,
        };
        newer = Some((draft.user, day, draft.days));
        draft.at_ms = day + i64::from(draft.hour.unwrap_or(12)) * HOUR_MS;
    }
}

fn write_products(writer: &mut PartWriter<'_>, rows: &[[String; 6]]) -> io::Result<()> {
    for rows in rows.chunks(BATCH) {
        let column = |at: usize| {
            Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r[at]))) as ArrayRef
        };
        writer.write((0..6).map(column).collect())?;
    }
    Ok(())
}

/// A batch of lines, by column.
#[derive(Default)]
struct Lines {
    ids: [Vec<String>; 3],
    numbers: [Vec<i32>; 2],
    reordered: Vec<Option<i32>>,
}

impl Lines {
    fn push(
        &mut self,
        order: &str,
        product: &str,
        position: i32,
        reordered: Option<i32>,
        user: &str,
        number: u32,
    ) {
        for (column, id) in self.ids.iter_mut().zip([order, product, user]) {
            column.push(id.to_owned());
        }
        self.numbers[0].push(position);
        self.numbers[1].push(i32::try_from(number).unwrap_or(i32::MAX));
        self.reordered.push(reordered);
    }

    fn len(&self) -> usize {
        self.reordered.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let Self { ids: [orders, products, users], numbers: [positions, numbers], reordered } =
            std::mem::take(self);
        vec![
            Arc::new(StringArray::from(orders)),
            Arc::new(StringArray::from(products)),
            Arc::new(Int32Array::from(positions)),
            Arc::new(Int32Array::from(reordered)),
            Arc::new(StringArray::from(users)),
            Arc::new(Int32Array::from(numbers)),
        ]
    }
}
