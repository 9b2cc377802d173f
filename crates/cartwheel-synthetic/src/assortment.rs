//! The products on offer at a time: prices, reductions, stock, and when they came.
//!
//! Everything follows from the seed and from the time before the end of the history, so that the
//! same shop that ends on another day differs in its times alone.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::catalogue::Catalogue;
use crate::words::{BRANDS, PRICES, SIZES};

/// A day, in milliseconds.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// When the shop opened, in days before the end; earlier than any order.
const OPENED: i64 = 6_000;
/// Newcomers came in this many days before the end, more of them later.
const NEWCOMERS: f64 = 110.0;
/// Probability that a product's stock is known, and runs out from time to time.
const SCARCE: f64 = 0.16;
/// Probability that a product's price is reduced from time to time.
const REDUCED: f64 = 0.5;
/// Factors of the price by size, as in [`SIZES`].
const SIZE_FACTORS: [f64; SIZES.len()] = [1.0, 1.8, 0.7, 1.4, 1.7, 2.2, 0.4, 0.6, 0.8, 2.6];

/// A state that returns at equal intervals.
#[derive(Clone, Copy)]
struct Cycle {
    period_ms: i64,
    /// How long the state lasts each time.
    length_ms: i64,
    phase_ms: i64,
}

impl Cycle {
    /// Draws periods and lengths in days.
    fn draw(rng: &mut ChaCha8Rng, period: [i64; 2], length: [i64; 2]) -> Self {
        let period_ms = rng.random_range(period[0] * DAY_MS..period[1] * DAY_MS);
        let length_ms = rng.random_range(length[0] * DAY_MS..length[1] * DAY_MS);
        Self { period_ms, length_ms, phase_ms: rng.random_range(0..period_ms) }
    }

    /// Whether the state holds so long before the end.
    fn holds(self, before_ms: i64) -> bool {
        (before_ms + self.phase_ms).rem_euclid(self.period_ms) < self.length_ms
    }

    /// How long after the end the state comes next; negative if it holds then.
    fn next_ms(self) -> i64 {
        self.phase_ms - self.length_ms
    }
}

/// What the shop offers of one product.
struct Offer {
    brand: &'static str,
    /// Cents without a reduction.
    list_price: u32,
    /// The reduction in percent.
    percent: u32,
    reductions: Option<Cycle>,
    outages: Option<Cycle>,
    /// Pieces sold in a day.
    daily: i64,
    /// When the product came, in milliseconds before the end.
    came_ms: i64,
}

/// The offers of all products until the end of the history.
pub(crate) struct Assortment {
    end_ms: i64,
    offers: Vec<Offer>,
}

impl Assortment {
    /// The offers of a catalogue whose history ends at `end_ms`, UTC milliseconds.
    pub(crate) fn new(catalogue: &Catalogue, seed: u64, end_ms: i64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x000f_fe25);
        let offers = catalogue.products.iter().map(|product| {
            let (least, most) = PRICES
                .iter()
                .find(|(department, ..)| *department == catalogue.department(product))
                .map_or((100.0, 500.0), |&(_, least, most)| (f64::from(least), f64::from(most)));
            let cents = least * (most / least).powf(rng.random::<f64>());
            let cents = cents * SIZE_FACTORS[product.size % SIZE_FACTORS.len()];
            let mut cycle = |share: f64, period, length| {
                rng.random_bool(share).then(|| Cycle::draw(&mut rng, period, length))
            };
            let outages = cycle(SCARCE, [12, 40], [1, 6]);
            let reductions = cycle(REDUCED, [28, 60], [4, 9]);
            let came_days = if product.since > 0.0 {
                NEWCOMERS * ((0.9 - f64::from(product.since)) / 0.6).powi(2)
            } else {
                OPENED as f64
            };
            Offer {
                brand: BRANDS.choose(&mut rng).copied().unwrap_or_default(),
                list_price: marked(cents),
                percent: rng.random_range(2..8) * 5,
                reductions,
                outages,
                daily: rng.random_range(1..9),
                came_ms: (came_days * DAY_MS as f64) as i64,
            }
        });
        Self { end_ms, offers: offers.collect() }
    }

    /// The end of the history, UTC milliseconds.
    pub(crate) fn end_ms(&self) -> i64 {
        self.end_ms
    }

    fn offer(&self, product: u32) -> &Offer {
        &self.offers[product as usize]
    }

    /// The product's brand.
    pub(crate) fn brand(&self, product: u32) -> &'static str {
        self.offer(product).brand
    }

    /// The price without a reduction, in cents.
    pub(crate) fn list_price(&self, product: u32) -> u32 {
        self.offer(product).list_price
    }

    /// The price at a time, in cents.
    pub(crate) fn price(&self, product: u32, at_ms: i64) -> u32 {
        let offer = self.offer(product);
        let before_ms = self.end_ms - at_ms;
        match offer.reductions {
            Some(reductions) if reductions.holds(before_ms) => {
                marked(f64::from(offer.list_price * (100 - offer.percent)) / 100.0)
            }
            _ => offer.list_price,
        }
    }

    /// When the product came into the shop, UTC milliseconds.
    pub(crate) fn came_ms(&self, product: u32) -> i64 {
        self.end_ms - self.offer(product).came_ms
    }

    /// Whether the shop had the product in its range at a time, in stock or not.
    pub(crate) fn is_listed(&self, product: u32, at_ms: i64) -> bool {
        self.came_ms(product) <= at_ms
    }

    /// Whether the product could be bought at a time.
    pub(crate) fn is_on_offer(&self, product: u32, at_ms: i64) -> bool {
        let is_out = |outages: Cycle| outages.holds(self.end_ms - at_ms);
        self.is_listed(product, at_ms) && !self.offer(product).outages.is_some_and(is_out)
    }

    /// Pieces in stock at the end; `None` if the product never runs out.
    pub(crate) fn stock(&self, product: u32) -> Option<i64> {
        let offer = self.offer(product);
        let outages = offer.outages?;
        if outages.holds(0) {
            return Some(0);
        }
        Some(1 + outages.next_ms().max(0) * offer.daily / DAY_MS)
    }
}

/// A price as shops mark it: with a nine at the end, in cents.
fn marked(cents: f64) -> u32 {
    (cents / 10.0) as u32 * 10 + 9
}

/// An amount in cents as decimal text.
pub(crate) fn decimal(cents: u32) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
