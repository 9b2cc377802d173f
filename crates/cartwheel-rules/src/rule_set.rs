//! The checked rules of a shop.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::check::{MAX_RULES, check};
use crate::checked::Checked;
use crate::document::{Action, Rule, Rules};
use crate::problem::{Problem, Problems};

/// The active rules of a document, checked. The default has no rule.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleSet {
    /// By precedence: the first of two rules that contradict one another wins.
    pub(crate) rules: Vec<Checked>,
}

impl RuleSet {
    /// Checks every rule of a document, and keeps the active ones. Precedence is by priority; of
    /// the same priority, blocks come first, and then the order is that of the ids.
    ///
    /// # Errors
    /// Every mistake of the document.
    pub fn new(document: &Rules) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        if document.rules.len() > MAX_RULES {
            let problem = format!("There are {} rules.", document.rules.len());
            return Err(Problems(vec![Problem::new("rules", problem, "at most 200 rules")]));
        }
        let mut ids = BTreeSet::new();
        let mut rules = Vec::new();
        for rule in &document.rules {
            match check(rule) {
                Ok(checked) if !ids.insert(&rule.id) => problems.push(Problem {
                    rule: checked.rule.id,
                    ..Problem::new("id", "Another rule has this id.", "an id of its own")
                }),
                Ok(checked) => rules.push(checked),
                Err(mut found) => problems.append(&mut found),
            }
        }
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        rules.retain(|checked| checked.rule.active);
        rules.sort_by(|a, b| precedence(&a.rule).cmp(&precedence(&b.rule)));
        Ok(Self { rules })
    }

    /// Whether no rule is active.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

fn precedence(rule: &Rule) -> (Reverse<i32>, bool, &str) {
    let blocks = matches!(
        rule.action,
        Action::Block {} | Action::OnlyWith { .. } | Action::NeverWith { .. }
    );
    (Reverse(rule.priority), !blocks, &rule.id)
}
