//! Reads a Choice state and its rules.

use super::fields::{Fields, Parser};
use crate::choice::{Comparison, Condition};
use crate::definition::{ChoiceRule, StateKind};
use crate::problem::join;

/// The fields of a top-level rule that are not operators.
const RULE_FIELDS: [&str; 3] = ["Variable", "Comment", "Next"];
/// The fields of a nested rule that are not operators.
const NESTED_RULE_FIELDS: [&str; 2] = ["Variable", "Comment"];

impl Parser {
    pub(super) fn choice(&mut self, fields: &Fields, place: &str) -> Option<StateKind> {
        self.check_state_fields(fields, &["Choices", "Default"], place);
        let default = self.string(fields, "Default", place).map(str::to_owned);
        let place = join(place, "Choices");
        let choices = self.non_empty_array(fields.get("Choices"), &place, "rules")?;
        let mut rules = Vec::with_capacity(choices.len());
        for (index, choice) in choices.iter().enumerate() {
            let place = format!("{place}[{index}]");
            let Some(fields) = self.object(choice, &place) else { continue };
            let next = self.required(fields, "Next", &place).map(str::to_owned);
            let condition = self.condition(fields, &place, &RULE_FIELDS);
            let rule = condition.zip(next);
            rules.extend(rule.map(|(condition, next)| ChoiceRule { condition, next }));
        }
        Some(StateKind::Choice { rules, default })
    }

    fn condition(
        &mut self,
        fields: &Fields,
        place: &str,
        other_fields: &[&str],
    ) -> Option<Condition> {
        let mut operators =
            fields.keys().map(String::as_str).filter(|name| !other_fields.contains(name));
        let (operator, more) = (operators.next(), operators.next());
        let Some(operator) = operator.filter(|_| more.is_none()) else {
            self.report(place, "needs exactly one comparison operator, And, Or or Not");
            return None;
        };
        let operator_place = join(place, operator);
        let operand = fields.get(operator)?;
        match operator {
            "And" | "Or" => {
                let items = self.non_empty_array(Some(operand), &operator_place, "rules")?;
                let mut conditions = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let place = format!("{operator_place}[{index}]");
                    let fields = self.object(item, &place);
                    conditions.extend(
                        fields.and_then(|f| self.condition(f, &place, &NESTED_RULE_FIELDS)),
                    );
                }
                Some(match operator {
                    "And" => Condition::And(conditions),
                    _ => Condition::Or(conditions),
                })
            }
            "Not" => {
                let fields = self.object(operand, &operator_place)?;
                let condition = self.condition(fields, &operator_place, &NESTED_RULE_FIELDS)?;
                Some(Condition::Not(Box::new(condition)))
            }
            _ => {
                if !fields.contains_key("Variable") {
                    self.report(&join(place, "Variable"), "is missing");
                }
                let variable = self.path(fields, "Variable", place);
                let comparison = match Comparison::parse(operator, operand) {
                    Some(parsed) => parsed.map_err(|e| self.report(&operator_place, e)).ok(),
                    None => {
                        self.report(&operator_place, "is not a comparison operator");
                        None
                    }
                };
                Some(Condition::Compare { variable: variable?, comparison: comparison? })
            }
        }
    }
}
