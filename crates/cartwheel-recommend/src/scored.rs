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
    /// The memory of the lists, kept between requests.
    static KEYED: Cell<Vec<Vec<Keyed>>> = const { Cell::new(Vec::new()) };
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
        self.entry(product, source).1
    }

    /// The same, with its place among [`Self::all`].
    pub(crate) fn entry(&mut self, product: u32, source: Source) -> (usize, &mut Candidate) {
        let place = &mut self.places[product as usize];
        if *place == EMPTY {
            *place = self.found.len() as u32;
            self.found.push(Candidate::new(product, source));
        }
        let place = *place as usize;
        (place, &mut self.found[place])
    }

    fn place(&self, product: u32) -> Option<usize> {
        let place = self.places.get(product as usize).copied().filter(|&place| place != EMPTY);
        place.map(|place| place as usize)
    }

    /// Returns the candidate of a product, if it has one.
    pub(crate) fn get(&self, product: u32) -> Option<&Candidate> {
        self.place(product).map(|place| &self.found[place])
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

/// Candidates from which several lists take the best, each candidate for one list.
pub(crate) struct Lists<'a> {
    scored: &'a Scored,
    /// By place: whether it is in a list, or does not qualify.
    gone: Vec<bool>,
    /// Of each list, those that it can take.
    keyed: Vec<Vec<Keyed>>,
}

/// A candidate by what a list prefers.
#[derive(Clone, Copy)]
struct Keyed {
    /// The key, then the product, the earlier the better: larger is better. Positive numbers are in
    /// the order of their bits.
    order: u64,
    place: u32,
}

impl<'a> Lists<'a> {
    /// Lists of nothing yet.
    pub(crate) fn new(scored: &'a Scored) -> Self {
        Self { scored, gone: vec![false; scored.found.len()], keyed: KEYED.take() }
    }

    /// Takes the candidate of a product that no list has yet.
    pub(crate) fn take(&mut self, product: u32) -> Option<&'a Candidate> {
        let place = self.scored.place(product)?;
        let is_taken = std::mem::replace(&mut self.gone[place], true);
        (!is_taken).then_some(&self.scored.found[place])
    }

    /// Whether a list has a product, or would have it if it qualified.
    pub(crate) fn has(&self, product: u32) -> bool {
        self.scored.place(product).is_some_and(|place| self.gone[place])
    }

    /// Finds the candidates that each list can take, with positive keys; `keys` tells what each list
    /// prefers a candidate by. All at once: candidates are much larger than their keys.
    pub(crate) fn fill<const N: usize>(&mut self, keys: impl Fn(&Candidate) -> [f32; N]) {
        self.keyed.resize_with(N, Vec::new);
        self.keyed.iter_mut().for_each(Vec::clear);
        let places = (0..).zip(&self.scored.found).zip(&self.gone);
        for ((place, candidate), _) in places.filter(|(_, gone)| !**gone) {
            for (key, keyed) in keys(candidate).into_iter().zip(&mut self.keyed) {
                if key > 0.0 {
                    let order = u64::from(key.to_bits()) << 32 | u64::from(!candidate.product);
                    keyed.push(Keyed { order, place });
                }
            }
        }
    }

    /// Takes the `most` candidates of a list with the largest keys that qualify, largest first; of
    /// equal ones the earlier product. A product is asked about once, and only if its key is
    /// large enough.
    pub(crate) fn take_best(
        &mut self,
        list: usize,
        most: usize,
        qualifies: impl Fn(u32) -> bool,
    ) -> impl Iterator<Item = &'a Candidate> {
        let Self { scored, gone, keyed } = self;
        let found: &'a [Candidate] = &scored.found;
        let keyed = &mut keyed[list];
        keyed.retain(|keyed| !gone[keyed.place as usize]);
        let largest = |keyed: &Keyed| std::cmp::Reverse(keyed.order);
        let mut best: Vec<u32> = Vec::with_capacity(most.min(keyed.len()));
        let mut rest = &mut keyed[..];
        while best.len() < most && !rest.is_empty() {
            let wanted = (most - best.len()).min(rest.len());
            if wanted < rest.len() {
                rest.select_nth_unstable_by_key(wanted, largest);
            }
            let (next, others) = rest.split_at_mut(wanted);
            next.sort_unstable_by_key(largest);
            for &Keyed { place, .. } in &*next {
                // One that does not qualify never will.
                gone[place as usize] = true;
                if qualifies(found[place as usize].product) {
                    best.push(place);
                }
            }
            rest = others;
        }
        best.into_iter().map(|place| &found[place as usize])
    }
}

impl Drop for Lists<'_> {
    fn drop(&mut self) {
        self.keyed.iter_mut().for_each(|keyed| {
            keyed.clear();
            keyed.shrink_to(MOST_KEPT);
        });
        KEYED.set(std::mem::take(&mut self.keyed));
    }
}
