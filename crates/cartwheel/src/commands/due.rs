//! `predict --due-within`: which users are due to buy which products again, for mails and for stock.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use cartwheel_engine::Opened;
use cartwheel_feature_set::UserFile;
use cartwheel_features::UserState;
use cartwheel_recommend::{Due, by_due_date};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rayon::prelude::*;
use serde::Serialize;

use crate::context::Context;
use crate::show::{bar, result};

/// Users whose rows are in memory at the same time.
const CHUNK: usize = 1_024;
const DAY_MS: i64 = 86_400_000;
/// Longest time ahead, in days.
const MOST_DAYS: u32 = 92;

/// The arguments of `predict` about dates.
#[derive(Debug, Args)]
pub struct DueArgs {
    /// Lists the products that are due to be bought again within this time, such as 7d or 2w, in
    /// place of the next order: a row for each user and product.
    #[arg(long, value_name = "TIME", value_parser = days, conflicts_with = "sessions")]
    pub due_within: Option<u32>,
    /// What a row is about: a user's product with its date, or a product and a day with the expected
    /// number of purchases by all users.
    #[arg(long, value_enum, default_value = "user", requires = "due_within")]
    pub by: By,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// A product of a user.
    User,
    /// A product and a day.
    Product,
}

/// Reads a number of days or weeks.
fn days(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is not a time such as 7d or 2w, at most {MOST_DAYS}d");
    let (number, factor) = match (text.strip_suffix('d'), text.strip_suffix('w')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 7),
        (None, None) => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|days| (1..=MOST_DAYS).contains(days)).ok_or_else(wrong)
}

/// What to predict.
pub struct Question<'a> {
    /// The serving release.
    pub opened: &'a Opened,
    /// Its users.
    pub records: &'a UserFile,
    /// By product: whether it may be shown.
    pub shown: &'a [bool],
    /// The beginning of the time, UTC milliseconds.
    pub from_ms: i64,
    /// The length of the time.
    pub days: u32,
    /// Only users whose newest order is marked `test`.
    pub only_test: bool,
    /// Most products of a user.
    pub limit: usize,
}

/// A product that is due.
#[derive(Debug, Serialize)]
struct UserRow<'a> {
    user_id: &'a str,
    product_id: &'a str,
    product_name: &'a str,
    due_at: String,
    due_earliest: String,
    due_latest: String,
    /// The probability that the user buys it within the time.
    probability: f64,
}

/// The expected purchases of a product on a day.
#[derive(Debug, Serialize)]
struct ProductRow<'a> {
    product_id: &'a str,
    product_name: &'a str,
    day: String,
    expected: f64,
}

/// Writes the rows to `out`: JSON lines if its name ends in .jsonl, otherwise CSV.
pub fn predict(context: &Context, question: &Question<'_>, by: By, out: &Path) -> Result<()> {
    let mut rows = 0;
    let wanted = out.display().to_string();
    cartwheel_files::replace_with(out, |file| {
        let mut sink = match out.extension().is_some_and(|extension| extension == "jsonl") {
            true => Sink::Lines(file),
            false => Sink::Csv(Box::new(csv::Writer::from_writer(file))),
        };
        rows = match by {
            By::User => question.by_user(&mut sink)?,
            By::Product => question.by_product(&mut sink, &context.settings.shop.timezone)?,
        };
        sink.finish()
    })
    .with_context(|| wanted.clone())?;
    let summary = serde_json::json!({"rows": rows, "out": out});
    result(context.json, &summary, || format!("Wrote {rows} rows to {wanted}"));
    Ok(())
}

/// Where rows go.
enum Sink<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Lines(W),
}

impl<W: Write> Sink<W> {
    fn write(&mut self, row: &impl Serialize) -> io::Result<()> {
        match self {
            Self::Csv(writer) => writer.serialize(row).map_err(io::Error::other),
            Self::Lines(writer) => {
                serde_json::to_writer(&mut *writer, row)?;
                writer.write_all(b"\n")
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Csv(mut writer) => writer.flush(),
            Self::Lines(mut writer) => writer.flush(),
        }
    }
}

/// The products of a user with their dates.
type Dates = Vec<(u32, Due)>;

impl Question<'_> {
    fn until_ms(&self) -> i64 {
        self.from_ms + i64::from(self.days) * DAY_MS
    }

    /// Reads all users, a bounded number at a time, and hands the products that `keep` selects to
    /// `take`.
    fn each(
        &self,
        keep: impl Fn(u32, &Due) -> bool + Sync,
        mut take: impl FnMut(&str, Dates) -> io::Result<()>,
    ) -> io::Result<()> {
        let progress = bar("predicting", self.records.len() as u64);
        let all: Vec<usize> = (0..self.records.len()).collect();
        for chunk in all.chunks(CHUNK) {
            let users = chunk.par_iter().map(|&at| {
                let (user_id, state) = self.records.record(at)?;
                Ok((user_id, self.dates(&state, &keep)))
            });
            let users: Vec<(String, Dates)> = users.collect::<io::Result<_>>()?;
            for (user_id, dates) in users {
                progress.inc(1);
                take(&user_id, dates)?;
            }
        }
        progress.finish_and_clear();
        Ok(())
    }

    fn dates(&self, state: &UserState, keep: impl Fn(u32, &Due) -> bool) -> Dates {
        if self.only_test && state.next.is_none() {
            return Dates::new();
        }
        let dated = state.products.iter().filter_map(|own| {
            let due = Due::of(&self.opened.catalogue, state, own.product, self.from_ms)?;
            keep(own.product, &due).then_some((own.product, due))
        });
        dated.collect()
    }

    /// The products that are due within the time or overdue, and that the user has not abandoned.
    fn by_user(&self, sink: &mut Sink<impl Write>) -> io::Result<u64> {
        let until_ms = self.until_ms();
        let is_due = |product: u32, due: &Due| {
            let shown = self.shown.get(product as usize).copied().unwrap_or_default();
            shown && due.at_ms() <= until_ms && !due.is_abandoned()
        };
        let mut rows = 0;
        self.each(is_due, |user_id, mut dates| {
            dates.sort_by(|(a, due_a), (b, due_b)| by_due_date(due_a, due_b).then(a.cmp(b)));
            for (product, due) in dates.iter().take(self.limit) {
                let Some(product) = self.opened.catalogue.get(*product) else { continue };
                rows += 1;
                sink.write(&UserRow {
                    user_id,
                    product_id: &product.info.product_id,
                    product_name: &product.info.name,
                    due_at: time(due.at_ms()),
                    due_earliest: time(due.earliest_ms()),
                    due_latest: time(due.latest_ms()),
                    probability: round(due.between(self.from_ms, until_ms)),
                })?;
            }
            Ok(())
        })?;
        Ok(rows)
    }

    /// The sums of the probabilities by product and day of the shop's calendar.
    fn by_product(&self, sink: &mut Sink<impl Write>, zone: &str) -> io::Result<u64> {
        let zone = TimeZone::get(zone).map_err(io::Error::other)?;
        let days = self.local_days(&zone)?;
        let products = &self.opened.catalogue.products;
        let mut expected = vec![0.0_f32; products.len() * days.len()];
        self.each(
            |_, _| true,
            |_, dates| {
                for (product, due) in dates {
                    let sums = expected.chunks_exact_mut(days.len()).nth(product as usize);
                    for (sum, (_, from_ms, to_ms)) in sums.into_iter().flatten().zip(&days) {
                        *sum += due.between(*from_ms, *to_ms) as f32;
                    }
                }
                Ok(())
            },
        )?;
        let mut rows = 0;
        for (product, sums) in products.iter().zip(expected.chunks_exact(days.len())) {
            for (sum, (day, ..)) in sums.iter().zip(&days).filter(|(sum, _)| **sum > 0.0) {
                rows += 1;
                sink.write(&ProductRow {
                    product_id: &product.info.product_id,
                    product_name: &product.info.name,
                    day: day.clone(),
                    expected: round(f64::from(*sum)),
                })?;
            }
        }
        Ok(rows)
    }

    /// The days of the shop's calendar that the time touches, each with the part of it in the time.
    fn local_days(&self, zone: &TimeZone) -> io::Result<Vec<(String, i64, i64)>> {
        let (mut from_ms, until_ms) = (self.from_ms, self.until_ms());
        let mut days = Vec::new();
        while from_ms < until_ms {
            let now = Timestamp::from_millisecond(from_ms).map_err(io::Error::other)?;
            let day = now.to_zoned(zone.clone()).date();
            let next = day.tomorrow().and_then(|next| next.to_zoned(zone.clone()));
            let next = next.map_err(io::Error::other)?.timestamp().as_millisecond();
            days.push((day.to_string(), from_ms, next.min(until_ms)));
            from_ms = next;
        }
        Ok(days)
    }
}

/// A time in RFC 3339, to the second; empty beyond the year 9999.
fn time(ms: i64) -> String {
    Timestamp::from_second(ms.div_euclid(1000)).map_or_else(|_| String::new(), |t| t.to_string())
}

/// Four digits are more than anybody knows.
fn round(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_ahead_is_a_number_of_days_or_weeks() {
        assert_eq!((days("7d"), days("2w"), days("92d")), (Ok(7), Ok(14), Ok(92)));
        for text in ["", "7", "0d", "93d", "-1d", "1.5d", "99999999999w", "7 days"] {
            let error = days(text).unwrap_err();
            assert!(error.contains("such as 7d or 2w"), "{error}");
        }
    }
}
