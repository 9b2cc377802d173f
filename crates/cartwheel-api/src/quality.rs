//! What became of the answers.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::pipeline::{blocking, operator};
use crate::problem::{Kind, Problem};
use crate::request::Params;
use crate::state::Shared;

const DAY_MS: i64 = 86_400_000;

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

/// Shows what became of the answers
///
/// Joins what was shown with the events that name its recommendation_id, as far as both
/// are delivered to the lake.
#[utoipa::path(get, path = "/v1/quality", tag = "data", params(
    ("days" = Option<usize>, Query, minimum = 1, maximum = 90, description = "So many days back, 1 to 90; 7 by default"),
), responses(
    (status = 200, description = "Shown, viewed, added, bought", body = Quality),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "This server has no lake of its own", body = Problem),
    (status = 503, description = "The lake cannot be read now", body = Problem),
))]
pub(crate) async fn quality(
    State(state): State<Shared>,
    mut params: Params,
) -> Result<Json<Quality>, Problem> {
    let days = params.number("days", 7, 1..=90)?;
    params.end("days")?;
    let operator = operator(&state)?;
    let to_ms = state.clock.now_ms();
    let from_ms = to_ms - i64::try_from(days).unwrap_or(7) * DAY_MS;
    let quality = blocking(move || operator.quality(from_ms, to_ms)).await?;
    let unread = |why| Problem::hiding(Kind::Unavailable, "The lake cannot be read now.", why);
    quality.map(Json).map_err(unread)
}
