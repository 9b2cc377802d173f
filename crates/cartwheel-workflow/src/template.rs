//! Payload templates: JSON whose fields ending in `.$` are computed.

use serde_json::Value;

use crate::failure::Failure;
use crate::intrinsic::Expression;
use crate::scope::Scope;

/// A payload template.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    Literal(Value),
    Computed(Expression),
    Object(Vec<(String, Template)>),
    Array(Vec<Template>),
}

impl Template {
    /// Parses a template; `wrong` is told the place within it and what is wrong.
    pub(crate) fn parse(value: &Value, place: &str, wrong: &mut dyn FnMut(&str, String)) -> Self {
        match value {
            Value::Object(fields) => {
                let mut out = Vec::with_capacity(fields.len());
                for (name, value) in fields {
                    let place = format!("{place}.{name}");
                    let Some(plain) = name.strip_suffix(".$") else {
                        out.push((name.clone(), Self::parse(value, &place, wrong)));
                        continue;
                    };
                    if fields.contains_key(plain) {
                        wrong(&place, format!("{plain:?} is there twice"));
                    }
                    match value.as_str().map(Expression::parse) {
                        Some(Ok(e)) => out.push((plain.to_owned(), Self::Computed(e))),
                        Some(Err(why)) => wrong(&place, why),
                        None => wrong(&place, "must be a string: a path or a function".to_owned()),
                    }
                }
                Self::Object(out)
            }
            Value::Array(items) => {
                let parse = |(at, item)| Self::parse(item, &format!("{place}[{at}]"), wrong);
                Self::Array(items.iter().enumerate().map(parse).collect())
            }
            literal => Self::Literal(literal.clone()),
        }
    }

    /// Fills the template.
    ///
    /// # Errors
    /// As [`Expression::value`].
    pub(crate) fn fill(&self, scope: &mut Scope<'_>) -> Result<Value, Failure> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Computed(expression) => expression.value(scope)?,
            Self::Object(fields) => {
                let fields: Result<_, Failure> = fields
                    .iter()
                    .map(|(name, field)| Ok((name.clone(), field.fill(scope)?)))
                    .collect();
                Value::Object(fields?)
            }
            Self::Array(items) => {
                let items: Result<_, Failure> = items.iter().map(|item| item.fill(scope)).collect();
                Value::Array(items?)
            }
        })
    }
}
