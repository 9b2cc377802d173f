//! Payload templates: JSON in which fields with a name ending in `.$` are computed.

use serde_json::Value;

use crate::expression::{Expression, Scope};
use crate::failure::Failure;

/// A payload template.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    Literal(Value),
    Computed(Expression),
    Object(Vec<Field>),
    Array(Vec<Template>),
}

/// A field of an object in a template.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// The name in the result, without `.$`.
    name: String,
    value: Template,
}

impl Template {
    /// Parses the template at `place`. Calls `report` with the place and the description
    /// of each problem.
    pub(crate) fn parse(value: &Value, place: &str, report: &mut dyn FnMut(&str, String)) -> Self {
        match value {
            Value::Object(raw) => {
                let mut fields = Vec::with_capacity(raw.len());
                for (name, value) in raw {
                    let place = format!("{place}.{name}");
                    let Some(plain) = name.strip_suffix(".$") else {
                        let value = Self::parse(value, &place, report);
                        fields.push(Field { name: name.clone(), value });
                        continue;
                    };
                    if raw.contains_key(plain) {
                        report(&place, format!("defines {plain:?} a second time"));
                    }
                    match value.as_str().map(Expression::parse) {
                        Some(Ok(expression)) => fields.push(Field {
                            name: plain.to_owned(),
                            value: Self::Computed(expression),
                        }),
                        Some(Err(problem)) => report(&place, problem),
                        None => {
                            let message = "must be a string: a path or an intrinsic function";
                            report(&place, message.to_owned());
                        }
                    }
                }
                Self::Object(fields)
            }
            Value::Array(items) => {
                let parse = |(index, item)| Self::parse(item, &format!("{place}[{index}]"), report);
                Self::Array(items.iter().enumerate().map(parse).collect())
            }
            literal => Self::Literal(literal.clone()),
        }
    }

    /// Computes the template's value.
    ///
    /// # Errors
    /// As [`Expression::evaluate`].
    pub(crate) fn fill(&self, scope: &mut Scope<'_>) -> Result<Value, Failure> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Computed(expression) => expression.evaluate(scope)?,
            Self::Object(fields) => {
                let fields: Result<_, Failure> = fields
                    .iter()
                    .map(|field| Ok((field.name.clone(), field.value.fill(scope)?)))
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
