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

/// Candidates that no source has taken yet. A list is found by its keys alone, without moving the
/// candidates.
pub(crate) struct Others<'a> {
    all: &'a [Candidate],
    /// Places in `all`.
    left: Vec<u32>,
    /// Key, product and place of those that a source can take.
    keyed: Vec<(f32, u32, u32)>,
}

impl<'a> Others<'a> {
    /// The candidates that `is_left` accepts.
    pub(crate) fn new(all: &'a [Candidate], is_left: impl Fn(&Candidate) -> bool) -> Self {
        let places = (0..).zip(all);
        let left = places.filter(|(_, candidate)| is_left(candidate)).map(|(place, _)| place);
        Self { all, left: left.collect(), keyed: Vec::new() }
    }

    /// Takes the `most` candidates with the largest positive keys, largest first; of equal ones the
    /// earlier product.
    pub(crate) fn take_best(
        &mut self,
        most: usize,
        key: Key,
    ) -> impl Iterator<Item = &'a Candidate> {
        let Self { all, left, keyed } = self;
        let all: &'a [Candidate] = all;
        keyed.clear();
        keyed.extend(left.iter().filter_map(|&place| {
            let candidate = &all[place as usize];
            let key = key(candidate);
            (key > 0.0).then_some((key, candidate.product, place))
        }));
        let largest =
            |a: &(f32, u32, u32), b: &(f32, u32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if keyed.len() > most {
            keyed.select_nth_unstable_by(most, largest);
            keyed.truncate(most);
        }
        keyed.sort_unstable_by_key(|&(_, _, place)| place);
        let mut taken = keyed.iter().map(|&(_, _, place)| place).peekable();
        left.retain(|&place| taken.next_if_eq(&place).is_none());
        keyed.sort_unstable_by(largest);
        keyed.iter().map(move |&(_, _, place)| &all[place as usize])
    }
}
