//! Rows of events.csv.

use std::fmt::Write;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::assortment::decimal;

/// Header of events.csv.
pub(crate) const HEADER: &str = "event,time,event_id,user_id,anonymous_id,session_id,order_id,\
                                 product_id,quantity,price,query\n";

/// The ids with which an event names its shopper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The user, who is logged in.
    User,
    /// The browser of somebody who is not logged in.
    Guest,
    /// Both: the login, which ties the browser to the user.
    Both,
}

/// An event, or one line of an order.
pub(crate) struct Row<'a> {
    pub event: &'a str,
    /// UTC milliseconds.
    pub at_ms: i64,
    pub by: By,
    /// Number of the visit; 0 outside of one.
    pub visit: u32,
    /// Rows of one event share its number. An order has none: its lines share `order_id`.
    pub number: Option<u32>,
    pub order_id: Option<u64>,
    pub product: Option<u32>,
    pub quantity: Option<u32>,
    /// Price of one piece, in cents.
    pub price: Option<u32>,
    /// The words of a search.
    pub query: &'a str,
}

impl Row<'_> {
    /// A row of which only event and time are known.
    pub(crate) fn new(event: &'static str, at_ms: i64) -> Self {
        Row {
            event,
            at_ms,
            by: By::User,
            visit: 0,
            number: None,
            order_id: None,
            product: None,
            quantity: None,
            price: None,
            query: "",
        }
    }
}

/// The rows of one shopper.
pub(crate) struct EventRows {
    /// The rows as CSV.
    pub text: String,
    /// Lines of orders.
    pub lines: u64,
    /// Events other than orders.
    pub events: u64,
    user: u32,
    /// The anonymous id of the browser.
    pub device: String,
    /// Number of the newest event.
    number: u32,
}

impl EventRows {
    pub(crate) fn new(user: u32, device: String) -> Self {
        Self { text: String::new(), lines: 0, events: 0, user, device, number: 0 }
    }

    /// The number of a further event.
    pub(crate) fn next_event(&mut self) -> u32 {
        self.events += 1;
        self.number += 1;
        self.number
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: &Row<'_>) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{},{},", row.event, row.at_ms);
        let user = self.user + 1;
        if let Some(number) = row.number {
            let _ = write!(self.text, "{user}-{number}");
        }
        self.text.push(',');
        if row.by != By::Guest {
            let _ = write!(self.text, "{user}");
        }
        self.text.push(',');
        if row.by != By::User {
            self.text.push_str(&self.device);
        }
        self.text.push(',');
        if row.visit > 0 {
            let _ = write!(self.text, "{user}-{}", row.visit);
        }
        self.text.push(',');
        if let Some(order_id) = row.order_id {
            let _ = write!(self.text, "{order_id}");
        }
        self.text.push(',');
        if let Some(product) = row.product {
            let _ = write!(self.text, "{}", product + 1);
        }
        self.text.push(',');
        if let Some(quantity) = row.quantity {
            let _ = write!(self.text, "{quantity}");
        }
        self.text.push(',');
        if let Some(price) = row.price {
            self.text.push_str(&decimal(price));
        }
        let _ = writeln!(self.text, ",{}", row.query);
    }
}

/// Draws an anonymous id, a UUID of version 4.
pub(crate) fn anonymous_id(rng: &mut ChaCha8Rng) -> String {
    let bits: u128 = rng.random();
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
