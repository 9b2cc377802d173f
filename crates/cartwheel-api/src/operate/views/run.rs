//! How a run of the pipeline is requested.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;

/// How to start a run.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StartRun {
    /// Name of the run; from the time by default.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,80}$")]
    pub name: Option<String>,
    /// Hyperparameters of XGBoost, over the definition's: texts, by name.
    pub hyperparameters: BTreeMap<String, String>,
}
