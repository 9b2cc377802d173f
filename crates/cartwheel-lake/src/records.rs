//! Delivered records as Parquet: the tables `events` and `impressions`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int32Builder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use bytes::Bytes;
use cartwheel_events::{EventKind, EventRecord, Impression};
use cartwheel_stream::Sequence;
use parquet::arrow::ArrowWriter;

use crate::scan;
use crate::tables::properties;

/// One delivered record with its place in the stream.
pub(crate) type Placed<'a, T> = (u32, Sequence, &'a T);

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn text_lists<'a>(lists: impl Iterator<Item = Vec<&'a str>>) -> ArrayRef {
    let mut out = ListBuilder::new(StringBuilder::new());
    for list in lists {
        list.into_iter().for_each(|text| out.values().append_value(text));
        out.append(true);
    }
    Arc::new(out.finish())
}

fn places<T>(rows: &[Placed<'_, T>]) -> [(&'static str, ArrayRef); 2] {
    let shards = rows.iter().map(|r| i32::try_from(r.0).unwrap_or(i32::MAX));
    [
        ("shard", Arc::new(Int32Array::from_iter_values(shards))),
        ("sequence", Arc::new(UInt64Array::from_iter(rows.iter().map(|r| r.1.as_u64())))),
    ]
}

/// The part of some events.
pub(crate) fn events(rows: &[Placed<'_, EventRecord>]) -> io::Result<Bytes> {
    let records = || rows.iter().map(|r| r.2);
    let mut quantities = ListBuilder::new(Int32Builder::new());
    let mut prices = ListBuilder::new(Float64Builder::new());
    for event in records() {
        for (&quantity, &price) in event.quantities.iter().zip(&event.prices) {
            quantities.values().append_value(i32::try_from(quantity).unwrap_or(i32::MAX));
            prices.values().append_option(price);
        }
        quantities.append(true);
        prices.append(true);
    }
    let [shard, sequence] = places(rows);
    let ids = |e: &'_ EventRecord| e.schema_version as i32;
    part(vec![
        ("schema_version", Arc::new(Int32Array::from_iter_values(records().map(ids)))),
        ("event_id", texts(records().map(|e| Some(&*e.event_id)))),
        ("user_id", texts(records().map(|e| Some(e.user_id.as_str())))),
        ("session_id", texts(records().map(|e| e.session_id.as_deref()))),
        ("event", texts(records().map(|e| Some(e.event.as_str())))),
        (
            "product_ids",
            text_lists(records().map(|e| e.product_ids.iter().map(|p| p.as_str()).collect())),
        ),
        ("quantities", Arc::new(quantities.finish())),
        ("prices", Arc::new(prices.finish())),
        ("timestamp_ms", Arc::new(Int64Array::from_iter(records().map(|e| e.timestamp_ms)))),
        ("source", texts(records().map(|e| e.source.as_deref()))),
        ("recommendation_id", texts(records().map(|e| e.recommendation_id.as_deref()))),
        (
            "received_at_ms",
            Arc::new(Int64Array::from_iter_values(records().map(|e| e.received_at_ms))),
        ),
        shard,
        sequence,
    ])
}

/// The part of some impressions.
pub(crate) fn impressions(rows: &[Placed<'_, Impression>]) -> io::Result<Bytes> {
    let records = || rows.iter().map(|r| r.2);
    let mut scores = ListBuilder::new(Float64Builder::new());
    for impression in records() {
        let shown = impression.shown.iter();
        shown.for_each(|item| scores.values().append_value(f64::from(item.score)));
        scores.append(true);
    }
    let [shard, sequence] = places(rows);
    part(vec![
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
        shard,
        sequence,
    ])
}

fn part(columns: Vec<(&str, ArrayRef)>) -> io::Result<Bytes> {
    // Every column may be null: other writers of these tables know less.
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .map_err(io::Error::other)?;
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties()))
        .map_err(io::Error::other)?;
    writer.write(&batch).and_then(|()| writer.close()).map_err(io::Error::other)?;
    Ok(out.into())
}

/// A checkout as the feature job takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckoutRow {
    /// Who bought.
    pub user_id: String,
    /// When the server accepted it, UTC milliseconds.
    pub received_at_ms: i64,
    /// The order's id.
    pub event_id: String,
    /// What was bought, in order of adding.
    pub product_ids: Vec<String>,
}

/// Reads the checkouts of a part of `events`.
pub(crate) fn checkouts(path: &Path, out: &mut Vec<CheckoutRow>) -> io::Result<()> {
    let columns = ["user_id", "event_id", "event", "product_ids", "received_at_ms"];
    scan::scan(path, Some(&columns), |batch| {
        let text = |name: &str| scan::texts(batch, name);
        let (user, event, kind) = (text("user_id")?, text("event_id")?, text("event")?);
        let received = scan::numbers(batch, "received_at_ms")?;
        let products = scan::lists(batch, "product_ids")?;
        for at in 0..batch.num_rows() {
            if kind.value(at) != EventKind::Checkout.as_str() {
                continue;
            }
            out.push(CheckoutRow {
                user_id: user.value(at).to_owned(),
                received_at_ms: received.value(at),
                event_id: event.value(at).to_owned(),
                product_ids: scan::list(products, at)?,
            });
        }
        Ok(())
    })
}
