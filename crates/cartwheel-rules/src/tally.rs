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

impl Ruling<'_> {
    /// Products that a ranking lacks to fill a list of `limit` products in spite of the limits, taken
    /// from `others` in their order. None without limits.
    pub fn lacking<'n>(
        &self,
        ranked: impl Iterator<Item = u32>,
        limit: usize,
        others: impl Iterator<Item = u32>,
        name_of: impl Fn(u32, Per) -> Option<&'n str>,
    ) -> Vec<u32> {
        let mut lacking = Vec::new();
        if !self.rules.iter().any(|held| matches!(held.effect, Effect::AtMost { .. })) {
            return lacking;
        }
        let mut tally = Tally::new(self, name_of);
        let mut room = |product: u32| {
            let fits = self.admits(product) && tally.full(product, self.rules.len()).is_none();
            if fits {
                tally.add(product);
            }
            fits
        };
        let fitting = ranked.filter(|&product| room(product)).take(limit).count();
        lacking.extend(others.filter(|&product| room(product)).take(limit - fitting));
        lacking
    }
}
