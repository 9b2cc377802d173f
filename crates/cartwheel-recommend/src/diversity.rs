//! Lists that are not more of the same.

use cartwheel_features::{Catalogue, UserState};
use serde::{Deserialize, Serialize};

use crate::proportions::{Counts, Proportions, department};
use crate::similarity::Similarities;

/// Products that are rearranged, the first ones: a bound on the work.
const REARRANGED: usize = 100;

/// How far lists depart from their ranking. At 0, the default, a dial changes nothing; at 1, the
/// ranking only decides between products that are equal to the dial.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Diversity {
    /// How much the departments of a list are in the proportions in which the shopper has bought
    /// from them (Steck, "Calibrated Recommendations", RecSys 2018), 0 to 1. Without effect for a
    /// shopper without purchases.
    #[serde(default)]
    pub calibration: f32,
    /// How much a product has to be unlike those before it, by what the shop says and by what is
    /// bought together (maximal marginal relevance: Carbonell and Goldstein, SIGIR 1998), 0 to 1.
    #[serde(default)]
    pub variety: f32,
}

impl Diversity {
    /// The order of the ranking.
    pub const NONE: Self = Self { calibration: 0.0, variety: 0.0 };

    /// Whether both dials are numbers from 0 to 1.
    pub fn is_valid(self) -> bool {
        (0.0..=1.0).contains(&self.calibration) && (0.0..=1.0).contains(&self.variety)
    }

    /// Rearranges the first 100 products of a ranking for a list of `limit` products. `of` gives the
    /// product and the probability of an entry. The list is
    /// chosen product by product: with the dials *c* and *v*, the next one has the largest
    /// (1 - *c*) · (1 - *v*) · *s* - *c* · *d* - *v* · *m*. Here *s* is the probability at its place
    /// of the ranking as a share of the largest, *d* the distance from the shopper's
    /// [`Proportions`], and *m* the largest [`similarity`](crate::similarity) to a product before it. The
    /// others follow in their order.
    ///
    /// It takes the time of `limit` passes over 100 products.
    pub fn rearrange<T>(
        self,
        catalogue: &Catalogue,
        state: &UserState,
        ranked: Vec<T>,
        limit: usize,
        of: impl Fn(&T) -> (u32, f32),
    ) -> Vec<T> {
        let proportions = match self.calibration > 0.0 {
            true => Proportions::of(catalogue, state),
            false => Proportions::default(),
        };
        let calibration = if proportions.is_empty() { 0.0 } else { self.calibration };
        if calibration <= 0.0 && self.variety <= 0.0 {
            return ranked;
        }
        let first: Vec<(u32, f32)> = ranked.iter().take(REARRANGED).map(of).collect();
        let dials = Dials { calibration, variety: self.variety };
        let order = dials.order(catalogue, &proportions, &first, limit);
        let mut entries: Vec<Option<T>> = ranked.into_iter().map(Some).collect();
        let order = order.into_iter().chain(first.len()..entries.len());
        order.filter_map(|place| entries[place].take()).collect()
    }
}

/// The dials that have an effect.
struct Dials {
    calibration: f32,
    variety: f32,
}

impl Dials {
    /// The places of a ranking in the new order.
    fn order(
        &self,
        catalogue: &Catalogue,
        proportions: &Proportions,
        ranked: &[(u32, f32)],
        limit: usize,
    ) -> Vec<usize> {
        let products: Vec<u32> = ranked.iter().map(|(product, _)| *product).collect();
        let departments: Vec<Option<usize>> =
            products.iter().map(|&product| department(catalogue, product)).collect();
        let similarities = (self.variety > 0.0).then(|| Similarities::of(catalogue, &products));
        let relevance = relevance(ranked);
        let (c, v) = (f64::from(self.calibration), f64::from(self.variety));
        let mut counts = Counts::of(proportions);
        let mut nearest = vec![0.0_f32; products.len()];
        let mut left: Vec<usize> = (0..products.len()).collect();
        let mut order = Vec::with_capacity(products.len());
        while order.len() < limit && !left.is_empty() {
            let length = order.len() + 1;
            // The same for all of them, but of the scale of the other terms.
            let distance = counts.distance(length);
            let value = |place: usize| {
                let distance = distance + counts.change(departments[place], length);
                (1.0 - c) * (1.0 - v) * relevance[place]
                    - c * distance
                    - v * f64::from(nearest[place])
            };
            let mut best = (0, value(left[0]));
            for (at, &place) in left.iter().enumerate().skip(1) {
                let value = value(place);
                // Of equal ones, the first of the ranking.
                if value > best.1 {
                    best = (at, value);
                }
            }
            let place = left.remove(best.0);
            counts.add(departments[place]);
            for &(other, score) in similarities.iter().flat_map(|all| all.with(place)) {
                nearest[other] = nearest[other].max(score);
            }
            order.push(place);
        }
        order.extend(left);
        order
    }
}

/// The probability at each place as a share of the largest. A ranking that is in another order than
/// that of the probabilities keeps its order.
fn relevance(ranked: &[(u32, f32)]) -> Vec<f64> {
    let mut falling: Vec<f64> = ranked.iter().map(|(_, p)| f64::from(p.max(0.0))).collect();
    falling.sort_by(|a, b| b.total_cmp(a));
    let largest = falling.first().copied().filter(|largest| *largest > 0.0).unwrap_or(1.0);
    falling.into_iter().map(|probability| probability / largest).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cartwheel_features::{Contents, Event, Line, Order, Partial, ProductInfo, SampleSizes};

    use super::*;
    use crate::metrics::intra_list_distance;
    use crate::similarity;

    fn order(number: u32, products: &[u32]) -> Order {
        let line = |&product| Line { product, position: 1, reordered: None };
        let lines = products.iter().map(line).collect();
        Order { number, lines, ..Order::default() }
    }

    /// Products 0 to 7 are teas of two kinds, 8 to 11 milk. The user has bought three teas and one milk.
    /// The pair 0 and 8 is always bought together.
    fn shop() -> (Catalogue, UserState) {
        let mut partial = Partial::new(12, SampleSizes { baskets: 100, shoppers: 10, visits: 0 });
        for shopper in 0..8 {
            partial.order(&UserState::default(), &order(1, &[0, 8]), shopper);
            partial.order(&UserState::default(), &order(1, &[shopper as u32]), 20 + shopper);
        }
        let mut user = UserState::default();
        user.apply(Event::Order(&order(1, &[0, 1, 2, 8])));
        let info = |p: u32| ProductInfo {
            product_id: p.to_string(),
            name: match p {
                0..4 => format!("green leaf {p}"),
                4..8 => format!("black dust {p}"),
                _ => format!("whole milk {p}"),
            },
            aisle: if p < 8 { "teas" } else { "milks" }.to_owned(),
            department: if p < 8 { "Tea" } else { "Milk" }.to_owned(),
            ..ProductInfo::default()
        };
        let infos: Vec<ProductInfo> = (0..12).map(info).collect();
        let contents = Arc::new(Contents::of(&infos));
        (Catalogue::finish(infos, partial).with_contents(&contents), user)
    }

    /// The products 0 to 11 as they are ranked, rearranged.
    fn rearranged(dials: (f32, f32), state: &UserState, limit: usize) -> Vec<u32> {
        let (catalogue, _) = shop();
        let ranked = (0..12).map(|product| (product, 0.5 * 0.9_f32.powi(product as i32)));
        let diversity = Diversity { calibration: dials.0, variety: dials.1 };
        assert!(diversity.is_valid());
        let list = diversity.rearrange(&catalogue, state, ranked.collect(), limit, |entry| *entry);
        list.into_iter().map(|(product, _)| product).collect()
    }

    #[test]
    fn at_zero_a_ranking_stays_and_no_product_is_lost() {
        let (_, user) = shop();
        assert_eq!(rearranged((0.0, 0.0), &user, 10), (0..12).collect::<Vec<_>>());
        for dials in [(0.5, 0.0), (0.0, 0.5), (1.0, 1.0), (0.3, 0.8)] {
            for limit in [0, 1, 5, 12, 50] {
                let mut all = rearranged(dials, &user, limit);
                assert_eq!(all, rearranged(dials, &user, limit));
                assert!(all[limit.min(12)..].is_sorted(), "the others keep their order: {all:?}");
                all.sort_unstable();
                assert_eq!(all, (0..12).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn departments_come_to_the_proportions_of_the_history() {
        let (catalogue, user) = shop();
        let milks = |list: &[u32]| list.iter().filter(|p| **p >= 8).count();
        let calibrated = rearranged((1.0, 0.0), &user, 8);
        assert_eq!(milks(&calibrated[..8]), 2, "a quarter of the purchases: {calibrated:?}");
        assert!(calibrated[..8].contains(&8) && calibrated[..8].contains(&9), "the best ones");
        let proportions = Proportions::of(&catalogue, &user);
        let distance = |c: f32| {
            proportions.distance(&catalogue, &rearranged((c, 0.0), &user, 8)[..8]).unwrap()
        };
        let distances = [0.0, 0.2, 0.6, 1.0].map(distance);
        assert!(distances.is_sorted_by(|a, b| a >= b), "{distances:?}");
        assert!(distances[0] > 0.5 && distances[3] < 0.001, "{distances:?}");
        let guest = UserState::default();
        assert_eq!(rearranged((1.0, 0.0), &guest, 8), (0..12).collect::<Vec<_>>());
        assert_eq!(Proportions::of(&catalogue, &guest).distance(&catalogue, &[1]), None);
    }

    #[test]
    fn similar_products_do_not_follow_one_another() {
        let (catalogue, user) = shop();
        let distance = |v: f32| {
            let list = rearranged((0.0, v), &user, 4);
            intra_list_distance(&list[..4], |a, b| similarity(&catalogue, a, b)).unwrap()
        };
        let distances = [0.0, 0.5, 1.0].map(distance);
        assert!(distances.is_sorted(), "{distances:?}");
        assert!(distances[2] > distances[0] + 0.2, "{distances:?}");
        let list = rearranged((0.0, 1.0), &user, 3);
        assert_eq!(list[0], 0, "the first has none before it");
        assert!(similarity(&catalogue, 0, 8) > 0.0, "bought together");
        assert!(similarity(&catalogue, 0, 1) > similarity(&catalogue, 0, 4), "of one kind");
        assert_eq!(similarity(&catalogue, 3, 3), 1.0);
        assert!(list.contains(&9), "the milk that is not bought with it: {list:?}");
    }

    #[test]
    fn dials_are_shares() {
        let valid = |calibration, variety| Diversity { calibration, variety }.is_valid();
        assert!(valid(0.0, 1.0) && !valid(1.1, 0.0) && !valid(0.0, -0.1) && !valid(f32::NAN, 0.0));
    }
}
