//! A row as it is understood: a line of an order, or an event.

use std::borrow::Cow;

use cartwheel_events::{EventKind, GUEST, MAX_ID, MAX_QUERY, UserId, check_id};

use crate::field::{Cells, Field};
use crate::mapping::{Mapping, is_usually_undone};
use crate::number::{Decimal, number, without_fraction};
use crate::time::{AHEAD_MS, EARLIEST_MS, TimeReader};

/// Maximum number of pieces of a line.
const MAX_QUANTITY: f64 = 100_000.0;
/// Maximum price of a piece.
const MAX_PRICE: f64 = 1e9;

/// The person whom a line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shopper<'a> {
    /// A customer, by the shop's id.
    User(&'a str),
    /// A visitor without a login, by the anonymous id.
    Guest(&'a str),
}

impl Shopper<'_> {
    /// The shopper's id in the lake.
    pub(crate) fn id(self) -> Option<UserId> {
        match self {
            Self::User(id) => UserId::known(id).ok(),
            Self::Guest(id) => UserId::guest(id).ok(),
        }
    }
}

/// A product, and what happened to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line<'a> {
    /// `None` if neither customer nor visitor is known.
    pub shopper: Option<Shopper<'a>>,
    /// The anonymous id of the guest that the line ties to its user; empty if there is none.
    pub guest: &'a str,
    pub kind: EventKind,
    /// The id of the order or of the event; empty if there is none.
    pub key: &'a str,
    /// Whether `key` is an event's id, which is kept as it is.
    pub is_event_id: bool,
    /// UTC milliseconds.
    pub at_ms: i64,
    /// Empty if the line only ties a guest to a user, or is a search.
    pub product_id: &'a str,
    /// Number of pieces, at least 1.
    pub quantity: u32,
    pub price: Option<f64>,
    /// Empty if there is none.
    pub session_id: &'a str,
    /// The text of a search; empty for everything else.
    pub query: &'a str,
    /// Whether the order was undone as a whole: the line is bought and given back.
    pub is_undone: bool,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Understood<'a> {
    Line(Line<'a>),
    /// An event of a kind that is left out.
    OtherEvent(&'a str),
    /// Without customer and price: a correction of the stock.
    StockCorrection,
    /// The reason why the row is unusable.
    Rejected(Cow<'static, str>),
}

/// How rows are understood.
#[derive(Debug)]
pub(crate) struct Rules {
    pub mapping: Mapping,
    pub times: TimeReader,
    pub decimal: Decimal,
    /// Whether there is a column of prices.
    pub has_prices: bool,
    /// Fields whose ids end in `.0`, which is cut off.
    pub integer_ids: Vec<Field>,
    /// The current time, UTC milliseconds.
    pub now_ms: i64,
}

impl Rules {
    /// Understands a row.
    pub(crate) fn understand<'a>(&self, cells: &'a Cells<'_>) -> Understood<'a> {
        match self.line(cells) {
            Ok(understood) => understood,
            Err(reason) => Understood::Rejected(reason),
        }
    }

    fn line<'a>(&self, cells: &'a Cells<'_>) -> Result<Understood<'a>, Cow<'static, str>> {
        let event = cells.get(Field::Event);
        let kind = match event {
            "" if !self.mapping.events.contains_key("") => EventKind::Checkout,
            name => match self.mapping.event(name) {
                Some(kind) => kind,
                None => return Ok(Understood::OtherEvent(name)),
            },
        };
        let (shopper, guest) = self.shopper(cells)?;
        let query = match kind {
            EventKind::Search => query(cells.get(Field::Query))?,
            _ => "",
        };
        let product_id = match kind {
            // Exports name what the search found.
            EventKind::Search => "",
            _ => self.id(cells, Field::ProductId)?,
        };
        let is_tie = kind == EventKind::Identify;
        if is_tie && guest.is_empty() {
            return Ok(Understood::OtherEvent(event));
        }
        if product_id.is_empty() && !is_tie && kind != EventKind::Search {
            return Err("product_id is missing".into());
        }
        let at_ms = self.time(cells.get(Field::Time))?;
        let (quantity, is_negative) = self.quantity(cells.get(Field::Quantity))?;
        let price = self.price(cells.get(Field::Price))?;
        if shopper.is_none() && kind == EventKind::Checkout {
            // Goods that were lost, found or damaged are booked like this.
            let is_free = self.has_prices && price.is_none_or(|price| price == 0.0);
            if is_free {
                return Ok(Understood::StockCorrection);
            }
        }
        let kind = match kind {
            EventKind::Checkout if is_negative => EventKind::Return,
            _ if is_negative && kind != EventKind::Return => {
                return Err("quantity is negative".into());
            }
            kind => kind,
        };
        let order = match kind {
            EventKind::Checkout | EventKind::Return => self.id(cells, Field::OrderId)?,
            _ => "",
        };
        let event_id = self.id(cells, Field::EventId)?;
        if shopper.is_none() && !matches!(kind, EventKind::Checkout | EventKind::Return) {
            return Err("user_id is missing, and so is anonymous_id".into());
        }
        let status = cells.get(Field::Status);
        let is_undone = kind == EventKind::Checkout
            && !status.is_empty()
            && (is_usually_undone(status)
                || self.mapping.undone.iter().any(|undone| undone.eq_ignore_ascii_case(status)));
        Ok(Understood::Line(Line {
            shopper,
            guest,
            kind,
            key: if order.is_empty() { event_id } else { order },
            is_event_id: order.is_empty() && !event_id.is_empty(),
            at_ms,
            product_id,
            quantity,
            price,
            session_id: self.id(cells, Field::SessionId)?,
            query,
            is_undone,
        }))
    }

    /// The shopper, and the anonymous id of the guest that the row ties to the shopper.
    fn shopper<'a>(
        &self,
        cells: &'a Cells<'_>,
    ) -> Result<(Option<Shopper<'a>>, &'a str), Cow<'static, str>> {
        let guest = self.id(cells, Field::AnonymousId)?;
        if guest.len() >= MAX_ID {
            return Err(format!("anonymous_id is longer than {} bytes", MAX_ID - 1).into());
        }
        let user = match self.id(cells, Field::UserId)? {
            user if self.mapping.no_customer.iter().any(|none| none == user) => "",
            user => user,
        };
        if let Some(guest) = user.strip_prefix(GUEST) {
            if guest.is_empty() {
                return Err("user_id names a guest without an id".into());
            }
            // The lake's own form.
            return Ok((Some(Shopper::Guest(guest)), ""));
        }
        Ok(match (user, guest) {
            ("", "") => (None, ""),
            ("", guest) => (Some(Shopper::Guest(guest)), ""),
            (user, guest) => (Some(Shopper::User(user)), guest),
        })
    }

    fn id<'a>(&self, cells: &'a Cells<'_>, field: Field) -> Result<&'a str, Cow<'static, str>> {
        let text = cells.get(field);
        if text.is_empty() {
            return Ok(text);
        }
        let text = if self.integer_ids.contains(&field) { without_fraction(text) } else { text };
        check_id(text).map_err(|error| format!("{} {error}", field.as_str()))?;
        Ok(text)
    }

    fn time(&self, text: &str) -> Result<i64, Cow<'static, str>> {
        if text.is_empty() {
            return Err("time is missing".into());
        }
        match self.times.read(text) {
            Some(ms) if ms < EARLIEST_MS => Err("time is before 1990".into()),
            Some(ms) if ms > self.now_ms.saturating_add(AHEAD_MS) => {
                Err("time is more than a day in the future".into())
            }
            Some(ms) => Ok(ms),
            None => Err("time is in no form that is understood".into()),
        }
    }

    /// Whole pieces, and whether they are negative.
    fn quantity(&self, text: &str) -> Result<(u32, bool), Cow<'static, str>> {
        if text.is_empty() {
            return Ok((1, false));
        }
        let quantity = number(text, self.decimal).ok_or("quantity is not a number")?;
        if quantity == 0.0 {
            return Err("quantity is 0".into());
        }
        // A weight counts as the next whole number of pieces.
        let pieces = quantity.abs().ceil();
        if pieces > MAX_QUANTITY {
            return Err("quantity is larger than 100000".into());
        }
        Ok((pieces as u32, quantity < 0.0))
    }

    fn price(&self, text: &str) -> Result<Option<f64>, Cow<'static, str>> {
        if text.is_empty() {
            return Ok(None);
        }
        match number(text, self.decimal) {
            Some(price) if (0.0..=MAX_PRICE).contains(&price) => Ok(Some(price)),
            Some(price) if price < 0.0 => Err("price is negative".into()),
            Some(_) => Err("price is larger than 1e9".into()),
            None => Err("price is not a number".into()),
        }
    }
}

/// The text of a search.
fn query(text: &str) -> Result<&str, Cow<'static, str>> {
    match text.chars().count() {
        0 => Err("query is missing".into()),
        length if length > MAX_QUERY => {
            Err(format!("query is longer than {MAX_QUERY} characters").into())
        }
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::time::DateOrder;

    fn rules() -> Rules {
        Rules {
            mapping: Mapping { no_customer: vec!["0".to_owned()], ..Mapping::default() },
            times: TimeReader::new(TimeZone::UTC, DateOrder::Unknown),
            decimal: Decimal::Point,
            has_prices: true,
            integer_ids: vec![Field::UserId],
            now_ms: 1_767_225_600_000,
        }
    }

    fn cells(given: &[(Field, &'static str)]) -> Cells<'static> {
        let mut cells = Cells::default();
        for (field, text) in [
            (Field::UserId, "17850.0"),
            (Field::ProductId, "p"),
            (Field::Time, "2025-01-01"),
            (Field::Price, "2.5"),
        ]
        .iter()
        .chain(given)
        {
            cells.set(*field, *text);
        }
        cells
    }

    /// A text of 201 characters.
    const LONG: &str = match std::str::from_utf8(&[b'x'; 201]) {
        Ok(text) => text,
        Err(_) => "",
    };

    fn outcome(given: &[(Field, &'static str)]) -> String {
        match rules().understand(&cells(given)) {
            Understood::Line(line) => format!(
                "{} {} {} x{}{}",
                match line.shopper {
                    Some(Shopper::User(user)) if line.guest.is_empty() => user.to_owned(),
                    Some(Shopper::User(user)) => format!("{user}+{}", line.guest),
                    Some(Shopper::Guest(guest)) => format!("guest {guest}"),
                    None => "-".to_owned(),
                },
                line.kind.as_str(),
                line.key,
                line.quantity,
                if line.is_undone { " undone" } else { "" }
            ),
            Understood::OtherEvent(name) => format!("other {name}"),
            Understood::StockCorrection => "correction".to_owned(),
            Understood::Rejected(reason) => reason.into_owned(),
        }
    }

    #[test]
    fn rows_are_understood() {
        use Field::{
            AnonymousId, Event, EventId, OrderId, Price, ProductId, Quantity, Query, Status, Time,
            UserId,
        };
        for (given, expected) in [
            (&[][..], "17850 checkout  x1"),
            (&[(OrderId, "o1"), (EventId, "e1"), (Quantity, "6")], "17850 checkout o1 x6"),
            (&[(OrderId, "C1"), (Quantity, "-2")], "17850 return C1 x2"),
            (&[(Event, "view"), (OrderId, "o1"), (EventId, "e1")], "17850 view e1 x1"),
            (&[(Event, "refund")], "17850 return  x1"),
            (&[(Event, "wishlist")], "other wishlist"),
            (&[(Quantity, "0.35")], "17850 checkout  x1"),
            (&[(Status, "wc-refunded")], "17850 checkout  x1 undone"),
            (&[(UserId, "0"), (OrderId, "o")], "- checkout o x1"),
            (&[(UserId, ""), (Price, "0")], "correction"),
            (&[(UserId, ""), (Event, "view")], "user_id is missing, and so is anonymous_id"),
            (&[(AnonymousId, "g"), (Event, "view")], "17850+g view  x1"),
            (&[(UserId, "0"), (AnonymousId, "g"), (Event, "view")], "guest g view  x1"),
            (&[(UserId, "~g")], "guest g checkout  x1"),
            (&[(AnonymousId, "g"), (Event, "identify"), (ProductId, "")], "17850+g identify  x1"),
            (&[(Event, "login"), (ProductId, "")], "other login"),
            (&[(Event, "search"), (ProductId, ""), (Query, "tea")], "17850 search  x1"),
            (&[(Event, "search"), (ProductId, "")], "query is missing"),
            (&[(Event, "search"), (Query, LONG)], "query is longer than 200 characters"),
            (&[(ProductId, "")], "product_id is missing"),
            (&[(Time, "")], "time is missing"),
            (&[(Time, "soon")], "time is in no form that is understood"),
            (&[(Time, "1989-12-31")], "time is before 1990"),
            (&[(Time, "2026-01-03")], "time is more than a day in the future"),
            (&[(Quantity, "0")], "quantity is 0"),
            (&[(Quantity, "many")], "quantity is not a number"),
            (&[(Quantity, "-1"), (Event, "view")], "quantity is negative"),
            (&[(Price, "-1")], "price is negative"),
        ] {
            assert_eq!(outcome(given), expected, "{given:?}");
        }
    }
}
