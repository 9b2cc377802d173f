//! Simple recommenders that a model must beat.

use cartwheel_features::{Catalogue, UserState, stable_hash};
use rustc_hash::{FxHashMap, FxHashSet};

/// A recommender without a model. From the catalogue, the user's state and id, the cart and a
/// limit, it returns ranked catalogue indices that are not in the cart.
pub type Baseline = fn(&Catalogue, &UserState, &str, &[u32], usize) -> Vec<u32>;

/// Every baseline with its name in reports.
pub const BASELINES: [(&str, Baseline); 5] = [
    ("random", random),
    ("popular", popular),
    ("personal", personal),
    ("personal+popular", personal_popular),
    ("neighbours", neighbours),
];

fn fill(out: &mut Vec<u32>, more: impl Iterator<Item = u32>, cart: &[u32], limit: usize) {
    let mut seen: FxHashSet<u32> = out.iter().chain(cart).copied().collect();
    for product in more {
        if out.len() >= limit {
            break;
        }
        if seen.insert(product) {
            out.push(product);
        }
    }
}

fn random(c: &Catalogue, _: &UserState, user: &str, cart: &[u32], limit: usize) -> Vec<u32> {
    let mut out = Vec::new();
    let n = c.products.len().max(1) as u64;
    let draw = |i: u64| (stable_hash(format!("{user}/{i}").as_bytes()) % n) as u32;
    fill(&mut out, (0..limit as u64 * 3).map(draw).filter(|_| !c.products.is_empty()), cart, limit);
    out
}

/// The best-selling products.
pub fn popular(c: &Catalogue, _: &UserState, _: &str, cart: &[u32], limit: usize) -> Vec<u32> {
    let mut out = Vec::new();
    fill(&mut out, c.popular.iter().copied(), cart, limit);
    out
}

fn personal(c: &Catalogue, s: &UserState, _: &str, cart: &[u32], limit: usize) -> Vec<u32> {
    let mut own: Vec<_> = s.products.iter().map(|p| (p.orders, p.product)).collect();
    let rank = |p: u32| c.get(p).map_or(u32::MAX, |p| p.rank);
    own.sort_by_key(|&(orders, p)| (std::cmp::Reverse(orders), rank(p)));
    let mut out = Vec::new();
    fill(&mut out, own.into_iter().map(|(_, p)| p), cart, limit);
    out
}

fn personal_popular(
    c: &Catalogue,
    s: &UserState,
    user: &str,
    cart: &[u32],
    limit: usize,
) -> Vec<u32> {
    let mut out = personal(c, s, user, cart, limit);
    fill(&mut out, c.popular.iter().copied(), cart, limit);
    out
}

/// Item-to-item neighbours of cart and history, followed by popular products.
fn neighbours(c: &Catalogue, s: &UserState, _: &str, cart: &[u32], limit: usize) -> Vec<u32> {
    let mut scores: FxHashMap<u32, f32> = FxHashMap::default();
    let own = s.products.iter().map(|p| (p.product, p.orders as f32));
    for (product, weight) in own.chain(cart.iter().map(|&p| (p, 1.0))) {
        for n in c.get(product).map_or(&[][..], |p| &p.neighbours) {
            *scores.entry(n.product).or_default() += weight * n.score;
        }
    }
    let mut best: Vec<(u32, f32)> = scores.into_iter().collect();
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut out = Vec::new();
    let ranked = best.into_iter().map(|(p, _)| p).chain(c.popular.iter().copied());
    fill(&mut out, ranked, cart, limit);
    out
}
