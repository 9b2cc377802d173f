//! Which products the same customers buy, whenever they buy them: two item-item models over
//! reference shoppers. They find products that a customer has not bought yet.
//!
//! - *Companions*: the cosine of the products' buyers (item-kNN), dampened for few buyers.
//! - *Attractions*: a linear model that predicts each product of a shopper from all the others,
//!   with ridge regularisation (EASE: Steck, WWW 2019). Where several products tell the same, it
//!   counts them once, and so popular products attract little.

use std::cmp::Reverse;

use rayon::prelude::*;

use crate::inverse::Square;
use crate::lists::Lists;
use crate::neighbour::{Neighbour, by_value};
use crate::parameters::{Parameter, Parameters};
use crate::scratch_row::{SIDE_BY_SIDE, ScratchRow};
use crate::shopper::Shopper;

/// Maximum number of companions and of attractions kept per product, the strongest.
pub const MAX_AFFINITIES: usize = 100;
/// Fewest common buyers of companions: of one, it would be what a single customer happens to buy.
const MIN_COMMON: f32 = 2.0;
/// Weight of the regularisation of attractions, in customers of the shop.
const RIDGE: f32 = 200.0;
/// Fewest of the shop's customers who bought a product for it to attract.
const MIN_BUYERS: f32 = 5.0;
/// Maximum number of products that attract, those with the most buyers: inverting their matrix
/// takes 64 MB and a few seconds.
const MAX_ATTRACTING: usize = 4_000;

/// Products that the same customers buy, by catalogue index; both lists are empty for catalogues
/// of releases that did not have them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Affinities {
    /// By product: those whose buyers are most like its own, best first; scores 0 to 1.
    pub companions: Lists<Neighbour>,
    /// By product: those that having bought it speaks for most, given everything else that a customer
    /// has bought; best first. The scores of a customer's products add up.
    pub attractions: Lists<Neighbour>,
}

impl Affinities {
    /// Computes both models for `products` products. `users_scale` is the number of the shop's
    /// users per user counted.
    pub(crate) fn of(
        products: usize,
        shoppers: &[&Shopper],
        users_scale: f32,
        parameters: &Parameters,
    ) -> Self {
        Buyers::new(products, shoppers).affinities(users_scale, parameters)
    }

    /// The companions of a product.
    pub fn companions(&self, product: u32) -> &[Neighbour] {
        self.companions.of(product)
    }

    /// The attractions of a product.
    pub fn attractions(&self, product: u32) -> &[Neighbour] {
        self.attractions.of(product)
    }
}

/// What each shopper has bought, and who has bought each product.
struct Buyers {
    shoppers: Lists<u32>,
    /// By product: its buyers.
    of: Lists<u32>,
}

impl Buyers {
    fn new(products: usize, shoppers: &[&Shopper]) -> Self {
        let bought: Vec<Vec<u32>> = shoppers.par_iter().map(|shopper| shopper.bought()).collect();
        let mut shoppers = Lists::default();
        bought.iter().for_each(|bought| shoppers.push(bought));
        Self { of: shoppers.inverted(products), shoppers }
    }

    /// Number of buyers of a product.
    fn count(&self, product: u32) -> f32 {
        self.of.get(product as usize).len() as f32
    }

    /// Counts for each product how many buyers of `product` have bought it too.
    fn count_together(&self, product: u32, counts: &mut ScratchRow) {
        for &buyer in self.of.get(product as usize) {
            self.shoppers.get(buyer as usize).iter().for_each(|&other| counts.add(other, 1.0));
        }
    }

    /// Calls `each` with every product that the buyers of a product have bought, itself among them,
    /// and with how many of them have. Returns each companion with the buyers of both and the mean of
    /// the buyers of each.
    fn common(
        &self,
        product: u32,
        counts: &mut ScratchRow,
        mut each: impl FnMut(u32, f32),
    ) -> Vec<(u32, f32, f32)> {
        self.count_together(product, counts);
        let common = counts.drain().inspect(|&(other, both)| each(other, both));
        let common = common.filter(|&(other, both)| other != product && both >= MIN_COMMON);
        let either = |other: u32| (self.count(product) * self.count(other)).sqrt();
        common.map(|(other, both)| (other, both, either(other))).collect()
    }

    /// Both models. What buyers have in common is counted once for the two.
    fn affinities(&self, users_scale: f32, parameters: &Parameters) -> Affinities {
        let products = self.of.len();
        let enough = |&product: &u32| self.count(product) * users_scale >= MIN_BUYERS;
        let mut attracting: Vec<u32> = (0..products as u32).filter(enough).collect();
        attracting.sort_by_key(|&p| (Reverse(self.of.get(p as usize).len()), p));
        attracting.truncate(MAX_ATTRACTING);
        let mut places = vec![usize::MAX; products];
        for (place, &product) in attracting.iter().enumerate() {
            places[product as usize] = place;
        }
        let others: Vec<u32> =
            (0..products as u32).filter(|&p| places[p as usize] == usize::MAX).collect();

        let shrink = shrink(users_scale, parameters[Parameter::CompanionShrink]);
        let scratch = || ScratchRow::new(products);
        let mut matrix = Square::zero(attracting.len());
        let rows = matrix.par_rows_mut().zip(&attracting).enumerate().with_min_len(SIDE_BY_SIDE);
        let fill = |counts: &mut ScratchRow, (at, (row, &product)): (usize, (&mut [f32], &u32))| {
            let common = self.common(product, counts, |other, both| {
                if let Some(cell) = row.get_mut(places[other as usize]) {
                    *cell = both;
                }
            });
            row[at] += RIDGE / users_scale;
            strongest(&common, shrink)
        };
        let of_attracting: Vec<Vec<Neighbour>> = rows.map_init(scratch, fill).collect();
        let of = |counts: &mut ScratchRow, &product: &u32| {
            strongest(&self.common(product, counts, |_, _| ()), shrink)
        };
        let rest = others.par_iter().with_min_len(SIDE_BY_SIDE);
        let of_others: Vec<Vec<Neighbour>> = rest.map_init(scratch, of).collect();
        let mut companions = vec![Vec::new(); products];
        let found = attracting.iter().zip(of_attracting).chain(others.iter().zip(of_others));
        found.for_each(|(&product, found)| companions[product as usize] = found);

        matrix.invert();
        let diagonal: Vec<f32> = (0..attracting.len()).map(|at| matrix.row(at)[at]).collect();
        let of = |place: usize| {
            let own = attracting[place];
            let cells = matrix.row(place).iter().zip(&diagonal).zip(&attracting);
            let weights =
                cells.map(|((cell, own), &product)| Neighbour { product, score: -cell / own });
            let positive = weights.filter(|w| w.product != own && w.score > 0.0);
            Neighbour::best(positive.collect(), MAX_AFFINITIES)
        };
        let found: Vec<Vec<Neighbour>> = (0..attracting.len()).into_par_iter().map(of).collect();
        let mut attractions = vec![Vec::new(); products];
        let found = attracting.iter().zip(found);
        found.for_each(|(&product, found)| attractions[product as usize] = found);
        let [companions, attractions] =
            [companions, attractions].map(|lists| lists.into_iter().collect());
        Affinities { companions, attractions }
    }
}

/// The companions of each product by several values of [`Parameter::CompanionShrink`], from the same
/// shoppers as [`Affinities::of`].
pub(crate) fn companions(
    products: usize,
    shoppers: &[&Shopper],
    users_scale: f32,
    shrinks: &[f64],
) -> Vec<Lists<Neighbour>> {
    let buyers = Buyers::new(products, shoppers);
    let of = |counts: &mut ScratchRow, product: u32| {
        let common = buyers.common(product, counts, |_, _| ());
        shrinks.iter().map(|&value| strongest(&common, shrink(users_scale, value))).collect()
    };
    let each = (0..products as u32).into_par_iter().with_min_len(SIDE_BY_SIDE);
    by_value(shrinks.len(), each.map_init(|| ScratchRow::new(products), of).collect())
}

/// The strongest of a product's companions, by what [`Buyers::common`] tells of them.
fn strongest(common: &[(u32, f32, f32)], shrink: f32) -> Vec<Neighbour> {
    let companion = |&(product, both, either): &(u32, f32, f32)| Neighbour {
        product,
        score: both / (either + shrink),
    };
    Neighbour::best(common.iter().map(companion).collect(), MAX_AFFINITIES)
}

/// What is added to the buyers of a pair of products, in shoppers counted, for a number of customers.
fn shrink(users_scale: f32, customers: f64) -> f32 {
    customers as f32 / users_scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::{Line, Order};

    fn order(number: u32, products: &[u32]) -> Order {
        let line = |&product| Line { product, position: 1, reordered: None };
        Order { number, lines: products.iter().map(line).collect(), ..Order::default() }
    }

    #[test]
    fn affinities_find_products_of_the_same_customers() {
        // Camp 0 buys three products in a row of 0 to 4, as on a ring, camp 1 of 5 to 9, each in
        // orders of their own; everybody buys 10.
        let mut shoppers = Vec::new();
        for user in 0..400_u64 {
            let of = |n: u64| ((user % 2) * 5 + (user / 2 + n) % 5) as u32;
            let orders = [[of(0), 10], [of(1), 10], [of(2), 10]];
            let orders: Vec<_> =
                orders.iter().zip(1..).map(|(basket, number)| order(number, basket)).collect();
            shoppers.push(Shopper::new(Vec::new(), orders.iter()));
        }
        let shoppers: Vec<&Shopper> = shoppers.iter().collect();
        let affinities = Affinities::of(12, &shoppers, 1.0, &Parameters::default());
        let attracted: Vec<u32> = affinities.attractions(0).iter().map(|n| n.product).collect();
        assert!([1, 4].iter().all(|beside| attracted.contains(beside)), "{attracted:?}");
        assert!(!(5..10).any(|other| attracted.contains(&other)), "{attracted:?}");
        let score = |list: &[Neighbour], product| {
            list.iter().find(|n| n.product == product).map_or(0.0, |n| n.score)
        };
        let (companion, attraction) = (affinities.companions(10), affinities.attractions(10));
        assert!(score(companion, 0) > 0.4, "everybody buys 10: buyers of 0, too");
        assert!(score(attraction, 0) < 0.2, "and so it says little about 0");
        assert!(affinities.companions(11).is_empty() && affinities.attractions(11).is_empty());
    }
}
