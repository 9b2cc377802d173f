//! The gate's verdict on a model, with the reason and the figures behind it.

use cartwheel_feature_set::{Label, Manifest};
use cartwheel_features::{CROSS_USERS, GATE_ONE_IN};
use cartwheel_recommend::metrics::Mean;
use cartwheel_recommend::paired::Paired;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::gate::{GateSettings, ServingModel};
use crate::report::Report;
use crate::search::SearchRecord;

/// What becomes of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It passed the gate and serves.
    Released,
    /// It passed cross-validation and serves until the gate can compare models.
    Provisional,
    /// It does not serve. The newest features do, with the serving model or with none.
    Rejected,
    /// No model was trained, because none could be judged. The newest features serve.
    Untrained,
}

/// A decision of the gate that explains itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Verdict {
    /// The decision.
    pub outcome: Outcome,
    /// The reason in one sentence, with the figures that decide.
    pub reason: String,
    /// What an operator can do about it; null if there is nothing to do.
    pub advice: Option<String>,
    /// The figures behind the decision.
    pub figures: Figures,
}

/// The figures behind a decision.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Figures {
    /// Users that the model was judged by.
    pub users: u64,
    /// Users whom the gate holds out.
    pub gate_users: u64,
    /// Users that the gate asks for.
    pub min_users: u64,
    /// Folds of cross-validation; 0 if the gate decided.
    pub folds: u32,
    /// By how much the Recall@10 has to exceed that of a serving model.
    pub margin: f64,
    /// Recall@10 of the model.
    pub recall_at_10: Option<Mean>,
    /// The model or ranking that it was compared with.
    pub reference: Option<String>,
    /// Recall@10 of the reference for the same users.
    pub reference_recall_at_10: Option<Mean>,
    /// The mean difference, user by user.
    pub difference: Option<Mean>,
    /// The baseline with the highest Recall@10. It does not decide.
    pub strongest_baseline: Option<String>,
    /// Recall@10 of the model minus that of the strongest baseline, user by user.
    pub strongest_difference: Option<Paired>,
}

/// Judges an evaluated model. `serving` is the serving model if it takes the same columns.
pub fn judge(
    report: &Report,
    manifest: &Manifest,
    settings: &GateSettings,
    serving: Option<&ServingModel>,
) -> Verdict {
    let strongest = report.strongest();
    let figures = Figures {
        users: report.users as u64,
        folds: report.folds,
        recall_at_10: report.recall_at_10(),
        reference: Some(report.comparison.reference.clone()),
        reference_recall_at_10: report.comparison.recall_at_10,
        difference: Some(report.comparison.difference),
        strongest_baseline: strongest.map(|method| method.name.clone()),
        strongest_difference: strongest.and_then(|method| method.model_lead),
        ..asked(manifest, settings)
    };
    let (outcome, reason, advice) = if report.folds == 0 {
        by_the_gate(report, settings, serving)
    } else {
        by_cross_validation(report, &figures, serving)
    };
    let advice = match (outcome, ahead(report)) {
        (Outcome::Released | Outcome::Provisional, Some(ahead)) => {
            Some(advice.map_or_else(|| ahead.clone(), |advice| format!("{ahead} {advice}")))
        }
        _ => advice,
    };
    Verdict { outcome, reason, advice, figures }
}

/// What to know of a model that serves although a baseline is ahead of it.
fn ahead(report: &Report) -> Option<String> {
    let strongest = report.strongest()?;
    let is_ahead = strongest.model_lead.is_some_and(|lead| lead.mean < 0.0);
    is_ahead.then(|| {
        format!(
            "The baseline {} found more of these orders than the model. More orders or other \
             hyperparameters may put the model ahead.",
            strongest.name
        )
    })
}

/// The verdict on a feature set on which no model is trained.
pub fn untrained(manifest: &Manifest, settings: &GateSettings) -> Verdict {
    let reason = match manifest.judged_users {
        users if manifest.label != Label::NextBasket => format!(
            "The label {} was found for {users} users: too few, or none of these products could \
             have been recommended. Training asks for {CROSS_USERS} users.",
            manifest.label
        ),
        users @ CROSS_USERS.. => format!(
            "The newest orders of {users} users contain no product that could have been \
             recommended: no model was trained."
        ),
        0 => format!("No user has a second order. Training asks for {CROSS_USERS} such users."),
        1 => format!("1 user has a second order. Training asks for {CROSS_USERS} such users."),
        users => {
            format!("{users} users have a second order. Training asks for {CROSS_USERS} of them.")
        }
    };
    let earlier = match manifest.label {
        Label::NextBasket => "Import earlier orders",
        Label::NextInteraction | Label::RestOfVisit(_) => {
            "Import earlier views, changes of the cart and orders with their times"
        }
    };
    let advice = format!(
        "The newest features serve with a ranking by rules: own purchases, products bought \
         together, popularity. {earlier}, or run the pipeline again when more have come in."
    );
    Verdict {
        outcome: Outcome::Untrained,
        reason,
        advice: Some(advice),
        figures: asked(manifest, settings),
    }
}

/// The figures without an evaluation.
fn asked(manifest: &Manifest, settings: &GateSettings) -> Figures {
    Figures {
        gate_users: manifest.gate_users(),
        min_users: settings.min_users,
        margin: settings.margin,
        ..Figures::default()
    }
}

type Decision = (Outcome, String, Option<String>);

fn by_the_gate(
    report: &Report,
    settings: &GateSettings,
    serving: Option<&ServingModel>,
) -> Decision {
    let quality = report.quality();
    let difference = report.comparison.difference.mean;
    let passed = match report.comparison.serving {
        true => difference >= settings.margin,
        false => difference > 0.0,
    };
    match (passed, serving.filter(|model| model.provisional)) {
        (true, Some(replaced)) => {
            let reason = format!(
                "{quality}: released. It replaces {}, which was provisional.",
                replaced.version
            );
            (Outcome::Released, reason, None)
        }
        (true, None) => (Outcome::Released, format!("{quality}: released."), None),
        (false, _) => {
            let advice = format!(
                "{} More orders or other hyperparameters may give a better model.",
                stays(serving)
            );
            (Outcome::Rejected, format!("{quality}: rejected."), Some(advice))
        }
    }
}

fn by_cross_validation(
    report: &Report,
    figures: &Figures,
    serving: Option<&ServingModel>,
) -> Decision {
    let Figures { gate_users, min_users, folds, .. } = figures;
    let short = format!("{gate_users} of the {min_users} users that the gate asks for");
    if let Some(standard) = ServingModel::standard(serving) {
        let reason =
            format!("{short}: too few to replace {standard}, which passed the gate. Rejected.");
        let advice = format!("{} Import more users, or lower `gate.min_users`.", stays(serving));
        return (Outcome::Rejected, reason, Some(advice));
    }
    let passed = report.comparison.difference.mean > 0.0;
    let recall = figures.recall_at_10.unwrap_or(Mean { mean: 0.0, se: 0.0 });
    let popular = figures.reference_recall_at_10.map_or(0.0, |popular| popular.mean);
    let strongest = report.strongest().filter(|method| method.name != report.comparison.reference);
    let strongest = strongest.map_or_else(String::new, |method| {
        format!(" and {:.2} of {}, the strongest baseline", method.recall_at_10.mean, method.name)
    });
    let end = if passed { "released as provisional" } else { "rejected" };
    let reason = format!(
        "{short}; judged by {folds}-fold cross-validation instead: Recall@10 {:.2} ± {:.2} \
         against {popular:.2} of popularity{strongest}: {end}.",
        recall.mean, recall.se
    );
    let advice = match passed {
        true => format!(
            "A later run replaces it by a model that passes the gate, once {} users or so have a \
             second order.",
            min_users.saturating_mul(GATE_ONE_IN)
        ),
        false => {
            format!("{} Run the pipeline again when more orders have come in.", stays(serving))
        }
    };
    (if passed { Outcome::Provisional } else { Outcome::Rejected }, reason, Some(advice))
}

/// What serves after a rejection.
fn stays(serving: Option<&ServingModel>) -> String {
    match serving {
        Some(model) => format!("The newest features serve with {}.", model.version),
        None => "The newest features serve with a ranking by rules.".to_owned(),
    }
}

/// Renders an evaluation for the state machine: the verdict, the whole report, and what the searches
/// for hyperparameters and for the parameters of the feature set's sources tried.
///
/// # Errors
/// When the report cannot be written as JSON.
pub fn summary(
    model: &str,
    report: &Report,
    verdict: &Verdict,
    manifest: &Manifest,
    search: Option<&SearchRecord>,
) -> Result<Value, serde_json::Error> {
    let comparison = &report.comparison;
    Ok(json!({
        "model": model,
        "users": report.users,
        "serving": comparison.serving,
        "reference": comparison.reference,
        "difference": comparison.difference.mean,
        "standard_error": comparison.difference.se,
        "verdict": serde_json::to_value(verdict)?,
        "report": serde_json::to_value(report)?,
        "search": serde_json::to_value(search)?,
        "sources": serde_json::to_value(&manifest.source_search)?,
    }))
}

#[cfg(test)]
mod tests {
    use cartwheel_feature_set::SourceSearch;
    use cartwheel_features::Parameters;

    use super::*;
    use crate::report::{Method, sample};

    fn manifest(gate_examples: u64, judged_users: u64) -> Manifest {
        let json = json!({
            "version": "fs-1", "schema_hash": "h", "watermark_ms": 0, "users": 0, "orders": 0,
            "lines": 0, "products": 0, "train_rows": 0, "valid_rows": 0,
            "gate_examples": gate_examples, "judged_users": judged_users, "seed": 1,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_set_of_an_early_version_has_the_standard_parameters_and_no_record() {
        let early = manifest(120, 900);
        assert_eq!(early.parameters, Parameters::default());
        let report = sample(0.3, 0.1, false, 0.05, 0.01);
        let verdict = judge(&report, &early, &GateSettings::default(), None);
        let of = |manifest: &Manifest| summary("m-1", &report, &verdict, manifest, None).unwrap();
        assert_eq!(of(&early)["sources"], Value::Null);
        let source_search = Some(SourceSearch::default());
        let later = of(&Manifest { source_search, ..early });
        assert_eq!(later["sources"]["parameters"], json!([]));
    }

    fn serving(provisional: bool) -> ServingModel {
        ServingModel { version: "m-1".to_owned(), provisional }
    }

    #[test]
    fn the_gate_compares_with_the_serving_model_or_with_popularity() {
        let settings = GateSettings { margin: 0.01, min_users: 20 };
        let judged = |report: &Report, serving: Option<&ServingModel>| {
            judge(report, &manifest(120, 900), &settings, serving)
        };
        let first = judged(&sample(0.276, 0.2, false, 0.001, 0.01), None);
        assert_eq!(first.outcome, Outcome::Released, "any gain over popularity is enough");
        assert!(first.reason.ends_with("(120 gate users): released."), "{}", first.reason);
        assert_eq!(first.figures.strongest_baseline.as_deref(), Some("popular"));
        assert_eq!(first.advice, None);
        assert_eq!((first.figures.gate_users, first.figures.folds), (120, 0));
        let close = judged(&sample(0.276, 0.2, true, 0.009, 0.01), Some(&serving(false)));
        assert_eq!(close.outcome, Outcome::Rejected, "the margin is not reached");
        assert!(
            close.reason.ends_with(", not clearly better than m-1 (120 gate users): rejected.")
        );
        assert!(close.advice.unwrap().starts_with("The newest features serve with m-1. More"));
        let better = judged(&sample(0.276, 0.2, true, 0.01, 0.01), Some(&serving(false)));
        assert_eq!(better.outcome, Outcome::Released);
        let replaces = judged(&sample(0.276, 0.2, false, 0.076, 0.01), Some(&serving(true)));
        assert!(replaces.reason.ends_with("It replaces m-1, which was provisional."));
        let worse = judged(&sample(0.1, 0.2, false, -0.1, 0.01), None);
        assert!(worse.advice.unwrap().contains("ranking by rules"));
    }

    #[test]
    fn a_verdict_names_a_baseline_that_is_ahead() {
        let mut report = sample(0.3, 0.1, true, 0.05, 0.01);
        let strong = sample(0.3, 0.34, true, 0.0, 0.01).methods.remove(0);
        report.methods.push(Method { name: "TIFU-KNN".to_owned(), ..strong });
        let judged = |report: &Report, serving: Option<&ServingModel>| {
            judge(report, &manifest(120, 900), &GateSettings::default(), serving)
        };
        let better = judged(&report, Some(&serving(false)));
        assert_eq!(better.outcome, Outcome::Released, "the baseline does not decide");
        assert!(better.reason.contains("worse than TIFU-KNN"), "{}", better.reason);
        assert!(better.advice.unwrap().starts_with("The baseline TIFU-KNN found more"));
        assert_eq!(better.figures.strongest_baseline.as_deref(), Some("TIFU-KNN"));
        assert!(better.figures.strongest_difference.unwrap().mean < 0.0);
        let folds = judged(&Report { folds: 5, ..report }, None);
        let named = "against 0.10 of popularity and 0.34 of TIFU-KNN, the strongest baseline";
        assert!(folds.reason.contains(named), "{}", folds.reason);
    }

    #[test]
    fn too_few_gate_users_are_judged_by_cross_validation() {
        let settings = GateSettings::default();
        let report = |difference| Report {
            folds: 5,
            users: 80,
            ..sample(0.414, 0.12, false, difference, 0.05)
        };
        let judged = |difference, serving: Option<&ServingModel>| {
            judge(&report(difference), &manifest(11, 80), &settings, serving)
        };
        let first = judged(0.294, None);
        assert_eq!(first.outcome, Outcome::Provisional);
        assert_eq!(
            first.reason,
            "11 of the 20 users that the gate asks for; judged by 5-fold cross-validation \
             instead: Recall@10 0.41 ± 0.05 against 0.12 of popularity: released as provisional."
        );
        assert!(first.advice.unwrap().contains("once 200 users or so"));
        assert_eq!(judged(0.1, Some(&serving(true))).outcome, Outcome::Provisional);
        let worse = judged(0.0, None);
        assert_eq!(worse.outcome, Outcome::Rejected);
        assert!(
            worse.reason.ends_with("against 0.12 of popularity: rejected."),
            "{}",
            worse.reason
        );
        let standard = judged(0.3, Some(&serving(false)));
        assert_eq!(standard.outcome, Outcome::Rejected);
        assert!(standard.reason.contains("too few to replace m-1"), "{}", standard.reason);
    }

    #[test]
    fn a_set_without_a_model_says_what_is_missing() {
        let reason = |users| untrained(&manifest(0, users), &GateSettings::default()).reason;
        assert_eq!(reason(3), "3 users have a second order. Training asks for 10 of them.");
        assert!(reason(1).starts_with("1 user has"));
        assert!(reason(0).starts_with("No user has"));
        assert!(reason(40).starts_with("The newest orders of 40 users"));
    }
}
