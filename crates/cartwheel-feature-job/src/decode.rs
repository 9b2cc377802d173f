//! Decodes Arrow batches into rows: of the lake's tables, and of the fold phase's input,
//! which has the columns of all three.

use std::io;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, Int64Type};
use arrow_array::{Float32Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray};

use crate::columns::{lists, mistyped, numbers, optional, strings};
use crate::products::ProductIndex;
use crate::rows::{CheckoutRow, EvalSet, LineRow, OrderRow};

/// The columns of orders in a batch.
pub(crate) struct OrderColumns<'a> {
    number: &'a Int32Array,
    eval_set: &'a StringArray,
    dow: &'a Int32Array,
    hour: &'a Int32Array,
    days: &'a Float32Array,
    at_ms: &'a Int64Array,
}

impl<'a> OrderColumns<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> io::Result<Self> {
        Ok(Self {
            number: numbers::<Int32Type>(batch, "order_number")?,
            eval_set: strings(batch, "eval_set")?,
            dow: numbers::<Int32Type>(batch, "order_dow")?,
            hour: numbers::<Int32Type>(batch, "order_hour_of_day")?,
            days: numbers::<Float32Type>(batch, "days_since_prior_order")?,
            at_ms: numbers::<Int64Type>(batch, "ordered_at_ms")?,
        })
    }

    pub(crate) fn row(&self, at: usize) -> OrderRow {
        let byte = |column| optional::<Int32Type>(column, at).and_then(|n| u8::try_from(n).ok());
        OrderRow {
            hash: 0,
            user_id: String::new(),
            number: self.number.value(at).unsigned_abs(),
            eval_set: match self.eval_set.value(at) {
                "test" => EvalSet::Test,
                "train" => EvalSet::Train,
                _ => EvalSet::Prior,
            },
            dow: byte(self.dow),
            hour: byte(self.hour),
            days: optional(self.days, at),
            at_ms: optional(self.at_ms, at),
        }
    }
}

/// The columns of order lines in a batch.
pub(crate) struct LineColumns<'a> {
    number: &'a Int32Array,
    product: &'a StringArray,
    position: &'a Int32Array,
    reordered: &'a Int32Array,
    index: &'a ProductIndex<'a>,
}

impl<'a> LineColumns<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, index: &'a ProductIndex<'a>) -> io::Result<Self> {
        Ok(Self {
            number: numbers::<Int32Type>(batch, "order_number")?,
            product: strings(batch, "product_id")?,
            position: numbers::<Int32Type>(batch, "add_to_cart_order")?,
            reordered: numbers::<Int32Type>(batch, "reordered")?,
            index,
        })
    }

    pub(crate) fn row(&self, at: usize) -> io::Result<LineRow> {
        Ok(LineRow {
            hash: 0,
            number: self.number.value(at).unsigned_abs(),
            position: self.position.value(at).unsigned_abs(),
            product: self.index.get(self.product.value(at))?,
            reordered: optional(self.reordered, at).map(|n| n != 0),
        })
    }
}

/// The columns of checkouts in a batch.
pub(crate) struct CheckoutColumns<'a> {
    event_id: &'a StringArray,
    received_at_ms: &'a Int64Array,
    products: &'a ListArray,
    index: &'a ProductIndex<'a>,
}

impl<'a> CheckoutColumns<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, index: &'a ProductIndex<'a>) -> io::Result<Self> {
        Ok(Self {
            event_id: strings(batch, "event_id")?,
            received_at_ms: numbers::<Int64Type>(batch, "received_at_ms")?,
            products: lists(batch, "product_ids")?,
            index,
        })
    }

    pub(crate) fn row(&self, at: usize) -> io::Result<CheckoutRow> {
        let products = self.products.value(at);
        let products = products.as_string_opt::<i32>().ok_or_else(|| mistyped("product_ids"))?;
        Ok(CheckoutRow {
            hash: 0,
            user_id: String::new(),
            at_ms: self.received_at_ms.value(at),
            event_id: self.event_id.value(at).to_owned(),
            products: self.index.all(products.iter().flatten())?,
        })
    }
}
