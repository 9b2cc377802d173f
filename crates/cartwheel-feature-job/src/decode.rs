//! Decodes Arrow batches into rows: of the lake's tables, and of the fold phase's input,
//! which has the columns of all three.

use std::io;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, Int64Type};
use arrow_array::{
    Array, Float32Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
};

use cartwheel_events::EventKind;
use cartwheel_features::{Action, Search, stable_hash};

use crate::columns::{
    lists, mistyped, numbers, optional, optional_lists, optional_strings, strings,
};
use crate::products::ProductIndex;
use crate::rows::{BasketRow, CheckoutRow, EvalSet, LineRow, OrderRow, SearchRow, TouchRow};

/// The columns of the lake's tables that become rows.
pub(crate) mod names {
    pub(crate) const ORDERS: [&str; 7] = [
        "user_id",
        "order_number",
        "eval_set",
        "order_dow",
        "order_hour_of_day",
        "days_since_prior_order",
        "ordered_at_ms",
    ];
    pub(crate) const LINES: [&str; 5] =
        ["user_id", "order_number", "product_id", "add_to_cart_order", "reordered"];
    pub(crate) const EVENTS: [&str; 7] =
        ["user_id", "event", "event_id", "received_at_ms", "product_ids", "quantities", "query"];
    pub(crate) const BASKETS: [&str; 4] = ["basket_id", "event", "ordered_at_ms", "product_ids"];
}

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

/// The columns of checkouts and returns in a batch.
pub(crate) struct CheckoutColumns<'a> {
    event_id: &'a StringArray,
    received_at_ms: &'a Int64Array,
    products: &'a ListArray,
    pieces: Option<&'a ListArray>,
    index: &'a ProductIndex<'a>,
}

impl<'a> CheckoutColumns<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, index: &'a ProductIndex<'a>) -> io::Result<Self> {
        Ok(Self {
            event_id: strings(batch, "event_id")?,
            received_at_ms: numbers::<Int64Type>(batch, "received_at_ms")?,
            products: lists(batch, "product_ids")?,
            pieces: optional_lists(batch, "quantities"),
            index,
        })
    }

    /// The row `at`. The product of a return need not exist: nobody bought it.
    pub(crate) fn row(&self, at: usize, is_return: bool) -> io::Result<CheckoutRow> {
        let ids = self.products.value(at);
        let ids = ids.as_string_opt::<i32>().ok_or_else(|| mistyped("product_ids"))?;
        let pieces = self.pieces.filter(|lists| lists.is_valid(at)).map(|lists| lists.value(at));
        let pieces = pieces.as_ref().and_then(|list| list.as_primitive_opt::<Int32Type>());
        let mut row = CheckoutRow {
            hash: 0,
            user_id: String::new(),
            at_ms: self.received_at_ms.value(at),
            event_id: self.event_id.value(at).to_owned(),
            products: Vec::with_capacity(ids.len()),
            pieces: Vec::with_capacity(ids.len()),
            is_return,
        };
        for (place, id) in ids.iter().flatten().enumerate() {
            let product = match self.index.get(id) {
                Ok(product) => product,
                Err(_) if is_return => continue,
                Err(error) => return Err(error),
            };
            let count =
                pieces.filter(|list| place < list.len()).map_or(1, |list| list.value(place));
            row.products.push(product);
            row.pieces.push(count.unsigned_abs().max(1));
        }
        Ok(row)
    }
}

/// The columns of touches in a batch.
pub(crate) struct TouchColumns<'a> {
    event_id: &'a StringArray,
    received_at_ms: &'a Int64Array,
    products: &'a ListArray,
    index: &'a ProductIndex<'a>,
}

impl<'a> TouchColumns<'a> {
    pub(crate) fn of(batch: &'a RecordBatch, index: &'a ProductIndex<'a>) -> io::Result<Self> {
        Ok(Self {
            event_id: strings(batch, "event_id")?,
            received_at_ms: numbers::<Int64Type>(batch, "received_at_ms")?,
            products: lists(batch, "product_ids")?,
            index,
        })
    }

    /// The touches of the event at a row, one a product. Products that are not in the catalogue
    /// are left out: a look at them tells nothing.
    pub(crate) fn rows(&self, at: usize, action: Action) -> io::Result<Vec<TouchRow>> {
        let ids = self.products.value(at);
        let ids = ids.as_string_opt::<i32>().ok_or_else(|| mistyped("product_ids"))?;
        let event = stable_hash(self.event_id.value(at).as_bytes());
        let at_ms = self.received_at_ms.value(at);
        let known = (0..).zip(ids.iter().flatten());
        let known = known.filter_map(|(place, id)| Some((place, self.index.get(id).ok()?)));
        let touch = |(place, product)| TouchRow {
            hash: 0,
            at_ms,
            event,
            place,
            product,
            action,
            user_id: String::new(),
        };
        Ok(known.map(touch).collect())
    }
}

/// The columns of searches in a batch.
pub(crate) struct SearchColumns<'a> {
    event_id: &'a StringArray,
    received_at_ms: &'a Int64Array,
    queries: Option<&'a StringArray>,
}

impl<'a> SearchColumns<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> io::Result<Self> {
        Ok(Self {
            event_id: strings(batch, "event_id")?,
            received_at_ms: numbers::<Int64Type>(batch, "received_at_ms")?,
            queries: optional_strings(batch, "query"),
        })
    }

    /// The search of the event at a row; `None` if its text has no words.
    pub(crate) fn row(&self, at: usize) -> Option<SearchRow> {
        let query = self.queries.filter(|queries| queries.is_valid(at))?.value(at);
        let event = stable_hash(self.event_id.value(at).as_bytes());
        search_row(query, self.received_at_ms.value(at), event)
    }
}

/// The row of a search of the event with the hash `event`; `None` if its text has no words.
pub(crate) fn search_row(query: &str, at_ms: i64, event: u64) -> Option<SearchRow> {
    let search = Search::of(query, at_ms)?;
    Some(SearchRow { hash: 0, search, event, user_id: String::new() })
}

/// What an event does to its products, unless it buys or returns them. An update of the cart puts
/// all of its products into the cart.
pub(crate) fn action_of(kind: EventKind) -> Option<Action> {
    match kind {
        EventKind::View => Some(Action::View),
        EventKind::AddToCart | EventKind::UpdateCart => Some(Action::Add),
        EventKind::RemoveFromCart => Some(Action::Remove),
        EventKind::Search
        | EventKind::Checkout
        | EventKind::Return
        | EventKind::Identify
        | EventKind::GetRecommendations
        | EventKind::Impression => None,
    }
}

/// The columns of purchases of unknown customers in a batch.
pub(crate) struct BasketColumns<'a> {
    ordered_at_ms: &'a Int64Array,
    products: &'a ListArray,
    index: &'a ProductIndex<'a>,
}

impl<'a> BasketColumns<'a> {
    /// `time` is the name of the column with the time of the purchase.
    pub(crate) fn of(
        batch: &'a RecordBatch,
        time: &str,
        index: &'a ProductIndex<'a>,
    ) -> io::Result<Self> {
        Ok(Self {
            ordered_at_ms: numbers::<Int64Type>(batch, time)?,
            products: lists(batch, "product_ids")?,
            index,
        })
    }

    pub(crate) fn row(&self, at: usize) -> io::Result<BasketRow> {
        let products = self.products.value(at);
        let products = products.as_string_opt::<i32>().ok_or_else(|| mistyped("product_ids"))?;
        Ok(BasketRow {
            hash: 0,
            at_ms: self.ordered_at_ms.value(at),
            products: self.index.all(products.iter().flatten())?,
        })
    }
}
