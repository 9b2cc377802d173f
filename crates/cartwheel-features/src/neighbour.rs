//! A product in relation to another.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::lists::Lists;

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

/// The lists of all products by value, of lists by value for each product.
pub(crate) fn by_value(
    values: usize,
    by_product: Vec<Vec<Vec<Neighbour>>>,
) -> Vec<Lists<Neighbour>> {
    let mut all = vec![Lists::default(); values];
    for lists in by_product {
        all.iter_mut().zip(lists).for_each(|(all, list)| all.push(&list));
    }
    all
}

/// Whether all neighbours are among so many products. A catalogue has tens of millions.
pub(crate) fn all_below(neighbours: &[Neighbour], products: usize) -> bool {
    const TOGETHER: usize = 1 << 16;
    let largest = |part: &[Neighbour]| part.iter().fold(0, |most, one| one.product.max(most));
    let below = |part: &[Neighbour]| (largest(part) as usize) < products;
    neighbours.par_chunks(TOGETHER).all(below)
}
