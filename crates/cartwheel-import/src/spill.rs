//! Lines on disk, by customer, so that orders are put together in bounded memory.
//!
//! A line is written with its strings after their lengths (u8), and its numbers little-endian.
//! The partition follows from a hash of the customer, or of the order if there is no customer.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use cartwheel_events::EventKind;
use cartwheel_features::stable_hash;
use parking_lot::Mutex;

use crate::line::Line;

/// Bytes that a thread buffers for one partition.
const BUFFER: usize = 32 << 10;

/// The partitions, as unnamed temporary files, which disappear when the process ends.
pub(crate) struct Partitions {
    files: Vec<Mutex<File>>,
}

impl Partitions {
    /// Creates empty partitions on the file system of `dir`.
    pub(crate) fn create(dir: &Path, count: usize) -> io::Result<Self> {
        let file = |_| tempfile::tempfile_in(dir).map(Mutex::new);
        Ok(Self { files: (0..count).map(file).collect::<io::Result<_>>()? })
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// The size of a partition.
    pub(crate) fn bytes(&self, partition: usize) -> io::Result<u64> {
        Ok(self.files[partition].lock().metadata()?.len())
    }

    /// Reads the bytes of a partition.
    pub(crate) fn read(&self, partition: usize) -> io::Result<Vec<u8>> {
        let mut file = self.files[partition].lock();
        file.rewind()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Writes the lines of one thread, through a buffer for each partition.
pub(crate) struct Spill<'a> {
    partitions: &'a Partitions,
    buffers: Vec<Vec<u8>>,
}

impl<'a> Spill<'a> {
    pub(crate) fn new(partitions: &'a Partitions) -> Self {
        Self { partitions, buffers: vec![Vec::new(); partitions.len()] }
    }

    /// Writes a line. `place` is its place among all lines.
    pub(crate) fn line(&mut self, line: &Line<'_>, place: u64) -> io::Result<()> {
        let owner = line.user_id.unwrap_or(line.key);
        let hash = u128::from(stable_hash(owner.as_bytes()));
        let partition = ((hash * self.buffers.len() as u128) >> 64) as usize;
        let out = &mut self.buffers[partition];
        out.push(kind_code(line.kind));
        out.push(u8::from(line.is_event_id) | u8::from(line.is_undone) << 1);
        out.extend(line.at_ms.to_le_bytes());
        out.extend(place.to_le_bytes());
        out.extend(line.quantity.to_le_bytes());
        out.extend(line.price.unwrap_or(f64::NAN).to_le_bytes());
        for text in [line.user_id.unwrap_or(""), line.key, line.product_id, line.session_id] {
            // Ids are shorter than 256 bytes.
            out.push(text.len() as u8);
            out.extend(text.as_bytes());
        }
        if out.len() >= BUFFER {
            self.partitions.files[partition].lock().write_all(out)?;
            out.clear();
        }
        Ok(())
    }

    /// Writes what is still buffered.
    pub(crate) fn finish(self) -> io::Result<()> {
        for (buffer, file) in self.buffers.iter().zip(&self.partitions.files) {
            file.lock().write_all(buffer)?;
        }
        Ok(())
    }
}

fn kind_code(kind: EventKind) -> u8 {
    EventKind::ALL.iter().position(|other| *other == kind).unwrap_or_default() as u8
}

/// A line of a partition, with its place among all lines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SpilledLine<'a> {
    pub line: Line<'a>,
    pub place: u64,
}

/// The lines of a partition.
pub(crate) fn lines(bytes: &[u8]) -> io::Result<Vec<SpilledLine<'_>>> {
    let mut reader = Reader(bytes);
    let mut lines = Vec::new();
    while !reader.0.is_empty() {
        let [kind, flags] = reader.array::<2>()?;
        let at_ms = i64::from_le_bytes(reader.array()?);
        let place = u64::from_le_bytes(reader.array()?);
        let quantity = u32::from_le_bytes(reader.array()?);
        let price = f64::from_le_bytes(reader.array()?);
        let (user, key) = (reader.text()?, reader.text()?);
        let line = Line {
            user_id: Some(user).filter(|user| !user.is_empty()),
            kind: EventKind::ALL.get(kind as usize).copied().ok_or(io::ErrorKind::InvalidData)?,
            key,
            is_event_id: flags & 1 != 0,
            at_ms,
            product_id: reader.text()?,
            quantity,
            price: Some(price).filter(|price| !price.is_nan()),
            session_id: reader.text()?,
            is_undone: flags & 2 != 0,
        };
        lines.push(SpilledLine { line, place });
    }
    Ok(lines)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = tail;
        Ok(*head)
    }

    fn text(&mut self) -> io::Result<&'a str> {
        let length = self.array::<1>()?[0] as usize;
        let (head, tail) = self.0.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = tail;
        std::str::from_utf8(head).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_and_those_of_a_customer_are_together() {
        let partitions = Partitions::create(&std::env::temp_dir(), 4).unwrap();
        let mut spill = Spill::new(&partitions);
        let line = |user_id, key, at_ms| Line {
            user_id,
            kind: EventKind::Return,
            key,
            is_event_id: true,
            at_ms,
            product_id: "prödukt",
            quantity: 3,
            price: Some(1.5),
            session_id: "",
            is_undone: false,
        };
        for place in 0..2_000 {
            spill.line(&line(Some("u"), "o", 7), place).unwrap();
            spill.line(&line(None, "o2", -7), place).unwrap();
        }
        spill.finish().unwrap();
        let mut counts = Vec::new();
        for partition in 0..partitions.len() {
            let bytes = partitions.read(partition).unwrap();
            let lines = lines(&bytes).unwrap();
            for user in [Some("u"), None] {
                let own: Vec<_> = lines.iter().filter(|l| l.line.user_id == user).collect();
                let expected = line(
                    user,
                    if user.is_some() { "o" } else { "o2" },
                    if user.is_some() { 7 } else { -7 },
                );
                assert!(own.iter().zip(0..).all(|(l, at)| l.line == expected && l.place == at));
                counts.push(own.len());
            }
        }
        counts.sort_unstable();
        assert_eq!(counts, [0, 0, 0, 0, 0, 0, 2_000, 2_000]);
    }
}
