//! Changes products: reads, checks, puts, applies.

use std::collections::HashSet;
use std::sync::Arc;

use cartwheel_catalogue::{Product, ProductPatch};
use cartwheel_events::{ProductId, ProductRecord, SCHEMA_VERSION};
use cartwheel_sessions::{ChangeError, Listing, ProductChange, ProductStore, StoreError};

use crate::http::completion::run_to_completion;
use crate::http::problem::{Kind, Problem};
use crate::shop::products::etag::Condition;
use crate::shop::put;
use crate::state::{AppState, Shared};
use crate::telemetry::PRODUCT_CHANGES;

/// Attempts to change a product while other processes change it.
const RACES: usize = 20;

/// A change of one product.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) product_id: ProductId,
    pub(super) edit: Edit,
    pub(super) condition: Condition,
}

/// What to do with a product.
#[derive(Debug)]
pub(super) enum Edit {
    /// Replace it, or create it.
    Replace(Box<Product>),
    /// Change some fields of an existing one.
    Patch(ProductPatch),
    /// Change some fields, or create it with these.
    Merge(ProductPatch),
    /// Remove it.
    Delete,
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There was no such product.
    Created,
    /// It has changed.
    Updated,
    /// It was like that before; nothing was stored.
    Unchanged,
    /// It is removed.
    Deleted,
}

/// A change that is durable.
#[derive(Debug, Clone)]
pub(super) struct Changed {
    pub(super) outcome: Outcome,
    /// The product's listing after the change.
    pub(super) listing: Listing,
}

/// The live catalogue.
///
/// # Errors
/// When this server has none.
pub(super) fn store(state: &AppState) -> Result<Arc<dyn ProductStore>, Problem> {
    let missing = || {
        let detail = "This server keeps no live catalogue: its products come from imports alone.";
        Problem::new(Kind::NotFound, detail)
    };
    state.catalogue.clone().ok_or_else(missing)
}

/// Changes products and returns one result each, in their order. Errors among `changes` are
/// passed on. Completes even if the client disconnects: a record that is put but not applied
/// would be missing in the next answers.
pub(super) async fn change(
    state: &Shared,
    changes: Vec<Result<Change, Problem>>,
) -> Result<Vec<Result<Changed, Problem>>, Problem> {
    let store = store(state)?;
    let own = Arc::clone(state);
    let results = run_to_completion(async move { run(&own, &*store, changes).await }).await;
    for (label, count) in [
        ("stored", count(&results, |o| o != Outcome::Unchanged)),
        ("unchanged", count(&results, |o| o == Outcome::Unchanged)),
        ("failed", results.iter().filter(|result| result.is_err()).count()),
    ] {
        metrics::counter!(PRODUCT_CHANGES, "result" => label).increment(count as u64);
    }
    Ok(results)
}

fn count(results: &[Result<Changed, Problem>], is: impl Fn(Outcome) -> bool) -> usize {
    results.iter().flatten().filter(|changed| is(changed.outcome)).count()
}

/// A change that has passed all checks.
enum Plan {
    /// There is nothing to do.
    Keep(Listing),
    /// Store this product, or its removal.
    Store { outcome: Outcome, before: Option<Listing>, product: Option<Box<Product>> },
}

async fn run(
    state: &AppState,
    store: &dyn ProductStore,
    changes: Vec<Result<Change, Problem>>,
) -> Vec<Result<Changed, Problem>> {
    let mut seen = HashSet::new();
    let changes: Vec<Result<Change, Problem>> = changes
        .into_iter()
        .map(|change| change.and_then(|change| once(change, &mut seen)))
        .collect();
    let mut results: Vec<Option<Result<Changed, Problem>>> = Vec::new();
    results.resize_with(changes.len(), || None);
    for _ in 0..RACES {
        let slots = changes.iter().zip(&mut results);
        let open = slots.filter_map(|(change, slot)| Some((change.as_ref().ok()?, slot)));
        let (open, slots): (Vec<&Change>, Vec<_>) = open.filter(|(_, slot)| slot.is_none()).unzip();
        if open.is_empty() {
            break;
        }
        for (slot, result) in slots.into_iter().zip(attempt(state, store, &open).await) {
            *slot = result;
        }
    }
    let raced = || {
        let detail = "Other requests changed the product at the same moment. Send it again.";
        Err(Problem::new(Kind::Throttled, detail))
    };
    changes
        .into_iter()
        .zip(results)
        .map(|(change, result)| change.and_then(|_| result.unwrap_or_else(raced)))
        .collect()
}

/// Changes products as they are now, and returns one result each: none where another process
/// changed the product meanwhile.
async fn attempt(
    state: &AppState,
    store: &dyn ProductStore,
    changes: &[&Change],
) -> Vec<Option<Result<Changed, Problem>>> {
    let ids: Vec<ProductId> = changes.iter().map(|change| change.product_id.clone()).collect();
    let read = async {
        let lock = store.lock(&ids).await?;
        Ok::<_, StoreError>((lock, store.find(&ids).await?))
    };
    let (_lock, found) = match read.await {
        Ok(read) => read,
        Err(error) => return vec![Some(Err(unreadable(error))); changes.len()],
    };
    let plans: Vec<Result<Plan, Problem>> = changes
        .iter()
        .zip(found)
        .map(|(change, before)| plan(state, store, change, before))
        .collect();
    let now_ms = state.clock.now_ms();
    let puts = changes.iter().zip(&plans).filter_map(|(change, plan)| match plan {
        Ok(Plan::Store { before, product, .. }) => Some(ProductChange {
            before: before.as_ref().map(|before| before.position),
            record: ProductRecord {
                schema_version: SCHEMA_VERSION,
                product_id: change.product_id.clone(),
                product: product.as_deref().map(Product::to_json),
                received_at_ms: now_ms,
            },
        }),
        Ok(Plan::Keep(_)) | Err(_) => None,
    });
    let mut puts = store.put(&*state.stream, puts.collect()).await.into_iter();
    let interrupted = || Problem::new(Kind::Internal, "The change was interrupted. Send it again.");
    plans
        .into_iter()
        .map(|plan| match plan {
            Err(problem) => Some(Err(problem)),
            Ok(Plan::Keep(listing)) => Some(Ok(Changed { outcome: Outcome::Unchanged, listing })),
            Ok(Plan::Store { outcome, before, product }) => match puts.next() {
                Some(Ok(position)) => {
                    let added_at_ms = before.map_or(now_ms, |before| before.added_at_ms);
                    let product = product.map(Arc::from);
                    let listing = Listing { product, position, changed_at_ms: now_ms, added_at_ms };
                    Some(Ok(Changed { outcome, listing }))
                }
                Some(Err(ChangeError::Raced)) => None,
                Some(Err(ChangeError::Put(error))) => Some(Err(put::problem(error))),
                _ => Some(Err(interrupted())),
            },
        })
        .collect()
}

/// Refuses a second change of a product in one request, because it could not build on the first.
fn once(change: Change, seen: &mut HashSet<ProductId>) -> Result<Change, Problem> {
    if seen.insert(change.product_id.clone()) {
        return Ok(change);
    }
    Err(Problem::field(
        "product_id",
        format!("The product {} is in this request twice.", change.product_id),
        "each product once",
    ))
}

fn plan(
    state: &AppState,
    store: &dyn ProductStore,
    change: &Change,
    before: Option<Listing>,
) -> Result<Plan, Problem> {
    let Change { product_id, edit, condition } = change;
    let current = match &before {
        Some(listing) => listing.product.as_deref().cloned(),
        None => state.engine.released(product_id),
    };
    condition.check(before.as_ref(), current.is_some())?;
    let product = match edit {
        Edit::Replace(product) => (**product).clone(),
        Edit::Patch(patch) => patch.apply(current.as_ref().ok_or_else(unknown)?)?,
        Edit::Merge(patch) => {
            patch.apply(current.as_ref().unwrap_or(&Product::new(product_id.clone())))?
        }
        Edit::Delete => {
            return Ok(Plan::Store { outcome: Outcome::Deleted, before, product: None });
        }
    };
    if let Some(listing) = &before
        && listing.product.as_deref() == Some(&product)
    {
        return Ok(Plan::Keep(listing.clone()));
    }
    if before.is_none()
        && let Some(most) = store.full()
    {
        let detail = format!("The catalogue holds {most} products, which is the most.");
        return Err(Problem::new(Kind::Conflict, detail));
    }
    let outcome = if current.is_some() { Outcome::Updated } else { Outcome::Created };
    Ok(Plan::Store { outcome, before, product: Some(Box::new(product)) })
}

/// The problem of a product that does not exist.
pub(super) fn unknown() -> Problem {
    Problem {
        field: Some("id".to_owned()),
        expected: Some("the id of a product; PUT creates one".to_owned()),
        ..Problem::new(Kind::NotFound, "The catalogue does not contain this product.")
    }
}

/// The problem of a catalogue that cannot be read.
pub(super) fn unreadable(error: StoreError) -> Problem {
    Problem::hiding(Kind::Unavailable, "The catalogue cannot be read at the moment.", error)
}
