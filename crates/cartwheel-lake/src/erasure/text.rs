//! Erasing users from files of lines: rejected records and rejected rows.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cartwheel_stream::Sequence;
use serde::Deserialize;

use super::Users;
use crate::manifest::{Lake, LakeError};
use crate::rejects::HEADER;
use crate::rewrite::RewriteError;
use crate::upload::Upload;

/// Longest line: the largest record in base64, with what stands around it.
const MAX_LINE: u64 = 8 << 20;

/// Reads the next line with its end, and says whether there was one. The last line of
/// a file may lack its end; it gets one.
pub(crate) fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut bounded = reader.take(MAX_LINE);
    if bounded.read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() != Some(&b'\n') {
        if line.len() as u64 == MAX_LINE {
            return Err(io::Error::other("a line is too long"));
        }
        line.push(b'\n');
    }
    Ok(true)
}

fn each_line(
    path: &Path,
    mut on: impl FnMut(&[u8]) -> Result<(), RewriteError>,
) -> Result<(), RewriteError> {
    let bad = |error| RewriteError::Source { path: path.to_owned(), error };
    let mut reader = BufReader::new(File::open(path).map_err(bad)?);
    let mut line = Vec::new();
    while next_line(&mut reader, &mut line).map_err(bad)? {
        on(&line)?;
    }
    Ok(())
}

/// Replaces a file by one without the lines that `erases` names, if it has any.
pub(super) fn erase_lines(
    lake: &Lake,
    path: &Path,
    erases: impl Fn(&[u8]) -> bool,
) -> Result<(), RewriteError> {
    let (mut erased, mut kept) = (false, false);
    each_line(path, |line| {
        let is_erased = erases(line);
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
    each_line(
        path,
        |line| {
            if erases(line) { Ok(()) } else { upload.write_all(line).map_err(failed) }
        },
    )?;
    upload.finish().map_err(failed)?;
    Ok(())
}

/// What erasure reads of a line of `errors/`.
#[derive(Deserialize)]
struct Line {
    sequence: Sequence,
    reason: String,
    encoding: String,
    data: String,
}

/// Whether a line of `errors/` tells of one of the users.
pub(super) fn is_rejected_of(line: &[u8], users: &Users<'_>) -> bool {
    let Ok(Line { sequence, reason, encoding, data }) = serde_json::from_slice(line) else {
        return names(line).any(|name| users.has(name));
    };
    let data = match encoding.as_str() {
        "base64" => STANDARD.decode(&data).unwrap_or_else(|_| data.into_bytes()),
        _ => data.into_bytes(),
    };
    let is_of = |text: &[u8]| names(text).any(|name| users.erases(name, sequence));
    is_of(reason.as_bytes()) || is_of(&data) || is_of(&unescaped(&data))
}

/// Whether a line of a rejects file tells of one of the users.
pub(super) fn is_row_of(line: &[u8], users: &Users<'_>) -> bool {
    if line.trim_ascii_end() == HEADER.as_bytes() {
        return false;
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line);
    let mut row = csv::ByteRecord::new();
    match reader.read_byte_record(&mut row) {
        // File and line tell of nobody; reason and row may.
        Ok(true) => row.iter().skip(2).any(|cell| names(cell).any(|name| users.has(name))),
        _ => names(line).any(|name| users.has(name)),
    }
}

/// The longest stretches of a text that may be ids, with and without the punctuation
/// around them: `u1` is none of `u10`.
fn names(text: &[u8]) -> impl Iterator<Item = &str> {
    let is_id = |b: &u8| b.is_ascii_alphanumeric() || b"._:@-".contains(b);
    let stretches = text.split(move |b| !is_id(b));
    let texts = stretches.filter_map(|stretch| std::str::from_utf8(stretch).ok());
    texts.filter(|text| !text.is_empty()).flat_map(|text| {
        let bare = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        [Some(text), (bare != text).then_some(bare)].into_iter().flatten()
    })
}

/// JSON text with the ASCII characters in place of their `\u00…` escapes.
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
    use crate::Erasure;

    #[test]
    fn an_id_is_found_as_a_whole_value_only() {
        let erasure = Erasure { user_id: "u1".into(), before: 10.into(), erased_at_ms: 0 };
        let erasures = [erasure];
        let users = Users::new(&erasures);
        let line = |sequence: u64, reason: &str, encoding: &str, data: &str| {
            serde_json::json!({"shard": 0, "sequence": sequence, "reason": reason,
                "encoding": encoding, "data": data})
            .to_string()
        };
        let of = |line: &str| is_rejected_of(line.as_bytes(), &users);
        assert!(of(&line(1, "", "text", r#"{"user_id":"u1","#)));
        assert!(of(&line(1, "", "text", r#"{"user_id":"\u0075\u0031""#)));
        assert!(of(&line(1, "invalid value \"u1\"", "text", "")));
        assert!(of(&line(1, "", "text", "the user u1.")));
        assert!(of(&line(1, "", "base64", &STANDARD.encode(b"\xff u1 \xff"))));
        assert!(of("no JSON and yet u1\n"));
        for other in ["u10", "xu1", "u1.a", "u-u1"] {
            assert!(!of(&line(1, "", "text", &format!("{{\"user_id\":\"{other}\""))), "{other}");
        }
        assert!(!of(&line(10, "", "text", r#"{"user_id":"u1""#)), "the user came back");
        let row = |text: &str| is_row_of(text.as_bytes(), &users);
        assert!(row("orders.csv,7,\"order_number is not\",\"5,u1,prior,x\"\n"));
        assert!(row("orders.csv,7,\"a\",\"'-u1,5\"\n"));
        assert!(!row("u1,7,\"order_number is not\",\"5,u10,prior,x\"\n"));
    }
}
