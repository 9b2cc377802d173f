//! The folders of a table: one for each hour, UTC, of what is delivered, and one for each import.

use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::error::LakeError;

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
pub fn hour_folder(ms: i64) -> String {
    let hour = ms.div_euclid(HOUR_MS).rem_euclid(24);
    format!("{}/hour={hour:02}", day_folder(ms))
}

/// The folder of the day of a time in UTC milliseconds, which has those of its hours.
pub fn day_folder(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let time = time.to_zoned(TimeZone::UTC);
    let (year, month, day) = (time.year(), time.month(), time.day());
    format!("year={year:04}/month={month:02}/day={day:02}")
}

/// The hours of a table from the hour of `from_ms` to that of `to_ms`, each with its start and its
/// folder, which may be missing. Days without a folder are left out, since most of a long span may
/// have none.
///
/// # Errors
/// When a folder cannot be looked up.
pub(crate) fn hours_between(
    table: &Path,
    from_ms: i64,
    to_ms: i64,
) -> Result<Vec<(i64, PathBuf)>, LakeError> {
    let mut hours = Vec::new();
    for day in from_ms.div_euclid(DAY_MS)..=to_ms.div_euclid(DAY_MS) {
        let start = day * DAY_MS;
        let folder = table.join(day_folder(start));
        if !folder.try_exists().map_err(|error| LakeError::file(&folder, error))? {
            continue;
        }
        let of_day = (start..start + DAY_MS).step_by(HOUR_MS as usize);
        let asked = of_day.filter(|hour| hour + HOUR_MS > from_ms && *hour <= to_ms);
        hours.extend(asked.map(|hour| (hour, table.join(hour_folder(hour)))));
    }
    Ok(hours)
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
