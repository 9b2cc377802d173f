//! Figures of whole days, stored once nothing can change them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::delivery::encode::{encode, texts as text_column};
use crate::error::LakeError;
use crate::files::partition::HOUR_MS;
use crate::files::scan::{floats, numbers, scan, texts};
use crate::lake::Lake;
use crate::read::feedback::Feedback;
use crate::read::reactions::{FeedbackKey, Reactions};

/// The table's folder.
const FOLDER: &str = "feedback";
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
        let end = day.tomorrow().ok().and_then(|next| self.begin_ms(next));
        let (Some(from_ms), Some(to_ms)) = (self.begin_ms(day), end) else {
            return Ok(Feedback::default());
        };
        let path = PathBuf::from(FOLDER).join(format!("{day}.parquet"));
        if let Some(stored) = self.stored(&lake.dir().join(&path)) {
            return Ok(stored);
        }
        let found = lake.feedback(from_ms, to_ms, self.window_ms, self.limit)?;
        let is_final = to_ms + self.window_ms + DELIVERY_MS <= now_ms;
        if is_final && found.problems.is_empty() && !found.rows.is_empty() {
            let bytes = self.encoded(day, &found).map_err(|e| LakeError::file(&path, e))?;
            lake.put(&path, bytes)?;
        }
        Ok(found)
    }

    fn encoded(&self, day: Date, found: &Feedback) -> io::Result<bytes::Bytes> {
        let keys = || found.rows.keys();
        let text = |of: fn(&FeedbackKey) -> &str| text_column(keys().map(|key| Some(of(key))));
        let count = |of: fn(&Reactions) -> u64| {
            let counts = found.rows.values().map(|row| i64::try_from(of(row)).unwrap_or(i64::MAX));
            Arc::new(Int64Array::from_iter_values(counts)) as _
        };
        let each = |value: i64| Arc::new(Int64Array::from_value(value, found.rows.len())) as _;
        let positions = keys().map(|key| i64::from(key.position));
        let revenue = found.rows.values().map(|row| row.revenue);
        let (day, zone) = (day.to_string(), self.zone_name());
        encode(vec![
            ("day", text_column(keys().map(|_| Some(day.as_str())))),
            ("zone", text_column(keys().map(|_| Some(zone)))),
            ("window_ms", each(self.window_ms)),
            ("one_in", each(i64::from(found.one_in))),
            ("placement", text(|key| &key.placement)),
            ("model", text(|key| &key.model)),
            ("position", Arc::new(Int64Array::from_iter_values(positions))),
            ("source", text(|key| &key.source)),
            ("rule", text(|key| &key.rule)),
            ("sent", count(|row| row.sent)),
            ("shown", count(|row| row.shown)),
            ("viewed", count(|row| row.viewed)),
            ("added", count(|row| row.added)),
            ("bought", count(|row| row.bought)),
            ("revenue", Arc::new(Float64Array::from_iter_values(revenue))),
        ])
    }

    /// The stored figures. `None` if there are none, or none that were counted like this.
    fn stored(&self, path: &Path) -> Option<Feedback> {
        if !path.exists() {
            return None;
        }
        let mut found = Feedback::default();
        let mut is_same = true;
        let read = scan(path, None, |batch| {
            let (zone, window) = (texts(batch, "zone")?, numbers(batch, "window_ms")?);
            let one_in = numbers(batch, "one_in")?;
            let [placement, model, source, rule] = [
                texts(batch, "placement")?,
                texts(batch, "model")?,
                texts(batch, "source")?,
                texts(batch, "rule")?,
            ];
            let position = numbers(batch, "position")?;
            let counts = ["sent", "shown", "viewed", "added", "bought"];
            let counts: Vec<&Int64Array> =
                counts.iter().map(|name| numbers(batch, name)).collect::<io::Result<_>>()?;
            let revenue = floats(batch, "revenue")?;
            for row in 0..batch.num_rows() {
                is_same &=
                    zone.value(row) == self.zone_name() && window.value(row) == self.window_ms;
                found.one_in = u32::try_from(one_in.value(row)).unwrap_or(1);
                let key = FeedbackKey {
                    placement: placement.value(row).to_owned(),
                    model: model.value(row).to_owned(),
                    position: u32::try_from(position.value(row)).unwrap_or_default(),
                    source: source.value(row).to_owned(),
                    rule: rule.value(row).to_owned(),
                };
                let count = |at: usize| u64::try_from(counts[at].value(row)).unwrap_or_default();
                found.rows.entry(key).or_default().add(&Reactions {
                    sent: count(0),
                    shown: count(1),
                    viewed: count(2),
                    added: count(3),
                    bought: count(4),
                    revenue: revenue.value(row),
                });
            }
            Ok(())
        });
        // What cannot be read is counted again.
        (read.is_ok() && is_same && !found.rows.is_empty()).then_some(found)
    }

    fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}
