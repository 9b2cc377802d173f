//! Candidates by product while their scores add up.

use std::cell::Cell;

use cartwheel_features::Source;

use crate::candidate::Candidate;

/// A product without a candidate.
const EMPTY: u32 = u32::MAX;

thread_local! {
    /// By product: the place of its candidate. Kept between requests, all [`EMPTY`], so that a
    /// request neither hashes nor clears as many places as there are products.
    static PLACES: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
}

/// Candidates in the order in which they were found, one a product.
pub(crate) struct Scored {
    places: Vec<u32>,
    found: Vec<Candidate>,
}

impl Scored {
    /// Creates an empty collection for indices of `products` products.
    pub(crate) fn new(products: usize) -> Self {
        let mut places = PLACES.take();
        places.resize(products, EMPTY);
        Self { places, found: Vec::new() }
    }

    /// Returns the candidate of a product, which is new from `source` if there is none.
    ///
    /// # Panics
    /// If there is no such product.
    pub(crate) fn of(&mut self, product: u32, source: Source) -> &mut Candidate {
        let place = &mut self.places[product as usize];
        if *place == EMPTY {
            *place = self.found.len() as u32;
            self.found.push(Candidate::new(product, source));
        }
        &mut self.found[*place as usize]
    }

    /// Returns a product's candidate with another source.
    pub(crate) fn with_source(&self, product: u32, source: Source) -> Candidate {
        let place = self.places.get(product as usize).filter(|&&place| place != EMPTY);
        let found = place.and_then(|&place| self.found.get(place as usize));
        Candidate { source, ..found.copied().unwrap_or_else(|| Candidate::new(product, source)) }
    }

    /// All candidates, to change.
    pub(crate) fn all_mut(&mut self) -> &mut [Candidate] {
        &mut self.found
    }

    /// All candidates.
    pub(crate) fn all(&self) -> &[Candidate] {
        &self.found
    }
}

impl Drop for Scored {
    fn drop(&mut self) {
        for candidate in &self.found {
            self.places[candidate.product as usize] = EMPTY;
        }
        PLACES.set(std::mem::take(&mut self.places));
    }
}

/// What a source prefers candidates by.
pub(crate) type Key = fn(&Candidate) -> f32;

/// Moves the `most` entries with the largest positive keys out of `all`, largest first; of equal
/// ones the earlier product.
pub(crate) fn take_best(all: &mut Vec<Candidate>, most: usize, key: Key) -> Vec<Candidate> {
    let largest =
        |a: &Candidate, b: &Candidate| key(b).total_cmp(&key(a)).then(a.product.cmp(&b.product));
    if all.len() > most {
        all.select_nth_unstable_by(most, largest);
    }
    let head = most.min(all.len());
    all[..head].sort_unstable_by(largest);
    let best = all[..head].iter().take_while(|candidate| key(candidate) > 0.0).count();
    all.drain(..best).collect()
}
