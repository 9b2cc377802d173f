//! Erasing users from files of lines: the table `errors` and the rejects files.
//!
//! These lines hold malformed records and rows, so the user's id may be anywhere in their text.

use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cartwheel_stream::Sequence;
use serde::Deserialize;
use serde_json::Value;

use crate::erasure::pending::Erasure;
use crate::erasure::users::ErasedUsers;
use crate::error::LakeError;
use crate::files::lines::Lines;
use crate::files::rewrite::RewriteError;
use crate::files::upload::Upload;
use crate::lake::Lake;
use crate::rejects::{HEADER, RejectedRow};

/// Replaces a file by one without the lines for which `is_erased` returns true, if it has any.
pub(super) fn erase(
    lake: &Lake,
    path: &Path,
    is_erased: impl Fn(&[u8]) -> bool,
) -> Result<(), RewriteError> {
    let (mut erased, mut kept) = (false, false);
    for_each_line(path, |line| {
        let is_erased = is_erased(line);
        erased |= is_erased;
        kept |= !is_erased;
        Ok(())
    })?;
    if !erased {
        return Ok(());
    }
    let target = lake.relative(path);
    if !kept {
        return Ok(lake.remove(target)?);
    }
    let failed = |error| RewriteError::Target(LakeError::file(target, error));
    let mut upload = Upload::new(lake, target)?;
    for_each_line(path, |line| {
        if is_erased(line) { Ok(()) } else { upload.write_all(line).map_err(failed) }
    })?;
    upload.finish().map_err(failed)?;
    Ok(())
}

fn for_each_line(
    path: &Path,
    mut visit: impl FnMut(&[u8]) -> Result<(), RewriteError>,
) -> Result<(), RewriteError> {
    let bad = |error| RewriteError::Source { path: path.to_owned(), error };
    let mut lines = Lines::open(path).map_err(bad)?;
    while let Some(line) = lines.next().map_err(bad)? {
        visit(line)?;
    }
    Ok(())
}

/// The fields of a line of `errors` that may hold a user's id, and their sequence number.
#[derive(Deserialize)]
struct RejectedRecord {
    sequence: Sequence,
    reason: String,
    encoding: String,
    data: String,
}

/// The lines of a file that hold a user's id, as JSON: an object where the line is one, else its
/// text. At most `limit`.
pub(crate) fn rejected_records_of(
    path: &Path,
    user_id: &str,
    limit: usize,
    found: &mut Vec<Value>,
) -> io::Result<()> {
    let parsed = |line: &[u8]| serde_json::from_slice(line).ok();
    lines_of(path, user_id, limit, is_rejected_record_of, parsed, found)
}

/// The rows of a rejects file that hold a user's id. At most `limit`.
pub(crate) fn rejected_rows_of(
    path: &Path,
    user_id: &str,
    limit: usize,
    found: &mut Vec<Value>,
) -> io::Result<()> {
    let parsed = |line: &[u8]| {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line);
        let row = reader.deserialize::<RejectedRow>().next()?.ok()?;
        serde_json::to_value(row).ok()
    };
    lines_of(path, user_id, limit, is_rejected_row_of, parsed, found)
}

/// The lines that `is_of` a user, as `parsed` reads them, else as text.
fn lines_of(
    path: &Path,
    user_id: &str,
    limit: usize,
    is_of: impl Fn(&[u8], &ErasedUsers<'_>) -> bool,
    parsed: impl Fn(&[u8]) -> Option<Value>,
    found: &mut Vec<Value>,
) -> io::Result<()> {
    let everything = everything_of(user_id);
    let users = ErasedUsers::new(&everything);
    let mut lines = Lines::open(path)?;
    while found.len() < limit
        && let Some(line) = lines.next()?
    {
        if is_of(line, &users) {
            let text = || String::from_utf8_lossy(line).trim_end().into();
            found.push(parsed(line).unwrap_or_else(text));
        }
    }
    Ok(())
}

/// Calls `visit` with every stretch of a file of lines that may be an id.
pub(crate) fn for_each_id(path: &Path, visit: &mut dyn FnMut(&str)) -> io::Result<()> {
    let mut lines = Lines::open(path)?;
    while let Some(line) = lines.next()? {
        ids(line).for_each(&mut *visit);
        let record = serde_json::from_slice::<RejectedRecord>(line);
        if let Ok(record) = record
            && record.encoding == "base64"
            && let Ok(data) = STANDARD.decode(&record.data)
        {
            ids(&data).for_each(&mut *visit);
        } else {
            ids(&unescaped(line)).for_each(&mut *visit);
        }
    }
    Ok(())
}

/// What an erasure of all records of a user would cover.
fn everything_of(user_id: &str) -> [Erasure; 1] {
    [Erasure { user_id: user_id.to_owned(), before: u64::MAX.into(), erased_at_ms: i64::MAX }]
}

/// Whether a line of `errors` holds the id of an erased user.
pub(super) fn is_rejected_record_of(line: &[u8], users: &ErasedUsers<'_>) -> bool {
    let Ok(record) = serde_json::from_slice::<RejectedRecord>(line) else {
        return ids(line).any(|id| users.contains(id));
    };
    let data = match record.encoding.as_str() {
        "base64" => STANDARD.decode(&record.data).unwrap_or_else(|_| record.data.into_bytes()),
        _ => record.data.into_bytes(),
    };
    let has_user = |text: &[u8]| ids(text).any(|id| users.erases(id, record.sequence));
    has_user(record.reason.as_bytes()) || has_user(&data) || has_user(&unescaped(&data))
}

/// Whether a line of a rejects file holds the id of an erased user.
pub(super) fn is_rejected_row_of(line: &[u8], users: &ErasedUsers<'_>) -> bool {
    if line.trim_ascii_end() == HEADER.as_bytes() {
        return false;
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line);
    let mut row = csv::ByteRecord::new();
    match reader.read_byte_record(&mut row) {
        // File and line number hold no id, but reason and row may.
        Ok(true) => row.iter().skip(2).any(|cell| ids(cell).any(|id| users.contains(id))),
        _ => ids(line).any(|id| users.contains(id)),
    }
}

/// The longest stretches of a text that may be ids, with and without the punctuation around
/// them. A part of an id is not an id: `u10` does not hold `u1`.
fn ids(text: &[u8]) -> impl Iterator<Item = &str> {
    let is_id = |b: &u8| b.is_ascii_alphanumeric() || b"._:@-".contains(b);
    let stretches = text.split(move |b| !is_id(b));
    let texts = stretches.filter_map(|stretch| std::str::from_utf8(stretch).ok());
    texts.filter(|text| !text.is_empty()).flat_map(|text| {
        let bare = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        [Some(text), (bare != text).then_some(bare)].into_iter().flatten()
    })
}

/// JSON text with its `\u00…` escapes replaced by the characters.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let code = rest.strip_prefix(b"\\u").and_then(|code| code.get(..4));
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code.strip_prefix("00")?, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &rest[6..];
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_as_a_whole_value_only() {
        let erasure = Erasure { user_id: "u1".into(), before: 10.into(), erased_at_ms: 0 };
        let erasures = [erasure];
        let users = ErasedUsers::new(&erasures);
        let line = |sequence: u64, reason: &str, encoding: &str, data: &str| {
            serde_json::json!({"shard": 0, "sequence": sequence, "reason": reason,
                "encoding": encoding, "data": data})
            .to_string()
        };
        let record = |line: &str| is_rejected_record_of(line.as_bytes(), &users);
        assert!(record(&line(1, "", "text", r#"{"user_id":"u1","#)));
        assert!(record(&line(1, "", "text", r#"{"user_id":"\u0075\u0031""#)));
        assert!(record(&line(1, "invalid value \"u1\"", "text", "")));
        assert!(record(&line(1, "", "text", "the user u1.")));
        assert!(record(&line(1, "", "base64", &STANDARD.encode(b"\xff u1 \xff"))));
        assert!(record("not JSON, but it holds u1\n"));
        for other in ["u10", "xu1", "u1.a", "u-u1"] {
            let data = format!("{{\"user_id\":\"{other}\"");
            assert!(!record(&line(1, "", "text", &data)), "{other}");
        }
        let later = line(10, "", "text", r#"{"user_id":"u1""#);
        assert!(!record(&later), "a record after the erasure is kept");
        let row = |text: &str| is_rejected_row_of(text.as_bytes(), &users);
        assert!(row("orders.csv,7,\"order_number is not\",\"5,u1,prior,x\"\n"));
        assert!(row("orders.csv,7,\"a\",\"'-u1,5\"\n"));
        assert!(!row("u1,7,\"order_number is not\",\"5,u10,prior,x\"\n"));
    }
}
