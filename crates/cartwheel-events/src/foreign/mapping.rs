//! Tables that map the events of a foreign format.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::event::{
    Event, EventKind, Invalid, Item, LATEST_MS, MAX_BATCH, MAX_ITEMS, MAX_PRICE, MAX_QUANTITY, add,
    checked_query, invalid,
};
use crate::id::{ID_EXPECTED, InvalidId, ProductId, UserId, check_id};

/// The result for one foreign event; `Ok(None)` when its name is not in the format's table.
pub type Mapped = Result<Option<Event>, Invalid>;

/// Maps the events of one format to ours.
pub(super) struct Table {
    /// The `source` of the resulting events.
    pub(super) source: &'static str,
    /// One mapping per event name.
    pub(super) mappings: &'static [Mapping],
    /// Product fields that hold the id, in order of preference.
    pub(super) product_id: &'static [&'static str],
    /// Product field that holds the number of pieces.
    pub(super) quantity: &'static str,
    /// Product field that holds the price of one piece.
    pub(super) price: &'static str,
    /// Event field that holds the client's session, if the format has one.
    pub(super) session_id: Option<&'static str>,
    /// Event field in which a site may repeat the id of the answer that led to the event.
    pub(super) recommendation_id: &'static str,
}

/// Maps one event name.
pub(super) struct Mapping {
    pub(super) name: &'static str,
    pub(super) kind: EventKind,
    pub(super) products: Products,
    /// Event fields that hold an id, in order of preference; used when the envelope has
    /// no id.
    pub(super) event_id: &'static [&'static str],
}

/// Where an event keeps its products.
pub(super) enum Products {
    /// In the list field of that name.
    List(&'static str),
    /// In the event's own fields, which describe a single product.
    Fields,
    /// Nowhere: the event is a search for the text in the field of that name.
    Query(&'static str),
}

/// The shopper of an event.
#[derive(Clone)]
pub(super) struct Shopper {
    /// The user, or the guest if the payload names no user.
    pub(super) user_id: UserId,
    /// The guest that the event ties to the user.
    pub(super) guest: Option<UserId>,
}

/// What a format's module reads from an event's envelope.
pub(super) struct Envelope<'a> {
    pub(super) shopper: Shopper,
    pub(super) event_id: Option<String>,
    pub(super) timestamp_ms: Option<i64>,
    /// The fields that the table maps.
    pub(super) fields: &'a Map<String, Value>,
    /// Path of `fields`.
    pub(super) path: String,
}

impl Table {
    pub(super) fn mapping(&self, name: &str) -> Option<&'static Mapping> {
        self.mappings.iter().find(|mapping| mapping.name == name)
    }

    pub(super) fn event(
        &self,
        mapping: &Mapping,
        envelope: Envelope<'_>,
    ) -> Result<Event, Invalid> {
        let Envelope { shopper, event_id, timestamp_ms, fields, path } = envelope;
        let items = match mapping.products {
            Products::Fields => vec![self.item(fields, &path)?],
            Products::List(list) => self.items(fields, &path, list)?,
            Products::Query(_) => Vec::new(),
        };
        let query = match mapping.products {
            Products::Query(field) => {
                let text = given(fields, field).unwrap_or(&Value::Null);
                let named = |error| Invalid { field: join(&path, field), ..error };
                Some(checked_query(text.as_str()).map_err(named)?)
            }
            Products::Fields | Products::List(_) => None,
        };
        if let (Products::List(list), true, true) =
            (&mapping.products, items.is_empty(), mapping.kind.needs_products())
        {
            let problem =
                format!("must name at least one product when the event is {}", mapping.name);
            return Err(invalid(join(&path, list), problem, "at least one product"));
        }
        let event_id = match (event_id, first(fields, mapping.event_id)) {
            (None, Some((field, value))) => Some(stable_id(value, || join(&path, field))?),
            (event_id, _) => event_id,
        };
        let id = |field: &'static str| match given(fields, field) {
            Some(value) => checked(id_of(value), || join(&path, field)).map(Some),
            None => Ok(None),
        };
        Ok(Event {
            event_id,
            user_id: shopper.user_id,
            guest: shopper.guest,
            session_id: self.session_id.map_or(Ok(None), id)?,
            kind: mapping.kind,
            items,
            query,
            country: None,
            timestamp_ms,
            source: Some(self.source.to_owned()),
            recommendation_id: id(self.recommendation_id)?,
        })
    }

    pub(super) fn items(
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

    pub(super) fn item(&self, fields: &Map<String, Value>, path: &str) -> Result<Item, Invalid> {
        let (field, value) = first(fields, self.product_id).ok_or_else(|| {
            let field = self.product_id.first().copied().unwrap_or_default();
            invalid(join(path, field), "is missing", ID_EXPECTED)
        })?;
        let product_id = checked(id_of(value).and_then(ProductId::new), || join(path, field))?;
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
                    || invalid(join(path, self.price), "is out of range", "a number from 0 to 1e9"),
                )?)
            }
        };
        Ok(Item { product_id, quantity, price })
    }
}

pub(super) fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// Returns a field's value, unless it is null or the empty string: tags and forms send
/// those for a missing value.
pub(super) fn given<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null() && value.as_str() != Some(""))
}

/// Returns the first of the named fields that has a value.
pub(super) fn first<'a>(
    fields: &'a Map<String, Value>,
    names: &[&'static str],
) -> Option<(&'static str, &'a Value)> {
    names.iter().find_map(|name| Some((*name, given(fields, name)?)))
}

/// The text of an id: a string, or an integer in decimal digits.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(n) if n.is_i64() || n.is_u64() => Some(n.to_string()),
        _ => None,
    }
}

/// The id in a value; the same values are ids as in our own events.
fn id_of(value: &Value) -> Result<String, InvalidId> {
    let text = id_text(value).ok_or(InvalidId::Type)?;
    check_id(&text)?;
    Ok(text)
}

pub(super) fn checked<T>(
    id: Result<T, crate::id::InvalidId>,
    field: impl FnOnce() -> String,
) -> Result<T, Invalid> {
    id.map_err(|error| invalid(field(), error, ID_EXPECTED))
}

pub(super) fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, Invalid> {
    value.as_object().ok_or_else(|| {
        let problem = match path {
            "" => "the payload is not a JSON object",
            _ => "is not a JSON object",
        };
        invalid(path, problem, "a JSON object")
    })
}

/// Returns the list of events in a payload.
pub(super) fn list<'a>(
    fields: &'a Map<String, Value>,
    name: &'static str,
) -> Result<&'a [Value], Invalid> {
    const LIST: &str = "a list of 1 to 500 events";
    let list = fields.get(name).ok_or_else(|| invalid(name, "is missing", LIST))?;
    let list = list.as_array().ok_or_else(|| invalid(name, "is not a list", LIST))?;
    if list.is_empty() || list.len() > MAX_BATCH {
        return Err(invalid(name, format!("has {} entries", list.len()), LIST));
    }
    Ok(list)
}

/// Reads the shopper: the user from the field `user`, the guest from the first of the fields
/// `guest` that has a value.
pub(super) fn shopper(
    fields: &Map<String, Value>,
    path: &str,
    user: &'static str,
    guest: &'static [&'static str],
) -> Result<Shopper, Invalid> {
    let read = |field, value, id: fn(String) -> Result<UserId, InvalidId>| {
        checked(id_of(value).and_then(id), || join(path, field))
    };
    let known = given(fields, user).map(|value| read(user, value, UserId::known)).transpose()?;
    let guest = first(fields, guest);
    let guest = guest.map(|(field, value)| read(field, value, UserId::guest)).transpose()?;
    match (known, guest) {
        (Some(user_id), guest) => Ok(Shopper { user_id, guest }),
        (None, Some(user_id)) => Ok(Shopper { user_id, guest: None }),
        (None, None) => {
            let problem = "is missing, and so is the id of a guest";
            Err(invalid(join(path, user), problem, ID_EXPECTED))
        }
    }
}

/// Reads a number, or text that holds a number.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Checks that a time lies between 1970 and the year 10,000.
pub(super) fn time(
    ms: Option<i64>,
    field: impl FnOnce() -> String,
    expected: &'static str,
) -> Result<i64, Invalid> {
    let valid = ms.filter(|ms| (0..LATEST_MS).contains(ms));
    valid.ok_or_else(|| invalid(field(), "is not a valid time", expected))
}

/// Reads an event's id. A value that is not a valid id here is replaced by its hash, so
/// that a repeated event keeps its id.
pub(super) fn stable_id(value: &Value, field: impl FnOnce() -> String) -> Result<String, Invalid> {
    let wrong = || invalid(field(), "is neither a string nor an integer", "a string");
    let text = id_text(value).ok_or_else(wrong)?;
    if check_id(&text).is_ok() {
        return Ok(text);
    }
    let digest = Sha256::digest(text.as_bytes());
    Ok(format!("sha256:{}", hex::encode(&digest[..16])))
}
