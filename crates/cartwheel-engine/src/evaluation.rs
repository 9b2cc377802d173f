//! What a model is worth: its figures on the gate users.

use std::path::Path;

use cartwheel_feature_set::{FeatureSet, SetError};
use cartwheel_features::{Catalogue, Example};
use cartwheel_recommend::baseline::BASELINES;
use cartwheel_recommend::metrics::{
    Bin, Mean, calibration, calibration_error, list_score, log_loss, mean,
};
use cartwheel_recommend::{Model, ModelMismatch, rank};
use cartwheel_registry::BundleError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Why a model is not judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Nobody to judge on.
    #[error("no gate user has two orders or more: import more users")]
    NoGate,
    /// The gate's orders may be among what the model was trained on.
    #[error(
        "the model was trained on {trained_on}, and may have seen the gate orders of {gate_of}"
    )]
    Seen {
        /// The model's feature set.
        trained_on: String,
        /// The feature set to judge on.
        gate_of: String,
    },
    /// The other model takes other rows.
    #[error("{0} was trained on other columns: the two cannot be compared")]
    Columns(String),
    /// The feature set cannot be read.
    #[error(transparent)]
    Set(#[from] SetError),
    /// A bundle cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A model does not fit the rows of this release.
    #[error(transparent)]
    Model(#[from] ModelMismatch),
}

/// Quality on the gate users.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The feature set with the gate users.
    pub feature_set: String,
    /// The model that was judged.
    pub model: Option<String>,
    /// Gate users.
    pub users: usize,
    /// Best baseline last but the model, as printed.
    pub methods: Vec<Method>,
    /// Share of label items among the candidates, empty cart.
    pub candidate_recall: Mean,
    /// Nats per candidate.
    pub log_loss: f64,
    /// Expected calibration error.
    pub calibration_error: f64,
    /// Predicted and seen rates, by rising probability.
    pub calibration: Vec<Bin>,
    /// Recall@10 of the model for the rest of a half-filled cart.
    pub half_cart_recall_at_10: Mean,
    /// Against another model, or what is popular.
    pub comparison: Comparison,
}

/// Recall@10 of the model minus another's, user by user.
#[derive(Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// The other: a model's version, or `popular`.
    pub reference: String,
    /// Whether the other is a model.
    pub serving: bool,
    /// Mean of the differences.
    pub difference: Mean,
}

/// One recommender's figures.
#[derive(Debug, Serialize, Deserialize)]
pub struct Method {
    /// A baseline's name, or `model`.
    pub name: String,
    /// Share of the basket among the first 10.
    pub recall_at_10: Mean,
    /// Normalised discounted cumulative gain of the first 10.
    pub ndcg_at_10: Mean,
    /// Share of users with a hit among the first 10.
    pub phr_at_10: Mean,
    /// As above, of 20.
    pub recall_at_20: Mean,
    /// As above, of 20.
    pub ndcg_at_20: Mean,
    /// As above, of 20.
    pub phr_at_20: Mean,
}

fn method(name: &str, lists: &[Vec<u32>], gate: &[Example]) -> Method {
    let pairs = || lists.iter().zip(gate);
    let at = |k: usize, pick: fn(cartwheel_recommend::metrics::ListScore) -> f64| {
        let scores: Vec<f64> =
            pairs().map(|(list, e)| pick(list_score(list, &e.basket, k))).collect();
        mean(&scores)
    };
    Method {
        name: name.to_owned(),
        recall_at_10: at(10, |s| s.recall),
        ndcg_at_10: at(10, |s| s.ndcg),
        phr_at_10: at(10, |s| s.phr),
        recall_at_20: at(20, |s| s.recall),
        ndcg_at_20: at(20, |s| s.ndcg),
        phr_at_20: at(20, |s| s.phr),
    }
}

/// Scores the newest orders of the gate users, which no training row has seen,
/// through the code that serves; and compares with another model, which may have
/// been trained on an earlier feature set: gate users stay gate users, and an order
/// was nobody's label before it was there. `models` holds the bundles.
///
/// # Errors
/// When there is nobody to judge on, or a model cannot be judged on these users.
pub fn evaluate(
    models: &Path,
    set: &FeatureSet,
    version: Option<&str>,
    against: Option<&str>,
) -> Result<Report, Refused> {
    let catalogue = set.cut_catalogue()?;
    let gate = set.gate()?;
    if gate.is_empty() {
        return Err(Refused::NoGate);
    }
    let mut methods: Vec<Method> = BASELINES
        .iter()
        .map(|(name, baseline)| {
            let list = |e: &Example| baseline(&catalogue, &e.state, &e.user_id, &[], 20);
            method(name, &gate.par_iter().map(list).collect::<Vec<_>>(), &gate)
        })
        .collect();
    let model = match version {
        Some(version) => {
            let bundle = cartwheel_registry::read(models, version)?;
            if bundle.manifest.feature_set != set.manifest.version {
                return Err(Refused::Seen {
                    trained_on: bundle.manifest.feature_set,
                    gate_of: set.manifest.version.clone(),
                });
            }
            Some(Model::new(bundle.forest, bundle.scaler)?)
        }
        None => None,
    };
    let judged: Vec<Judged> =
        gate.par_iter().map(|e| judge(&catalogue, model.as_ref(), e)).collect();
    let lists: Vec<Vec<u32>> = judged.iter().map(|j| j.list.clone()).collect();
    let comparison = compare(models, set, &catalogue, &gate, &lists, against)?;
    let name = if model.is_some() { "model" } else { "no model" };
    methods.push(method(name, &lists, &gate));
    let pairs: Vec<(f32, bool)> = judged.iter().flat_map(|j| j.pairs.iter().copied()).collect();
    let bins = calibration(&pairs);
    let found: Vec<f64> = judged.iter().map(|j| j.candidate_recall).collect();
    let half: Vec<f64> = judged.iter().filter_map(|j| j.half_recall).collect();
    Ok(Report {
        feature_set: set.manifest.version.clone(),
        model: version.map(str::to_owned),
        users: gate.len(),
        methods,
        candidate_recall: mean(&found),
        log_loss: log_loss(&pairs),
        calibration_error: calibration_error(&bins),
        calibration: bins,
        half_cart_recall_at_10: mean(&half),
        comparison,
    })
}

fn compare(
    models: &Path,
    set: &FeatureSet,
    catalogue: &Catalogue,
    gate: &[Example],
    lists: &[Vec<u32>],
    against: Option<&str>,
) -> Result<Comparison, Refused> {
    let other = match against {
        Some(version) => {
            let bundle = cartwheel_registry::read(models, version)?;
            if bundle.manifest.schema_hash != set.manifest.schema_hash {
                return Err(Refused::Columns(version.to_owned()));
            }
            Some(Model::new(bundle.forest, bundle.scaler)?)
        }
        None => None,
    };
    let popular = BASELINES.iter().find(|(name, _)| *name == "popular").map(|(_, list)| list);
    let theirs: Vec<Vec<u32>> = gate
        .par_iter()
        .map(|e| match (&other, popular) {
            (None, Some(popular)) => popular(catalogue, &e.state, &e.user_id, &[], 20),
            (model, _) => judge(catalogue, model.as_ref(), e).list,
        })
        .collect();
    let recall = |list: &[u32], e: &Example| list_score(list, &e.basket, 10).recall;
    let pairs = lists.iter().zip(&theirs).zip(gate);
    let differences: Vec<f64> =
        pairs.map(|((ours, theirs), e)| recall(ours, e) - recall(theirs, e)).collect();
    Ok(Comparison {
        reference: against.unwrap_or("popular").to_owned(),
        serving: against.is_some(),
        difference: mean(&differences),
    })
}

struct Judged {
    list: Vec<u32>,
    pairs: Vec<(f32, bool)>,
    candidate_recall: f64,
    half_recall: Option<f64>,
}

fn judge(catalogue: &Catalogue, model: Option<&Model>, e: &Example) -> Judged {
    let ranked = rank(catalogue, model, &e.state, &e.context, &[], |_| true);
    let products: Vec<u32> = ranked.iter().map(|r| r.candidate.product).collect();
    let (cart, rest) = e.basket.split_at(e.basket.len() / 2);
    let half_recall = (!cart.is_empty()).then(|| {
        let ranked = rank(catalogue, model, &e.state, &e.context, cart, |_| true);
        let list: Vec<u32> = ranked.iter().map(|r| r.candidate.product).collect();
        list_score(&list, rest, 10).recall
    });
    Judged {
        candidate_recall: list_score(&products, &e.basket, products.len()).recall,
        pairs: ranked
            .iter()
            .map(|r| (r.probability, e.basket.contains(&r.candidate.product)))
            .collect(),
        list: products.into_iter().take(20).collect(),
        half_recall,
    }
}

impl Report {
    /// The figures as a table.
    pub fn table(&self) -> String {
        let cell = |m: &Mean| format!("{:.4} ±{:.4}", m.mean, m.se);
        let mut out = format!(
            "{} gate users, feature set {}, model {}\n\n{:<18}{:<17}{:<17}{:<17}{:<17}{:<17}{}\n",
            self.users,
            self.feature_set,
            self.model.as_deref().unwrap_or("none"),
            "",
            "Recall@10",
            "NDCG@10",
            "PHR@10",
            "Recall@20",
            "NDCG@20",
            "PHR@20"
        );
        for m in &self.methods {
            let cells = [
                &m.recall_at_10,
                &m.ndcg_at_10,
                &m.phr_at_10,
                &m.recall_at_20,
                &m.ndcg_at_20,
                &m.phr_at_20,
            ];
            out.push_str(&format!("{:<18}", m.name));
            cells.iter().for_each(|c| out.push_str(&format!("{:<17}", cell(c))));
            out.truncate(out.trim_end().len());
            out.push('\n');
        }
        out.push_str(&format!(
            "\nRecall@10 against {:<16} {:+.4} ±{:.4}\nRecall@10 with half of the cart   {}\nCandidate recall                 {}\n\
             Log-loss                         {:.4}\nCalibration error                {:.4}\n",
            self.comparison.reference,
            self.comparison.difference.mean,
            self.comparison.difference.se,
            cell(&self.half_cart_recall_at_10),
            cell(&self.candidate_recall),
            self.log_loss,
            self.calibration_error
        ));
        out
    }

    /// Recall@10 of each method as a bar chart.
    pub fn chart(&self) -> String {
        let top = self.methods.iter().map(|m| m.recall_at_10.mean).fold(1e-9, f64::max);
        let height = 50 + self.methods.len() * 34;
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 {height}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"14\">\n\
             <rect width=\"640\" height=\"{height}\" fill=\"#fff\"/>\n\
             <text x=\"16\" y=\"28\" font-weight=\"600\">Recall@10, {} gate users</text>\n",
            self.users
        );
        for (at, m) in self.methods.iter().enumerate() {
            let y = 46 + at * 34;
            let width = 380.0 * m.recall_at_10.mean / top;
            let spread = 380.0 * m.recall_at_10.se / top;
            let colour = if at + 1 == self.methods.len() { "#0b7a5b" } else { "#b8c4c0" };
            out.push_str(&format!(
                "<text x=\"16\" y=\"{}\">{}</text><rect x=\"160\" y=\"{y}\" width=\"{width:.1}\" \
                 height=\"22\" rx=\"3\" fill=\"{colour}\"/><path d=\"M{:.1} {}h{:.1}\" \
                 stroke=\"#333\"/><text x=\"560\" y=\"{}\">{:.3}</text>\n",
                y + 16,
                m.name,
                160.0 + width - spread,
                y + 11,
                2.0 * spread,
                y + 16,
                m.recall_at_10.mean
            ));
        }
        out.push_str("</svg>\n");
        out
    }
}
