//! The names that an expression may use.

use strsim::damerau_levenshtein;

use crate::value::Kind;

/// A field of a product.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    ProductId,
    Department,
    Aisle,
    Categories,
    Brand,
    Tags,
    Price,
    ListPrice,
    Currency,
    Stock,
    InStock,
    AgeDays,
    Attribute(String),
}

impl Field {
    /// The fields that every product may have, by name.
    pub(crate) const NAMED: [(&str, Self); 12] = [
        ("product_id", Self::ProductId),
        ("department", Self::Department),
        ("aisle", Self::Aisle),
        ("categories", Self::Categories),
        ("brand", Self::Brand),
        ("tags", Self::Tags),
        ("price", Self::Price),
        ("list_price", Self::ListPrice),
        ("currency", Self::Currency),
        ("stock", Self::Stock),
        ("in_stock", Self::InStock),
        ("age_days", Self::AgeDays),
    ];

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::ProductId | Self::Department | Self::Aisle | Self::Brand | Self::Currency => {
                Kind::Text
            }
            Self::Categories | Self::Tags => Kind::Texts,
            Self::Price | Self::ListPrice | Self::Stock | Self::AgeDays => Kind::Number,
            Self::InStock => Kind::Flag,
            Self::Attribute(_) => Kind::Any,
        }
    }
}

/// A fact about the shopper or the cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fact {
    IsGuest,
    Orders,
    Size,
    Total,
    MinPrice,
    MaxPrice,
    Products,
    Departments,
    Aisles,
    Brands,
}

impl Fact {
    /// Every fact by name.
    pub(crate) const NAMED: [(&str, Self); 10] = [
        ("user.is_guest", Self::IsGuest),
        ("user.orders", Self::Orders),
        ("cart.size", Self::Size),
        ("cart.total", Self::Total),
        ("cart.min_price", Self::MinPrice),
        ("cart.max_price", Self::MaxPrice),
        ("cart.products", Self::Products),
        ("cart.departments", Self::Departments),
        ("cart.aisles", Self::Aisles),
        ("cart.brands", Self::Brands),
    ];

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::IsGuest => Kind::Flag,
            Self::Orders | Self::Size | Self::Total | Self::MinPrice | Self::MaxPrice => {
                Kind::Number
            }
            Self::Products | Self::Departments | Self::Aisles | Self::Brands => Kind::Texts,
        }
    }
}

/// A name of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    Field(Field),
    Fact(Fact),
    /// A value that the request gives, after `context.`.
    Context(String),
}

/// Prefixes of names that the shop and the request choose.
pub(crate) const ATTRIBUTES: &str = "attributes";
pub(crate) const CONTEXT: &str = "context";

/// The entry of a list of names.
pub(crate) fn named<T: Clone>(names: &[(&str, T)], name: &str) -> Option<T> {
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
}

/// The known name that `unknown` most likely means. Case does not count.
pub(crate) fn nearest<'a>(
    unknown: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let unknown = unknown.to_lowercase();
    let most = (unknown.chars().count() / 3).max(1);
    let distance = |name: &str| damerau_levenshtein(&unknown, &name.to_lowercase());
    let near = names.into_iter().map(|name| (distance(name), name));
    near.filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|n| n.1)
}
