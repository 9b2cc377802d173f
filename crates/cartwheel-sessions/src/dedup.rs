//! Recognizes events that a client sends again.

use std::fmt::Write;

use arrayvec::ArrayString;
use cartwheel_events::{Event, EventKind, EventRecord, ProductId};
use cartwheel_stream::Position;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// An event id is remembered for this long, in milliseconds.
pub const DEDUP_MS: i64 = 24 * 3_600_000;

/// The id of an event, or its SHA-256 in hexadecimal if it has more than 64 bytes. It is stored
/// in place: sessions keep many ids for long, and separate allocations would lie among the
/// short-lived ones of requests.
pub(crate) type EventKey = ArrayString<64>;

/// The key of an event's id.
pub(crate) fn event_key(event_id: &str) -> EventKey {
    // A digest has 64 digits, so that it always fits.
    let digest = |_| hex::encode(Sha256::digest(event_id.as_bytes())).parse().unwrap_or_default();
    EventKey::from(event_id).unwrap_or_else(digest)
}

/// An event that was accepted recently. Most bytes of a stored session are these, so they
/// are written as lists without field names. Earlier releases wrote field names, which are
/// still read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RecentEvent {
    /// The key of the event's id, which comes from the client or the server.
    #[serde(rename = "event_id")]
    pub(crate) event_key: EventKey,
    /// Hash of the event's body.
    pub body_hash: u64,
    /// Hash of the event's body without its items: a checkout of the cart is stored with
    /// the cart's items, but is sent again without them.
    pub bare_hash: u64,
    /// The record that stores it. `None` if the event was imported.
    #[serde(rename = "record_id", deserialize_with = "record_id")]
    pub position: Option<Position>,
    /// When the server accepted it, UTC milliseconds.
    pub received_at_ms: i64,
}

impl RecentEvent {
    pub(crate) fn new(position: Option<Position>, record: &EventRecord) -> Self {
        let texts = [&record.session_id, &record.source, &record.recommendation_id];
        let bare = Content::new(record.event, texts, record.timestamp_ms);
        let items = record.product_ids.iter().zip(&record.quantities).zip(&record.prices);
        Self {
            event_key: event_key(&record.event_id),
            body_hash: bare.with(items.map(|((id, &quantity), &price)| (id, quantity, price))),
            bare_hash: bare.0,
            position,
            received_at_ms: record.received_at_ms,
        }
    }

    /// Tells whether `event` is the same event, sent again. An export has other fields than the
    /// client sends, so that an imported event is recognized by its id alone.
    pub fn repeats(&self, event: &Event) -> bool {
        let hash = event_hash(event);
        self.position.is_none()
            || hash == self.body_hash
            || (event.kind == EventKind::Checkout
                && event.items.is_empty()
                && hash == self.bare_hash)
    }
}

impl Serialize for RecentEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event_key, body_hash, bare_hash, position, received_at_ms } = self;
        let record_id = position.map(Position::record_id).unwrap_or_default();
        (event_key.as_str(), body_hash, bare_hash, record_id, received_at_ms).serialize(serializer)
    }
}

fn record_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Position>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let position = Position::parse(&text);
    position.map(Some).ok_or_else(|| serde::de::Error::custom("not the id of a record"))
}

/// Hashes the content that the client sent, without the event's id and the server's time.
pub fn event_hash(event: &Event) -> u64 {
    let texts = [&event.session_id, &event.source, &event.recommendation_id];
    let items = event.items.iter().map(|item| (&item.product_id, item.quantity, item.price));
    Content::new(event.kind, texts, event.timestamp_ms).with(items)
}

/// The FNV-1a hash of an event's content. Sessions store it, so it must never change between releases.
#[derive(Clone, Copy)]
struct Content(u64);

impl Content {
    /// The hash of an event without items.
    fn new(kind: EventKind, texts: [&Option<String>; 3], timestamp_ms: Option<i64>) -> Self {
        let mut content = Self(0xcbf2_9ce4_8422_2325);
        content.feed(Some(kind.as_str()));
        for text in texts {
            content.feed(text.as_deref());
        }
        content.feed(timestamp_ms);
        content
    }

    /// The hash of the event with items: each has an id, a quantity, and perhaps a price.
    fn with<'a>(mut self, items: impl Iterator<Item = (&'a ProductId, u32, Option<f64>)>) -> u64 {
        for (product_id, quantity, price) in items {
            self.feed(Some(product_id.as_str()));
            self.feed(Some(quantity));
            self.feed(price);
        }
        self.0
    }

    /// Adds a part of the content. A byte that UTF-8 never contains ends each, so that parts cannot run
    /// together.
    fn feed(&mut self, part: Option<impl std::fmt::Display>) {
        if let Some(part) = part {
            // A hash takes every text.
            let _ = write!(self, "{part}");
        }
        self.add(0xff);
    }

    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

impl Write for Content {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        text.bytes().for_each(|byte| self.add(byte));
        Ok(())
    }
}
