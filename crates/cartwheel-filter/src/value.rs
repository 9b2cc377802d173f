//! Values that expressions work with.

use crate::decimal::Decimal;

/// A value of a product, or of an expression over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Nothing is known.
    Missing,
    /// True or false.
    Flag(bool),
    /// A number.
    Number(Decimal),
    /// A text.
    Text(&'a str),
    /// A list of at least one text.
    Texts(Vec<&'a str>),
}

impl Value<'_> {
    pub(crate) fn number(number: Option<Decimal>) -> Self {
        number.map_or(Self::Missing, Self::Number)
    }

    pub(crate) fn is_true(&self) -> bool {
        *self == Self::Flag(true)
    }
}

impl<'a> Value<'a> {
    pub(crate) fn text(text: Option<&'a str>) -> Self {
        text.filter(|text| !text.is_empty()).map_or(Self::Missing, Value::Text)
    }

    pub(crate) fn texts(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let texts: Vec<&str> = texts.into_iter().collect();
        if texts.is_empty() { Self::Missing } else { Self::Texts(texts) }
    }
}

/// The kind of a value, as far as it is known before any product is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// True or false.
    Flag,
    /// A number.
    Number,
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// Any of them: attributes differ from product to product.
    Any,
}

impl Kind {
    /// Whether a value of this kind may be one of `other`.
    pub(crate) fn may_be(self, other: Self) -> bool {
        self == other || self == Self::Any || other == Self::Any
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Texts => "a list of texts",
            Self::Any => "a value",
        }
    }
}
