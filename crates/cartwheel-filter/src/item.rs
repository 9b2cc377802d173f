//! A product as filters see it.

use cartwheel_catalogue::{Attribute, Product};

use crate::decimal::Decimal;
use crate::name::Field;
use crate::value::Value;

const DAY_MS: i64 = 24 * 3_600_000;

/// A product with its newest texts.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Its id.
    pub product_id: &'a str,
    /// The widest category; empty if unknown.
    pub department: &'a str,
    /// The narrowest category; empty if unknown.
    pub aisle: &'a str,
    /// The shop's own fields, if it has given any.
    pub product: Option<&'a Product>,
    /// When the catalogue received it, UTC milliseconds; its age if the shop states none.
    pub added_at_ms: Option<i64>,
}

impl<'a> Item<'a> {
    /// A product of which nothing but the id is known.
    pub const fn unknown(product_id: &'a str) -> Self {
        Self { product_id, department: "", aisle: "", product: None, added_at_ms: None }
    }

    /// The value of a field at `now_ms`, UTC milliseconds.
    pub(crate) fn value(&self, field: &Field, now_ms: i64) -> Value<'a> {
        let product = self.product;
        let money = |money| Value::number(Some(Decimal::from(money)));
        match field {
            Field::ProductId => Value::text(Some(self.product_id)),
            Field::Department => Value::text(Some(self.department)),
            Field::Aisle => Value::text(Some(self.aisle)),
            Field::Categories => self.categories(),
            Field::Brand => Value::text(product.and_then(|product| product.brand.as_deref())),
            Field::Tags => {
                let tags = product.map_or(&[][..], |product| &product.tags);
                Value::texts(tags.iter().map(String::as_str))
            }
            Field::Price => product.and_then(|p| p.price).map_or(Value::Missing, money),
            Field::ListPrice => product.and_then(|p| p.list_price).map_or(Value::Missing, money),
            Field::Currency => {
                let currency = product.and_then(|product| product.currency.as_ref());
                Value::text(currency.map(|currency| currency.as_str()))
            }
            Field::Stock => {
                let stock = product.and_then(|product| product.stock);
                Value::number(stock.and_then(|stock| Decimal::whole(i64::from(stock))))
            }
            Field::InStock => {
                let stated = product.filter(|p| p.in_stock.is_some() || p.stock.is_some());
                stated.map_or(Value::Missing, |product| Value::Flag(product.is_in_stock()))
            }
            Field::AgeDays => {
                Value::number(self.since_ms().and_then(|since_ms| age_days(since_ms, now_ms)))
            }
            Field::Attribute(name) => {
                let attribute = product.and_then(|product| product.attributes.get(name));
                attribute.map_or(Value::Missing, of_attribute)
            }
        }
    }

    fn categories(&self) -> Value<'a> {
        match self.product.map_or(&[][..], |product| &product.categories) {
            [] => {
                let path = [self.department, self.aisle];
                let depth = if path[0] == path[1] { 1 } else { 2 };
                Value::texts(path.into_iter().take(depth).filter(|name| !name.is_empty()))
            }
            path => Value::texts(path.iter().map(String::as_str)),
        }
    }

    /// The moment from which its age counts, UTC milliseconds.
    pub(crate) fn since_ms(&self) -> Option<i64> {
        let stated = self.product.and_then(|product| product.created_at);
        stated.map(|time| time.as_ms()).or(self.added_at_ms)
    }

    /// The names of its attributes.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.product.into_iter().flat_map(|product| product.attributes.keys().map(String::as_str))
    }
}

/// The whole days from one moment to another, both UTC milliseconds; 0 for the future.
pub(crate) fn age_days(since_ms: i64, now_ms: i64) -> Option<Decimal> {
    Decimal::whole((now_ms.saturating_sub(since_ms) / DAY_MS).max(0))
}

fn of_attribute(attribute: &Attribute) -> Value<'_> {
    match attribute {
        Attribute::Flag(flag) => Value::Flag(*flag),
        Attribute::Number(number) => Value::number(Decimal::of(number)),
        Attribute::Text(text) => Value::text(Some(text)),
        Attribute::List(texts) => Value::texts(texts.iter().map(String::as_str)),
    }
}
