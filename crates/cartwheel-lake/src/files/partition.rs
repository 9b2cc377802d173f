//! The folders of a table: one for each hour, UTC, of what is delivered, and one for each import.

use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Milliseconds of an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;
/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// The beginning of the name of an import's folder.
const IMPORT: &str = "import=";

/// The folder of an import in each table that it fills.
pub(crate) fn import_folder(id: &str) -> String {
    format!("{IMPORT}{id}")
}

/// Whether a folder holds parts of an import. They count only if the manifest names them.
pub(crate) fn is_import_folder(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(IMPORT))
}

/// The folder of the hour of a time in UTC milliseconds.
pub(crate) fn hour_folder(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let time = time.to_zoned(TimeZone::UTC);
    let (year, month, day, hour) = (time.year(), time.month(), time.day(), time.hour());
    format!("year={year:04}/month={month:02}/day={day:02}/hour={hour:02}")
}

/// The start of the hour of a folder, UTC milliseconds. `None` if the folder is not a
/// partition.
pub(crate) fn hour_start_ms(folder: &Path) -> Option<i64> {
    let mut names = folder.iter().rev().map(|name| name.to_str());
    let mut field = |key: &str| names.next()??.strip_prefix(key)?.strip_prefix('=');
    let hour = field("hour")?.parse().ok()?;
    let (day, month) = (field("day")?.parse().ok()?, field("month")?.parse().ok()?);
    let time = DateTime::new(field("year")?.parse().ok()?, month, day, hour, 0, 0, 0).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}
