//! What followed from recommendations, as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

/// Reactions to products shown. A view or an addition counts if the event carries the answer's
/// recommendation_id and the product. A purchase counts if the shopper added the product in
/// this way before the checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Funnel {
    /// Products shown.
    pub shown: u64,
    /// Products viewed.
    pub viewed: u64,
    /// Products added to the cart.
    pub added: u64,
    /// Products bought.
    pub bought: u64,
}

/// Reactions to one model's answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct ModelQuality {
    /// The model; `none` if no model ranked.
    pub model_version: String,
    /// The number of answers.
    pub answers: u64,
    /// All positions together.
    #[serde(flatten)]
    pub funnel: Funnel,
    /// By position, from the first.
    pub positions: Vec<Funnel>,
}

/// Reactions on one day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct DayQuality {
    /// The day in UTC, such as `2026-01-31`.
    pub day: String,
    /// All positions together.
    #[serde(flatten)]
    pub funnel: Funnel,
}

/// Reactions to recommendations in a period.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Quality {
    /// The start of the period, UTC milliseconds.
    pub from_ms: i64,
    /// The end of the period, UTC milliseconds.
    pub to_ms: i64,
    /// Whether older answers were left out because there were too many.
    pub truncated: bool,
    /// The number of answers with products.
    pub answers: u64,
    /// All positions together.
    pub total: Funnel,
    /// By model, most answers first.
    pub models: Vec<ModelQuality>,
    /// By position, from the first.
    pub positions: Vec<Funnel>,
    /// By day, oldest first.
    pub days: Vec<DayQuality>,
}
