//! The route for what shoppers searched for.

use axum::Json;
use axum::extract::State;
use cartwheel_engine::{FacetFilters, SearchOrder, TextSearch};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::http::request::Params;
use crate::operate::views::searches::{QueryCount, SearchCounts};
use crate::routes::Routes;
use crate::state::{AppState, Shared};

/// Queries that are searched again, to see what they find now.
const SEARCHED: usize = 500;
/// Most queries of each list of an answer.
const LISTED: usize = 100;

/// The route for what shoppers searched for.
pub(crate) fn routes() -> Routes {
    Routes::default().scoped(Scope::Admin, routes!(queries))
}

/// What shoppers searched for in a period.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SearchQueries {
    /// When the period begins, UTC milliseconds; later than asked for if there were too many
    /// events.
    since_ms: i64,
    /// Queries of fewer shoppers are counted, and not named.
    min_shoppers: u64,
    /// All searches.
    searches: u64,
    /// Searches with queries that are not named.
    unnamed: u64,
    /// The most frequent queries, at most 100.
    queries: Vec<SearchedQuery>,
    /// Those of the 500 most frequent queries that find no product now, or only with another
    /// spelling; at most 100.
    without_products: Vec<SearchedQuery>,
}

/// A query, and what it finds.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SearchedQuery {
    #[serde(flatten)]
    count: QueryCount,
    /// Products that it finds now.
    products: usize,
    /// The spelling with which it finds them, if not with its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    corrected_query: Option<String>,
}

/// Shows what shoppers searched for
///
/// Counts events `search` as far as they have been delivered to the lake, and searches the most
/// frequent queries again to see what they find now. A query that fewer than three shoppers have
/// asked is not named, because it may tell who asked it.
#[utoipa::path(get, path = "/v1/search/queries", tag = "data", params(
    ("days" = Option<usize>, Query, minimum = 1, maximum = 30, description = "Number of days until now, 1 to 30; 7 by default"),
), responses(
    (status = 200, description = "Queries, the most frequent first", body = SearchQueries),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "This server has no lake", body = Problem),
    (status = 503, description = "The lake cannot be read at the moment", body = Problem),
))]
pub(crate) async fn queries(
    State(state): State<Shared>,
    mut params: Params,
) -> Result<Json<SearchQueries>, Problem> {
    let days = params.number("days", 7, 1..=30)?;
    params.end("days")?;
    let operator = state.operator()?;
    let searching = state.clone();
    let read = move || {
        let counts = operator.searches(days, searching.clock.now_ms())?;
        Ok(found(&searching, counts))
    };
    let unread = |why: String| {
        Problem::hiding(Kind::Unavailable, "The lake cannot be read at the moment.", why)
    };
    blocking(read).await?.map(Json).map_err(unread)
}

/// The queries with what they find now.
fn found(state: &AppState, counts: SearchCounts) -> SearchQueries {
    let SearchCounts { since_ms, min_shoppers, searches, queries: counted } = counts;
    let named: u64 = counted.iter().map(|count| count.searches).sum();
    let mut queries: Vec<SearchedQuery> =
        counted.into_iter().take(SEARCHED).map(|count| searched(state, count)).collect();
    let is_missed = |query: &&SearchedQuery| query.products == 0 || query.corrected_query.is_some();
    let without_products = queries.iter().filter(is_missed).take(LISTED).cloned().collect();
    queries.truncate(LISTED);
    let unnamed = searches.saturating_sub(named);
    SearchQueries { since_ms, min_shoppers, searches, unnamed, queries, without_products }
}

fn searched(state: &AppState, count: QueryCount) -> SearchedQuery {
    let synonyms = state.synonyms.current();
    let found = state.engine.search(&TextSearch {
        text: &count.query,
        is_typing: false,
        synonyms: Some(&synonyms.content),
        filters: FacetFilters::default(),
        expression: None,
        order: SearchOrder::Relevance,
        shopper: None,
        offset: 0,
        limit: 1,
        now_ms: state.clock.now_ms(),
    });
    SearchedQuery { count, products: found.total, corrected_query: found.corrected_query }
}
