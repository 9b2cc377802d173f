//! Recognizes events that a client sends again.

use arrayvec::ArrayString;
use cartwheel_events::{Event, EventKind, EventRecord, Item};
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
        let no_items = std::iter::empty();
        Self {
            event_key: event_key(&record.event_id),
            body_hash: hash(record.event, texts, record.timestamp_ms, record.items()),
            bare_hash: hash(record.event, texts, record.timestamp_ms, no_items),
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
    hash(
        event.kind,
        [&event.session_id, &event.source, &event.recommendation_id],
        event.timestamp_ms,
        event.items.iter().cloned(),
    )
}

// FNV-1a. Sessions store the hash, so it must never change between releases.
fn hash(
    kind: EventKind,
    texts: [&Option<String>; 3],
    timestamp_ms: Option<i64>,
    items: impl Iterator<Item = Item>,
) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let mut feed = |bytes: &[u8]| {
        // A byte that UTF-8 never contains ends each part, so that parts cannot run together.
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
