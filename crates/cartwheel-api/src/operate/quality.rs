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

/// The route for online quality.
pub(crate) fn routes() -> Routes {
    Routes::default().scoped(Scope::Admin, routes!(quality))
}

/// Shows how shoppers reacted to recommendations
///
/// Joins answers with the events that carry their recommendation_id, as far as both have been
/// delivered to the lake. The figures of a day no longer change once no event can count for it.
#[utoipa::path(get, path = "/v1/quality", tag = "data", params(
    ("days" = Option<usize>, Query, minimum = 1, maximum = 90, description = "Number of days, 1 to 90, the last of which is today; 7 by default"),
    ("placement" = Option<String>, Query, description = "Only answers of this placement"),
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
    let placement = params.text("placement")?;
    params.end("days, placement")?;
    let operator = state.operator()?;
    let now_ms = state.clock.now_ms();
    let read = move || operator.quality(days, placement.as_deref(), now_ms);
    let unread =
        |why| Problem::hiding(Kind::Unavailable, "The lake cannot be read at the moment.", why);
    blocking(read).await?.map(Json).map_err(unread)
}
