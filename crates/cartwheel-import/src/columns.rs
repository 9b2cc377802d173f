//! The columns of a source, as a person who maps them sees them.

use serde::Serialize;

use crate::recognise::Sample;

/// Values of a column that are shown.
const EXAMPLES: usize = 3;
/// Longest value that is shown, in characters.
const LONGEST_EXAMPLE: usize = 60;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The first different values, as they are written.
    pub examples: Vec<String>,
}

impl Column {
    /// A column whose values are not known yet.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), examples: Vec::new() }
    }

    /// Adds a value to the examples. Returns whether there is room for more.
    pub(crate) fn show(&mut self, value: &str) -> bool {
        if self.examples.len() < EXAMPLES {
            let value: String = value.chars().take(LONGEST_EXAMPLE).collect();
            if !self.examples.contains(&value) {
                self.examples.push(value);
            }
        }
        self.examples.len() < EXAMPLES
    }
}

/// The columns of a sample, in their order.
pub(crate) fn columns(sample: &Sample) -> Vec<Column> {
    let column = |name: &String| {
        let mut column = Column::new(name);
        let _ = sample.values(name).all(|value| column.show(value));
        column
    };
    sample.columns.iter().map(column).collect()
}
