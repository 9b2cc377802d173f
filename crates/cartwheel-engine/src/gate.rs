//! What follows from an evaluation.

use cartwheel_registry::{Evaluation, Release};
use serde_json::{Value, json};

use crate::report::Report;

/// What the gate's Choice reads: `report` in short, with the report itself.
pub fn summary(model: &str, report: &Report) -> Result<Value, serde_json::Error> {
    let comparison = &report.comparison;
    Ok(json!({
        "model": model,
        "users": report.users,
        "serving": comparison.serving,
        "reference": comparison.reference,
        "difference": comparison.difference.mean,
        "standard_error": comparison.difference.se,
        "report": serde_json::to_value(report)?,
    }))
}

/// What is to be written down and what is to serve.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The verdict, where it is one on another model than the one that serves.
    pub evaluation: Option<Evaluation>,
    /// After a rejection: the new features with the serving model, where both have
    /// the same columns.
    pub release: Option<Release>,
}

/// Draws the gate's conclusion. `new` names the new feature set with the model that
/// was judged; `serving` is the model that serves, if it takes the same columns.
pub fn decide(new: &Release, serving: Option<&str>, evaluation: Evaluation) -> Decision {
    let passed = evaluation.passed;
    // The serving model, trained again from the same data, stays what it is.
    let known = !passed && serving == new.model.as_deref();
    let release = serving
        .filter(|_| !passed)
        .map(|serving| Release { model: Some(serving.to_owned()), ..new.clone() });
    Decision { evaluation: (!known).then_some(evaluation), release }
}
