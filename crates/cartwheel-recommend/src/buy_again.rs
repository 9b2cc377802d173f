//! When a user buys a product again: a date, an interval, and whether the user still does.
//!
//! The logarithm of the gap to the next purchase is taken to be logistically distributed: such gaps have
//! a log-logistic distribution (Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data,
//! 2.2). After *n* gaps of a user and a product, whose mean has the logarithm *l*, its mean is
//!
//! > *z* · *l* + (1 - *z*) · (*m* + *d*)
//!
//! where *m* is the mean of the product's first gaps, moved to the user's pace of ordering. The
//! credibility *z*, the shift *d* and the variance are fitted to the shop's gaps after as many earlier
//! ones ([`Credibility`](cartwheel_features::Credibility)), and the variance is scaled by the product's.
//! So one purchase gives a wide interval, and ten a narrow one.
//!
//! Whether the user still buys the product follows Fader, Hardie and Lee (BG/NBD, Marketing Science
//! 2005): after each purchase a user may stop for good, with a probability that differs between users.
//! With a share *p* of the product's buyers who bought it again, the probability of another purchase
//! after *n* gaps is (2 *p* + *n*) / (2 + *n*), the mean of a beta distribution; the longer the user has
//! not come back, the less likely it is.

use std::cmp::Ordering;
use std::f64::consts::PI;

use cartwheel_features::{Catalogue, SHORTEST_GAP, UserState};

/// The probability that a next purchase lies within [`Due::earliest_ms`] and [`Due::latest_ms`].
pub const INTERVAL: f64 = 0.8;
/// Scales from the mean of a logistic variable to the ends of the interval: ln 9.
const TO_END: f64 = 2.197_224_6;
/// Gaps that a product's share of users who bought it again counts for.
const STRENGTH: f64 = 2.0;
/// Users who are less likely to buy a product again have abandoned it.
const ALIVE: f64 = 0.5;
const DAY_MS: f64 = 86_400_000.0;

/// When a user is expected to buy a product again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Due {
    /// Time of the last purchase, UTC milliseconds.
    last_ms: i64,
    /// The moment that is asked about, UTC milliseconds.
    now_ms: i64,
    /// Mean of the logarithm of the gap in days.
    mean: f64,
    /// The scale of its distribution: the standard deviation times √3 / π.
    scale: f64,
    /// Probability, right after the last purchase, that there is another one.
    again: f64,
}

impl Due {
    /// When the user buys a product again, as seen at `now_ms`. `None` for a product that the user
    /// has not bought, that nobody has bought twice, or if no time of an order is known.
    pub fn of(catalogue: &Catalogue, state: &UserState, product: u32, now_ms: i64) -> Option<Self> {
        let own = state.product(product)?;
        let cadence = catalogue.cadences.get(product)?;
        let days_before = f64::from(state.days_before_last_order(own));
        let last_ms = state.last_order_ms?.saturating_sub((days_before * DAY_MS) as i64);
        let usual = cadence.mean + catalogue.cadences.by_pace(state);
        let gaps = own.orders.saturating_sub(1);
        let (mean, variance) = match state.mean_gap(own) {
            None => (usual, cadence.variance),
            Some(gap) => {
                let of = catalogue.cadences.credibility(gaps);
                let mean = of.weight * gap.ln() + (1.0 - of.weight) * (usual + of.shift);
                (mean, cadence.variance * of.spread)
            }
        };
        let gaps = f64::from(gaps);
        Some(Self {
            last_ms,
            now_ms,
            mean: f64::from(mean),
            scale: f64::from(variance).sqrt() * 3_f64.sqrt() / PI,
            again: (STRENGTH * f64::from(cadence.again) + gaps) / (STRENGTH + gaps),
        })
    }

    /// The expected time of the next purchase, UTC milliseconds: as likely too early as too late. It
    /// lies in the past for a product that is overdue.
    pub fn at_ms(&self) -> i64 {
        self.after(self.mean)
    }

    /// The beginning of the interval around it, UTC milliseconds.
    pub fn earliest_ms(&self) -> i64 {
        self.after(self.mean - TO_END * self.scale)
    }

    /// The end of the interval, UTC milliseconds.
    pub fn latest_ms(&self) -> i64 {
        self.after(self.mean + TO_END * self.scale)
    }

    /// The time of the last purchase, UTC milliseconds.
    pub fn last_ms(&self) -> i64 {
        self.last_ms
    }

    /// The expected days from the last purchase to the next.
    pub fn gap_days(&self) -> f64 {
        self.mean.exp()
    }

    /// The probability that the user will still buy the product again.
    pub fn alive(&self) -> f64 {
        let open = self.again * self.open(self.now_ms);
        if open > 0.0 { open / (open + 1.0 - self.again) } else { 0.0 }
    }

    /// Whether the user has probably stopped buying it.
    pub fn is_abandoned(&self) -> bool {
        self.alive() < ALIVE
    }

    /// The probability that the next purchase falls between two times, UTC milliseconds. The past has
    /// no part in it.
    pub fn between(&self, from_ms: i64, to_ms: i64) -> f64 {
        let now = self.open(self.now_ms);
        let (from, to) = (self.open(from_ms.max(self.now_ms)), self.open(to_ms.max(self.now_ms)));
        if now > 0.0 { self.alive() * (from - to).max(0.0) / now } else { 0.0 }
    }

    /// The probability that the gap has not ended before a time, if it ends.
    fn open(&self, ms: i64) -> f64 {
        let days = ms.saturating_sub(self.last_ms) as f64 / DAY_MS;
        match days < f64::from(SHORTEST_GAP) {
            true => 1.0,
            false => 1.0 / (1.0 + ((days.ln() - self.mean) / self.scale).exp()),
        }
    }

    fn after(&self, logarithm: f64) -> i64 {
        // Beyond a thousand years a date means nothing.
        let days = logarithm.exp().min(365_000.0);
        self.last_ms.saturating_add((days * DAY_MS) as i64)
    }
}

/// The order of a list of what to buy again: the longest overdue first. Products that the user has
/// probably abandoned (more likely not bought again) follow the others, the
/// likeliest first: a date long past is then no reason to show them.
pub fn by_due_date(a: &Due, b: &Due) -> Ordering {
    let (alive_a, alive_b) = (a.alive(), b.alive());
    match (alive_a >= ALIVE, alive_b >= ALIVE) {
        (true, true) => a.at_ms().cmp(&b.at_ms()),
        (false, false) => alive_b.total_cmp(&alive_a),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use cartwheel_features::{Context, Event, Line, Order, Partial, ProductInfo, SampleSizes};

    use super::*;

    const DAY: i64 = 86_400_000;

    fn order(number: u32, gap: i64, day: i64, products: &[u32]) -> Order {
        let line = |&product| Line { product, position: 1, reordered: None };
        let context = Context {
            days_since_prior: Some(gap as f32),
            at_ms: Some(day * DAY),
            ..Context::default()
        };
        Order { number, context, lines: products.iter().map(line).collect() }
    }

    /// The state of a user who buys product 0 and something else after each of these gaps in days.
    fn buyer(gaps: &[i64]) -> UserState {
        let (mut state, mut day) = (UserState::default(), 0);
        for (number, gap) in (1..).zip(gaps) {
            day += gap;
            state.apply(Event::Order(&order(number, *gap, day, &[0])));
        }
        state
    }

    /// A catalogue of three products: 0 is bought every 4 to 24 days, by each user at a steady
    /// pace; 1 once by everybody, 2 never.
    fn catalogue() -> Catalogue {
        let mut partial = Partial::new(3, SampleSizes::default());
        for user in 0..200_u64 {
            let (mut state, mut day) = (UserState::default(), 0);
            for number in 1..=12 {
                let gap = (4 + user % 19 + (user + u64::from(number) * 5) % 3) as i64;
                day += gap;
                let products = if number == 1 { &[0, 1][..] } else { &[0] };
                let order = order(number, gap, day, products);
                partial.order(&state, &order, user);
                state.apply(Event::Order(&order));
            }
        }
        let info = |id: u32| ProductInfo { product_id: id.to_string(), ..ProductInfo::default() };
        Catalogue::finish((0..3).map(info).collect(), partial)
    }

    fn width(due: &Due) -> i64 {
        due.latest_ms() - due.earliest_ms()
    }

    #[test]
    fn one_purchase_gives_a_wide_interval_and_ten_a_narrow_one_around_the_users_own_gap() {
        let catalogue = catalogue();
        let once = buyer(&[0]);
        let due = Due::of(&catalogue, &once, 0, DAY).unwrap();
        assert!((6 * DAY..20 * DAY).contains(&due.at_ms()), "{due:?}");
        let often = buyer(&[0, 20, 20, 20, 20, 20, 20, 20, 20, 20]);
        let regular = Due::of(&catalogue, &often, 0, 181 * DAY).unwrap();
        assert!((197 * DAY..203 * DAY).contains(&regular.at_ms()), "{regular:?}");
        let relative = |due: &Due| width(due) as f64 / due.gap_days();
        assert!(relative(&regular) < relative(&due), "{due:?} {regular:?}");
        assert!(due.earliest_ms() < due.at_ms() && due.at_ms() < due.latest_ms());
        let mean = due.between(due.earliest_ms(), due.latest_ms()) / due.alive();
        assert!((mean - INTERVAL).abs() < 0.01, "{mean}");
    }

    #[test]
    fn what_nobody_buys_twice_has_no_date() {
        let catalogue = catalogue();
        let mut state = buyer(&[0]);
        state.apply(Event::Order(&order(2, 3, 3, &[1])));
        assert_eq!(Due::of(&catalogue, &state, 1, 4 * DAY), None);
        assert_eq!(Due::of(&catalogue, &state, 2, 4 * DAY), None, "never bought");
        assert_eq!(Due::of(&Catalogue::default(), &state, 0, 4 * DAY), None);
        let undated = UserState { last_order_ms: None, ..state };
        assert_eq!(Due::of(&catalogue, &undated, 0, 4 * DAY), None);
    }

    #[test]
    fn the_probability_to_come_back_falls_with_time() {
        let (catalogue, state) = (catalogue(), buyer(&[0, 7, 7, 7]));
        let at = |day: i64| Due::of(&catalogue, &state, 0, day * DAY).unwrap();
        let alive: Vec<f64> = [21, 28, 35, 70, 300].iter().map(|&day| at(day).alive()).collect();
        assert!(alive.windows(2).all(|pair| pair[0] >= pair[1]), "{alive:?}");
        assert!(alive[0] > 0.9 && alive[4] < 0.1, "{alive:?}");
        let due = at(24);
        let days = (0..200).map(|day| due.between((24 + day) * DAY, (25 + day) * DAY));
        let sum: f64 = days.sum();
        assert!((sum - due.alive()).abs() < 1e-3, "{sum} {}", due.alive());
        assert_eq!(due.between(0, 24 * DAY), 0.0, "the past");
    }

    #[test]
    fn the_longest_overdue_comes_first_unless_it_is_abandoned() {
        let catalogue = catalogue();
        let due = |day: i64, last: i64| Due {
            last_ms: last * DAY,
            ..Due::of(&catalogue, &buyer(&[0, 7, 7]), 0, day * DAY).unwrap()
        };
        let (overdue, later, gone, long_gone) =
            (due(100, 92), due(100, 99), due(100, 40), due(100, 10));
        assert!(gone.alive() < ALIVE && overdue.alive() > ALIVE);
        let mut list = [long_gone, later, gone, overdue];
        list.sort_by(by_due_date);
        assert_eq!(list, [overdue, later, gone, long_gone]);
    }
}
