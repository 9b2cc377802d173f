//! Answers with recommendations.

use cartwheel_events::ProductId;
use serde::Serialize;

/// The answer to a [`Query`](crate::Query).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// Products, best first.
    pub items: Vec<Recommendation>,
    /// The version of the model that ranked them, or `none`.
    pub model_version: String,
    /// The release that answered: feature set and model.
    pub release: String,
    /// Whether a part failed and the answer was made from the rest.
    pub degraded: bool,
    /// The number of candidates by source. Empty unless the query asked for explanations.
    pub candidates: Vec<SourceCount>,
}

/// The number of candidates from one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SourceCount {
    /// The source: `history`, `cart`, `taste` or `popular`.
    pub source: String,
    /// The number of candidates.
    pub candidates: usize,
}

/// A recommended product.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Recommendation {
    /// The product.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub product_id: ProductId,
    /// The product's name.
    pub product_name: String,
    /// The name of its aisle.
    pub aisle: String,
    /// The name of its department.
    pub department: String,
    /// The probability that the shopper buys it next, 0 to 1.
    pub probability: f32,
    /// Reasons to show the shopper.
    pub reasons: Vec<String>,
    /// The source that made it a candidate; recorded in the impression.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schema(ignore))]
    pub source: Option<String>,
    /// Present only on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// The numbers behind a recommendation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The source that made it a candidate: `history`, `cart`, `taste` or `popular`.
    pub source: String,
    /// Log-odds before any feature is known; null without a model.
    pub base: Option<f32>,
    /// The contribution of each feature. Together with `base` they sum to the log-odds of
    /// the probability.
    pub features: Vec<FeatureContribution>,
}

/// The contribution of one feature (SHAP: Lundberg et al., Nature Machine Intelligence 2020).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FeatureContribution {
    /// The feature.
    pub name: String,
    /// Its value before scaling; null if missing.
    pub value: Option<f32>,
    /// Its contribution to the log-odds; 0 without a model.
    pub contribution: f32,
}
