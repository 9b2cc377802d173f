//! How soon products are bought again, finished from the counts of gaps.

use serde::{Deserialize, Serialize};

use crate::gaps::{Gaps, number, pace};
use crate::user::UserState;

/// Gaps of a product's aisle that count as much as the product's own, and of the shop's as the
/// aisle's.
const PRIOR: f64 = 20.0;
/// Smallest variance of a logarithm: a tenth of the gap. Gaps of a few users may be all the same.
const LEAST_VARIANCE: f64 = 0.01;
/// The variances of a shop in which nobody has bought anything twice.
const FIRST_VARIANCE: f64 = 1.0;
const STEADY_VARIANCE: f64 = 0.5;

/// How soon a product is bought again. All figures are of natural logarithms of days.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Cadence {
    /// Users who bought it at least twice.
    pub repeats: u32,
    /// Mean of the gap between a user's first two purchases, at the mean pace of the shop's users.
    pub mean: f32,
    /// Variance of such a gap.
    pub variance: f32,
    /// Mean of a later gap, relative to the mean of the user's many earlier ones.
    pub steady_mean: f32,
    /// Variance of such a gap.
    pub steady_variance: f32,
    /// Probability that a user who has bought it once ever buys it again.
    pub again: f32,
}

/// How soon each product is bought again.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Cadences {
    /// By catalogue index. Empty in catalogues of early versions.
    products: Vec<Cadence>,
    /// Mean of the logarithm of users' days between orders.
    mean_pace: f32,
    /// Gain of a gap's logarithm per logarithm of the user's pace.
    slope: f32,
}

impl Cadences {
    /// Finishes the counts of all products; `aisles` are their aisles. A product that few have
    /// bought twice is taken to be like its aisle, and an aisle like the shop: the mean of a
    /// group's logarithms is (sum + n · wider mean) / (count + n) with n = 20, as in empirical Bayes
    /// estimates (Efron and Morris, JASA 1975).
    pub(crate) fn finish(gaps: &[Gaps], aisles: &[u32]) -> Self {
        let mut shop = Gaps::default();
        let mut of_aisle: Vec<Gaps> = Vec::new();
        for (gaps, &aisle) in gaps.iter().zip(aisles) {
            let aisle = aisle as usize;
            if aisle >= of_aisle.len() {
                of_aisle.resize(aisle + 1, Gaps::default());
            }
            of_aisle[aisle].merge(gaps);
            shop.merge(gaps);
        }
        let users = f64::from(shop.first.count.max(1));
        let (gap, pace) = (number(shop.first.sum, 1) / users, number(shop.pace.sum, 1) / users);
        let spread = number(shop.pace.squares, 2) / users - pace * pace;
        let together = number(shop.both, 2) / users - gap * pace;
        // A user's pace explains at most all of a gap. With few gaps it explains little.
        let slope = (together / (spread + PRIOR / users)).clamp(0.0, 1.0);
        let line = Line { pace, slope };
        let shop = line.group(&shop, &Group::UNKNOWN);
        let of_aisle: Vec<Group> = of_aisle.iter().map(|gaps| line.group(gaps, &shop)).collect();
        let product = |(gaps, &aisle): (&Gaps, &u32)| Cadence {
            repeats: gaps.first.count,
            ..line.group(gaps, &of_aisle[aisle as usize]).cadence()
        };
        Self {
            products: gaps.iter().zip(aisles).map(product).collect(),
            mean_pace: pace as f32,
            slope: slope as f32,
        }
    }

    /// How soon a product is bought again. `None` if nobody has bought it twice.
    pub fn get(&self, product: u32) -> Option<&Cadence> {
        self.products.get(product as usize).filter(|cadence| cadence.repeats > 0)
    }

    /// By how much the logarithm of a gap of this user is larger than at the shop's mean pace.
    pub fn by_pace(&self, state: &UserState) -> f32 {
        self.slope * (pace(state) - self.mean_pace)
    }

    /// Whether it belongs to a catalogue of `products` products.
    pub(crate) fn is_sound(&self, products: usize) -> bool {
        self.products.is_empty() || self.products.len() == products
    }
}

/// The line through the shop's gaps by users' pace.
struct Line {
    pace: f64,
    slope: f64,
}

/// First and second moments of a group of products.
struct Group {
    first: [f64; 2],
    steady: [f64; 2],
    /// Probabilities to be bought again within each range of orders.
    chances: [f64; 7],
}

impl Group {
    /// A month, and no chance to buy anything again.
    const UNKNOWN: Self = Self {
        first: [3.4, 3.4 * 3.4 + FIRST_VARIANCE],
        steady: [0.0, STEADY_VARIANCE],
        chances: [0.0; 7],
    };

    fn cadence(&self) -> Cadence {
        let variance = |[mean, square]: [f64; 2]| (square - mean * mean).max(LEAST_VARIANCE) as f32;
        Cadence {
            repeats: 0,
            mean: self.first[0] as f32,
            variance: variance(self.first),
            steady_mean: self.steady[0] as f32,
            steady_variance: variance(self.steady),
            // Kaplan and Meier (JASA 1958): users who have not come back yet are no evidence that
            // they never will.
            again: (1.0 - self.chances.iter().map(|chance| 1.0 - chance).product::<f64>()) as f32,
        }
    }
}

impl Line {
    /// The moments of a group, shrunk to those of a wider one.
    fn group(&self, gaps: &Gaps, wider: &Group) -> Group {
        let Self { pace, slope } = *self;
        let count = f64::from(gaps.first.count);
        let (gap, of_pace) = (number(gaps.first.sum, 1), number(gaps.pace.sum, 1));
        // Σ r and Σ r² of the residuals r = gap - slope · (pace - mean pace).
        let sum = gap - slope * (of_pace - count * pace);
        let squares = number(gaps.first.squares, 2)
            - 2.0 * slope * (number(gaps.both, 2) - pace * gap)
            + slope
                * slope
                * (number(gaps.pace.squares, 2) - 2.0 * pace * of_pace + count * pace * pace);
        let steady = &gaps.steady;
        let shrunk = |sum: f64, count: f64, wider: f64| (sum + PRIOR * wider) / (count + PRIOR);
        let steadies = f64::from(steady.count);
        Group {
            first: [shrunk(sum, count, wider.first[0]), shrunk(squares, count, wider.first[1])],
            steady: [
                shrunk(number(steady.sum, 1), steadies, wider.steady[0]),
                shrunk(number(steady.squares, 2), steadies, wider.steady[1]),
            ],
            chances: std::array::from_fn(|at| {
                let chance = gaps.chances[at];
                shrunk(f64::from(chance.taken), f64::from(chance.users), wider.chances[at])
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::{Context, Event, Line as OrderLine, Order};

    /// Counts the gaps of a user who buys product 0 at each of these days, and nothing else.
    fn count(gaps: &mut Gaps, days: &[f32]) {
        let mut state = UserState::default();
        for (number, &gap) in (1..).zip(days) {
            let context = Context { days_since_prior: Some(gap), ..Context::default() };
            let lines = vec![OrderLine { product: 0, position: 1, reordered: None }];
            let order = Order { number, context, lines };
            if let Some(own) = state.product(0) {
                gaps.count(&state, own, &order, true);
            }
            state.apply(Event::Order(&order));
        }
    }

    #[test]
    fn a_product_with_many_gaps_has_its_own_cadence_and_one_with_few_that_of_its_aisle() {
        let mut gaps = vec![Gaps::default(); 3];
        for user in 0..500 {
            let odd = if user % 2 == 0 { 6.0 } else { 8.0 };
            count(&mut gaps[0], &[0.0, odd, 7.0, 7.0, odd, 7.0]);
        }
        count(&mut gaps[1], &[0.0, 7.0]);
        let cadences = Cadences::finish(&gaps, &[0, 0, 1]);
        let milk = cadences.get(0).unwrap();
        assert!((milk.mean.exp() - 7.0).abs() < 0.5, "{milk:?}");
        assert!(milk.steady_variance < milk.variance + 0.1, "{milk:?}");
        assert_eq!(milk.repeats, 500);
        let tea = cadences.get(1).unwrap();
        assert!((tea.mean - milk.mean).abs() < 0.1, "{tea:?}");
        assert_eq!(cadences.get(2), None, "nobody has bought it twice");
        assert_eq!(cadences.get(9), None);
    }

    #[test]
    fn the_order_of_merging_does_not_matter() {
        let (mut a, mut b) = (Gaps::default(), Gaps::default());
        count(&mut a, &[0.0, 3.3, 9.1, 4.7, 5.2, 6.9, 30.0]);
        count(&mut b, &[0.0, 17.7, 0.0]);
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.merge(&b);
        ba.merge(&a);
        assert_eq!(ab, ba);
        assert_eq!((ab.first.count, ab.steady.count), (2, 3));
    }

    #[test]
    fn long_pauses_that_the_days_leave_out_count() {
        let day = 86_400_000_i64;
        let mut state = UserState::default();
        for (number, at) in [(1, 0), (2, 60), (3, 120)] {
            let context = Context {
                days_since_prior: (number > 1).then_some(30.0),
                at_ms: Some(at * day),
                ..Context::default()
            };
            let lines = vec![OrderLine { product: 0, position: 1, reordered: None }];
            state.apply(Event::Order(&Order { number, context, lines }));
        }
        assert_eq!((state.days, state.stretch()), (60.0, 2.0));
        assert_eq!(state.mean_gap(state.product(0).unwrap()), Some(60.0));
    }
}
