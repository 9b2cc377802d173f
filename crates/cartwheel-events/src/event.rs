//! Events as clients send them, and their validation.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json_borrow::{ObjectAsVec as Fields, Value};

use crate::country::{COUNTRY_EXPECTED, Country};
use crate::id::{ID_EXPECTED, InvalidId, ProductId, UserId, json_id};

/// Maximum number of items in an event.
pub const MAX_ITEMS: usize = 200;
/// Maximum number of events in a batch, which is the limit of Kinesis `PutRecords`.
pub const MAX_BATCH: usize = 500;
/// Longest text of a search, in characters.
pub const MAX_QUERY: usize = 200;
const QUERY_EXPECTED: &str = "1 to 200 characters";
pub(crate) const MAX_QUANTITY: u64 = 100_000;
pub(crate) const MAX_PRICE: f64 = 1e9;
/// The start of the year 10,000, UTC milliseconds. Later times are rejected as invalid.
pub(crate) const LATEST_MS: i64 = 253_402_300_800_000;

/// The kind of a shopper's action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Viewed products.
    View,
    /// Searched the shop for a text.
    Search,
    /// Added products to the cart.
    AddToCart,
    /// Removed products from the cart.
    RemoveFromCart,
    /// Replaced the cart's content with the given items.
    UpdateCart,
    /// Bought the given items, or the session's cart if there are no items.
    Checkout,
    /// Gave back bought items: undoes purchases of the same shopper and product, at most their
    /// quantity.
    Return,
    /// Ties a guest to a user, as every event with both ids does.
    Identify,
    /// Requested recommendations; changes nothing.
    GetRecommendations,
    /// Saw products of the answer `recommendation_id`, because the page showed them on the screen.
    Impression,
}

impl EventKind {
    /// Every kind, in the order in which the documentation lists them.
    pub const ALL: [Self; 10] = [
        Self::View,
        Self::Search,
        Self::AddToCart,
        Self::RemoveFromCart,
        Self::UpdateCart,
        Self::Checkout,
        Self::Return,
        Self::Identify,
        Self::GetRecommendations,
        Self::Impression,
    ];

    /// Returns the kind's name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Search => "search",
            Self::AddToCart => "add_to_cart",
            Self::RemoveFromCart => "remove_from_cart",
            Self::UpdateCart => "update_cart",
            Self::Checkout => "checkout",
            Self::Return => "return",
            Self::Identify => "identify",
            Self::GetRecommendations => "get_recommendations",
            Self::Impression => "impression",
        }
    }

    /// Returns the kind with the given name in JSON.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether an event of this kind must name a product.
    pub(crate) fn needs_products(self) -> bool {
        matches!(
            self,
            Self::View | Self::AddToCart | Self::RemoveFromCart | Self::Return | Self::Impression
        )
    }

    /// Whether an event of this kind is an action of the shopper, and not a report of the page.
    pub fn is_action(self) -> bool {
        self != Self::Impression
    }
}

/// A product of an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// The product's id.
    pub product_id: ProductId,
    /// Number of pieces; 1 if the client sends no quantity.
    pub quantity: u32,
    /// Price of one piece in the shop's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
}

/// A validated event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The client's id for this event; together with `user_id` the deduplication key.
    /// `None` until the server assigns an id.
    pub event_id: Option<String>,
    /// The shopper: the user, or the guest if the client sent no `user_id`.
    pub user_id: UserId,
    /// The guest that the event ties to the user, if the client sent both ids.
    pub guest: Option<UserId>,
    /// The client's session; stored for analysis only.
    pub session_id: Option<String>,
    /// The kind of action.
    pub kind: EventKind,
    /// The products, in the client's order, without repeats.
    pub items: Vec<Item>,
    /// The text of a search.
    pub query: Option<String>,
    /// The shopper's country, if the client knows it.
    pub country: Option<Country>,
    /// The client's clock, UTC milliseconds; never used to order records.
    pub timestamp_ms: Option<i64>,
    /// Origin of the event, as the client names it.
    pub source: Option<String>,
    /// Id of the answer that led to this event.
    pub recommendation_id: Option<String>,
}

/// A field of an event is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}; expected {expected}", sentence(.field, .problem))]
pub struct Invalid {
    /// The path of the invalid field, such as `items[2].quantity`; empty for the whole event.
    pub field: String,
    /// What is wrong with the field: a predicate such as `is missing`, or a sentence if
    /// `field` is empty.
    pub problem: String,
    /// The values that are accepted.
    pub expected: &'static str,
}

const FIELDS: &str = "event_id, user_id, anonymous_id, session_id, event, product_ids, items, query, country, \
                      timestamp, source, recommendation_id";
static FIELD_NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| FIELDS.split(", ").collect());

fn sentence(field: &str, problem: &str) -> String {
    if field.is_empty() { problem.to_owned() } else { format!("{field} {problem}") }
}

pub(crate) fn invalid(
    field: impl Into<String>,
    problem: impl ToString,
    expected: &'static str,
) -> Invalid {
    Invalid { field: field.into(), problem: problem.to_string(), expected }
}

impl Event {
    /// Reads one event from a JSON value, as [`Event::from_borrowed`] does.
    ///
    /// # Errors
    /// The first field that is missing, unknown or out of bounds.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, Invalid> {
        // Through text: a conversion would be a second way in which numbers are read.
        let text = value.to_string();
        Self::from_borrowed(&serde_json::from_str(&text).unwrap_or_default())
    }

    /// Reads one event from JSON whose texts still lie in the body: they are copied once, into the
    /// event. Of a field that is given several times, the last value counts.
    ///
    /// # Errors
    /// The first field that is missing, unknown or out of bounds.
    pub fn from_borrowed(value: &Value<'_>) -> Result<Self, Invalid> {
        let Value::Object(fields) = value else {
            return Err(invalid("", "the event is not a JSON object", "a JSON object"));
        };
        if let Some(unknown) = fields.keys().find(|key| !FIELD_NAMES.contains(key)) {
            let name: String = unknown.chars().take(64).collect();
            return Err(invalid(name, "is not a field of an event", FIELDS));
        }
        let (user_id, guest) = shopper(fields)?;
        let kind = get(fields, "event")
            .ok_or_else(|| invalid("event", "is missing", KINDS))?
            .as_str()
            .and_then(EventKind::parse)
            .ok_or_else(|| invalid("event", "is not a known kind of event", KINDS))?;
        if kind == EventKind::Identify && guest.is_none() {
            let (field, other) = match user_id.is_guest() {
                true => ("user_id", "anonymous_id"),
                false => ("anonymous_id", "user_id"),
            };
            let problem = format!("is missing beside {other}: identify ties a guest to a user");
            return Err(invalid(field, problem, ID_EXPECTED));
        }
        let items = items(fields)?;
        if kind.needs_products() && items.is_empty() {
            let problem = format!("must name at least one product when event is {}", kind.as_str());
            return Err(invalid("product_ids", problem, "at least one product id"));
        }
        let recommendation_id = optional_id(fields, "recommendation_id")?;
        if kind == EventKind::Impression && recommendation_id.is_none() {
            let problem = "is missing: an impression names the answer whose products were seen";
            return Err(invalid("recommendation_id", problem, ID_EXPECTED));
        }
        Ok(Self {
            event_id: optional_id(fields, "event_id")?,
            user_id,
            guest,
            session_id: optional_id(fields, "session_id")?,
            kind,
            items,
            query: query(fields, kind)?,
            country: country(fields)?,
            timestamp_ms: timestamp(fields)?,
            source: optional_id(fields, "source")?,
            recommendation_id,
        })
    }
}

const KINDS: &str = "view, search, add_to_cart, remove_from_cart, update_cart, checkout, return, identify, \
     get_recommendations or impression";

/// The value of a field, the last one if there are several.
fn get<'a, 'v>(fields: &'a Fields<'v>, name: &str) -> Option<&'a Value<'v>> {
    fields.as_vec().iter().rev().find(|(key, _)| **key == *name).map(|(_, value)| value)
}

/// Reads the shopper, and the guest to tie to the shopper.
fn shopper(fields: &Fields<'_>) -> Result<(UserId, Option<UserId>), Invalid> {
    let read = |name, id: fn(&str) -> Result<UserId, InvalidId>| match get(fields, name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => json_id(value)
            .and_then(|text| id(&text))
            .map(Some)
            .map_err(|e| invalid(name, e, ID_EXPECTED)),
    };
    let known = read("user_id", |text| UserId::known(text))?;
    match (known, read("anonymous_id", |text| UserId::guest(text))?) {
        (Some(user), guest) => Ok((user, guest)),
        (None, Some(guest)) => Ok((guest, None)),
        (None, None) => Err(invalid("user_id", "is missing, and so is anonymous_id", ID_EXPECTED)),
    }
}

fn optional_id(fields: &Fields<'_>, name: &'static str) -> Result<Option<String>, Invalid> {
    match get(fields, name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match json_id(value) {
            Ok(id) => Ok(Some(id.into_owned())),
            Err(error) => Err(invalid(name, error, ID_EXPECTED)),
        },
    }
}

/// Reads the text of a search, which only a search has.
fn query(fields: &Fields<'_>, kind: EventKind) -> Result<Option<String>, Invalid> {
    match get(fields, "query") {
        None | Some(Value::Null) if kind == EventKind::Search => {
            Err(invalid("query", "is missing", QUERY_EXPECTED))
        }
        None | Some(Value::Null) => Ok(None),
        Some(_) if kind != EventKind::Search => {
            Err(invalid("query", format!("is not a field of {}", kind.as_str()), "no query"))
        }
        Some(value) => checked_query(value.as_str()).map(Some),
    }
}

/// Checks the text of a search. `None` is a value that is no text.
pub(crate) fn checked_query(text: Option<&str>) -> Result<String, Invalid> {
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) if text.chars().count() <= MAX_QUERY => Ok(text.to_owned()),
        _ => Err(invalid("query", "is not the text of a search", QUERY_EXPECTED)),
    }
}

fn country(fields: &Fields<'_>) -> Result<Option<Country>, Invalid> {
    match get(fields, "country") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let country = value.as_str().and_then(|text| text.parse().ok());
            country
                .map(Some)
                .ok_or_else(|| invalid("country", "is not a country code", COUNTRY_EXPECTED))
        }
    }
}

fn timestamp(fields: &Fields<'_>) -> Result<Option<i64>, Invalid> {
    match get(fields, "timestamp") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(ms) if (0..LATEST_MS).contains(&ms) => Ok(Some(ms)),
            _ => Err(invalid("timestamp", "is not a valid time", "UTC milliseconds since 1970")),
        },
    }
}

fn items(fields: &Fields<'_>) -> Result<Vec<Item>, Invalid> {
    const LIST: &str = "a list of at most 200 product ids";
    let (name, list) = match (get(fields, "product_ids"), get(fields, "items")) {
        (Some(Value::Null) | None, Some(Value::Null) | None) => return Ok(Vec::new()),
        (Some(ids), None | Some(Value::Null)) => ("product_ids", ids),
        (None | Some(Value::Null), Some(items)) => ("items", items),
        (Some(_), Some(_)) => {
            return Err(invalid(
                "items",
                "cannot be combined with product_ids",
                "only one of them",
            ));
        }
    };
    let list = list.as_array().ok_or_else(|| invalid(name, "is not a list", LIST))?;
    if list.len() > MAX_ITEMS {
        return Err(invalid(name, format!("has {} entries", list.len()), LIST));
    }
    let mut items: Vec<Item> = Vec::with_capacity(list.len());
    for (index, value) in list.iter().enumerate() {
        let item = if name == "items" {
            item(index, value)?
        } else {
            let id = json_id(value).and_then(|text| ProductId::new(&*text));
            let id = id.map_err(|e| invalid(format!("product_ids[{index}]"), e, ID_EXPECTED))?;
            Item { product_id: id, quantity: 1, price: None }
        };
        add(&mut items, item);
    }
    Ok(items)
}

/// Adds an item; a repeated product adds to the first item's quantity.
pub(crate) fn add(items: &mut Vec<Item>, item: Item) {
    match items.iter_mut().find(|earlier| earlier.product_id == item.product_id) {
        Some(earlier) => earlier.quantity = earlier.quantity.saturating_add(item.quantity),
        None => items.push(item),
    }
}

fn item(index: usize, value: &Value<'_>) -> Result<Item, Invalid> {
    let at = |name: &str| format!("items[{index}]{name}");
    let fields = value.as_object().ok_or_else(|| {
        invalid(at(""), "is not a JSON object", "{\"product_id\", \"quantity\"?, \"price\"?}")
    })?;
    if let Some(key) = fields.keys().find(|k| !["product_id", "quantity", "price"].contains(k)) {
        let name: String = key.chars().take(64).collect();
        return Err(invalid(
            at(&format!(".{name}")),
            "is not a field of an item",
            "product_id, quantity, price",
        ));
    }
    let id = get(fields, "product_id")
        .ok_or_else(|| invalid(at(".product_id"), "is missing", ID_EXPECTED))?;
    let product_id = json_id(id)
        .and_then(|text| ProductId::new(&*text))
        .map_err(|e| invalid(at(".product_id"), e, ID_EXPECTED))?;
    let quantity = match get(fields, "quantity") {
        None | Some(Value::Null) => 1,
        Some(value) => match value.as_u64() {
            Some(n @ 1..=MAX_QUANTITY) => n as u32,
            _ => {
                return Err(invalid(
                    at(".quantity"),
                    "is out of range",
                    "a whole number from 1 to 100000",
                ));
            }
        },
    };
    let price = match get(fields, "price") {
        None | Some(Value::Null) => None,
        Some(value) => match value.as_f64() {
            Some(price) if (0.0..=MAX_PRICE).contains(&price) => Some(price),
            _ => return Err(invalid(at(".price"), "is out of range", "a number from 0 to 1e9")),
        },
    };
    Ok(Item { product_id, quantity, price })
}
