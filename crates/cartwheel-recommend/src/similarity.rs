//! How much two products resemble each other, by what the catalogue already has.

use cartwheel_features::{Catalogue, Neighbour};
use rustc_hash::FxHashMap;

/// How much two products resemble each other, 0 to 1: the larger one of their likeness by what the
/// shop says and of their score of being in the same baskets. 0 if neither is among the most
/// similar ones of the other, 1 for a product and itself.
pub fn similarity(catalogue: &Catalogue, one: u32, other: u32) -> f32 {
    if one == other {
        return 1.0;
    }
    let listed = |of: u32, product: u32| {
        let found = related(catalogue, of).filter(|related| related.product == product);
        found.map(|related| related.score).fold(0.0, f32::max)
    };
    listed(one, other).max(listed(other, one)).clamp(0.0, 1.0)
}

/// The products that are most like a product, and those most often bought with it.
fn related(catalogue: &Catalogue, product: u32) -> impl Iterator<Item = &Neighbour> {
    catalogue.contents.alike(product).iter().chain(catalogue.neighbours.of(product))
}

/// The similarities within a list: for each place, the other places with similar products.
pub(crate) struct Similarities(Vec<Vec<(usize, f32)>>);

impl Similarities {
    /// Looks up the products of a list of distinct products.
    pub(crate) fn of(catalogue: &Catalogue, list: &[u32]) -> Self {
        let places: FxHashMap<u32, usize> =
            list.iter().enumerate().map(|(place, product)| (*product, place)).collect();
        let mut similar = vec![Vec::new(); list.len()];
        for (place, &product) in list.iter().enumerate() {
            for related in related(catalogue, product) {
                if let Some(&other) = places.get(&related.product).filter(|other| **other != place)
                {
                    let score = related.score.clamp(0.0, 1.0);
                    similar[place].push((other, score));
                    similar[other].push((place, score));
                }
            }
        }
        Self(similar)
    }

    /// The places with products similar to that of a place. A place may be named several times.
    pub(crate) fn with(&self, place: usize) -> &[(usize, f32)] {
        &self.0[place]
    }
}
