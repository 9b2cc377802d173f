//! Mistakes in a document of rules.

use std::fmt;

use cartwheel_filter::FilterError;
use serde::Serialize;

/// A mistake in a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = RuleProblem))]
pub struct Problem {
    /// The id of the rule; empty if the problem is the document's.
    pub rule: String,
    /// The field of the rule, such as `scope.segment`.
    pub field: String,
    /// A sentence.
    pub problem: String,
    /// What would have been accepted.
    pub expected: String,
    /// In an expression: the character where the problem begins, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<u64>))]
    pub position: Option<usize>,
    /// In an expression: the text around the problem, and a line with carets under it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

impl Problem {
    pub(crate) fn new(field: &str, problem: impl Into<String>, expected: &str) -> Self {
        Self {
            rule: String::new(),
            field: field.to_owned(),
            problem: problem.into(),
            expected: expected.to_owned(),
            position: None,
            excerpt: None,
        }
    }

    /// The mistake of an expression.
    pub(crate) fn of_expression(field: &str, error: &FilterError) -> Self {
        Self {
            position: Some(error.position()),
            excerpt: Some(error.excerpt().to_owned()),
            ..Self::new(field, error.to_string(), error.expected())
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, field, problem, expected, .. } = self;
        match rule.is_empty() {
            true => write!(f, "{field}: {problem} Expected {expected}."),
            false => write!(f, "rule {rule}, {field}: {problem} Expected {expected}."),
        }
    }
}

/// Every mistake of a document; at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if place == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}
