//! The shuffle: rows are hashed by user into partitions on disk.
//!
//! A row is a tag (u8), the hash of the user id (u64) and the fields, little-endian. The
//! hash's top bits choose the partition, so that the users of one partition after another
//! come by ascending hash.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use cartwheel_features::stable_hash;
use parking_lot::Mutex;

use crate::rows::{BasketRow, CheckoutRow, EvalSet, LineRow, OrderRow, Rows};

const ORDER: u8 = 0;
const LINE: u8 = 1;
const CHECKOUT: u8 = 2;
const BASKET: u8 = 3;
/// Bytes that a thread buffers for one partition.
const BUFFER: usize = 64 << 10;

/// The partitions, as unnamed temporary files that disappear with this value.
#[derive(Debug)]
pub(crate) struct Partitions {
    files: Vec<Mutex<File>>,
}

impl Partitions {
    /// Creates `count` empty partitions on the file system of `dir`.
    pub(crate) fn create(dir: &Path, count: usize) -> io::Result<Self> {
        let file = |_| tempfile::tempfile_in(dir).map(Mutex::new);
        Ok(Self { files: (0..count).map(file).collect::<io::Result<_>>()? })
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Returns the partition of a user, by the hash of the user id.
    fn of(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.files.len() as u128) >> 64) as usize
    }

    fn append(&self, partition: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        self.files[partition].lock().write_all(bytes)?;
        bytes.clear();
        Ok(())
    }

    /// Reads all rows of a partition.
    pub(crate) fn read(&self, partition: usize) -> io::Result<Rows> {
        let mut file = self.files[partition].lock();
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
                CHECKOUT => {
                    let at_ms = i64::from_le_bytes(reader.array()?);
                    let is_return = reader.array::<1>()?[0] != 0;
                    let (products, pieces) = (reader.numbers()?, reader.numbers()?);
                    rows.checkouts.push(CheckoutRow {
                        hash,
                        user_id: reader.text()?,
                        at_ms,
                        event_id: reader.text()?,
                        products,
                        pieces,
                        is_return,
                    });
                }
                _ => {
                    let at_ms = i64::from_le_bytes(reader.array()?);
                    rows.baskets.push(BasketRow { hash, at_ms, products: reader.numbers()? });
                }
            }
        }
        Ok(rows)
    }
}

/// Sends the rows of one thread to the partitions, through a buffer for each.
#[derive(Debug)]
pub(crate) struct Sender<'a> {
    partitions: &'a Partitions,
    buffers: Vec<Vec<u8>>,
}

impl<'a> Sender<'a> {
    pub(crate) fn new(partitions: &'a Partitions) -> Self {
        Self { partitions, buffers: vec![Vec::new(); partitions.len()] }
    }

    /// Sends a row to the partition of `key`: a user, or the purchase of an unknown one.
    fn row(&mut self, key: &str, tag: u8, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let hash = stable_hash(key.as_bytes());
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

    /// Sends an order of a user.
    pub(crate) fn order(&mut self, user_id: &str, row: &OrderRow) -> io::Result<()> {
        self.row(user_id, ORDER, |out| {
            out.extend(row.number.to_le_bytes());
            out.push(row.eval_set as u8);
            out.push(row.dow.unwrap_or(u8::MAX));
            out.push(row.hour.unwrap_or(u8::MAX));
            out.extend(row.days.unwrap_or(f32::NAN).to_le_bytes());
            out.extend(row.at_ms.unwrap_or(i64::MIN).to_le_bytes());
            text(out, user_id);
        })
    }

    /// Sends an order line of a user.
    pub(crate) fn line(&mut self, user_id: &str, row: &LineRow) -> io::Result<()> {
        self.row(user_id, LINE, |out| {
            for n in [row.number, row.position, row.product] {
                out.extend(n.to_le_bytes());
            }
            out.push(row.reordered.map_or(u8::MAX, u8::from));
        })
    }

    /// Sends a checkout of a user.
    pub(crate) fn checkout(&mut self, user_id: &str, row: &CheckoutRow) -> io::Result<()> {
        self.row(user_id, CHECKOUT, |out| {
            out.extend(row.at_ms.to_le_bytes());
            out.push(u8::from(row.is_return));
            numbers(out, &row.products);
            numbers(out, &row.pieces);
            text(out, user_id);
            text(out, &row.event_id);
        })
    }

    /// Sends a purchase of an unknown customer.
    pub(crate) fn basket(&mut self, basket_id: &str, row: &BasketRow) -> io::Result<()> {
        self.row(basket_id, BASKET, |out| {
            out.extend(row.at_ms.to_le_bytes());
            numbers(out, &row.products);
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

/// Appends numbers, after their count.
fn numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    out.extend((numbers.len() as u32).to_le_bytes());
    numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
}

/// Appends an id. Ids have fewer than 256 bytes, so that one byte holds the length.
fn text(out: &mut Vec<u8>, text: &str) {
    let length = text.len().min(255);
    out.push(length as u8);
    out.extend(&text.as_bytes()[..length]);
}

/// Reads fields off the front of a partition's bytes.
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

    fn numbers(&mut self) -> io::Result<Vec<u32>> {
        let count = self.u32()?;
        (0..count).map(|_| self.u32()).collect()
    }

    fn text(&mut self) -> io::Result<String> {
        let length = self.array::<1>()?[0] as usize;
        let split = self.0.split_at_checked(length);
        let (head, tail) = split.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = tail;
        Ok(String::from_utf8_lossy(head).into_owned())
    }
}
