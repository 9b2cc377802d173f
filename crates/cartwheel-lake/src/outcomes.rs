//! What became of the answers: impressions joined with the events that name them.

use std::io;
use std::path::{Path, PathBuf};

use arrow_array::{Array, RecordBatch};
use cartwheel_events::EventKind;
use rustc_hash::FxHashMap;

use crate::manifest::{Lake, LakeError};
use crate::parts::{hour, parts, read_parts};
use crate::scan::{list, lists, numbers, scan, texts};

const HOUR_MS: i64 = 3_600_000;

/// What became of one place of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The product was looked at.
    pub viewed: bool,
    /// It was put into the cart.
    pub added: bool,
    /// It was then bought.
    pub bought: bool,
}

/// An answer and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The release that ranked: feature set and model.
    pub release: String,
    /// When it was shown, UTC milliseconds.
    pub received_at_ms: i64,
    /// By place, the first one first.
    pub places: Vec<Outcome>,
}

/// What became of the answers of a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcomes {
    /// Answers that showed something, in no order.
    pub answers: Vec<Answered>,
    /// Whether there were more; then these are of the newest files.
    pub truncated: bool,
    /// Parts that could not be read, each named: what is in them is left out.
    pub problems: Vec<String>,
}

impl Lake {
    /// What became of the answers shown from `from_ms` until before `to_ms`, of at most
    /// about `most`. An event counts for a place if it names the answer and the product;
    /// a purchase, if the shopper checks the product out after adding it so.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn outcomes(&self, from_ms: i64, to_ms: i64, most: usize) -> Result<Outcomes, LakeError> {
        let newest_first = || -> Result<Vec<PathBuf>, LakeError> {
            let mut paths = self.hours("impressions", from_ms, to_ms)?;
            paths.reverse();
            Ok(paths)
        };
        let columns = ["recommendation_id", "release", "product_ids", "received_at_ms"];
        let read = |path: &Path, (join, truncated): &mut (Join, bool)| {
            if join.answers.len() >= most {
                *truncated = true;
                return Ok(());
            }
            scan(path, Some(&columns), |batch| join.shown(batch, from_ms, to_ms))
        };
        let ((mut join, truncated), mut problems) = read_parts(newest_first, read)?;
        let columns = ["user_id", "event", "product_ids", "recommendation_id", "received_at_ms"];
        let read = |path: &Path, events: &mut Vec<Acted>| {
            scan(path, Some(&columns), |batch| join.acted(batch, events))
        };
        let listed = || self.hours("events", from_ms, to_ms);
        let (mut events, more) = read_parts(listed, read)?;
        problems.extend(more);
        events.sort_by_key(|event| event.received_at_ms);
        for event in events {
            join.apply(event);
        }
        Ok(Outcomes { answers: join.answers, truncated, problems })
    }

    /// Files of a delivered table with hours of a time, the oldest hour first.
    fn hours(&self, table: &str, from_ms: i64, to_ms: i64) -> Result<Vec<PathBuf>, LakeError> {
        let root = self.dir().join(table);
        let (first, last) = (root.join(hour(from_ms)), root.join(hour(to_ms.max(HOUR_MS))));
        let mut paths = parts(&root)?;
        paths.retain(|path| {
            path.parent().is_some_and(|folder| (first.as_path()..=last.as_path()).contains(&folder))
        });
        paths.sort_unstable();
        Ok(paths)
    }
}

/// An event that may count.
struct Acted {
    received_at_ms: i64,
    user_id: String,
    kind: EventKind,
    products: Vec<String>,
    recommendation_id: Option<String>,
}

#[derive(Default)]
struct Join {
    answers: Vec<Answered>,
    /// The answers' products, by answer and place.
    products: Vec<Vec<String>>,
    by_id: FxHashMap<String, usize>,
    /// Answer and place of what a shopper added last, by user and product.
    added: FxHashMap<(String, String), (usize, usize)>,
}

impl Join {
    fn shown(&mut self, batch: &RecordBatch, from_ms: i64, to_ms: i64) -> io::Result<()> {
        let (id, release) = (texts(batch, "recommendation_id")?, texts(batch, "release")?);
        let (received, products) =
            (numbers(batch, "received_at_ms")?, lists(batch, "product_ids")?);
        for at in 0..batch.num_rows() {
            let received_at_ms = received.value(at);
            let shown = list(products, at)?;
            if shown.is_empty() || !(from_ms..to_ms).contains(&received_at_ms) {
                continue;
            }
            // Delivery may repeat an answer.
            if self.by_id.contains_key(id.value(at)) {
                continue;
            }
            self.by_id.insert(id.value(at).to_owned(), self.answers.len());
            self.answers.push(Answered {
                release: release.value(at).to_owned(),
                received_at_ms,
                places: vec![Outcome::default(); shown.len()],
            });
            self.products.push(shown);
        }
        Ok(())
    }

    fn acted(&self, batch: &RecordBatch, out: &mut Vec<Acted>) -> io::Result<()> {
        let (user, kind) = (texts(batch, "user_id")?, texts(batch, "event")?);
        let (id, received, products) = (
            texts(batch, "recommendation_id")?,
            numbers(batch, "received_at_ms")?,
            lists(batch, "product_ids")?,
        );
        for at in 0..batch.num_rows() {
            let recommendation_id = id.is_valid(at).then(|| id.value(at).to_owned());
            let named = recommendation_id.as_ref().is_some_and(|id| self.by_id.contains_key(id));
            let kind = match kind.value(at) {
                "checkout" => EventKind::Checkout,
                "view" if named => EventKind::View,
                "add_to_cart" if named => EventKind::AddToCart,
                _ => continue,
            };
            out.push(Acted {
                received_at_ms: received.value(at),
                user_id: user.value(at).to_owned(),
                kind,
                products: list(products, at)?,
                recommendation_id,
            });
        }
        Ok(())
    }

    fn apply(&mut self, event: Acted) {
        let answer = event.recommendation_id.as_ref().and_then(|id| self.by_id.get(id)).copied();
        for product in event.products {
            let place = answer.and_then(|answer| {
                let products = self.products.get(answer)?;
                Some((answer, products.iter().position(|shown| *shown == product)?))
            });
            let key = (event.user_id.clone(), product);
            let place = match event.kind {
                EventKind::Checkout => place.or_else(|| self.added.remove(&key)),
                EventKind::AddToCart => place.inspect(|&place| {
                    self.added.insert(key, place);
                }),
                _ => place,
            };
            let outcome =
                place.and_then(|(answer, at)| self.answers.get_mut(answer)?.places.get_mut(at));
            let Some(outcome) = outcome else { continue };
            match event.kind {
                EventKind::Checkout => outcome.bought = true,
                EventKind::AddToCart => outcome.added = true,
                _ => outcome.viewed = true,
            }
        }
    }
}
