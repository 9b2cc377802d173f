//! Which products the same customers buy, whenever they buy them: two item-item models over
//! reference shoppers. They find products that a customer has not bought yet.
//!
//! - *Companions*: the cosine of the products' buyers (item-kNN), dampened for few buyers.
//! - *Attractions*: a linear model that predicts each product of a shopper from all the others,
//!   with ridge regularisation (EASE: Steck, WWW 2019). Where several products tell the same, it
//!   counts them once, and so popular products attract little.

use serde::{Deserialize, Serialize};

use crate::inverse::Square;
use crate::neighbour::Neighbour;
use crate::parameters::{Parameter, Parameters};
use crate::scratch_row::ScratchRow;
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
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Affinities {
    companions: Vec<Vec<Neighbour>>,
    attractions: Vec<Vec<Neighbour>>,
}

impl Affinities {
    /// Computes both models for `products` products. `users_scale` is the number of the shop's
    /// users per user counted.
    pub(crate) fn of(
        products: usize,
        shoppers: &[Shopper],
        users_scale: f32,
        parameters: &Parameters,
    ) -> Self {
        let buyers = Buyers::new(products, shoppers);
        Self {
            companions: buyers.companions(users_scale, parameters),
            attractions: buyers.attractions(users_scale),
        }
    }

    /// Computes the companions again, from the same shoppers.
    pub(crate) fn relate(
        &mut self,
        products: usize,
        shoppers: &[Shopper],
        users_scale: f32,
        parameters: &Parameters,
    ) {
        self.companions = Buyers::new(products, shoppers).companions(users_scale, parameters);
    }

    /// The products whose buyers are most like those of a product, best first; scores 0 to 1.
    pub fn companions(&self, product: u32) -> &[Neighbour] {
        self.companions.get(product as usize).map_or(&[], Vec::as_slice)
    }

    /// The products that having bought a product speaks for most, given everything else that a
    /// customer has bought; best first. The scores of a customer's products add up.
    pub fn attractions(&self, product: u32) -> &[Neighbour] {
        self.attractions.get(product as usize).map_or(&[], Vec::as_slice)
    }

    /// Every product that is in a list.
    pub(crate) fn mentioned(&self) -> impl Iterator<Item = u32> + '_ {
        let lists = self.companions.iter().chain(&self.attractions);
        lists.flatten().map(|neighbour| neighbour.product)
    }
}

/// What each shopper has bought, and who has bought each product.
struct Buyers {
    shoppers: Vec<Vec<u32>>,
    /// By product: its buyers.
    of: Vec<Vec<u32>>,
}

impl Buyers {
    fn new(products: usize, shoppers: &[Shopper]) -> Self {
        let shoppers: Vec<Vec<u32>> = shoppers.iter().map(Shopper::bought).collect();
        let mut of = vec![Vec::new(); products];
        for (shopper, bought) in (0_u32..).zip(&shoppers) {
            bought.iter().for_each(|&product| of[product as usize].push(shopper));
        }
        Self { shoppers, of }
    }

    /// Counts for each product how many buyers of `product` have bought it too.
    fn count_together(&self, product: usize, counts: &mut ScratchRow) {
        for &buyer in &self.of[product] {
            self.shoppers[buyer as usize].iter().for_each(|&other| counts.add(other, 1.0));
        }
    }

    fn companions(&self, users_scale: f32, parameters: &Parameters) -> Vec<Vec<Neighbour>> {
        let shrink = parameters[Parameter::CompanionShrink] as f32 / users_scale;
        let mut counts = ScratchRow::new(self.of.len());
        let buyers = |product: usize| self.of[product].len() as f32;
        let of = |product: usize| {
            self.count_together(product, &mut counts);
            let common = counts.drain();
            let common =
                common.filter(|&(other, both)| other as usize != product && both >= MIN_COMMON);
            let companion = |(other, both): (u32, f32)| {
                let either = (buyers(product) * buyers(other as usize)).sqrt();
                Neighbour { product: other, score: both / (either + shrink) }
            };
            Neighbour::best(common.map(companion).collect(), MAX_AFFINITIES)
        };
        (0..self.of.len()).map(of).collect()
    }

    fn attractions(&self, users_scale: f32) -> Vec<Vec<Neighbour>> {
        let enough =
            |&product: &u32| self.of[product as usize].len() as f32 * users_scale >= MIN_BUYERS;
        let mut attracting: Vec<u32> = (0..self.of.len() as u32).filter(enough).collect();
        attracting.sort_by_key(|&p| (std::cmp::Reverse(self.of[p as usize].len()), p));
        attracting.truncate(MAX_ATTRACTING);
        let mut places = vec![usize::MAX; self.of.len()];
        for (place, &product) in attracting.iter().enumerate() {
            places[product as usize] = place;
        }
        let mut matrix = Square::zero(attracting.len());
        let mut counts = ScratchRow::new(self.of.len());
        for (place, &product) in attracting.iter().enumerate() {
            let row = matrix.row_mut(place);
            self.count_together(product as usize, &mut counts);
            for (other, both) in counts.drain() {
                if let Some(cell) = row.get_mut(places[other as usize]) {
                    *cell = both;
                }
            }
            row[place] += RIDGE / users_scale;
        }
        matrix.invert();
        let diagonal: Vec<f32> = (0..attracting.len()).map(|at| matrix.row(at)[at]).collect();
        let mut all = vec![Vec::new(); self.of.len()];
        for (place, &product) in attracting.iter().enumerate() {
            let cells = matrix.row(place).iter().zip(&diagonal).zip(&attracting);
            let weights =
                cells.map(|((cell, own), &product)| Neighbour { product, score: -cell / own });
            let positive = weights.filter(|w| w.product != product && w.score > 0.0);
            all[product as usize] = Neighbour::best(positive.collect(), MAX_AFFINITIES);
        }
        all
    }
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
