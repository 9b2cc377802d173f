//! Places in a stream.

use md5::{Digest, Md5};

/// Where a record lies in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Shard of the user.
    pub shard: u32,
    /// Sequence number: it grows within a shard, and may leave numbers out.
    pub sequence: u64,
}

impl Position {
    /// `<shard>-<sequence>`, the id of a record.
    pub fn record_id(self) -> String {
        format!("{}-{}", self.shard, self.sequence)
    }

    /// `shardId-000000000003`, a shard as Kinesis names it.
    pub fn shard_id(self) -> String {
        format!("shardId-{:012}", self.shard)
    }

    /// The position that [`Position::record_id`] wrote.
    pub fn parse(record_id: &str) -> Option<Self> {
        let (shard, sequence) = record_id.split_once('-')?;
        Some(Self { shard: shard.parse().ok()?, sequence: sequence.parse().ok()? })
    }
}

/// The shard of a partition key, as Kinesis finds it: the key's MD5 in equal
/// ranges of the 128-bit numbers.
pub fn shard_of(partition_key: &str, shards: u32) -> u32 {
    let hash = u128::from_be_bytes(Md5::digest(partition_key).into());
    // The top 64 bits tell the range; a product in u128 cannot overflow.
    (((hash >> 64) * u128::from(shards.max(1))) >> 64) as u32
}
