//! The record of how the parameters of a shop's sources were chosen.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How much a search tries: for hyperparameters, and for the parameters of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    /// Nothing: the configured and the standard values are used.
    Off,
    /// 4 trials of hyperparameters in two rungs, and few values of each parameter.
    #[default]
    Quick,
    /// 12 trials in three rungs, and more values of each parameter.
    Full,
}

/// A text that names no extent of a search.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected off, quick or full")]
pub struct InvalidMode;

impl FromStr for SearchMode {
    type Err = InvalidMode;

    fn from_str(text: &str) -> Result<Self, InvalidMode> {
        match text {
            "off" => Ok(Self::Off),
            "quick" => Ok(Self::Quick),
            "full" => Ok(Self::Full),
            _ => Err(InvalidMode),
        }
    }
}

/// What a search for the parameters of sources tried, and what it chose.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SourceSearch {
    /// How much was asked for.
    pub mode: SearchMode,
    /// Questions to validation users by which values are compared in each rung; empty if nothing was
    /// tried.
    pub questions: Vec<u64>,
    /// The parameters, in the order in which they were chosen.
    pub parameters: Vec<ParameterSearch>,
    /// What the search came to, in one sentence.
    pub outcome: String,
}

/// The search for the value of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ParameterSearch {
    /// The parameter's name.
    pub name: String,
    /// The source by whose list its values are compared.
    pub source: String,
    /// The values that were tried, the standard one first.
    pub trials: Vec<ParameterTrial>,
    /// The value that was chosen.
    pub chosen: f64,
    /// Why, in one sentence.
    pub outcome: String,
}

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ParameterTrial {
    /// The value.
    pub value: f64,
    /// Mean NDCG of the source's list in each rung that the value took part in.
    pub scores: Vec<f64>,
}
