//! Google Analytics 4 events, in the body of a Measurement Protocol request:
//!
//! ```json
//! {"client_id": "1234567890.1700000000", "user_id": "u1", "timestamp_micros": 1700000000000000,
//!  "events": [{"name": "add_to_cart", "params": {"currency": "EUR", "value": 3.5,
//!    "items": [{"item_id": "milk", "price": 1.75, "quantity": 2}]}}]}
//! ```

use serde_json::{Map, Value};

use super::mapping::{
    Envelope, Mapped, Mapping, Products, Table, given, list, object, shopper, time,
};
use crate::event::{EventKind, Invalid, invalid};

const TABLE: Table = Table {
    source: "ga4",
    mappings: &[
        Mapping {
            name: "view_item",
            kind: EventKind::View,
            products: Products::List("items"),
            event_id: &["event_id"],
        },
        Mapping {
            name: "view_search_results",
            kind: EventKind::Search,
            products: Products::Query("search_term"),
            event_id: &["event_id"],
        },
        Mapping {
            name: "add_to_cart",
            kind: EventKind::AddToCart,
            products: Products::List("items"),
            event_id: &["event_id"],
        },
        Mapping {
            name: "remove_from_cart",
            kind: EventKind::RemoveFromCart,
            products: Products::List("items"),
            event_id: &["event_id"],
        },
        Mapping {
            name: "purchase",
            kind: EventKind::Checkout,
            products: Products::List("items"),
            event_id: &["event_id", "transaction_id"],
        },
    ],
    product_id: &["item_id"],
    quantity: "quantity",
    price: "price",
    session_id: Some("session_id"),
    recommendation_id: "recommendation_id",
};

/// Fields of the guest's id. Apps send an `app_instance_id` where sites send a `client_id`.
const GUEST: &[&str] = &["client_id", "app_instance_id"];

pub(super) fn read(body: &Value) -> Result<Vec<Mapped>, Invalid> {
    let body = object(body, "")?;
    let shopper = shopper(body, "", "user_id", GUEST)?;
    let sent_ms = timestamp(body, || TIME.to_owned())?;
    let event = |at: usize, event: &Value| {
        let path = format!("events[{at}]");
        let event = object(event, &path)?;
        let name = event.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| {
            invalid(format!("{path}.name"), "is not an event name", "the event's name, a string")
        })?;
        let Some(mapping) = TABLE.mapping(name) else { return Ok(None) };
        let empty = Map::new();
        let params = format!("{path}.params");
        let fields = match event.get("params") {
            None | Some(Value::Null) => &empty,
            Some(fields) => object(fields, &params)?,
        };
        let own_ms = timestamp(event, || format!("{path}.{TIME}"))?;
        let envelope = Envelope {
            shopper: shopper.clone(),
            event_id: None,
            timestamp_ms: own_ms.or(sent_ms),
            fields,
            path: params,
        };
        TABLE.event(mapping, envelope).map(Some)
    };
    Ok(list(body, "events")?.iter().enumerate().map(|(at, value)| event(at, value)).collect())
}

const TIME: &str = "timestamp_micros";

fn timestamp(
    fields: &Map<String, Value>,
    path: impl FnOnce() -> String,
) -> Result<Option<i64>, Invalid> {
    let Some(value) = given(fields, TIME) else { return Ok(None) };
    let micros = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    time(micros.map(|micros| micros.div_euclid(1000)), path, "UTC microseconds since 1970")
        .map(Some)
}
