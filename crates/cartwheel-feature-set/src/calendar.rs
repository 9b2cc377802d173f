//! The shop's local time.

use cartwheel_features::{Context, Line, Order, UserState};
use jiff::{Timestamp, tz::TimeZone};

/// Gaps between orders are capped, as the Instacart schema does.
const MAX_GAP_DAYS: i64 = 30;

/// Turns UTC milliseconds into the shop's local days and hours.
#[derive(Debug, Clone)]
pub struct Calendar(TimeZone);

impl Calendar {
    /// The calendar of an IANA zone such as `Europe/Berlin`.
    ///
    /// # Errors
    /// When no such zone is known.
    pub fn new(zone: &str) -> Result<Self, jiff::Error> {
        TimeZone::get(zone).map(Self)
    }

    /// Days since 1970 in local time, weekday (0 = Sunday) and hour.
    fn local(&self, ms: i64) -> (i64, u8, u8) {
        let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let local = self.0.to_datetime(time);
        let epoch = jiff::civil::date(1970, 1, 1);
        let days = local.date().duration_since(epoch).as_hours() / 24;
        let weekday = local.date().weekday().to_sunday_zero_offset();
        (days, weekday.unsigned_abs(), local.hour().unsigned_abs())
    }

    /// The context of an order placed at `ms` by a user of that state.
    pub fn context(&self, state: &UserState, ms: i64) -> Context {
        let (day, dow, hour) = self.local(ms);
        let days_since_prior = state
            .last_order_ms
            .map(|last| (day - self.local(last).0).clamp(0, MAX_GAP_DAYS) as f32);
        Context { dow: Some(dow), hour: Some(hour), days_since_prior }
    }

    /// A checkout as the user's next order: products by catalogue index, in order
    /// of adding.
    pub fn order(&self, state: &UserState, ms: i64, products: &[u32]) -> Order {
        let lines = products.iter().enumerate();
        let lines =
            lines.map(|(at, &product)| Line { product, position: at as u32 + 1, reordered: None });
        Order {
            number: state.orders + 1,
            context: self.context(state, ms),
            lines: lines.collect(),
            ordered_at_ms: Some(ms),
        }
    }
}
