//! Figures of whole days, stored once nothing can change them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::delivery::encode::{encode, texts as text_column};
use crate::error::LakeError;
use crate::files::partition::HOUR_MS;
use crate::files::scan::{numbers, scan, texts};
use crate::lake::Lake;
use crate::read::feedback::{Feedback, ProductFeedback};
use crate::read::reaction_columns::{ReactionColumns, columns};
use crate::read::reactions::{FeedbackKey, ProductKey, Reactions};

/// The folder of the figures.
const FOLDER: &str = "feedback";
/// The folder of the figures by product.
const PRODUCTS: &str = "feedback_products";
/// Most rows of a day by product.
const MAX_PRODUCT_ROWS: usize = 20_000;
/// How long delivery may take, beyond which a day is taken to be complete.
const DELIVERY_MS: i64 = HOUR_MS;

/// How feedback is counted by day.
#[derive(Debug, Clone)]
pub struct FeedbackDays {
    /// The shop's time zone.
    pub zone: TimeZone,
    /// How long after an answer an event counts for it, in milliseconds.
    pub window_ms: i64,
    /// Most answers in memory, as of [`Lake::feedback`].
    pub limit: u64,
}

impl FeedbackDays {
    /// The day of a moment in UTC milliseconds.
    pub fn day_of(&self, ms: i64) -> Date {
        let time = Timestamp::from_millisecond(ms).unwrap_or_default();
        self.zone.to_datetime(time).date()
    }

    /// When a day begins, UTC milliseconds.
    fn begin_ms(&self, day: Date) -> Option<i64> {
        Some(day.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond())
    }

    /// The figures of a day as of `now_ms`, UTC milliseconds. Those of a day whose answers no later
    /// event can count for are stored, and read from then on.
    ///
    /// # Errors
    /// When the lake cannot be read, or the figures cannot be stored.
    pub fn of(&self, lake: &Lake, day: Date, now_ms: i64) -> Result<Feedback, LakeError> {
        let Some((from_ms, to_ms)) = self.span(day) else { return Ok(Feedback::default()) };
        let path = file(FOLDER, day);
        if let Some(stored) = self.stored(&lake.dir().join(&path)) {
            return Ok(stored);
        }
        let found = lake.feedback(from_ms, to_ms, self.window_ms, self.limit)?;
        if self.is_final(to_ms, now_ms) && found.problems.is_empty() && !found.rows.is_empty() {
            let bytes = self.encoded(day, &found).map_err(|e| LakeError::file(&path, e))?;
            lake.put(&path, bytes)?;
        }
        Ok(found)
    }

    /// The same by product: of the 20,000 combinations of product, placement and source that were
    /// shown most often that day.
    ///
    /// # Errors
    /// When the lake cannot be read, or the figures cannot be stored.
    pub fn products_of(
        &self,
        lake: &Lake,
        day: Date,
        now_ms: i64,
    ) -> Result<ProductFeedback, LakeError> {
        let Some((from_ms, to_ms)) = self.span(day) else { return Ok(ProductFeedback::default()) };
        let path = file(PRODUCTS, day);
        if let Some(stored) = self.stored_products(&lake.dir().join(&path)) {
            return Ok(stored);
        }
        let (window, limit) = (self.window_ms, self.limit);
        let found = lake.product_feedback(from_ms, to_ms, window, limit, MAX_PRODUCT_ROWS)?;
        if self.is_final(to_ms, now_ms) && found.problems.is_empty() && !found.rows.is_empty() {
            let bytes = self.encoded_products(day, &found);
            lake.put(&path, bytes.map_err(|e| LakeError::file(&path, e))?)?;
        }
        Ok(found)
    }

    /// When a day begins and ends, UTC milliseconds.
    fn span(&self, day: Date) -> Option<(i64, i64)> {
        Some((self.begin_ms(day)?, self.begin_ms(day.tomorrow().ok()?)?))
    }

    /// Stores the figures of a day if no event can count for its answers any more; otherwise there
    /// is nothing to do.
    ///
    /// # Errors
    /// When the lake cannot be read, or the figures cannot be stored.
    pub fn store(&self, lake: &Lake, day: Date, now_ms: i64) -> Result<(), LakeError> {
        if self.span(day).is_some_and(|(_, to_ms)| self.is_final(to_ms, now_ms)) {
            self.of(lake, day, now_ms)?;
            self.products_of(lake, day, now_ms)?;
        }
        Ok(())
    }

    /// Whether no event can count any more for the answers of a day that ended at `to_ms`.
    fn is_final(&self, to_ms: i64, now_ms: i64) -> bool {
        to_ms + self.window_ms + DELIVERY_MS <= now_ms
    }

    fn encoded(&self, day: Date, found: &Feedback) -> io::Result<bytes::Bytes> {
        let keys = || found.rows.keys();
        let text = |of: fn(&FeedbackKey) -> &str| text_column(keys().map(|key| Some(of(key))));
        let explored = BooleanArray::from_iter(keys().map(|key| Some(key.explored)));
        let positions = keys().map(|key| i64::from(key.position));
        let mut all = self.head(day, found.one_in, found.rows.len());
        all.extend([
            ("placement", text(|key| &key.placement)),
            ("model", text(|key| &key.model)),
            ("position", Arc::new(Int64Array::from_iter_values(positions)) as _),
            ("source", text(|key| &key.source)),
            ("rule", text(|key| &key.rule)),
            ("explored", Arc::new(explored) as _),
        ]);
        all.extend(columns(found.rows.values()));
        encode(all)
    }

    fn encoded_products(&self, day: Date, found: &ProductFeedback) -> io::Result<bytes::Bytes> {
        let text =
            |of: fn(&ProductKey) -> &str| text_column(found.rows.keys().map(|key| Some(of(key))));
        let mut all = self.head(day, found.one_in, found.rows.len());
        all.extend([
            ("product_id", text(|key| &key.product_id)),
            ("placement", text(|key| &key.placement)),
            ("source", text(|key| &key.source)),
        ]);
        all.extend(columns(found.rows.values()));
        encode(all)
    }

    /// The columns that say how `rows` rows of a day were counted.
    fn head(&self, day: Date, one_in: u32, rows: usize) -> Vec<(&'static str, ArrayRef)> {
        let each = |value: i64| Arc::new(Int64Array::from_value(value, rows)) as _;
        let text = |value: &str| text_column(std::iter::repeat_n(Some(value), rows));
        vec![
            ("day", text(&day.to_string())),
            ("zone", text(self.zone_name())),
            ("window_ms", each(self.window_ms)),
            ("one_in", each(i64::from(one_in))),
        ]
    }

    /// Calls `read` with each batch of a file whose rows were counted like this, and returns their
    /// `one_in`. `None` if there is no such file: it is counted again.
    fn counted_like_this(
        &self,
        path: &Path,
        mut read: impl FnMut(&RecordBatch) -> io::Result<()>,
    ) -> Option<u32> {
        if !path.exists() {
            return None;
        }
        let mut found = None;
        let scanned = scan(path, None, |batch| {
            let (zone, window) = (texts(batch, "zone")?, numbers(batch, "window_ms")?);
            let one_in = numbers(batch, "one_in")?;
            for row in 0..batch.num_rows() {
                if zone.value(row) != self.zone_name() || window.value(row) != self.window_ms {
                    return Err(io::Error::other("counted in another way"));
                }
                found = Some(u32::try_from(one_in.value(row)).unwrap_or(1));
            }
            read(batch)
        });
        scanned.ok().and(found)
    }

    /// The stored figures. `None` if there are none, or none that were counted like this.
    fn stored(&self, path: &Path) -> Option<Feedback> {
        let mut rows: BTreeMap<FeedbackKey, Reactions> = BTreeMap::new();
        let one_in = self.counted_like_this(path, |batch| {
            let [placement, model, source, rule] = [
                texts(batch, "placement")?,
                texts(batch, "model")?,
                texts(batch, "source")?,
                texts(batch, "rule")?,
            ];
            let (position, figures) = (numbers(batch, "position")?, ReactionColumns::of(batch)?);
            // Files of earlier releases lack it: nothing was explored then.
            let explored = batch.column_by_name("explored").and_then(|c| c.as_boolean_opt());
            for row in 0..batch.num_rows() {
                let key = FeedbackKey {
                    placement: placement.value(row).to_owned(),
                    model: model.value(row).to_owned(),
                    position: u32::try_from(position.value(row)).unwrap_or_default(),
                    source: source.value(row).to_owned(),
                    rule: rule.value(row).to_owned(),
                    explored: explored.is_some_and(|explored| explored.value(row)),
                };
                rows.entry(key).or_default().add(&figures.row(row));
            }
            Ok(())
        })?;
        Some(Feedback { rows, one_in, problems: Vec::new() })
    }

    /// The stored figures by product, as of [`FeedbackDays::stored`].
    fn stored_products(&self, path: &Path) -> Option<ProductFeedback> {
        let mut rows: BTreeMap<ProductKey, Reactions> = BTreeMap::new();
        let one_in = self.counted_like_this(path, |batch| {
            let (product, placement) = (texts(batch, "product_id")?, texts(batch, "placement")?);
            let (source, figures) = (texts(batch, "source")?, ReactionColumns::of(batch)?);
            for row in 0..batch.num_rows() {
                let key = ProductKey {
                    product_id: product.value(row).to_owned(),
                    placement: placement.value(row).to_owned(),
                    source: source.value(row).to_owned(),
                };
                rows.entry(key).or_default().add(&figures.row(row));
            }
            Ok(())
        })?;
        Some(ProductFeedback { rows, one_in, problems: Vec::new() })
    }

    fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

/// The file of a day.
fn file(folder: &str, day: Date) -> PathBuf {
    PathBuf::from(folder).join(format!("{day}.parquet"))
}
