//! Applies the rules that hold to a ranked list.
//!
//! The order of a list follows from its probabilities, unless it was rearranged, for instance by
//! diversity. So that factors work on any order, they multiply the odds of the *place*: the first
//! place has the largest probability of the list, the second place the second largest, and so on.
//! In a list by probability these are the products' own.

use crate::document::Per;
use crate::placed::{Moved, Placed};
use crate::ruling::{Effect, Ruling};
use crate::tally::Tally;

/// Odds have a logarithm for probabilities from here to one minus this.
const LEAST: f64 = 1e-6;

/// What has been decided about a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// By the rule at this place of the precedence, which demands it.
    Demanded(usize),
    /// By its rank.
    Filled,
    Pinned {
        rule: usize,
        place: usize,
    },
}

impl<'a> Ruling<'a> {
    /// Applies the rules to a ranked list of distinct products with probabilities, best first, and
    /// cuts it to `limit`. `name_of` gives the category or brand of a product.
    ///
    /// Factors come first; then pins take their products by precedence, `at_least` takes what is
    /// missing, and the best of the others fill the list as far as `at_most` lets them. A pin or a
    /// demand ignores the limits of rules that it takes precedence over.
    pub fn arrange<'n>(
        &self,
        ranked: &[(u32, f32)],
        limit: usize,
        name_of: impl Fn(u32, Per) -> Option<&'n str>,
    ) -> Vec<Placed<'a>> {
        if self.is_empty() {
            let plain = (0..ranked.len().min(limit)).map(|rank| Placed { rank, moved_by: None });
            return plain.collect();
        }
        let factors: Vec<f64> = ranked.iter().map(|(product, _)| self.factor(*product)).collect();
        let order = reordered(ranked, &factors);
        let mut choice = Choice {
            ruling: self,
            ranked,
            tally: Tally::new(self, name_of),
            limit,
            states: vec![State::Open; ranked.len()],
            chosen: 0,
        };
        for (at, held) in self.rules.iter().enumerate() {
            if let Effect::Pin { place } = held.effect {
                choice.pin(at, place, &order);
            }
        }
        for (at, held) in self.rules.iter().enumerate() {
            if let Effect::AtLeast { count } = held.effect {
                choice.demand(at, count, &order);
            }
        }
        choice.fill(&order);
        let list = choice.list(&order);
        let placed = list.iter().enumerate().map(|(at, &rank)| {
            let moved_by = self.moved(choice.states[rank], ranked[rank].0, rank + 1, at + 1, limit);
            Placed { rank, moved_by }
        });
        placed.collect()
    }

    /// The product of all factors on the odds of a product.
    fn factor(&self, product: u32) -> f64 {
        let factors = self.rules.iter().filter_map(|held| match held.effect {
            Effect::Odds { factor } if held.is_about(product) => Some(factor),
            _ => None,
        });
        factors.product()
    }

    /// The rule with the strongest factor that moves a product down, or up.
    fn strongest(&self, product: u32, down: bool) -> Option<&'a str> {
        let mut strongest: Option<(f64, &'a str)> = None;
        for held in &self.rules {
            let Effect::Odds { factor } = held.effect else { continue };
            let strength = if down { factor.recip() } else { factor };
            let is_stronger = strength > strongest.map_or(1.0, |(most, _)| most);
            if is_stronger && held.is_about(product) {
                strongest = Some((strength, held.id));
            }
        }
        strongest.map(|(_, id)| id)
    }

    /// The rule that has put a product at its place.
    fn moved(
        &self,
        state: State,
        product: u32,
        from: usize,
        to: usize,
        limit: usize,
    ) -> Option<Moved<'a>> {
        let rule = match state {
            State::Pinned { rule, .. } => Some(self.rules[rule].id),
            State::Demanded(rule) if from > limit => Some(self.rules[rule].id),
            _ if from == to => None,
            _ => self.strongest(product, to > from),
        };
        rule.map(|rule| Moved { rule, from, to })
    }
}

/// The ranks in the order after the factors. Equal ones keep their order.
fn reordered(ranked: &[(u32, f32)], factors: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..ranked.len()).collect();
    if factors.iter().all(|factor| *factor == 1.0) {
        return order;
    }
    let known = |p: f32| if p.is_nan() { LEAST } else { f64::from(p).clamp(LEAST, 1.0 - LEAST) };
    let mut of_place: Vec<f64> = ranked.iter().map(|(_, p)| known(*p)).collect();
    of_place.sort_by(|a, b| b.total_cmp(a));
    let odds: Vec<f64> = of_place.iter().zip(factors).map(|(p, f)| f * p / (1.0 - p)).collect();
    // p = odds / (1 + odds) rises with the odds: the order is the same.
    order.sort_by(|&a, &b| odds[b].total_cmp(&odds[a]));
    order
}

/// The choice of the products of a list.
struct Choice<'r, 'a, 'n, F: Fn(u32, Per) -> Option<&'n str>> {
    ruling: &'r Ruling<'a>,
    ranked: &'r [(u32, f32)],
    tally: Tally<'r, 'a, 'n, F>,
    limit: usize,
    /// By rank.
    states: Vec<State>,
    chosen: usize,
}

impl<'a, 'n, F: Fn(u32, Per) -> Option<&'n str>> Choice<'_, 'a, 'n, F> {
    /// Whether no rule of the first `before` blocks a product or has no room for it.
    fn fits(&self, rank: usize, before: usize) -> bool {
        let (product, _) = self.ranked[rank];
        self.ruling.block(product).is_none_or(|block| block >= before)
            && self.tally.full(product, before).is_none()
    }

    fn choose(&mut self, rank: usize, state: State) {
        if self.states[rank] == State::Open {
            self.chosen += 1;
            self.tally.add(self.ranked[rank].0);
        }
        self.states[rank] = state;
    }

    /// Gives a place to the best of a rule's products.
    fn pin(&mut self, rule: usize, place: usize, order: &[usize]) {
        let is_taken =
            |state: &State| matches!(state, State::Pinned { place: taken, .. } if *taken == place);
        if place > self.limit || self.states.iter().any(is_taken) {
            return;
        }
        let held = &self.ruling.rules[rule];
        let best = order.iter().copied().find(|&rank| {
            self.states[rank] == State::Open
                && held.is_about(self.ranked[rank].0)
                && self.fits(rank, rule)
        });
        if let Some(rank) = best {
            self.choose(rank, State::Pinned { rule, place });
        }
    }

    /// Chooses the best of a rule's products until `count` of them are chosen.
    fn demand(&mut self, rule: usize, count: usize, order: &[usize]) {
        let held = &self.ruling.rules[rule];
        let of_rule = order.iter().copied().filter(|&rank| held.is_about(self.ranked[rank].0));
        let of_rule: Vec<usize> = of_rule.collect();
        let have = of_rule.iter().filter(|&&rank| self.states[rank] != State::Open).count();
        let mut missing = count.saturating_sub(have);
        for rank in of_rule {
            if missing == 0 || self.chosen == self.limit {
                return;
            }
            let is_blocked = self.ruling.block(self.ranked[rank].0).is_some();
            if self.states[rank] == State::Open && !is_blocked && self.fits(rank, rule) {
                self.choose(rank, State::Demanded(rule));
                missing -= 1;
            }
        }
    }

    /// Fills the list with the best of the other products.
    fn fill(&mut self, order: &[usize]) {
        for &rank in order {
            if self.chosen >= self.limit {
                return;
            }
            if self.states[rank] == State::Open && self.fits(rank, self.ruling.rules.len()) {
                self.choose(rank, State::Filled);
            }
        }
    }

    /// The ranks of the chosen products in the order of the list.
    fn list(&self, order: &[usize]) -> Vec<usize> {
        let mut pinned: Vec<(usize, usize)> = Vec::new();
        let mut others = Vec::new();
        for &rank in order {
            match self.states[rank] {
                State::Open => {}
                State::Pinned { place, .. } => pinned.push((place, rank)),
                State::Demanded(_) | State::Filled => others.push(rank),
            }
        }
        pinned.sort_unstable();
        let (mut pinned, mut others) = (pinned.into_iter().peekable(), others.into_iter());
        let mut list = Vec::with_capacity(self.chosen);
        while list.len() < self.chosen {
            // Behind the last of the others, pins close up.
            let is_due = pinned.next_if(|(place, _)| *place == list.len() + 1);
            let next = is_due.map(|(_, rank)| rank).or_else(|| others.next());
            list.extend(next.or_else(|| pinned.next().map(|(_, rank)| rank)));
        }
        list
    }
}
