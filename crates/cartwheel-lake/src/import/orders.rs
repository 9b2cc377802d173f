//! Importing `orders.csv`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Int32Array, Int64Array, StringArray};
use cartwheel_events::check_id;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::dates::{AssumedDates, usual_gap};
use crate::files::partition::{DAY_MS, HOUR_MS};
use crate::import::csv_file::{CsvFile, Row};
use crate::import::error::ImportError;
use crate::import::part_writer::BATCH_ROWS;
use crate::import::schemas;
use crate::import::state::{Import, Order};

/// The largest gap between two orders, as of live checkouts and in the Instacart data.
const MAX_GAP_DAYS: f32 = 30.0;

/// A row of `orders`.
struct OrderRow {
    order_id: Box<str>,
    /// An index into [`Import::users`].
    user: u32,
    eval_set: &'static str,
    number: u32,
    dow: Option<i32>,
    hour: Option<i32>,
    days_since_prior: Option<f32>,
    /// The day of the order, if the data names it; UTC milliseconds.
    day_ms: Option<i64>,
    ordered_at_ms: i64,
}

/// A valid row of the file.
struct ParsedOrder<'a> {
    order_id: &'a str,
    user_id: &'a str,
    eval_set: &'static str,
    number: u32,
    dow: Option<i32>,
    hour: Option<i32>,
    days_since_prior: Option<f32>,
    day_ms: Option<i64>,
}

impl<'a> ParsedOrder<'a> {
    /// Checks a row on its own. The error is the reason to reject it.
    fn parse(row: &'a Row<'_>) -> Result<Self, String> {
        let (order_id, user_id) = (row.get("order_id"), row.get("user_id"));
        check_id(order_id).map_err(|e| format!("order_id {e}"))?;
        check_id(user_id).map_err(|e| format!("user_id {e}"))?;
        let number = row.number("order_number", 1.0, 1e9);
        let number = number.ok_or("order_number is not a number from 1")? as u32;
        let eval_set = match row.get("eval_set") {
            "prior" | "" => "prior",
            "train" => "train",
            "test" => "test",
            _ => return Err("eval_set is not prior, train or test".to_owned()),
        };
        let optional = |name: &str, most| match row.number(name, 0.0, most) {
            None if !row.get(name).is_empty() => Err(format!("{name} is out of range")),
            number => Ok(number),
        };
        Ok(Self {
            order_id,
            user_id,
            eval_set,
            number,
            dow: optional("order_dow", 6.0)?.map(|x| x as i32),
            hour: optional("order_hour_of_day", 23.0)?.map(|x| x as i32),
            days_since_prior: optional("days_since_prior_order", 1e5)?.map(|x| x as f32),
            day_ms: match row.get("order_date") {
                "" => None,
                text => Some(day_ms(text).ok_or("order_date is not a day such as 2026-01-31")?),
            },
        })
    }
}

impl Import<'_> {
    /// Imports the orders and returns the parts of `orders`, relative to the lake, and what
    /// their dates assume, if some have none.
    pub(super) fn orders(
        &mut self,
        path: &Path,
        as_of_ms: i64,
        tick: &mut dyn FnMut(u64),
    ) -> Result<(Vec<PathBuf>, Option<AssumedDates>), ImportError> {
        let mut rows = self.read_orders(path, tick)?;
        if rows.is_empty() {
            let problem = "the file holds no usable order".to_owned();
            return Err(ImportError::Unusable { path: path.to_owned(), problem });
        }
        rows.sort_by_key(|row| (row.user, row.number));
        let dates = set_dates(&mut rows, &self.users, as_of_ms);
        let mut writer = self.writer("orders", schemas::orders());
        for rows in rows.chunks(BATCH_ROWS) {
            writer.write(self.columns(rows))?;
        }
        Ok((writer.finish()?, dates))
    }

    fn read_orders(
        &mut self,
        path: &Path,
        tick: &mut dyn FnMut(u64),
    ) -> Result<Vec<OrderRow>, ImportError> {
        let mut file = CsvFile::open(path, &["order_id", "user_id", "order_number"])?;
        let mut users: FxHashMap<Box<str>, u32> = FxHashMap::default();
        let mut orders: FxHashSet<Order> = FxHashSet::default();
        let mut rows: Vec<OrderRow> = Vec::new();
        file.rows(tick, |row| {
            let row = match row {
                Ok(row) => row,
                Err(malformed) => return self.reject_malformed(&malformed),
            };
            let order = match ParsedOrder::parse(&row) {
                Ok(order) => order,
                Err(reason) => return self.reject(&row, &reason),
            };
            if self.orders.contains_key(order.order_id) {
                return self.reject(&row, "duplicate order_id");
            }
            let next = self.users.len() as u32;
            let user = *users.entry(order.user_id.into()).or_insert(next);
            if user == next {
                self.users.push(order.user_id.into());
            }
            let number = order.number;
            if !orders.insert(Order { user, number }) {
                return self.reject(&row, "duplicate order_number of the user");
            }
            self.orders.insert(order.order_id.into(), Order { user, number });
            rows.push(OrderRow {
                order_id: order.order_id.into(),
                user,
                eval_set: order.eval_set,
                number,
                dow: order.dow,
                hour: order.hour,
                days_since_prior: order.days_since_prior,
                day_ms: order.day_ms,
                ordered_at_ms: 0,
            });
            Ok(())
        })?;
        Ok(rows)
    }

    fn columns(&self, rows: &[OrderRow]) -> Vec<ArrayRef> {
        let texts = |text: &dyn Fn(&OrderRow) -> String| {
            Arc::new(StringArray::from_iter_values(rows.iter().map(text))) as ArrayRef
        };
        let numbers = |number: fn(&OrderRow) -> Option<i32>| {
            Arc::new(Int32Array::from_iter(rows.iter().map(number))) as ArrayRef
        };
        let times = rows.iter().map(|row| row.ordered_at_ms);
        let days = rows.iter().map(|row| row.days_since_prior);
        vec![
            texts(&|row| row.order_id.to_string()),
            texts(&|row| self.users[row.user as usize].to_string()),
            texts(&|row| row.eval_set.to_owned()),
            numbers(|row| i32::try_from(row.number).ok()),
            Arc::new(Int64Array::from_iter_values(times)),
            numbers(|row| row.dow),
            numbers(|row| row.hour),
            Arc::new(Float32Array::from_iter(days)),
        ]
    }
}

/// Sets the times of orders that are sorted by user and number, and returns what they assume.
///
/// A history whose orders all have their days keeps them. In another, each earlier order is as
/// many days before the next one as that states.
fn set_dates(rows: &mut [OrderRow], users: &[Box<str>], as_of_ms: i64) -> Option<AssumedDates> {
    let same = |a: &OrderRow, b: &OrderRow| a.user == b.user;
    let is_dated = |history: &[OrderRow]| {
        history.iter().all(|o| o.day_ms.is_some()) && history.is_sorted_by_key(|o| o.day_ms)
    };
    let gap = |history: &[OrderRow]| usual_gap(history.iter().filter_map(|o| o.days_since_prior));
    let undated = rows.chunk_by(same).filter(|history| !is_dated(history));
    let gaps = undated.filter_map(gap).collect();
    let dates = AssumedDates::new(as_of_ms, gaps);
    let mut assumed = false;
    for history in rows.chunk_by_mut(same) {
        if is_dated(history) {
            let mut before = None;
            for order in history {
                let Some(day_ms) = order.day_ms else { continue };
                order.ordered_at_ms = day_ms + hour_ms(order);
                let days = before.map(|before| (day_ms - before) as f32 / DAY_MS as f32);
                let days = days.map(|days| days.min(MAX_GAP_DAYS));
                order.days_since_prior = order.days_since_prior.or(days);
                before = Some(day_ms);
            }
            continue;
        }
        assumed = true;
        let user_id = &users[history[0].user as usize];
        let mut day_ms = dates.newest_day_ms(user_id, gap(history));
        for order in history.iter_mut().rev() {
            order.ordered_at_ms = day_ms + hour_ms(order);
            day_ms -= order.days_since_prior.unwrap_or(0.0) as i64 * DAY_MS;
        }
    }
    assumed.then_some(dates)
}

fn hour_ms(order: &OrderRow) -> i64 {
    i64::from(order.hour.unwrap_or(12)) * HOUR_MS
}

/// Parses a day, or the day of a time, such as `2026-01-31` or `2026-01-31T09:30:00`.
fn day_ms(text: &str) -> Option<i64> {
    let day: jiff::civil::Date = text.get(..10)?.parse().ok()?;
    let is_time = text.len() == 10 || text[10..].starts_with(['T', ' ']);
    let midnight = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    is_time.then(|| midnight.timestamp().as_millisecond())
}
