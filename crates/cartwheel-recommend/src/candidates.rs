//! Selects the products that are worth scoring for a user and a cart.

use cartwheel_features::{Catalogue, Neighbour, UserState, heaviest};
use rustc_hash::{FxHashMap, FxHashSet};

/// Maximum number of candidates from the user's history.
const FROM_HISTORY: usize = 300;
/// Maximum number of candidates related to the cart.
const FROM_CART: usize = 50;
/// Maximum number of candidates related to the user's history.
const FROM_TASTE: usize = 30;
/// Maximum number of candidates that users with such a history buy next.
const FROM_NEXT: usize = 60;
/// Maximum number of popular candidates.
const FROM_POPULAR: usize = 30;
/// Number of past products whose neighbours are considered.
const TASTE_PRODUCTS: usize = 40;

/// The reason why a product is a candidate, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The user bought it before.
    History,
    /// It is bought together with a product in the cart.
    Cart,
    /// It is bought together with products that the user buys.
    Taste,
    /// Users with such a history buy it next.
    Next,
    /// It is popular with all users.
    Popular,
    /// Shoppers turn to it now.
    Trending,
    /// It is so new that no order has taught anything about it.
    New,
}

impl Source {
    /// Returns the source's name in impressions and explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::History => "history",
            Self::Cart => "cart",
            Self::Taste => "taste",
            Self::Next => "next",
            Self::Popular => "popular",
            Self::Trending => "trending",
            Self::New => "new",
        }
    }
}

/// A product to score, with its relation to cart and history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Catalogue index of the product.
    pub product: u32,
    /// The strongest reason why it is a candidate.
    pub source: Source,
    /// Largest neighbour score to a product in the cart; 0 if there is none.
    pub cart_max: f32,
    /// Sum of its neighbour scores to the products in the cart.
    pub cart_sum: f32,
    /// The product in the cart with the score `cart_max`.
    pub cart_best: Option<u32>,
    /// Sum of its neighbour scores to the user's products, weighted by recency.
    pub taste: f32,
    /// The user's product with the largest share of `taste`.
    pub taste_best: Option<TasteShare>,
    /// Probability that users with such a history buy it next, by the products' transitions.
    pub next: f32,
}

/// The share of one of the user's products in a candidate's taste score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TasteShare {
    /// Catalogue index of the user's product.
    pub product: u32,
    /// Neighbour score times recency.
    pub score: f32,
}

impl Candidate {
    /// A candidate without relation to cart and history.
    pub fn new(product: u32, source: Source) -> Self {
        Self {
            product,
            source,
            cart_max: 0.0,
            cart_sum: 0.0,
            cart_best: None,
            taste: 0.0,
            taste_best: None,
            next: 0.0,
        }
    }
}

/// Returns the candidates for a user and a cart of catalogue indices: at most a few hundred,
/// none of them in the cart, all of them products that qualify.
///
/// A product is asked about before any list is cut, so that products that do not qualify take
/// no place. There are `at_least` candidates while that many products qualify; training asks
/// for none, and takes what the sources yield.
pub fn candidates(
    catalogue: &Catalogue,
    state: &UserState,
    cart: &[u32],
    at_least: usize,
    qualifies: impl Fn(u32) -> bool,
) -> Vec<Candidate> {
    let next = state.orders + 1;
    let in_cart: FxHashSet<u32> = cart.iter().copied().collect();
    let mut past: Vec<(f32, u32)> =
        state.products.iter().map(|p| (p.recency(next), p.product)).collect();
    past.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));

    let mut scored: FxHashMap<u32, Candidate> = FxHashMap::default();
    for &held in cart {
        for neighbour in neighbours(catalogue, held).filter(|n| qualifies(n.product)) {
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
        for neighbour in neighbours(catalogue, bought).filter(|n| qualifies(n.product)) {
            let entry = scored
                .entry(neighbour.product)
                .or_insert_with(|| Candidate::new(neighbour.product, Source::Taste));
            let score = recency * neighbour.score;
            entry.taste += score;
            if entry.taste_best.is_none_or(|best| score > best.score) {
                entry.taste_best = Some(TasteShare { product: bought, score });
            }
        }
    }

    let history = heaviest(state);
    let weight: f32 = history.iter().map(|(_, weight)| weight).sum();
    for &(bought, share) in &history {
        let transitions = catalogue.get(bought).map_or(&[][..], |product| &product.transitions);
        for next in transitions.iter().filter(|n| qualifies(n.product)) {
            let entry = scored
                .entry(next.product)
                .or_insert_with(|| Candidate::new(next.product, Source::Next));
            entry.next += next.score * share / weight;
        }
    }

    let mut chosen: Vec<Candidate> = Vec::with_capacity(240);
    let mut taken: FxHashSet<u32> = in_cart;
    let exists = |product: u32| (product as usize) < catalogue.products.len();
    let bought = past.iter().map(|&(_, product)| product);
    let bought = bought.filter(|&product| exists(product) && qualifies(product));
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
    take(Source::Next, FROM_NEXT, |c| c.next);
    let ties: FxHashMap<u32, Candidate> = others.into_iter().map(|c| (c.product, c)).collect();
    let more = FROM_POPULAR.max(at_least.saturating_sub(chosen.len()));
    let popular = catalogue.popular.iter().filter(|p| !taken.contains(p) && qualifies(**p));
    let popular = popular.take(more);
    chosen.extend(popular.map(|&product| {
        let candidate = ties.get(&product).copied();
        let candidate = candidate.unwrap_or_else(|| Candidate::new(product, Source::Popular));
        Candidate { source: Source::Popular, ..candidate }
    }));
    chosen
}

fn neighbours(catalogue: &Catalogue, product: u32) -> impl Iterator<Item = &Neighbour> {
    catalogue.get(product).map_or(&[][..], |product| &product.neighbours).iter()
}
