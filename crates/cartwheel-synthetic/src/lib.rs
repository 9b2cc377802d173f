//! A seeded generator of a synthetic grocery shop in the Instacart schema.
//!
//! Product popularity follows a Zipf-like distribution. Each shopper has tastes over aisles,
//! staples with their own purchase cycles, and preferred days and hours. Shoppers try new
//! products and keep buying some of them. Some products are bought together.

mod catalogue;
mod shopper;
mod words;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use catalogue::Catalogue;
use shopper::{History, Shopper};

/// Number of users generated at once.
const CHUNK: u32 = 1024;
/// Minimum number of orders per user.
const MIN_ORDERS: u64 = 3;

/// The size of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShopSpec {
    /// Number of users, 1 to 10,000,000.
    pub users: u32,
    /// Number of products, 100 to 100,000.
    pub products: u32,
    /// Number of orders of all users, 3 to 100 per user.
    pub orders: u64,
    /// Seed; the same seed writes the same shop.
    pub seed: u64,
}

impl Default for ShopSpec {
    fn default() -> Self {
        Self { users: 2_000, products: 2_000, orders: 30_000, seed: 1 }
    }
}

/// Counts of the written rows.
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

/// Why the shop could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A number is out of range.
    #[error("{0}")]
    Spec(String),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

fn check(spec: &ShopSpec) -> Result<(), GenerateError> {
    let bad = |text: String| Err(GenerateError::Spec(text));
    if !(1..=10_000_000).contains(&spec.users) {
        return bad(format!("{} users are out of range: expected 1 to 10000000", spec.users));
    }
    if !(100..=100_000).contains(&spec.products) {
        return bad(format!("{} products are out of range: expected 100 to 100000", spec.products));
    }
    let least = u64::from(spec.users) * MIN_ORDERS;
    if !(least..=100 * u64::from(spec.users)).contains(&spec.orders) {
        let most = 100 * u64::from(spec.users);
        return bad(format!(
            "{} orders are out of range: expected {least} to {most} for {} users",
            spec.orders, spec.users
        ));
    }
    Ok(())
}

/// A file that gets its final name once it is complete.
struct OutputFile {
    path: PathBuf,
    scratch: PathBuf,
    file: BufWriter<File>,
}

impl OutputFile {
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

/// Writes the shop into the directory `out`, which is created if needed. Calls `progress`
/// with the number of orders written so far.
///
/// # Errors
/// When a number is out of range or a file cannot be written. Files written so far then keep
/// their temporary names.
pub fn generate(
    spec: &ShopSpec,
    out: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, GenerateError> {
    check(spec)?;
    std::fs::create_dir_all(out)
        .map_err(|source| GenerateError::Io { path: out.to_owned(), source })?;
    let catalogue = Catalogue::new(spec.products, spec.seed);
    let mut orders = OutputFile::create(
        out,
        "orders.csv",
        "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,\
         days_since_prior_order\n",
    )?;
    let mut lines = OutputFile::create(
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
        let histories: Vec<History> = starts
            .into_par_iter()
            .map(|(user, order_id, n)| {
                Shopper::new(spec.seed, user, &catalogue).history(order_id, n)
            })
            .collect();
        for history in histories {
            orders.write(&history.orders)?;
            lines.write(&history.lines)?;
            summary.lines += history.line_count;
        }
        summary.orders = order_id - 1;
        first = end;
        progress(summary.orders);
    }
    let [products, aisles, departments] = catalogue.csv();
    for (name, text) in
        [("products.csv", products), ("aisles.csv", aisles), ("departments.csv", departments)]
    {
        let mut file = OutputFile::create(out, name, "")?;
        file.write(&text)?;
        file.finish()?;
    }
    orders.finish()?;
    lines.finish()?;
    Ok(summary)
}

/// Splits the orders among users with a long tail; their sum is exact.
struct Shares {
    seed: u64,
    spare: u64,
    /// Sum of the weights before each chunk of users; per user it would take too much memory.
    before: Vec<f64>,
    sum: f64,
}

impl Shares {
    fn new(spec: &ShopSpec) -> Self {
        let spare = spec.orders - u64::from(spec.users) * MIN_ORDERS;
        let mut shares = Self { seed: spec.seed, spare, before: Vec::new(), sum: 0.0 };
        for user in 0..spec.users {
            if user.is_multiple_of(CHUNK) {
                shares.before.push(shares.sum);
            }
            shares.sum += shopper::appetite(spec.seed, user);
        }
        shares
    }

    /// Returns the weight of all users before `user`.
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
        MIN_ORDERS + end.saturating_sub(place(from))
    }
}

#[cfg(test)]
mod tests;
