//! Products: fields, validation, patches, and whether a product may be shown.
//!
//! [`Product::from_json`] validates a client's JSON, and [`ProductPatch`] changes a product
//! by the rules of RFC 7396. Amounts are decimal ([`Money`]). The crate is pure: no I/O, no
//! clock, no random numbers.

mod bounds;
mod currency;
mod money;
mod patch;
mod product;
mod time;
mod validate;

pub use bounds::{
    MAX_ATTRIBUTE_LIST, MAX_ATTRIBUTES, MAX_CATEGORIES, MAX_DESCRIPTION, MAX_NAME,
    MAX_PRODUCT_BYTES, MAX_STOCK, MAX_TAGS, MAX_TEXT, MAX_URL,
};
pub use currency::{Currency, InvalidCurrency};
pub use money::{InvalidMoney, Money};
pub use patch::ProductPatch;
pub use product::{Attribute, Product};
pub use time::{InvalidTime, Time};

#[cfg(test)]
mod tests;
