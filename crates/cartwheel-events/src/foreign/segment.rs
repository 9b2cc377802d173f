//! Segment events: a `track` call of the tracking API, or a batch of calls.
//!
//! ```json
//! {"type": "track", "messageId": "ajs-1", "userId": "u1", "event": "Product Added",
//!  "properties": {"product_id": "milk", "price": 1.75, "quantity": 2},
//!  "timestamp": "2023-11-14T22:13:20.000Z"}
//! ```

use serde_json::{Map, Value};

use super::mapping::{
    Envelope, Mapped, Mapping, Products, Shopper, Table, first, given, join, list, object, shopper,
    stable_id, time,
};
use crate::event::{Event, EventKind, Invalid, invalid};

const TABLE: Table = Table {
    source: "segment",
    mappings: &[
        Mapping {
            name: "Product Viewed",
            kind: EventKind::View,
            products: Products::Fields,
            event_id: &[],
        },
        Mapping {
            name: "Products Searched",
            kind: EventKind::Search,
            products: Products::Query("query"),
            event_id: &[],
        },
        Mapping {
            name: "Product Added",
            kind: EventKind::AddToCart,
            products: Products::Fields,
            event_id: &[],
        },
        Mapping {
            name: "Product Removed",
            kind: EventKind::RemoveFromCart,
            products: Products::Fields,
            event_id: &[],
        },
        Mapping {
            name: "Order Completed",
            kind: EventKind::Checkout,
            products: Products::List("products"),
            event_id: &["order_id"],
        },
    ],
    product_id: &["product_id", "sku"],
    quantity: "quantity",
    price: "price",
    session_id: None,
    recommendation_id: "recommendation_id",
};

/// The client's time. `timestamp` comes first: Segment corrects it for clock skew when it
/// forwards a call.
const TIMES: &[&str] = &["timestamp", "originalTimestamp"];

pub(super) fn read(body: &Value) -> Result<Vec<Mapped>, Invalid> {
    let body = object(body, "")?;
    if !body.contains_key("batch") {
        return Ok(vec![call(body, "")]);
    }
    let calls = list(body, "batch")?.iter().enumerate();
    let read = |(at, value): (usize, &Value)| {
        let path = format!("batch[{at}]");
        call(object(value, &path)?, &path)
    };
    Ok(calls.map(read).collect())
}

fn call(call: &Map<String, Value>, path: &str) -> Mapped {
    let text = |field: &'static str, expected| match given(call, field).map(Value::as_str) {
        Some(Some(text)) => Ok(Some(text)),
        Some(None) => Err(invalid(join(path, field), "is not a string", expected)),
        None => Ok(None),
    };
    match text("type", "a call type such as track")? {
        // A call to `/v1/track` has no type, since its address implies it.
        None | Some("track") => {}
        Some("identify") => return tie(call, path, &["anonymousId"]),
        Some("alias") => return tie(call, path, &["previousId", "anonymousId"]),
        Some(_) => return Ok(None),
    }
    const EVENT: &str = "the event's name, a string";
    let event = text("event", EVENT)?;
    let event = event.ok_or_else(|| invalid(join(path, "event"), "is missing", EVENT))?;
    let Some(mapping) = TABLE.mapping(event) else { return Ok(None) };
    let empty = Map::new();
    let properties = join(path, "properties");
    let fields = match call.get("properties") {
        None | Some(Value::Null) => &empty,
        Some(fields) => object(fields, &properties)?,
    };
    let envelope = Envelope {
        shopper: shopper(call, path, "userId", &["anonymousId"])?,
        event_id: message_id(call, path)?,
        timestamp_ms: timestamp(call, path)?,
        fields,
        path: properties,
    };
    TABLE.event(mapping, envelope).map(Some)
}

/// Reads a call that ties a guest, whose id is in the first of the fields `guest` that has a
/// value, to a user. A call without both ids ties nothing and is ignored.
fn tie(call: &Map<String, Value>, path: &str, guest: &'static [&'static str]) -> Mapped {
    if given(call, "userId").is_none() || first(call, guest).is_none() {
        return Ok(None);
    }
    let Shopper { user_id, guest } = shopper(call, path, "userId", guest)?;
    Ok(Some(Event {
        event_id: message_id(call, path)?,
        user_id,
        guest,
        session_id: None,
        kind: EventKind::Identify,
        items: Vec::new(),
        query: None,
        country: None,
        timestamp_ms: timestamp(call, path)?,
        source: Some(TABLE.source.to_owned()),
        recommendation_id: None,
    }))
}

fn message_id(call: &Map<String, Value>, path: &str) -> Result<Option<String>, Invalid> {
    let id = given(call, "messageId");
    id.map(|value| stable_id(value, || join(path, "messageId"))).transpose()
}

fn timestamp(call: &Map<String, Value>, path: &str) -> Result<Option<i64>, Invalid> {
    let Some((field, value)) = first(call, TIMES) else { return Ok(None) };
    let parsed = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let ms = parsed.map(jiff::Timestamp::as_millisecond);
    time(ms, || join(path, field), "an ISO 8601 time such as 2023-11-14T22:13:20Z").map(Some)
}
