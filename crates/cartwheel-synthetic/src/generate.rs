//! Writing a shop, in either form.

use std::path::Path;

use rayon::prelude::*;

use crate::assortment::{Assortment, DAY_MS};
use crate::catalogue::Catalogue;
use crate::feed;
use crate::history::{self, Shop};
use crate::instacart::{self, OrderRows};
use crate::output::OutputFile;
use crate::rows;
use crate::shares::Shares;
use crate::shopper::{History, Shopper};
use crate::spec::{GenerateError, ShopSpec, Summary};

/// Number of users generated at once.
const CHUNK: u32 = 256;

/// Writes the orders without dates, in the Instacart schema, into the directory `out`, which is
/// created if needed. Calls `progress` with the number of orders written so far.
///
/// # Errors
/// When a number is out of range or a file cannot be written. Files written so far then keep
/// their temporary names.
pub fn generate(
    spec: &ShopSpec,
    out: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, GenerateError> {
    let catalogue = begin(spec, out)?;
    let mut orders = OutputFile::create(out, "orders.csv", instacart::ORDERS)?;
    let mut lines = OutputFile::create(out, "order_products.csv", instacart::LINES)?;
    let mut summary = Summary::new(spec);
    let render = |history: &History, first_order| OrderRows::new(history, first_order);
    each_user(spec, &catalogue, progress, render, |rows| {
        orders.write(&rows.orders)?;
        lines.write(&rows.lines)?;
        summary.lines += rows.line_count;
        Ok(())
    })?;
    let [products, aisles, departments] = catalogue.csv();
    for (name, text) in
        [("products.csv", products), ("aisles.csv", aisles), ("departments.csv", departments)]
    {
        write_file(out, name, &text)?;
    }
    orders.finish()?;
    lines.finish()?;
    Ok(summary)
}

/// Writes the same shop with dates: the orders with visits before them, guests and returns as
/// `events.csv`, and the products as they are in the end as `products.ndjson`. The history ends
/// at the beginning of the day since 1970 `end_day`, UTC.
///
/// # Errors
/// As [`generate`].
pub fn generate_events(
    spec: &ShopSpec,
    end_day: i32,
    out: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, GenerateError> {
    let catalogue = begin(spec, out)?;
    let assortment = Assortment::new(&catalogue, spec.seed, i64::from(end_day) * DAY_MS);
    let shop = Shop { catalogue: &catalogue, assortment: &assortment, seed: spec.seed };
    let mut events = OutputFile::create(out, "events.csv", rows::HEADER)?;
    let mut summary = Summary::new(spec);
    let render = |history: &History, first_order| history::rows(&shop, history, first_order);
    each_user(spec, &catalogue, progress, render, |rows| {
        events.write(&rows.text)?;
        summary.lines += rows.lines;
        summary.events += rows.events;
        Ok(())
    })?;
    write_file(out, "products.ndjson", &feed::lines(&catalogue, &assortment))?;
    events.finish()?;
    Ok(summary)
}

fn begin(spec: &ShopSpec, out: &Path) -> Result<Catalogue, GenerateError> {
    spec.check()?;
    std::fs::create_dir_all(out)
        .map_err(|source| GenerateError::Io { path: out.to_owned(), source })?;
    Ok(Catalogue::new(spec.products, spec.seed))
}

/// Renders the history of each user on all threads, and writes them in their order.
fn each_user<R: Send>(
    spec: &ShopSpec,
    catalogue: &Catalogue,
    progress: &mut dyn FnMut(u64),
    render: impl Fn(&History, u64) -> R + Sync,
    mut write: impl FnMut(R) -> Result<(), GenerateError>,
) -> Result<(), GenerateError> {
    let shares = Shares::new(spec);
    let (mut first, mut order_id) = (0, 1);
    while first < spec.users {
        let end = spec.users.min(first + CHUNK);
        let mut starts = Vec::with_capacity((end - first) as usize);
        for user in first..end {
            let orders = shares.orders(user);
            starts.push((user, order_id, orders));
            order_id += orders;
        }
        let rendered: Vec<R> = starts
            .into_par_iter()
            .map(|(user, first_order, orders)| {
                let history = Shopper::new(spec.seed, user, catalogue).history(orders);
                render(&history, first_order)
            })
            .collect();
        rendered.into_iter().try_for_each(&mut write)?;
        first = end;
        progress(order_id - 1);
    }
    Ok(())
}

fn write_file(out: &Path, name: &str, text: &str) -> Result<(), GenerateError> {
    OutputFile::create(out, name, text)?.finish()
}
