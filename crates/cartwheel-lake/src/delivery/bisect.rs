//! Encoding rows as a part without the rows that cannot be encoded.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

/// Attempts to encode a part, or a single row.
const ATTEMPTS: u32 = 3;

/// A part, and the rows that it lacks.
pub(super) struct Encoded<T> {
    /// `None` if no row could be encoded.
    pub part: Option<Bytes>,
    pub failed: Vec<FailedRow<T>>,
}

/// A row that cannot be encoded.
pub(super) struct FailedRow<T> {
    pub row: T,
    pub reason: String,
    pub attempts: u32,
}

/// Encodes rows as a part. If that fails, it finds the failing rows by halving and encodes the
/// others.
pub(super) fn encode_or_bisect<T: Copy>(
    rows: &[T],
    encode: impl Fn(&[T]) -> io::Result<Bytes>,
) -> Encoded<T> {
    let mut failed = Vec::new();
    if let Ok(part) = retry(rows, &encode) {
        return Encoded { part: Some(part), failed };
    }
    let mut good = Vec::new();
    bisect(rows, &encode, &mut good, &mut failed);
    if good.is_empty() {
        return Encoded { part: None, failed };
    }
    match retry(&good, &encode) {
        Ok(part) => Encoded { part: Some(part), failed },
        // The rows can be encoded separately, but not together. The shard continues without them.
        Err(reason) => {
            let failure = |row| FailedRow { row, reason: reason.clone(), attempts: ATTEMPTS };
            failed.extend(good.into_iter().map(failure));
            Encoded { part: None, failed }
        }
    }
}

fn bisect<T: Copy>(
    rows: &[T],
    encode: &impl Fn(&[T]) -> io::Result<Bytes>,
    good: &mut Vec<T>,
    failed: &mut Vec<FailedRow<T>>,
) {
    if let [row] = rows {
        match retry(rows, encode) {
            Ok(_) => good.push(*row),
            Err(reason) => failed.push(FailedRow { row: *row, reason, attempts: ATTEMPTS }),
        }
        return;
    }
    let (left, right) = rows.split_at(rows.len() / 2);
    for half in [left, right] {
        match attempt(half, encode) {
            Ok(_) => good.extend(half),
            Err(_) if half.is_empty() => {}
            Err(_) => bisect(half, encode, good, failed),
        }
    }
}

fn retry<T>(rows: &[T], encode: &impl Fn(&[T]) -> io::Result<Bytes>) -> Result<Bytes, String> {
    let mut result = attempt(rows, encode);
    for _ in 1..ATTEMPTS {
        if result.is_ok() {
            break;
        }
        result = attempt(rows, encode);
    }
    result
}

/// Encodes once. The error is a reason as text; a panic is an error too.
fn attempt<T>(rows: &[T], encode: &impl Fn(&[T]) -> io::Result<Bytes>) -> Result<Bytes, String> {
    match catch_unwind(AssertUnwindSafe(|| encode(rows))) {
        Ok(part) => part.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!("panicked: {}", text.unwrap_or_default()))
        }
    }
}
