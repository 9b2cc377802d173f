//! Models, what they are worth, and which one serves.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::pipeline::{blocking, operator};
use crate::problem::{Kind, Problem};
use crate::request::NamePath;
use crate::state::{AppState, Shared};

/// Where a model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelStatus {
    /// Trained, not decided upon.
    Candidate,
    /// It answers requests.
    Serving,
    /// It answered before the one that does now.
    Previous,
    /// It served before that.
    Retired,
    /// It did not pass the gate.
    Rejected,
}

/// A mean over users.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Mean)]
pub struct MeanView {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub se: f64,
}

/// One recommender's figures on the gate users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Method)]
pub struct MethodView {
    /// A baseline's name; `model`, which comes last; or `no model`.
    pub name: String,
    /// Share of the basket among the first 10.
    pub recall_at_10: MeanView,
    /// Normalised discounted cumulative gain of the first 10.
    pub ndcg_at_10: MeanView,
    /// Share of users with a hit among the first 10.
    pub phr_at_10: MeanView,
    /// As above, of 20.
    pub recall_at_20: MeanView,
    /// As above, of 20.
    pub ndcg_at_20: MeanView,
    /// As above, of 20.
    pub phr_at_20: MeanView,
}

/// Candidates of like probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = CalibrationBin)]
pub struct CalibrationView {
    /// Mean predicted probability.
    pub predicted: f64,
    /// Share that was bought.
    pub observed: f64,
    /// How many.
    pub rows: u64,
}

/// A model beside another, user by user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Comparison)]
pub struct ComparisonView {
    /// The other: a model's version, or `popular`.
    pub reference: String,
    /// Whether the other is a model.
    pub serving: bool,
    /// Recall@10 of the model minus the other's.
    pub difference: MeanView,
}

/// Quality on the gate users, whom no training row has seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Report)]
pub struct ReportView {
    /// The feature set with the gate users.
    pub feature_set: String,
    /// The model.
    pub model: Option<String>,
    /// Gate users.
    pub users: u64,
    /// Baselines, and the model last.
    pub methods: Vec<MethodView>,
    /// Share of label items among the candidates, empty cart.
    pub candidate_recall: MeanView,
    /// Nats per candidate.
    pub log_loss: f64,
    /// Expected calibration error.
    pub calibration_error: f64,
    /// Ten bins of equal size, by rising probability; empty in reports of old versions.
    #[serde(default)]
    pub calibration: Vec<CalibrationView>,
    /// Recall@10 for the rest of a half-filled cart.
    pub half_cart_recall_at_10: MeanView,
    /// Against the serving model, or what is popular.
    pub comparison: ComparisonView,
}

/// What the gate decided, and on what grounds.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModelEvaluation {
    /// The run that decided.
    pub run: String,
    /// Whether it passed.
    pub passed: bool,
    /// When, UTC milliseconds.
    pub decided_ms: i64,
    /// The figures; null where they cannot be read.
    pub report: Option<ReportView>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Model)]
pub struct ModelView {
    /// Its name.
    pub version: String,
    /// Where it stands.
    pub status: ModelStatus,
    /// When it was written, UTC milliseconds.
    pub created_ms: i64,
    /// The feature set it was trained on.
    pub feature_set: String,
    /// Hash of its columns.
    pub schema_hash: String,
    /// SHA-256 of the model file, hexadecimal.
    pub model_sha256: String,
    /// Hyperparameters, by name.
    pub parameters: BTreeMap<String, String>,
    /// One sentence on what it is worth.
    pub verdict: String,
    /// What the gate decided, if it has.
    pub evaluation: Option<ModelEvaluation>,
}

/// A metric over the rounds of training.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LearningCurve {
    /// Such as `auc` or `logloss`.
    pub metric: String,
    /// On the training rows, one value a round.
    pub train: Vec<f64>,
    /// On the validation rows; empty without any.
    pub valid: Vec<f64>,
}

/// What a feature did for a model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FeatureImportance {
    /// The feature.
    pub feature: String,
    /// Loss that its splits saved, summed.
    pub gain: f64,
    /// Splits on it.
    pub splits: u64,
}

/// All of a model.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ModelDetail {
    /// As in the list.
    #[serde(flatten)]
    pub model: ModelView,
    /// Trees.
    pub trees: u64,
    /// One a metric.
    pub learning: Vec<LearningCurve>,
    /// By gain, falling.
    pub importance: Vec<FeatureImportance>,
}

/// A feature set and a model that serve together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Release)]
pub struct ReleaseView {
    /// Version of the feature set.
    pub feature_set: String,
    /// Version of the model; null before the first training.
    pub model: Option<String>,
    /// Hash of the columns that both agree on.
    pub schema_hash: String,
}

impl ReleaseView {
    /// Its name in `EngineStatus::release` and in impressions.
    fn name(&self) -> String {
        format!("{}+{}", self.feature_set, self.model.as_deref().unwrap_or("none"))
    }
}

/// Models.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Models {
    /// The newest first.
    models: Vec<ModelView>,
}

/// One sentence on what a model is worth, from its gate report.
pub fn verdict(report: Option<&ReportView>) -> String {
    let Some(report) = report else { return "Not judged yet.".to_owned() };
    let recall = |name: &str| {
        let found = report.methods.iter().find(|method| method.name == name);
        found.map(|method| method.recall_at_10.mean)
    };
    let popular = match (recall("model"), recall("popular")) {
        (Some(model), Some(popular)) if popular > 0.0 => {
            let share = 100.0 * (model / popular - 1.0);
            let word = if share < 0.0 { "worse" } else { "better" };
            format!("{word} than popularity by {:.0} %", share.abs())
        }
        (Some(model), _) => format!("Recall@10 of {model:.3}"),
        (None, _) => return "Not judged yet.".to_owned(),
    };
    let ComparisonView { serving, difference, reference } = &report.comparison;
    let against = match (serving, difference.mean, difference.se) {
        (false, ..) => String::new(),
        // Two standard errors: some 95 % of chance differences stay within.
        (true, mean, se) if mean > 2.0 * se => format!(", better than {reference}"),
        (true, mean, se) if mean < -2.0 * se => format!(", worse than {reference}"),
        (true, mean, _) if mean > 0.0 => format!(", not clearly better than {reference}"),
        (true, ..) => format!(", not yet better than {reference}"),
    };
    let mut sentence = format!("{popular}{against} ({} gate users).", report.users);
    if let Some(first) = sentence.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    sentence
}

fn unread(why: String) -> Problem {
    Problem::hiding(Kind::Unavailable, "The models cannot be read now.", why)
}

fn unknown() -> Problem {
    Problem::new(Kind::NotFound, "There is no such model.")
}

/// Lists models
#[utoipa::path(get, path = "/v1/models", tag = "pipeline", responses(
    (status = 200, description = "Models, the newest first", body = Models),
    (status = 404, description = "This server keeps no models", body = Problem),
    (status = 503, description = "They cannot be read now", body = Problem),
))]
pub(crate) async fn models(State(state): State<Shared>) -> Result<Json<Models>, Problem> {
    let operator = operator(&state)?;
    let models = blocking(move || operator.models()).await?.map_err(unread)?;
    Ok(Json(Models { models }))
}

/// Shows a model
#[utoipa::path(get, path = "/v1/models/{version}", tag = "pipeline", params(
    ("version" = String, Path, description = "The model"),
), responses(
    (status = 200, description = "All of it", body = ModelDetail),
    (status = 404, description = "There is no such model", body = Problem),
    (status = 503, description = "It cannot be read now", body = Problem),
))]
pub(crate) async fn model(
    State(state): State<Shared>,
    NamePath(version): NamePath,
) -> Result<Json<ModelDetail>, Problem> {
    let operator = operator(&state)?;
    let model = blocking(move || operator.model(&version)).await?.map_err(unread)?;
    model.map(Json).ok_or_else(unknown)
}

/// An opened release answers at most this long after it was named.
const OPENING: Duration = Duration::from_secs(5);

/// Answers once the release serves, so that the next request is from it.
async fn serves(state: &AppState, release: ReleaseView) -> Json<ReleaseView> {
    let opened = async {
        while state.engine.status().release != Some(release.name()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(OPENING, opened).await.is_err() {
        tracing::warn!(model = release.model, "the release is named and does not serve yet");
    }
    Json(release)
}

/// Serves a model from the next request on
#[utoipa::path(post, path = "/v1/models/{version}/deploy", tag = "pipeline", params(
    ("version" = String, Path, description = "The model"),
), responses(
    (status = 200, description = "The release", body = ReleaseView),
    (status = 404, description = "There is no such model", body = Problem),
    (status = 409, description = "The model cannot serve", body = Problem),
    (status = 503, description = "The models cannot be read now", body = Problem),
))]
pub(crate) async fn deploy(
    State(state): State<Shared>,
    NamePath(version): NamePath,
) -> Result<Json<ReleaseView>, Problem> {
    let operator = operator(&state)?;
    let release = blocking(move || {
        let models = operator.models().map_err(unread)?;
        if !models.iter().any(|model| model.version == version) {
            return Err(unknown());
        }
        let refused = |why| Problem::hiding(Kind::Conflict, "The model cannot serve.", why);
        operator.deploy(&version).map_err(refused)
    });
    let release = release.await??;
    Ok(serves(&state, release).await)
}

/// Serves the previous release again
#[utoipa::path(post, path = "/v1/models/rollback", tag = "pipeline", responses(
    (status = 200, description = "The release", body = ReleaseView),
    (status = 404, description = "This server keeps no models", body = Problem),
    (status = 409, description = "There is none", body = Problem),
))]
pub(crate) async fn rollback(State(state): State<Shared>) -> Result<Json<ReleaseView>, Problem> {
    let operator = operator(&state)?;
    let release = blocking(move || operator.rollback()).await?;
    let refused = "No release served before this one, or it cannot serve again.";
    let release = release.map_err(|why| Problem::hiding(Kind::Conflict, refused, why))?;
    Ok(serves(&state, release).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(model: f64, popular: f64, serving: bool, difference: f64, se: f64) -> ReportView {
        let at = |mean| MeanView { mean, se: 0.0 };
        let method = |name: &str, recall| MethodView {
            name: name.to_owned(),
            recall_at_10: at(recall),
            ndcg_at_10: at(0.0),
            phr_at_10: at(0.0),
            recall_at_20: at(0.0),
            ndcg_at_20: at(0.0),
            phr_at_20: at(0.0),
        };
        ReportView {
            feature_set: "f".to_owned(),
            model: Some("m-2".to_owned()),
            users: 120,
            methods: vec![method("popular", popular), method("model", model)],
            candidate_recall: at(0.8),
            log_loss: 0.1,
            calibration_error: 0.01,
            calibration: Vec::new(),
            half_cart_recall_at_10: at(0.3),
            comparison: ComparisonView {
                reference: if serving { "m-1" } else { "popular" }.to_owned(),
                serving,
                difference: MeanView { mean: difference, se },
            },
        }
    }

    #[test]
    fn a_verdict_is_one_sentence_that_claims_no_more_than_the_figures() {
        let said = |report| verdict(Some(&report));
        assert_eq!(verdict(None), "Not judged yet.");
        assert_eq!(
            said(report(0.276, 0.2, false, 0.076, 0.01)),
            "Better than popularity by 38 % (120 gate users)."
        );
        assert_eq!(
            said(report(0.276, 0.2, true, -0.001, 0.01)),
            "Better than popularity by 38 %, not yet better than m-1 (120 gate users)."
        );
        assert!(said(report(0.3, 0.2, true, 0.01, 0.01)).contains("not clearly better than m-1"));
        assert!(said(report(0.3, 0.2, true, 0.03, 0.01)).contains(", better than m-1"));
        assert!(said(report(0.3, 0.2, true, -0.03, 0.01)).contains(", worse than m-1"));
        assert!(
            said(report(0.1, 0.2, false, -0.1, 0.01)).starts_with("Worse than popularity by 50")
        );
        assert!(said(report(0.1, 0.0, false, 0.1, 0.01)).starts_with("Recall@10 of 0.100"));
    }
}
