//! The report of an evaluation.

use cartwheel_recommend::metrics::{Bin, Mean};
use serde::{Deserialize, Serialize};

/// Quality on users whose newest orders no training row contains: the gate users, or all
/// users by cross-validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Report {
    /// The feature set that defines the users.
    pub feature_set: String,
    /// The evaluated model; null without one.
    pub model: Option<String>,
    /// The number of users whose newest orders it is judged by.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub users: usize,
    /// Folds of cross-validation; 0 if the users are the gate's.
    #[serde(default)]
    pub folds: u32,
    /// The baselines, then the model.
    pub methods: Vec<Method>,
    /// The share of bought products among the candidates, with an empty cart.
    pub candidate_recall: Mean,
    /// Log-loss in nats per candidate.
    pub log_loss: f64,
    /// Expected calibration error.
    pub calibration_error: f64,
    /// Ten bins of equal size, by rising probability. Empty in reports of early versions.
    #[serde(default)]
    pub calibration: Vec<Bin>,
    /// Recall@10 for the rest of a half-filled cart.
    pub half_cart_recall_at_10: Mean,
    /// The comparison with the serving model, or with popularity.
    pub comparison: Comparison,
}

/// Recall@10 of the model minus the reference's, user by user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Comparison {
    /// The reference: a model's version, or `popular`.
    pub reference: String,
    /// Whether the reference is a model.
    pub serving: bool,
    /// The mean difference.
    pub difference: Mean,
    /// Recall@10 of the reference. Null in reports of early versions.
    #[serde(default)]
    pub recall_at_10: Option<Mean>,
}

/// The figures of one method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Method {
    /// A baseline's name, `model`, or `no model`.
    pub name: String,
    /// The share of the basket among the first 10.
    pub recall_at_10: Mean,
    /// Normalised discounted cumulative gain of the first 10.
    pub ndcg_at_10: Mean,
    /// The share of users with at least one hit among the first 10.
    pub phr_at_10: Mean,
    /// The share of the basket among the first 20.
    pub recall_at_20: Mean,
    /// Normalised discounted cumulative gain of the first 20.
    pub ndcg_at_20: Mean,
    /// The share of users with at least one hit among the first 20.
    pub phr_at_20: Mean,
}

impl Report {
    /// Recall@10 of the evaluated model, if there is one.
    pub fn recall_at_10(&self) -> Option<Mean> {
        self.method("model").map(|method| method.recall_at_10)
    }

    fn method(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// Says how good the model is, claiming no more than the figures show. The text has no
    /// full stop.
    pub fn quality(&self) -> String {
        let recall = |name: &str| self.method(name).map(|method| method.recall_at_10.mean);
        let popular = match (recall("model"), recall("popular")) {
            (Some(model), Some(popular)) if popular > 0.0 => {
                let share = 100.0 * (model / popular - 1.0);
                let word = if share < 0.0 { "Worse" } else { "Better" };
                format!("{word} than popularity by {:.0} %", share.abs())
            }
            (Some(model), _) => format!("Recall@10 of {model:.3}"),
            (None, _) => return NOT_EVALUATED.to_owned(),
        };
        let Comparison { serving, difference, reference, .. } = &self.comparison;
        let against = match (serving, difference.mean, difference.se) {
            (false, ..) => String::new(),
            // Two standard errors: about 95 % of chance differences lie within.
            (true, mean, se) if mean > 2.0 * se => format!(", better than {reference}"),
            (true, mean, se) if mean < -2.0 * se => format!(", worse than {reference}"),
            (true, mean, _) if mean > 0.0 => format!(", not clearly better than {reference}"),
            (true, ..) => format!(", not yet better than {reference}"),
        };
        let users = match self.folds {
            0 => format!("{} gate users", self.users),
            folds => format!("{folds}-fold cross-validation over {} users", self.users),
        };
        format!("{popular}{against} ({users})")
    }
}

/// The quality of a model without a report.
pub const NOT_EVALUATED: &str = "Not evaluated yet";

/// A report of 120 gate users, for tests. `se` is the standard error of each figure.
#[cfg(test)]
pub(crate) fn sample(model: f64, popular: f64, serving: bool, difference: f64, se: f64) -> Report {
    let at = |mean| Mean { mean, se };
    let method = |name: &str, recall| Method {
        name: name.to_owned(),
        recall_at_10: at(recall),
        ndcg_at_10: at(0.0),
        phr_at_10: at(0.0),
        recall_at_20: at(0.0),
        ndcg_at_20: at(0.0),
        phr_at_20: at(0.0),
    };
    Report {
        feature_set: "f".to_owned(),
        model: Some("m-2".to_owned()),
        users: 120,
        folds: 0,
        methods: vec![method("popular", popular), method("model", model)],
        candidate_recall: at(0.8),
        log_loss: 0.1,
        calibration_error: 0.01,
        calibration: Vec::new(),
        half_cart_recall_at_10: at(0.3),
        comparison: Comparison {
            reference: if serving { "m-1" } else { "popular" }.to_owned(),
            serving,
            difference: Mean { mean: difference, se },
            recall_at_10: Some(at(popular)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_claims_no_more_than_its_figures_show() {
        assert_eq!(
            sample(0.276, 0.2, false, 0.076, 0.01).quality(),
            "Better than popularity by 38 % (120 gate users)"
        );
        assert_eq!(
            sample(0.276, 0.2, true, -0.001, 0.01).quality(),
            "Better than popularity by 38 %, not yet better than m-1 (120 gate users)"
        );
        let quality = |difference| sample(0.3, 0.2, true, difference, 0.01).quality();
        assert!(quality(0.01).contains("not clearly better than m-1"));
        assert!(quality(0.03).contains(", better than m-1"));
        assert!(quality(-0.03).contains(", worse than m-1"));
        let worse = sample(0.1, 0.2, false, -0.1, 0.01).quality();
        assert!(worse.starts_with("Worse than popularity by 50"), "{worse}");
        let alone = sample(0.1, 0.0, false, 0.1, 0.01).quality();
        assert!(alone.starts_with("Recall@10 of 0.100"), "{alone}");
        let folds = Report { folds: 5, ..sample(0.276, 0.2, false, 0.076, 0.01) }.quality();
        assert!(folds.ends_with("(5-fold cross-validation over 120 users)"), "{folds}");
    }

    #[test]
    fn a_report_survives_its_json() {
        let report = sample(0.276, 0.2, true, 0.01, 0.01);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(serde_json::from_value::<Report>(json.clone()).unwrap(), report);
        let mut early = json;
        for field in ["calibration", "folds"] {
            early.as_object_mut().unwrap().remove(field);
        }
        early["comparison"].as_object_mut().unwrap().remove("recall_at_10");
        let early: Report = serde_json::from_value(early).unwrap();
        assert!(early.calibration.is_empty() && early.folds == 0);
        assert_eq!(early.comparison.recall_at_10, None);
    }
}
