//! `POST /v1/products`: many products at once, as changes or as the whole catalogue.

use std::collections::HashSet;

use axum::Json;
use axum::extract::{Request, State};
use cartwheel_catalogue::{Product, ProductPatch};
use cartwheel_events::{Invalid, ProductId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::http::problem::{Kind, Problem};
use crate::http::request::{self, Params};
use crate::shop::products::change::{Change, Changed, Edit, Outcome, change, store};
use crate::shop::products::etag::{Condition, etag};
use crate::shop::products::full_feed::Part;
use crate::state::Shared;

/// Most products of a request.
const MAX_PRODUCTS: usize = 1_000;
/// A full feed may lack this share of the products on offer, in percent, without confirmation.
const MAX_MISSING_PERCENT: usize = 20;
const MEDIA: &str = "application/json or application/x-ndjson";

/// The meaning of a request's products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Whole products.
    Replace,
    /// Some fields of products.
    Merge,
    /// Whole products, and all that the shop offers.
    Full,
}

/// One result per product, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProductBatch)]
pub(crate) struct BatchAnswer {
    /// The number of products that were not stored. Send only those again.
    failed_count: usize,
    /// The number of products that were hidden because a full feed lacks them. Absent in other
    /// modes, before the last part of a feed, and if a product of the feed failed: then nothing is
    /// hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_count: Option<usize>,
    /// One result per product.
    products: Vec<ProductResult>,
}

/// The result of a product: its entity tag, or a problem.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProductResult {
    /// The product, if its id could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    product_id: Option<ProductId>,
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<ProductOutcome>,
    /// The entity tag after the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    /// Why the product was not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

/// What happened to a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProductOutcome {
    /// There was no such product.
    Created,
    /// It has changed.
    Updated,
    /// It was like that before.
    Unchanged,
}

/// Creates or changes products
///
/// Accepts an array of up to 1,000 products, or as many lines of NDJSON. Products succeed or
/// fail individually: the answer is 200 with one result each, and a product without an error
/// is durable. With `mode=replace`, each is a whole product; with `mode=merge`, each is a JSON
/// merge patch with a `product_id`, and a product that does not exist is created. With
/// `mode=full`, the products are all that the shop offers: all others are hidden. With `feed`,
/// they are a part of a full feed of any size, which may also be sent as merge patches: the
/// part with `last=true` hides the products that no part has named.
#[utoipa::path(post, path = "/v1/products", tag = "catalogue", params(
    ("mode" = Option<String>, Query, pattern = "^(replace|merge|full)?$", description = "`replace` (the default), `merge` or `full`"),
    ("confirm" = Option<bool>, Query, description = "In a full feed: hide the missing products even if they are more than 20 % of those on offer"),
    ("feed" = Option<String>, Query, description = "The products are a part of the full feed with this id, which the sender chooses"),
    ("part" = Option<usize>, Query, minimum = 0, maximum = 1_000_000, description = "With `feed`: the number of the part. Part 0 begins the feed, and parts come in order"),
    ("last" = Option<bool>, Query, description = "With `feed`: no further part follows"),
), request_body(content((Vec<Product> = "application/json"), (Product = "application/x-ndjson"))), responses(
    (status = 200, description = "One result per product", body = BatchAnswer),
    (status = 400, description = "Not JSON, more than 1,000 products, or a parameter is not valid", body = Problem),
    (status = 404, description = "This server keeps no live catalogue", body = Problem),
    (status = 409, description = "The full feed lacks too many products, or its earlier parts are not known; this request changed nothing", body = Problem),
))]
pub(crate) async fn post_products(
    State(state): State<Shared>,
    mut params: Params,
    request: Request,
) -> Result<Json<BatchAnswer>, Problem> {
    store(&state)?;
    let mode = match params.text("mode")?.as_deref() {
        None | Some("replace") => Mode::Replace,
        Some("merge") => Mode::Merge,
        Some("full") => Mode::Full,
        Some(_) => {
            let expected = "replace, merge or full";
            return Err(Problem::field("mode", "mode is not known.", expected));
        }
    };
    let confirmed = params.flag("confirm")?;
    let part = Part::take(&mut params)?;
    params.end("mode, confirm, feed, part, last")?;
    let entries = entries(&state, request).await?;
    let ids: Vec<Option<ProductId>> =
        entries.iter().map(|entry| id(entry.as_ref().ok()?)).collect();
    let changes: Vec<Result<Change, Problem>> =
        entries.into_iter().map(|entry| entry.and_then(|value| read(value, mode))).collect();
    if let Some(part) = &part {
        state.full_feeds.begin(part, ids.len())?;
    }
    let missing = match &part {
        Some(part) if !part.is_last => Vec::new(),
        None if mode != Mode::Full => Vec::new(),
        part => missing(&state, part.as_ref(), ids.iter().flatten(), confirmed)?,
    };
    let results = change(&state, changes).await?;
    let failed_count = results.iter().filter(|result| result.is_err()).count();
    let (is_whole, is_stored) = match &part {
        Some(part) => {
            let products = ids.iter().map(Option::as_ref).zip(results.iter().map(Result::is_ok));
            (part.is_last, state.full_feeds.note(part, products)?)
        }
        None => (mode == Mode::Full, failed_count == 0),
    };
    let hidden_count =
        if is_whole && is_stored { Some(hide(&state, missing).await?) } else { None };
    let products = ids.into_iter().zip(results).map(|(id, result)| view(id, result)).collect();
    Ok(Json(BatchAnswer { failed_count, hidden_count, products }))
}

/// Reads the products of a body as JSON values.
async fn entries(state: &Shared, request: Request) -> Result<Vec<Result<Value, Problem>>, Problem> {
    let media = request::media_type(&request);
    let ndjson = request::is_ndjson(&media);
    if !ndjson && !request::is_json(&media) {
        return Err(request::unsupported(&media, MEDIA));
    }
    let body = state.bodies.read(request).await?;
    let entries: Vec<Result<Value, Problem>> = if ndjson {
        let lines = body.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        lines.take(MAX_PRODUCTS + 1).map(request::parse).collect()
    } else {
        match request::parse(&body)? {
            Value::Array(values) => values.into_iter().take(MAX_PRODUCTS + 1).map(Ok).collect(),
            value => vec![Ok(value)],
        }
    };
    match entries.len() {
        0 => Err(Problem::field("", "The body contains no product.", "1 to 1000 products")),
        n if n > MAX_PRODUCTS => {
            let detail = "The body contains more than 1000 products.";
            Err(Problem::field("", detail, "1 to 1000 products"))
        }
        _ => Ok(entries),
    }
}

fn id(value: &Value) -> Option<ProductId> {
    ProductId::deserialize(value.get("product_id")?).ok()
}

fn read(value: Value, mode: Mode) -> Result<Change, Problem> {
    let condition = Condition::Any;
    if mode != Mode::Merge {
        let product = Box::new(Product::from_json(value)?);
        let product_id = product.product_id.clone();
        return Ok(Change { product_id, edit: Edit::Replace(product), condition });
    }
    let product_id = id(&value).ok_or_else(|| Invalid {
        field: "product_id".to_owned(),
        problem: "is missing or not valid".to_owned(),
        expected: "the id of a product",
    })?;
    let edit = Edit::Merge(ProductPatch::from_json(value)?);
    Ok(Change { product_id, edit, condition })
}

/// The products on offer that a full feed lacks: `part` tells what its earlier requests have named,
/// and `named` are the products of the last one.
fn missing<'a>(
    state: &Shared,
    part: Option<&Part>,
    named: impl Iterator<Item = &'a ProductId>,
    confirmed: bool,
) -> Result<Vec<ProductId>, Problem> {
    let named: HashSet<&ProductId> = named.collect();
    let offered = state.engine.offered();
    let count = offered.len();
    let mut missing = match part {
        Some(part) => state.full_feeds.lacking(part, offered)?,
        None => offered,
    };
    missing.retain(|id| !named.contains(id));
    if !confirmed && missing.len() * 100 > count * MAX_MISSING_PERCENT {
        let detail = format!(
            "The feed lacks {} of the {count} products on offer, more than {MAX_MISSING_PERCENT} %. \
             This request changed nothing. Send it again with confirm=true to hide them.",
            missing.len()
        );
        return Err(Problem::new(Kind::Conflict, detail));
    }
    Ok(missing)
}

/// Hides products and returns how many.
async fn hide(state: &Shared, products: Vec<ProductId>) -> Result<usize, Problem> {
    let patch = ProductPatch::from_json(json!({"hidden": true}))?;
    let mut hidden = 0;
    for products in products.chunks(MAX_PRODUCTS) {
        let hide = |id: &ProductId| {
            let edit = Edit::Patch(patch.clone());
            Ok(Change { product_id: id.clone(), edit, condition: Condition::Any })
        };
        let results = change(state, products.iter().map(hide).collect()).await?;
        for result in results {
            match result {
                Ok(_) => hidden += 1,
                // Another request removed it meanwhile.
                Err(problem) if problem.status == 404 => {}
                Err(problem) => return Err(problem),
            }
        }
    }
    Ok(hidden)
}

fn view(product_id: Option<ProductId>, result: Result<Changed, Problem>) -> ProductResult {
    match result {
        Err(error) => ProductResult { product_id, outcome: None, etag: None, error: Some(error) },
        Ok(Changed { outcome, listing }) => ProductResult {
            product_id,
            outcome: Some(match outcome {
                Outcome::Created => ProductOutcome::Created,
                Outcome::Unchanged => ProductOutcome::Unchanged,
                Outcome::Updated | Outcome::Deleted => ProductOutcome::Updated,
            }),
            etag: Some(etag(&listing)),
            error: None,
        },
    }
}
