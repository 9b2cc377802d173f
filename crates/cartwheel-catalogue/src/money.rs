//! Amounts of money as decimal numbers.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most decimals of an amount. No currency of ISO 4217 has more.
const DECIMALS: u8 = 4;
/// Most digits before the decimal point.
const DIGITS: usize = 12;

/// An amount from 0 to 999,999,999,999.9999, exact to four decimals. It keeps the decimals
/// that it was given: `12.90` stays `12.90`, and equals `12.9`.
///
/// In JSON it is a string; a number is accepted too.
#[derive(Debug, Clone, Copy)]
pub struct Money {
    /// Ten-thousandths of the currency's unit.
    units: u64,
    /// Decimals to write, at most [`DECIMALS`].
    decimals: u8,
}

/// Why a text or a JSON value is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMoney {
    /// It is not a plain decimal number.
    #[error("is not a decimal number")]
    Number,
    /// It is below zero.
    #[error("is negative")]
    Negative,
    /// It has more than four decimals.
    #[error("has more than {DECIMALS} decimals")]
    Decimals,
    /// It has more than twelve digits before the decimal point.
    #[error("has more than {DIGITS} digits before the decimal point")]
    Large,
}

impl Money {
    /// Returns the amount in ten-thousandths of the currency's unit.
    pub fn ten_thousandths(self) -> u64 {
        self.units
    }

    /// Returns the nearest `f64`, for charts and estimates; never for sums.
    pub fn approximate(self) -> f64 {
        self.units as f64 / 10_000.0
    }
}

impl FromStr for Money {
    type Err = InvalidMoney;

    /// Parses digits with an optional point and decimals, such as `12.90`.
    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        if let Some(positive) = text.strip_prefix('-') {
            let zero = positive.parse::<Self>()?;
            return if zero.units == 0 { Ok(zero) } else { Err(InvalidMoney::Negative) };
        }
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(InvalidMoney::Number),
            Some(parts) => parts,
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(InvalidMoney::Number);
        }
        let whole = whole.trim_start_matches('0');
        if whole.len() > DIGITS {
            return Err(InvalidMoney::Large);
        }
        // Zeros beyond the fourth decimal change nothing.
        let fraction = match fraction.split_at_checked(usize::from(DECIMALS)) {
            Some((kept, rest)) if rest.bytes().all(|b| b == b'0') => kept,
            Some(_) => return Err(InvalidMoney::Decimals),
            None => fraction,
        };
        let padded = whole.bytes().chain(fraction.bytes());
        let padded =
            padded.chain(std::iter::repeat_n(b'0', usize::from(DECIMALS) - fraction.len()));
        let units = padded.fold(0, |units, digit| units * 10 + u64::from(digit - b'0'));
        Ok(Self { units, decimals: fraction.len() as u8 })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.units / 10_000, self.units % 10_000);
        write!(f, "{whole}")?;
        if self.decimals == 0 {
            return Ok(());
        }
        let shown = fraction / 10_u64.pow(u32::from(DECIMALS - self.decimals));
        write!(f, ".{shown:0width$}", width = usize::from(self.decimals))
    }
}

impl PartialEq for Money {
    fn eq(&self, other: &Self) -> bool {
        self.units == other.units
    }
}

impl Eq for Money {}

impl Hash for Money {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.units.hash(state);
    }
}

impl Ord for Money {
    fn cmp(&self, other: &Self) -> Ordering {
        self.units.cmp(&other.units)
    }
}

impl PartialOrd for Money {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

struct MoneyVisitor;

impl Visitor<'_> for MoneyVisitor {
    type Value = Money;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount such as \"12.90\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Money, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Money, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Money, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Money, E> {
        // The shortest text that reads as the same number is what the client wrote, as long
        // as it has at most fifteen digits.
        self.visit_str(&number.to_string())
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MoneyVisitor)
    }
}
