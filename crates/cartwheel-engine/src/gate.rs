//! The gate's decision on an evaluated model.

use cartwheel_registry::{Evaluation, Release};
use serde_json::{Value, json};

use crate::report::Report;

/// Renders an evaluation for the state machine's gate: the deciding figures and the whole
/// report.
///
/// # Errors
/// When the report cannot be written as JSON.
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

/// The consequences of the gate's decision.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Consequences {
    /// The decision to record on the model. `None` when the serving model is rejected against
    /// itself: it keeps its earlier decision.
    pub(crate) note: Option<Evaluation>,
    /// The release that follows a rejection: the new features with the serving model.
    pub(crate) release: Option<Release>,
}

/// Derives the consequences of a decision. `new` pairs the new feature set with the model
/// that was evaluated; `serving` is the serving model if it takes the same columns.
pub(crate) fn consequences(
    new: &Release,
    serving: Option<&str>,
    decision: Evaluation,
) -> Consequences {
    let passed = decision.passed;
    // The same data trains the same model, which is then compared with itself.
    let same = !passed && serving == new.model.as_deref();
    let release = serving
        .filter(|_| !passed)
        .map(|serving| Release { model: Some(serving.to_owned()), ..new.clone() });
    Consequences { note: (!same).then_some(decision), release }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(model: &str) -> Release {
        Release {
            feature_set: "fs-2".to_owned(),
            model: Some(model.to_owned()),
            schema_hash: "h".to_owned(),
        }
    }

    fn decision(passed: bool) -> Evaluation {
        Evaluation { run: "r".to_owned(), passed, decided_ms: 1, report: Value::Null }
    }

    #[test]
    fn an_accepted_model_is_noted_and_left_to_publication() {
        for serving in [None, Some("m-1"), Some("m-2")] {
            let derived = consequences(&release("m-2"), serving, decision(true));
            assert_eq!(derived, Consequences { note: Some(decision(true)), release: None });
        }
    }

    #[test]
    fn a_rejection_releases_the_new_features_with_the_serving_model() {
        let derived = consequences(&release("m-2"), Some("m-1"), decision(false));
        assert_eq!(derived.note, Some(decision(false)));
        assert_eq!(derived.release, Some(release("m-1")));
        let derived = consequences(&release("m-2"), None, decision(false));
        assert_eq!(derived, Consequences { note: Some(decision(false)), release: None });
    }

    #[test]
    fn the_serving_model_keeps_its_own_decision() {
        let derived = consequences(&release("m-1"), Some("m-1"), decision(false));
        assert_eq!(derived, Consequences { note: None, release: Some(release("m-1")) });
    }
}
