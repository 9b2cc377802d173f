//! The rules of a Choice state.

use std::cmp::Ordering;

use serde_json::Value;

use crate::failure::Failure;
use crate::path::Path;

/// A condition.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test { variable: Path, test: Test },
}

/// What is asked of a variable.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Is(Kind, bool),
    Compare(Type, Relation, Operand),
    Matches(String),
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Present,
    Numeric,
    String,
    Boolean,
    Timestamp,
}

/// What is compared; values of other types compare to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

/// How two values have to stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equals,
    LessThan,
    GreaterThan,
    LessThanEquals,
    GreaterThanEquals,
}

/// What a variable is compared with.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Value(Value),
    Path(Path),
}

const TYPES: [(&str, Type); 4] = [
    ("String", Type::String),
    ("Numeric", Type::Numeric),
    ("Boolean", Type::Boolean),
    ("Timestamp", Type::Timestamp),
];
const RELATIONS: [(&str, Relation); 5] = [
    ("Equals", Relation::Equals),
    ("LessThanEquals", Relation::LessThanEquals),
    ("GreaterThanEquals", Relation::GreaterThanEquals),
    ("LessThan", Relation::LessThan),
    ("GreaterThan", Relation::GreaterThan),
];
const KINDS: [(&str, Kind); 6] = [
    ("IsNull", Kind::Null),
    ("IsPresent", Kind::Present),
    ("IsNumeric", Kind::Numeric),
    ("IsString", Kind::String),
    ("IsBoolean", Kind::Boolean),
    ("IsTimestamp", Kind::Timestamp),
];

impl Test {
    /// The test that a field of a rule stands for; none for a field that is no
    /// operator.
    pub(crate) fn parse(operator: &str, operand: &Value) -> Option<Result<Self, String>> {
        if operator == "StringMatches" {
            let pattern = operand.as_str().ok_or_else(|| "must be a string".to_owned());
            return Some(pattern.map(|pattern| Self::Matches(pattern.to_owned())));
        }
        if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == operator) {
            let wanted = operand.as_bool().ok_or_else(|| "must be true or false".to_owned());
            return Some(wanted.map(|wanted| Self::Is(*kind, wanted)));
        }
        let (prefix, kind) = TYPES.iter().find(|(name, _)| operator.starts_with(name))?;
        let rest = &operator[prefix.len()..];
        let (rest, by_path) = match rest.strip_suffix("Path") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (_, relation) = RELATIONS.iter().find(|(name, _)| *name == rest)?;
        if *kind == Type::Boolean && *relation != Relation::Equals {
            return None;
        }
        Some(if by_path {
            let path = operand.as_str().ok_or_else(|| "must be a path".to_owned());
            path.and_then(Path::parse)
                .map(|path| Self::Compare(*kind, *relation, Operand::Path(path)))
        } else if kind.of(operand).is_some() {
            Ok(Self::Compare(*kind, *relation, Operand::Value(operand.clone())))
        } else {
            Err(format!("must be a {}", prefix.to_lowercase()))
        })
    }
}

/// A value in the order of its type.
#[derive(PartialEq, PartialOrd)]
enum Comparable<'a> {
    Text(&'a str),
    Number(f64),
    Bool(bool),
    Time(jiff::Timestamp),
}

impl Type {
    fn of(self, value: &Value) -> Option<Comparable<'_>> {
        Some(match self {
            Self::String => Comparable::Text(value.as_str()?),
            Self::Numeric => Comparable::Number(value.as_f64()?),
            Self::Boolean => Comparable::Bool(value.as_bool()?),
            Self::Timestamp => Comparable::Time(timestamp(value.as_str()?)?),
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

/// An RFC 3339 time as the States Language wants it: an upper-case T, and an offset.
pub(crate) fn timestamp(text: &str) -> Option<jiff::Timestamp> {
    if text.as_bytes().get(10) != Some(&b'T') || text.contains('[') {
        return None;
    }
    text.parse().ok()
}

impl Rule {
    /// Whether the rule holds.
    ///
    /// # Errors
    /// `States.Runtime` where a path finds nothing and the rule does not ask whether
    /// it does.
    pub(crate) fn holds(&self, data: &Value, context: &Value) -> Result<bool, Failure> {
        match self {
            Self::And(rules) => {
                for rule in rules {
                    if !rule.holds(data, context)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(rules) => {
                for rule in rules {
                    if rule.holds(data, context)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(rule) => Ok(!rule.holds(data, context)?),
            Self::Test { variable, test } => {
                let value = variable.find(data, context);
                if let Test::Is(Kind::Present, wanted) = test {
                    return Ok(value.is_some() == *wanted);
                }
                let value = value.ok_or_else(|| missing(variable))?;
                test.holds(&value, data, context)
            }
        }
    }
}

impl Test {
    fn holds(&self, value: &Value, data: &Value, context: &Value) -> Result<bool, Failure> {
        Ok(match self {
            Self::Is(kind, wanted) => {
                let is = match kind {
                    Kind::Null => value.is_null(),
                    Kind::Present => true,
                    Kind::Numeric => value.is_number(),
                    Kind::String => value.is_string(),
                    Kind::Boolean => value.is_boolean(),
                    Kind::Timestamp => value.as_str().and_then(timestamp).is_some(),
                };
                is == *wanted
            }
            Self::Matches(pattern) => value.as_str().is_some_and(|text| matches(pattern, text)),
            Self::Compare(kind, relation, operand) => {
                let found;
                let operand = match operand {
                    Operand::Value(value) => value,
                    Operand::Path(path) => {
                        found = path.find(data, context).ok_or_else(|| missing(path))?;
                        &found
                    }
                };
                let both = kind.of(value).zip(kind.of(operand));
                both.and_then(|(a, b)| a.partial_cmp(&b)).is_some_and(|order| relation.holds(order))
            }
        })
    }
}

fn missing(path: &Path) -> Failure {
    Failure::runtime(format!("Invalid path '{}': it references an invalid value.", path.as_str()))
}

/// Whether a text matches a pattern in which `*` stands for any characters; `\*` and
/// `\\` stand for themselves.
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
    fn stars_match_anything() {
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
