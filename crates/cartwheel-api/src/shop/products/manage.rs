//! Routes that show the whole catalogue to the shop, with what shoppers do not see.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cartwheel_catalogue::Product;
use cartwheel_engine::{ProductSearch, ProductView, Visibility};
use cartwheel_events::ProductId;
use cartwheel_sessions::{Listing, UnknownProduct};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::problem::Problem;
use crate::http::request::{Params, ProductPath};
use crate::shop::catalogue::{PAGE_PARAMETERS, page, unknown_cursor};
use crate::shop::products::change::{store, unknown as missing, unreadable};
use crate::shop::products::etag::{self, etag};
use crate::state::{AppState, Shared};

/// Most unknown products of an answer.
const MAX_UNKNOWN: usize = 1_000;

/// A product as the shop keeps it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CatalogueEntry {
    #[serde(flatten)]
    view: ProductView,
    /// The shop's own fields. Null if only an import has described the product.
    product: Option<Product>,
    /// The entity tag for `If-Match`; null before the first change.
    etag: Option<String>,
    /// When it last changed, UTC milliseconds; null before the first change.
    changed_at_ms: Option<i64>,
}

/// A page of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CataloguePage {
    /// Products, best sellers first.
    products: Vec<CatalogueEntry>,
    /// The number of matches on all pages.
    total: usize,
    /// Send it as `cursor` for the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    next_cursor: Option<ProductId>,
}

/// Products that only events name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnknownProducts {
    /// Products that only events name, the most named first, at most 1,000.
    products: Vec<UnknownProductView>,
    /// The number of such products that are counted.
    total: usize,
}

/// A product that only events name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnknownProductView {
    /// The product.
    #[schema(value_type = String)]
    product_id: ProductId,
    /// Events that named it since it was first counted.
    events: u64,
    /// Orders of the serving feature set that contain it.
    orders: u64,
    /// When an event last named it, UTC milliseconds.
    last_ms: Option<i64>,
}

/// Lists or searches the catalogue, with hidden products
#[utoipa::path(get, path = "/v1/catalogue/products", tag = "catalogue", params(
    ("visibility" = Option<String>, Query, pattern = "^(all|shown|hidden)?$", description = "`all` (the default), `shown`, or `hidden`: hidden, out of stock, outside the dates, or never described"),
    ("search" = Option<String>, Query, max_length = 200, description = "Words as in `/v1/search`, the last one perhaps unfinished, or the id"),
    ("department" = Option<String>, Query, max_length = 200, description = "Only this department"),
    ("aisle" = Option<String>, Query, max_length = 200, description = "Only this aisle"),
    ("brand" = Option<String>, Query, max_length = 200, description = "Only this brand"),
    ("min_price" = Option<String>, Query, max_length = 200, description = "Only products of at least this price"),
    ("max_price" = Option<String>, Query, max_length = 200, description = "Only products of at most this price"),
    ("cursor" = Option<String>, Query, max_length = 200, description = "The `next_cursor` of the page before"),
    ("offset" = Option<usize>, Query, maximum = 10_000_000, description = "Number of products to skip; 0 by default"),
    ("limit" = Option<usize>, Query, minimum = 1, maximum = 100, description = "Maximum number of products, 1 to 100; 20 by default"),
), responses(
    (status = 200, description = "Products", body = CataloguePage),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "This server keeps no live catalogue", body = Problem),
))]
pub(crate) async fn catalogue_products(
    State(state): State<Shared>,
    mut params: Params,
) -> Result<Json<CataloguePage>, Problem> {
    store(&state)?;
    let visibility = match params.text("visibility")?.as_deref() {
        None | Some("all") => Visibility::All,
        Some("shown") => Visibility::Shown,
        Some("hidden") => Visibility::Hidden,
        Some(_) => {
            let expected = "all, shown or hidden";
            return Err(Problem::field("visibility", "visibility is not known.", expected));
        }
    };
    let page = page(&mut params, visibility)?;
    params.end(&format!("visibility, {PAGE_PARAMETERS}"))?;
    let now_ms = state.clock.now_ms();
    let synonyms = state.synonyms.current();
    let search = ProductSearch { synonyms: Some(&synonyms.content), ..page.search };
    let found = state.engine.products(&search, &page.start, page.limit, now_ms);
    let found = found.ok_or_else(unknown_cursor)?;
    let products = entries(&state, found.products).await?;
    Ok(Json(CataloguePage { products, total: found.total, next_cursor: found.next_cursor }))
}

/// Shows a product as the shop keeps it
#[utoipa::path(get, path = "/v1/catalogue/products/{id}", tag = "catalogue", params(
    ("id" = String, Path, description = "The product"),
), responses(
    (status = 200, description = "The product, with its entity tag", body = CatalogueEntry),
    (status = 400, description = "The id is not valid", body = Problem),
    (status = 404, description = "The product does not exist", body = Problem),
))]
pub(crate) async fn catalogue_product(
    State(state): State<Shared>,
    ProductPath(id): ProductPath,
    params: Params,
) -> Result<Response, Problem> {
    params.end("none")?;
    store(&state)?;
    let view = state.engine.product(&id, state.clock.now_ms()).ok_or_else(missing)?;
    let listing = listings(&state, std::slice::from_ref(&id)).await?.pop().flatten();
    let tag = listing.as_ref().and_then(etag::header);
    let mut response = Json(entry(view, listing)).into_response();
    response.headers_mut().extend(tag);
    Ok(response)
}

/// Lists products that only events name
///
/// They are shown to shoppers only while the shop has described no product at all, or with
/// `catalogue.accept_unknown`. `PUT` names one of them; `DELETE` ignores it from then on.
#[utoipa::path(get, path = "/v1/catalogue/unknown", tag = "catalogue", responses(
    (status = 200, description = "Unknown products", body = UnknownProducts),
    (status = 400, description = "A parameter is not valid", body = Problem),
    (status = 404, description = "This server keeps no live catalogue", body = Problem),
))]
pub(crate) async fn unknown_products(
    State(state): State<Shared>,
    params: Params,
) -> Result<Json<UnknownProducts>, Problem> {
    params.end("none")?;
    let counted = store(&state)?.unknown().await.map_err(unreadable)?;
    let counted = counted.into_iter().filter(|(id, _)| !state.engine.describes(id));
    let mut counted: BTreeMap<ProductId, UnknownProduct> = counted.collect();
    let mut products: Vec<UnknownProductView> = Vec::new();
    for unnamed in state.engine.unnamed() {
        let count = counted.remove(&unnamed.product_id);
        products.push(UnknownProductView {
            product_id: unnamed.product_id,
            events: count.map_or(0, |count| count.events),
            orders: unnamed.orders,
            last_ms: count.map(|count| count.last_ms),
        });
    }
    products.extend(counted.into_iter().map(|(product_id, count)| UnknownProductView {
        product_id,
        events: count.events,
        orders: 0,
        last_ms: Some(count.last_ms),
    }));
    products.sort_by_key(|product| std::cmp::Reverse(product.events + product.orders));
    let total = products.len();
    products.truncate(MAX_UNKNOWN);
    Ok(Json(UnknownProducts { products, total }))
}

async fn listings(state: &AppState, ids: &[ProductId]) -> Result<Vec<Option<Listing>>, Problem> {
    store(state)?.find(ids).await.map_err(unreadable)
}

async fn entries(
    state: &AppState,
    views: Vec<ProductView>,
) -> Result<Vec<CatalogueEntry>, Problem> {
    let ids: Vec<ProductId> = views.iter().map(|view| view.product_id.clone()).collect();
    let listings = listings(state, &ids).await?;
    Ok(views.into_iter().zip(listings).map(|(view, listing)| entry(view, listing)).collect())
}

fn entry(view: ProductView, listing: Option<Listing>) -> CatalogueEntry {
    CatalogueEntry {
        view,
        etag: listing.as_ref().map(etag),
        changed_at_ms: listing.as_ref().map(|listing| listing.changed_at_ms),
        product: listing.and_then(|listing| listing.product.as_deref().cloned()),
    }
}
