//! Engagement with recommendations: impressions joined with the events that name them.

use std::io;
use std::path::{Path, PathBuf};

use arrow_array::{Array, RecordBatch};
use cartwheel_events::EventKind;
use rustc_hash::FxHashMap;

use crate::error::LakeError;
use crate::files::partition::{HOUR_MS, hour_folder};
use crate::files::parts::{PartsRead, live_parts, read_parts};
use crate::files::scan::{list_texts, lists, numbers, scan, texts};
use crate::lake::Lake;

/// Engagement with one recommended product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Engagement {
    /// The shopper viewed the product.
    pub viewed: bool,
    /// The shopper added it to the cart.
    pub added: bool,
    /// The shopper bought it after adding it.
    pub bought: bool,
}

/// An impression and the engagement with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngagedImpression {
    /// The release that ranked the products: feature set and model.
    pub release: String,
    /// When the products were shown, UTC milliseconds.
    pub received_at_ms: i64,
    /// Engagement by position; the first position is the top.
    pub positions: Vec<Engagement>,
}

/// Engagement within a time range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngagementReport {
    /// Impressions with at least one product, in no particular order.
    pub impressions: Vec<EngagedImpression>,
    /// Whether there are more impressions. If so, these come from the newest files.
    pub truncated: bool,
    /// Parts that could not be read, each with its path and the error. The report lacks their
    /// records.
    pub problems: Vec<String>,
}

impl Lake {
    /// Joins the impressions from `from_ms` until before `to_ms` with later events. It reads
    /// files until it has at least `limit` impressions.
    ///
    /// An event counts for a position if it names the impression and the product. A purchase
    /// counts if the shopper checks the product out after such an `add_to_cart`.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn engagement(
        &self,
        from_ms: i64,
        to_ms: i64,
        limit: usize,
    ) -> Result<EngagementReport, LakeError> {
        let newest_first = || -> Result<Vec<PathBuf>, LakeError> {
            let mut paths = self.parts_between("impressions", from_ms, to_ms)?;
            paths.reverse();
            Ok(paths)
        };
        let read = |path: &Path, shown: &mut Shown| {
            if shown.join.impressions.len() >= limit {
                shown.truncated = true;
                return Ok(());
            }
            let columns = ["recommendation_id", "release", "product_ids", "received_at_ms"];
            scan(path, Some(&columns), |batch| shown.join.add_impressions(batch, from_ms, to_ms))
        };
        let PartsRead { content: Shown { mut join, truncated }, mut problems } =
            read_parts(newest_first, read)?;
        let oldest_first = || self.parts_between("events", from_ms, to_ms);
        let read = |path: &Path, events: &mut Vec<ShopperEvent>| {
            let columns =
                ["user_id", "event", "product_ids", "recommendation_id", "received_at_ms"];
            scan(path, Some(&columns), |batch| join.read_events(batch, events))
        };
        let PartsRead { content: mut events, problems: more } = read_parts(oldest_first, read)?;
        problems.extend(more);
        events.sort_by_key(|event| event.received_at_ms);
        for event in events {
            join.apply(event);
        }
        Ok(EngagementReport { impressions: join.impressions, truncated, problems })
    }

    /// Live parts of a delivered table in the hours of a time range, the oldest hour first.
    fn parts_between(
        &self,
        table: &str,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<PathBuf>, LakeError> {
        let root = self.dir().join(table);
        let first = root.join(hour_folder(from_ms));
        let last = root.join(hour_folder(to_ms.max(HOUR_MS)));
        let mut paths = live_parts(&root)?;
        paths.retain(|path| {
            path.parent().is_some_and(|folder| (first.as_path()..=last.as_path()).contains(&folder))
        });
        paths.sort_unstable();
        Ok(paths)
    }
}

/// The impressions read so far.
#[derive(Default)]
struct Shown {
    join: Join,
    truncated: bool,
}

/// An event that may count.
struct ShopperEvent {
    received_at_ms: i64,
    user_id: String,
    kind: EventKind,
    products: Vec<String>,
    recommendation_id: Option<String>,
}

/// A position of an impression, as an index into [`Join::impressions`] and its positions.
#[derive(Clone, Copy)]
struct Slot {
    impression: usize,
    position: usize,
}

/// A user and a product.
#[derive(PartialEq, Eq, Hash)]
struct UserProduct {
    user_id: String,
    product: String,
}

#[derive(Default)]
struct Join {
    impressions: Vec<EngagedImpression>,
    /// The products of the impressions, by impression and position.
    products: Vec<Vec<String>>,
    /// Indices of impressions, by recommendation id.
    by_id: FxHashMap<String, usize>,
    /// Where the user found the product that they last added.
    added: FxHashMap<UserProduct, Slot>,
}

impl Join {
    fn add_impressions(&mut self, batch: &RecordBatch, from_ms: i64, to_ms: i64) -> io::Result<()> {
        let (id, release) = (texts(batch, "recommendation_id")?, texts(batch, "release")?);
        let (received, products) =
            (numbers(batch, "received_at_ms")?, lists(batch, "product_ids")?);
        for row in 0..batch.num_rows() {
            let received_at_ms = received.value(row);
            let shown = list_texts(products, row)?;
            if shown.is_empty() || !(from_ms..to_ms).contains(&received_at_ms) {
                continue;
            }
            // Delivery may repeat an impression.
            if self.by_id.contains_key(id.value(row)) {
                continue;
            }
            self.by_id.insert(id.value(row).to_owned(), self.impressions.len());
            self.impressions.push(EngagedImpression {
                release: release.value(row).to_owned(),
                received_at_ms,
                positions: vec![Engagement::default(); shown.len()],
            });
            self.products.push(shown);
        }
        Ok(())
    }

    /// Reads the events that may count: all checkouts, and views and additions that name one of
    /// the impressions.
    fn read_events(&self, batch: &RecordBatch, events: &mut Vec<ShopperEvent>) -> io::Result<()> {
        let (user, kind) = (texts(batch, "user_id")?, texts(batch, "event")?);
        let (id, received, products) = (
            texts(batch, "recommendation_id")?,
            numbers(batch, "received_at_ms")?,
            lists(batch, "product_ids")?,
        );
        for row in 0..batch.num_rows() {
            let recommendation_id = id.is_valid(row).then(|| id.value(row).to_owned());
            let is_named = recommendation_id.as_ref().is_some_and(|id| self.by_id.contains_key(id));
            let kind = match kind.value(row) {
                "checkout" => EventKind::Checkout,
                "view" if is_named => EventKind::View,
                "add_to_cart" if is_named => EventKind::AddToCart,
                _ => continue,
            };
            events.push(ShopperEvent {
                received_at_ms: received.value(row),
                user_id: user.value(row).to_owned(),
                kind,
                products: list_texts(products, row)?,
                recommendation_id,
            });
        }
        Ok(())
    }

    /// Counts an event. Events come in the order of their acceptance.
    fn apply(&mut self, event: ShopperEvent) {
        let named = event.recommendation_id.as_ref().and_then(|id| self.by_id.get(id)).copied();
        for product in event.products {
            let slot = named.and_then(|impression| {
                let shown = self.products.get(impression)?;
                let position = shown.iter().position(|shown| *shown == product)?;
                Some(Slot { impression, position })
            });
            let key = UserProduct { user_id: event.user_id.clone(), product };
            let slot = match event.kind {
                EventKind::Checkout => slot.or_else(|| self.added.remove(&key)),
                EventKind::AddToCart => slot.inspect(|&slot| {
                    self.added.insert(key, slot);
                }),
                _ => slot,
            };
            let engagement = slot.and_then(|slot| {
                self.impressions.get_mut(slot.impression)?.positions.get_mut(slot.position)
            });
            let Some(engagement) = engagement else { continue };
            match event.kind {
                EventKind::Checkout => engagement.bought = true,
                EventKind::AddToCart => engagement.added = true,
                _ => engagement.viewed = true,
            }
        }
    }
}
