//! The stream's consumer: applies the batches that Lambda delivers.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cartwheel_events::{EventRecord, Record};
use cartwheel_stream::{Position, Sequence};
use serde::{Deserialize, Serialize};

use crate::dead_letters::{DeadLetter, DeadLetters};
use crate::kinesis::shard_number;
use crate::users::Users;

/// Records of one shard, as Lambda delivers them.
#[derive(Debug, Deserialize)]
pub struct KinesisEvent {
    /// The records, in the order of the shard.
    #[serde(rename = "Records")]
    pub records: Vec<KinesisEventRecord>,
}

/// A record with its position.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KinesisEventRecord {
    /// `shardId-000000000000:<sequence number>`.
    #[serde(rename = "eventID")]
    pub event_id: String,
    /// The record as Kinesis stores it.
    pub kinesis: KinesisData,
}

/// A record as Kinesis stores it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KinesisData {
    /// Its bytes, Base64.
    pub data: String,
    /// Its sequence number.
    pub sequence_number: String,
}

/// The answer to a batch. Lambda delivers the batch again from the first of these records.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAnswer {
    /// Empty when all records are applied.
    pub batch_item_failures: Vec<ItemFailure>,
}

/// A record that Lambda has to deliver again.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// Its sequence number.
    pub item_identifier: String,
}

/// The result of a batch.
#[derive(Debug, Default)]
pub struct Consumed {
    /// The answer to Lambda.
    pub answer: BatchAnswer,
    /// Number of events applied now or before, by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Number of records sent to the dead letters.
    pub poison: u64,
    /// Why records have to be delivered again.
    pub error: Option<String>,
}

/// Applies a batch to the sessions. A record that cannot be parsed goes to the dead letters,
/// so that it does not block its shard. When the table or the queue fails, Lambda delivers
/// the batch again from that record; applying a record again changes nothing.
pub async fn consume(users: &Users, dead_letters: &DeadLetters, event: &KinesisEvent) -> Consumed {
    let mut consumed = Consumed::default();
    let mut again: Option<Sequence> = None;
    let mut fail = |sequence: Sequence, error: String| {
        again = Some(again.map_or(sequence, |first| first.min(sequence)));
        consumed.error.get_or_insert(error);
    };
    let mut records: Vec<(Position, EventRecord)> = Vec::with_capacity(event.records.len());
    let mut unsent = false;
    for incoming in &event.records {
        match read(incoming) {
            Ok((position, Record::Event(record))) => records.push((position, record)),
            Ok((_, Record::Impression(_) | Record::Product(_))) => {}
            Err((sequence, reason)) => {
                let letter = DeadLetter {
                    reason: &reason,
                    record: &incoming.event_id,
                    data: &incoming.kinesis.data,
                };
                match dead_letters.send(&letter).await {
                    Ok(()) => consumed.poison += 1,
                    Err(error) => {
                        fail(sequence, error);
                        unsent = true;
                    }
                }
            }
        }
        if unsent {
            break;
        }
    }
    for unapplied in users.consume(&records).await {
        fail(unapplied.first.sequence, unapplied.error.to_string());
    }
    let first = again.unwrap_or(Sequence::from(0));
    for (position, record) in &records {
        if again.is_none() || position.sequence < first {
            *consumed.events.entry(record.event.as_str()).or_default() += 1;
        }
    }
    let failures = again.map(|first| ItemFailure { item_identifier: first.to_string() });
    consumed.answer.batch_item_failures = failures.into_iter().collect();
    consumed
}

fn read(incoming: &KinesisEventRecord) -> Result<(Position, Record), (Sequence, String)> {
    let sequence: Sequence = incoming.kinesis.sequence_number.parse().unwrap_or_default();
    let shard = incoming.event_id.split(':').next().and_then(shard_number).unwrap_or(0);
    let bytes = STANDARD.decode(&incoming.kinesis.data).map_err(|e| (sequence, e.to_string()))?;
    let record = Record::from_slice(&bytes).map_err(|e| (sequence, e.to_string()))?;
    Ok((Position { shard, sequence }, record))
}
