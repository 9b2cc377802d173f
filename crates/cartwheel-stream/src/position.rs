//! Positions in a stream.

use std::fmt;
use std::str::FromStr;

use md5::{Digest, Md5};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The position of a record in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The user's shard.
    pub shard: u32,
    /// Sequence number; increases within a shard, possibly with gaps.
    pub sequence: Sequence,
}

impl Position {
    /// Returns `<shard>-<sequence>`, the id of the record.
    pub fn record_id(self) -> String {
        format!("{}-{}", self.shard, self.sequence)
    }

    /// Returns the shard's id in Kinesis, such as `shardId-000000000003`.
    pub fn shard_id(self) -> String {
        format!("shardId-{:012}", self.shard)
    }

    /// Parses a record id that [`Position::record_id`] returned.
    pub fn parse(record_id: &str) -> Option<Self> {
        let (shard, sequence) = record_id.split_once('-')?;
        Some(Self { shard: shard.parse().ok()?, sequence: sequence.parse().ok()? })
    }
}

/// A sequence number below 2^192; those of Kinesis have 56 decimal digits. In JSON, a number
/// that fits `u64` is a number, a larger one a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Sequence([u64; 3]);

/// 10^18: numbers are printed in groups of eighteen digits, the most that fit a word.
const GROUP: u128 = 1_000_000_000_000_000_000;

impl Sequence {
    /// Returns the next number.
    #[must_use]
    pub fn next(self) -> Self {
        self.times_plus(1, 1).unwrap_or(Self([u64::MAX; 3]))
    }

    /// Returns the previous number, or `None` for 0.
    pub fn previous(self) -> Option<Self> {
        let [high, middle, low] = self.0;
        let (low, borrow) = low.overflowing_sub(1);
        let (middle, borrow) = middle.overflowing_sub(u64::from(borrow));
        Some(Self([high.checked_sub(u64::from(borrow))?, middle, low]))
    }

    /// Returns the number as `u64` if it fits; numbers of the embedded log always do.
    pub fn as_u64(self) -> Option<u64> {
        match self.0 {
            [0, 0, low] => Some(low),
            _ => None,
        }
    }

    fn times_plus(self, factor: u64, plus: u64) -> Option<Self> {
        let mut words = self.0;
        let mut carry = u128::from(plus);
        for word in words.iter_mut().rev() {
            carry += u128::from(*word) * u128::from(factor);
            *word = carry as u64;
            carry >>= 64;
        }
        (carry == 0).then_some(Self(words))
    }

    fn divide(self, by: u128) -> (Self, u128) {
        let mut rest = 0_u128;
        let words = self.0.map(|word| {
            let value = (rest << 64) | u128::from(word);
            rest = value % by;
            (value / by) as u64
        });
        (Self(words), rest)
    }
}

impl From<u64> for Sequence {
    fn from(number: u64) -> Self {
        Self([0, 0, number])
    }
}

impl PartialEq<u64> for Sequence {
    fn eq(&self, number: &u64) -> bool {
        *self == Self::from(*number)
    }
}

impl PartialOrd<u64> for Sequence {
    fn partial_cmp(&self, number: &u64) -> Option<std::cmp::Ordering> {
        Some(self.cmp(&Self::from(*number)))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(number) = self.as_u64() {
            return fmt::Display::fmt(&number, f);
        }
        let (rest, low) = self.divide(GROUP);
        let (rest, middle) = rest.divide(GROUP);
        let (rest, high) = rest.divide(GROUP);
        let digits = format!("{}{high:018}{middle:018}{low:018}", rest.0[2]);
        f.pad_integral(true, "", digits.trim_start_matches('0'))
    }
}

/// The text is not a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sequence number: expected decimal digits and a value below 2^192")]
pub struct SequenceError;

impl FromStr for Sequence {
    type Err = SequenceError;

    fn from_str(text: &str) -> Result<Self, SequenceError> {
        if text.is_empty() {
            return Err(SequenceError);
        }
        text.chars().try_fold(Self::default(), |number, digit| {
            let digit = digit.to_digit(10).ok_or(SequenceError)?;
            number.times_plus(10, u64::from(digit)).ok_or(SequenceError)
        })
    }
}

impl Serialize for Sequence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_u64() {
            Some(number) => serializer.serialize_u64(number),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Sequence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Sequence;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence number")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Sequence, E> {
                Ok(number.into())
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Sequence, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Number).map_err(D::Error::custom)
    }
}

/// Returns the shard of a partition key, as Kinesis does: the key's MD5 selects one of equal
/// ranges of the 128-bit numbers.
pub fn shard_of(partition_key: &str, shards: u32) -> u32 {
    let hash = u128::from_be_bytes(Md5::digest(partition_key).into());
    // The top 64 bits determine the range; the product cannot overflow u128.
    (((hash >> 64) * u128::from(shards.max(1))) >> 64) as u32
}
