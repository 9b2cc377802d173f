//! How soon products are bought again, finished from the counts of gaps.

use serde::{Deserialize, Serialize};

use crate::gaps::{GAP_RANGES, Gaps, Pairs, Repeats, number, pace, range_of};
use crate::user::UserState;

/// Gaps of a wider group of products that count as much as a product's own.
const PRIOR: f64 = 20.0;
/// Smallest variance of a logarithm: a tenth of the gap. Gaps of a few users may be all the same.
const LEAST_VARIANCE: f64 = 0.01;
/// The logarithm of a gap, and its variance, in a shop in which nobody has bought anything twice.
const UNKNOWN: [f64; 2] = [3.4, 1.0];
/// How much more a user's gaps vary than the means of users do, in a shop with few of them.
const UNKNOWN_RATIO: f64 = 4.0;
/// Share of the variance of first gaps that later ones have, in a shop with few of them.
const UNKNOWN_SPREAD: f64 = 0.8;
/// Largest weight of a user's own gaps.
const MOST_WEIGHT: f64 = 0.95;

/// How soon a product is bought again. All figures are of natural logarithms of days.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Cadence {
    /// Users who bought it at least twice.
    pub repeats: u32,
    /// Mean of the gap between a user's first two purchases, at the mean pace of the shop's users.
    pub mean: f32,
    /// Variance of such a gap.
    pub variance: f32,
    /// Share of the users who have bought it that have bought it again.
    pub again: f32,
}

/// How much a user's earlier gaps tell of the next one.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Credibility {
    /// Weight of the mean of the user's gaps; that of the product has the rest.
    pub weight: f32,
    /// What is added to the product's mean: who buys a product often comes back sooner.
    pub shift: f32,
    /// Variance of the next gap, relative to that of a first gap.
    pub spread: f32,
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
    /// By the range of the number of earlier gaps.
    credibilities: [Credibility; GAP_RANGES],
}

impl Cadences {
    /// Finishes the counts of all products; `sold` has the aisle of each and its buyers. A product that few have
    /// bought twice is taken to be like its aisle, and an aisle like the shop: the mean of a
    /// group's logarithms is (sum + n · wider mean) / (count + n) with n = 20, as in empirical Bayes
    /// estimates (Efron and Morris, JASA 1975).
    pub(crate) fn finish(gaps: &[Gaps], repeats: &Repeats, sold: &[(u32, u32)]) -> Self {
        let mut shop = (Gaps::default(), 0);
        let mut of_aisle: Vec<(Gaps, u32)> = Vec::new();
        for (gaps, &(aisle, buyers)) in gaps.iter().zip(sold) {
            let aisle = aisle as usize;
            if aisle >= of_aisle.len() {
                of_aisle.resize(aisle + 1, (Gaps::default(), 0));
            }
            for (group, of) in [&mut of_aisle[aisle], &mut shop] {
                group.merge(gaps);
                *of += buyers;
            }
        }
        let paced = Moments::of(&shop.0.first);
        // A user's pace explains at most all of a gap. With few gaps it explains little.
        let spread = paced.spread_x + PRIOR / paced.count.max(1.0);
        let line = Line { pace: paced.x, slope: (paced.together / spread).clamp(0.0, 1.0) };
        let shop = line.group(&shop.0, shop.1, &Group::UNKNOWN);
        let of_aisle: Vec<Group> =
            of_aisle.iter().map(|(gaps, buyers)| line.group(gaps, *buyers, &shop)).collect();
        let product = |(gaps, &(aisle, buyers)): (&Gaps, &(u32, u32))| {
            let group = line.group(gaps, buyers, &of_aisle[aisle as usize]);
            Cadence {
                repeats: gaps.first.count,
                mean: group.moments[0] as f32,
                variance: group.variance() as f32,
                again: group.again as f32,
            }
        };
        let first = [shop.moments[0], shop.variance()];
        Self {
            products: gaps.iter().zip(sold).map(product).collect(),
            mean_pace: line.pace as f32,
            slope: line.slope as f32,
            credibilities: std::array::from_fn(|range| {
                credibility(range, &repeats.0[range], first)
            }),
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

    /// How much a number of earlier gaps, at least 1, tells of the next one.
    pub fn credibility(&self, gaps: u32) -> Credibility {
        self.credibilities[range_of(gaps)]
    }

    /// Whether it belongs to a catalogue of `products` products.
    pub(crate) fn is_sound(&self, products: usize) -> bool {
        self.products.is_empty() || self.products.len() == products
    }
}

/// Fits the line of least squares from users' mean gaps to their next ones. `first` are mean and
/// variance of first gaps. The line's slope is the weight that credibility theory gives to one
/// customer's experience (Bühlmann, ASTIN Bulletin 1967), as the shop's customers show it.
fn credibility(range: usize, pairs: &Pairs, first: [f64; 2]) -> Credibility {
    let of = Moments::of(pairs);
    let usual = (range as f64 + 1.0) / (range as f64 + 1.0 + UNKNOWN_RATIO);
    let shrunk = |mean: f64, usual: f64| (of.count * mean + PRIOR * usual) / (of.count + PRIOR);
    let spread_x = if of.spread_x > 0.0 { of.spread_x } else { 1.0 };
    let weight = shrunk(of.together / spread_x, usual).clamp(0.0, MOST_WEIGHT);
    let point = shrunk((of.y - weight * of.x) / (1.0 - weight), first[0]);
    let left = of.spread_y - 2.0 * weight * of.together + weight * weight * of.spread_x;
    let variance = shrunk(left, UNKNOWN_SPREAD * first[1]).max(LEAST_VARIANCE);
    Credibility {
        weight: weight as f32,
        shift: (point - first[0]) as f32,
        spread: (variance / first[1]) as f32,
    }
}

/// Means, variances and covariance of pairs.
struct Moments {
    count: f64,
    x: f64,
    y: f64,
    spread_x: f64,
    spread_y: f64,
    together: f64,
}

impl Moments {
    fn of(pairs: &Pairs) -> Self {
        let count = f64::from(pairs.count);
        let mean = |sum: i64, power: i32| number(sum, power) / count.max(1.0);
        let (x, y) = (mean(pairs.x, 1), mean(pairs.y, 1));
        Self {
            count,
            x,
            y,
            spread_x: mean(pairs.xx, 2) - x * x,
            spread_y: mean(pairs.yy, 2) - y * y,
            together: mean(pairs.xy, 2) - x * y,
        }
    }
}

/// The line through the shop's first gaps by users' pace.
struct Line {
    pace: f64,
    slope: f64,
}

/// The first gaps of a group of products.
struct Group {
    /// First and second moment, at the mean pace.
    moments: [f64; 2],
    /// Share of buyers who bought again.
    again: f64,
}

impl Group {
    /// About a month, and no chance to buy anything again.
    const UNKNOWN: Self =
        Self { moments: [UNKNOWN[0], UNKNOWN[0] * UNKNOWN[0] + UNKNOWN[1]], again: 0.0 };

    fn variance(&self) -> f64 {
        let [mean, square] = self.moments;
        (square - mean * mean).max(LEAST_VARIANCE)
    }
}

impl Line {
    /// The figures of a group, shrunk to those of a wider one.
    fn group(&self, gaps: &Gaps, buyers: u32, wider: &Group) -> Group {
        let Self { pace, slope } = *self;
        let Pairs { count, x, y, xx, xy, yy } = gaps.first;
        let count = f64::from(count);
        let (x, y) = (number(x, 1), number(y, 1));
        // Σ r and Σ r² of the residuals r = y - slope · (x - pace).
        let sum = y - slope * (x - count * pace);
        let of_pace = number(xx, 2) - 2.0 * pace * x + count * pace * pace;
        let squares =
            number(yy, 2) - 2.0 * slope * (number(xy, 2) - pace * y) + slope * slope * of_pace;
        let shrunk = |sum: f64, count: f64, wider: f64| (sum + PRIOR * wider) / (count + PRIOR);
        Group {
            moments: [
                shrunk(sum, count, wider.moments[0]),
                shrunk(squares, count, wider.moments[1]),
            ],
            again: shrunk(count, f64::from(buyers), wider.again),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holdout::stable_hash;
    use crate::user::{Context, Event, Line as OrderLine, Order};

    fn order(number: u32, gap: f32, at_ms: Option<i64>) -> Order {
        let lines = vec![OrderLine { product: 0, position: 1, reordered: None }];
        let days_since_prior = (number > 1).then_some(gap);
        Order { number, context: Context { days_since_prior, at_ms, ..Context::default() }, lines }
    }

    /// Counts the gaps of a user who buys product 0 at each of these days, and nothing else.
    fn count(gaps: &mut Gaps, repeats: &mut Repeats, days: &[f32]) {
        let mut state = UserState::default();
        for (number, &gap) in (1..).zip(days) {
            let order = order(number, gap, None);
            if let Some(own) = state.product(0) {
                gaps.count(repeats, &state, own, &order);
            }
            state.apply(Event::Order(&order));
        }
    }

    #[test]
    fn a_product_with_many_gaps_has_its_own_cadence_and_one_with_few_that_of_its_aisle() {
        let (mut gaps, mut repeats) = (vec![Gaps::default(); 3], Repeats::default());
        for user in 0..500 {
            let odd = if user % 2 == 0 { 6.0 } else { 8.0 };
            count(&mut gaps[0], &mut repeats, &[0.0, odd, 7.0, 7.0, odd, 7.0]);
        }
        count(&mut gaps[1], &mut repeats, &[0.0, 7.0]);
        let cadences = Cadences::finish(&gaps, &repeats, &[(0, 500), (0, 2), (1, 1)]);
        let milk = cadences.get(0).unwrap();
        assert!((milk.mean.exp() - 7.0).abs() < 0.5, "{milk:?}");
        assert!(milk.repeats == 500 && milk.again > 0.99, "{milk:?}");
        let tea = cadences.get(1).unwrap();
        assert!((tea.mean - milk.mean).abs() < 0.1, "{tea:?}");
        assert_eq!(cadences.get(2), None, "nobody has bought it twice");
        assert_eq!(cadences.get(9), None);
    }

    #[test]
    fn a_users_own_gaps_count_for_as_much_as_the_shops_users_are_steady() {
        let credibility = |steady: bool| {
            let (mut gaps, mut repeats) = (vec![Gaps::default()], Repeats::default());
            for user in 0..250_u8 {
                let own = 3.0 + f32::from(user % 20);
                let chance = |n: usize| 3.0 + (stable_hash(&[user, n as u8]) % 20) as f32;
                let gap = |n: usize| if steady { own } else { chance(n) };
                count(&mut gaps[0], &mut repeats, &std::array::from_fn::<f32, 6, _>(gap));
            }
            Cadences::finish(&gaps, &repeats, &[(0, 250)]).credibility(3)
        };
        let (steady, random) = (credibility(true), credibility(false));
        assert!(steady.weight > 0.8 && random.weight < 0.4, "{steady:?} {random:?}");
        assert!(steady.spread < 0.3 && random.spread > 0.5, "{steady:?} {random:?}");
    }

    #[test]
    fn the_order_of_merging_does_not_matter() {
        let (mut a, mut b, mut both) = (Gaps::default(), Gaps::default(), Repeats::default());
        count(&mut a, &mut both, &[0.0, 3.3, 9.1, 4.7, 5.2, 6.9, 30.0]);
        count(&mut b, &mut both, &[0.0, 17.7, 0.0]);
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.merge(&b);
        ba.merge(&a);
        assert_eq!(ab, ba);
        let counts: Vec<u32> = both.0.iter().map(|pairs| pairs.count).collect();
        assert_eq!((ab.first.count, counts), (2, vec![2, 1, 1, 2, 0, 0, 0]));
    }

    #[test]
    fn long_pauses_that_the_days_leave_out_count() {
        let mut state = UserState::default();
        for (number, day) in [(1, 0), (2, 60), (3, 120)] {
            state.apply(Event::Order(&order(number, 30.0, Some(day * 86_400_000))));
        }
        assert_eq!((state.days, state.stretch()), (60.0, 2.0));
        assert_eq!(state.mean_gap(state.product(0).unwrap()), Some(60.0));
    }
}
