//! A product and its visibility.

use std::collections::BTreeMap;

use cartwheel_events::ProductId;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::currency::Currency;
use crate::money::Money;
use crate::time::Time;

/// A product of the shop. Only the id is required. The largest values are in
/// [`crate::MAX_NAME`] and its siblings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CatalogueProduct))]
pub struct Product {
    /// The product's id.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub product_id: ProductId,
    /// The name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The description to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The path of its category, from the widest to the narrowest. The first is its
    /// department, the last its aisle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// The brand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// The price of a piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub price: Option<Money>,
    /// The price before a reduction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub list_price: Option<Money>,
    /// The cost of a piece to the shop; never shown to shoppers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub cost: Option<Money>,
    /// The currency of the amounts, a code of ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub currency: Option<Currency>,
    /// The product's page: an `http` or `https` URL, or a path of the shop's site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A picture: an `http` or `https` URL, or a path of the shop's site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// Whether it can be bought. If absent, it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<bool>,
    /// Pieces in stock. With 0 it cannot be bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<u32>,
    /// Whether the shop does not want to show it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// The moment from which it may be shown, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = "date-time"))]
    pub available_from: Option<Time>,
    /// The moment from which it may no longer be shown, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = "date-time"))]
    pub available_until: Option<Time>,
    /// When the shop first offered it, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = "date-time"))]
    pub created_at: Option<Time>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Attributes by name, such as a colour.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Attribute>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Attribute {
    /// Yes or no.
    Flag(bool),
    /// A number.
    #[cfg_attr(feature = "schema", schema(value_type = f64))]
    Number(Number),
    /// A text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Product {
    /// A product of which only the id is known.
    pub fn new(product_id: ProductId) -> Self {
        Self {
            product_id,
            name: None,
            description: None,
            categories: Vec::new(),
            brand: None,
            price: None,
            list_price: None,
            cost: None,
            currency: None,
            url: None,
            image_url: None,
            in_stock: None,
            stock: None,
            hidden: false,
            available_from: None,
            available_until: None,
            created_at: None,
            tags: Vec::new(),
            attributes: BTreeMap::new(),
        }
    }

    /// The widest category.
    pub fn department(&self) -> Option<&str> {
        self.categories.first().map(String::as_str)
    }

    /// The narrowest category.
    pub fn aisle(&self) -> Option<&str> {
        self.categories.last().map(String::as_str)
    }

    /// Whether it can be bought: neither marked as out of stock nor without pieces.
    pub fn is_in_stock(&self) -> bool {
        self.in_stock != Some(false) && self.stock != Some(0)
    }

    /// Whether it may be shown at `now_ms`, UTC milliseconds: not hidden, in stock, and
    /// within its dates.
    pub fn is_shown(&self, now_ms: i64) -> bool {
        let started = self.available_from.is_none_or(|from| from.as_ms() <= now_ms);
        let ended = self.available_until.is_some_and(|until| until.as_ms() <= now_ms);
        !self.hidden && self.is_in_stock() && started && !ended
    }

    /// Returns the product as a JSON object.
    pub fn to_json(&self) -> Value {
        // Strings, numbers, lists and maps with string keys: serialising cannot fail.
        serde_json::to_value(self).unwrap_or_default()
    }
}
