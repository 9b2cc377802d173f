//! The report of an evaluation.

use cartwheel_feature_set::Label;
use cartwheel_recommend::due_dates::DueDates;
use cartwheel_recommend::metrics::{Bin, Mean};
use cartwheel_recommend::paired::Paired;
use cartwheel_recommend::slices::Slices;
use serde::{Deserialize, Serialize};

/// Quality on users whom training held out: the gate users, or all users by cross-validation.
/// Errors are clustered by user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Report {
    /// The feature set that defines the users.
    pub feature_set: String,
    /// The evaluated model; null without one.
    pub model: Option<String>,
    /// The number of users that it is judged by.
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub users: usize,
    /// The number of questions to these users that have an answer: one a user if the label is the next
    /// basket. Without an answer, a question counts for the calibration and the log-loss alone. 0 in
    /// reports of early versions.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = u64))]
    pub questions: usize,
    /// Folds of cross-validation; 0 if the users are the gate's.
    #[serde(default)]
    pub folds: u32,
    /// If the model was trained on orders before a time and is judged by the first order of each
    /// user after it: that time, UTC milliseconds. Null if users are judged by their newest orders.
    #[serde(default)]
    pub since_ms: Option<i64>,
    /// The label whose probability is predicted: `next_basket`, `next_interaction`, `next_purchase`, or
    /// events with weights such as `purchase=1, cart=0.3`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub label: Label,
    /// The event in words, as the end of "the probability that …". Empty in reports of early versions.
    #[serde(default)]
    pub event: String,
    /// The baselines, then the model.
    pub methods: Vec<Method>,
    /// The share of the answers' products that are among the candidates.
    pub candidate_recall: Mean,
    /// Log-loss in nats per candidate.
    pub log_loss: f64,
    /// Expected calibration error: the mean distance between predicted and observed rates of the
    /// bins, each weighted by its candidates (Naeini et al., AAAI 2015).
    pub calibration_error: f64,
    /// Ten bins of equal size, by rising probability. Empty in reports of early versions.
    #[serde(default)]
    pub calibration: Vec<Bin>,
    /// Recall@10 for the rest of a half-filled cart.
    pub half_cart_recall_at_10: Mean,
    /// How well the dates of next purchases hold. Null if the label is not the next basket, if no
    /// product of the answers was bought before, and in reports of early versions.
    #[serde(default)]
    pub due_dates: Option<DueDates>,
    /// The comparison with the serving model, or with popularity.
    pub comparison: Comparison,
}

/// Recall@10 of the model minus the reference's, question by question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Comparison {
    /// The reference: a model's version, or `popular`.
    pub reference: String,
    /// Whether the reference is a model.
    pub serving: bool,
    /// The mean difference.
    pub difference: Mean,
    /// The probability of a difference at least as large if the true one were 0: two-sided, by
    /// the normal approximation. Null in reports of early versions.
    #[serde(default)]
    pub p_value: Option<f64>,
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
    /// The share of questions with at least one hit among the first 10.
    pub phr_at_10: Mean,
    /// The share of the basket among the first 20.
    pub recall_at_20: Mean,
    /// Normalised discounted cumulative gain of the first 20.
    pub ndcg_at_20: Mean,
    /// The share of questions with at least one hit among the first 20.
    pub phr_at_20: Mean,
    /// Recall@10 of the judged model, or of the ranking without a model, minus that of this
    /// method, question by question. Null for the model itself and in reports of early versions.
    #[serde(default)]
    pub model_lead: Option<Paired>,
    /// The figures by slices. Null in reports of early versions.
    #[serde(default)]
    pub slices: Option<Slices>,
}

impl Method {
    /// Whether it is a baseline, neither the judged model nor the ranking without a model.
    fn is_baseline(&self) -> bool {
        !matches!(self.name.as_str(), "model" | "no model")
    }
}

impl Report {
    /// Recall@10 of the evaluated model, if there is one.
    pub fn recall_at_10(&self) -> Option<Mean> {
        self.method("model").map(|method| method.recall_at_10)
    }

    fn method(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// The baseline with the highest Recall@10.
    pub fn strongest(&self) -> Option<&Method> {
        let baselines = self.methods.iter().filter(|method| method.is_baseline());
        baselines.max_by(|a, b| a.recall_at_10.mean.total_cmp(&b.recall_at_10.mean))
    }

    /// Says how good the model is, claiming no more than the figures show. The text has no
    /// full stop.
    pub fn quality(&self) -> String {
        let Some(recall) = self.recall_at_10() else { return NOT_EVALUATED.to_owned() };
        let recall = format!("Recall@10 of {:.3}", recall.mean);
        let Comparison { serving, difference, reference, .. } = &self.comparison;
        let against = match serving {
            true => format!(", {} {reference}", relation(difference.mean, difference.se)),
            false => String::new(),
        };
        let users = match self.folds {
            0 if self.since_ms.is_some() => format!("{} users with later orders", self.users),
            0 => format!("{}{} gate users", self.asked(), self.users),
            folds => {
                format!("{folds}-fold cross-validation over {}{} users", self.asked(), self.users)
            }
        };
        format!("{recall}{}{against} ({users})", self.against_strongest())
    }

    /// The number of questions, if users were asked several: the beginning of "… 20 users".
    pub fn asked(&self) -> String {
        match self.questions > self.users {
            true => format!("{} questions to ", self.questions),
            false => String::new(),
        }
    }

    /// How the model compares with the strongest baseline.
    fn against_strongest(&self) -> String {
        let Some(strongest) = self.strongest() else { return String::new() };
        let name = &strongest.name;
        match strongest.model_lead {
            Some(Paired { mean, se, .. }) => {
                let relation = relation(mean, se);
                format!(", {relation} {name}, the strongest baseline ({mean:+.3} ± {se:.3})")
            }
            None => {
                let recall = strongest.recall_at_10.mean;
                format!(", against {recall:.3} of {name}, the strongest baseline")
            }
        }
    }
}

/// Puts a difference into words. Two standard errors: about 95 % of chance differences lie
/// within.
fn relation(mean: f64, se: f64) -> &'static str {
    match () {
        () if mean > 2.0 * se => "better than",
        () if mean < -2.0 * se => "worse than",
        () if mean > 0.0 => "not clearly better than",
        () => "not yet better than",
    }
}

/// The quality of a model without a report.
pub const NOT_EVALUATED: &str = "Not evaluated yet";

/// A report of 120 gate users, for tests, with one baseline. `se` is the standard error of each
/// figure.
#[cfg(test)]
pub(crate) fn sample(model: f64, popular: f64, serving: bool, difference: f64, se: f64) -> Report {
    let at = |mean| Mean { mean, se };
    let method = |name: &str, recall, model_lead| Method {
        name: name.to_owned(),
        recall_at_10: at(recall),
        ndcg_at_10: at(0.0),
        phr_at_10: at(0.0),
        recall_at_20: at(0.0),
        ndcg_at_20: at(0.0),
        phr_at_20: at(0.0),
        model_lead,
        slices: None,
    };
    let lead = Paired { mean: model - popular, se, p_value: 0.5 };
    Report {
        feature_set: "f".to_owned(),
        model: Some("m-2".to_owned()),
        users: 120,
        folds: 0,
        since_ms: None,
        questions: 120,
        label: Label::NextBasket,
        event: Label::NextBasket.event(),
        methods: vec![method("popular", popular, Some(lead)), method("model", model, None)],
        candidate_recall: at(0.8),
        log_loss: 0.1,
        calibration_error: 0.01,
        calibration: Vec::new(),
        half_cart_recall_at_10: at(0.3),
        due_dates: None,
        comparison: Comparison {
            reference: if serving { "m-1" } else { "popular" }.to_owned(),
            serving,
            difference: Mean { mean: difference, se },
            p_value: Some(0.5),
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
            "Recall@10 of 0.276, better than popular, the strongest baseline (+0.076 ± 0.010) \
             (120 gate users)"
        );
        let quality = |difference| sample(0.3, 0.2, true, difference, 0.01).quality();
        assert!(quality(-0.001).contains(", not yet better than m-1 ("));
        assert!(quality(0.01).contains(", not clearly better than m-1 ("));
        assert!(quality(0.03).contains(", better than m-1 ("));
        assert!(quality(-0.03).contains(", worse than m-1 ("));
        let close = sample(0.21, 0.2, false, 0.01, 0.01).quality();
        assert!(close.contains("not clearly better than popular, the strongest"), "{close}");
        let folds = Report { folds: 5, ..sample(0.276, 0.2, false, 0.076, 0.01) }.quality();
        assert!(folds.ends_with("(5-fold cross-validation over 120 users)"), "{folds}");
        let visits = Report { questions: 900, ..sample(0.276, 0.2, false, 0.076, 0.01) }.quality();
        assert!(visits.ends_with("(900 questions to 120 gate users)"), "{visits}");
        let none = Report { methods: Vec::new(), ..sample(0.2, 0.1, false, 0.1, 0.01) };
        assert_eq!(none.quality(), NOT_EVALUATED);
    }

    #[test]
    fn a_baseline_that_is_ahead_is_named() {
        let mut report = sample(0.3, 0.1, true, 0.05, 0.01);
        let strong = sample(0.3, 0.34, true, 0.0, 0.01).methods.remove(0);
        report.methods.insert(1, Method { name: "TIFU-KNN".to_owned(), ..strong });
        assert_eq!(report.strongest().unwrap().name, "TIFU-KNN");
        assert_eq!(
            report.quality(),
            "Recall@10 of 0.300, worse than TIFU-KNN, the strongest baseline (-0.040 ± 0.010), \
             better than m-1 (120 gate users)"
        );
    }

    #[test]
    fn a_report_survives_its_json() {
        let mut report = sample(0.276, 0.2, true, 0.01, 0.01);
        report.methods[0].slices = Some(Slices::default());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(serde_json::from_value::<Report>(json.clone()).unwrap(), report);
        let mut early = json;
        for field in ["calibration", "folds", "questions", "label", "event", "due_dates"] {
            early.as_object_mut().unwrap().remove(field);
        }
        for field in ["recall_at_10", "p_value"] {
            early["comparison"].as_object_mut().unwrap().remove(field);
        }
        for field in ["model_lead", "slices"] {
            early["methods"][0].as_object_mut().unwrap().remove(field);
        }
        let early: Report = serde_json::from_value(early).unwrap();
        assert!(early.calibration.is_empty() && early.folds == 0 && early.asked().is_empty());
        assert_eq!(early.label, Label::NextBasket);
        assert_eq!((early.comparison.recall_at_10, early.comparison.p_value), (None, None));
        let quality = early.quality();
        assert!(quality.contains("against 0.200 of popular, the strongest"), "{quality}");
    }
}
