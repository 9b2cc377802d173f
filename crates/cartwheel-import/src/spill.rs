//! Lines on disk, by customer, so that orders are put together in bounded memory.
//!
//! A line is written with its strings after their lengths, and its numbers little-endian.
//! The partition follows from a hash of the customer, or of the order if there is no customer.

use std::io;

use cartwheel_events::EventKind;
use cartwheel_features::stable_hash;
use cartwheel_files::{FieldReader, PartitionWriter, Partitions, push_text};

use crate::line::Line;

/// Writes the lines of one thread.
pub(crate) struct Spill<'a>(PartitionWriter<'a>);

impl<'a> Spill<'a> {
    pub(crate) fn new(partitions: &'a Partitions) -> Self {
        Self(PartitionWriter::new(partitions))
    }

    /// Writes a line. `place` is its place among all lines.
    pub(crate) fn line(&mut self, line: &Line<'_>, place: u64) -> io::Result<()> {
        let owner = line.user_id.unwrap_or(line.key);
        self.0.record(stable_hash(owner.as_bytes()), |out| {
            out.push(kind_code(line.kind));
            out.push(u8::from(line.is_event_id) | u8::from(line.is_undone) << 1);
            out.extend(line.at_ms.to_le_bytes());
            out.extend(place.to_le_bytes());
            out.extend(line.quantity.to_le_bytes());
            out.extend(line.price.unwrap_or(f64::NAN).to_le_bytes());
            for text in [line.user_id.unwrap_or(""), line.key, line.product_id, line.session_id] {
                push_text(out, text);
            }
        })
    }

    /// Writes what is still buffered.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.0.finish()
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
    let mut reader = FieldReader::new(bytes);
    let mut lines = Vec::new();
    while !reader.is_at_end() {
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
        for partition in 0..partitions.count() {
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
