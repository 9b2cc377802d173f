//! Reading a client's product: every field is known, well formed and bounded.

use std::collections::BTreeMap;

use cartwheel_events::{ID_EXPECTED as ID, Invalid, InvalidId, ProductId};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::bounds::{
    MAX_ATTRIBUTE_LIST, MAX_ATTRIBUTES, MAX_CATEGORIES, MAX_DESCRIPTION, MAX_NAME,
    MAX_PRODUCT_BYTES, MAX_STOCK, MAX_TAGS, MAX_TEXT, MAX_URL,
};
use crate::money::Money;
use crate::product::{Attribute, Product};
use crate::time::Time;

const FIELDS: &str = "product_id, name, description, categories, brand, price, list_price, cost, \
                      currency, url, image_url, in_stock, stock, hidden, available_from, \
                      available_until, created_at, tags, attributes";
const NAME: &str = "a text of 1 to 500 characters in one line";
const DESCRIPTION: &str = "a text of 1 to 10000 characters";
const TEXT: &str = "a text of 1 to 200 characters in one line";
const CATEGORIES: &str = "a list of at most 10 texts, from the widest category to the narrowest";
const TAGS: &str = "a list of at most 100 texts";
const MONEY: &str = "an amount from 0 with at most 4 decimals, such as \"12.90\"";
const CURRENCY: &str = "a code of ISO 4217, such as EUR";
const URL: &str = "an http or https URL, or a path that begins with /, of at most 2048 bytes";
const FLAG: &str = "true or false";
const STOCK: &str = "a whole number from 0 to 1000000000";
const TIME: &str = "a time of RFC 3339, such as 2026-05-01T08:00:00Z, or UTC milliseconds";
const ATTRIBUTES: &str = "an object of at most 100 attributes, each with a name of 1 to 200 \
                          characters and a text, a number, true, false or a list of texts";
const ATTRIBUTE: &str = "a text of 1 to 200 characters, a number, true, false, or a list of at \
                         most 50 such texts";

fn invalid(field: impl Into<String>, problem: impl ToString, expected: &'static str) -> Invalid {
    Invalid { field: field.into(), problem: problem.to_string(), expected }
}

/// Returns the fields of a JSON object. `what` names it in an error.
pub(crate) fn object(value: Value, what: &str) -> Result<Map<String, Value>, Invalid> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(invalid("", format!("{what} is not a JSON object"), "a JSON object")),
    }
}

/// Checks that every field is a field of a product.
pub(crate) fn check_fields(fields: &Map<String, Value>) -> Result<(), Invalid> {
    match fields.keys().find(|name| !FIELDS.split(", ").any(|field| field == *name)) {
        Some(unknown) => {
            let name: String = unknown.chars().take(64).collect();
            Err(invalid(name, "is not a field of a product", FIELDS))
        }
        None => Ok(()),
    }
}

impl Product {
    /// Reads a product from JSON. Null counts as absent.
    ///
    /// # Errors
    /// The first field that is missing, unknown or out of bounds.
    pub fn from_json(value: Value) -> Result<Self, Invalid> {
        let fields = object(value, "the product")?;
        let id = fields.get("product_id").filter(|id| !id.is_null());
        let id = product_id(id.ok_or_else(|| invalid("product_id", "is missing", ID))?)?;
        read(fields, id)
    }

    /// Reads a product from JSON whose id is known from elsewhere, such as a path. The JSON
    /// may repeat it.
    ///
    /// # Errors
    /// As [`Product::from_json`], and when the JSON has another id.
    pub fn with_id(value: Value, id: ProductId) -> Result<Self, Invalid> {
        let fields = object(value, "the product")?;
        if let Some(own) = fields.get("product_id").filter(|id| !id.is_null())
            && product_id(own)? != id
        {
            return Err(invalid("product_id", "is the id of another product", "the same id"));
        }
        read(fields, id)
    }
}

fn product_id(value: &Value) -> Result<ProductId, Invalid> {
    let id = match value {
        Value::String(text) => ProductId::new(text),
        Value::Number(n) if n.is_i64() || n.is_u64() => ProductId::new(n.to_string()),
        _ => Err(InvalidId::Type),
    };
    id.map_err(|problem| invalid("product_id", problem, ID))
}

fn read(mut fields: Map<String, Value>, product_id: ProductId) -> Result<Product, Invalid> {
    check_fields(&fields)?;
    fields.retain(|_, value| !value.is_null());
    let fields = &fields;
    let product = Product {
        name: field(fields, "name", |v| line(v, MAX_NAME), NAME)?,
        description: field(fields, "description", description, DESCRIPTION)?,
        categories: texts(fields, "categories", MAX_CATEGORIES, CATEGORIES)?,
        brand: field(fields, "brand", |v| line(v, MAX_TEXT), TEXT)?,
        price: field(fields, "price", money, MONEY)?,
        list_price: field(fields, "list_price", money, MONEY)?,
        cost: field(fields, "cost", money, MONEY)?,
        currency: field(fields, "currency", currency, CURRENCY)?,
        url: field(fields, "url", url, URL)?,
        image_url: field(fields, "image_url", url, URL)?,
        in_stock: field(fields, "in_stock", flag, FLAG)?,
        stock: field(fields, "stock", stock, STOCK)?,
        hidden: field(fields, "hidden", flag, FLAG)?.unwrap_or_default(),
        available_from: field(fields, "available_from", time, TIME)?,
        available_until: field(fields, "available_until", time, TIME)?,
        created_at: field(fields, "created_at", time, TIME)?,
        tags: texts(fields, "tags", MAX_TAGS, TAGS)?,
        attributes: attributes(fields)?,
        product_id,
    };
    if let (Some(from), Some(until)) = (product.available_from, product.available_until)
        && until <= from
    {
        let expected = "a time after available_from";
        return Err(invalid("available_until", "is not after available_from", expected));
    }
    // Serialising cannot fail: see `to_json`.
    let bytes = serde_json::to_vec(&product).map_or(0, |json| json.len());
    if bytes > MAX_PRODUCT_BYTES {
        let problem = format!("the product takes {bytes} bytes of JSON");
        return Err(invalid("", problem, "a product of at most 65536 bytes of JSON"));
    }
    Ok(product)
}

/// The problem of a field.
type Problem = String;

fn field<T>(
    fields: &Map<String, Value>,
    name: &'static str,
    read: impl Fn(&Value) -> Result<T, Problem>,
    expected: &'static str,
) -> Result<Option<T>, Invalid> {
    let value = fields.get(name).map(read).transpose();
    value.map_err(|problem| invalid(name, problem, expected))
}

fn text(value: &Value, max: usize, allowed: fn(char) -> bool) -> Result<String, Problem> {
    let text = value.as_str().ok_or("is not a text")?.trim();
    let length = text.chars().count();
    if length == 0 {
        return Err("is empty".to_owned());
    }
    if length > max {
        return Err(format!("has {length} characters"));
    }
    match text.chars().find(|c| c.is_control() && !allowed(*c)) {
        Some(c) => Err(format!("contains the control character U+{:04X}", c as u32)),
        None => Ok(text.to_owned()),
    }
}

fn line(value: &Value, max: usize) -> Result<String, Problem> {
    text(value, max, |_| false)
}

fn description(value: &Value) -> Result<String, Problem> {
    text(value, MAX_DESCRIPTION, |c| matches!(c, '\n' | '\r' | '\t'))
}

fn texts(
    fields: &Map<String, Value>,
    name: &'static str,
    max: usize,
    expected: &'static str,
) -> Result<Vec<String>, Invalid> {
    let Some(value) = fields.get(name) else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(|| invalid(name, "is not a list", expected))?;
    if list.len() > max {
        return Err(invalid(name, format!("has {} entries", list.len()), expected));
    }
    let entry = |(index, value): (usize, &Value)| {
        line(value, MAX_TEXT).map_err(|problem| invalid(format!("{name}[{index}]"), problem, TEXT))
    };
    list.iter().enumerate().map(entry).collect()
}

fn money(value: &Value) -> Result<Money, Problem> {
    match value {
        Value::String(_) | Value::Number(_) => {
            Money::deserialize(value).map_err(|error| error.to_string())
        }
        _ => Err("is neither a text nor a number".to_owned()),
    }
}

fn currency(value: &Value) -> Result<crate::Currency, Problem> {
    let code = value.as_str().ok_or("is not a text")?;
    code.parse().map_err(|error: crate::InvalidCurrency| error.to_string())
}

fn url(value: &Value) -> Result<String, Problem> {
    let url = line(value, MAX_URL)?;
    if url.len() > MAX_URL {
        return Err(format!("has {} bytes", url.len()));
    }
    let scheme = url.get(..8).map(str::to_ascii_lowercase).unwrap_or_default();
    let absolute = scheme.starts_with("http://") || scheme.starts_with("https://");
    let path = url.starts_with('/') && !url.starts_with("//");
    if !absolute && !path {
        return Err("is neither an http or https URL nor a path".to_owned());
    }
    if url.chars().any(char::is_whitespace) {
        return Err("contains a space".to_owned());
    }
    Ok(url)
}

fn flag(value: &Value) -> Result<bool, Problem> {
    value.as_bool().ok_or_else(|| "is neither true nor false".to_owned())
}

fn stock(value: &Value) -> Result<u32, Problem> {
    let stock = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= MAX_STOCK);
    stock.ok_or_else(|| "is out of range".to_owned())
}

fn time(value: &Value) -> Result<Time, Problem> {
    Time::from_json(value).map_err(|error| error.to_string())
}

fn attributes(fields: &Map<String, Value>) -> Result<BTreeMap<String, Attribute>, Invalid> {
    let Some(value) = fields.get("attributes") else { return Ok(BTreeMap::new()) };
    let given = value
        .as_object()
        .ok_or_else(|| invalid("attributes", "is not a JSON object", ATTRIBUTES))?;
    if given.len() > MAX_ATTRIBUTES {
        return Err(invalid("attributes", format!("has {} entries", given.len()), ATTRIBUTES));
    }
    let mut attributes = BTreeMap::new();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let key = Value::String(name.clone());
        let key = line(&key, MAX_TEXT).map_err(|problem| {
            let shown: String = name.chars().take(64).collect();
            invalid("attributes", format!("have the name {shown:?}, which {problem}"), ATTRIBUTES)
        })?;
        let value = attribute(value)
            .map_err(|problem| invalid(format!("attributes.{key}"), problem, ATTRIBUTE))?;
        attributes.insert(key, value);
    }
    Ok(attributes)
}

fn attribute(value: &Value) -> Result<Attribute, Problem> {
    match value {
        Value::Bool(flag) => Ok(Attribute::Flag(*flag)),
        Value::Number(number) => Ok(Attribute::Number(number.clone())),
        Value::String(_) => line(value, MAX_TEXT).map(Attribute::Text),
        Value::Array(list) if list.len() > MAX_ATTRIBUTE_LIST => {
            Err(format!("has {} entries", list.len()))
        }
        Value::Array(list) => list
            .iter()
            .map(|text| line(text, MAX_TEXT))
            .collect::<Result<_, _>>()
            .map(Attribute::List),
        _ => Err("is an object".to_owned()),
    }
}
