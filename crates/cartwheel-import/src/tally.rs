//! What is counted while rows are read.

use std::collections::BTreeMap;

use cartwheel_events::EventKind;
use cartwheel_lake::RejectedRow;
use serde::Serialize;

use crate::field::{Cells, Field};
use crate::line::{Line, Rules, Shopper, Understood};
use crate::products::Products;

/// Rejected rows of a thread that are kept with their text.
const MAX_REJECTED: usize = 50_000;
/// Characters of a rejected row that are kept.
const MAX_TEXT: usize = 1_000;
/// Rows that are shown as they are understood.
const SHOWN: usize = 10;
/// Names of events that are counted.
const MAX_NAMES: usize = 1_000;

/// A row as it is understood.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnderstoodRow {
    /// The row's line in its file.
    pub line: u64,
    /// The customer. `None` if unknown.
    pub user_id: Option<String>,
    /// The visitor: alone a guest, beside a customer the guest who turned out to be the customer.
    pub anonymous_id: Option<String>,
    /// The kind of event.
    pub event: &'static str,
    /// The id of the order or event; empty if there is none.
    pub id: String,
    /// The time, UTC milliseconds.
    pub at_ms: i64,
    /// The product.
    pub product_id: String,
    /// Number of pieces.
    pub quantity: u32,
    /// Price of a piece.
    pub price: Option<f64>,
    /// The product's name; empty if there is none.
    pub product_name: String,
    /// The text of a search; empty for everything else.
    pub query: String,
}

/// A reason for which rows are rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The reason.
    pub reason: String,
    /// Rows rejected for it.
    pub rows: u64,
    /// The first of these rows: its file, line and text.
    pub example: String,
}

/// The counts of the rows read so far.
#[derive(Default)]
pub(crate) struct Tally {
    pub rows: u64,
    pub lines: u64,
    pub rejected: u64,
    pub rejected_rows: Vec<RejectedRow>,
    reasons: BTreeMap<String, (u64, String)>,
    /// Rows by the name of an event that is left out.
    pub other_events: BTreeMap<String, u64>,
    pub stock_corrections: u64,
    pub without_customer: u64,
    /// Whether any line names a customer.
    pub has_users: bool,
    pub first_ms: Option<i64>,
    pub last_ms: Option<i64>,
    pub products: Products,
    pub shown: Vec<UnderstoodRow>,
    pub email: Option<String>,
}

/// Where a row comes from.
pub(crate) struct Origin<'a> {
    pub file: &'a str,
    pub line: u64,
    pub text: &'a dyn Fn() -> String,
}

impl Tally {
    /// Understands and counts a row. `keep` gets the line if it is one.
    pub(crate) fn row<E>(
        &mut self,
        rules: &Rules,
        origin: &Origin<'_>,
        cells: &Cells<'_>,
        keep: impl FnOnce(&Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.rows += 1;
        match rules.understand(cells) {
            Understood::Line(line) => {
                self.line(origin, &line, cells);
                return keep(&line);
            }
            Understood::OtherEvent(name) => {
                if let Some(rows) = self.other_events.get_mut(name) {
                    *rows += 1;
                } else if self.other_events.len() < MAX_NAMES {
                    self.other_events.insert(name.chars().take(100).collect(), 1);
                }
            }
            Understood::StockCorrection => self.stock_corrections += 1,
            Understood::Rejected(reason) => self.reject(origin, &reason),
        }
        Ok(())
    }

    fn line(&mut self, origin: &Origin<'_>, line: &Line<'_>, cells: &Cells<'_>) {
        self.lines += 1;
        self.first_ms = Some(self.first_ms.map_or(line.at_ms, |ms| ms.min(line.at_ms)));
        self.last_ms = Some(self.last_ms.map_or(line.at_ms, |ms| ms.max(line.at_ms)));
        self.without_customer += u64::from(line.shopper.is_none());
        let (user_id, anonymous_id) = match line.shopper {
            Some(Shopper::User(user)) => (Some(user), Some(line.guest)),
            Some(Shopper::Guest(guest)) => (None, Some(guest)),
            None => (None, None),
        };
        self.has_users |= user_id.is_some();
        if self.email.is_none()
            && let Some(user) = user_id.filter(|user| user.contains('@'))
        {
            self.email = Some(user.to_owned());
        }
        let name = cells.get(Field::ProductName);
        let is_wanted = line.kind != EventKind::Return;
        if !line.product_id.is_empty() {
            self.products.add(line.product_id, name, cells.get(Field::Category), is_wanted);
        }
        if self.shown.len() < SHOWN {
            self.shown.push(UnderstoodRow {
                line: origin.line,
                user_id: user_id.map(str::to_owned),
                anonymous_id: anonymous_id.filter(|id| !id.is_empty()).map(str::to_owned),
                event: line.kind.as_str(),
                id: line.key.to_owned(),
                at_ms: line.at_ms,
                product_id: line.product_id.to_owned(),
                quantity: line.quantity,
                price: line.price,
                product_name: name.to_owned(),
                query: line.query.to_owned(),
            });
        }
    }

    /// Counts a row whose cells cannot be read.
    pub(crate) fn malformed(&mut self, origin: &Origin<'_>, reason: &str) {
        self.rows += 1;
        self.reject(origin, reason);
    }

    fn reject(&mut self, origin: &Origin<'_>, reason: &str) {
        self.rejected += 1;
        match self.reasons.get_mut(reason) {
            Some((rows, _)) => *rows += 1,
            None => {
                let text: String = (origin.text)().chars().take(200).collect();
                let example = format!("{}, line {}: {text}", origin.file, origin.line);
                self.reasons.insert(reason.to_owned(), (1, example));
            }
        }
        if self.rejected_rows.len() < MAX_REJECTED {
            self.rejected_rows.push(RejectedRow {
                file: origin.file.to_owned(),
                line: origin.line.to_string(),
                reason: reason.to_owned(),
                row: (origin.text)().chars().take(MAX_TEXT).collect(),
            });
        }
    }

    /// The reasons, the most frequent first.
    pub(crate) fn reasons(&self) -> Vec<Reason> {
        let reason = |(reason, (rows, example)): (&String, &(u64, String))| Reason {
            reason: reason.clone(),
            rows: *rows,
            example: example.clone(),
        };
        let mut reasons: Vec<Reason> = self.reasons.iter().map(reason).collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.rows));
        reasons
    }

    /// Adds the counts of other rows.
    pub(crate) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.lines += other.lines;
        self.rejected += other.rejected;
        self.rejected_rows.extend(other.rejected_rows);
        for (reason, (rows, example)) in other.reasons {
            self.reasons.entry(reason).or_insert((0, example)).0 += rows;
        }
        for (name, rows) in other.other_events {
            *self.other_events.entry(name).or_default() += rows;
        }
        self.stock_corrections += other.stock_corrections;
        self.without_customer += other.without_customer;
        self.has_users |= other.has_users;
        self.first_ms = self.first_ms.into_iter().chain(other.first_ms).min();
        self.last_ms = self.last_ms.into_iter().chain(other.last_ms).max();
        self.products.merge(other.products);
        self.shown.extend(other.shown);
        self.shown.sort_by_key(|row| row.line);
        self.shown.truncate(SHOWN);
        self.email = self.email.take().or(other.email);
    }
}
