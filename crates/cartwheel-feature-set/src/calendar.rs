//! The shop's local time.

use cartwheel_features::{Context, Line, Order, UserState};
use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

/// The largest gap between two orders, as in the Instacart data.
const MAX_GAP_DAYS: i64 = 30;

/// Converts UTC milliseconds to the shop's local days and hours.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar(TimeZone);

impl Calendar {
    /// Returns the calendar of an IANA time zone such as `Europe/Berlin`.
    ///
    /// # Errors
    /// When the time zone is unknown.
    pub fn new(zone: &str) -> Result<Self, jiff::Error> {
        TimeZone::get(zone).map(Self)
    }

    /// Returns the time at which a local day begins, UTC milliseconds.
    ///
    /// # Errors
    /// When the day is out of range.
    pub fn begin_ms(&self, day: Date) -> Result<i64, jiff::Error> {
        Ok(day.to_zoned(self.0.clone())?.timestamp().as_millisecond())
    }

    /// Returns the local day at `ms`, UTC milliseconds.
    pub fn day(&self, ms: i64) -> Date {
        let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        self.0.to_datetime(time).date()
    }

    /// Returns the local day (since 1970), weekday (0 = Sunday) and hour.
    fn local(&self, ms: i64) -> (i64, u8, u8) {
        let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let local = self.0.to_datetime(time);
        let epoch = jiff::civil::date(1970, 1, 1);
        let days = local.date().duration_since(epoch).as_hours() / 24;
        let weekday = local.date().weekday().to_sunday_zero_offset();
        (days, weekday.unsigned_abs(), local.hour().unsigned_abs())
    }

    /// Returns the context of an order that a user in `state` places at `ms` (UTC
    /// milliseconds).
    pub fn context(&self, state: &UserState, ms: i64) -> Context {
        let (day, dow, hour) = self.local(ms);
        let days_since_prior = state
            .last_order_ms
            .map(|last| (day - self.local(last).0).clamp(0, MAX_GAP_DAYS) as f32);
        Context { dow: Some(dow), hour: Some(hour), days_since_prior, at_ms: Some(ms) }
    }

    /// Turns a checkout into the next order of a user in `state`. `products` are catalogue
    /// indices in the order in which they were added to the cart.
    pub fn order(&self, state: &UserState, ms: i64, products: &[u32]) -> Order {
        let lines = products.iter().enumerate();
        let lines =
            lines.map(|(at, &product)| Line { product, position: at as u32 + 1, reordered: None });
        Order { number: state.orders + 1, context: self.context(state, ms), lines: lines.collect() }
    }
}
