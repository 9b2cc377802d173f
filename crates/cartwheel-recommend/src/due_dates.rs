//! How well the dates of next purchases hold, judged by purchases that were held out.

use cartwheel_features::UserState;
use serde::{Deserialize, Serialize};

use crate::buy_again::Due;
use crate::metrics::{Mean, Score, mean};
use crate::slices::Judged;

const DAY_MS: f64 = 86_400_000.0;
/// Number of earlier purchases of a product from which on each slice begins.
const SLICES: [u32; 4] = [1, 2, 4, 10];

/// Dates at which users were expected to buy products again, against those at which they did: over
/// the products of held-out orders that the user had bought before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DueDates {
    /// The probability for which the intervals are made.
    pub interval: f64,
    /// The share of purchases within their intervals.
    pub within: Mean,
    /// All of these purchases.
    pub all: DueSlice,
    /// The same by the number of earlier purchases of the product.
    pub slices: Vec<DueSlice>,
    /// The products that the user had bought at least twice, for which there are simpler dates.
    pub repeated: DueSlice,
    /// Their median error in days if the mean of the user's gaps repeats.
    pub mean_gap_error_days: f64,
    /// Their median error in days if the user's last gap repeats: as many orders as there were between
    /// the last two purchases, at the user's mean pace.
    pub last_gap_error_days: f64,
}

/// Some of the purchases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DueSlice {
    /// Least number of earlier purchases of the product.
    pub from: u32,
    /// The number of purchases that are predicted.
    pub purchases: u64,
    /// The share of them within their intervals.
    pub within: f64,
    /// The median distance of the expected from the true date, in days.
    pub error_days: f64,
    /// The median width of the interval, in days.
    pub width_days: f64,
}

/// One purchase that was expected.
struct Purchase {
    user: u32,
    earlier: u32,
    is_within: bool,
    error: f64,
    width: f64,
    /// Errors if the mean gap and if the last one repeats.
    simple: Option<[f64; 2]>,
}

/// Judges the dates by held-out orders. `None` if no order contains a product with a date.
pub fn due_dates(judged: &[Judged<'_>]) -> Option<DueDates> {
    let purchases: Vec<Purchase> = judged.iter().flat_map(purchases).collect();
    if purchases.is_empty() {
        return None;
    }
    let score = |purchase: &Purchase| Score {
        user: purchase.user,
        value: f64::from(u8::from(purchase.is_within)),
    };
    let before = |next: Option<&u32>| next.copied().unwrap_or(u32::MAX);
    let of = |from: u32, to: u32| -> Vec<&Purchase> {
        purchases.iter().filter(|p| (from..to).contains(&p.earlier)).collect()
    };
    let slices = SLICES
        .iter()
        .zip(1..)
        .map(|(&from, next)| slice(from, &of(from, before(SLICES.get(next)))));
    let simple = |which: usize| {
        median(purchases.iter().filter_map(|purchase| Some(purchase.simple?[which])).collect())
    };
    Some(DueDates {
        interval: crate::buy_again::INTERVAL,
        within: mean(&purchases.iter().map(score).collect::<Vec<_>>()),
        all: slice(1, &of(1, u32::MAX)),
        slices: slices.filter(|slice| slice.purchases > 0).collect(),
        repeated: slice(2, &of(2, u32::MAX)),
        mean_gap_error_days: simple(0),
        last_gap_error_days: simple(1),
    })
}

fn slice(from: u32, purchases: &[&Purchase]) -> DueSlice {
    let within = purchases.iter().filter(|purchase| purchase.is_within).count();
    DueSlice {
        from,
        purchases: purchases.len() as u64,
        within: within as f64 / purchases.len().max(1) as f64,
        error_days: median(purchases.iter().map(|purchase| purchase.error).collect()),
        width_days: median(purchases.iter().map(|purchase| purchase.width).collect()),
    }
}

/// The median; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// The purchases of an order that were expected.
fn purchases(judged: &Judged<'_>) -> Vec<Purchase> {
    let Judged { market, user, example } = judged;
    let Some(at_ms) = example.context.at_ms else { return Vec::new() };
    let state = &example.state;
    let purchase = |&product: &u32| {
        let own = state.product(product)?;
        let due = Due::of(market.catalogue(), state, product, at_ms)?;
        let days = |ms: i64| ms as f64 / DAY_MS;
        let true_gap = days(at_ms.saturating_sub(due.last_ms()));
        let error = |gap: f64| (gap - true_gap).abs();
        let simple = || {
            let orders = own.last.saturating_sub(own.previous) as f32;
            let last = (own.previous > 0).then(|| orders * mean_pause(state))?;
            Some([error(f64::from(state.mean_gap(own)?)), error(f64::from(last))])
        };
        Some(Purchase {
            user: *user,
            earlier: own.orders,
            is_within: (due.earliest_ms()..=due.latest_ms()).contains(&at_ms),
            error: error(due.gap_days()),
            width: days(due.latest_ms() - due.earliest_ms()),
            simple: simple(),
        })
    };
    example.basket.iter().filter_map(purchase).collect()
}

/// The mean days between a user's orders.
fn mean_pause(state: &UserState) -> f32 {
    state.days * state.stretch() / (state.applied.max(2) - 1) as f32
}

#[cfg(test)]
mod tests {
    use cartwheel_features::{
        Catalogue, Context, Event, Example, Line, Order, Partial, ProductInfo, SampleSizes,
    };

    use super::*;
    use crate::slices::Market;

    const DAY: i64 = 86_400_000;

    /// Users who buy product 0 at gaps around a pace of their own, and their next orders.
    fn shop(users: u64) -> (Catalogue, Vec<Example>) {
        let mut partial = Partial::new(1, SampleSizes::default());
        let mut examples = Vec::new();
        for user in 0..users {
            let (mut state, mut day) = (UserState::default(), 0);
            // A stand-in for chance: multiples of an irrational number.
            let noise = |n: u64| ((user * 37 + n) as f64 * 0.618_034).fract();
            let pace = 5.0 + 25.0 * noise(0);
            let orders = 2 + user % 12;
            for number in 1..=orders {
                let gap = (pace * (0.6 + 0.8 * noise(number))).round() as i64;
                day += gap;
                let context = Context {
                    days_since_prior: (number > 1).then_some(gap as f32),
                    at_ms: Some(day * DAY),
                    ..Context::default()
                };
                let lines = vec![Line { product: 0, position: 1, reordered: None }];
                let order = Order { number: number as u32, context, lines };
                if number == orders {
                    examples.push(Example {
                        user_id: user.to_string(),
                        order_number: number as u32,
                        state: state.clone(),
                        context,
                        cart: None,
                        basket: vec![0, 7],
                    });
                } else {
                    partial.order(&state, &order, user);
                    state.apply(Event::Order(&order));
                }
            }
        }
        (Catalogue::finish(vec![ProductInfo::default()], partial), examples)
    }

    #[test]
    fn four_of_five_purchases_lie_within_their_intervals() {
        let (catalogue, examples) = shop(2_000);
        let market = Market::new(&catalogue);
        let judged = |example| Judged { market: &market, user: 0, example };
        let judged: Vec<Judged<'_>> = examples.iter().map(judged).collect();
        let dates = due_dates(&judged).unwrap();
        assert_eq!(dates.all.purchases, 2_000);
        assert!((dates.within.mean - dates.interval).abs() < 0.1, "{dates:?}");
        let (few, many) = (&dates.slices[0], &dates.slices[dates.slices.len() - 1]);
        assert_eq!((few.from, many.from), (1, 10));
        assert!(many.width_days < 0.8 * few.width_days, "{dates:?}");
        assert!(dates.repeated.error_days <= dates.last_gap_error_days, "{dates:?}");
        assert_eq!(due_dates(&judged[..0]), None);
    }
}
