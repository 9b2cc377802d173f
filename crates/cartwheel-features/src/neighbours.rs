//! Products that are bought together, from sampled baskets.

use serde::{Deserialize, Serialize};

use crate::basket::Basket;

/// Maximum number of neighbours per product.
pub const MAX_NEIGHBOURS: usize = 50;
/// Maximum number of baskets examined per product: enough for stable scores, and a bound
/// on the work.
const MAX_BASKETS: usize = 2_000;
/// Number of co-purchases from which a score counts in full; fewer scale it down
/// (significance weighting, Herlocker et al., SIGIR 1999).
const SIGNIFICANT: f32 = 10.0;

/// A product that is related to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Catalogue index of the neighbour.
    pub product: u32,
    /// How strongly it is related, 0 to 1.
    pub score: f32,
}

impl Neighbour {
    /// Keeps the `most` entries with the largest scores, the largest first.
    pub fn best(mut all: Vec<Self>, most: usize) -> Vec<Self> {
        let best = |a: &Self, b: &Self| b.score.total_cmp(&a.score).then(a.product.cmp(&b.product));
        if all.len() > most {
            all.select_nth_unstable_by(most, best);
            all.truncate(most);
        }
        all.sort_unstable_by(best);
        all
    }
}

/// Computes each product's neighbours: the score is the significance-weighted cosine similarity
/// of the two products' baskets. `users_scale` is the number of the shop's users per user
/// counted. Co-purchases are counted over an inverted index,
/// one product at a time, in a dense scratch row.
pub(crate) fn neighbours(
    products: usize,
    baskets: &[Basket],
    users_scale: f32,
) -> Vec<Vec<Neighbour>> {
    let mut counts = vec![0_u32; products];
    baskets.iter().flatten().for_each(|&p| counts[p as usize] += 1);
    let mut starts = vec![0_usize; products + 1];
    for product in 0..products {
        starts[product + 1] = starts[product] + counts[product] as usize;
    }
    let mut fill = starts.clone();
    let mut inverted = vec![0_u32; starts[products]];
    for (at, basket) in baskets.iter().enumerate() {
        for &product in basket {
            inverted[fill[product as usize]] = at as u32;
            fill[product as usize] += 1;
        }
    }
    let mut together = vec![0_u32; products];
    let mut touched = Vec::new();
    let mut all = Vec::with_capacity(products);
    for product in 0..products {
        let holders = &inverted[starts[product]..starts[product + 1]];
        let seen = &holders[..holders.len().min(MAX_BASKETS)];
        for &basket in seen {
            for &other in &baskets[basket as usize] {
                if other as usize != product {
                    if together[other as usize] == 0 {
                        touched.push(other);
                    }
                    together[other as usize] += 1;
                }
            }
        }
        // If baskets were skipped, each count stands for proportionally more of them.
        let scale = holders.len() as f32 / seen.len().max(1) as f32;
        let found: Vec<Neighbour> = touched
            .drain(..)
            .map(|other| {
                let count = std::mem::take(&mut together[other as usize]) as f32 * scale;
                let both = (counts[product] as f32 * counts[other as usize] as f32).sqrt();
                let score = (count / both).min(1.0) * (count * users_scale / SIGNIFICANT).min(1.0);
                Neighbour { product: other, score }
            })
            .collect();
        all.push(Neighbour::best(found, MAX_NEIGHBOURS));
    }
    all
}
