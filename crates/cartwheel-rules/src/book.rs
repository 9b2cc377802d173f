//! A document of rules together with what it means.

use serde::{Deserialize, Serialize};

use crate::document::Rules;
use crate::problem::Problems;
use crate::rule_set::RuleSet;

/// A document that is checked when it is read, so that rules are compiled once and not for each
/// request. It is written as its document.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Rules", into = "Rules")]
pub struct RuleBook {
    document: Rules,
    set: RuleSet,
}

impl RuleBook {
    /// The document.
    pub fn document(&self) -> &Rules {
        &self.document
    }

    /// Its active rules.
    pub fn set(&self) -> &RuleSet {
        &self.set
    }
}

impl TryFrom<Rules> for RuleBook {
    type Error = Problems;

    fn try_from(document: Rules) -> Result<Self, Problems> {
        let set = RuleSet::new(&document)?;
        Ok(Self { document, set })
    }
}

impl From<RuleBook> for Rules {
    fn from(book: RuleBook) -> Self {
        book.document
    }
}
