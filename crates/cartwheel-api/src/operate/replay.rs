//! The route that makes an earlier answer again.

use axum::Json;
use axum::extract::State;
use cartwheel_events::Impression;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{NamePath, Params};
use crate::operate::replayer::made_at;
use crate::operate::views::replay::Replay;
use crate::routes::Routes;
use crate::shop::again::{Past, again};
use crate::shop::moment::Moment;
use crate::state::Shared;

/// The route that makes an answer again.
pub(crate) fn routes() -> Routes {
    Routes::default().scoped(Scope::Admin, routes!(replay_answer))
}

/// Computes an earlier answer again
///
/// From the release, the catalogue, the rules and the shopper's events as they were at that moment, and
/// shows place by place whether it is the same, with the contribution of each feature. What is no
/// longer stored is named.
#[utoipa::path(get, path = "/v1/recommendations/{id}/replay", tag = "data", params(
    ("id" = String, Path, description = "The answer's recommendation_id"),
), responses(
    (status = 200, description = "Both answers, compared", body = Replay),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "No such answer is stored, or this server has no lake", body = Problem),
    (status = 503, description = "What is stored cannot be read at the moment", body = Problem),
))]
pub(crate) async fn replay_answer(
    State(state): State<Shared>,
    NamePath(id): NamePath,
    params: Params,
) -> Result<Json<Replay>, Problem> {
    params.end("none")?;
    let none = || Problem::new(Kind::NotFound, "This server makes no answers again.");
    let replayer = state.replayer.clone().ok_or_else(none)?;
    let (asked, now_ms, delay_ms) = (id.clone(), state.clock.now_ms(), replayer.delay_ms());
    let found = blocking(move || replayer.replay(&asked, now_ms)).await?;
    let unread = |why| {
        Problem::hiding(Kind::Unavailable, "What is stored cannot be read at the moment.", why)
    };
    let unknown = || {
        let is_new = made_at(&id).is_some_and(|at_ms| now_ms.saturating_sub(at_ms) < delay_ms);
        let why = match is_new {
            true => format!("answers are delivered within {} minutes", delay_ms / 60_000),
            false => {
                "it is older than what is kept, its recording was dropped, or its shopper was \
                      erased"
                    .to_owned()
            }
        };
        let yet = if is_new { " yet" } else { "" };
        Problem::new(Kind::NotFound, format!("No answer {id} is stored{yet}: {why}."))
    };
    found.map_err(unread)?.map(Json).ok_or_else(unknown)
}

/// Makes an answer again and compares it with the one that was given.
pub(crate) async fn replay(impression: &Impression, moment: &Moment, past: &Past) -> Replay {
    match again(impression, moment, past).await {
        Ok(again) => Replay::compared(impression, again),
        Err(problem) => {
            let why = format!("Its request is not valid in this release: {}", problem.detail);
            Replay::incomplete(impression, vec![why])
        }
    }
}
