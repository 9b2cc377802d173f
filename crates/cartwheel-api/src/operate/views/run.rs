//! A request to start a run of the pipeline.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;

/// Options of a run.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StartRun {
    /// The run's name; derived from the time by default.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,80}$")]
    pub name: Option<String>,
    /// XGBoost hyperparameters by name, as text. They override the definition's.
    pub hyperparameters: BTreeMap<String, String>,
}
