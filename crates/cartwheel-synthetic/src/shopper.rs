//! The order history of one shopper.

use std::fmt::Write;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::catalogue::{Catalogue, normal};

/// Fraction of a basket's target size reserved for new products.
const CURIOSITY: f64 = 0.35;
/// Probability that a new product becomes a staple.
const ADOPTION: f64 = 0.27;
/// Probability that a product in the basket brings a companion.
const COMPANY: f64 = 0.10;
/// Probability per order that a staple is given up.
const DRIFT: f64 = 0.008;

/// A product that the shopper buys regularly.
struct Staple {
    product: u32,
    /// Days between purchases.
    cycle: f64,
    last_day: f64,
    /// How much the shopper likes it, 0 to 1.
    loyalty: f64,
}

/// The rows of one shopper's history.
pub(crate) struct History {
    /// Rows of orders.csv.
    pub orders: String,
    /// Rows of order_products.csv.
    pub lines: String,
    /// Number of rows in `lines`.
    pub line_count: u64,
}

pub(crate) struct Shopper<'a> {
    catalogue: &'a Catalogue,
    rng: ChaCha8Rng,
    user: u32,
    /// By aisle, the probability that a drawn product is taken.
    tastes: Vec<f64>,
    staples: Vec<Staple>,
    bought: Vec<u32>,
    mean_basket: f64,
    mean_gap: f64,
    favourite_day: u8,
    favourite_hour: f64,
    test: bool,
}

fn rng(seed: u64, user: u32, purpose: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose);
    rng.set_stream(u64::from(user));
    rng
}

/// Returns a user's weight for the number of orders; long-tailed.
pub(crate) fn appetite(seed: u64, user: u32) -> f64 {
    (normal(&mut rng(seed, user, 1)) * 1.05).exp().min(6.0)
}

impl<'a> Shopper<'a> {
    pub(crate) fn new(seed: u64, user: u32, catalogue: &'a Catalogue) -> Self {
        let mut rng = rng(seed, user, 2);
        // A shopper likes about a third of the aisles and rarely buys from the others.
        let taste = |rng: &mut ChaCha8Rng| {
            if rng.random_bool(0.3) { (normal(rng) * 0.8 - 0.7).exp().min(1.0) } else { 0.02 }
        };
        let tastes: Vec<f64> = catalogue.aisles.iter().map(|_| taste(&mut rng)).collect();
        let mut shopper = Self {
            catalogue,
            user,
            tastes,
            staples: Vec::new(),
            bought: Vec::new(),
            mean_basket: (normal(&mut rng) * 0.55 + 2.05).exp().clamp(1.5, 35.0),
            mean_gap: (normal(&mut rng) * 0.55 + 2.1).exp().clamp(2.0, 28.0),
            favourite_day: rng.random_range(0..7),
            favourite_hour: 13.5 + normal(&mut rng) * 3.0,
            test: rng.random_bool(0.2),
            rng,
        };
        let count = (shopper.mean_basket * 1.6) as usize + 2;
        for _ in 0..count {
            let product = shopper.find(0.0, false);
            shopper.adopt(product, -30.0);
        }
        shopper
    }

    /// Draws a product to this shopper's taste.
    fn find(&mut self, progress: f32, weekend: bool) -> u32 {
        for _ in 0..60 {
            let found = self.catalogue.draw(&mut self.rng);
            let product = &self.catalogue.products[found as usize];
            let season = if product.weekend && !weekend { 0.4 } else { 1.0 };
            let taken = self.rng.random::<f64>() < self.tastes[product.aisle] * season;
            if taken && product.since <= progress {
                return found;
            }
        }
        self.catalogue.draw(&mut self.rng)
    }

    fn adopt(&mut self, product: u32, day: f64) {
        if self.staples.iter().any(|s| s.product == product) {
            return;
        }
        let cycle = self.mean_gap * (normal(&mut self.rng) * 0.6 + 0.45).exp();
        let loyalty = 0.22 + 0.62 * self.rng.random::<f64>();
        self.staples.push(Staple { product, cycle, last_day: day, loyalty });
    }

    /// Generates the whole history. Order ids start at `first_order`.
    pub(crate) fn history(mut self, first_order: u64, orders: u64) -> History {
        let (mut order_rows, mut line_rows, mut line_count) = (String::new(), String::new(), 0);
        let mut day = 0.0_f64;
        let start = self.rng.random_range(0..7_u32);
        for number in 1..=orders {
            let gap = self.gap(number, start, day);
            day += f64::from(gap.unwrap_or(0));
            let dow = ((start + day as u32) % 7) as u8;
            let hour = self.hour(dow);
            let set = match (number == orders, self.test) {
                (true, true) => "test",
                (true, false) => "train",
                _ => "prior",
            };
            let order_id = first_order + number - 1;
            let gap = gap.map_or(String::new(), |g| format!("{}.0", g.min(30)));
            // Writing to a string cannot fail.
            let _ = writeln!(
                order_rows,
                "{order_id},{},{set},{number},{dow},{hour},{gap}",
                self.user + 1
            );
            let progress = (number - 1) as f32 / orders as f32;
            for (at, product) in self.basket(day, progress, dow == 0 || dow == 6).iter().enumerate()
            {
                let found = self.bought.binary_search(product);
                if let Err(place) = found {
                    self.bought.insert(place, *product);
                }
                let flag = u8::from(found.is_ok());
                let _ = writeln!(line_rows, "{order_id},{},{},{flag}", product + 1, at + 1);
                line_count += 1;
            }
        }
        History { orders: order_rows, lines: line_rows, line_count }
    }

    /// Draws the days until the next order, biased towards the favourite day of the week.
    fn gap(&mut self, number: u64, start: u32, day: f64) -> Option<u32> {
        if number == 1 {
            return None;
        }
        let mut gap =
            (self.mean_gap * (normal(&mut self.rng) * 0.55).exp()).round().min(60.0) as u32;
        if self.rng.random_bool(0.5) {
            let now = (start + day as u32 + gap) % 7;
            let to = (u32::from(self.favourite_day) + 7 - now) % 7;
            gap = if to <= 3 { gap + to } else { gap.saturating_sub(7 - to) };
        }
        Some(gap)
    }

    /// Rounds up with the probability of the fractional part, else down.
    fn round(&mut self, x: f64) -> usize {
        x as usize + usize::from(self.rng.random_bool(x.fract()))
    }

    fn hour(&mut self, dow: u8) -> u8 {
        let late = if dow == 0 || dow == 6 { 0.8 } else { 0.0 };
        (self.favourite_hour + late + normal(&mut self.rng) * 2.6).round().clamp(0.0, 23.0) as u8
    }

    /// Draws the basket of a day, staples first.
    fn basket(&mut self, day: f64, progress: f32, weekend: bool) -> Vec<u32> {
        let target =
            (self.mean_basket * (normal(&mut self.rng) * 0.6 - 0.1).exp()).round().max(1.0);
        let mut due: Vec<(f64, usize)> = Vec::new();
        for (at, staple) in self.staples.iter().enumerate() {
            // A staple is due after one cycle, and is occasionally bought early.
            let elapsed = (day - staple.last_day) / staple.cycle;
            let urge = staple.loyalty / (1.0 + (-3.0 * (elapsed - 0.9)).exp());
            if self.rng.random::<f64>() < urge {
                due.push((urge + self.rng.random::<f64>() * 0.4, at));
            }
        }
        due.sort_by(|a, b| b.0.total_cmp(&a.0));
        let room = self.round(target * (1.0 - CURIOSITY));
        let mut basket: Vec<u32> = Vec::new();
        for &(_, at) in due.iter().take(room) {
            self.staples[at].last_day = day;
            basket.push(self.staples[at].product);
        }
        for _ in 0..self.round(target * CURIOSITY) {
            let product = self.find(progress, weekend);
            if !basket.contains(&product) {
                basket.push(product);
                if self.rng.random_bool(ADOPTION) {
                    self.adopt(product, day);
                }
            }
        }
        for at in 0..basket.len() {
            let companions = &self.catalogue.products[basket[at] as usize].companions;
            if let (Some(&companion), true) = (companions.first(), self.rng.random_bool(COMPANY)) {
                let other = companions.get(1).copied().unwrap_or(companion);
                let companion = if self.rng.random_bool(0.7) { companion } else { other };
                if !basket.contains(&companion) {
                    basket.push(companion);
                }
            }
        }
        if basket.is_empty() {
            basket.push(self.find(progress, weekend));
        }
        let rng = &mut self.rng;
        self.staples.retain(|_| !rng.random_bool(DRIFT));
        basket
    }
}
