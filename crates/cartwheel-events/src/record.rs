//! Records: the flat JSON that the stream carries and the lake keeps.

use serde::{Deserialize, Serialize};

use crate::event::{Event, EventKind, Item, valid_optional_id};
use crate::id::{ProductId, UserId};

/// Version of the record's shape. Fields are only ever added.
pub const SCHEMA_VERSION: u32 = 1;

/// A stored record: an event, or the impression that answered one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Record {
    /// A shopper's action.
    Event(EventRecord),
    /// What was shown to a shopper.
    Impression(Impression),
}

/// An accepted event: every column of the lake's `events` table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Shape of this record.
    pub schema_version: u32,
    /// Dedup key together with `user_id`.
    pub event_id: String,
    /// Who acted; the partition key.
    pub user_id: UserId,
    /// The client's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// What was done.
    pub event: EventKind,
    /// Products in order, each once.
    pub product_ids: Vec<ProductId>,
    /// Pieces, parallel to `product_ids`.
    pub quantities: Vec<u32>,
    /// Price of one piece, parallel to `product_ids`.
    pub prices: Vec<Option<f64>>,
    /// The client's clock, UTC milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<i64>,
    /// Where the event comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The answer that led here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation_id: Option<String>,
    /// The server's clock when it accepted the event, UTC milliseconds.
    pub received_at_ms: i64,
}

/// What one answer showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Impression {
    /// Shape of this record.
    pub schema_version: u32,
    /// The answer's id.
    pub recommendation_id: String,
    /// To whom it was shown; the partition key.
    pub user_id: UserId,
    /// The release that ranked it: feature set and model versions.
    pub release: String,
    /// Products in the cart at that moment.
    pub cart: Vec<ProductId>,
    /// What was shown, best first.
    pub shown: Vec<ImpressionItem>,
    /// The server's clock, UTC milliseconds.
    pub received_at_ms: i64,
}

/// One place of an impression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImpressionItem {
    /// The product shown.
    pub product_id: ProductId,
    /// Its place, from 0.
    pub position: u32,
    /// Its probability.
    pub score: f32,
    /// Which source made it a candidate.
    pub source: String,
}

/// Why bytes are not a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not JSON of a record's shape.
    #[error("not a record: {0}")]
    Json(#[from] serde_json::Error),
    /// Parallel lists differ in length, or an id is not one.
    #[error("not a record: {0}")]
    Shape(&'static str),
}

impl Record {
    /// Reads a stored record.
    ///
    /// # Errors
    /// When the bytes are not JSON of a record's shape.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, RecordError> {
        // Most are events, and a deserializer that looks for either keeps a copy first.
        let record = match serde_json::from_slice::<EventRecord>(bytes) {
            Ok(event) => Self::Event(event),
            Err(error) if !error.is_data() => return Err(error.into()),
            Err(error) => match serde_json::from_slice::<Impression>(bytes) {
                Ok(impression) => Self::Impression(impression),
                Err(_) => return Err(error.into()),
            },
        };
        if let Self::Event(event) = &record {
            let n = event.product_ids.len();
            if event.quantities.len() != n || event.prices.len() != n {
                return Err(RecordError::Shape("lists of different lengths"));
            }
            if !valid_optional_id(&Some(event.event_id.clone())) {
                return Err(RecordError::Shape("event_id is not an id"));
            }
        }
        Ok(record)
    }

    /// The record as one line of JSON.
    pub fn to_vec(&self) -> Vec<u8> {
        // Serialising plain structs of strings and numbers cannot fail: maps have
        // string keys, and a non-finite float becomes null.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The partition key.
    pub fn user_id(&self) -> &UserId {
        match self {
            Self::Event(event) => &event.user_id,
            Self::Impression(impression) => &impression.user_id,
        }
    }
}

impl EventRecord {
    /// Stamps an event with the server's id and time.
    pub fn new(event: Event, event_id: String, received_at_ms: i64) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            event_id,
            user_id: event.user_id,
            session_id: event.session_id,
            event: event.kind,
            product_ids: event.items.iter().map(|i| i.product_id.clone()).collect(),
            quantities: event.items.iter().map(|i| i.quantity).collect(),
            prices: event.items.iter().map(|i| i.price).collect(),
            timestamp_ms: event.timestamp_ms,
            source: event.source,
            recommendation_id: event.recommendation_id,
            received_at_ms,
        }
    }

    /// The items of the event.
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
