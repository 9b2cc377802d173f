//! Which columns of a feed mean what, where their names do not tell.

use std::collections::BTreeMap;

use crate::error::ImportError;
use crate::feed::columns::{ATTRIBUTES, fields};

/// The columns of some fields of a feed. Other fields are recognised by the names of columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedMapping(BTreeMap<String, Vec<String>>);

impl FeedMapping {
    /// The fields that columns may be mapped to, without those of attributes.
    pub fn fields() -> impl Iterator<Item = &'static str> {
        fields()
    }

    /// Adds `name=title`. Several columns are separated by commas: the first one with a text
    /// counts. Without a column, the field is left out.
    ///
    /// # Errors
    /// When the text has another form or names no field.
    pub fn assign(&mut self, text: &str) -> Result<(), ImportError> {
        let failed = |problem: String| ImportError::Options(format!("--map {text}: {problem}"));
        let Some((field, columns)) = text.split_once('=') else {
            return Err(failed("expected FIELD=COLUMN, such as name=title".to_owned()));
        };
        let field = field.trim();
        let is_attribute = field.strip_prefix(ATTRIBUTES).is_some_and(|name| !name.is_empty());
        if !is_attribute && !fields().any(|known| known == field) {
            let known = fields().collect::<Vec<_>>().join(", ");
            let problem =
                format!("{field} is not a field; the fields are {known}, {ATTRIBUTES}NAME");
            return Err(failed(problem));
        }
        let columns = columns.split(',').map(str::trim).filter(|column| !column.is_empty());
        self.0.insert(field.to_owned(), columns.map(str::to_owned).collect());
        Ok(())
    }

    /// Whether nothing is mapped.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The columns of a field. `None` if they are to be recognised.
    pub(super) fn columns(&self, field: &str) -> Option<&[String]> {
        self.0.get(field).map(Vec::as_slice)
    }

    /// The attributes, as fields with their columns.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &[String])> {
        let fields = self.0.iter().filter(|(field, _)| field.starts_with(ATTRIBUTES));
        fields.map(|(field, columns)| (field.as_str(), columns.as_slice()))
    }

    /// Whether a column is mapped.
    pub(super) fn names(&self, column: &str) -> bool {
        self.0.values().flatten().any(|mapped| mapped == column)
    }
}
