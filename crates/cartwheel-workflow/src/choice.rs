//! The conditions of a Choice state.

use std::cmp::Ordering;

use serde_json::Value;

use crate::failure::Failure;
use crate::path::Path;

/// A condition: a comparison or a Boolean combination of conditions.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare { variable: Path, comparison: Comparison },
}

/// A comparison operator with its operand.
#[derive(Debug, Clone)]
pub(crate) enum Comparison {
    /// An `Is…` operator and its expected answer.
    Is { check: Check, expected: bool },
    /// An operator such as `NumericLessThan`.
    Ordered { value_type: ValueType, relation: Relation, operand: Operand },
    /// `StringMatches` with its pattern.
    Matches(String),
}

/// The property that an `Is…` operator checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Null,
    Present,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

/// The type of both sides of a comparison. A value of another type makes it false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

/// The order that a comparison requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equals,
    LessThan,
    GreaterThan,
    LessThanEquals,
    GreaterThanEquals,
}

/// The right-hand side of a comparison.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Literal(Value),
    Path(Path),
}

const CHECKS: [(&str, Check); 6] = [
    ("IsNull", Check::Null),
    ("IsPresent", Check::Present),
    ("IsNumeric", Check::Numeric),
    ("IsString", Check::String),
    ("IsBoolean", Check::Boolean),
    ("IsTimestamp", Check::Timestamp),
];
const VALUE_TYPES: [(&str, ValueType); 4] = [
    ("String", ValueType::String),
    ("Numeric", ValueType::Numeric),
    ("Boolean", ValueType::Boolean),
    ("Timestamp", ValueType::Timestamp),
];
const RELATIONS: [(&str, Relation); 5] = [
    ("Equals", Relation::Equals),
    ("LessThanEquals", Relation::LessThanEquals),
    ("GreaterThanEquals", Relation::GreaterThanEquals),
    ("LessThan", Relation::LessThan),
    ("GreaterThan", Relation::GreaterThan),
];

impl Comparison {
    /// Parses an operator and its operand. `None` when `operator` is not an operator; the
    /// inner error describes a wrong operand.
    pub(crate) fn parse(operator: &str, operand: &Value) -> Option<Result<Self, String>> {
        if operator == "StringMatches" {
            let pattern = operand.as_str().ok_or_else(|| "must be a string".to_owned());
            return Some(pattern.map(|pattern| Self::Matches(pattern.to_owned())));
        }
        if let Some(&(_, check)) = CHECKS.iter().find(|(name, _)| *name == operator) {
            let expected = operand.as_bool().ok_or_else(|| "must be true or false".to_owned());
            return Some(expected.map(|expected| Self::Is { check, expected }));
        }
        let &(prefix, value_type) =
            VALUE_TYPES.iter().find(|(name, _)| operator.starts_with(name))?;
        let suffix = &operator[prefix.len()..];
        let (suffix, is_path) = match suffix.strip_suffix("Path") {
            Some(suffix) => (suffix, true),
            None => (suffix, false),
        };
        let &(_, relation) = RELATIONS.iter().find(|(name, _)| *name == suffix)?;
        if value_type == ValueType::Boolean && relation != Relation::Equals {
            return None;
        }
        let operand = if is_path {
            let path = operand.as_str().ok_or_else(|| "must be a path".to_owned());
            path.and_then(Path::parse).map(Operand::Path)
        } else if value_type.of(operand).is_some() {
            Ok(Operand::Literal(operand.clone()))
        } else {
            Err(format!("must be a {}", prefix.to_lowercase()))
        };
        Some(operand.map(|operand| Self::Ordered { value_type, relation, operand }))
    }
}

/// A value that is ordered by the rules of its type.
#[derive(PartialEq, PartialOrd)]
enum Comparable<'a> {
    Text(&'a str),
    Number(f64),
    Bool(bool),
    Time(jiff::Timestamp),
}

impl ValueType {
    /// The value as this type. `None` when it has another type.
    fn of(self, value: &Value) -> Option<Comparable<'_>> {
        Some(match self {
            Self::String => Comparable::Text(value.as_str()?),
            Self::Numeric => Comparable::Number(value.as_f64()?),
            Self::Boolean => Comparable::Bool(value.as_bool()?),
            Self::Timestamp => Comparable::Time(parse_timestamp(value.as_str()?)?),
        })
    }
}

impl Relation {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equals => order.is_eq(),
            Self::LessThan => order.is_lt(),
            Self::GreaterThan => order.is_gt(),
            Self::LessThanEquals => order.is_le(),
            Self::GreaterThanEquals => order.is_ge(),
        }
    }
}

/// Parses a timestamp of the States Language: RFC 3339 with an upper-case `T` and an offset.
pub(crate) fn parse_timestamp(text: &str) -> Option<jiff::Timestamp> {
    if text.as_bytes().get(10) != Some(&b'T') || text.contains('[') {
        return None;
    }
    text.parse().ok()
}

impl Condition {
    /// Whether the condition holds.
    ///
    /// # Errors
    /// `States.Runtime` when a path finds nothing, except in `IsPresent`.
    pub(crate) fn holds(&self, data: &Value, context: &Value) -> Result<bool, Failure> {
        match self {
            Self::And(conditions) => {
                for condition in conditions {
                    if !condition.holds(data, context)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(conditions) => {
                for condition in conditions {
                    if condition.holds(data, context)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(condition) => Ok(!condition.holds(data, context)?),
            Self::Compare { variable, comparison } => {
                let value = variable.find(data, context);
                if let Comparison::Is { check: Check::Present, expected } = comparison {
                    return Ok(value.is_some() == *expected);
                }
                let value = value.ok_or_else(|| invalid_path(variable))?;
                comparison.holds(&value, data, context)
            }
        }
    }
}

impl Comparison {
    fn holds(&self, value: &Value, data: &Value, context: &Value) -> Result<bool, Failure> {
        Ok(match self {
            Self::Is { check, expected } => {
                let is = match check {
                    Check::Null => value.is_null(),
                    Check::Present => true,
                    Check::Numeric => value.is_number(),
                    Check::String => value.is_string(),
                    Check::Boolean => value.is_boolean(),
                    Check::Timestamp => value.as_str().and_then(parse_timestamp).is_some(),
                };
                is == *expected
            }
            Self::Matches(pattern) => value.as_str().is_some_and(|text| matches(pattern, text)),
            Self::Ordered { value_type, relation, operand } => {
                let found;
                let operand = match operand {
                    Operand::Literal(value) => value,
                    Operand::Path(path) => {
                        found = path.find(data, context).ok_or_else(|| invalid_path(path))?;
                        &found
                    }
                };
                let both = value_type.of(value).zip(value_type.of(operand));
                both.and_then(|(a, b)| a.partial_cmp(&b)).is_some_and(|order| relation.holds(order))
            }
        })
    }
}

fn invalid_path(path: &Path) -> Failure {
    Failure::runtime(format!("Invalid path '{}': it references an invalid value.", path.as_str()))
}

/// Whether a text matches a pattern, in which `*` matches any characters and a backslash
/// escapes the character after it.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts: Vec<String> = vec![String::new()];
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '*' => {
                parts.push(String::new());
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        };
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    if parts.len() == 1 {
        return text == first;
    }
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for part in &parts[1..parts.len() - 1] {
        let Some(at) = rest.find(part.as_str()) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_matches_any_characters() {
        for (pattern, text, expected) in [
            ("log-*.txt", "log-a.b.txt", true),
            ("log-*.txt", "log-.txt", true),
            ("log-*.txt", "log.txt", false),
            ("*", "", true),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "a--c--b", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            ("ab*ba", "aba", false),
            ("plain", "plain", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
