//! The values that a request gives to its expression.

use std::collections::BTreeMap;

use cartwheel_events::Invalid;
use serde_json::{Map, Value};

use crate::ast::Literal;
use crate::decimal::Decimal;

/// Most values of a context.
const MAX_VALUES: usize = 50;
/// Longest text, in characters.
const MAX_TEXT: usize = 200;
/// Most texts of a list.
const MAX_LIST: usize = 200;

const VALUES: &str = "at most 50 names of 1 to 200 characters";
const VALUE: &str = "a text of at most 200 characters, a number, true, false, null, or a list of at \
                     most 200 such texts";

/// Values by name: texts, numbers, flags and lists of texts. Null is a value that is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context(BTreeMap<String, Literal>);

impl Context {
    /// Reads the values of a request.
    ///
    /// # Errors
    /// The first value that is neither a text, a number, a flag, null nor a list of texts, or that
    /// is too large.
    pub fn from_json(values: Map<String, Value>) -> Result<Self, Invalid> {
        let too_long = |text: &str| text.chars().count() > MAX_TEXT;
        let invalid = |field: String, problem: &str, expected| Invalid {
            field,
            problem: problem.to_owned(),
            expected,
        };
        if values.len() > MAX_VALUES || values.keys().any(|name| name.is_empty() || too_long(name))
        {
            return Err(invalid("context".to_owned(), "has too many or too long names", VALUES));
        }
        let mut read = BTreeMap::new();
        for (name, value) in values {
            let literal = literal(value).ok_or_else(|| {
                let shown: String = name.chars().take(64).collect();
                invalid(format!("context.{shown}"), "is no value for a filter", VALUE)
            })?;
            read.insert(name, literal);
        }
        Ok(Self(read))
    }

    /// A value that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Literal::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Literal> {
        self.0.get(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn literal(value: Value) -> Option<Literal> {
    let text = |text: String| (text.chars().count() <= MAX_TEXT).then_some(text);
    Some(match value {
        Value::Null => Literal::Missing,
        Value::Bool(flag) => Literal::Flag(flag),
        Value::Number(number) => Literal::Number(Decimal::of(&number)?),
        Value::String(value) => Literal::Text(text(value)?),
        Value::Array(list) if list.len() <= MAX_LIST => {
            let entry = |value| match value {
                Value::String(value) => text(value),
                _ => None,
            };
            Literal::Texts(list.into_iter().map(entry).collect::<Option<_>>()?)
        }
        Value::Array(_) | Value::Object(_) => return None,
    })
}
