//! Which products are worth scoring for a user and a cart.

use cartwheel_features::{Catalogue, UserState};
use rustc_hash::{FxHashMap, FxHashSet};

/// Most candidates from the user's own past.
const FROM_HISTORY: usize = 120;
/// Most candidates that go with the cart.
const FROM_CART: usize = 50;
/// Most candidates that go with what the user buys.
const FROM_TASTE: usize = 30;
/// Most candidates that everybody buys.
const FROM_POPULAR: usize = 30;
/// Past products whose neighbours are looked at.
const TASTE_PRODUCTS: usize = 40;

/// What made a product a candidate, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The user has bought it.
    History,
    /// It is bought together with a product in the cart.
    Cart,
    /// It is bought together with products that the user buys.
    Taste,
    /// Everybody buys it.
    Popular,
}

impl Source {
    /// The name in impressions and explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Cart => "cart",
            Self::Taste => "taste",
            Self::Popular => "popular",
        }
    }
}

/// A product to score, and its ties to cart and history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Index in the catalogue.
    pub product: u32,
    /// What made it a candidate.
    pub source: Source,
    /// Largest neighbour score to a product of the cart, 0 without any.
    pub cart_max: f32,
    /// Sum of its neighbour scores to the products of the cart.
    pub cart_sum: f32,
    /// The product of the cart that gave `cart_max`.
    pub cart_best: Option<u32>,
    /// Sum of neighbour scores to the user's products, weighted by recency.
    pub taste: f32,
    /// The user's product that gave most of `taste`, with its share.
    pub taste_best: Option<(u32, f32)>,
}

impl Candidate {
    fn new(product: u32, source: Source) -> Self {
        Self {
            product,
            source,
            cart_max: 0.0,
            cart_sum: 0.0,
            cart_best: None,
            taste: 0.0,
            taste_best: None,
        }
    }
}

/// The candidates for a user and a cart (indices, at most a few hundred), none of
/// them in the cart. Never empty while the catalogue holds products outside it.
pub fn candidates(catalogue: &Catalogue, state: &UserState, cart: &[u32]) -> Vec<Candidate> {
    let next = state.orders + 1;
    let in_cart: FxHashSet<u32> = cart.iter().copied().collect();
    let mut past: Vec<(f32, u32)> =
        state.products.iter().map(|p| (p.recency(next), p.product)).collect();
    past.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));

    let mut scored: FxHashMap<u32, Candidate> = FxHashMap::default();
    for &held in cart {
        for neighbour in catalogue.get(held).map_or(&[][..], |p| &p.neighbours) {
            let entry = scored
                .entry(neighbour.product)
                .or_insert_with(|| Candidate::new(neighbour.product, Source::Cart));
            entry.cart_sum += neighbour.score;
            if neighbour.score > entry.cart_max {
                entry.cart_max = neighbour.score;
                entry.cart_best = Some(held);
            }
        }
    }
    for &(recency, bought) in past.iter().take(TASTE_PRODUCTS) {
        for neighbour in catalogue.get(bought).map_or(&[][..], |p| &p.neighbours) {
            let entry = scored
                .entry(neighbour.product)
                .or_insert_with(|| Candidate::new(neighbour.product, Source::Taste));
            let share = recency * neighbour.score;
            entry.taste += share;
            if entry.taste_best.is_none_or(|(_, best)| share > best) {
                entry.taste_best = Some((bought, share));
            }
        }
    }

    let mut chosen: Vec<Candidate> = Vec::with_capacity(240);
    let mut taken: FxHashSet<u32> = in_cart;
    let known = |product: u32| (product as usize) < catalogue.products.len();
    let bought = past.iter().map(|&(_, product)| product).filter(|&p| known(p));
    for product in bought.filter(|p| !taken.contains(p)).take(FROM_HISTORY).collect::<Vec<_>>() {
        taken.insert(product);
        let ties = scored.get(&product).copied();
        let candidate = ties.unwrap_or_else(|| Candidate::new(product, Source::History));
        chosen.push(Candidate { source: Source::History, ..candidate });
    }
    let mut others: Vec<Candidate> =
        scored.into_values().filter(|c| !taken.contains(&c.product)).collect();
    let mut take = |source: Source, most: usize, key: fn(&Candidate) -> f32| {
        others.sort_by(|a, b| key(b).total_cmp(&key(a)).then(a.product.cmp(&b.product)));
        let best = others.iter().take_while(|c| key(c) > 0.0).take(most).count();
        for candidate in others.drain(..best) {
            taken.insert(candidate.product);
            chosen.push(Candidate { source, ..candidate });
        }
    };
    take(Source::Cart, FROM_CART, |c| c.cart_sum);
    take(Source::Taste, FROM_TASTE, |c| c.taste);
    let ties: FxHashMap<u32, Candidate> = others.into_iter().map(|c| (c.product, c)).collect();
    let popular = catalogue.popular.iter().filter(|p| !taken.contains(p)).take(FROM_POPULAR);
    chosen.extend(popular.map(|&product| {
        let candidate = ties.get(&product).copied();
        let candidate = candidate.unwrap_or_else(|| Candidate::new(product, Source::Popular));
        Candidate { source: Source::Popular, ..candidate }
    }));
    chosen
}
