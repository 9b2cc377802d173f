//! Identifiers: 1 to 128 bytes of UTF-8 without control characters.

use std::borrow::Cow;
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json_borrow::Value;
use smol_str::SmolStr;

/// Longest id, in bytes.
pub const MAX_ID: usize = 128;
/// The accepted ids, as errors state them.
pub const ID_EXPECTED: &str = "1 to 128 bytes of text without control characters";

/// Why a string is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The id is empty.
    #[error("is empty")]
    Empty,
    /// The id is longer than [`MAX_ID`] bytes.
    #[error("is longer than {MAX_ID} bytes")]
    TooLong,
    /// The anonymous id does not fit beside the mark of guests.
    #[error("is longer than {} bytes, because a mark of one byte stands before it", MAX_ID - 1)]
    TooLongGuest,
    /// The id contains a control character.
    #[error("contains a control character")]
    Control,
    /// The JSON value is neither a string nor an integer.
    #[error("is neither a string nor an integer")]
    Type,
    /// The id of a known user has the form of a guest's.
    #[error("begins with ~, which marks guests: send the rest as anonymous_id")]
    Guest,
}

/// The first character of a guest's [`UserId`]. The ids of known users never begin with it.
pub const GUEST: char = '~';

/// Checks the length and the characters of an id. Ids are compared byte by byte: upper and lower
/// case differ, and so do the composed and decomposed forms of a letter.
///
/// # Errors
/// When the id is empty, too long or contains a control character.
pub fn check_id(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > MAX_ID {
        return Err(InvalidId::TooLong);
    }
    let has_control = match text.is_ascii() {
        true => text.bytes().any(|byte| byte.is_ascii_control()),
        false => text.chars().any(char::is_control),
    };
    if has_control { Err(InvalidId::Control) } else { Ok(()) }
}

/// Reads an id from JSON: a string, or an integer, which becomes its decimal text.
pub(crate) fn json_id<'a>(value: &'a Value<'_>) -> Result<Cow<'a, str>, InvalidId> {
    let text = match value {
        Value::Str(text) => Cow::Borrowed(&**text),
        Value::Number(n) if n.is_i64() || n.is_u64() => Cow::Owned(n.to_string()),
        _ => return Err(InvalidId::Type),
    };
    check_id(&text)?;
    Ok(text)
}

/// Accepts the same values as [`json_id`].
struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = SmolStr;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ID_EXPECTED)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SmolStr, E> {
        check_id(text).map(|()| text.into()).map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<SmolStr, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<SmolStr, E> {
        self.visit_str(&number.to_string())
    }
}

// Most ids are short, so they are stored inline without an allocation.
macro_rules! id {
    ($name:ident, $what:literal) => {
        #[doc = $what]
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(SmolStr);

        impl $name {
            /// Checks `text` and wraps it.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                check_id(text.as_ref())?;
                Ok(Self(text.as_ref().into()))
            }

            /// Returns the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(IdVisitor).map(Self)
            }
        }
    };
}

id!(
    UserId,
    "A shopper's id: the shop's id of a known user, or `~` and the anonymous id of a guest."
);
id!(ProductId, "A product's id in the shop's catalogue.");

impl UserId {
    /// Wraps the id of a known user.
    ///
    /// # Errors
    /// When `text` is not a valid id, or has the form of a guest's.
    pub fn known(text: impl AsRef<str>) -> Result<Self, InvalidId> {
        let id = Self::new(text)?;
        if id.is_guest() { Err(InvalidId::Guest) } else { Ok(id) }
    }

    /// Returns the id of the guest with that anonymous id.
    ///
    /// # Errors
    /// When `anonymous_id` is not a valid id, or is longer than [`MAX_ID`] - 1 bytes.
    pub fn guest(anonymous_id: impl AsRef<str>) -> Result<Self, InvalidId> {
        check_id(anonymous_id.as_ref())?;
        if anonymous_id.as_ref().len() == MAX_ID {
            return Err(InvalidId::TooLongGuest);
        }
        Self::new(format!("{GUEST}{}", anonymous_id.as_ref()))
    }

    /// Tells whether the shopper is a guest.
    pub fn is_guest(&self) -> bool {
        self.0.starts_with(GUEST)
    }

    /// Returns the anonymous id of a guest.
    pub fn anonymous_id(&self) -> Option<&str> {
        self.0.strip_prefix(GUEST)
    }
}
