//! The order of an answer by the value of its products to the shop.

use std::str::FromStr;

use crate::candidate::Ranked;

/// What an answer multiplies probabilities by to order its products. The probabilities that it shows
/// stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Value {
    /// Nothing: the most probable product comes first.
    #[default]
    Off,
    /// The price of a piece.
    Price,
    /// The price minus the cost, at least 0.
    Margin,
}

/// A text that names no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", Value::EXPECTED)]
pub struct InvalidValue;

impl Value {
    /// The texts that name a value, for messages.
    pub const EXPECTED: &str = "off, price or margin";

    /// The name in settings and explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Price => "price",
            Self::Margin => "margin",
        }
    }

    /// The value of a product with a price and a cost; `None` if one that it needs is unknown.
    pub fn of(self, price: Option<f64>, cost: Option<f64>) -> Option<f64> {
        match self {
            Self::Off => None,
            Self::Price => price,
            Self::Margin => Some((price? - cost?).max(0.0)),
        }
    }
}

impl FromStr for Value {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let all = [Self::Off, Self::Price, Self::Margin];
        all.into_iter().find(|value| value.as_str() == text).ok_or(InvalidValue)
    }
}

/// Orders a list by probability times value. A product of unknown value counts with the median of
/// the known ones in the list; a list without any stays as it is, and so do equal products.
pub fn by_value(ranked: Vec<Ranked>, value: impl Fn(u32) -> Option<f64>) -> Vec<Ranked> {
    let valued: Vec<(Option<f64>, Ranked)> =
        ranked.into_iter().map(|ranked| (value(ranked.candidate.product), ranked)).collect();
    let Some(median) = median(valued.iter().filter_map(|(value, _)| *value).collect()) else {
        return valued.into_iter().map(|(_, ranked)| ranked).collect();
    };
    let mut expected: Vec<(f64, Ranked)> = valued
        .into_iter()
        .map(|(value, r)| (f64::from(r.probability) * value.unwrap_or(median), r))
        .collect();
    expected.sort_by(|a, b| b.0.total_cmp(&a.0));
    expected.into_iter().map(|(_, ranked)| ranked).collect()
}

/// The middle value, or the mean of the two; `None` without values.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = values.len().checked_sub(1)? / 2;
    Some((values[lower] + values[upper]) / 2.0)
}

#[cfg(test)]
mod tests {
    use cartwheel_features::Source;

    use super::*;
    use crate::candidate::Candidate;

    fn ordered(values: [Option<f64>; 4]) -> Vec<u32> {
        let probabilities = [0.5, 0.5, 0.4, 0.1];
        let ranked = probabilities.into_iter().zip(0..).map(|(probability, product)| Ranked {
            candidate: Candidate::new(product, Source::History),
            probability,
        });
        let list = by_value(ranked.collect(), |product| values[product as usize]);
        assert!(list.iter().all(|r| r.probability == probabilities[r.candidate.product as usize]));
        list.iter().map(|ranked| ranked.candidate.product).collect()
    }

    #[test]
    fn the_expected_value_decides() {
        assert_eq!(ordered([Some(1.0), Some(2.0), Some(2.0), Some(30.0)]), [3, 1, 2, 0]);
        assert_eq!(ordered([Some(0.0), Some(0.0), Some(1.0), Some(0.0)]), [2, 0, 1, 3]);
    }

    #[test]
    fn an_unknown_value_counts_as_the_median_of_the_known_ones() {
        // The median of 1, 2 and 9 is 2: 0.5 · 2 against 0.4 · 2.
        assert_eq!(ordered([None, Some(1.0), Some(2.0), Some(9.0)]), [0, 3, 2, 1]);
        assert_eq!(ordered([None; 4]), [0, 1, 2, 3]);
        assert_eq!((median(vec![3.0, 1.0]), median(vec![])), (Some(2.0), None));
    }

    #[test]
    fn a_margin_needs_price_and_cost() {
        assert_eq!(Value::Price.of(Some(3.0), None), Some(3.0));
        assert_eq!(Value::Margin.of(Some(3.0), Some(1.0)), Some(2.0));
        assert_eq!(Value::Margin.of(Some(3.0), Some(4.0)), Some(0.0), "sold at a loss");
        assert_eq!(
            (Value::Margin.of(Some(3.0), None), Value::Margin.of(None, Some(1.0))),
            (None, None)
        );
        assert_eq!(Value::Off.of(Some(3.0), Some(1.0)), None);
        for name in ["off", "price", "margin"] {
            assert_eq!(name.parse::<Value>().unwrap().as_str(), name);
        }
        assert_eq!(
            "cost".parse::<Value>().unwrap_err().to_string(),
            "expected off, price or margin"
        );
    }
}
