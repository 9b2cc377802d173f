//! What a shopper does now: a bounded fold over their records in the stream.

use std::collections::VecDeque;

use arrayvec::ArrayString;
use cartwheel_events::{Event, EventKind, EventRecord, Item, MAX_ID, ProductId};
use cartwheel_stream::{Position, Sequence};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most products of a cart.
pub const MAX_CART: usize = 200;
/// Views kept, newest last.
pub const MAX_VIEWS: usize = 50;
/// Event ids kept for dedup, newest last.
pub const MAX_RECENT: usize = 64;
/// Checkouts kept, newest last.
pub const MAX_CHECKOUTS: usize = 64;
/// A session without events for this long is over, in milliseconds.
pub const SESSION_MS: i64 = 7 * 24 * 3_600_000;
/// An event id is remembered for this long, in milliseconds.
pub const DEDUP_MS: i64 = 24 * 3_600_000;

/// A product in the cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartItem {
    /// The product.
    pub product_id: ProductId,
    /// How many pieces, at least 1.
    pub quantity: u32,
}

/// The id of an event, in place: a session keeps many of them for long, among what
/// requests allocate for a moment.
pub type EventId = ArrayString<MAX_ID>;

/// An event id seen, for dedup. Most of a session's bytes are these: they are stored as
/// lists without names, and read with names too, as earlier releases wrote them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RecentEvent {
    /// The client's or the server's id of the event.
    pub event_id: EventId,
    /// Hash of the event's body.
    pub body_hash: u64,
    /// Hash of the event's body without its items: a checkout of the cart is
    /// stored with the cart's items, but is repeated without.
    pub bare_hash: u64,
    /// The record that stores it.
    #[serde(rename = "record_id", deserialize_with = "record_id")]
    pub position: Position,
    /// When the server accepted it, UTC milliseconds.
    pub received_at_ms: i64,
}

/// A purchase of this session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCheckout {
    /// The event, which becomes the order's id.
    pub event_id: String,
    /// When the server accepted it, UTC milliseconds.
    pub received_at_ms: i64,
    /// The products, in order of adding.
    pub items: Vec<ProductId>,
}

/// One shopper's last seven days.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Session {
    /// The cart, in order of adding.
    pub cart: Vec<CartItem>,
    /// Products viewed and when (UTC milliseconds), newest last.
    pub views: VecDeque<(ProductId, i64)>,
    /// Event ids seen, newest last.
    pub recent_events: VecDeque<RecentEvent>,
    /// Checkouts of the last seven days, newest last.
    pub checkouts: Vec<SessionCheckout>,
    /// Events applied.
    pub events: u64,
    /// Products put into the cart.
    pub adds: u64,
    /// Checkouts applied, kept or not.
    pub checkout_count: u64,
    /// Sequence number of the first record that is not applied.
    pub next_sequence: Sequence,
    /// When the newest event was accepted, UTC milliseconds.
    pub updated_ms: i64,
}

impl Session {
    /// Applies the record at `position`, unless it is applied already: a replay
    /// changes nothing. Says whether it was applied. A user's records must come
    /// in their order.
    pub fn apply(&mut self, position: Position, record: &EventRecord) -> bool {
        if position.sequence < self.next_sequence {
            return false;
        }
        let now = record.received_at_ms;
        if self.is_expired(now) {
            *self = Self::default();
        }
        self.next_sequence = position.sequence.next();
        self.updated_ms = self.updated_ms.max(now);
        self.events += 1;
        match record.event {
            EventKind::View => {
                for product in &record.product_ids {
                    push_bounded(&mut self.views, (product.clone(), now), MAX_VIEWS);
                }
            }
            EventKind::AddToCart => self.add(record),
            EventKind::RemoveFromCart => self.remove(&record.product_ids),
            EventKind::UpdateCart => {
                self.cart.clear();
                self.add(record);
            }
            EventKind::Checkout => self.check_out(record),
            EventKind::GetRecommendations => {}
        }
        let recent = RecentEvent {
            event_id: in_place(&record.event_id),
            body_hash: record_hash(record),
            bare_hash: bare_hash(record),
            position,
            received_at_ms: now,
        };
        push_bounded(&mut self.recent_events, recent, MAX_RECENT);
        true
    }

    /// Whether the session was over at `now_ms`.
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.events > 0 && now_ms.saturating_sub(self.updated_ms) > SESSION_MS
    }

    /// What stays of a session that is erased, until every record before `before` is
    /// applied: it hides those from a replay.
    pub(crate) fn erased(before: Sequence) -> Self {
        Self { next_sequence: before, ..Self::default() }
    }

    /// Whether the session may go: over at `now_ms`, or erased, and every record before
    /// `applied` is applied.
    pub(crate) fn is_over(&self, now_ms: i64, applied: Sequence) -> bool {
        match self.events {
            0 => self.next_sequence <= applied,
            _ => self.is_expired(now_ms),
        }
    }

    /// The event of that id, if it is within the dedup window.
    pub fn recent(&self, event_id: &str, now_ms: i64) -> Option<&RecentEvent> {
        self.recent_events.iter().rev().find(|recent| {
            *recent.event_id == *event_id
                && now_ms.saturating_sub(recent.received_at_ms) <= DEDUP_MS
        })
    }

    /// The cart's products, in order of adding.
    pub fn cart_products(&self) -> Vec<ProductId> {
        self.cart.iter().map(|item| item.product_id.clone()).collect()
    }

    fn add(&mut self, record: &EventRecord) {
        for (product_id, &quantity) in record.product_ids.iter().zip(&record.quantities) {
            self.adds += 1;
            let room = self.cart.len() < MAX_CART;
            match self.cart.iter_mut().find(|item| item.product_id == *product_id) {
                Some(item) => item.quantity = item.quantity.saturating_add(quantity),
                None if room => {
                    self.cart.push(CartItem { product_id: product_id.clone(), quantity });
                }
                None => {}
            }
        }
    }

    fn remove(&mut self, products: &[ProductId]) {
        self.cart.retain(|item| !products.contains(&item.product_id));
    }

    fn check_out(&mut self, record: &EventRecord) {
        self.checkout_count += 1;
        self.remove(&record.product_ids);
        let oldest = record.received_at_ms.saturating_sub(SESSION_MS);
        self.checkouts.retain(|checkout| checkout.received_at_ms >= oldest);
        if self.checkouts.len() >= MAX_CHECKOUTS {
            self.checkouts.remove(0);
        }
        self.checkouts.push(SessionCheckout {
            event_id: record.event_id.clone(),
            received_at_ms: record.received_at_ms,
            items: record.product_ids.clone(),
        });
    }
}

impl RecentEvent {
    /// Whether `event` is this event sent again.
    pub fn repeats(&self, event: &Event) -> bool {
        let hash = event_hash(event);
        hash == self.body_hash
            || (event.kind == EventKind::Checkout
                && event.items.is_empty()
                && hash == self.bare_hash)
    }
}

impl Serialize for RecentEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event_id, body_hash, bare_hash, position, received_at_ms } = self;
        (event_id.as_str(), body_hash, bare_hash, position.record_id(), received_at_ms)
            .serialize(serializer)
    }
}

/// Ids are checked wherever they enter: none is longer.
fn in_place(event_id: &str) -> EventId {
    EventId::from(event_id).unwrap_or_default()
}

fn record_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
    let text = String::deserialize(deserializer)?;
    Position::parse(&text).ok_or_else(|| serde::de::Error::custom("not the id of a record"))
}

fn push_bounded<T>(queue: &mut VecDeque<T>, value: T, limit: usize) {
    if queue.len() >= limit {
        queue.pop_front();
    }
    queue.push_back(value);
}

/// Hash of what the client sent, the event's id and the server's time aside.
pub fn event_hash(event: &Event) -> u64 {
    hash(
        event.kind,
        [&event.session_id, &event.source, &event.recommendation_id],
        event.timestamp_ms,
        event.items.iter().cloned(),
    )
}

fn record_hash(record: &EventRecord) -> u64 {
    hash(record.event, texts(record), record.timestamp_ms, record.items())
}

fn bare_hash(record: &EventRecord) -> u64 {
    hash(record.event, texts(record), record.timestamp_ms, std::iter::empty())
}

fn texts(record: &EventRecord) -> [&Option<String>; 3] {
    [&record.session_id, &record.source, &record.recommendation_id]
}

// FNV-1a: stored with the session, so it must never change between builds.
fn hash(
    kind: EventKind,
    texts: [&Option<String>; 3],
    timestamp_ms: Option<i64>,
    items: impl Iterator<Item = Item>,
) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let mut feed = |bytes: &[u8]| {
        // A byte outside UTF-8 ends each part, so that parts cannot run together.
        for &byte in bytes.iter().chain(&[0xff]) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    feed(kind.as_str().as_bytes());
    for text in texts {
        feed(text.as_deref().unwrap_or_default().as_bytes());
    }
    feed(timestamp_ms.map(|ms| ms.to_string()).unwrap_or_default().as_bytes());
    for item in items {
        feed(item.product_id.as_str().as_bytes());
        feed(item.quantity.to_string().as_bytes());
        feed(item.price.map(|price| price.to_string()).unwrap_or_default().as_bytes());
    }
    state
}
