//! The parser of definitions. It reports all problems at once.

mod choice;
mod fields;
mod machine;
mod state;
mod work_fields;

use serde_json::Value;

use crate::definition::Machine;
use crate::problem::InvalidDefinition;

impl Machine {
    /// Parses a definition in the Amazon States Language with JSONPath.
    ///
    /// # Errors
    /// All problems of the definition.
    pub fn parse(definition: &Value) -> Result<Self, InvalidDefinition> {
        let mut parser = fields::Parser::default();
        let machine = parser.machine(definition, "", &machine::TOP_FIELDS);
        let problems = parser.into_problems();
        match machine {
            Some(machine) if problems.is_empty() => Ok(machine),
            _ => Err(InvalidDefinition(problems)),
        }
    }
}
