//! How many products of a list the rules count.

use rustc_hash::FxHashMap;

use crate::document::Per;
use crate::ruling::{Effect, Ruling};

/// The products of a list, counted by each `at_most` rule.
pub(crate) struct Tally<'r, 'a, 'n, F: Fn(u32, Per) -> Option<&'n str>> {
    ruling: &'r Ruling<'a>,
    name_of: F,
    /// By rule, and category or brand.
    counts: FxHashMap<(usize, &'n str), usize>,
}

impl<'r, 'a, 'n, F: Fn(u32, Per) -> Option<&'n str>> Tally<'r, 'a, 'n, F> {
    pub(crate) fn new(ruling: &'r Ruling<'a>, name_of: F) -> Self {
        Self { ruling, name_of, counts: FxHashMap::default() }
    }

    /// The rules, of the first `before` rules, that count a product, each with its maximum and the
    /// category or brand.
    fn limits(&self, product: u32, before: usize) -> Vec<(usize, usize, &'n str)> {
        let rules = self.ruling.rules[..before].iter().enumerate();
        let counted = rules.filter_map(|(at, held)| {
            let Effect::AtMost { count, per } = held.effect else { return None };
            let name = match per {
                Some(per) => (self.name_of)(product, per)?,
                None => "",
            };
            held.is_about(product).then_some((at, count, name))
        });
        counted.collect()
    }

    /// The first rule, of the first `before` rules, that has no room for a product.
    pub(crate) fn full(&self, product: u32, before: usize) -> Option<usize> {
        let is_full = |&(at, most, name): &(usize, usize, &'n str)| {
            self.counts.get(&(at, name)).is_some_and(|count| *count >= most)
        };
        self.limits(product, before).iter().find(|limit| is_full(limit)).map(|(at, ..)| *at)
    }

    pub(crate) fn add(&mut self, product: u32) {
        for (at, _, name) in self.limits(product, self.ruling.rules.len()) {
            *self.counts.entry((at, name)).or_default() += 1;
        }
    }
}

/// The room that the limits leave in a list.
pub struct Room<'r, 'a, 'n, F: Fn(u32, Per) -> Option<&'n str>>(Tally<'r, 'a, 'n, F>);

impl<'a> Ruling<'a> {
    /// Whether a rule limits the number of some products, so that a full list takes more candidates
    /// than it has places.
    pub fn limits(&self) -> bool {
        self.rules.iter().any(|held| matches!(held.effect, Effect::AtMost { .. }))
    }

    /// The room in an empty list. `name_of` gives the category or brand of a product.
    pub fn room<'n, F: Fn(u32, Per) -> Option<&'n str>>(&self, name_of: F) -> Room<'_, 'a, 'n, F> {
        Room(Tally::new(self, name_of))
    }
}

impl<'n, F: Fn(u32, Per) -> Option<&'n str>> Room<'_, '_, 'n, F> {
    /// Whether there is room for one more product, which then takes it.
    pub fn take(&mut self, product: u32) -> bool {
        let fits = self.fits(product);
        if fits {
            self.0.add(product);
        }
        fits
    }

    /// Whether there is room for one more product.
    pub fn fits(&self, product: u32) -> bool {
        let Self(tally) = self;
        let all = tally.ruling.rules.len();
        tally.ruling.admits(product) && tally.full(product, all).is_none()
    }
}
