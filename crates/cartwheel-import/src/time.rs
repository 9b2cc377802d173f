//! Times as exports write them.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// 1990-01-01T00:00Z, UTC milliseconds: no shop has older orders.
pub(crate) const EARLIEST_MS: i64 = 631_152_000_000;
/// How far ahead of the clock a time may be, milliseconds.
pub(crate) const AHEAD_MS: i64 = 24 * 3_600_000;

/// The order of day and month in dates such as `3/4/2026`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
    /// Not known: such dates are not accepted.
    #[default]
    Unknown,
}

/// How times without a zone are read.
#[derive(Debug, Clone)]
pub(crate) struct TimeReader {
    zone: TimeZone,
    order: DateOrder,
}

impl TimeReader {
    pub(crate) fn new(zone: TimeZone, order: DateOrder) -> Self {
        Self { zone, order }
    }

    pub(crate) fn with_order(&self, order: DateOrder) -> Self {
        Self { order, ..self.clone() }
    }

    /// The order of day and month.
    pub(crate) fn order(&self) -> DateOrder {
        self.order
    }

    /// Reads a time as UTC milliseconds. `None` if the text is not a time.
    pub(crate) fn read(&self, text: &str) -> Option<i64> {
        let text = text.trim();
        if let Some(ms) = epoch(text) {
            return Some(ms);
        }
        let parts = Parts::iso(text).or_else(|| Parts::short(text, self.order))?;
        let date = DateTime::new(
            parts.year,
            parts.month,
            parts.day,
            parts.hour,
            parts.minute,
            parts.second,
            parts.nanosecond,
        );
        let zone = match parts.offset_seconds {
            Some(seconds) => TimeZone::fixed(Offset::from_seconds(seconds).ok()?),
            None => self.zone.clone(),
        };
        Some(date.ok()?.to_zoned(zone).ok()?.timestamp().as_millisecond())
    }

    /// The local day of a time, in days since 1970.
    pub(crate) fn day(&self, ms: i64) -> i64 {
        let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        let epoch = jiff::civil::date(1970, 1, 1);
        self.zone.to_datetime(time).date().duration_since(epoch).as_hours() / 24
    }
}

/// A number of seconds, milliseconds, microseconds or nanoseconds since 1970, by its size.
fn epoch(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // `20260131` and `20260131235900` are dates.
    if !is_number(whole) || !is_number(fraction) || matches!(whole.len(), 0..=8 | 14 | 20..) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    Some(match whole.len() {
        9..=11 => {
            let ms: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
            number * 1000 + ms
        }
        12..=13 => number,
        15..=16 => number / 1000,
        _ => number / 1_000_000,
    })
}

/// The numbers of a time.
#[derive(Debug, Default)]
struct Parts {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    offset_seconds: Option<i32>,
}

impl Parts {
    /// `2026-01-31`, `2026-01-31 23:59`, `2026-01-31T23:59:59.123+01:00`, `20260131`,
    /// `20260131235959`, and the first with `/` between the numbers.
    fn iso(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut parts = Self { year: number(bytes.get(..4)?)? as i16, ..Self::default() };
        let rest = match bytes.get(4)? {
            separator @ (b'-' | b'/') => {
                if bytes.get(7)? != separator {
                    return None;
                }
                parts.month = number(&bytes[5..7])? as i8;
                parts.day = number(bytes.get(8..10)?)? as i8;
                text.get(10..)?
            }
            _ => {
                parts.month = number(bytes.get(4..6)?)? as i8;
                parts.day = number(bytes.get(6..8)?)? as i8;
                let time = text.get(8..)?;
                if time.len() == 6 {
                    let time = time.as_bytes();
                    parts.hour = number(&time[..2])? as i8;
                    parts.minute = number(&time[2..4])? as i8;
                    parts.second = number(&time[4..])? as i8;
                    return Some(parts);
                }
                time
            }
        };
        parts.time(rest).then_some(parts)
    }

    /// `31.1.2026`, `31/1/2026 23:59`, `1/31/2026 11:59 PM`. Dates with dots begin with the day.
    fn short(text: &str, order: DateOrder) -> Option<Self> {
        let (numbers, rest) = short_date(text)?;
        let [first, second, year] = numbers;
        let (day, month) = match order {
            _ if text.contains('.') && !text.contains('/') => (first, second),
            DateOrder::Dmy => (first, second),
            DateOrder::Mdy => (second, first),
            DateOrder::Unknown => return None,
        };
        let mut parts = Self {
            year: i16::try_from(if year < 100 { 2000 + year } else { year }).ok()?,
            month: i8::try_from(month).ok()?,
            day: i8::try_from(day).ok()?,
            ..Self::default()
        };
        parts.time(rest).then_some(parts)
    }

    /// Reads what follows the date. Returns whether it is a time of day.
    fn time(&mut self, rest: &str) -> bool {
        let rest = match rest.as_bytes().first() {
            None => return true,
            Some(b'T' | b't' | b' ') => rest[1..].trim_start(),
            Some(b',') => rest[1..].trim_start(),
            Some(_) => return false,
        };
        self.clock(rest).is_some()
    }

    fn clock(&mut self, text: &str) -> Option<()> {
        let (hour, rest) = digits(text)?;
        let (minute, mut rest) = digits(rest.strip_prefix(':')?)?;
        self.hour = i8::try_from(hour).ok()?;
        self.minute = i8::try_from(minute).ok()?;
        if let Some(after) = rest.strip_prefix(':') {
            let (second, after) = digits(after)?;
            self.second =
                i8::try_from(second).ok().filter(|second| *second < 60).or_else(|| {
                    // A leap second is the last millisecond before it.
                    (second == 60).then_some(59)
                })?;
            rest = after;
            if let Some(fraction) = rest.strip_prefix(['.', ',']) {
                let end = fraction.bytes().take_while(u8::is_ascii_digit).count();
                let nanoseconds = format!("{:0<9}", fraction.get(..end.min(9))?);
                self.nanosecond = nanoseconds.parse().ok()?;
                rest = fraction.get(end..)?;
            }
        }
        let mut rest = rest.trim_start();
        for (name, is_afternoon) in [("am", false), ("pm", true), ("AM", false), ("PM", true)] {
            if let Some(after) = rest.strip_prefix(name) {
                self.hour = self.hour % 12 + if is_afternoon { 12 } else { 0 };
                rest = after.trim_start();
                break;
            }
        }
        self.offset_seconds = match rest {
            "" => return Some(()),
            "Z" | "z" | "UTC" | "GMT" => Some(0),
            _ => Some(offset(rest)?),
        };
        Some(())
    }
}

/// `+01:00`, `-0530` or `+01`, in seconds.
fn offset(text: &str) -> Option<i32> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: Vec<u8> = text.bytes().skip(1).filter(|b| *b != b':').collect();
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(&digits[..2])?, number(&digits[2..])?),
        _ => return None,
    };
    (hours <= 15 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn number(digits: &[u8]) -> Option<i32> {
    digits
        .iter()
        .try_fold(0_i32, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i32::from(b - b'0')))
}

/// Reads one or two digits.
fn digits(text: &str) -> Option<(i32, &str)> {
    let count = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(count).filter(|(digits, _)| !digits.is_empty())?;
    Some((number(digits.as_bytes())?, rest))
}

/// The numbers of a short date and what follows it.
fn short_date(text: &str) -> Option<([i32; 3], &str)> {
    let (first, rest) = digits(text)?;
    let separator = rest.chars().next().filter(|c| matches!(c, '/' | '.' | '-'))?;
    let (second, rest) = digits(&rest[1..])?;
    let rest = rest.strip_prefix(separator)?;
    let count = rest.bytes().take(4).take_while(u8::is_ascii_digit).count();
    let (year, rest) = rest.split_at_checked(count)?;
    matches!(count, 2 | 4).then_some(([first, second, number(year.as_bytes())?], rest))
}

/// What a sample of short dates tells about the order of day and month.
pub(crate) fn date_order<'a>(sample: impl Iterator<Item = &'a str>) -> DateOrder {
    let (mut dmy, mut mdy) = (false, false);
    for text in sample {
        if let Some(([first, second, _], _)) = short_date(text.trim()) {
            dmy |= first > 12;
            mdy |= second > 12;
        }
    }
    match (dmy, mdy) {
        (true, false) => DateOrder::Dmy,
        (false, true) => DateOrder::Mdy,
        _ => DateOrder::Unknown,
    }
}

/// Whether a text looks like a date whose order of day and month has to be known.
pub(crate) fn is_short_date(text: &str) -> bool {
    short_date(text.trim()).is_some() && Parts::iso(text.trim()).is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> Option<i64> {
        TimeReader::new(TimeZone::UTC, DateOrder::Unknown).read(text)
    }

    #[test]
    fn one_moment_in_every_form() {
        let at = Some(1_767_225_599_000);
        for text in [
            "2025-12-31T23:59:59Z",
            "2025-12-31 23:59:59",
            "2025-12-31T23:59:59.000",
            "2026-01-01T00:59:59+01:00",
            "2025-12-31 18:29:59 -0530",
            "2025-12-31 23:59:59 UTC",
            "2025/12/31 23:59:59",
            "20251231235959",
            "1767225599",
            "1767225599.0",
            "1767225599000",
            "1767225599000000",
            "1767225599000000000",
            "31.12.2025 23:59:59",
        ] {
            assert_eq!(utc(text), at, "{text}");
        }
        assert_eq!(utc("2025-12-31"), Some(1_767_139_200_000));
        assert_eq!(utc("20251231"), Some(1_767_139_200_000));
        assert_eq!(utc("1767225599.25"), Some(1_767_225_599_250));
    }

    #[test]
    fn a_short_date_needs_a_known_order() {
        let read = |order, text| TimeReader::new(TimeZone::UTC, order).read(text);
        assert_eq!(read(DateOrder::Unknown, "3/4/2025"), None);
        assert_eq!(read(DateOrder::Mdy, "3/4/2025 1:05 PM"), utc("2025-03-04 13:05"));
        assert_eq!(read(DateOrder::Dmy, "3/4/25"), utc("2025-04-03"));
        assert_eq!(date_order(["1/2/2025", "1/13/2025"].into_iter()), DateOrder::Mdy);
        assert_eq!(date_order(["13/1/2025"].into_iter()), DateOrder::Dmy);
        assert_eq!(date_order(["1/2/2025"].into_iter()), DateOrder::Unknown);
    }

    #[test]
    fn a_time_without_a_zone_is_local() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let reader = TimeReader::new(zone, DateOrder::Unknown);
        assert_eq!(reader.read("2025-07-01 00:30"), utc("2025-06-30T22:30:00Z"));
        assert_eq!(reader.read("2025-07-01T00:30:00Z"), utc("2025-07-01 00:30"));
        let day = utc("2025-07-01").unwrap() / 86_400_000;
        assert_eq!(reader.day(utc("2025-06-30 22:30").unwrap()), day);
    }

    #[test]
    fn other_texts_are_not_times() {
        for text in ["", "x", "12", "2025-13-01", "2025-02-30", "2025-01-01 25:00", "2025-01-01x"] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = utc(&text);
            let _ = TimeReader::new(TimeZone::UTC, DateOrder::Dmy).read(&text);
        }

        #[test]
        fn the_form_of_jiff_is_read_back(ms in EARLIEST_MS..4_000_000_000_000_i64) {
            let text = jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
            prop_assert_eq!(utc(&text), Some(ms));
        }
    }
}
