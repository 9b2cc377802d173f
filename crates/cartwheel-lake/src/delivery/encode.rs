//! Encoding records as parts of `events` and `impressions`.

use std::io;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int32Builder, ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, UInt64Array, new_null_array,
};
use arrow_schema::DataType;
use bytes::Bytes;
use cartwheel_events::{EventRecord, Impression};
use cartwheel_stream::Sequence;
use parquet::arrow::ArrowWriter;

use crate::files::checksum;
use crate::files::format::writer_properties;

/// A record with its position in the stream.
#[derive(Debug)]
pub(crate) struct StreamRow<'a, T> {
    pub shard: u32,
    pub sequence: Sequence,
    pub record: &'a T,
}

// Derived, these would require that records are `Copy`.
impl<T> Copy for StreamRow<'_, T> {}

impl<T> Clone for StreamRow<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

pub(crate) fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

pub(super) fn text_lists<'a>(lists: impl Iterator<Item = Vec<&'a str>>) -> ArrayRef {
    let mut out = ListBuilder::new(StringBuilder::new());
    for list in lists {
        list.into_iter().for_each(|text| out.values().append_value(text));
        out.append(true);
    }
    Arc::new(out.finish())
}

/// The columns of the position in the stream.
pub(super) fn positions<T>(rows: &[StreamRow<'_, T>]) -> [(&'static str, ArrayRef); 2] {
    let shards = rows.iter().map(|row| i32::try_from(row.shard).unwrap_or(i32::MAX));
    let sequences = rows.iter().map(|row| row.sequence.as_u64());
    [
        ("shard", Arc::new(Int32Array::from_iter_values(shards))),
        ("sequence", Arc::new(UInt64Array::from_iter(sequences))),
    ]
}

/// The columns of the items of events: parallel lists of ids, quantities and prices.
#[derive(Default)]
pub(crate) struct ItemColumns {
    products: ListBuilder<StringBuilder>,
    quantities: ListBuilder<Int32Builder>,
    prices: ListBuilder<Float64Builder>,
}

impl ItemColumns {
    /// Adds the items of an event: id, pieces and price.
    pub(crate) fn push<'a>(
        &mut self,
        items: impl IntoIterator<Item = (&'a str, u32, Option<f64>)>,
    ) {
        for (product, quantity, price) in items {
            self.products.values().append_value(product);
            self.quantities.values().append_value(i32::try_from(quantity).unwrap_or(i32::MAX));
            self.prices.values().append_option(price);
        }
        self.products.append(true);
        self.quantities.append(true);
        self.prices.append(true);
    }

    /// `product_ids`, `quantities` and `prices`.
    pub(crate) fn finish(mut self) -> [ArrayRef; 3] {
        [
            Arc::new(self.products.finish()),
            Arc::new(self.quantities.finish()),
            Arc::new(self.prices.finish()),
        ]
    }
}

/// Encodes events as a part.
pub(crate) fn encode_events(rows: &[StreamRow<'_, EventRecord>]) -> io::Result<Bytes> {
    encode_batch(&records_batch(|| rows.iter().map(|row| row.record), positions(rows))?)
}

/// The batch of imported events, which have no position in the stream.
pub(crate) fn imported_batch(records: &[EventRecord]) -> io::Result<RecordBatch> {
    let nulls = [
        ("shard", new_null_array(&DataType::Int32, records.len())),
        ("sequence", new_null_array(&DataType::UInt64, records.len())),
    ];
    records_batch(|| records.iter(), nulls)
}

/// The batch of events, with the columns of their positions.
fn records_batch<'a, I: Iterator<Item = &'a EventRecord>>(
    records: impl Fn() -> I,
    positions: [(&'static str, ArrayRef); 2],
) -> io::Result<RecordBatch> {
    let mut items = ItemColumns::default();
    for event in records() {
        let parallel = event.product_ids.iter().zip(&event.quantities).zip(&event.prices);
        items.push(parallel.map(|((id, &quantity), &price)| (id.as_str(), quantity, price)));
    }
    let [products, quantities, prices] = items.finish();
    let [shard, sequence] = positions;
    let versions = records().map(|e| e.schema_version as i32);
    batch(vec![
        ("schema_version", Arc::new(Int32Array::from_iter_values(versions))),
        ("event_id", texts(records().map(|e| Some(&*e.event_id)))),
        ("user_id", texts(records().map(|e| Some(e.user_id.as_str())))),
        ("anonymous_id", texts(records().map(|e| e.anonymous_id.as_deref()))),
        ("session_id", texts(records().map(|e| e.session_id.as_deref()))),
        ("event", texts(records().map(|e| Some(e.event.as_str())))),
        ("product_ids", products),
        ("quantities", quantities),
        ("prices", prices),
        ("timestamp_ms", Arc::new(Int64Array::from_iter(records().map(|e| e.timestamp_ms)))),
        ("source", texts(records().map(|e| e.source.as_deref()))),
        ("recommendation_id", texts(records().map(|e| e.recommendation_id.as_deref()))),
        (
            "received_at_ms",
            Arc::new(Int64Array::from_iter_values(records().map(|e| e.received_at_ms))),
        ),
        (
            "backfilled_at_ms",
            Arc::new(Int64Array::from_iter(records().map(|e| e.backfilled_at_ms))),
        ),
        ("query", texts(records().map(|e| e.query.as_deref()))),
        ("country", texts(records().map(|e| e.country.as_ref().map(|country| country.as_str())))),
        shard,
        sequence,
    ])
}

/// Encodes impressions as a part.
pub(super) fn encode_impressions(rows: &[StreamRow<'_, Impression>]) -> io::Result<Bytes> {
    let records = || rows.iter().map(|row| row.record);
    let mut scores = ListBuilder::new(Float64Builder::new());
    let mut propensities = ListBuilder::new(Float64Builder::new());
    for impression in records() {
        let shown = impression.shown.iter();
        shown.clone().for_each(|item| scores.values().append_value(f64::from(item.score)));
        scores.append(true);
        shown.for_each(|item| propensities.values().append_option(item.propensity));
        propensities.append(true);
    }
    let [shard, sequence] = positions(rows);
    encode(vec![
        ("recommendation_id", texts(records().map(|i| Some(&*i.recommendation_id)))),
        ("user_id", texts(records().map(|i| Some(i.user_id.as_str())))),
        ("release", texts(records().map(|i| Some(&*i.release)))),
        ("cart", text_lists(records().map(|i| i.cart.iter().map(|p| p.as_str()).collect()))),
        (
            "product_ids",
            text_lists(records().map(|i| i.shown.iter().map(|s| s.product_id.as_str()).collect())),
        ),
        ("scores", Arc::new(scores.finish())),
        ("sources", text_lists(records().map(|i| i.shown.iter().map(|s| &*s.source).collect()))),
        (
            "received_at_ms",
            Arc::new(Int64Array::from_iter_values(records().map(|i| i.received_at_ms))),
        ),
        ("placement", texts(records().map(|i| i.placement.as_deref()))),
        ("page", texts(records().map(|i| i.page.as_deref()))),
        ("moment", texts(records().map(|i| i.moment.as_deref()))),
        // Empty where no rule has moved the product.
        (
            "rules",
            text_lists(
                records().map(|i| {
                    i.shown.iter().map(|s| s.rule.as_deref().unwrap_or_default()).collect()
                }),
            ),
        ),
        // Null where exploration has not chosen the product.
        ("propensities", Arc::new(propensities.finish())),
        shard,
        sequence,
    ])
}

/// The batch of columns.
pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> io::Result<RecordBatch> {
    // Every column is nullable, because other writers of these tables lack some of them.
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).map_err(io::Error::other)
}

/// Encodes columns as a part.
pub(crate) fn encode(columns: Vec<(&str, ArrayRef)>) -> io::Result<Bytes> {
    encode_batch(&batch(columns)?)
}

fn encode_batch(batch: &RecordBatch) -> io::Result<Bytes> {
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(writer_properties()))
        .map_err(io::Error::other)?;
    writer.write(batch).and_then(|()| writer.close()).map_err(io::Error::other)?;
    checksum::seal(0, &mut out)?;
    Ok(out.into())
}
