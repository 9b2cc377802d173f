//! A seeded generator of a synthetic grocery shop in the Instacart schema.
//!
//! Products have Zipf-like popularity. A shopper has tastes over aisles, a
//! repertoire of staples with cycles of their own, habits of day and hour, and
//! tries new things, of which some stay. Some products are bought together.

mod catalogue;
mod shopper;
mod words;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use catalogue::Catalogue;
use shopper::Shopper;

/// Users generated at once.
const CHUNK: u32 = 1024;
/// Fewest orders of a user.
const LEAST_ORDERS: u64 = 3;

/// How large the shop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShopSpec {
    /// Users, 1 to 10,000,000.
    pub users: u32,
    /// Products, 100 to 100,000.
    pub products: u32,
    /// Orders of all users, at least three a user.
    pub orders: u64,
    /// The same seed writes the same shop.
    pub seed: u64,
}

impl Default for ShopSpec {
    fn default() -> Self {
        Self { users: 2_000, products: 2_000, orders: 30_000, seed: 1 }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Users.
    pub users: u32,
    /// Products.
    pub products: u32,
    /// Orders.
    pub orders: u64,
    /// Order lines.
    pub lines: u64,
}

/// Why no shop was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A number is out of range.
    #[error("{0}")]
    Spec(String),
    /// A file cannot be written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn check(spec: &ShopSpec) -> Result<(), GenerateError> {
    let bad = |text: String| Err(GenerateError::Spec(text));
    if !(1..=10_000_000).contains(&spec.users) {
        return bad(format!("{} users: expected 1 to 10000000", spec.users));
    }
    if !(100..=100_000).contains(&spec.products) {
        return bad(format!("{} products: expected 100 to 100000", spec.products));
    }
    let least = u64::from(spec.users) * LEAST_ORDERS;
    if !(least..=100 * u64::from(spec.users)).contains(&spec.orders) {
        let most = 100 * u64::from(spec.users);
        return bad(format!(
            "{} orders: {} users place {least} to {most}",
            spec.orders, spec.users
        ));
    }
    Ok(())
}

/// A file that takes its name when it is whole.
struct Out {
    path: PathBuf,
    scratch: PathBuf,
    file: BufWriter<File>,
}

impl Out {
    fn create(dir: &Path, name: &str, header: &str) -> Result<Self, GenerateError> {
        let (path, scratch) = (dir.join(name), dir.join(format!(".{name}.part")));
        let file = File::create(&scratch)
            .map_err(|source| GenerateError::Io { path: scratch.clone(), source })?;
        let file = BufWriter::with_capacity(1 << 18, file);
        let mut out = Self { path, scratch, file };
        out.write(header)?;
        Ok(out)
    }

    fn write(&mut self, text: &str) -> Result<(), GenerateError> {
        let path = &self.scratch;
        self.file
            .write_all(text.as_bytes())
            .map_err(|source| GenerateError::Io { path: path.clone(), source })
    }

    fn finish(mut self) -> Result<(), GenerateError> {
        let put = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        put.and_then(|()| std::fs::rename(&self.scratch, &self.path))
            .map_err(|source| GenerateError::Io { path: self.path, source })
    }
}

/// Writes the shop into the folder `out`, which is made if need be. `progress` is
/// told how many orders are done.
///
/// # Errors
/// When a number is out of range or a file cannot be written; files written so far
/// then keep their temporary names.
pub fn generate(
    spec: &ShopSpec,
    out: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, GenerateError> {
    check(spec)?;
    std::fs::create_dir_all(out)
        .map_err(|source| GenerateError::Io { path: out.to_owned(), source })?;
    let catalogue = Catalogue::new(spec.products, spec.seed);
    let mut orders = Out::create(
        out,
        "orders.csv",
        "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,\
         days_since_prior_order\n",
    )?;
    let mut lines = Out::create(
        out,
        "order_products.csv",
        "order_id,product_id,add_to_cart_order,reordered\n",
    )?;
    let shares = Shares::new(spec);
    let mut summary = Summary { users: spec.users, products: spec.products, orders: 0, lines: 0 };
    let mut first = 0;
    while first < spec.users {
        let end = spec.users.min(first + CHUNK);
        let mut starts = Vec::with_capacity((end - first) as usize);
        let mut order_id = summary.orders + 1;
        for user in first..end {
            let n = shares.orders(user);
            starts.push((user, order_id, n));
            order_id += n;
        }
        let texts: Vec<(String, String, u64)> = starts
            .into_par_iter()
            .map(|(user, order_id, n)| {
                Shopper::new(spec.seed, user, &catalogue).history(order_id, n)
            })
            .collect();
        for (order_text, line_text, count) in texts {
            orders.write(&order_text)?;
            lines.write(&line_text)?;
            summary.lines += count;
        }
        summary.orders = order_id - 1;
        first = end;
        progress(summary.orders);
    }
    let [products, aisles, departments] = catalogue.csv();
    for (name, text) in
        [("products.csv", products), ("aisles.csv", aisles), ("departments.csv", departments)]
    {
        let mut file = Out::create(out, name, "")?;
        file.write(&text)?;
        file.finish()?;
    }
    orders.finish()?;
    lines.finish()?;
    Ok(summary)
}

/// Splits the orders among users: long-tailed, and exact in sum.
struct Shares {
    seed: u64,
    spare: u64,
    /// Sum of weights before each user, by chunks, so that memory stays small.
    before: Vec<f64>,
    sum: f64,
}

impl Shares {
    fn new(spec: &ShopSpec) -> Self {
        let spare = spec.orders - u64::from(spec.users) * LEAST_ORDERS;
        let mut shares = Self { seed: spec.seed, spare, before: Vec::new(), sum: 0.0 };
        for user in 0..spec.users {
            if user.is_multiple_of(CHUNK) {
                shares.before.push(shares.sum);
            }
            shares.sum += shopper::appetite(spec.seed, user);
        }
        shares
    }

    /// Weight of all users before `user`.
    fn until(&self, user: u32) -> f64 {
        let chunk = user / CHUNK;
        let start = self.before.get(chunk as usize).copied().unwrap_or(self.sum);
        (chunk * CHUNK..user).fold(start, |sum, u| sum + shopper::appetite(self.seed, u))
    }

    fn orders(&self, user: u32) -> u64 {
        let place = |weight: f64| (self.spare as f64 * (weight / self.sum)).floor() as u64;
        let (from, own) = (self.until(user), shopper::appetite(self.seed, user));
        let to = if user.is_multiple_of(CHUNK) { from + own } else { self.until(user) + own };
        let last = to >= self.sum * (1.0 - 1e-12);
        let end = if last { self.spare } else { place(to) };
        LEAST_ORDERS + end.saturating_sub(place(from))
    }
}

#[cfg(test)]
mod tests;
