//! The order history of one shopper.

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

/// The orders of one shopper, and what the visits between them follow from.
pub(crate) struct History {
    /// The shopper's number, from 0.
    pub user: u32,
    /// In order of time.
    pub orders: Vec<Order>,
    /// Whether the newest order is marked `test` in the Instacart schema.
    pub is_test: bool,
    /// By aisle, the probability that a proposed product is taken.
    pub tastes: Vec<f64>,
    /// Usual days between orders.
    pub mean_gap: f64,
}

/// An order.
pub(crate) struct Order {
    /// Days since the first order.
    pub day: u32,
    /// Day of the week; 0 is Sunday.
    pub dow: u8,
    /// Hour of the day.
    pub hour: u8,
    /// Days since the order before; `None` for the first order.
    pub gap: Option<u32>,
    /// The products, in the order in which they were added.
    pub basket: Vec<Pick>,
}

/// A product of a basket.
#[derive(Clone, Copy)]
pub(crate) struct Pick {
    pub product: u32,
    pub origin: Origin,
}

/// Why a product is in a basket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The shopper buys it regularly.
    Staple,
    /// The shopper found it in the shop.
    Found,
    /// It goes with another product of the basket.
    Companion,
}

pub(crate) struct Shopper<'a> {
    catalogue: &'a Catalogue,
    rng: ChaCha8Rng,
    user: u32,
    /// By aisle, the probability that a drawn product is taken.
    tastes: Vec<f64>,
    staples: Vec<Staple>,
    mean_basket: f64,
    mean_gap: f64,
    favourite_day: u8,
    favourite_hour: f64,
    is_test: bool,
}

/// The random numbers of a user for one purpose.
pub(crate) fn rng(seed: u64, user: u32, purpose: u64) -> ChaCha8Rng {
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
            mean_basket: (normal(&mut rng) * 0.55 + 2.05).exp().clamp(1.5, 35.0),
            mean_gap: (normal(&mut rng) * 0.55 + 2.1).exp().clamp(2.0, 28.0),
            favourite_day: rng.random_range(0..7),
            favourite_hour: 13.5 + normal(&mut rng) * 3.0,
            is_test: rng.random_bool(0.2),
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

    /// Generates the whole history.
    pub(crate) fn history(mut self, count: u64) -> History {
        let mut orders = Vec::new();
        let mut day = 0.0_f64;
        let start = self.rng.random_range(0..7_u32);
        for number in 1..=count {
            let gap = self.gap(number, start, day);
            day += f64::from(gap.unwrap_or(0));
            let dow = ((start + day as u32) % 7) as u8;
            let hour = self.hour(dow);
            let progress = (number - 1) as f32 / count as f32;
            let basket = self.basket(day, progress, dow == 0 || dow == 6);
            orders.push(Order { day: day as u32, dow, hour, gap, basket });
        }
        let Self { user, is_test, tastes, mean_gap, .. } = self;
        History { user, orders, is_test, tastes, mean_gap }
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
    fn basket(&mut self, day: f64, progress: f32, weekend: bool) -> Vec<Pick> {
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
        let mut basket: Vec<Pick> = Vec::new();
        let is_in = |basket: &[Pick], product| basket.iter().any(|pick| pick.product == product);
        for &(_, at) in due.iter().take(room) {
            self.staples[at].last_day = day;
            basket.push(Pick { product: self.staples[at].product, origin: Origin::Staple });
        }
        for _ in 0..self.round(target * CURIOSITY) {
            let product = self.find(progress, weekend);
            if !is_in(&basket, product) {
                basket.push(Pick { product, origin: Origin::Found });
                if self.rng.random_bool(ADOPTION) {
                    self.adopt(product, day);
                }
            }
        }
        for at in 0..basket.len() {
            let companions = &self.catalogue.products[basket[at].product as usize].companions;
            if let (Some(&companion), true) = (companions.first(), self.rng.random_bool(COMPANY)) {
                let other = companions.get(1).copied().unwrap_or(companion);
                let companion = if self.rng.random_bool(0.7) { companion } else { other };
                if !is_in(&basket, companion) {
                    basket.push(Pick { product: companion, origin: Origin::Companion });
                }
            }
        }
        if basket.is_empty() {
            let product = self.find(progress, weekend);
            basket.push(Pick { product, origin: Origin::Found });
        }
        let rng = &mut self.rng;
        self.staples.retain(|_| !rng.random_bool(DRIFT));
        basket
    }
}
