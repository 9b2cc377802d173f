//! Events as other products send them, mapped by one table each.
//!
//! A format's module knows its envelope: where the events lie, who acted, when, and
//! under which name. Its [`Table`] says what the names mean and what the fields are
//! called. Names outside the table are ignored and fields outside it are passed over,
//! so that a site can send all that it has.

mod ga4;
mod segment;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::event::{
    Event, EventKind, ID_EXPECTED, Invalid, Item, LATEST_MS, MAX_BATCH, MAX_ITEMS, MAX_PRICE,
    MAX_QUANTITY, add, invalid,
};
use crate::id::{ProductId, UserId, check_id, json_id};

/// A product whose payloads are read unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// Google Analytics 4: a body of its Measurement Protocol.
    Ga4,
    /// Segment: a call of its tracking API, or a batch of calls.
    Segment,
}

/// What one foreign event is here: none where its name says nothing of a cart.
pub type Mapped = Result<Option<Event>, Invalid>;

impl Foreign {
    /// Reads a payload: what became of each of its events, 1 to [`MAX_BATCH`], in
    /// their order. Paths of fields begin at the payload's root.
    ///
    /// # Errors
    /// The field that makes all of it unreadable, such as a list of events that is none.
    pub fn read(self, body: &Value) -> Result<Vec<Mapped>, Invalid> {
        match self {
            Self::Ga4 => ga4::read(body),
            Self::Segment => segment::read(body),
        }
    }
}

/// How the events of a format become ours.
struct Table {
    /// What a record's `source` is.
    source: &'static str,
    /// By name of the event.
    names: &'static [Name],
    /// Fields of a product that name it; the first one that is given counts.
    product_id: &'static [&'static str],
    /// Field of a product with its pieces.
    quantity: &'static str,
    /// Field of a product with the price of one piece.
    price: &'static str,
    /// Field of the event with the client's session, if the format has one.
    session_id: Option<&'static str>,
    /// Field of the event with the answer that led to it, for a site that keeps it.
    recommendation_id: &'static str,
}

/// What one name means.
struct Name {
    name: &'static str,
    kind: EventKind,
    products: Products,
    /// Fields with an id of the event, where its envelope has none; the first one
    /// that is given counts.
    event_id: &'static [&'static str],
}

/// Where the products of an event lie.
enum Products {
    /// In a list of that name.
    List(&'static str),
    /// The event's fields are those of one product.
    Fields,
}

/// An event out of its envelope.
struct Call<'a> {
    user_id: UserId,
    event_id: Option<String>,
    timestamp_ms: Option<i64>,
    /// What was done, with what: the part that the table reads.
    fields: &'a Map<String, Value>,
    /// Path of `fields`.
    path: String,
}

impl Table {
    fn name(&self, name: &str) -> Option<&'static Name> {
        self.names.iter().find(|known| known.name == name)
    }

    fn event(&self, name: &Name, call: Call<'_>) -> Result<Event, Invalid> {
        let Call { user_id, event_id, timestamp_ms, fields, path } = call;
        let items = match name.products {
            Products::Fields => vec![self.item(fields, &path)?],
            Products::List(list) => self.items(fields, &path, list)?,
        };
        if let (Products::List(list), true, true) =
            (&name.products, items.is_empty(), name.kind.needs_products())
        {
            let problem = format!("{} names no product", name.name);
            return Err(invalid(join(&path, list), problem, "at least one product"));
        }
        let event_id = match (event_id, first(fields, name.event_id)) {
            (None, Some((field, value))) => Some(stable_id(value, || join(&path, field))?),
            (event_id, _) => event_id,
        };
        let id = |field: &'static str| match given(fields, field) {
            Some(value) => checked(json_id(value), || join(&path, field)).map(Some),
            None => Ok(None),
        };
        Ok(Event {
            event_id,
            user_id,
            session_id: self.session_id.map_or(Ok(None), id)?,
            kind: name.kind,
            items,
            timestamp_ms,
            source: Some(self.source.to_owned()),
            recommendation_id: id(self.recommendation_id)?,
        })
    }

    fn items(
        &self,
        fields: &Map<String, Value>,
        path: &str,
        name: &'static str,
    ) -> Result<Vec<Item>, Invalid> {
        let mut items = Vec::new();
        let list = match fields.get(name) {
            None | Some(Value::Null) => return Ok(items),
            Some(list) => list.as_array(),
        };
        const LIST: &str = "a list of at most 200 products";
        let list = list.ok_or_else(|| invalid(join(path, name), "is not a list", LIST))?;
        if list.len() > MAX_ITEMS {
            return Err(invalid(join(path, name), format!("has {} entries", list.len()), LIST));
        }
        for (at, product) in list.iter().enumerate() {
            let path = format!("{}[{at}]", join(path, name));
            add(&mut items, self.item(object(product, &path)?, &path)?);
        }
        Ok(items)
    }

    fn item(&self, fields: &Map<String, Value>, path: &str) -> Result<Item, Invalid> {
        let (field, value) = first(fields, self.product_id).ok_or_else(|| {
            let field = self.product_id.first().copied().unwrap_or_default();
            invalid(join(path, field), "is missing", ID_EXPECTED)
        })?;
        let product_id = checked(json_id(value).and_then(ProductId::new), || join(path, field))?;
        let quantity = match given(fields, self.quantity) {
            None => 1,
            Some(value) => number(value)
                .filter(|n| (1.0..=MAX_QUANTITY as f64).contains(n) && n.fract() == 0.0)
                .map(|n| n as u32)
                .ok_or_else(|| {
                    let field = join(path, self.quantity);
                    invalid(field, "is out of range", "a whole number from 1 to 100000")
                })?,
        };
        let price = match given(fields, self.price) {
            None => None,
            Some(value) => {
                Some(number(value).filter(|price| (0.0..=MAX_PRICE).contains(price)).ok_or_else(
                    || invalid(join(path, self.price), "is out of range", "a number, 0 to 1e9"),
                )?)
            }
        };
        Ok(Item { product_id, quantity, price })
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// A field's value. Tags and forms send null and the empty string for what they lack.
fn given<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null() && value.as_str() != Some(""))
}

/// The first of the fields that is given.
fn first<'a>(
    fields: &'a Map<String, Value>,
    names: &[&'static str],
) -> Option<(&'static str, &'a Value)> {
    names.iter().find_map(|name| Some((*name, given(fields, name)?)))
}

fn checked<T>(
    id: Result<T, crate::id::InvalidId>,
    field: impl FnOnce() -> String,
) -> Result<T, Invalid> {
    id.map_err(|error| invalid(field(), error, ID_EXPECTED))
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, Invalid> {
    value.as_object().ok_or_else(|| invalid(path, "is not an object", "a JSON object"))
}

/// The events of a payload, in a list.
fn calls<'a>(fields: &'a Map<String, Value>, name: &'static str) -> Result<&'a [Value], Invalid> {
    const LIST: &str = "a list of 1 to 500 events";
    let list = fields.get(name).ok_or_else(|| invalid(name, "is missing", LIST))?;
    let list = list.as_array().ok_or_else(|| invalid(name, "is not a list", LIST))?;
    if list.is_empty() || list.len() > MAX_BATCH {
        return Err(invalid(name, format!("has {} entries", list.len()), LIST));
    }
    Ok(list)
}

/// Who acted: the first of the fields that is given.
fn user(
    fields: &Map<String, Value>,
    path: &str,
    names: &'static [&'static str],
) -> Result<UserId, Invalid> {
    match first(fields, names) {
        Some((field, value)) => checked(json_id(value).and_then(UserId::new), || join(path, field)),
        None => {
            let problem = format!("is missing, as are the others of {}", names.join(", "));
            let field = names.first().copied().unwrap_or_default();
            Err(invalid(join(path, field), problem, ID_EXPECTED))
        }
    }
}

/// A number, which may be written as text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A time within the years of a clock.
fn time(
    ms: Option<i64>,
    field: impl FnOnce() -> String,
    expected: &'static str,
) -> Result<i64, Invalid> {
    let known = ms.filter(|ms| (0..LATEST_MS).contains(ms));
    known.ok_or_else(|| invalid(field(), "is not a time", expected))
}

/// The id of an event. What does not fit our ids becomes its hash, which is the same
/// each time that it is sent.
fn stable_id(value: &Value, field: impl FnOnce() -> String) -> Result<String, Invalid> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(n) if n.is_i64() || n.is_u64() => n.to_string(),
        _ => return Err(invalid(field(), "is neither a string nor an integer", "a string")),
    };
    if check_id(&text).is_ok() {
        return Ok(text);
    }
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256:{hex}"))
}
