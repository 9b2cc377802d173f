//! Lines on disk, by shopper, so that orders are put together in bounded memory.
//!
//! A line is written as its length (u16), the hash of its owner (u64), and its fields: strings
//! after their lengths, numbers little-endian. The owner is the shopper, or the order if there is
//! no shopper; a line without both has the owner of all lines with its time and product. Hashes of
//! owners decide the order of lines, which therefore does not depend on the number of partitions.

use std::fs::File;
use std::io::{self, BufReader, Read};

use cartwheel_events::{EventKind, GUEST};
use cartwheel_features::stable_hash;
use cartwheel_files::{FieldReader, PartitionWriter, Partitions, push_text};

use crate::line::{Line, Shopper};

/// The line is an event with an id of its own.
const EVENT_ID: u8 = 1;
/// The order was undone as a whole.
const UNDONE: u8 = 2;
/// The shopper is a guest.
const IS_GUEST: u8 = 4;

/// Writes the lines of one thread.
pub(crate) struct Spill<'a> {
    writer: PartitionWriter<'a>,
    /// The owner's key, while its hash is computed.
    owner: Vec<u8>,
}

impl<'a> Spill<'a> {
    pub(crate) fn new(partitions: &'a Partitions) -> Self {
        Self { writer: PartitionWriter::new(partitions), owner: Vec::new() }
    }

    /// Writes a line. `place` is its place among all lines.
    pub(crate) fn line(&mut self, line: &Line<'_>, place: u64) -> io::Result<()> {
        let hash = self.owner(line);
        let (id, guest) = match line.shopper {
            Some(Shopper::User(user)) => (user, 0),
            Some(Shopper::Guest(guest)) => (guest, IS_GUEST),
            None => ("", 0),
        };
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = guest | flag(line.is_event_id, EVENT_ID) | flag(line.is_undone, UNDONE);
        self.writer.record(hash, |out| {
            let start = out.len();
            out.extend([0; 2]);
            out.extend(hash.to_le_bytes());
            out.extend([kind_code(line.kind), flags]);
            out.extend(line.at_ms.to_le_bytes());
            out.extend(place.to_le_bytes());
            out.extend(line.quantity.to_le_bytes());
            out.extend(line.price.unwrap_or(f64::NAN).to_le_bytes());
            for text in [id, line.guest, line.key, line.product_id, line.session_id, line.query] {
                push_text(out, text);
            }
            // Ids and searches are short, so that the length fits.
            let length = (out.len() - start - 2) as u16;
            out[start..start + 2].copy_from_slice(&length.to_le_bytes());
        })
    }

    /// The hash of a line's owner.
    fn owner(&mut self, line: &Line<'_>) -> u64 {
        self.owner.clear();
        match line.shopper {
            Some(Shopper::User(user)) => return stable_hash(user.as_bytes()),
            Some(Shopper::Guest(guest)) => {
                self.owner.push(GUEST as u8);
                self.owner.extend(guest.as_bytes());
            }
            None if line.key.is_empty() => {
                self.owner.extend(line.at_ms.to_le_bytes());
                self.owner.extend(line.product_id.as_bytes());
            }
            None => return stable_hash(line.key.as_bytes()),
        }
        stable_hash(&self.owner)
    }

    /// Writes what is still buffered.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.writer.finish()
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

/// The lines of a partition, by the hashes of their owners.
pub(crate) struct Owners<'a> {
    bytes: &'a [u8],
    /// Each line's hash, and where its fields begin.
    lines: Vec<(u64, usize)>,
}

impl<'a> Owners<'a> {
    /// Looks through the bytes of a partition.
    pub(crate) fn of(bytes: &'a [u8]) -> io::Result<Self> {
        let mut lines = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let mut reader = FieldReader::new(&bytes[at..]);
            let length = usize::from(u16::from_le_bytes(reader.array()?));
            lines.push((u64::from_le_bytes(reader.array()?), at + 10));
            at += 2 + length;
        }
        lines.sort_unstable();
        Ok(Self { bytes, lines })
    }

    /// Calls `each` with the lines of one hash after the other, in any order.
    pub(crate) fn for_each(
        &self,
        mut each: impl FnMut(&mut Vec<SpilledLine<'a>>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut lines = Vec::new();
        for owner in self.lines.chunk_by(|a, b| a.0 == b.0) {
            lines.clear();
            for (_, at) in owner {
                lines.push(line(&self.bytes[*at..])?);
            }
            each(&mut lines)?;
        }
        Ok(())
    }
}

/// Decodes the fields of a line.
fn line(bytes: &[u8]) -> io::Result<SpilledLine<'_>> {
    let mut reader = FieldReader::new(bytes);
    let [kind, flags] = reader.array::<2>()?;
    let at_ms = i64::from_le_bytes(reader.array()?);
    let place = u64::from_le_bytes(reader.array()?);
    let quantity = u32::from_le_bytes(reader.array()?);
    let price = f64::from_le_bytes(reader.array()?);
    let shopper = match reader.text()? {
        "" => None,
        guest if flags & IS_GUEST != 0 => Some(Shopper::Guest(guest)),
        user => Some(Shopper::User(user)),
    };
    let line = Line {
        shopper,
        guest: reader.text()?,
        kind: EventKind::ALL.get(kind as usize).copied().ok_or(io::ErrorKind::InvalidData)?,
        key: reader.text()?,
        is_event_id: flags & EVENT_ID != 0,
        at_ms,
        product_id: reader.text()?,
        quantity,
        price: Some(price).filter(|price| !price.is_nan()),
        session_id: reader.text()?,
        query: reader.text()?,
        is_undone: flags & UNDONE != 0,
    };
    Ok(SpilledLine { line, place })
}

/// Distributes the lines of a partition, which is one of `parts` that cover all hashes, over the
/// finer partitions `into`. These are in the order of hashes too.
pub(crate) fn split(partition: File, parts: u64, into: &Partitions) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 18, partition);
    let mut writer = PartitionWriter::new(into);
    let mut line = Vec::new();
    let mut length = [0; 2];
    loop {
        match reader.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            read => read?,
        }
        line.resize(usize::from(u16::from_le_bytes(length)), 0);
        reader.read_exact(&mut line)?;
        let hash = u64::from_le_bytes(FieldReader::new(&line).array()?);
        // What is left of the hash within its partition.
        writer.record(hash.wrapping_mul(parts), |out| {
            out.extend(length);
            out.extend(&line);
        })?;
    }
    writer.finish()
}

/// The shopper of a partition's first line, or its order.
pub(crate) fn owner(partition: File) -> io::Result<String> {
    let mut first = Vec::new();
    partition.take(u64::from(u16::MAX)).read_to_end(&mut first)?;
    let fields = first.get(10..).ok_or(io::ErrorKind::UnexpectedEof)?;
    let SpilledLine { line, .. } = line(fields)?;
    Ok(line.shopper.and_then(Shopper::id).map_or(line.key.to_owned(), |id| id.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of<'a>(shopper: Option<Shopper<'a>>, key: &'a str, at_ms: i64) -> Line<'a> {
        Line {
            shopper,
            guest: "gäst",
            kind: EventKind::Return,
            key,
            is_event_id: true,
            at_ms,
            product_id: "prödukt",
            quantity: 3,
            price: Some(1.5),
            session_id: "",
            query: "suche",
            is_undone: false,
        }
    }

    /// The lines of a partition by owner, each owner's by place.
    fn read(partitions: &Partitions, partition: usize) -> Vec<Vec<(u64, String)>> {
        let bytes = partitions.read(partition).unwrap();
        let mut owners = Vec::new();
        let each = |lines: &mut Vec<SpilledLine<'_>>| {
            let mut lines: Vec<(u64, String)> =
                lines.iter().map(|l| (l.place, format!("{:?}", l.line))).collect();
            lines.sort();
            owners.push(lines);
            Ok(())
        };
        Owners::of(&bytes).unwrap().for_each(each).unwrap();
        owners
    }

    #[test]
    fn lines_come_back_by_owner_in_one_order_whatever_the_number_of_partitions() {
        let dir = tempfile::tempdir().unwrap();
        let users: Vec<String> = (0..50).map(|n| format!("u{n}")).collect();
        let mut all = Vec::new();
        for user in &users {
            all.push(line_of(Some(Shopper::User(user)), "o", 7));
            all.push(line_of(Some(Shopper::Guest(user)), "o", 7));
            all.push(line_of(None, user, -7));
            all.push(line_of(None, "", user.len() as i64));
        }
        let mut orders = Vec::new();
        for count in [1, 4] {
            let partitions = Partitions::create(dir.path(), count).unwrap();
            let mut spill = Spill::new(&partitions);
            for place in 0..600 {
                spill.line(&all[place as usize % all.len()], place).unwrap();
            }
            spill.finish().unwrap();
            let whole: Vec<_> = (0..count).flat_map(|at| read(&partitions, at)).collect();
            let mut fine = Vec::new();
            for at in 0..count {
                let finer = Partitions::create(dir.path(), 8).unwrap();
                split(partitions.file(at).unwrap(), count as u64, &finer).unwrap();
                let used = (0..8).filter(|sub| finer.bytes(*sub).unwrap() > 0).count();
                assert!(used > 4, "{used} of 8 partitions are used");
                fine.extend((0..8).flat_map(|sub| read(&finer, sub)));
            }
            orders.extend([whole, fine]);
        }
        // An order with the name of a user has the same hash. Lines without shopper and order have
        // one owner for each time and product.
        assert_eq!(orders[0].len(), 2 * users.len() + 2);
        assert_eq!(orders[0].iter().map(Vec::len).sum::<usize>(), 600);
        assert!(orders.iter().all(|order| *order == orders[0]));
    }
}
