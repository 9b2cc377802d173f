//! The route for online quality.

use axum::Json;
use axum::extract::State;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::http::request::Params;
use crate::operate::views::quality::Quality;
use crate::routes::Routes;
use crate::state::Shared;

const DAY_MS: i64 = 86_400_000;

/// The route for online quality.
pub(crate) fn routes() -> Routes {
    Routes::default().scoped(Scope::Admin, routes!(quality))
}

/// Shows how shoppers reacted to recommendations
///
/// Joins impressions with the events that carry their recommendation_id, as far as both have
/// been delivered to the lake.
#[utoipa::path(get, path = "/v1/quality", tag = "data", params(
    ("days" = Option<usize>, Query, minimum = 1, maximum = 90, description = "Number of days, 1 to 90; 7 by default"),
), responses(
    (status = 200, description = "Counts of products shown, viewed, added and bought", body = Quality),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "This server has no lake", body = Problem),
    (status = 503, description = "The lake cannot be read at the moment", body = Problem),
))]
pub(crate) async fn quality(
    State(state): State<Shared>,
    mut params: Params,
) -> Result<Json<Quality>, Problem> {
    let days = params.number("days", 7, 1..=90)?;
    params.end("days")?;
    let operator = state.operator()?;
    let to_ms = state.clock.now_ms();
    let from_ms = to_ms - i64::try_from(days).unwrap_or(7) * DAY_MS;
    let quality = blocking(move || operator.quality(from_ms, to_ms)).await?;
    let unread =
        |why| Problem::hiding(Kind::Unavailable, "The lake cannot be read at the moment.", why);
    quality.map(Json).map_err(unread)
}
