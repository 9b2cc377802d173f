//! The routes for online quality.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use cartwheel_events::ProductId;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::blocking::blocking;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{Params, ProductPath};
use crate::operate::operator::Operator;
use crate::operate::views::quality::{
    FunnelOrder, ProductFunnel, ProductQuality, ProductsQuality, Quality,
};
use crate::routes::Routes;
use crate::state::Shared;

/// Products of which the answer shows what exploration has learned.
const MOST_EXPLORED: usize = 20;

/// The routes for online quality.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::Admin, routes!(quality))
        .scoped(Scope::Admin, routes!(quality_by_product))
        .scoped(Scope::Admin, routes!(product_quality))
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
    let now_ms = state.clock.now_ms();
    let read =
        move |operator: Arc<dyn Operator>| operator.quality(days, placement.as_deref(), now_ms);
    let mut quality = asked(&state, read).await?;
    quality.exploration.products = state.engine.explored(MOST_EXPLORED);
    Ok(Json(quality))
}

/// Products with their names, and what followed from their recommendations.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamedProducts {
    /// The first day in the shop's time zone.
    from: String,
    /// The last day, which is today.
    to: String,
    /// As of `Quality`.
    one_in: u32,
    /// Products in the order that was asked for.
    products: Vec<NamedProduct>,
}

/// What followed from the recommendations of a product, with its name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamedProduct {
    /// The product's name, or its id if the catalogue has it no longer.
    product_name: String,
    #[serde(flatten)]
    figures: ProductFunnel,
}

/// Shows how shoppers reacted to recommendations by product
///
/// Of each day, the 20,000 combinations of product, placement and source count that were shown
/// most often.
#[utoipa::path(get, path = "/v1/quality/products", tag = "data", params(
    ("days" = Option<usize>, Query, minimum = 1, maximum = 90, description = "Number of days, 1 to 90, the last of which is today; 7 by default"),
    ("sort" = Option<String>, Query, pattern = "^(shown|viewed|added|bought|revenue)?$", description = "`shown` (the default), `viewed`, `added`, `bought` or `revenue`, the highest first"),
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 100, description = "Maximum number of products, 1 to 100; 20 by default"),
), responses(
    (status = 200, description = "Products, the highest figures first", body = NamedProducts),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "This server has no lake", body = Problem),
    (status = 503, description = "The lake cannot be read at the moment", body = Problem),
))]
pub(crate) async fn quality_by_product(
    State(state): State<Shared>,
    mut params: Params,
) -> Result<Json<NamedProducts>, Problem> {
    let days = params.number("days", 7, 1..=90)?;
    let limit = params.number("limit", 20, 1..=100)?;
    let order = params.text("sort")?.as_deref().map(order).transpose()?.unwrap_or_default();
    params.end("days, sort, limit")?;
    let now_ms = state.clock.now_ms();
    let read =
        move |operator: Arc<dyn Operator>| operator.quality_by_product(days, order, limit, now_ms);
    let ProductsQuality { from, to, one_in, products } = asked(&state, read).await?;
    let named = |figures: ProductFunnel| {
        let known = ProductId::new(figures.product_id.as_str()).ok();
        let known = known.and_then(|id| state.engine.product(&id, now_ms));
        let name = known.map_or_else(|| figures.product_id.clone(), |known| known.product_name);
        NamedProduct { product_name: name, figures }
    };
    let products = products.into_iter().map(named).collect();
    Ok(Json(NamedProducts { from, to, one_in, products }))
}

/// Shows how shoppers reacted to the recommendations of a product
///
/// By day, placement and source. A product without recommendations has figures of 0.
#[utoipa::path(get, path = "/v1/quality/products/{id}", tag = "data", params(
    ("id" = String, Path, description = "The product"),
    ("days" = Option<usize>, Query, minimum = 1, maximum = 90, description = "Number of days, 1 to 90, the last of which is today; 7 by default"),
), responses(
    (status = 200, description = "Counts of how often it was shown, viewed, added and bought", body = ProductQuality),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "This server has no lake", body = Problem),
    (status = 503, description = "The lake cannot be read at the moment", body = Problem),
))]
pub(crate) async fn product_quality(
    State(state): State<Shared>,
    ProductPath(id): ProductPath,
    mut params: Params,
) -> Result<Json<ProductQuality>, Problem> {
    let days = params.number("days", 7, 1..=90)?;
    params.end("days")?;
    let now_ms = state.clock.now_ms();
    let read = move |operator: Arc<dyn Operator>| operator.product_quality(&id, days, now_ms);
    asked(&state, read).await.map(Json)
}

/// Asks the operator on a thread that may block.
async fn asked<T: Send + 'static>(
    state: &Shared,
    read: impl FnOnce(Arc<dyn Operator>) -> Result<T, String> + Send + 'static,
) -> Result<T, Problem> {
    let operator = state.operator()?;
    let unread =
        |why| Problem::hiding(Kind::Unavailable, "The lake cannot be read at the moment.", why);
    blocking(move || read(operator)).await?.map_err(unread)
}

/// The order of a name.
fn order(name: &str) -> Result<FunnelOrder, Problem> {
    let found = FunnelOrder::NAMES.iter().find(|(known, _)| *known == name);
    found.map(|(_, order)| *order).ok_or_else(|| {
        let expected = "shown, viewed, added, bought or revenue";
        Problem::field("sort", "sort is not known.", expected)
    })
}
