//! The shuffle: rows are hashed by user into partitions on disk.
//!
//! A row is a tag (u8), the hash of the user id (u64) and the fields, little-endian. The
//! hash's top bits choose the partition, so that the users of one partition after another
//! come by ascending hash.

use std::io;

use cartwheel_features::{Action, Search, stable_hash};
use cartwheel_files::{FieldReader, PartitionWriter, Partitions, push_text};

use crate::rows::{BasketRow, CheckoutRow, EvalSet, LineRow, OrderRow, Rows, SearchRow, TouchRow};

const ORDER: u8 = 0;
const LINE: u8 = 1;
const CHECKOUT: u8 = 2;
const BASKET: u8 = 3;
const TOUCH: u8 = 4;
const SEARCH: u8 = 5;
/// Bytes of an order line.
const LINE_BYTES: usize = 22;

/// Decodes the rows of a partition.
pub(crate) fn rows(bytes: &[u8]) -> io::Result<Rows> {
    let mut rows = Rows::default();
    // Most rows are lines, and what is not used takes no memory.
    rows.lines.reserve(bytes.len() / LINE_BYTES);
    let mut reader = FieldReader::new(bytes);
    while !reader.is_at_end() {
        let tag = reader.array::<1>()?[0];
        let hash = u64::from_le_bytes(reader.array()?);
        match tag {
            LINE => {
                let [number, position, product] =
                    [u32(&mut reader)?, u32(&mut reader)?, u32(&mut reader)?];
                let reordered = match reader.array::<1>()?[0] {
                    0 => Some(false),
                    1 => Some(true),
                    _ => None,
                };
                rows.lines.push(LineRow { hash, number, position, product, reordered });
            }
            ORDER => {
                let number = u32(&mut reader)?;
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
                    user_id: reader.text()?.to_owned(),
                });
            }
            CHECKOUT => {
                let at_ms = i64::from_le_bytes(reader.array()?);
                let is_return = reader.array::<1>()?[0] != 0;
                let (products, pieces) = (numbers(&mut reader)?, numbers(&mut reader)?);
                rows.checkouts.push(CheckoutRow {
                    hash,
                    user_id: reader.text()?.to_owned(),
                    at_ms,
                    event_id: reader.text()?.to_owned(),
                    products,
                    pieces,
                    is_return,
                });
            }
            TOUCH => {
                let at_ms = i64::from_le_bytes(reader.array()?);
                let event = u64::from_le_bytes(reader.array()?);
                let (place, product) = (u32(&mut reader)?, u32(&mut reader)?);
                let action = Action::from_number(reader.array::<1>()?[0]);
                let action = action.ok_or_else(|| io::Error::other("unknown action"))?;
                let user_id = reader.text()?.to_owned();
                rows.touches.push(TouchRow { hash, at_ms, event, place, product, action, user_id });
            }
            SEARCH => {
                let at_ms = i64::from_le_bytes(reader.array()?);
                let event = u64::from_le_bytes(reader.array()?);
                let search = Search::new(numbers(&mut reader)?, at_ms);
                let search = search.ok_or_else(|| io::Error::other("a search without words"))?;
                let user_id = reader.text()?.to_owned();
                rows.searches.push(SearchRow { hash, search, event, user_id });
            }
            _ => {
                let at_ms = i64::from_le_bytes(reader.array()?);
                rows.baskets.push(BasketRow { hash, at_ms, products: numbers(&mut reader)? });
            }
        }
    }
    Ok(rows)
}

/// Sends the rows of one thread to the partitions of their users.
#[derive(Debug)]
pub(crate) struct Sender<'a> {
    writer: PartitionWriter<'a>,
    /// The key of the last row, and its hash: most rows follow one of the same user.
    key: String,
    hash: u64,
}

impl<'a> Sender<'a> {
    pub(crate) fn new(partitions: &'a Partitions) -> Self {
        let key = String::new();
        Self { writer: PartitionWriter::new(partitions), hash: stable_hash(key.as_bytes()), key }
    }

    /// Sends a row to the partition of `key`: a user, or the purchase of an unknown one.
    fn row(&mut self, key: &str, tag: u8, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        if self.key != key {
            key.clone_into(&mut self.key);
            self.hash = stable_hash(key.as_bytes());
        }
        let hash = self.hash;
        self.writer.record(hash, |out| {
            out.push(tag);
            out.extend(hash.to_le_bytes());
            write(out);
        })
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
            push_text(out, user_id);
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
            push_numbers(out, &row.products);
            push_numbers(out, &row.pieces);
            push_text(out, user_id);
            push_text(out, &row.event_id);
        })
    }

    /// Sends a touch of a user.
    pub(crate) fn touch(&mut self, user_id: &str, row: &TouchRow) -> io::Result<()> {
        self.row(user_id, TOUCH, |out| {
            out.extend(row.at_ms.to_le_bytes());
            out.extend(row.event.to_le_bytes());
            out.extend(row.place.to_le_bytes());
            out.extend(row.product.to_le_bytes());
            out.push(row.action as u8);
            push_text(out, user_id);
        })
    }

    /// Sends a search of a user.
    pub(crate) fn search(&mut self, user_id: &str, row: &SearchRow) -> io::Result<()> {
        self.row(user_id, SEARCH, |out| {
            out.extend(row.search.at_ms.to_le_bytes());
            out.extend(row.event.to_le_bytes());
            push_numbers(out, row.search.words());
            push_text(out, user_id);
        })
    }

    /// Sends a purchase of an unknown customer.
    pub(crate) fn basket(&mut self, basket_id: &str, row: &BasketRow) -> io::Result<()> {
        self.row(basket_id, BASKET, |out| {
            out.extend(row.at_ms.to_le_bytes());
            push_numbers(out, &row.products);
        })
    }

    /// Sends what is still buffered.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.writer.finish()
    }
}

/// Appends numbers, after their count.
fn push_numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    out.extend((numbers.len() as u32).to_le_bytes());
    numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
}

fn u32(reader: &mut FieldReader<'_>) -> io::Result<u32> {
    reader.array().map(u32::from_le_bytes)
}

fn numbers(reader: &mut FieldReader<'_>) -> io::Result<Vec<u32>> {
    let count = u32(reader)?;
    (0..count).map(|_| u32(reader)).collect()
}
