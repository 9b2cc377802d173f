//! Rows hashed by user into partitions on disk.
//!
//! A partition holds order rows and line rows of fixed shape, little-endian. The
//! hash's top bits choose the partition, so that partitions one after another
//! are sorted by hash.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::sync::Mutex;

use cartwheel_features::stable_hash;

const ORDER: u8 = 0;
const LINE: u8 = 1;
const CHECKOUT: u8 = 2;
/// A thread's buffer for one partition.
const BUFFER: usize = 64 << 10;

/// What an order is for, as the lake says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EvalSet {
    Prior,
    Train,
    Test,
}

/// An order's row without its lines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OrderRow {
    pub hash: u64,
    pub user_id: String,
    pub number: u32,
    pub eval_set: EvalSet,
    pub dow: Option<u8>,
    pub hour: Option<u8>,
    pub days: Option<f32>,
    pub at_ms: Option<i64>,
}

/// One line of an order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LineRow {
    pub hash: u64,
    pub number: u32,
    pub position: u32,
    pub product: u32,
    pub reordered: Option<bool>,
}

/// A checkout of the event stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckoutRow {
    pub hash: u64,
    pub user_id: String,
    pub at_ms: i64,
    pub event_id: String,
    pub products: Vec<u32>,
}

/// All rows of one partition.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub orders: Vec<OrderRow>,
    pub lines: Vec<LineRow>,
    pub checkouts: Vec<CheckoutRow>,
}

/// The partitions, as temporary files that vanish with this value.
#[derive(Debug)]
pub(crate) struct Partitions {
    files: Vec<Mutex<File>>,
}

impl Partitions {
    pub(crate) fn create(dir: &std::path::Path, count: usize) -> io::Result<Self> {
        let file = |_| tempfile::tempfile_in(dir).map(Mutex::new);
        Ok(Self { files: (0..count).map(file).collect::<io::Result<_>>()? })
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    fn of(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.files.len() as u128) >> 64) as usize
    }

    fn append(&self, partition: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let poisoned = || io::Error::other("a writer of this partition panicked");
        self.files[partition].lock().map_err(|_| poisoned())?.write_all(bytes)?;
        bytes.clear();
        Ok(())
    }

    /// Reads a partition back.
    pub(crate) fn read(&self, partition: usize) -> io::Result<Rows> {
        let poisoned = || io::Error::other("a writer of this partition panicked");
        let mut file = self.files[partition].lock().map_err(|_| poisoned())?;
        file.rewind()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut rows = Rows::default();
        let mut reader = Reader(&bytes);
        while !reader.0.is_empty() {
            let tag = reader.array::<1>()?[0];
            let hash = u64::from_le_bytes(reader.array()?);
            match tag {
                LINE => {
                    let [number, position, product] = [reader.u32()?, reader.u32()?, reader.u32()?];
                    let reordered = match reader.array::<1>()?[0] {
                        0 => Some(false),
                        1 => Some(true),
                        _ => None,
                    };
                    rows.lines.push(LineRow { hash, number, position, product, reordered });
                }
                ORDER => {
                    let number = reader.u32()?;
                    let [eval_set, dow, hour] = reader.array::<3>()?;
                    let days = f32::from_le_bytes(reader.array()?);
                    let at_ms = i64::from_le_bytes(reader.array()?);
                    rows.orders.push(OrderRow {
                        hash,
                        number,
                        eval_set: match eval_set {
                            0 => EvalSet::Prior,
                            1 => EvalSet::Train,
                            _ => EvalSet::Test,
                        },
                        dow: Some(dow).filter(|&x| x != u8::MAX),
                        hour: Some(hour).filter(|&x| x != u8::MAX),
                        days: Some(days).filter(|x| !x.is_nan()),
                        at_ms: Some(at_ms).filter(|&x| x != i64::MIN),
                        user_id: reader.text()?,
                    });
                }
                _ => {
                    let at_ms = i64::from_le_bytes(reader.array()?);
                    let count = reader.u32()?;
                    let products = (0..count).map(|_| reader.u32()).collect::<io::Result<_>>()?;
                    let (user_id, event_id) = (reader.text()?, reader.text()?);
                    rows.checkouts.push(CheckoutRow { hash, user_id, at_ms, event_id, products });
                }
            }
        }
        Ok(rows)
    }
}

/// One thread's hand on the partitions.
#[derive(Debug)]
pub(crate) struct Sender<'a> {
    partitions: &'a Partitions,
    buffers: Vec<Vec<u8>>,
}

impl<'a> Sender<'a> {
    pub(crate) fn new(partitions: &'a Partitions) -> Self {
        Self { partitions, buffers: vec![Vec::new(); partitions.len()] }
    }

    fn row(&mut self, user_id: &str, tag: u8, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let hash = stable_hash(user_id.as_bytes());
        let partition = self.partitions.of(hash);
        let buffer = &mut self.buffers[partition];
        buffer.push(tag);
        buffer.extend(hash.to_le_bytes());
        write(buffer);
        if buffer.len() >= BUFFER {
            self.partitions.append(partition, buffer)?;
        }
        Ok(())
    }

    /// Sends an order; `row.hash` is set by reading.
    pub(crate) fn order(&mut self, row: &OrderRow) -> io::Result<()> {
        self.row(&row.user_id, ORDER, |out| {
            out.extend(row.number.to_le_bytes());
            out.push(row.eval_set as u8);
            out.push(row.dow.unwrap_or(u8::MAX));
            out.push(row.hour.unwrap_or(u8::MAX));
            out.extend(row.days.unwrap_or(f32::NAN).to_le_bytes());
            out.extend(row.at_ms.unwrap_or(i64::MIN).to_le_bytes());
            text(out, &row.user_id);
        })
    }

    /// Sends a line of a user's order.
    pub(crate) fn line(&mut self, user_id: &str, row: &LineRow) -> io::Result<()> {
        self.row(user_id, LINE, |out| {
            for n in [row.number, row.position, row.product] {
                out.extend(n.to_le_bytes());
            }
            out.push(row.reordered.map_or(u8::MAX, u8::from));
        })
    }

    /// Sends a checkout.
    pub(crate) fn checkout(&mut self, row: &CheckoutRow) -> io::Result<()> {
        self.row(&row.user_id, CHECKOUT, |out| {
            out.extend(row.at_ms.to_le_bytes());
            out.extend((row.products.len() as u32).to_le_bytes());
            row.products.iter().for_each(|p| out.extend(p.to_le_bytes()));
            text(out, &row.user_id);
            text(out, &row.event_id);
        })
    }

    /// Sends what is still buffered.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        for partition in 0..self.buffers.len() {
            let mut buffer = std::mem::take(&mut self.buffers[partition]);
            self.partitions.append(partition, &mut buffer)?;
        }
        Ok(())
    }
}

/// Ids are at most 64 bytes, so that a byte holds their length.
fn text(out: &mut Vec<u8>, text: &str) {
    let length = text.len().min(255);
    out.push(length as u8);
    out.extend(&text.as_bytes()[..length]);
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let split = self.0.split_first_chunk::<N>();
        let (head, tail) = split.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = tail;
        Ok(*head)
    }

    fn u32(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn text(&mut self) -> io::Result<String> {
        let length = self.array::<1>()?[0] as usize;
        let split = self.0.split_at_checked(length);
        let (head, tail) = split.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = tail;
        Ok(String::from_utf8_lossy(head).into_owned())
    }
}
