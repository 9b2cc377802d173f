//! What the gate noted with an [`Evaluation`], beside its figures.

use cartwheel_feature_set::SourceSearch;
use cartwheel_registry::Evaluation;
use serde::Deserialize;

use crate::search::SearchRecord;
use crate::verdict::Verdict;

/// The verdict in an evaluation. `None` in evaluations of early versions.
pub fn verdict(evaluation: &Evaluation) -> Option<Verdict> {
    Verdict::deserialize(&evaluation.report["verdict"]).ok()
}

/// What the search for hyperparameters tried before the evaluation. `None` in evaluations of early
/// versions.
pub fn search(evaluation: &Evaluation) -> Option<SearchRecord> {
    SearchRecord::deserialize(&evaluation.report["search"]).ok()
}

/// How the parameters of the sources of the model's feature set were chosen. `None` in evaluations of
/// early versions.
pub fn sources(evaluation: &Evaluation) -> Option<SourceSearch> {
    SourceSearch::deserialize(&evaluation.report["sources"]).ok()
}
