//! The route that searches the shop.

use axum::Json;
use axum::extract::State;
use cartwheel_events::{ID_EXPECTED, UserId};
use cartwheel_filter::Source;
use utoipa_axum::routes;

use crate::access::caller::Caller;
use crate::access::scope::Scope;
use crate::http::problem::Problem;
use crate::http::request::Params;
use crate::routes::Routes;
use crate::shop::catalogue::price;
use crate::shop::expression::expression;
use crate::shop::known::Known;
use crate::shop::recommendations::known;
use crate::state::Shared;
use cartwheel_engine::{FacetFilters, Filters, Query, SearchOrder, SearchResults, TextSearch};

/// The number of products after which a search has no more pages.
const MAX_OFFSET: usize = 10_000;

const PARAMETERS: &str = "q, typing, department, aisle, brand, min_price, max_price, in_stock, \
                          filter, sort, user_id, cursor, limit";

/// The route for searches.
pub(crate) fn routes() -> Routes {
    Routes::default().for_tokens(Scope::RecommendationsRead, routes!(search))
}

/// Searches the products that may be shown
///
/// Finds products that have every word of `q` in name, brand, categories, tags or attributes, as it
/// is, as the beginning of a word, or with a typo, in this order; see docs/search.md. A query that
/// finds nothing offers others that do. With `user_id`, the most relevant products come in the
/// order of the shopper.
#[utoipa::path(get, path = "/v1/search", tag = "products", params(
    ("q" = String, Query, min_length = 1, max_length = 200, description = "Words, of which the first twelve count, or a product's id"),
    ("typing" = Option<bool>, Query, description = "Whether the shopper is still writing, so that the last word may be unfinished although it is a word"),
    ("department" = Option<String>, Query, max_length = 200, description = "Only this department"),
    ("aisle" = Option<String>, Query, max_length = 200, description = "Only this aisle"),
    ("brand" = Option<String>, Query, max_length = 200, description = "Only this brand"),
    ("min_price" = Option<String>, Query, max_length = 200, description = "Only products of at least this price"),
    ("max_price" = Option<String>, Query, max_length = 200, description = "Only products of at most this price"),
    ("in_stock" = Option<bool>, Query, description = "Only products that the shop states to be in stock"),
    ("filter" = Option<String>, Query, max_length = 2000, description = "Only products that fulfil this expression, such as `price < 20 and not ('alcohol' in tags)`; with `user_id` it may ask for `user` and `cart`"),
    ("sort" = Option<String>, Query, description = "`relevance` (the default), `price`, `-price`, `newest` or `popular`"),
    ("user_id" = Option<String>, Query, max_length = 64, description = "The shopper for whom the most relevant products are ordered"),
    ("cursor" = Option<String>, Query, max_length = 200, description = "The `next_cursor` of the page before"),
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 100, description = "Maximum number of products, 1 to 100; 20 by default"),
), responses(
    (status = 200, description = "Products, best first, with facets", body = SearchResults),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn search(
    State(state): State<Shared>,
    caller: Caller,
    mut params: Params,
) -> Result<Json<SearchResults>, Problem> {
    let text = params
        .text("q")?
        .ok_or_else(|| Problem::field("q", "q is missing.", "what the shopper searches for"))?;
    let filters = FacetFilters {
        department: params.text("department")?,
        aisle: params.text("aisle")?,
        brand: params.text("brand")?,
        min_price: price(&mut params, "min_price")?,
        max_price: price(&mut params, "max_price")?,
        in_stock: params.flag("in_stock")?,
    };
    let filter = params.long_text("filter");
    let is_typing = params.flag("typing")?;
    let order = params.text("sort")?.as_deref().map(order).transpose()?.unwrap_or_default();
    let user_id = params.text("user_id")?.map(|id| {
        UserId::known(&id)
            .map_err(|e| Problem::field("user_id", format!("user_id {e}."), ID_EXPECTED))
    });
    let offset = params.text("cursor")?.map_or(Ok(0), |cursor| offset(&cursor))?;
    let limit = params.number("limit", 20, 1..=100)?;
    params.end(PARAMETERS)?;
    let source = if user_id.is_some() { Source::Shopper } else { Source::Everybody };
    let expression = expression(filter.as_deref(), None, source)?;
    let shopper = user_id.transpose()?.map(|id| caller.permit(id)).transpose()?;
    let found = match &shopper {
        Some(shopper) => known(&state, shopper).await,
        None => Known::default(),
    };
    let now_ms = state.clock.now_ms();
    let shopper = shopper.as_ref().map(|shopper| Query {
        user_id: shopper.id(),
        session: found.session(),
        record: found.record(),
        cart: None,
        limit,
        filters: Filters::default(),
        rules: None,
        explain: false,
        now_ms,
    });
    let text = text.as_str();
    let synonyms = state.synonyms.current();
    let synonyms = Some(&synonyms.content);
    let search = TextSearch {
        text,
        is_typing,
        synonyms,
        filters,
        expression,
        order,
        shopper,
        offset,
        limit,
        now_ms,
    };
    Ok(Json(state.engine.search(&search)))
}

/// The order of a name.
fn order(name: &str) -> Result<SearchOrder, Problem> {
    let found = SearchOrder::NAMES.iter().find(|(known, _)| *known == name);
    found.map(|(_, order)| *order).ok_or_else(|| {
        let expected = "relevance, price, -price, newest or popular";
        Problem::field("sort", "sort is not known.", expected)
    })
}

/// The number of products before the page of a cursor.
fn offset(cursor: &str) -> Result<usize, Problem> {
    let offset = cursor.parse::<usize>().ok().filter(|offset| *offset <= MAX_OFFSET);
    offset.ok_or_else(|| {
        let detail = format!("The cursor is not valid, or beyond {MAX_OFFSET} products.");
        Problem::field("cursor", detail, "the next_cursor of the page before")
    })
}
