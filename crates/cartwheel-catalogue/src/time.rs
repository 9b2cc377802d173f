//! Moments, written as RFC 3339.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The start of the year 10,000, UTC milliseconds.
const END_MS: i64 = 253_402_300_800_000;

/// A moment from 1970 to 9999, to the millisecond. In JSON it is a text of RFC 3339 in UTC;
/// other offsets and UTC milliseconds are accepted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(i64);

/// A value is not a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a time between the years 1970 and 9999")]
pub struct InvalidTime;

impl Time {
    /// Wraps UTC milliseconds.
    ///
    /// # Errors
    /// When they are before 1970 or after 9999.
    pub fn from_ms(ms: i64) -> Result<Self, InvalidTime> {
        if (0..END_MS).contains(&ms) { Ok(Self(ms)) } else { Err(InvalidTime) }
    }

    /// Returns UTC milliseconds.
    pub fn as_ms(self) -> i64 {
        self.0
    }

    /// Reads a text of RFC 3339, or a number of UTC milliseconds.
    ///
    /// # Errors
    /// When the value is neither.
    pub(crate) fn from_json(value: &Value) -> Result<Self, InvalidTime> {
        match value {
            Value::String(text) => text.parse(),
            Value::Number(ms) => ms.as_i64().ok_or(InvalidTime).and_then(Self::from_ms),
            _ => Err(InvalidTime),
        }
    }
}

impl FromStr for Time {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let time: Timestamp = text.parse().map_err(|_| InvalidTime)?;
        Self::from_ms(time.as_millisecond())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every moment that gets in is in the range of a timestamp.
        let time = Timestamp::from_millisecond(self.0).unwrap_or_default();
        time.fmt(f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(serde::de::Error::custom)
    }
}
