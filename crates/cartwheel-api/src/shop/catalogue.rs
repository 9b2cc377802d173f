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
use crate::state::Shared;
use cartwheel_engine::{
    DepartmentView, Filters, ProductSearch, ProductView, Products, Recommendation,
};

/// The routes for products.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .for_tokens(Scope::RecommendationsRead, routes!(departments))
        .for_tokens(Scope::RecommendationsRead, routes!(products))
        .for_tokens(Scope::RecommendationsRead, routes!(product))
        .for_tokens(Scope::RecommendationsRead, routes!(similar))
        .for_tokens(Scope::RecommendationsRead, routes!(popular))
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

/// Lists or searches products
#[utoipa::path(get, path = "/v1/products", tag = "products", params(
    ("search" = Option<String>, Query, max_length = 200, description = "Words of the name, at most 200 characters"),
    ("department" = Option<String>, Query, max_length = 200, description = "Only this department"),
    ("aisle" = Option<String>, Query, max_length = 200, description = "Only this aisle"),
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
    let search = ProductSearch {
        text: params.text("search")?,
        department: params.text("department")?,
        aisle: params.text("aisle")?,
    };
    let offset = params.number("offset", 0, 0..=10_000_000)?;
    let limit = params.number("limit", 20, 1..=100)?;
    params.end("search, department, aisle, offset, limit")?;
    Ok(Json(state.engine.products(&search, offset, limit)))
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
    Ok(Json(Departments { departments: state.engine.departments() }))
}

fn unknown_product() -> Problem {
    Problem {
        field: Some("id".to_owned()),
        expected: Some("the id of a product in the catalogue".to_owned()),
        ..Problem::new(Kind::NotFound, "The catalogue does not contain this product.")
    }
}

/// Shows a product
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
    state.engine.product(id.as_str()).map(Json).ok_or_else(unknown_product)
}

/// Lists products that are bought together with a product
#[utoipa::path(get, path = "/v1/products/{id}/similar", tag = "products", params(
    ("id" = String, Path, description = "The product"),
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 50, description = "Maximum number of products, 1 to 50; 10 by default"),
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
    params.end("limit")?;
    let recommendations = state.engine.similar(id.as_str(), limit).ok_or_else(unknown_product)?;
    Ok(Json(Ranked { recommendations }))
}

/// Lists best-selling products
#[utoipa::path(get, path = "/v1/popular", tag = "products", params(
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 100, description = "Maximum number of products, 1 to 100; 10 by default"),
    ("department" = Option<String>, Query, max_length = 200, description = "Only this department"),
    ("aisle" = Option<String>, Query, max_length = 200, description = "Only this aisle"),
    ("in_stock_only" = Option<bool>, Query, description = "Only products in stock"),
), responses(
    (status = 200, description = "Products, best first", body = Ranked),
    (status = 400, description = "A parameter is not valid", body = Problem),
))]
pub(crate) async fn popular(
    State(state): State<Shared>,
    mut params: Params,
) -> Result<Json<Ranked>, Problem> {
    let limit = params.number("limit", 10, 1..=100)?;
    let filters = Filters {
        departments: params.text("department")?.into_iter().collect(),
        aisles: params.text("aisle")?.into_iter().collect(),
        in_stock_only: params.flag("in_stock_only")?,
        ..Filters::default()
    };
    params.end("limit, department, aisle, in_stock_only")?;
    Ok(Json(Ranked { recommendations: state.engine.popular(limit, &filters) }))
}
