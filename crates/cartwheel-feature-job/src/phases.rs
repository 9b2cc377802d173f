//! The three phases over streams: for a host that shuffles by user and hands each
//! partition to a process of its own, as Spark does. The same functions as the local
//! job's make the same values.

use std::io::{self, Read, Write};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int8Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use cartwheel_features::{Catalogue, ProductInfo, stable_hash};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fold::{Folded, UserRows};
use crate::pieces::{self, Pieces, column, mistyped};
use crate::run::{self, ASSEMBLED, Assembly, JobOptions, unnamed};
use crate::shuffle::{CheckoutRow, EvalSet, LineRow, OrderRow, Rows};
use cartwheel_feature_set::Calendar;
use cartwheel_feature_set::UserFile;

const USER: &str = "user";
const PARTIAL: &str = "partial";
const FILE: &str = "file";
const ASSEMBLY: &str = "assembly";
const CUT: &str = "catalogue_cut.bin";

/// What `kind` says of a row of the fold's input.
const ORDER: i8 = 0;
const LINE: i8 = 1;
const CHECKOUT: i8 = 2;

fn pack(value: &impl Serialize) -> io::Result<Vec<u8>> {
    postcard::to_allocvec(value).map_err(io::Error::other)
}

fn unpack<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(|e| io::Error::other(format!("{what}: {e}")))
}

/// Reads products: `product_id, product_name, aisle, department`, of which the last
/// three are null where only a checkout names the product. Gives them by index.
///
/// # Errors
/// When the stream cannot be read or has other columns.
pub fn read_products(input: impl Read) -> io::Result<Vec<ProductInfo>> {
    let mut products = Vec::new();
    for batch in pieces::open(input)? {
        let batch = batch.map_err(io::Error::other)?;
        let text = |name: &str| -> io::Result<_> {
            column(&batch, name)?.as_string_opt::<i32>().cloned().ok_or_else(|| mistyped(name))
        };
        let (id, name) = (text("product_id")?, text("product_name")?);
        let (aisle, department) = (text("aisle")?, text("department")?);
        for at in 0..batch.num_rows() {
            let named = name.is_valid(at);
            products.push(match named {
                true => ProductInfo {
                    product_id: id.value(at).to_owned(),
                    name: name.value(at).to_owned(),
                    aisle: aisle.value(at).to_owned(),
                    department: department.value(at).to_owned(),
                },
                false => unnamed(id.value(at)),
            });
        }
    }
    // Of two with one id the named stays: the sort keeps their order.
    let (named, unnamed): (Vec<_>, Vec<_>) =
        products.into_iter().partition(|p| *p != unnamed(&p.product_id));
    Ok(run::in_order(named.into_iter().chain(unnamed).collect()))
}

/// Folds users as they come, one in memory at a time. Writes a record for each, and the
/// partial of all at the end.
///
/// # Errors
/// When the input is not of the shape above, names an unknown product, or has a user's
/// rows in two places.
pub fn fold(
    input: impl Read,
    out: impl Write,
    products: &[ProductInfo],
    options: &JobOptions,
) -> io::Result<()> {
    let calendar = Calendar::new(&options.timezone).map_err(io::Error::other)?;
    let index: FxHashMap<&str, u32> =
        products.iter().enumerate().map(|(at, p)| (p.product_id.as_str(), at as u32)).collect();
    let mut fold = Users {
        folded: Folded::new(products.len(), options),
        out: Pieces::new(out)?,
        options,
        calendar,
        seen: FxHashSet::default(),
        user: String::new(),
        rows: Rows::default(),
    };
    for batch in pieces::open(input)? {
        let batch = batch.map_err(io::Error::other)?;
        fold.batch(&batch, &index)?;
    }
    fold.end_user()?;
    let Users { folded, mut out, .. } = fold;
    out.put(PARTIAL, "", &pack(&folded)?)?;
    out.finish()
}

struct Users<'a, W: Write> {
    folded: Folded,
    out: Pieces<W>,
    options: &'a JobOptions,
    calendar: Calendar,
    /// Hashes of the users that are done.
    seen: FxHashSet<u64>,
    user: String,
    rows: Rows,
}

macro_rules! typed {
    ($batch:expr, $name:literal, $cast:ident $(::<$t:ty>)?) => {
        column($batch, $name)?.$cast$(::<$t>)?().ok_or_else(|| mistyped($name))?
    };
}

impl<W: Write> Users<'_, W> {
    fn batch(&mut self, batch: &RecordBatch, index: &FxHashMap<&str, u32>) -> io::Result<()> {
        let user = typed!(batch, "user_id", as_string_opt::<i32>);
        let kind = typed!(batch, "kind", as_primitive_opt::<Int8Type>);
        let number = typed!(batch, "order_number", as_primitive_opt::<Int32Type>);
        let set = typed!(batch, "eval_set", as_string_opt::<i32>);
        let dow = typed!(batch, "order_dow", as_primitive_opt::<Int32Type>);
        let hour = typed!(batch, "order_hour_of_day", as_primitive_opt::<Int32Type>);
        let days = typed!(batch, "days_since_prior_order", as_primitive_opt::<Float32Type>);
        let ordered = typed!(batch, "ordered_at_ms", as_primitive_opt::<Int64Type>);
        let product = typed!(batch, "product_id", as_string_opt::<i32>);
        let position = typed!(batch, "add_to_cart_order", as_primitive_opt::<Int32Type>);
        let reordered = typed!(batch, "reordered", as_primitive_opt::<Int32Type>);
        let event = typed!(batch, "event_id", as_string_opt::<i32>);
        let received = typed!(batch, "received_at_ms", as_primitive_opt::<Int64Type>);
        let bought = typed!(batch, "product_ids", as_list_opt::<i32>);
        let known = |id: &str| {
            let unknown = || io::Error::other(format!("product {id} is not in the products table"));
            index.get(id).copied().ok_or_else(unknown)
        };
        for at in 0..batch.num_rows() {
            if user.value(at) != self.user || self.is_new() {
                self.end_user()?;
                user.value(at).clone_into(&mut self.user);
            }
            let byte = |column: &arrow_array::Int32Array| {
                column.is_valid(at).then(|| column.value(at)).and_then(|x| u8::try_from(x).ok())
            };
            match kind.value(at) {
                ORDER => self.rows.orders.push(OrderRow {
                    hash: 0,
                    user_id: String::new(),
                    number: number.value(at).unsigned_abs(),
                    eval_set: match set.value(at) {
                        "test" => EvalSet::Test,
                        "train" => EvalSet::Train,
                        _ => EvalSet::Prior,
                    },
                    dow: byte(dow),
                    hour: byte(hour),
                    days: days.is_valid(at).then(|| days.value(at)),
                    at_ms: ordered.is_valid(at).then(|| ordered.value(at)),
                }),
                LINE => self.rows.lines.push(LineRow {
                    hash: 0,
                    number: number.value(at).unsigned_abs(),
                    position: position.value(at).unsigned_abs(),
                    product: known(product.value(at))?,
                    reordered: reordered.is_valid(at).then(|| reordered.value(at) != 0),
                }),
                CHECKOUT => {
                    let items = bought.value(at);
                    let items = items.as_string_opt::<i32>();
                    let items = items.ok_or_else(|| mistyped("product_ids"))?;
                    self.rows.checkouts.push(CheckoutRow {
                        hash: 0,
                        user_id: String::new(),
                        at_ms: received.value(at),
                        event_id: event.value(at).to_owned(),
                        products: items.iter().flatten().map(known).collect::<io::Result<_>>()?,
                    });
                }
                other => return Err(io::Error::other(format!("there is no kind {other}"))),
            }
        }
        Ok(())
    }

    fn is_new(&self) -> bool {
        self.rows.orders.is_empty() && self.rows.lines.is_empty() && self.rows.checkouts.is_empty()
    }

    /// Folds the user whose rows are all there.
    fn end_user(&mut self) -> io::Result<()> {
        if self.is_new() {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.rows);
        let hash = stable_hash(self.user.as_bytes());
        if !self.seen.insert(hash) {
            let what = format!("the rows of user {} are in two places", self.user);
            return Err(io::Error::other(what));
        }
        // Lines without an order are nobody's, as in the local job.
        if rows.orders.is_empty() && rows.checkouts.is_empty() {
            return Ok(());
        }
        rows.orders.sort_by_key(|o| o.number);
        rows.lines.sort_unstable_by_key(|l| (l.number, l.position, l.product));
        rows.checkouts.sort_by(|a, b| (a.at_ms, &a.event_id).cmp(&(b.at_ms, &b.event_id)));
        let Rows { orders, lines, checkouts } = &rows;
        let user = UserRows { orders, lines, checkouts };
        let state = self.folded.user(&self.user, hash, user, self.options, &self.calendar);
        self.out.put(USER, &self.user, &state.encode())
    }
}

/// Merges partials into one, of which there is at least one.
fn merged(input: impl Read) -> io::Result<Folded> {
    let mut all: Option<Folded> = None;
    pieces::read(input, |kind, _, bytes| {
        if kind != PARTIAL {
            return Err(io::Error::other(format!("expected partials, not {kind:?}")));
        }
        let folded: Folded = unpack("partial", &bytes)?;
        match &mut all {
            Some(all) if all.whole.products.len() != folded.whole.products.len() => {
                return Err(io::Error::other("the partials are over other products"));
            }
            Some(all) => all.merge(folded),
            None => all = Some(folded),
        }
        Ok(())
    })?;
    all.ok_or_else(|| io::Error::other("there is no partial to merge"))
}

/// Merges partials into one, in any order and grouping.
///
/// # Errors
/// When the input holds anything else, or partials over other products.
pub fn merge(input: impl Read, out: impl Write) -> io::Result<()> {
    let mut pieces = Pieces::new(out)?;
    pieces.put(PARTIAL, "", &pack(&merged(input)?)?)?;
    pieces.finish()
}

/// Merges the last partials, and finishes catalogues and samples: the files
/// `catalogue.bin`, `catalogue_cut.bin` and `gate.bin`, and what [`assemble`] takes.
///
/// # Errors
/// When the input holds anything else, or partials over other products.
pub fn finish(input: impl Read, out: impl Write, products: Vec<ProductInfo>) -> io::Result<()> {
    let folded = merged(input)?;
    if folded.whole.products.len() != products.len() {
        let (there, here) = (folded.whole.products.len(), products.len());
        return Err(io::Error::other(format!(
            "the partials are over {there} products, the products table has {here}"
        )));
    }
    let finished = run::finish(folded, products);
    let mut pieces = Pieces::new(out)?;
    pieces.put(FILE, "catalogue.bin", &pack(&finished.whole)?)?;
    pieces.put(FILE, CUT, &pack(&finished.cut)?)?;
    pieces.put(FILE, "gate.bin", &pack(&finished.gate)?)?;
    pieces.put(ASSEMBLY, "", &pack(&finished.assembly)?)?;
    pieces.finish()
}

/// Makes the rows to train on from what [`finish`] gave, and all other files of the
/// feature set `version`. The examples are a bounded sample, so one process does it.
///
/// # Errors
/// When the input lacks a part, or the scratch directory cannot be written.
pub fn assemble(
    input: impl Read,
    out: impl Write,
    version: &str,
    options: &JobOptions,
) -> io::Result<()> {
    let (mut cut, mut assembly): (Option<Catalogue>, Option<Assembly>) = (None, None);
    pieces::read(input, |kind, key, bytes| {
        match (kind, key) {
            (FILE, CUT) => cut = Some(unpack(CUT, &bytes)?),
            (ASSEMBLY, _) => assembly = Some(unpack(ASSEMBLY, &bytes)?),
            _ => return Err(io::Error::other(format!("{kind} {key:?} is not for assembling"))),
        }
        Ok(())
    })?;
    let missing = |what: &str| io::Error::other(format!("the input has no {what}"));
    let cut = cut.ok_or_else(|| missing(CUT))?.indexed();
    let assembly = assembly.ok_or_else(|| missing(ASSEMBLY))?;
    let scratch = tempfile::tempdir()?;
    let assembled = run::assemble(&cut, assembly, options.seed);
    run::write(scratch.path(), version.to_owned(), &cut, &assembled, (options.seed, 0))?;
    let mut pieces = Pieces::new(out)?;
    for name in ASSEMBLED {
        pieces.put(FILE, name, &std::fs::read(scratch.path().join(name))?)?;
    }
    pieces.finish()
}

/// Writes the records of a local feature set's `users.bin`, as [`fold`] writes them.
///
/// # Errors
/// When the file is damaged.
pub fn dump(users: &Path, out: impl Write) -> io::Result<()> {
    let users = UserFile::open(users)?;
    let mut pieces = Pieces::new(out)?;
    for at in 0..users.len() {
        let (user, state) = users.record(at)?;
        pieces.put(USER, &user, &state.encode())?;
    }
    pieces.finish()
}
