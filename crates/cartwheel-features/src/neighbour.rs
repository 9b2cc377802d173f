//! A product in relation to another.

use serde::{Deserialize, Serialize};

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
            // What is left out may be a hundred times as long.
            all.shrink_to_fit();
        }
        all.sort_unstable_by(best);
        all
    }
}

/// Lists by value and product, of lists by product and value.
pub(crate) fn by_value(
    values: usize,
    by_product: Vec<Vec<Vec<Neighbour>>>,
) -> Vec<Vec<Vec<Neighbour>>> {
    let mut all = vec![Vec::with_capacity(by_product.len()); values];
    for lists in by_product {
        all.iter_mut().zip(lists).for_each(|(all, list)| all.push(list));
    }
    all
}
