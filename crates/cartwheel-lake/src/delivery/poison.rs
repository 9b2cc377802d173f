//! Poison records: records that no table can hold. They go to `errors/`.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cartwheel_stream::{Rejected, Sequence};
use serde::Serialize;

/// Maximum number of bytes of a record's data that are kept. The largest record fits.
const MAX_DATA: usize = 1 << 20;
/// Maximum number of characters of a reason.
const MAX_REASON: usize = 500;

/// A record that is malformed or cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PoisonRecord {
    pub sequence: Sequence,
    pub reason: String,
    pub attempts: u32,
    pub data: Vec<u8>,
}

impl From<Rejected> for PoisonRecord {
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
    /// The encoding of `data`: `text` or `base64`.
    encoding: &'static str,
    data: &'a str,
    /// Bytes of the whole data. `data` may hold fewer.
    bytes: usize,
}

/// Encodes poison records as a part, one JSON object a line.
pub(super) fn encode_lines(shard: u32, records: &[PoisonRecord]) -> io::Result<Bytes> {
    let mut out = Vec::new();
    for PoisonRecord { sequence, reason, attempts, data } in records {
        let kept = &data[..data.len().min(MAX_DATA)];
        // Text that is cut within a character is still text.
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
        push_escaped(&line, &mut out);
        out.push(b'\n');
    }
    Ok(out.into())
}

/// Appends JSON with all control characters escaped. JSON only escapes those of ASCII, but
/// terminals obey others too.
fn push_escaped(json: &str, out: &mut Vec<u8>) {
    for c in json.chars() {
        if c.is_control() {
            out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
        } else {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}
