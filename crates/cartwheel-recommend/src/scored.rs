//! Candidates by product while their scores add up.

use std::cell::Cell;

use cartwheel_features::Source;

use crate::candidate::Candidate;

/// A product without a candidate.
const EMPTY: u32 = u32::MAX;

/// Candidates whose memory is kept between requests.
const MOST_KEPT: usize = 20_000;

thread_local! {
    /// By product: the place of its candidate. Kept between requests, all [`EMPTY`], so that a
    /// request neither hashes nor clears as many places as there are products.
    static PLACES: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
    /// The memory of the candidates, kept between requests.
    static FOUND: Cell<Vec<Candidate>> = const { Cell::new(Vec::new()) };
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
        Self { places, found: FOUND.take() }
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
        self.found.clear();
        self.found.shrink_to(MOST_KEPT);
        FOUND.set(std::mem::take(&mut self.found));
        PLACES.set(std::mem::take(&mut self.places));
    }
}

/// What a source prefers candidates by.
pub(crate) type Key = fn(&Candidate) -> f32;

/// Candidates that no source has taken yet. A list is found by its keys alone, without moving the
/// candidates.
pub(crate) struct Others<'a, Q> {
    all: &'a [Candidate],
    /// Whether a product may be chosen.
    qualifies: Q,
    /// Places in `all`.
    left: Vec<u32>,
    /// Key, product and place of those that a source can take.
    keyed: Vec<Keyed>,
}

/// Key, product and place of a candidate.
type Keyed = (f32, u32, u32);

impl<'a, Q: Fn(u32) -> bool> Others<'a, Q> {
    /// The candidates that `is_left` accepts.
    pub(crate) fn new(
        all: &'a [Candidate],
        is_left: impl Fn(&Candidate) -> bool,
        qualifies: Q,
    ) -> Self {
        let places = (0..).zip(all);
        let left = places.filter(|(_, candidate)| is_left(candidate)).map(|(place, _)| place);
        Self { all, qualifies, left: left.collect(), keyed: Vec::new() }
    }

    /// Takes the `most` candidates with the largest positive keys that qualify, largest first; of
    /// equal ones the earlier product. A product is asked about once, and only if its key is
    /// large enough.
    pub(crate) fn take_best(&mut self, most: usize, key: Key) -> Vec<&'a Candidate> {
        let Self { all, qualifies, left, keyed } = self;
        let all: &'a [Candidate] = all;
        keyed.clear();
        keyed.extend(left.iter().filter_map(|&place| {
            let candidate = &all[place as usize];
            let key = key(candidate);
            (key > 0.0).then_some((key, candidate.product, place))
        }));
        let largest = |a: &Keyed, b: &Keyed| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        let mut best = Vec::with_capacity(most.min(keyed.len()));
        let mut asked = Vec::with_capacity(best.capacity());
        let mut rest = &mut keyed[..];
        while best.len() < most && !rest.is_empty() {
            let wanted = (most - best.len()).min(rest.len());
            if wanted < rest.len() {
                rest.select_nth_unstable_by(wanted, largest);
            }
            let (next, others) = rest.split_at_mut(wanted);
            next.sort_unstable_by(largest);
            asked.extend(next.iter().map(|&(_, _, place)| place));
            let next = next.iter().filter(|&&(_, product, _)| qualifies(product));
            best.extend(next.map(|&(_, _, place)| &all[place as usize]));
            rest = others;
        }
        // Those that do not qualify never will.
        asked.sort_unstable();
        let mut asked = asked.into_iter().peekable();
        left.retain(|&place| asked.next_if_eq(&place).is_none());
        best
    }
}
