//! Reading the checkouts and returns of the event stream.

use std::io;
use std::path::Path;

use cartwheel_events::EventKind;
use rustc_hash::FxHashSet;

use crate::error::LakeError;
use crate::files::parts::{PartsRead, read_parts};
use crate::files::scan::{list_counts, list_texts, lists, numbers, scan, texts};
use crate::lake::Lake;
use crate::read::ties::Ties;

/// A checkout, or the return of bought products, as the feature job takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckoutRow {
    /// The shopper.
    pub user_id: String,
    /// When the server accepted the event, UTC milliseconds.
    pub received_at_ms: i64,
    /// The event's id, which is the order's id.
    pub event_id: String,
    /// The products, in the order in which they were added to the cart.
    pub product_ids: Vec<String>,
    /// Number of pieces, parallel to `product_ids`.
    pub quantities: Vec<u32>,
    /// Whether the products were given back, not bought.
    pub is_return: bool,
}

/// The delivered checkouts and returns of the event stream, without imported ones.
#[derive(Debug, Clone, Default)]
pub struct Checkouts {
    /// Each (user, event id) once, by user, then `received_at_ms`, then event id.
    pub records: Vec<CheckoutRow>,
    /// The guests that turned out to be users, of delivered and of imported events.
    pub ties: Ties,
    /// Parts that could not be read, each with its path and the error.
    pub problems: Vec<String>,
}

impl Lake {
    /// Reads every delivered checkout and return, each once. Those of a guest who turned out to
    /// be a user are the user's.
    ///
    /// # Errors
    /// When the folder of events cannot be listed.
    pub fn checkouts(&self) -> Result<Checkouts, LakeError> {
        let read = |path: &Path, records: &mut Vec<CheckoutRow>| {
            let before = records.len();
            // The rows of a damaged part are not trusted, so the part counts as a whole or not
            // at all.
            read(path, records).inspect_err(|_| records.truncate(before))
        };
        let PartsRead { content: mut records, problems } =
            read_parts(|| self.delivered_files("events"), read)?;
        let mut problems = problems;
        let ties = self.ties(&mut problems)?;
        for record in &mut records {
            if let Some(user) = ties.user(&record.user_id, record.received_at_ms) {
                record.user_id = user.to_owned();
            }
        }
        records.sort();
        let mut seen = FxHashSet::default();
        records.retain(|r| seen.insert((r.user_id.clone(), r.event_id.clone())));
        Ok(Checkouts { records, ties, problems })
    }
}

fn read(path: &Path, records: &mut Vec<CheckoutRow>) -> io::Result<()> {
    let columns = ["user_id", "event_id", "event", "product_ids", "quantities", "received_at_ms"];
    scan(path, Some(&columns), |batch| {
        let text = |name: &str| texts(batch, name);
        let (user, event, kind) = (text("user_id")?, text("event_id")?, text("event")?);
        let received = numbers(batch, "received_at_ms")?;
        let products = lists(batch, "product_ids")?;
        // Writers outside this program may leave the column out.
        let quantities = lists(batch, "quantities").ok();
        for row in 0..batch.num_rows() {
            let is_return = kind.value(row) == EventKind::Return.as_str();
            if !is_return && kind.value(row) != EventKind::Checkout.as_str() {
                continue;
            }
            let product_ids = list_texts(products, row)?;
            let quantities = match quantities {
                Some(lists) => list_counts(lists, row)?,
                None => vec![1; product_ids.len()],
            };
            records.push(CheckoutRow {
                user_id: user.value(row).to_owned(),
                received_at_ms: received.value(row),
                event_id: event.value(row).to_owned(),
                product_ids,
                quantities,
                is_return,
            });
        }
        Ok(())
    })
}
