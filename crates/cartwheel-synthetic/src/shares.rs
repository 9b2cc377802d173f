//! How many orders each user makes.

use crate::shopper::appetite;
use crate::spec::{MIN_ORDERS, ShopSpec};

/// Users whose weights are summed up at once.
const CHUNK: u32 = 1024;

/// Splits the orders among users with a long tail; their sum is exact.
pub(crate) struct Shares {
    seed: u64,
    spare: u64,
    /// Sum of the weights before each chunk of users; per user it would take too much memory.
    before: Vec<f64>,
    sum: f64,
}

impl Shares {
    pub(crate) fn new(spec: &ShopSpec) -> Self {
        let spare = spec.orders - u64::from(spec.users) * MIN_ORDERS;
        let mut shares = Self { seed: spec.seed, spare, before: Vec::new(), sum: 0.0 };
        for user in 0..spec.users {
            if user.is_multiple_of(CHUNK) {
                shares.before.push(shares.sum);
            }
            shares.sum += appetite(spec.seed, user);
        }
        shares
    }

    /// Returns the weight of all users before `user`.
    fn until(&self, user: u32) -> f64 {
        let chunk = user / CHUNK;
        let start = self.before.get(chunk as usize).copied().unwrap_or(self.sum);
        (chunk * CHUNK..user).fold(start, |sum, u| sum + appetite(self.seed, u))
    }

    /// Returns the number of orders of `user`.
    pub(crate) fn orders(&self, user: u32) -> u64 {
        let place = |weight: f64| (self.spare as f64 * (weight / self.sum)).floor() as u64;
        let (from, own) = (self.until(user), appetite(self.seed, user));
        let to = if user.is_multiple_of(CHUNK) { from + own } else { self.until(user) + own };
        let last = to >= self.sum * (1.0 - 1e-12);
        let end = if last { self.spare } else { place(to) };
        MIN_ORDERS + end.saturating_sub(place(from))
    }
}
