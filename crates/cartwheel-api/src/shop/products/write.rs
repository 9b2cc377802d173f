//! `PUT`, `PATCH` and `DELETE` of one product.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use cartwheel_catalogue::{Product, ProductPatch};
use cartwheel_events::ProductId;
use serde_json::Value;

use crate::http::problem::Problem;
use crate::http::request::{self, ProductPath};
use crate::shop::products::change::{
    Change, Changed, Edit, Outcome, change, store, unknown, unreadable,
};
use crate::shop::products::etag::{self, Condition};
use crate::state::Shared;

const MERGE_PATCH: &str = "application/merge-patch+json";

/// Creates or replaces a product
///
/// The body is the whole product: fields that it lacks are removed. The change is durable when
/// it is answered, and the next recommendation sees it.
#[utoipa::path(put, path = "/v1/products/{id}", tag = "catalogue", params(
    ("id" = String, Path, description = "The product"),
    ("If-Match" = Option<String>, Header, description = "Change the product only if it has one of these entity tags"),
    ("If-None-Match" = Option<String>, Header, description = "`*`: create the product only if it does not exist"),
), request_body = Product, responses(
    (status = 200, description = "The product as it is stored", body = Product),
    (status = 201, description = "The new product", body = Product),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 404, description = "This server keeps no live catalogue", body = Problem),
    (status = 412, description = "The condition does not hold", body = Problem),
))]
pub(crate) async fn put_product(
    State(state): State<Shared>,
    ProductPath(id): ProductPath,
    request: Request,
) -> Result<Response, Problem> {
    store(&state)?;
    let condition = Condition::of(request.headers())?;
    let value: Value = request::json(request, &state.bodies).await?;
    let edit = Edit::Replace(Box::new(Product::with_id(value, id.clone())?));
    Ok(answer(one(&state, id, edit, condition).await?))
}

/// Changes fields of a product
///
/// The body is a JSON merge patch (RFC 7396): its fields replace those of the product, null
/// removes a field, and `attributes` is merged by name.
#[utoipa::path(patch, path = "/v1/products/{id}", tag = "catalogue", params(
    ("id" = String, Path, description = "The product"),
    ("If-Match" = Option<String>, Header, description = "Change the product only if it has one of these entity tags"),
), request_body(content((Value = "application/merge-patch+json"), (Value = "application/json"))), responses(
    (status = 200, description = "The product as it is stored", body = Product),
    (status = 400, description = "Not JSON, or a field is not valid", body = Problem),
    (status = 404, description = "The product does not exist", body = Problem),
    (status = 412, description = "The condition does not hold", body = Problem),
))]
pub(crate) async fn patch_product(
    State(state): State<Shared>,
    ProductPath(id): ProductPath,
    request: Request,
) -> Result<Response, Problem> {
    store(&state)?;
    let condition = Condition::of(request.headers())?;
    let media = request::media_type(&request);
    if media != MERGE_PATCH && media != "application/json" {
        return Err(request::unsupported(&media, MERGE_PATCH));
    }
    let value: Value = request::json(request, &state.bodies).await?;
    let edit = Edit::Patch(ProductPatch::from_json(value)?);
    Ok(answer(one(&state, id, edit, condition).await?))
}

/// Removes a product
///
/// It is no longer shown, whatever the next feature set contains. A product that only events
/// name is ignored from then on. `PUT` brings it back.
#[utoipa::path(delete, path = "/v1/products/{id}", tag = "catalogue", params(
    ("id" = String, Path, description = "The product"),
    ("If-Match" = Option<String>, Header, description = "Remove the product only if it has one of these entity tags"),
), responses(
    (status = 204, description = "It is removed"),
    (status = 400, description = "The id or the condition is not valid", body = Problem),
    (status = 404, description = "The product does not exist", body = Problem),
    (status = 412, description = "The condition does not hold", body = Problem),
))]
pub(crate) async fn delete_product(
    State(state): State<Shared>,
    ProductPath(id): ProductPath,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let condition = Condition::of(&headers)?;
    let store = store(&state)?;
    let ids = std::slice::from_ref(&id);
    // With it, the store takes over what other processes have changed.
    let lock = store.lock(ids).await.map_err(unreadable)?;
    let listing = store.find(ids).await.map_err(unreadable)?.pop().flatten();
    drop(lock);
    let exists = match listing {
        Some(listing) => listing.product.is_some(),
        None => {
            state.engine.released(&id).is_some()
                || store.unknown().await.map_err(unreadable)?.contains_key(&id)
        }
    };
    if !exists {
        return Err(unknown());
    }
    one(&state, id, Edit::Delete, condition).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn one(
    state: &Shared,
    product_id: ProductId,
    edit: Edit,
    condition: Condition,
) -> Result<Changed, Problem> {
    let results = change(state, vec![Ok(Change { product_id, edit, condition })]).await?;
    results.into_iter().next().unwrap_or_else(|| Err(unknown()))
}

fn answer(changed: Changed) -> Response {
    let status = match changed.outcome {
        Outcome::Created => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let mut response = (status, Json(changed.listing.product.as_deref())).into_response();
    response.headers_mut().extend(etag::header(&changed.listing));
    response
}
