//! `generate`: a synthetic shop as files.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use cartwheel_ambient::Clock;
use cartwheel_synthetic::{GenerateError, ShopSpec, Summary};
use clap::{Args, ValueEnum};
use jiff::civil::Date;

use crate::arguments::day;
use crate::show::{bar, result};

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// The size of a synthetic shop.
#[derive(Debug, Clone, Args)]
pub struct ShopSize {
    /// Number of users.
    #[arg(long, default_value_t = 2_000)]
    pub users: u32,
    /// Number of products.
    #[arg(long, default_value_t = 2_000)]
    pub products: u32,
    /// Number of orders.
    #[arg(long, default_value_t = 30_000)]
    pub orders: u64,
    /// Seed. The same seed and size give the same shop.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// The form of a synthetic shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShopFormat {
    /// Five CSV files in the Instacart schema: orders without dates.
    Instacart,
    /// The same orders with dates, views, searches, carts, guests and returns as events.csv, and
    /// the products with prices and stock as products.ndjson.
    Events,
}

/// The arguments of `generate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel generate --orders 1000000 --users 66000 --out shop
  cartwheel generate --format events --until 2026-01-31 --out shop")]
pub struct Generate {
    #[command(flatten)]
    pub size: ShopSize,
    /// What to write.
    #[arg(long, value_enum, default_value = "instacart")]
    pub format: ShopFormat,
    /// Last day of the events, UTC [default: yesterday].
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub until: Option<Date>,
    /// Folder to write to.
    #[arg(long)]
    pub out: PathBuf,
}

/// Runs `generate`.
pub fn run(args: &Generate, clock: &Clock, json: bool) -> Result<()> {
    match args.format {
        ShopFormat::Instacart => {
            ensure!(args.until.is_none(), "--until needs --format events: orders have no dates");
            write(&args.size, &args.out, json, cartwheel_synthetic::generate)
        }
        ShopFormat::Events => {
            let end_day = match args.until {
                Some(day) => day_number(day.tomorrow()?),
                None => today(clock),
            };
            events(&args.size, end_day, &args.out, json)
        }
    }
}

/// Writes a shop with dates whose history ends yesterday.
pub fn until_yesterday(size: &ShopSize, out: &Path, clock: &Clock) -> Result<()> {
    events(size, today(clock), out, false)
}

fn events(size: &ShopSize, end_day: i32, out: &Path, json: bool) -> Result<()> {
    write(size, out, json, |spec, out, progress| {
        cartwheel_synthetic::generate_events(spec, end_day, out, progress)
    })
}

fn write(
    size: &ShopSize,
    out: &Path,
    json: bool,
    generate: impl Fn(&ShopSpec, &Path, &mut dyn FnMut(u64)) -> Result<Summary, GenerateError>,
) -> Result<()> {
    let ShopSize { users, products, orders, seed } = *size;
    let spec = ShopSpec { users, products, orders, seed };
    let progress = bar("generating orders", orders);
    let summary = generate(&spec, out, &mut |done| progress.set_position(done))?;
    progress.finish_and_clear();
    result(json, &summary, || {
        let Summary { users, products, orders, lines, events } = summary;
        let events = if events > 0 { format!(", {events} other events") } else { String::new() };
        format!(
            "Generated {orders} orders ({lines} lines){events} of {users} users and {products} \
             products in {}",
            out.display()
        )
    });
    Ok(())
}

/// The days from 1970 until today, UTC.
fn today(clock: &Clock) -> i32 {
    // Within the range of days for the next five million years.
    clock.now_ms().div_euclid(DAY_MS) as i32
}

/// The days from 1970 until a day.
fn day_number(day: Date) -> i32 {
    (day.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24) as i32
}
