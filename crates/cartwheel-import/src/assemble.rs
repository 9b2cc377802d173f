//! Putting the lines of a partition together to orders and events.

use std::fmt::Write;
use std::io;

use cartwheel_events::{EventKind, EventRecord, Item, ProductId, SCHEMA_VERSION, UserId};
use cartwheel_features::{Movement, Pieces, net_returns, stable_hash};
use cartwheel_lake::Basket;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use crate::line::Line;
use crate::mapping::OrderBy;
use crate::spill::{Owners, SpilledLine};
use crate::time::TimeReader;

/// Records that are put together before they are written.
const RECORDS: usize = 16 << 10;

/// How lines become orders.
pub(crate) struct Assembly<'a> {
    pub order_by: OrderBy,
    pub times: &'a TimeReader,
    /// Codes that are no products; their lines are left out.
    pub services: &'a FxHashSet<&'a str>,
}

/// Numbers of what was put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Assembled {
    /// Orders of known customers.
    pub orders: u64,
    /// Lines of these orders: products that are bought.
    pub lines: u64,
    /// Events other than orders and returns.
    pub events: u64,
    /// Customers and guests.
    pub users: u64,
    /// Of these, guests.
    pub guests: u64,
    /// Orders whose customer is unknown.
    pub baskets: u64,
    /// Lines of these orders.
    pub basket_lines: u64,
    /// Returned products, each return and product once.
    pub returns: u64,
    /// Of these, returns that a purchase covers whole.
    pub returns_netted: u64,
    /// Returns that no purchase covers, or not whole. They are kept and change nothing more.
    pub returns_unmatched: u64,
    /// Orders of which everything was given back.
    pub orders_undone: u64,
}

impl Assembled {
    pub(crate) fn add(&mut self, other: &Self) {
        self.orders += other.orders;
        self.lines += other.lines;
        self.events += other.events;
        self.users += other.users;
        self.guests += other.guests;
        self.baskets += other.baskets;
        self.basket_lines += other.basket_lines;
        self.returns += other.returns;
        self.returns_netted += other.returns_netted;
        self.returns_unmatched += other.returns_unmatched;
        self.orders_undone += other.orders_undone;
    }
}

/// The records of a partition: by customer, time and id.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub events: Vec<EventRecord>,
    pub baskets: Vec<Basket>,
    pub counts: Assembled,
}

/// The part that the lines of one order or event share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group<'a> {
    /// The same id of an order or an event.
    Id(&'a str),
    /// The same local day.
    Day(i64),
    /// The same time.
    Time(i64),
    /// The same text searched at the same time: exports may have a row for each product found.
    Search(i64, &'a str),
    /// Nothing: each line is an event.
    Line(u64),
}

impl Assembly<'_> {
    /// Puts the lines of a partition together, and adds what they become to `records`. `full` takes
    /// the records whenever there are many, and at the end.
    pub(crate) fn add(
        &self,
        bytes: &[u8],
        records: &mut Records,
        mut full: impl FnMut(&mut Records) -> io::Result<()>,
    ) -> io::Result<()> {
        Owners::of(bytes)?.for_each(|lines| {
            self.owner(std::mem::take(lines), records);
            if records.events.len() + records.baskets.len() < RECORDS {
                return Ok(());
            }
            full(records)
        })?;
        full(records)
    }

    /// Puts the lines of an owner together. Owners may have the same hash.
    fn owner(&self, mut lines: Vec<SpilledLine<'_>>, records: &mut Records) {
        lines.retain(|spilled| !self.services.contains(spilled.line.product_id));
        let undone: Vec<SpilledLine<'_>> =
            lines.iter().filter(|spilled| spilled.line.is_undone).map(given_back).collect();
        lines.extend(undone);
        let mut grouped: Vec<(Group<'_>, SpilledLine<'_>)> =
            lines.into_iter().map(|spilled| (self.group(&spilled), spilled)).collect();
        grouped.sort_unstable_by(|(group_a, a), (group_b, b)| {
            let part = |spilled: &SpilledLine<'_>| (spilled.line.at_ms, spilled.place);
            (a.line.kind as u8, *group_a)
                .cmp(&(b.line.kind as u8, *group_b))
                .then_with(|| part(a).cmp(&part(b)))
        });
        // Few owners have the lines of more than one shopper, whose ids are long to compare.
        if grouped.iter().any(|(_, spilled)| spilled.line.shopper != grouped[0].1.line.shopper) {
            grouped.sort_by_key(|(_, spilled)| spilled.line.shopper);
        }
        for own in grouped.chunk_by(|a, b| a.1.line.shopper == b.1.line.shopper) {
            // Ids were checked when their rows were read.
            match own.first().and_then(|(_, spilled)| spilled.line.shopper?.id()) {
                Some(user) => records.add_user(&user, own),
                None => records.add_baskets(own),
            }
        }
    }

    fn group<'a>(&self, spilled: &SpilledLine<'a>) -> Group<'a> {
        let Line { shopper, kind, key, at_ms, query, .. } = spilled.line;
        let is_order = matches!(kind, EventKind::Checkout | EventKind::Return);
        match self.order_by {
            _ if !key.is_empty() => Group::Id(key),
            _ if kind == EventKind::Search => Group::Search(at_ms, query),
            // Nothing tells which purchases of unknown customers belong together.
            _ if !is_order || shopper.is_none() => Group::Line(spilled.place),
            OrderBy::Day => Group::Day(self.times.day(at_ms)),
            OrderBy::Time => Group::Time(at_ms),
        }
    }
}

/// The return of a line whose order was undone.
fn given_back<'a>(spilled: &SpilledLine<'a>) -> SpilledLine<'a> {
    let line = Line { kind: EventKind::Return, is_undone: false, ..spilled.line.clone() };
    SpilledLine { line, place: spilled.place }
}

type Grouped<'a> = (Group<'a>, SpilledLine<'a>);

impl Records {
    /// Adds the orders and events of a user, whose lines are by kind and group.
    fn add_user(&mut self, user: &UserId, lines: &[Grouped<'_>]) {
        let mut ids = Ids::default();
        let same = |a: &Grouped<'_>, b: &Grouped<'_>| (a.1.line.kind, a.0) == (b.1.line.kind, b.0);
        let start = self.events.len();
        for group in lines.chunk_by(same) {
            let Some((key, first)) = group.first() else { continue };
            let items = items(group);
            let event_id = ids.next(user.as_str(), *key, &first.line);
            let guest = group.iter().map(|(_, spilled)| spilled.line.guest);
            let guest = guest.into_iter().find(|guest| !guest.is_empty());
            self.events.push(EventRecord {
                schema_version: SCHEMA_VERSION,
                event_id,
                user_id: user.clone(),
                anonymous_id: guest.map(str::to_owned),
                session_id: Some(first.line.session_id.to_owned()).filter(|id| !id.is_empty()),
                event: first.line.kind,
                product_ids: items.iter().map(|item| item.product_id.clone()).collect(),
                quantities: items.iter().map(|item| item.quantity).collect(),
                prices: items.iter().map(|item| item.price).collect(),
                timestamp_ms: Some(first.line.at_ms),
                source: None,
                recommendation_id: None,
                received_at_ms: first.line.at_ms,
                query: Some(first.line.query.to_owned()).filter(|query| !query.is_empty()),
                country: None,
                backfilled_at_ms: None,
                carried: None,
                tied: None,
            });
        }
        by_time(&mut self.events, start);
        self.counts.users += 1;
        self.counts.guests += u64::from(user.is_guest());
        self.counts.count(&self.events[start..]);
    }

    /// Adds the orders of unknown customers.
    fn add_baskets(&mut self, lines: &[Grouped<'_>]) {
        let mut ids = Ids::default();
        let same = |a: &Grouped<'_>, b: &Grouped<'_>| (a.1.line.kind, a.0) == (b.1.line.kind, b.0);
        for group in lines.chunk_by(same) {
            let Some((key, first)) = group.first() else { continue };
            let is_return = first.line.kind == EventKind::Return;
            let items = items(group);
            if is_return {
                self.counts.returns += items.len() as u64;
                self.counts.returns_unmatched += items.len() as u64;
            } else {
                self.counts.baskets += 1;
                self.counts.basket_lines += items.len() as u64;
            }
            self.baskets.push(Basket {
                basket_id: ids.next("", *key, &first.line),
                is_return,
                items,
                ordered_at_ms: first.line.at_ms,
            });
        }
    }
}

/// Sorts the records from `start` on by time and id. Records are large, so that each is moved
/// twice instead of with each step of the sort.
fn by_time(records: &mut Vec<EventRecord>, start: usize) {
    let is_before = |a: &EventRecord, b: &EventRecord| {
        (a.received_at_ms, &a.event_id) <= (b.received_at_ms, &b.event_id)
    };
    if records[start..].is_sorted_by(is_before) {
        return;
    }
    let mut own: Vec<Option<EventRecord>> = records.drain(start..).map(Some).collect();
    let mut order: Vec<usize> = (0..own.len()).collect();
    order.sort_by(|&a, &b| {
        let key = |at: usize| own[at].as_ref().map(|r| (r.received_at_ms, &r.event_id));
        key(a).cmp(&key(b))
    });
    records.extend(order.into_iter().filter_map(|at| own[at].take()));
}

/// The products of a group, in the order of its lines. A repeated product adds to the first
/// line's quantity.
fn items(group: &[Grouped<'_>]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::with_capacity(group.len());
    // Few lines are searched faster without an index.
    let is_indexed = group.len() > 16;
    let mut places: FxHashMap<&str, usize> = FxHashMap::default();
    for (_, SpilledLine { line, .. }) in group {
        let known = match is_indexed {
            true => places.get(line.product_id).copied(),
            false => items.iter().position(|item| item.product_id.as_str() == line.product_id),
        };
        match known {
            Some(at) => items[at].quantity = items[at].quantity.saturating_add(line.quantity),
            None => {
                // Ids were checked when their rows were read. A tie alone names no product.
                let Ok(product_id) = ProductId::new(line.product_id) else { continue };
                if is_indexed {
                    places.insert(line.product_id, items.len());
                }
                items.push(Item { product_id, quantity: line.quantity, price: line.price });
            }
        }
    }
    items
}

/// Ids of a user's orders and events.
#[derive(Default)]
struct Ids<'a> {
    /// Ids of orders. A return with the id of an order gets an id of its own.
    orders: FxHashSet<&'a str>,
    /// How often lines with the same content occurred that have no id.
    repeats: FxHashMap<u64, u32>,
    /// The content that an id follows from, while it is hashed.
    content: String,
}

impl<'a> Ids<'a> {
    /// The id of a group: the given one, or one that follows from the content, so that another
    /// export with the same rows gives the same id.
    fn next(&mut self, user_id: &str, group: Group<'a>, line: &Line<'_>) -> String {
        let kind = line.kind.as_str();
        self.content.clear();
        // Writing to a string never fails.
        let _ = match group {
            Group::Id(id) => {
                // The checkouts of a user come before the returns.
                let is_taken = match line.kind {
                    EventKind::Checkout => !self.orders.insert(id),
                    _ => self.orders.contains(id),
                };
                return if is_taken { format!("{id}:{kind}") } else { id.to_owned() };
            }
            Group::Day(day) => write!(self.content, "{user_id}\n{kind}\nday {day}"),
            Group::Time(ms) => write!(self.content, "{user_id}\n{kind}\n{ms}"),
            Group::Search(ms, query) => {
                write!(self.content, "{user_id}\n{kind}\n{ms}\n{query}")
            }
            Group::Line(_) => {
                let Line { at_ms, product_id, .. } = line;
                write!(self.content, "{user_id}\n{kind}\n{at_ms}\n{product_id}")
            }
        };
        let hash = stable_hash(self.content.as_bytes());
        let repeat = self.repeats.entry(hash).or_default();
        *repeat += 1;
        match *repeat {
            1 => format!("import-{hash:016x}"),
            n => format!("import-{hash:016x}-{n}"),
        }
    }
}

impl Assembled {
    /// Counts a user's records, which are by time.
    fn count(&mut self, records: &[EventRecord]) {
        let is_order =
            |r: &&EventRecord| matches!(r.event, EventKind::Checkout | EventKind::Return);
        let orders: Vec<&EventRecord> = records.iter().filter(is_order).collect();
        self.events += (records.len() - orders.len()) as u64;
        if orders.iter().all(|order| order.event == EventKind::Checkout) {
            self.orders += orders.len() as u64;
            self.lines += orders.iter().map(|order| order.product_ids.len() as u64).sum::<u64>();
            return;
        }
        let mut movements: Vec<Movement<&str>> = orders.iter().map(|o| movement(o)).collect();
        net_returns(&mut movements);
        for movement in &movements {
            let all = movement.items.len() as u64;
            let left = movement.items.iter().filter(|item| item.count > 0).count() as u64;
            if movement.is_return {
                self.returns += all;
                self.returns_unmatched += left;
                self.returns_netted += all - left;
            } else {
                self.orders += 1;
                self.lines += all;
                self.orders_undone += u64::from(left == 0 && all > 0);
            }
        }
    }
}

fn movement(record: &EventRecord) -> Movement<&str> {
    let items = record.product_ids.iter().zip(&record.quantities);
    let items = items.map(|(product, &count)| Pieces { product: product.as_str(), count });
    Movement { is_return: record.event == EventKind::Return, items: items.collect() }
}
