//! New products, matched by category, brand and newness.
//!
//! A model scores products that nobody has bought yet by their contents, as far as its release knows
//! them. Those that arrived later, and all of them without such a model, have no rows: they get a
//! share of the probability of the products that the answer would show otherwise.

use cartwheel_features::{Source, UserState};
use cartwheel_recommend::{Candidate, Ranked};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::shop::Shop;

/// Most new products of an answer, unless there are too few others.
const MAX_NEWCOMERS: usize = 20;
/// Products of the history that new ones are compared with, the most recent first.
const HISTORY: usize = 100;
/// How much each likeness counts; together 1.
const AISLE: f32 = 0.45;
const DEPARTMENT: f32 = 0.2;
const BRAND: f32 = 0.25;
const NEWNESS: f32 = 0.1;
/// Newness halves in this time.
const HALF_LIFE_HOURS: f32 = 14.0 * 24.0;
const HOUR_MS: i64 = 3_600_000;
/// The best products that an answer is compared with.
const BEST: usize = 10;
/// Probability of a perfect match in a shop without orders.
pub(crate) const WITHOUT_ORDERS: f32 = 0.1;

/// The shares of cart and history by aisle, department and brand.
#[derive(Default)]
struct Taste<'a> {
    aisles: FxHashMap<&'a str, f32>,
    departments: FxHashMap<&'a str, f32>,
    brands: FxHashMap<&'a str, f32>,
}

impl<'a> Taste<'a> {
    fn of(shop: &'a Shop, products: impl Iterator<Item = (u32, f32)>) -> Self {
        let mut taste = Self::default();
        let mut sum = 0.0;
        for (index, weight) in products {
            let Some(label) = shop.label(index) else { continue };
            *taste.aisles.entry(label.aisle).or_default() += weight;
            *taste.departments.entry(label.department).or_default() += weight;
            if let Some(brand) = shop.live(index).and_then(|product| product.brand.as_deref()) {
                *taste.brands.entry(brand).or_default() += weight;
            }
            sum += weight;
        }
        for shares in [&mut taste.aisles, &mut taste.departments, &mut taste.brands] {
            shares.values_mut().for_each(|share| *share /= sum);
        }
        taste
    }
}

/// A new product with its likeness to cart and history, 0 to 1.
struct Newcomer {
    index: u32,
    likeness: f32,
}

/// Adds new products that qualify to an answer, so that it holds at least `limit` products
/// while that many qualify. `cart` may contain new products.
pub(crate) fn with_newcomers(
    shop: &Shop,
    mut ranked: Vec<Ranked>,
    state: &UserState,
    cart: &[u32],
    limit: usize,
    qualifies: impl Fn(u32) -> bool,
) -> Vec<Ranked> {
    let mut taken: FxHashSet<u32> = ranked.iter().map(|ranked| ranked.candidate.product).collect();
    taken.extend(cart);
    let missing = limit.saturating_sub(ranked.len());
    let qualifies = |index| qualifies(index) && !is_scored(shop, index);
    let mut found = matches(shop, state, cart, |index| qualifies(index) && !taken.contains(&index));
    found.truncate(missing.max(MAX_NEWCOMERS));
    taken.extend(found.iter().map(|newcomer| newcomer.index));
    if found.len() < missing {
        // More than the newest: the latest that were added, whatever they are.
        let others = shop.overlay.added_indices().rev();
        let others = others.filter(|&index| !taken.contains(&index) && qualifies(index));
        let more = others.take(missing - found.len());
        found.extend(more.map(|index| Newcomer { index, likeness: 0.0 }));
    }
    if found.is_empty() {
        return ranked;
    }
    let best = &ranked[..ranked.len().min(BEST)];
    let base = match best.len() {
        0 => WITHOUT_ORDERS,
        count => best.iter().map(|ranked| ranked.probability).sum::<f32>() / count as f32,
    };
    ranked.extend(found.into_iter().map(|Newcomer { index, likeness }| Ranked {
        candidate: Candidate::new(index, Source::New),
        probability: base * likeness,
    }));
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranked
}

/// Whether the model can score a new product, so that no rule has to.
fn is_scored(shop: &Shop, index: u32) -> bool {
    let catalogue = &shop.opened.catalogue;
    let knows_contents = !catalogue.contents.is_empty()
        && !catalogue.without.contains(Source::Content)
        && shop.opened.model.is_some();
    knows_contents && catalogue.get(index).is_some()
}

/// The new products for which `qualifies` holds, the best match first.
fn matches(
    shop: &Shop,
    state: &UserState,
    cart: &[u32],
    qualifies: impl Fn(u32) -> bool,
) -> Vec<Newcomer> {
    let newest = shop.overlay.newest();
    if newest.is_empty() {
        return Vec::new();
    }
    let next = state.orders + 1;
    let mut past: Vec<(u32, f32)> =
        state.products.iter().map(|p| (p.product, p.recency(next))).collect();
    past.sort_by(|a, b| b.1.total_cmp(&a.1));
    past.truncate(HISTORY);
    let history = Taste::of(shop, past.into_iter());
    let in_cart = Taste::of(shop, cart.iter().map(|&index| (index, 1.0)));
    let likeness = |index: u32| {
        let label = shop.label(index)?;
        let live = shop.live(index)?;
        let share = |shares: &FxHashMap<&str, f32>, key: &str| {
            if key.is_empty() { 0.0 } else { shares.get(key).copied().unwrap_or_default() }
        };
        let both = |a: &FxHashMap<&str, f32>, b: &FxHashMap<&str, f32>, key: &str| {
            share(a, key).max(share(b, key))
        };
        let brand = live.brand.as_deref().unwrap_or_default();
        let since = live.created_at.map(|time| time.as_ms());
        let since = since.or(shop.overlay.added_at_ms(index)).unwrap_or_default();
        // Whole hours: answers a moment apart are equal.
        let age = (shop.now_ms.saturating_sub(since).max(0) / HOUR_MS) as f32;
        Some(
            AISLE * both(&history.aisles, &in_cart.aisles, label.aisle)
                + DEPARTMENT * both(&history.departments, &in_cart.departments, label.department)
                + BRAND * both(&history.brands, &in_cart.brands, brand)
                + NEWNESS * (-age / HALF_LIFE_HOURS).exp2(),
        )
    };
    let newest = newest.iter().copied().filter(|&index| qualifies(index));
    let found = newest.filter_map(|index| Some(Newcomer { index, likeness: likeness(index)? }));
    let mut found: Vec<Newcomer> = found.collect();
    // Stable: equal matches stay in the order of newness.
    found.sort_by(|a, b| b.likeness.total_cmp(&a.likeness));
    found
}

/// The reason for a new product.
pub(crate) fn reason(shop: &Shop, index: u32) -> String {
    let place = shop.label(index).map_or("", |label| label.aisle);
    let brand = shop.live(index).and_then(|product| product.brand.as_deref());
    match (place, brand) {
        ("", None) => "New in the shop".to_owned(),
        ("", Some(brand)) => format!("New from {brand}"),
        (aisle, _) => format!("New in {aisle}"),
    }
}
