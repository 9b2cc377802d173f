//! The gate: what a model is judged by, and what follows from a decision.

use cartwheel_feature_set::Manifest;
use cartwheel_registry::{Evaluation, Release};
use serde::{Deserialize, Serialize};

/// The gate's settings, as the state machine's input has them.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default)]
pub struct GateSettings {
    /// By how much the Recall@10 has to exceed that of a serving model.
    pub margin: f64,
    /// Held-out users that the gate asks for.
    pub min_users: u64,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self { margin: 0.0, min_users: 20 }
    }
}

/// The evidence on which a model of a feature set is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgedBy {
    /// The newest orders of users whom no training row contains.
    Gate,
    /// Models of several folds, each for the users that it was trained without.
    CrossValidation,
    /// There are too few users for either.
    Nothing,
}

/// Chooses how a model of a feature set is judged.
pub fn judged_by(manifest: &Manifest, settings: &GateSettings) -> JudgedBy {
    if manifest.gate_users() >= settings.min_users.max(1) {
        JudgedBy::Gate
    } else if manifest.cross_folds.is_empty() {
        JudgedBy::Nothing
    } else {
        JudgedBy::CrossValidation
    }
}

/// The serving model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServingModel {
    /// Its version.
    pub version: String,
    /// Whether it was released by cross-validation only.
    pub provisional: bool,
}

impl ServingModel {
    /// The version that a new model has to exceed. A provisional model sets no standard:
    /// whatever passes the gate replaces it.
    pub fn standard(serving: Option<&Self>) -> Option<&str> {
        serving.filter(|model| !model.provisional).map(|model| model.version.as_str())
    }
}

/// The consequences of the gate's decision.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Consequences {
    /// The decision to record on the model. `None` when the serving model is rejected against
    /// itself: it keeps its earlier decision.
    pub(crate) note: Option<Evaluation>,
    /// The release that follows a rejection: the new features with the serving model, or
    /// without a model.
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
    let release = (!passed).then(|| Release { model: serving.map(str::to_owned), ..new.clone() });
    Consequences { note: (!same).then_some(decision), release }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn release(model: Option<&str>) -> Release {
        Release {
            feature_set: "fs-2".to_owned(),
            model: model.map(str::to_owned),
            schema_hash: "h".to_owned(),
            variant: None,
            challenger: None,
        }
    }

    fn decision(passed: bool) -> Evaluation {
        let (run, report) = ("r".to_owned(), Value::Null);
        Evaluation { run, passed, provisional: false, decided_ms: 1, report }
    }

    #[test]
    fn an_accepted_model_is_noted_and_left_to_publication() {
        for serving in [None, Some("m-1"), Some("m-2")] {
            let derived = consequences(&release(Some("m-2")), serving, decision(true));
            assert_eq!(derived, Consequences { note: Some(decision(true)), release: None });
        }
    }

    #[test]
    fn a_rejection_releases_the_new_features_with_the_serving_model_or_without_one() {
        for serving in [Some("m-1"), None] {
            let derived = consequences(&release(Some("m-2")), serving, decision(false));
            let expected =
                Consequences { note: Some(decision(false)), release: Some(release(serving)) };
            assert_eq!(derived, expected);
        }
    }

    #[test]
    fn the_serving_model_keeps_its_own_decision() {
        let derived = consequences(&release(Some("m-1")), Some("m-1"), decision(false));
        assert_eq!(derived, Consequences { note: None, release: Some(release(Some("m-1"))) });
    }
}
