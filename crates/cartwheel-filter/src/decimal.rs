//! Decimal numbers, exact to six decimals.

use std::fmt;

use cartwheel_catalogue::Money;
use serde_json::Number;

/// Millionths of one.
const SCALE: i64 = 1_000_000;
/// Numbers are smaller than this, in millionths: larger than any amount of money.
const LIMIT: i128 = 1_000_000_000_000 * SCALE as i128;
/// Decimals of a number.
pub(crate) const DECIMALS: usize = 6;

/// A number below 10¹² in size. Results are rounded to six decimals, halves away from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Decimal(i64);

impl Decimal {
    /// Reads digits with an optional sign and decimals. `None` if the text is something else or
    /// the number is too large.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let kept = &fraction[..fraction.len().min(DECIMALS)];
        let rounds_up = fraction.as_bytes().get(DECIMALS).is_some_and(|digit| *digit >= b'5');
        let whole: i128 = whole.parse().ok()?;
        let millionths: i128 = format!("{kept:0<DECIMALS$}").parse().ok()?;
        let units = whole.checked_mul(i128::from(SCALE))? + millionths + i128::from(rounds_up);
        Self::from_units(sign * units)
    }

    /// The number of an attribute. `None` if it is too large.
    pub(crate) fn of(number: &Number) -> Option<Self> {
        // The shortest decimal that means the same `f64`; never with an exponent.
        number.as_f64().filter(|_| number.is_f64()).map_or_else(
            || Self::parse(&number.to_string()),
            |value| Self::parse(&value.to_string()),
        )
    }

    pub(crate) fn whole(count: i64) -> Option<Self> {
        Self::from_units(i128::from(count) * i128::from(SCALE))
    }

    /// Wraps millionths of one that [`Self::units`] returned.
    pub(crate) fn from_stored(units: i64) -> Self {
        Self(units)
    }

    /// Millionths of one.
    pub(crate) fn units(self) -> i64 {
        self.0
    }

    fn from_units(units: i128) -> Option<Self> {
        // The limit is within the range of `i64`.
        (-LIMIT < units && units < LIMIT).then_some(Self(units as i64))
    }

    pub(crate) fn negated(self) -> Self {
        Self(-self.0)
    }

    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        Self::from_units(i128::from(self.0) + i128::from(other.0))
    }

    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated())
    }

    pub(crate) fn times(self, other: Self) -> Option<Self> {
        match self.0.checked_mul(other.0) {
            Some(product) => Some(Self(rounded(product, SCALE))),
            None => {
                let product = i128::from(self.0) * i128::from(other.0);
                let half = product.signum() * i128::from(SCALE / 2);
                Self::from_units((product + half) / i128::from(SCALE))
            }
        }
    }

    /// `None` for a division by zero.
    pub(crate) fn over(self, other: Self) -> Option<Self> {
        if other.0 == 0 {
            return None;
        }
        let (dividend, divisor) = (i128::from(self.0) * i128::from(SCALE), i128::from(other.0));
        let half = dividend.signum() * divisor.abs() / 2;
        Self::from_units((dividend + half) / divisor)
    }
}

/// `value / scale`, halves away from zero.
fn rounded(value: i64, scale: i64) -> i64 {
    let (quotient, rest) = (value / scale, value % scale);
    quotient + if rest.abs() * 2 >= scale { rest.signum() } else { 0 }
}

impl From<Money> for Decimal {
    fn from(money: Money) -> Self {
        // Below 10¹² with four decimals: less than the limit.
        Self(money.ten_thousandths() as i64 * (SCALE / 10_000))
    }
}

impl fmt::Display for Decimal {
    /// Writes no more decimals than needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, scale) = (self.0.unsigned_abs(), SCALE.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", units / scale)?;
        let fraction = format!("{:0DECIMALS$}", units % scale);
        match fraction.trim_end_matches('0') {
            "" => Ok(()),
            digits => write!(f, ".{digits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_exact_to_six_decimals() {
        for (text, written) in [
            ("12.90", "12.9"),
            ("-0.0000005", "-0.000001"),
            ("0.00000049", "0"),
            ("999999999999.999999", "999999999999.999999"),
            ("007", "7"),
        ] {
            assert_eq!(decimal(text).to_string(), written, "{text}");
        }
        for text in ["", "-", ".5", "5.", "1e3", "1000000000000", "999999999999.9999995", "1 "] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        for (json, written) in [("0.1", "0.1"), ("123456789012.1", "123456789012.1"), ("1e-7", "0")]
        {
            let number: Number = serde_json::from_str(json).unwrap();
            assert_eq!(Decimal::of(&number).unwrap().to_string(), written);
        }
        let huge: Number = serde_json::from_str("1e300").unwrap();
        assert_eq!(Decimal::of(&huge), None);
        let money: Money = "999999999999.9999".parse().unwrap();
        assert_eq!(Decimal::from(money).to_string(), "999999999999.9999");
    }

    #[test]
    fn results_are_rounded_or_missing() {
        assert_eq!(decimal("0.1").plus(decimal("0.2")), Some(decimal("0.3")));
        assert_eq!(decimal("19.99").times(decimal("1.5")), Some(decimal("29.985")));
        assert_eq!(decimal("10").over(decimal("3")), Some(decimal("3.333333")));
        assert_eq!(decimal("-20").over(decimal("3")), Some(decimal("-6.666667")));
        assert_eq!(decimal("-0.000001").times(decimal("0.5")), Some(decimal("-0.000001")));
        assert_eq!(decimal("900000000000").times(decimal("1.1")), Some(decimal("990000000000")));
        assert_eq!(decimal("900000000000").times(decimal("1.2")), None);
        assert_eq!(decimal("1").over(decimal("0")), None);
        assert_eq!(decimal("1").over(decimal("0.0000001")), None, "the divisor is rounded to 0");
        assert_eq!(decimal("999999999999").minus(decimal("-1")), None);
    }
}
