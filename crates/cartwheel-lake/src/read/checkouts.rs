//! Reading the checkouts of the event stream.

use std::io;
use std::path::Path;

use cartwheel_events::EventKind;
use rustc_hash::FxHashSet;

use crate::error::LakeError;
use crate::files::parts::{PartsRead, read_parts};
use crate::files::scan::{list_texts, lists, numbers, scan, texts};
use crate::lake::Lake;

/// A checkout as the feature job takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckoutRow {
    /// The shopper.
    pub user_id: String,
    /// When the server accepted the event, UTC milliseconds.
    pub received_at_ms: i64,
    /// The event's id, which is the order's id.
    pub event_id: String,
    /// The bought products, in the order in which they were added to the cart.
    pub product_ids: Vec<String>,
}

/// The checkouts of the event stream.
#[derive(Debug, Clone, Default)]
pub struct Checkouts {
    /// Each (user, event id) once, by user, then `received_at_ms`, then event id.
    pub records: Vec<CheckoutRow>,
    /// Parts that could not be read, each with its path and the error.
    pub problems: Vec<String>,
}

impl Lake {
    /// Reads every delivered checkout, each once.
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
            read_parts(|| self.table_files("events"), read)?;
        records.sort();
        let mut seen = FxHashSet::default();
        records.retain(|r| seen.insert((r.user_id.clone(), r.event_id.clone())));
        Ok(Checkouts { records, problems })
    }
}

fn read(path: &Path, records: &mut Vec<CheckoutRow>) -> io::Result<()> {
    let columns = ["user_id", "event_id", "event", "product_ids", "received_at_ms"];
    scan(path, Some(&columns), |batch| {
        let text = |name: &str| texts(batch, name);
        let (user, event, kind) = (text("user_id")?, text("event_id")?, text("event")?);
        let received = numbers(batch, "received_at_ms")?;
        let products = lists(batch, "product_ids")?;
        for row in 0..batch.num_rows() {
            if kind.value(row) != EventKind::Checkout.as_str() {
                continue;
            }
            records.push(CheckoutRow {
                user_id: user.value(row).to_owned(),
                received_at_ms: received.value(row),
                event_id: event.value(row).to_owned(),
                product_ids: list_texts(products, row)?,
            });
        }
        Ok(())
    })
}
