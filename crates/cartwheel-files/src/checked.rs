//! JSON files with a checksum.
//!
//! The checksum is the file's first member, so that the file is JSON for every other reader:
//! `{"crc32c":"0a1b2c3d",` and the rest of an object, or `[{"crc32c":"0a1b2c3d"},` and the rest of
//! an array. It is the CRC32C of the text without it. A file without a checksum, of an earlier
//! release or changed by hand, is read as it is; the next change adds one.

use std::fs;
use std::io;
use std::path::Path;

const OBJECT: &[u8] = b"{\"crc32c\":\"";
const ARRAY: &[u8] = b"[{\"crc32c\":\"";
/// Hexadecimal digits of a checksum.
const DIGITS: usize = 8;

/// Reads a JSON file and checks its checksum, if it has one. Returns the text without it.
///
/// # Errors
/// When the file cannot be read; `InvalidData` when it does not have its checksum.
pub fn read_checked(path: &Path) -> io::Result<Vec<u8>> {
    without_checksum(fs::read(path)?)
}

/// Adds a checksum to the text of a JSON object or array. Other text stays as it is.
pub fn with_checksum(json: &[u8]) -> Vec<u8> {
    let (start, end) = match json.first() {
        Some(b'{') => (OBJECT, &b"\""[..]),
        Some(b'[') => (ARRAY, &b"\"}"[..]),
        _ => return json.to_vec(),
    };
    let rest = &json[1..];
    let is_empty = rest.trim_ascii_start().first().is_some_and(|b| b"}]".contains(b));
    let separator: &[u8] = if is_empty { b"" } else { b"," };
    let digits = format!("{:08x}", crc32c::crc32c(json));
    [start, digits.as_bytes(), end, separator, rest].concat()
}

/// Checks the checksum of a JSON text, if it has one, and returns the text without it.
///
/// # Errors
/// `InvalidData` when the text does not have its checksum.
pub fn without_checksum(text: Vec<u8>) -> io::Result<Vec<u8>> {
    let (open, start, end) = match text.as_slice() {
        [b'{', ..] if text.starts_with(OBJECT) => (b'{', OBJECT.len(), &b"\""[..]),
        [b'[', ..] if text.starts_with(ARRAY) => (b'[', ARRAY.len(), &b"\"}"[..]),
        _ => return Ok(text),
    };
    let rest = text.get(start + DIGITS..).and_then(|rest| rest.strip_prefix(end));
    let rest = rest.map(|rest| rest.strip_prefix(b",").unwrap_or(rest));
    let json = rest.map(|rest| [&[open], rest].concat()).unwrap_or_default();
    if text.get(start..start + DIGITS) != Some(format!("{:08x}", crc32c::crc32c(&json)).as_bytes())
    {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file does not have its checksum: it is damaged, or was changed by hand. Restore it; if \
             you changed it, remove \"crc32c\" at its beginning",
        ));
    }
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed_or_leaves_the_content() {
        for json in
            [&b"{\n  \"next\": 12, \"a\": [1]\n}"[..], b"{}", b"[]", b"[{\"name\": \"x\"}]", b"[ ]"]
        {
            let file = with_checksum(json);
            assert_eq!(without_checksum(file.clone()).unwrap(), json);
            for bit in 0..file.len() * 8 {
                let mut flipped = file.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                // A damaged mark is a member that readers do not know; the rest stands.
                let length = if json[0] == b'{' { OBJECT.len() } else { ARRAY.len() };
                let mark = bit / 8 < length;
                let read = without_checksum(flipped.clone());
                assert!(
                    read.is_err() || (mark && read.unwrap() == flipped),
                    "bit {bit} of {json:?}"
                );
            }
        }
    }
}
