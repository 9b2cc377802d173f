//! Comparisons and arithmetic of single values.

use crate::ast::Operator;
use crate::decimal::Decimal;
use crate::value::Value;

/// Whether a comparison other than `in` holds. It does not if a value is missing, or if the values
/// are of different kinds.
pub(crate) fn holds(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compares(operator, *left, *right),
        (Value::Text(left), Value::Text(right)) => is_equal(operator, left == right),
        (Value::Flag(left), Value::Flag(right)) => is_equal(operator, left == right),
        _ => false,
    }
}

/// Whether numbers compare as an operator demands.
pub(crate) fn compares(operator: Operator, left: Decimal, right: Decimal) -> bool {
    match operator {
        Operator::Less => left < right,
        Operator::AtMost => left <= right,
        Operator::Greater => left > right,
        Operator::AtLeast => left >= right,
        _ => is_equal(operator, left == right),
    }
}

/// Whether values that are `equal` or not are what an operator demands.
pub(crate) fn is_equal(operator: Operator, equal: bool) -> bool {
    match operator {
        Operator::Equal => equal,
        Operator::Unequal => !equal,
        _ => false,
    }
}

/// The result of an operation on numbers; `None` for a division by zero and for a number that is
/// too large.
pub(crate) fn calculate(operator: Operator, left: Decimal, right: Decimal) -> Option<Decimal> {
    match operator {
        Operator::Plus => left.plus(right),
        Operator::Minus => left.minus(right),
        Operator::Times => left.times(right),
        Operator::Over => left.over(right),
        _ => None,
    }
}
