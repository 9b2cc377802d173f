//! What cannot be delivered as it should be: told apart, and written down.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cartwheel_stream::{Rejected, Sequence};
use serde::Serialize;

/// Tries to build a part, or a row of it alone.
const TRIES: u32 = 3;
/// Most bytes of one record's data that are written down; the largest record has them.
const MAX_DATA: usize = 1 << 20;
/// Most characters of a reason.
const MAX_REASON: usize = 500;

/// A record, or what is none, that goes to `errors/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Poison {
    pub sequence: Sequence,
    pub reason: String,
    pub attempts: u32,
    pub data: Vec<u8>,
}

impl From<Rejected> for Poison {
    fn from(rejected: Rejected) -> Self {
        let Rejected { sequence, data, reason } = rejected;
        Self { sequence, reason, attempts: 1, data }
    }
}

/// A line of `errors/`.
#[derive(Serialize)]
struct Line<'a> {
    shard: u32,
    sequence: Sequence,
    reason: String,
    attempts: u32,
    /// How `data` is to be read: `text` or `base64`.
    encoding: &'static str,
    data: &'a str,
    /// Bytes of the whole data; `data` may hold less.
    bytes: usize,
}

/// The part of some poison, one JSON object a line.
pub(crate) fn lines(shard: u32, poison: &[Poison]) -> io::Result<Bytes> {
    let mut out = Vec::new();
    for Poison { sequence, reason, attempts, data } in poison {
        let kept = &data[..data.len().min(MAX_DATA)];
        // A cut within a character does not make text into something else.
        let text = match std::str::from_utf8(kept) {
            Ok(text) => Some(text),
            Err(e) if e.error_len().is_none() && kept.len() < data.len() => {
                std::str::from_utf8(&kept[..e.valid_up_to()]).ok()
            }
            Err(_) => None,
        };
        let encoded = if text.is_none() { STANDARD.encode(kept) } else { String::new() };
        let line = serde_json::to_string(&Line {
            shard,
            sequence: *sequence,
            reason: reason.chars().take(MAX_REASON).collect(),
            attempts: *attempts,
            encoding: if text.is_some() { "text" } else { "base64" },
            data: text.unwrap_or(&encoded),
            bytes: data.len(),
        })?;
        push_plain(&line, &mut out);
        out.push(b'\n');
    }
    Ok(out.into())
}

/// JSON escapes the control characters of ASCII; terminals take others too.
fn push_plain(json: &str, out: &mut Vec<u8>) {
    for c in json.chars() {
        if c.is_control() {
            out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
        } else {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// A part, and the rows that cannot be in it.
pub(crate) struct Built<T> {
    /// None where no row is left.
    pub part: Option<Bytes>,
    /// With the reason of each, and the tries it was given.
    pub poison: Vec<(T, String, u32)>,
}

/// Builds the part of some rows. Where it cannot be built, the rows that are the reason
/// are found by halves, and the part is built without them.
pub(crate) fn build<T: Copy>(rows: &[T], encode: impl Fn(&[T]) -> io::Result<Bytes>) -> Built<T> {
    let mut poison = Vec::new();
    if let Ok(part) = persist(rows, &encode) {
        return Built { part: Some(part), poison };
    }
    let mut good = Vec::new();
    divide(rows, &encode, &mut good, &mut poison);
    if good.is_empty() {
        return Built { part: None, poison };
    }
    match persist(&good, &encode) {
        Ok(part) => Built { part: Some(part), poison },
        // Each can be built and all together not: the shard moves on all the same.
        Err(reason) => {
            poison.extend(good.into_iter().map(|row| (row, reason.clone(), TRIES)));
            Built { part: None, poison }
        }
    }
}

fn divide<T: Copy>(
    rows: &[T],
    encode: &impl Fn(&[T]) -> io::Result<Bytes>,
    good: &mut Vec<T>,
    poison: &mut Vec<(T, String, u32)>,
) {
    if let [row] = rows {
        match persist(rows, encode) {
            Ok(_) => good.push(*row),
            Err(reason) => poison.push((*row, reason, TRIES)),
        }
        return;
    }
    let (left, right) = rows.split_at(rows.len() / 2);
    for half in [left, right] {
        match attempt(half, encode) {
            Ok(_) => good.extend(half),
            Err(_) if half.is_empty() => {}
            Err(_) => divide(half, encode, good, poison),
        }
    }
}

fn persist<T>(rows: &[T], encode: &impl Fn(&[T]) -> io::Result<Bytes>) -> Result<Bytes, String> {
    let mut result = attempt(rows, encode);
    for _ in 1..TRIES {
        if result.is_ok() {
            break;
        }
        result = attempt(rows, encode);
    }
    result
}

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
