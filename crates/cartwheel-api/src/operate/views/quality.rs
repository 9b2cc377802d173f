//! What followed from recommendations, as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

/// What became of the places that were shown. An event counts for a place if it names
/// the answer's recommendation_id and the product; a purchase, if the shopper checks the
/// product out after adding it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Funnel {
    /// Places shown.
    pub shown: u64,
    /// Places whose product was looked at.
    pub viewed: u64,
    /// Places whose product was put into the cart.
    pub added: u64,
    /// Places whose product was then bought.
    pub bought: u64,
}

/// What became of one model's answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct ModelQuality {
    /// The model; `none` where no model ranked.
    pub model_version: String,
    /// Its answers.
    pub answers: u64,
    /// All places.
    #[serde(flatten)]
    pub funnel: Funnel,
    /// By place, the first one first.
    pub positions: Vec<Funnel>,
}

/// What became of one day's answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct DayQuality {
    /// Such as `2026-01-31`, UTC.
    pub day: String,
    /// All places.
    #[serde(flatten)]
    pub funnel: Funnel,
}

/// What became of the answers of a time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Quality {
    /// From when, UTC milliseconds.
    pub from_ms: i64,
    /// To when, UTC milliseconds.
    pub to_ms: i64,
    /// Whether there were more answers than are looked at; then the newest are.
    pub truncated: bool,
    /// Answers that showed something.
    pub answers: u64,
    /// All places.
    pub total: Funnel,
    /// By model, the most answers first.
    pub models: Vec<ModelQuality>,
    /// By place, the first one first.
    pub positions: Vec<Funnel>,
    /// Oldest first.
    pub days: Vec<DayQuality>,
}
