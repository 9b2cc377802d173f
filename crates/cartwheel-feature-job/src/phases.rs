//! The phases over Arrow streams, for a host that shuffles by user and gives each partition
//! to a process of its own, as Spark does. They call the same functions as the local job
//! and write the same bytes.

use std::io::{self, Read, Write};
use std::path::Path;

use arrow_array::types::Int8Type;
use arrow_array::{Array, RecordBatch};
use cartwheel_feature_set::{Calendar, FeatureSetWriter, UserFile, decode_catalogue, files};
use cartwheel_features::{Action, GROUPS, ProductDetails, ProductInfo, stable_hash};
use rustc_hash::FxHashSet;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::assemble::Assembler;
use crate::columns::{numbers, strings};
use crate::decode::{
    BasketColumns, CheckoutColumns, LineColumns, OrderColumns, SearchColumns, TouchColumns,
};
use crate::finish::{self, Assembly};
use crate::fold::{Folded, UserRows};
use crate::options::JobOptions;
use crate::pieces::{self, FILE, Pieces};
use crate::products::{ProductIndex, in_order};
use crate::rows::{BasketRow, LineRow, Rows};
use crate::write::{Origin, write};

/// Kind of a user record; the key is the user id.
const USER: &str = "user";
/// Kind of a fold result over some of the users.
const PARTIAL: &str = "partial";
/// Kind of the examples and counts that [`assemble`] takes.
const ASSEMBLY: &str = "assembly";

/// Values of the `kind` column in the input of [`fold`].
const ORDER: i8 = 0;
const LINE: i8 = 1;
const CHECKOUT: i8 = 2;
const RETURN: i8 = 3;
const BASKET: i8 = 4;
const VIEW: i8 = 5;
const ADD: i8 = 6;
const REMOVE: i8 = 7;
const SEARCH: i8 = 8;

fn pack(value: &impl Serialize) -> io::Result<Vec<u8>> {
    postcard::to_allocvec(value).map_err(io::Error::other)
}

fn unpack<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(|e| io::Error::other(format!("{what}: {e}")))
}

/// Reads the products table from columns `product_id, product_name, aisle, department`, and
/// returns the products by catalogue index. The last three columns are null for a product
/// that only a checkout contains.
///
/// # Errors
/// When the stream cannot be read or has other columns.
pub fn read_products(input: impl Read) -> io::Result<Vec<ProductInfo>> {
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for batch in pieces::open(input)? {
        let batch = batch.map_err(io::Error::other)?;
        let (id, name) = (strings(&batch, "product_id")?, strings(&batch, "product_name")?);
        let (aisle, department) = (strings(&batch, "aisle")?, strings(&batch, "department")?);
        for at in 0..batch.num_rows() {
            match name.is_valid(at) {
                true => named.push(ProductInfo {
                    product_id: id.value(at).to_owned(),
                    name: name.value(at).to_owned(),
                    aisle: aisle.value(at).to_owned(),
                    department: department.value(at).to_owned(),
                    details: ProductDetails::default(),
                }),
                false => others.push(ProductInfo::unnamed(id.value(at))),
            }
        }
    }
    // Of products with the same id the first one stays: the named one.
    named.extend(others);
    Ok(in_order(named))
}

/// Folds users as they come, with one user in memory at a time. The input has one row for
/// each order, order line, checkout, return, basket, touch and search, with the columns `user_id`,
/// `kind` (0 order, 1 line, 2 checkout, 3 return, 4 basket, 5 view, 6 add to the cart, 7 removal from
/// the cart, 8 search) and those of the tables; the rows of a user are contiguous. A basket is the purchase of an unknown customer: its `user_id` is its own id,
/// and it occurs once.
/// Writes a record for each user, and then the partial result over all of them.
///
/// # Errors
/// When the input has another shape, contains an unknown product, or the rows of a user are
/// not contiguous.
pub fn fold(
    input: impl Read,
    out: impl Write,
    products: &[ProductInfo],
    options: &JobOptions,
) -> io::Result<()> {
    let calendar = Calendar::new(&options.timezone).map_err(io::Error::other)?;
    let index = ProductIndex::new(products);
    let mut users = Users {
        folded: Folded::new(products.len(), options),
        out: Pieces::new(out)?,
        options,
        calendar,
        seen: FxHashSet::default(),
        user_id: String::new(),
        rows: Rows::default(),
    };
    for batch in pieces::open(input)? {
        users.batch(&batch.map_err(io::Error::other)?, &index)?;
    }
    users.end_user()?;
    let Users { folded, mut out, .. } = users;
    out.value(PARTIAL, "", &pack(&folded)?)?;
    out.finish()
}

/// Folds a stream of rows user by user.
struct Users<'a, W: Write> {
    folded: Folded,
    out: Pieces<W>,
    options: &'a JobOptions,
    calendar: Calendar,
    /// Hashes of the users that are done.
    seen: FxHashSet<u64>,
    /// The user whose rows are being read.
    user_id: String,
    rows: Rows,
}

impl<W: Write> Users<'_, W> {
    fn batch(&mut self, batch: &RecordBatch, index: &ProductIndex<'_>) -> io::Result<()> {
        let user_ids = strings(batch, "user_id")?;
        let kinds = numbers::<Int8Type>(batch, "kind")?;
        let orders = OrderColumns::of(batch)?;
        let lines = LineColumns::of(batch, index)?;
        let checkouts = CheckoutColumns::of(batch, index)?;
        let baskets = BasketColumns::of(batch, "received_at_ms", index)?;
        let touches = TouchColumns::of(batch, index)?;
        let searches = SearchColumns::of(batch)?;
        for at in 0..batch.num_rows() {
            if kinds.value(at) == BASKET {
                let hash = stable_hash(user_ids.value(at).as_bytes());
                self.folded.basket(BasketRow { hash, ..baskets.row(at)? }, self.options);
                continue;
            }
            if user_ids.value(at) != self.user_id || self.rows.is_empty() {
                self.end_user()?;
                user_ids.value(at).clone_into(&mut self.user_id);
            }
            match kinds.value(at) {
                ORDER => self.rows.orders.push(orders.row(at)),
                LINE => self.rows.lines.push(lines.row(at)?),
                kind @ (CHECKOUT | RETURN) => {
                    self.rows.checkouts.push(checkouts.row(at, kind == RETURN)?);
                }
                VIEW => self.rows.touches.extend(touches.rows(at, Action::View)?),
                ADD => self.rows.touches.extend(touches.rows(at, Action::Add)?),
                REMOVE => self.rows.touches.extend(touches.rows(at, Action::Remove)?),
                SEARCH => self.rows.searches.extend(searches.row(at)),
                kind => {
                    return Err(io::Error::other(format!(
                        "column kind contains {kind}: expected 0 (order), 1 (line), 2 (checkout), \
                         3 (return), 4 (basket), 5 (view), 6 (add), 7 (removal) or 8 (search)"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Folds the user whose rows are complete.
    fn end_user(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.rows);
        let hash = stable_hash(self.user_id.as_bytes());
        if !self.seen.insert(hash) {
            return Err(io::Error::other(format!(
                "the rows of user {} are not contiguous: sort the input by user_id",
                self.user_id
            )));
        }
        if !rows.tell_of_user() {
            return Ok(());
        }
        rows.orders.sort_by_key(|o| o.number);
        rows.lines.sort_unstable_by_key(LineRow::place);
        rows.checkouts.sort_by(|a, b| (a.at_ms, &a.event_id).cmp(&(b.at_ms, &b.event_id)));
        rows.touches.sort_unstable();
        rows.searches.sort_unstable();
        let Rows { orders, lines, checkouts, touches, searches, .. } = &rows;
        let user = UserRows { orders, lines, checkouts, touches, searches };
        let state = self.folded.user(&self.user_id, hash, user, self.options, &self.calendar);
        self.out.value(USER, &self.user_id, &state.encode())
    }
}

/// Merges the partial results in the input, at least one.
fn merged(input: impl Read) -> io::Result<Folded> {
    let mut all: Option<Folded> = None;
    pieces::read(input, |kind, _, bytes| {
        if kind != PARTIAL {
            return Err(io::Error::other(format!(
                "the input contains a value of kind {kind:?}: expected {PARTIAL:?} only"
            )));
        }
        let folded: Folded = unpack(PARTIAL, &bytes)?;
        match &mut all {
            Some(all) if all.products() != folded.products() => {
                return Err(io::Error::other("the partials come from different products tables"));
            }
            Some(all) => all.merge(folded),
            None => all = Some(folded),
        }
        Ok(())
    })?;
    all.ok_or_else(|| io::Error::other("the input contains no partial"))
}

/// Merges partial results into one. Neither their order nor their grouping matters.
///
/// # Errors
/// When the input contains anything else, or partials from different products tables.
pub fn merge(input: impl Read, out: impl Write) -> io::Result<()> {
    let mut pieces = Pieces::new(out)?;
    pieces.value(PARTIAL, "", &pack(&merged(input)?)?)?;
    pieces.finish()
}

/// Merges the last partial results. Writes the catalogues and the held-out examples as
/// files of the set, and the input of [`assemble`].
///
/// # Errors
/// When the input contains anything else, or partials from another products table.
pub fn finish(
    input: impl Read,
    out: impl Write,
    products: Vec<ProductInfo>,
    options: &JobOptions,
) -> io::Result<()> {
    let folded = merged(input)?;
    if folded.products() != products.len() {
        let (folded, given) = (folded.products(), products.len());
        return Err(io::Error::other(format!(
            "the partials have {folded} products, but the products table has {given}"
        )));
    }
    let finished = finish::finish(folded, products, options);
    let mut pieces = Pieces::new(out)?;
    pieces.catalogue_of_others(0, &finished.first)?;
    for group in 1..GROUPS {
        pieces.catalogue_of_others(group, &finished.catalogues.of_others(group))?;
    }
    pieces.catalogue(&finished.catalogues.whole())?;
    pieces.gate(&finished.gate)?;
    pieces.histories(&finished.histories)?;
    pieces.value(ASSEMBLY, "", &pack(&finished.assembly)?)?;
    pieces.finish()
}

/// Computes the training rows from the catalogues over others and the assembly
/// input that [`finish`] wrote. Writes all other files of feature set `version`, the
/// manifest last, which says how many `erasures` the lake had completed when it was read. Examples
/// are a bounded sample, so one process assembles them all.
///
/// # Errors
/// When the input lacks one of the two or contains anything else.
pub fn assemble(
    input: impl Read,
    out: impl Write,
    version: &str,
    erasures: u64,
    options: &JobOptions,
) -> io::Result<()> {
    let names = files::CATALOGUES_OF_OTHERS;
    // Encoded, because only one at a time is needed in memory.
    let mut others: [Option<Vec<u8>>; GROUPS] = [const { None }; GROUPS];
    let mut assembly: Option<Assembly> = None;
    pieces::read(input, |kind, key, bytes| {
        let group = names.iter().position(|name| kind == FILE && *name == key);
        match (kind, group) {
            (_, Some(group)) => others[group] = Some(bytes),
            (ASSEMBLY, _) => assembly = Some(unpack(ASSEMBLY, &bytes)?),
            _ => {
                return Err(io::Error::other(format!(
                    "the input contains {kind} {key:?}: expected {ASSEMBLY} and {FILE} {names:?} only"
                )));
            }
        }
        Ok(())
    })?;
    let missing = |what: &str| io::Error::other(format!("the input contains no {what}"));
    if let Some((_, name)) = others.iter().zip(names).find(|(bytes, _)| bytes.is_none()) {
        return Err(missing(name));
    }
    let mut assembler = Assembler::new(assembly.ok_or_else(|| missing(ASSEMBLY))?, options);
    let mut named = None;
    for (group, (bytes, name)) in others.into_iter().flatten().zip(names).enumerate() {
        let read = decode_catalogue(&bytes);
        let catalogue = read.map_err(|e| io::Error::other(format!("{name}: {e}")))?;
        assembler.add(group, &catalogue);
        named = Some(catalogue);
    }
    let catalogue = named.ok_or_else(|| missing(names[0]))?;
    let assembled = assembler.finish();
    let origin = Origin { version: version.to_owned(), erasures };
    let mut pieces = Pieces::new(out)?;
    write(&mut pieces, &catalogue, &assembled, origin, options)?;
    pieces.finish()
}

/// Writes the records of a local user file in the form of [`fold`].
///
/// # Errors
/// When the file is damaged.
pub fn dump(users: &Path, out: impl Write) -> io::Result<()> {
    let users = UserFile::open(users)?;
    let mut pieces = Pieces::new(out)?;
    for at in 0..users.len() {
        let (user_id, state) = users.record(at)?;
        pieces.value(USER, &user_id, &state.encode())?;
    }
    pieces.finish()
}
