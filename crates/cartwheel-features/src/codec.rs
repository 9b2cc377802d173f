//! The compact encoding of a user's state: little-endian, versioned, bounded.

use crate::search::{MAX_SEARCHES, SEARCH_WORDS, Search};
use crate::touch::{Action, MAX_TOUCHES, Touch};
use crate::user::{Context, LastCheckout, UserProduct, UserState};

const VERSION: u8 = 5;
const PRODUCT_BYTES: usize = 44;
const TOUCH_BYTES: usize = 13;

/// Why bytes are not a user record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end too early or too late.
    #[error("user record has the wrong length")]
    Length,
    /// An action has a number that no action has.
    #[error("user record has an unknown action")]
    Action,
    /// A search has no words, or too many.
    #[error("user record has an invalid search")]
    Search,
    /// The record was written by a later release.
    #[error("user record has version {0}; this release reads versions 1 to {VERSION}")]
    Version(u8),
}

impl UserState {
    /// Encodes the state: 87 bytes and the id of the last checkout, then 13 bytes per touch, 9 per
    /// search and 4 per word of it, and 44 per product.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_to(&mut out);
        out
    }

    /// Appends the encoded state.
    pub fn encode_to(&self, out: &mut Vec<u8>) {
        out.reserve(96 + self.products.len() * PRODUCT_BYTES);
        out.push(VERSION);
        for n in [self.orders, self.applied, self.lines, self.later_lines, self.reordered] {
            out.extend(n.to_le_bytes());
        }
        for x in [self.days, self.recent_lines, self.recent_reordered] {
            out.extend(x.to_le_bytes());
        }
        for ms in [self.last_order_ms, self.first_order_ms] {
            out.extend(ms.unwrap_or(i64::MIN).to_le_bytes());
        }
        let next = self.next.unwrap_or_default();
        out.push(u8::from(self.next.is_some()));
        out.push(next.dow.unwrap_or(u8::MAX));
        out.push(next.hour.unwrap_or(u8::MAX));
        out.extend(next.days_since_prior.unwrap_or(f32::NAN).to_le_bytes());
        out.extend(next.at_ms.unwrap_or(i64::MIN).to_le_bytes());
        let (ms, id) =
            self.last_checkout.as_ref().map_or((i64::MIN, ""), |c| (c.at_ms, &c.event_id));
        out.extend(ms.to_le_bytes());
        out.push(id.len().min(255) as u8);
        out.extend(&id.as_bytes()[..id.len().min(255)]);
        let touches = &self.touches[self.touches.len().saturating_sub(MAX_TOUCHES)..];
        out.push(touches.len() as u8);
        for touch in touches {
            out.extend(touch.product.to_le_bytes());
            out.push(touch.action as u8);
            out.extend(touch.at_ms.to_le_bytes());
        }
        let searches = &self.searches[self.searches.len().saturating_sub(MAX_SEARCHES)..];
        out.push(searches.len() as u8);
        for search in searches {
            out.extend(search.at_ms.to_le_bytes());
            out.push(search.words().len() as u8);
            search.words().iter().for_each(|word| out.extend(word.to_le_bytes()));
        }
        out.extend((self.products.len() as u32).to_le_bytes());
        for p in &self.products {
            let counts = [p.product, p.orders, p.first, p.last, p.position_sum, p.previous];
            let sums = [p.first_day, p.last_day, p.weight, p.fast_weight, p.day_weight];
            let numbers = counts.into_iter().chain(sums.map(f32::to_bits));
            let mut bytes = [0; PRODUCT_BYTES];
            bytes
                .chunks_exact_mut(4)
                .zip(numbers)
                .for_each(|(to, n)| to.copy_from_slice(&n.to_le_bytes()));
            out.extend(bytes);
        }
    }

    /// Decodes a record.
    ///
    /// # Errors
    /// When the bytes are not a record that [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader(bytes);
        let version = reader.byte()?;
        if !(1..=VERSION).contains(&version) {
            return Err(CodecError::Version(version));
        }
        let mut state = Self {
            orders: reader.u32()?,
            applied: reader.u32()?,
            lines: reader.u32()?,
            later_lines: reader.u32()?,
            reordered: reader.u32()?,
            days: reader.f32()?,
            recent_lines: reader.f32()?,
            recent_reordered: reader.f32()?,
            ..Self::default()
        };
        state.last_order_ms = Some(reader.i64()?).filter(|&ms| ms != i64::MIN);
        if version >= 5 {
            state.first_order_ms = Some(reader.i64()?).filter(|&ms| ms != i64::MIN);
        }
        let some = reader.byte()?;
        let next = Context {
            dow: Some(reader.byte()?).filter(|&x| x != u8::MAX),
            hour: Some(reader.byte()?).filter(|&x| x != u8::MAX),
            days_since_prior: Some(reader.f32()?).filter(|x| !x.is_nan()),
            at_ms: match version {
                1 => None,
                _ => Some(reader.i64()?).filter(|&ms| ms != i64::MIN),
            },
        };
        state.next = (some == 1).then_some(next);
        let ms = reader.i64()?;
        let length = reader.byte()? as usize;
        let id = String::from_utf8_lossy(reader.take(length)?).into_owned();
        state.last_checkout = (ms != i64::MIN).then_some(LastCheckout { at_ms: ms, event_id: id });
        let touches = if version < 3 { 0 } else { reader.byte()? as usize };
        if reader.0.len() < touches * TOUCH_BYTES {
            return Err(CodecError::Length);
        }
        for _ in 0..touches {
            let product = reader.u32()?;
            let action = Action::from_number(reader.byte()?).ok_or(CodecError::Action)?;
            state.touches.push(Touch { product, action, at_ms: reader.i64()? });
        }
        let searches = if version < 4 { 0 } else { reader.byte()? as usize };
        for _ in 0..searches {
            let at_ms = reader.i64()?;
            let count = reader.byte()? as usize;
            if count > SEARCH_WORDS {
                return Err(CodecError::Search);
            }
            let words = (0..count).map(|_| reader.u32()).collect::<Result<Vec<u32>, _>>()?;
            state.searches.push(Search::new(words, at_ms).ok_or(CodecError::Search)?);
        }
        let count = reader.u32()? as usize;
        if reader.0.len() != count.saturating_mul(PRODUCT_BYTES) {
            return Err(CodecError::Length);
        }
        state.products.reserve_exact(count);
        for _ in 0..count {
            state.products.push(UserProduct {
                product: reader.u32()?,
                orders: reader.u32()?,
                first: reader.u32()?,
                last: reader.u32()?,
                position_sum: reader.u32()?,
                previous: reader.u32()?,
                first_day: reader.f32()?,
                last_day: reader.f32()?,
                weight: reader.f32()?,
                fast_weight: reader.f32()?,
                day_weight: reader.f32()?,
            });
        }
        Ok(state)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], CodecError> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(CodecError::Length)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(CodecError::Length)?;
        self.0 = tail;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[b]| b)
    }
    fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_le_bytes)
    }
    fn f32(&mut self) -> Result<f32, CodecError> {
        self.array().map(f32::from_le_bytes)
    }
    fn i64(&mut self) -> Result<i64, CodecError> {
        self.array().map(i64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The view that reads records in Athena names the first columns by their offsets.
    #[test]
    fn the_view_of_athena_reads_what_is_encoded() {
        let state = UserState {
            orders: 11,
            applied: 12,
            lines: 13,
            later_lines: 14,
            reordered: 15,
            days: 1.5,
            recent_lines: 2.5,
            recent_reordered: 0.25,
            last_order_ms: Some(1_795_000_000_000),
            first_order_ms: Some(1_700_000_000_000),
            ..UserState::default()
        };
        let record = state.encode();
        let view = include_str!("../../../infra/modules/delivery/views.tf");
        let read = |line: &str| {
            let cells: Vec<&str> = line.trim().trim_matches(['[', ']', ',']).split(", ").collect();
            let at: usize = cells[1].parse().unwrap();
            let name = cells[0].trim_matches('"').to_owned();
            let number = match cells[2] {
                "\"u32\"" => f64::from(u32::from_le_bytes(record[at..at + 4].try_into().unwrap())),
                "\"f32\"" => f64::from(f32::from_le_bytes(record[at..at + 4].try_into().unwrap())),
                _ => i64::from_le_bytes(record[at..at + 8].try_into().unwrap()) as f64,
            };
            (name, number)
        };
        let columns = view.lines().skip_while(|line| *line != "  record = [").skip(1);
        let found: Vec<_> = columns.take_while(|line| *line != "  ]").map(read).collect();
        let expected = [
            ("orders", 11.0),
            ("orders_applied", 12.0),
            ("lines", 13.0),
            ("later_lines", 14.0),
            ("reordered_lines", 15.0),
            ("days", 1.5),
            ("recent_lines_per_order", 2.5),
            ("recent_reordered_share", 0.25),
            ("last_order_ms", 1_795_000_000_000.0),
            ("first_order_ms", 1_700_000_000_000.0),
        ];
        assert_eq!(found, expected.map(|(name, number)| (name.to_owned(), number)));
    }
}
