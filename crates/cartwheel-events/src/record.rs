//! Records: the flat JSON stored in the stream and in the lake.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::country::Country;
use crate::event::{Event, EventKind, Item};
use crate::id::{ProductId, UserId, check_id};
use crate::tie::{Carried, Tied};

/// Version of the record's schema. New versions only add fields.
pub const SCHEMA_VERSION: u32 = 1;

/// A stored record: an event, the impression returned for one, or a change of a product.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Record {
    /// A shopper's action.
    Event(EventRecord),
    /// The products that an answer showed.
    Impression(Impression),
    /// A change of a product.
    Product(ProductRecord),
}

/// An accepted event, with every column of the lake's `events` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Version of the record's schema.
    pub schema_version: u32,
    /// The event's id; together with `user_id` the deduplication key.
    pub event_id: String,
    /// The shopper; the partition key.
    pub user_id: UserId,
    /// The anonymous id of the guest that the event ties to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous_id: Option<String>,
    /// The client's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The kind of action.
    pub event: EventKind,
    /// Products in the client's order, without repeats.
    pub product_ids: Vec<ProductId>,
    /// Number of pieces, parallel to `product_ids`.
    pub quantities: Vec<u32>,
    /// Price of one piece in the shop's currency, parallel to `product_ids`.
    pub prices: Vec<Option<f64>>,
    /// The text of a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The shopper's country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// The client's clock, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<i64>,
    /// Origin of the event, as the client names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Id of the answer that led to this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation_id: Option<String>,
    /// The server's clock when the event was accepted, or the time of a backfilled event, UTC
    /// milliseconds. Records are ordered by it, then by `event_id`.
    pub received_at_ms: i64,
    /// The server's clock when it accepted an event that is backfilled with its own time, UTC
    /// milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfilled_at_ms: Option<i64>,
    /// What goes over to the user from the session of the guest `anonymous_id`, before the event.
    /// The lake has it as the guest's own events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<Box<Carried>>,
    /// The user to whom a guest is tied from this record of the guest on. The lake has it as the
    /// user's event with that `anonymous_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tied: Option<Box<Tied>>,
}

/// The products that one answer showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Impression {
    /// Version of the record's schema.
    pub schema_version: u32,
    /// The answer's id.
    pub recommendation_id: String,
    /// The shopper who saw them; the partition key.
    pub user_id: UserId,
    /// The release that ranked them: versions of feature set and model.
    pub release: String,
    /// Products in the cart at that time.
    pub cart: Vec<ProductId>,
    /// The products shown, best first.
    pub shown: Vec<ImpressionItem>,
    /// The server's clock, UTC milliseconds.
    pub received_at_ms: i64,
    /// The placement that showed them, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
    /// The page of the shop, as the request names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The request and the moment, as JSON text of `cartwheel_api::Moment`: all that is needed to
    /// make the answer again. Absent if the host cannot do that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moment: Option<String>,
}

/// One product of an impression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImpressionItem {
    /// The product shown.
    pub product_id: ProductId,
    /// Its position in the list, from 0.
    pub position: u32,
    /// Its predicted probability, 0 to 1.
    pub score: f32,
    /// The candidate source that proposed it.
    pub source: String,
    /// The rule that moved it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The probability with which exploration put it at its position, given the positions and lists
    /// before. 1 without it: nothing else could stand there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
}

/// A change of a product: its whole state afterwards. Applying the records of a product in
/// their order leads to its state, whichever of them was applied before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductRecord {
    /// Version of the record's schema.
    pub schema_version: u32,
    /// The product; the partition key.
    pub product_id: ProductId,
    /// The product's JSON, as `cartwheel-catalogue` writes it. Null after its deletion.
    #[serde(deserialize_with = "present")]
    pub product: Option<Value>,
    /// The server's clock when the change was accepted, UTC milliseconds.
    pub received_at_ms: i64,
}

/// Reads a field that may be null but not absent.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Option::deserialize(deserializer)
}

/// Why bytes are not a valid record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The bytes are not JSON, or not of a record's schema.
    #[error("not a record: {0}")]
    Json(#[from] serde_json::Error),
    /// The parallel lists differ in length, or an id is invalid.
    #[error("not a record: {0}")]
    Shape(&'static str),
}

impl Record {
    /// Reads a stored record.
    ///
    /// # Errors
    /// When the bytes are not a valid record.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, RecordError> {
        // An impression may be long, and is not to be read as an event first.
        if Self::looks_like_impression(bytes)
            && let Ok(impression) = serde_json::from_slice(bytes)
        {
            return Ok(Self::Impression(impression));
        }
        // Most records are events. Trying that type first is cheaper than an untagged
        // deserializer, which copies the input.
        let record = match serde_json::from_slice::<EventRecord>(bytes) {
            Ok(event) => Self::Event(event),
            Err(error) if !error.is_data() => return Err(error.into()),
            Err(error) => match serde_json::from_slice::<Impression>(bytes) {
                Ok(impression) => Self::Impression(impression),
                Err(_) => match serde_json::from_slice::<ProductRecord>(bytes) {
                    Ok(change) => Self::Product(change),
                    Err(_) => return Err(error.into()),
                },
            },
        };
        if let Self::Event(event) = &record {
            let n = event.product_ids.len();
            if event.quantities.len() != n || event.prices.len() != n {
                return Err(RecordError::Shape("its lists differ in length"));
            }
            if check_id(&event.event_id).is_err() {
                return Err(RecordError::Shape("its event_id is not a valid id"));
            }
        }
        Ok(record)
    }

    /// Whether a stored record begins as impressions do, and no other record does.
    pub fn looks_like_impression(bytes: &[u8]) -> bool {
        let second = bytes.split(|&byte| byte == b',').nth(1);
        second.is_some_and(|field| field.starts_with(b"\"recommendation_id\""))
    }

    /// Encodes the record as one line of JSON.
    pub fn to_vec(&self) -> Vec<u8> {
        // Most records fit, so that their bytes are not moved while they are written.
        let mut bytes = Vec::with_capacity(384);
        // Serialising these structs cannot fail: map keys are strings, and a non-finite
        // float becomes null.
        let _ = serde_json::to_writer(&mut bytes, self);
        bytes
    }

    /// Returns the partition key: records with the same key keep their order. The key of a
    /// product differs from that of every user, because an id has no control characters.
    pub fn partition_key(&self) -> Cow<'_, str> {
        match self {
            Self::Event(event) => event.user_id.as_str().into(),
            Self::Impression(impression) => impression.user_id.as_str().into(),
            Self::Product(change) => format!("product\u{1f}{}", change.product_id).into(),
        }
    }

    /// Returns the shopper to whom the record belongs, if any.
    pub fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::Event(event) => Some(&event.user_id),
            Self::Impression(impression) => Some(&impression.user_id),
            Self::Product(_) => None,
        }
    }
}

impl EventRecord {
    /// Stamps an event with its id and the server's time in UTC milliseconds.
    pub fn new(event: Event, event_id: String, received_at_ms: i64) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            event_id,
            anonymous_id: event.guest.as_ref().and_then(UserId::anonymous_id).map(str::to_owned),
            user_id: event.user_id,
            session_id: event.session_id,
            event: event.kind,
            product_ids: event.items.iter().map(|i| i.product_id.clone()).collect(),
            quantities: event.items.iter().map(|i| i.quantity).collect(),
            prices: event.items.iter().map(|i| i.price).collect(),
            query: event.query,
            country: event.country,
            timestamp_ms: event.timestamp_ms,
            source: event.source,
            recommendation_id: event.recommendation_id,
            received_at_ms,
            backfilled_at_ms: None,
            carried: None,
            tied: None,
        }
    }

    /// The guest's side of the tie that an event with both ids makes.
    pub fn tie(event: &Self, guest: UserId, until: String) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            event_id: event.event_id.clone(),
            user_id: guest,
            anonymous_id: None,
            session_id: event.session_id.clone(),
            event: EventKind::Identify,
            product_ids: Vec::new(),
            quantities: Vec::new(),
            prices: Vec::new(),
            query: None,
            country: event.country,
            timestamp_ms: event.timestamp_ms,
            source: event.source.clone(),
            recommendation_id: None,
            received_at_ms: event.received_at_ms,
            backfilled_at_ms: None,
            carried: None,
            tied: Some(Box::new(Tied { user_id: event.user_id.clone(), until })),
        }
    }

    /// The guest whom the event ties to its user.
    pub fn guest(&self) -> Option<UserId> {
        UserId::guest(self.anonymous_id.as_deref()?).ok()
    }

    /// Stamps an event that happened at `at_ms` and is backfilled at `now_ms`, both in UTC
    /// milliseconds.
    pub fn backfilled(event: Event, event_id: String, at_ms: i64, now_ms: i64) -> Self {
        Self { backfilled_at_ms: Some(now_ms), ..Self::new(event, event_id, at_ms) }
    }

    /// Returns the items of the event.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        self.product_ids.iter().zip(&self.quantities).zip(&self.prices).map(
            |((product_id, &quantity), &price)| Item {
                product_id: product_id.clone(),
                quantity,
                price,
            },
        )
    }
}
