//! The search for hyperparameters, by successive halving: trials learn from a sample of the
//! training rows and are compared by their loss on validation users; the better half goes on to
//! the next rung, with more rounds.
//!
//! The configured values are the first trial and take part in every rung. Another trial replaces
//! them only if its loss is lower by [`MARGIN`], so that chance seldom decides. After K. Jamieson
//! and A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization"
//! (AISTATS 2016).

use std::collections::BTreeMap;

use cartwheel_feature_set::{Manifest, SearchMode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::gate::{GateSettings, JudgedBy, judged_by};
use crate::search_space::{NAMES, challengers};

/// Hyperparameters by name, as text.
pub(crate) type Hyperparameters = BTreeMap<String, String>;

/// Share by which the loss of a trial has to be lower than that of the configured values. Smaller
/// leads change from sample to sample, and with the number of rows (ADR 10).
const MARGIN: f64 = 0.02;
/// Validation questions that a search asks for: with fewer, chance moves losses by more than
/// [`MARGIN`].
const MIN_QUESTIONS: u64 = 100;
/// Number of the trial with the configured values.
const CONFIGURED: u32 = 0;
/// The metric that trials are compared by, less is better.
const LOSS: &str = "validation:logloss";
/// The objective whose loss is [`LOSS`].
const OBJECTIVE: &str = "binary:logistic";
/// The booster whose trees the search varies; XGBoost's default.
const TREES: &str = "gbtree";
/// Most characters of a recorded error.
const ERROR_CHARS: usize = 300;

/// How the trials of a rung are trained. The learning rate is not searched: a high one makes few
/// rounds say which trial learns better, and the last rung is close to the training of the model.
#[derive(Debug, Clone, Copy)]
struct Rung {
    eta: &'static str,
    /// Most rounds, if the model may have as many.
    rounds: u32,
    /// Rounds without progress after which a trial ends.
    early_stopping: u32,
}

impl Rung {
    /// Most rounds of a trial: no more than the model's own.
    fn rounds(self, configured: &Hyperparameters) -> u32 {
        let own = configured.get("num_round").and_then(|rounds| rounds.parse().ok());
        own.map_or(self.rounds, |own: u32| self.rounds.min(own))
    }

    fn hyperparameters(self, rounds: u32) -> Hyperparameters {
        let values = [
            ("eta", self.eta.to_owned()),
            ("num_round", rounds.to_string()),
            ("early_stopping_rounds", self.early_stopping.to_string()),
            ("eval_metric", "logloss".to_owned()),
        ];
        values.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

/// Number of trials, the configured values among them.
fn trials(mode: SearchMode) -> usize {
    match mode {
        SearchMode::Off => 0,
        SearchMode::Quick => 4,
        SearchMode::Full => 12,
    }
}

fn rungs(mode: SearchMode) -> &'static [Rung] {
    const FIRST: Rung = Rung { eta: "0.3", rounds: 40, early_stopping: 5 };
    const SECOND: Rung = Rung { eta: "0.2", rounds: 80, early_stopping: 8 };
    const LAST: Rung = Rung { eta: "0.1", rounds: 160, early_stopping: 10 };
    match mode {
        SearchMode::Off => &[],
        SearchMode::Quick => &[FIRST, LAST],
        SearchMode::Full => &[FIRST, SECOND, LAST],
    }
}

/// A trial of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Trial {
    /// Its number; 0 has the configured values.
    pub number: u32,
    /// The hyperparameters that the search varies.
    pub hyperparameters: BTreeMap<String, String>,
    /// Its loss on the validation sample in each rung that it took part in.
    pub losses: Vec<f64>,
    /// Why it ended early, if it failed.
    pub error: Option<String>,
}

/// What a search tried, and what it chose.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SearchRecord {
    /// How many trials were asked for.
    pub mode: SearchMode,
    /// Most rounds of a trial in each rung.
    pub rounds: Vec<u32>,
    /// The trials, by number; empty if nothing was tried.
    pub trials: Vec<Trial>,
    /// Number of the trial whose values the model is trained with; null while the search goes on, or
    /// if nothing was tried.
    pub chosen: Option<u32>,
    /// What the search came to, in one sentence.
    pub outcome: String,
}

impl SearchRecord {
    /// Rungs that the trial with the configured values has finished.
    fn finished_rungs(&self) -> usize {
        self.trials.first().map_or(0, |configured| configured.losses.len())
    }
}

/// A training that the state machine starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Number of the trial.
    trial: u32,
    /// Its part of the training job's name.
    name: String,
    /// All hyperparameters of the training job.
    hyperparameters: Hyperparameters,
}

/// A search between two rungs, as the state machine carries it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Search {
    record: SearchRecord,
    /// The trainings of the next rung; empty once the search has ended.
    jobs: Vec<Job>,
    /// The hyperparameters of the model, once the search has ended.
    hyperparameters: Hyperparameters,
}

/// The end of a trial's training.
#[derive(Debug, Clone, Deserialize)]
struct Ended {
    trial: u32,
    /// SageMaker's `FinalMetricDataList`.
    #[serde(default)]
    metrics: Vec<FinalMetric>,
    /// The cause of the failure.
    error: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FinalMetric {
    metric_name: String,
    /// Null if it is not a number.
    value: Option<f64>,
}

impl Ended {
    fn loss(&self) -> Result<f64, String> {
        if let Some(cause) = &self.error {
            return Err(reason(cause));
        }
        let loss = self.metrics.iter().find(|metric| metric.metric_name == LOSS);
        let loss = loss.and_then(|metric| metric.value).filter(|value| value.is_finite());
        loss.ok_or_else(|| format!("its training reported no {LOSS}"))
    }
}

/// The reason in the cause of a failed task. Of a job on AWS the cause is its description.
fn reason(cause: &str) -> String {
    let described: Option<Value> = serde_json::from_str(cause).ok();
    let reason = described.as_ref().and_then(|job| job["FailureReason"].as_str()).unwrap_or(cause);
    reason.chars().take(ERROR_CHARS).collect()
}

/// The payload of a step of the search.
#[derive(Debug, Clone, Deserialize)]
pub struct SearchStep {
    /// The lake, `s3://bucket`.
    pub(crate) lake: String,
    /// Version of the feature set.
    pub(crate) feature_set: String,
    /// How many trials are asked for.
    mode: SearchMode,
    /// The configured hyperparameters.
    hyperparameters: Hyperparameters,
    /// Those of them that were set for the run: they stay as they are.
    fixed: Hyperparameters,
    /// The gate's settings.
    #[serde(default)]
    gate: GateSettings,
    /// The value of the step before; null in the first one.
    search: Option<Search>,
    /// How the trainings that it asked for ended.
    #[serde(default)]
    ended: Vec<Ended>,
}

/// Decides the next step: which trials to train, or with which hyperparameters to train the model.
pub(crate) fn step(payload: &SearchStep, manifest: &Manifest) -> Search {
    let (record, due) = match &payload.search {
        None => begin(payload, manifest),
        Some(search) => advance(search.record.clone(), &search.jobs, &payload.ended),
    };
    let rung = record.finished_rungs();
    let next = rungs(record.mode).get(rung).filter(|_| record.outcome.is_empty());
    let job = |trial: &Trial, next: &Rung| {
        let mut hyperparameters = payload.hyperparameters.clone();
        hyperparameters.extend(manifest.hyperparameters());
        hyperparameters.extend(trial.hyperparameters.clone());
        hyperparameters.extend(next.hyperparameters(next.rounds(&payload.hyperparameters)));
        Job { trial: trial.number, name: format!("{}-{rung}", trial.number), hyperparameters }
    };
    let due = record.trials.iter().filter(|trial| due.contains(&trial.number));
    let jobs = next.map(|next| due.map(|trial| job(trial, next)).collect()).unwrap_or_default();
    let mut hyperparameters = payload.hyperparameters.clone();
    let chosen = record.trials.iter().find(|trial| Some(trial.number) == record.chosen);
    hyperparameters.extend(chosen.map(|trial| trial.hyperparameters.clone()).unwrap_or_default());
    Search { record, jobs, hyperparameters }
}

/// The trials, or why nothing is tried.
fn begin(payload: &SearchStep, manifest: &Manifest) -> (SearchRecord, Vec<u32>) {
    let SearchStep { mode, hyperparameters, fixed, .. } = payload;
    let record = SearchRecord { mode: *mode, ..SearchRecord::default() };
    if let Some(outcome) = obstacle(payload, manifest) {
        return (SearchRecord { outcome, ..record }, Vec::new());
    }
    let tried = challengers(trials(*mode).saturating_sub(1), hyperparameters, fixed);
    if tried.is_empty() {
        let outcome = "Nothing was tried: all hyperparameters that the search varies are set.";
        return (SearchRecord { outcome: outcome.to_owned(), ..record }, Vec::new());
    }
    let configured = NAMES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), hyperparameters.get(*name)?.clone())));
    let configured: Hyperparameters = configured.collect();
    let trial = |(number, changed): (u32, Hyperparameters)| {
        let mut hyperparameters = configured.clone();
        hyperparameters.extend(changed);
        Trial { number, hyperparameters, losses: Vec::new(), error: None }
    };
    let all = std::iter::once(Hyperparameters::new()).chain(tried);
    let trials: Vec<Trial> = (CONFIGURED..).zip(all).map(trial).collect();
    let due = trials.iter().map(|trial| trial.number).collect();
    let rounds = rungs(*mode).iter().map(|rung| rung.rounds(hyperparameters)).collect();
    (SearchRecord { rounds, trials, ..record }, due)
}

/// Why trials of this feature set could not be compared.
fn obstacle(payload: &SearchStep, manifest: &Manifest) -> Option<String> {
    let value = |name: &str| payload.hyperparameters.get(name).map(String::as_str);
    let questions = manifest.search_questions;
    if payload.mode == SearchMode::Off {
        Some("The search is off.".to_owned())
    } else if value("objective") != Some(OBJECTIVE) || value("booster").is_some_and(|b| b != TREES)
    {
        Some(format!(
            "Nothing was tried: the search varies trees of the objective {OBJECTIVE}, and the run \
             sets another one."
        ))
    } else if judged_by(manifest, &payload.gate) != JudgedBy::Gate {
        Some("Nothing was tried: a shop that cross-validation judges is too small.".to_owned())
    } else if questions < MIN_QUESTIONS {
        Some(format!(
            "Nothing was tried: the sample has {questions} validation questions, and a search asks \
             for {MIN_QUESTIONS}."
        ))
    } else {
        None
    }
}

/// Notes how the trials of a rung ended. Returns those of the next rung; without any, the record
/// says what was chosen.
fn advance(mut record: SearchRecord, jobs: &[Job], ended: &[Ended]) -> (SearchRecord, Vec<u32>) {
    for trial in
        record.trials.iter_mut().filter(|trial| jobs.iter().any(|j| j.trial == trial.number))
    {
        match ended.iter().find(|ended| ended.trial == trial.number).map(Ended::loss) {
            Some(Ok(loss)) => trial.losses.push(loss),
            Some(Err(error)) => trial.error = Some(error),
            None => trial.error = Some("its training has no result".to_owned()),
        }
    }
    let rung = record.finished_rungs();
    let last = |trial: &Trial| match trial.losses.len() == rung {
        true => trial.losses.last().copied(),
        false => None,
    };
    let own = record.trials.first().filter(|trial| trial.error.is_none());
    let Some(configured) = own.and_then(last) else {
        let outcome =
            "The trial with the configured values failed: the model is trained with them.";
        return end(record, CONFIGURED, outcome.to_owned());
    };
    let better = |trial: &Trial| Some((trial.number, last(trial).filter(|l| *l < configured)?));
    let mut better: Vec<(u32, f64)> = record.trials.iter().filter_map(better).collect();
    better.sort_by(|a, b| a.1.total_cmp(&b.1));
    let Some(&(best, loss)) = better.first() else {
        let outcome = "No trial had a lower logloss than the configured values.";
        return end(record, CONFIGURED, outcome.to_owned());
    };
    if rung < record.rounds.len() {
        let kept = (jobs.len() / 2).max(2);
        let due = std::iter::once(CONFIGURED).chain(better.into_iter().map(|(number, _)| number));
        return (record, due.take(kept).collect());
    }
    let lead = (configured - loss) / configured;
    let (percent, asked) = (lead * 100.0, MARGIN * 100.0);
    let found = format!(
        "The logloss of trial {best}, {loss:.5}, is {percent:.1} % below that of the configured \
         values, {configured:.5}"
    );
    if lead < MARGIN {
        let outcome = format!("{found}: a change asks for {asked} %.");
        return end(record, CONFIGURED, outcome);
    }
    end(record, best, format!("{found}: the model is trained with its values."))
}

fn end(record: SearchRecord, chosen: u32, outcome: String) -> (SearchRecord, Vec<u32>) {
    (SearchRecord { chosen: Some(chosen), outcome, ..record }, Vec::new())
}
