//! Numbers as exports write them.

use serde::{Deserialize, Serialize};

/// The decimal separator of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decimal {
    /// `1,234.50`
    #[default]
    Point,
    /// `1.234,50`
    Comma,
}

/// Reads a number, with or without a currency and separators of thousands. `None` if the text is
/// not a number.
pub(crate) fn number(text: &str, decimal: Decimal) -> Option<f64> {
    // Most numbers need no preparation.
    if decimal == Decimal::Point
        && let Ok(number) = text.parse::<f64>()
    {
        return number.is_finite().then_some(number);
    }
    let is_currency = |c: char| c.is_alphabetic() || "€$£¥₹ \u{a0}".contains(c);
    let text = text.trim_matches(is_currency);
    let (point, thousands) = match decimal {
        Decimal::Point => ('.', [',', '\'']),
        Decimal::Comma => (',', ['.', '\'']),
    };
    let (whole, fraction) = text.split_once(point).unwrap_or((text, ""));
    let (sign, whole) = match whole.strip_prefix('-') {
        Some(whole) => ("-", whole.trim_start_matches(is_currency)),
        None => ("", whole),
    };
    let groups: Vec<&str> = whole.split(thousands).collect();
    let are_groups = groups.iter().skip(1).all(|group| group.len() == 3);
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let whole = groups.concat();
    if !are_groups || whole.is_empty() || !digits(&whole) || !digits(fraction) {
        return None;
    }
    format!("{sign}{whole}.{fraction}0").parse().ok()
}

/// The decimal separator of a column: a comma if a value only makes sense with one.
pub(crate) fn decimal_of<'a>(mut values: impl Iterator<Item = &'a str>) -> Decimal {
    let is_comma = |text: &str| {
        number(text, Decimal::Point).is_none() && number(text, Decimal::Comma).is_some()
    };
    if values.any(is_comma) { Decimal::Comma } else { Decimal::Point }
}

/// `17850.0` as an integer: how a spreadsheet or pandas writes ids of a column with gaps.
pub(crate) fn without_fraction(text: &str) -> &str {
    match text.strip_suffix(".0") {
        Some(whole) if !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit()) => whole,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_in_usual_forms() {
        for (text, value) in [
            ("2.55", 2.55),
            ("1,234.50", 1234.5),
            ("-6", -6.0),
            ("£3", 3.0),
            ("12 EUR", 12.0),
            ("-$1,000", -1000.0),
            ("1e3", 1000.0),
        ] {
            assert_eq!(number(text, Decimal::Point), Some(value), "{text}");
        }
        assert_eq!(number("1.234,50", Decimal::Comma), Some(1234.5));
        assert_eq!(number("3,5 €", Decimal::Comma), Some(3.5));
        for text in ["", "x", "1,2,3", "1.2.3", "NaN", "inf", "--1"] {
            assert_eq!(number(text, Decimal::Point), None, "{text}");
        }
        assert_eq!(decimal_of(["3", "3,50"].into_iter()), Decimal::Comma);
        assert_eq!(decimal_of(["3", "1,000"].into_iter()), Decimal::Point);
        assert_eq!([without_fraction("17850.0"), without_fraction("1.5")], ["17850", "1.5"]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,20}") {
            let _ = (number(&text, Decimal::Point), number(&text, Decimal::Comma));
        }

        #[test]
        fn plain_numbers_are_read_as_they_are(value in -1e6..1e6_f64) {
            prop_assert_eq!(number(&value.to_string(), Decimal::Point), Some(value));
        }
    }
}
