//! Countries of shoppers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A country code of two letters, as in ISO 3166-1, in upper case. Whether a country has the code is
/// not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Country([u8; 2]);

/// The countries that are accepted, as errors state them.
pub const COUNTRY_EXPECTED: &str = "two letters as in ISO 3166-1, such as DE";

/// The text is not a country code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a country code")]
pub struct InvalidCountry;

impl Country {
    /// Returns the code.
    pub fn as_str(&self) -> &str {
        // Letters of ASCII are valid UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Country {
    type Err = InvalidCountry;

    /// Reads a code; lower case is accepted.
    fn from_str(text: &str) -> Result<Self, InvalidCountry> {
        match text.as_bytes() {
            &[a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(InvalidCountry),
        }
    }
}

impl TryFrom<String> for Country {
    type Error = InvalidCountry;

    fn try_from(text: String) -> Result<Self, InvalidCountry> {
        text.parse()
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.as_str().to_owned()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_two_letters() {
        assert_eq!("de".parse::<Country>().unwrap().as_str(), "DE");
        for text in ["", "D", "DEU", "D1", "é", "d "] {
            assert_eq!(text.parse::<Country>(), Err(InvalidCountry), "{text:?}");
        }
        let country: Country = serde_json::from_str("\"at\"").unwrap();
        assert_eq!(serde_json::to_string(&country).unwrap(), "\"AT\"");
        assert!(serde_json::from_str::<Country>("\"atx\"").is_err());
    }
}
