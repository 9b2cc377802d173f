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

/// The columns of a sample, in their order.
pub(crate) fn columns(sample: &Sample) -> Vec<Column> {
    let column = |name: &String| {
        let mut examples: Vec<String> = Vec::new();
        for value in sample.values(name) {
            let value: String = value.chars().take(LONGEST_EXAMPLE).collect();
            if !examples.contains(&value) {
                examples.push(value);
            }
            if examples.len() == EXAMPLES {
                break;
            }
        }
        Column { name: name.clone(), examples }
    };
    sample.columns.iter().map(column).collect()
}
