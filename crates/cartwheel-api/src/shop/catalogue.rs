//! Routes for products, departments and best sellers.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::problem::{Kind, Problem};
use crate::http::request::{Params, ProductPath};
use crate::routes::Routes;
use crate::shop::expression::expression;
use crate::state::Shared;
use cartwheel_catalogue::Money;
use cartwheel_engine::{
    DepartmentView, Filters, PageStart, ProductSearch, ProductView, Products, Recommendation,
    Similarity, Trend, Visibility, Window,
};
use cartwheel_events::{COUNTRY_EXPECTED, Country, ProductId};
use cartwheel_filter::{Expression, Source};

/// The routes for products.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .for_tokens(Scope::RecommendationsRead, routes!(departments))
        .for_tokens(Scope::RecommendationsRead, routes!(products))
        .for_tokens(Scope::RecommendationsRead, routes!(product))
        .for_tokens(Scope::RecommendationsRead, routes!(similar))
        .for_tokens(Scope::RecommendationsRead, routes!(popular))
        .for_tokens(Scope::RecommendationsRead, routes!(trending))
}

/// Ranked products.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ranked {
    /// Products, best first.
    recommendations: Vec<Recommendation>,
}

/// Departments.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Departments {
    /// Departments, best selling first.
    departments: Vec<DepartmentView>,
}

/// The parameters of a page, for the error about any other.
pub(crate) const PAGE_PARAMETERS: &str =
    "search, department, aisle, brand, min_price, max_price, cursor, offset, limit";

/// A page of products that a request asks for.
pub(crate) struct Page {
    pub(crate) search: ProductSearch<'static>,
    pub(crate) start: PageStart,
    pub(crate) limit: usize,
}

/// Takes a price.
pub(crate) fn price(params: &mut Params, name: &str) -> Result<Option<Money>, Problem> {
    let price = params.text(name)?.map(|text| text.parse::<Money>()).transpose();
    let expected = "an amount such as 12.90";
    price.map_err(|problem| Problem::field(name, format!("{name} {problem}."), expected))
}

/// Takes the parameters of a page.
pub(crate) fn page(params: &mut Params, visibility: Visibility) -> Result<Page, Problem> {
    let min_price = price(params, "min_price")?;
    let max_price = price(params, "max_price")?;
    let search = ProductSearch {
        text: params.text("search")?,
        synonyms: None,
        department: params.text("department")?,
        aisle: params.text("aisle")?,
        brand: params.text("brand")?,
        min_price,
        max_price,
        visibility,
    };
    let offset = params.number("offset", 0, 0..=10_000_000)?;
    let start = match params.text("cursor")? {
        None => PageStart::Offset(offset),
        Some(_) if offset > 0 => {
            let detail = "offset cannot be combined with cursor.";
            return Err(Problem::field("offset", detail, "only one of them"));
        }
        Some(cursor) => PageStart::After(ProductId::new(cursor).map_err(|_| unknown_cursor())?),
    };
    Ok(Page { search, start, limit: params.number("limit", 20, 1..=100)? })
}

/// The problem of a cursor whose product no longer exists.
pub(crate) fn unknown_cursor() -> Problem {
    let detail = "The cursor is not valid, or no longer. Begin again without it.";
    Problem::field("cursor", detail, "the next_cursor of the page before")
}

/// Lists or searches products
///
/// Only products that may be shown now are listed.
#[utoipa::path(get, path = "/v1/products", tag = "products", params(
    ("search" = Option<String>, Query, max_length = 200, description = "Words as in `/v1/search`, the last one perhaps unfinished, or the id; at most 200 characters"),
    ("department" = Option<String>, Query, max_length = 200, description = "Only this department"),
    ("aisle" = Option<String>, Query, max_length = 200, description = "Only this aisle"),
    ("brand" = Option<String>, Query, max_length = 200, description = "Only this brand"),
    ("min_price" = Option<String>, Query, max_length = 200, description = "Only products of at least this price"),
    ("max_price" = Option<String>, Query, max_length = 200, description = "Only products of at most this price"),
    ("cursor" = Option<String>, Query, max_length = 200, description = "The `next_cursor` of the page before"),
    ("offset" = Option<usize>, Query, maximum = 10_000_000, description = "Number of products to skip; 0 by default"),
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 100, description = "Maximum number of products, 1 to 100; 20 by default"),
), responses(
    (status = 200, description = "Products", body = Products),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn products(
    State(state): State<Shared>,
    mut params: Params,
) -> Result<Json<Products>, Problem> {
    let page = page(&mut params, Visibility::Shown)?;
    params.end(PAGE_PARAMETERS)?;
    let now_ms = state.clock.now_ms();
    let synonyms = state.synonyms.current();
    let search = ProductSearch { synonyms: Some(&synonyms.content), ..page.search };
    let found = state.engine.products(&search, &page.start, page.limit, now_ms);
    found.map(Json).ok_or_else(unknown_cursor)
}

/// Lists departments with their aisles
#[utoipa::path(get, path = "/v1/departments", tag = "products", responses(
    (status = 200, description = "Departments", body = Departments),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn departments(
    State(state): State<Shared>,
    params: Params,
) -> Result<Json<Departments>, Problem> {
    params.end("none")?;
    Ok(Json(Departments { departments: state.engine.departments(state.clock.now_ms()) }))
}

fn unknown_product() -> Problem {
    Problem {
        field: Some("id".to_owned()),
        expected: Some("the id of a product in the catalogue".to_owned()),
        ..Problem::new(Kind::NotFound, "The catalogue does not contain this product.")
    }
}

/// Shows a product
///
/// A product that is out of stock or outside its dates is shown with `shown` false; a hidden
/// product does not exist here.
#[utoipa::path(get, path = "/v1/products/{id}", tag = "products", params(
    ("id" = String, Path, description = "The product"),
), responses(
    (status = 200, description = "The product", body = ProductView),
    (status = 400, description = "The id is not valid", body = Problem),
    (status = 404, description = "The product does not exist", body = Problem),
))]
pub(crate) async fn product(
    State(state): State<Shared>,
    ProductPath(id): ProductPath,
    params: Params,
) -> Result<Json<ProductView>, Problem> {
    params.end("none")?;
    let product = state.engine.product(&id, state.clock.now_ms());
    product.filter(|product| !product.hidden).map(Json).ok_or_else(unknown_product)
}

/// Lists products that are similar to a product
///
/// Without `kind`: products bought together with it, then others of its aisle and brand. With
/// `bought_together`: only products that are in the same baskets, and whose buyers are the same,
/// more often than by chance. With `substitutes`: products that are alike by category, brand, words
/// and visits, but not bought together with it. With `also_viewed`: products that shoppers look at
/// in the same visits, then others that are alike.
#[utoipa::path(get, path = "/v1/products/{id}/similar", tag = "products", params(
    ("id" = String, Path, description = "The product"),
    ("kind" = Option<String>, Query, description = "`bought_together`, `substitutes` or `also_viewed`"),
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 50, description = "Maximum number of products, 1 to 50; 10 by default"),
    ("filter" = Option<String>, Query, max_length = 2000, description = "Only products that fulfil this expression, such as `price < 20 and not ('alcohol' in tags)`"),
), responses(
    (status = 200, description = "Products, best first", body = Ranked),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "The product does not exist", body = Problem),
))]
pub(crate) async fn similar(
    State(state): State<Shared>,
    ProductPath(id): ProductPath,
    mut params: Params,
) -> Result<Json<Ranked>, Problem> {
    let limit = params.number("limit", 10, 1..=50)?;
    let kind = params.text("kind")?;
    let filters = Filters { expression: filter_of(&mut params)?, ..Filters::default() };
    params.end("kind, filter, limit")?;
    let similarity = kind.as_deref().map(similarity).transpose()?;
    let now_ms = state.clock.now_ms();
    let similar = state.engine.similar(&id, similarity, &filters, limit, now_ms);
    let recommendations = similar.ok_or_else(unknown_product)?;
    Ok(Json(Ranked { recommendations }))
}

/// The similarity of a name.
fn similarity(name: &str) -> Result<Similarity, Problem> {
    let found = Similarity::NAMES.iter().find(|(known, _)| *known == name);
    found.map(|(_, similarity)| *similarity).ok_or_else(|| {
        let expected = "bought_together, substitutes or also_viewed";
        Problem::field("kind", format!("kind is {name:?}."), expected)
    })
}

/// Lists best-selling products, then the newest
#[utoipa::path(get, path = "/v1/popular", tag = "products", params(
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 100, description = "Maximum number of products, 1 to 100; 10 by default"),
    ("department" = Option<String>, Query, max_length = 200, description = "Only this department"),
    ("aisle" = Option<String>, Query, max_length = 200, description = "Only this aisle"),
    ("in_stock_only" = Option<bool>, Query, description = "Only products that the shop states to be in stock"),
    ("filter" = Option<String>, Query, max_length = 2000, description = "Only products that fulfil this expression, such as `price < 20 and not ('alcohol' in tags)`"),
), responses(
    (status = 200, description = "Products, best first", body = Ranked),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn popular(
    State(state): State<Shared>,
    params: Params,
) -> Result<Json<Ranked>, Problem> {
    let (limit, filters) = list_of(params, "limit, department, aisle, in_stock_only, filter")?;
    let recommendations = state.engine.popular(limit, &filters, state.clock.now_ms());
    Ok(Json(Ranked { recommendations }))
}

/// Lists products that shoppers turn to more than usual, then best-selling ones
///
/// Views, additions to carts and purchases count. A count halves within the window, and is compared with
/// the product's share of all attention in a much longer time, so that what is always popular does
/// not trend.
#[utoipa::path(get, path = "/v1/trending", tag = "products", params(
    ("window" = Option<String>, Query, description = "The time in which attention halves: `10m`, `1h`, `1d` or `1w`; `1d` by default"),
    ("country" = Option<String>, Query, max_length = 2, description = "Only the attention of shoppers of this country, two letters as events name it"),
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 100, description = "Maximum number of products, 1 to 100; 10 by default"),
    ("department" = Option<String>, Query, max_length = 200, description = "Only this department"),
    ("aisle" = Option<String>, Query, max_length = 200, description = "Only this aisle"),
    ("in_stock_only" = Option<bool>, Query, description = "Only products that the shop states to be in stock"),
    ("filter" = Option<String>, Query, max_length = 2000, description = "Only products that fulfil this expression, such as `price < 20 and not ('alcohol' in tags)`"),
), responses(
    (status = 200, description = "Products, best first", body = Ranked),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn trending(
    State(state): State<Shared>,
    mut params: Params,
) -> Result<Json<Ranked>, Problem> {
    let trend = Trend { window: window(&mut params)?, country: country(&mut params)? };
    let known = "window, country, limit, department, aisle, in_stock_only, filter";
    let (limit, filters) = list_of(params, known)?;
    let recommendations = state.engine.trending(trend, limit, &filters, state.clock.now_ms());
    Ok(Json(Ranked { recommendations }))
}

fn window(params: &mut Params) -> Result<Window, Problem> {
    let Some(name) = params.text("window")? else { return Ok(Window::default()) };
    let found = Window::NAMES.iter().find(|(known, _)| *known == name);
    found.map(|(_, window)| *window).ok_or_else(|| {
        Problem::field("window", format!("window is {name:?}."), "10m, 1h, 1d or 1w")
    })
}

fn country(params: &mut Params) -> Result<Option<Country>, Problem> {
    let country = params.text("country")?.map(|text| text.parse::<Country>()).transpose();
    country
        .map_err(|error| Problem::field("country", format!("country {error}."), COUNTRY_EXPECTED))
}

/// The length and the filters of a list that a request asks for. `known` names all parameters of
/// the list.
fn list_of(mut params: Params, known: &str) -> Result<(usize, Filters), Problem> {
    let limit = params.number("limit", 10, 1..=100)?;
    let filters = Filters {
        departments: params.text("department")?.into_iter().collect(),
        aisles: params.text("aisle")?.into_iter().collect(),
        in_stock_only: params.flag("in_stock_only")?,
        expression: filter_of(&mut params)?,
        ..Filters::default()
    };
    params.end(known)?;
    Ok((limit, filters))
}

/// The expression of a list that is the same for everybody.
fn filter_of(params: &mut Params) -> Result<Option<Expression>, Problem> {
    expression(params.long_text("filter").as_deref(), None, Source::Everybody)
}
