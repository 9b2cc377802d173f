//! The checksum of a Parquet file.
//!
//! Its footer has the entry `cartwheel.crc32c` with the CRC32C of the whole file, in hexadecimal
//! digits, computed while zeros stand in their place. Every reader of the lake checks it, and nothing
//! else has to know it. Pages have no checksums of their own: the encoder does not write them.
//!
//! Files of other writers and of earlier releases have none, and are read as they are.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use parquet::file::metadata::{FileMetaData, KeyValue};

const KEY: &str = "cartwheel.crc32c";
/// What stands in the file while its checksum is computed.
const ZEROS: &[u8; 8] = b"00000000";
/// What comes between the key and the digits: field, type and length of a Thrift text.
const BETWEEN: &[u8] = &[0x18, 8];
/// The writer that a file with a checksum names, so that one damaged byte cannot hide the checksum.
pub(crate) const WRITER: &str = "cartwheel with crc32c";
/// Bytes of a file's end in which the digits stand.
pub(crate) const END: usize = 1 << 20;

/// The footer's entry of a file whose checksum is not known yet.
pub(crate) fn placeholder() -> Vec<KeyValue> {
    vec![KeyValue::new(KEY.to_owned(), String::from_utf8_lossy(ZEROS).into_owned())]
}

/// Where the digits stand in the end of a file.
fn digits_at(end: &[u8]) -> Option<usize> {
    let mark = [KEY.as_bytes(), BETWEEN].concat();
    let at = end.windows(mark.len()).rposition(|window| window == mark)? + mark.len();
    (at + ZEROS.len() <= end.len()).then_some(at)
}

/// Puts the checksum into the end of a file, whose bytes before the end have the CRC32C `before`.
///
/// # Errors
/// When the file was written without [`placeholder`].
pub(crate) fn seal(before: u32, end: &mut [u8]) -> io::Result<()> {
    let at =
        digits_at(end).ok_or_else(|| io::Error::other("the part has no room for its checksum"))?;
    let digits = format!("{:08x}", crc32c::crc32c_append(before, end));
    end[at..at + ZEROS.len()].copy_from_slice(digits.as_bytes());
    Ok(())
}

/// Checks the checksum of a file, if its footer says that it has one.
///
/// # Errors
/// `InvalidData` when the file does not have its checksum.
pub(crate) fn check(file: &File, footer: &FileMetaData) -> io::Result<()> {
    let entries = footer.key_value_metadata().into_iter().flatten();
    let stored = entries.filter(|entry| entry.key == KEY).find_map(|entry| entry.value.as_deref());
    if stored.is_none() && footer.created_by() != Some(WRITER) {
        return Ok(());
    }
    if stored != Some(&format!("{:08x}", checksum(file)?)) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file does not have its checksum: it is damaged",
        ));
    }
    Ok(())
}

fn checksum(mut file: &File) -> io::Result<u32> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let (mut crc, mut buffer) = (0, vec![0; END]);
    let mut left = length.saturating_sub(END as u64);
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(END).min(END);
        file.read_exact(&mut buffer[..piece])?;
        crc = crc32c::crc32c_append(crc, &buffer[..piece]);
        left -= piece as u64;
    }
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    if let Some(at) = digits_at(&end) {
        end[at..at + ZEROS.len()].copy_from_slice(ZEROS);
    }
    Ok(crc32c::crc32c_append(crc, &end))
}
