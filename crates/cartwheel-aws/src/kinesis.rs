//! The stream on Kinesis.
//!
//! `PutRecords` does not keep the order when it stores some records of a request and
//! refuses others. A request therefore has at most one record of a user. The user's next
//! record follows once that one is stored, and is not stored after one that was refused.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aws_sdk_firehose as firehose;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType};
use cartwheel_events::Record;
use cartwheel_stream::{Batch, Pending, Position, PutError, ReadError, Sequence, Stream};
use parking_lot::Mutex;

use crate::retry::{TRIES, is_throttled, pause, text};

/// Most records of one `PutRecords`.
const MAX_RECORDS: usize = 500;
/// Largest record with its partition key, in bytes.
const MAX_RECORD: usize = 1 << 20;
/// Largest request, in bytes: a little under the service's 5 MiB.
const MAX_REQUEST: usize = 5_000_000;
/// Time between two reads of an idle shard: Kinesis allows five reads a second.
const POLL: Duration = Duration::from_millis(250);
/// Most records of one `GetRecords`.
const MAX_READ: usize = 10_000;

/// A Kinesis data stream. Impressions go to Firehose if a delivery stream is named.
#[derive(Debug)]
pub struct KinesisStream {
    client: Client,
    name: String,
    shards: u32,
    impressions: Option<(firehose::Client, String)>,
    /// By shard, an iterator and the sequence number that it continues from.
    iterators: Mutex<HashMap<u32, (Sequence, String)>>,
}

/// A record that is not stored yet.
struct Waiting {
    index: usize,
    /// The partition key: a user, or a product.
    key: String,
    data: Vec<u8>,
    tries: u32,
}

impl KinesisStream {
    /// The stream with this name, for putting records.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        let iterators = Mutex::default();
        Self { client, name: name.into(), shards: 0, impressions: None, iterators }
    }

    /// Puts impressions to this Firehose delivery stream.
    #[must_use]
    pub fn impressions_to(mut self, client: firehose::Client, name: impl Into<String>) -> Self {
        self.impressions = Some((client, name.into()));
        self
    }

    /// Lists the shards, so that they can be read. Shards have the numbers that Kinesis gives
    /// them; shards that were split or merged and have expired read as empty.
    ///
    /// # Errors
    /// When the stream cannot be described.
    pub async fn listed(mut self) -> Result<Self, ReadError> {
        let mut token: Option<String> = None;
        loop {
            let request = self.client.list_shards();
            let request = match &token {
                Some(token) => request.next_token(token),
                None => request.stream_name(&self.name),
            };
            let page = request.send().await.map_err(|e| ReadError::Failed(text(&e)))?;
            for shard in page.shards() {
                self.shards = self.shards.max(shard_number(shard.shard_id()).map_or(0, |n| n + 1));
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(self);
            }
        }
    }

    async fn put_events(
        &self,
        mut waiting: Vec<Waiting>,
    ) -> Vec<(usize, Result<Position, PutError>)> {
        let mut results = Vec::with_capacity(waiting.len());
        let mut refused: HashMap<String, PutError> = HashMap::new();
        while !waiting.is_empty() {
            // To keep the order, records after a refused record are refused too.
            waiting.retain(|record| match refused.get(&record.key) {
                Some(error) => {
                    results.push((record.index, Err(error.clone())));
                    false
                }
                None => true,
            });
            let (wave, rest) = wave(waiting);
            waiting = rest;
            if wave.is_empty() {
                continue;
            }
            let tried = wave.iter().map(|record| record.tries).max().unwrap_or(0);
            if tried > 0 {
                pause(tried).await;
            }
            let answers = self.put_wave(&wave).await;
            let mut again = Vec::new();
            for (mut record, answer) in wave.into_iter().zip(answers) {
                record.tries += 1;
                match answer {
                    Ok(position) => results.push((record.index, Ok(position))),
                    Err(error) if record.tries >= TRIES => {
                        results.push((record.index, Err(error.clone())));
                        refused.insert(record.key, error);
                    }
                    Err(_) => again.push(record),
                }
            }
            // They precede the user's other records.
            again.append(&mut waiting);
            waiting = again;
        }
        results
    }

    /// Sends one request. Returns one answer for each record.
    async fn put_wave(&self, wave: &[Waiting]) -> Vec<Result<Position, PutError>> {
        let entries = wave.iter().map(|record| {
            let data = Blob::new(record.data.clone());
            PutRecordsRequestEntry::builder().partition_key(&record.key).data(data).build()
        });
        let entries: Result<Vec<_>, _> = entries.collect();
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return vec![Err(PutError::Failed(error.to_string())); wave.len()],
        };
        let request = self.client.put_records().stream_name(&self.name);
        let output = match request.set_records(Some(entries)).send().await {
            Ok(output) => output,
            Err(error) => {
                let throttled = is_throttled(&error);
                let failed = || PutError::Failed(text(&error));
                let error = if throttled { PutError::Throttled } else { failed() };
                return vec![Err(error); wave.len()];
            }
        };
        let mut answers: Vec<_> = output.records().iter().map(position).collect();
        let missing = || Err(PutError::Failed("Kinesis did not answer for a record".to_owned()));
        answers.resize_with(wave.len(), missing);
        answers
    }

    async fn put_impressions(
        &self,
        records: Vec<(usize, Vec<u8>)>,
    ) -> Vec<(usize, Result<Position, PutError>)> {
        let nowhere = Position { shard: 0, sequence: Sequence::default() };
        let Some((client, name)) = &self.impressions else { return Vec::new() };
        let mut results = Vec::with_capacity(records.len());
        for chunk in records.chunks(MAX_RECORDS) {
            let mut left: Vec<&(usize, Vec<u8>)> = chunk.iter().collect();
            for n in 1..=TRIES {
                let entry = |(_, data): &&(usize, Vec<u8>)| {
                    let data = firehose::primitives::Blob::new(data.clone());
                    firehose::types::Record::builder().data(data).build().ok()
                };
                let entries = Some(left.iter().filter_map(entry).collect());
                let request = client.put_record_batch().delivery_stream_name(name);
                let request = request.set_records(entries);
                let stored: HashSet<usize> = match request.send().await {
                    Ok(output) => {
                        let answers = left.iter().zip(output.request_responses());
                        let stored = answers.filter(|(_, answer)| answer.error_code().is_none());
                        stored.map(|((index, _), _)| *index).collect()
                    }
                    Err(error) => {
                        tracing::warn!(error = text(&error), "impressions were not put");
                        HashSet::new()
                    }
                };
                results.extend(stored.iter().map(|&index| (index, Ok(nowhere))));
                left.retain(|(index, _)| !stored.contains(index));
                if left.is_empty() {
                    break;
                }
                if n < TRIES {
                    pause(n).await;
                }
            }
            results.extend(left.iter().map(|(index, _)| (*index, Err(PutError::Throttled))));
        }
        results
    }

    async fn iterator(&self, shard: u32, from: Sequence) -> Result<Option<String>, ReadError> {
        let kept = self.iterators.lock().remove(&shard);
        if let Some((_, iterator)) = kept.filter(|(next, _)| *next == from) {
            return Ok(Some(iterator));
        }
        let place = Position { shard, sequence: from };
        let request = self.client.get_shard_iterator().stream_name(&self.name);
        let request = request.shard_id(place.shard_id());
        let request = match from.previous() {
            None => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Some(last) => request
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(last.to_string()),
        };
        match request.send().await {
            Ok(output) => Ok(output.shard_iterator().map(str::to_owned)),
            Err(error) => {
                let expired =
                    error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception());
                if expired && shard < self.shards {
                    return Ok(None);
                }
                Err(ReadError::Failed(text(&error)))
            }
        }
    }

    async fn read_on(&self, shard: u32, from: Sequence, limit: usize) -> Result<Batch, ReadError> {
        let mut batch = Batch { next: from, ..Batch::default() };
        let mut iterator = self.iterator(shard, from).await?;
        let mut fresh = true;
        while let Some(current) = iterator {
            let limit = i32::try_from(limit.min(MAX_READ)).unwrap_or(1).max(1);
            let output = match self
                .client
                .get_records()
                .shard_iterator(&current)
                .limit(limit)
                .send()
                .await
            {
                Ok(output) => output,
                // A kept iterator expires after five minutes.
                Err(error)
                    if fresh
                        && error
                            .as_service_error()
                            .is_some_and(|e| e.is_expired_iterator_exception()) =>
                {
                    fresh = false;
                    iterator = self.iterator(shard, from).await?;
                    continue;
                }
                Err(error) => return Err(ReadError::Failed(text(&error))),
            };
            for record in output.records() {
                let Ok(sequence) = record.sequence_number().parse::<Sequence>() else { continue };
                batch.next = sequence.next();
                batch.add(sequence, record.data().as_ref());
            }
            iterator = output.next_shard_iterator().map(str::to_owned);
            // An empty answer is the end of a shard only if no records follow.
            if batch.next != from || output.millis_behind_latest() == Some(0) {
                break;
            }
        }
        if let Some(iterator) = iterator {
            let mut iterators = self.iterators.lock();
            iterators.insert(shard, (batch.next, iterator));
        }
        Ok(batch)
    }
}

/// Splits off the first record of each user, in order, as far as they fit a request.
fn wave(waiting: Vec<Waiting>) -> (Vec<Waiting>, Vec<Waiting>) {
    let mut users: HashSet<String> = HashSet::new();
    let mut bytes = 0;
    waiting.into_iter().partition(|record| {
        let size = record.data.len() + record.key.len();
        let first = users.insert(record.key.clone());
        let fits = users.len() <= MAX_RECORDS && bytes + size <= MAX_REQUEST;
        if first && fits {
            bytes += size;
        }
        first && fits
    })
}

fn position(entry: &aws_sdk_kinesis::types::PutRecordsResultEntry) -> Result<Position, PutError> {
    if let Some(code) = entry.error_code() {
        if code.contains("Throughput") {
            return Err(PutError::Throttled);
        }
        let message = entry.error_message().unwrap_or_default();
        return Err(PutError::Failed(format!("{code}: {message}")));
    }
    let shard = entry.shard_id().and_then(shard_number);
    let sequence = entry.sequence_number().and_then(|number| number.parse().ok());
    match (shard, sequence) {
        (Some(shard), Some(sequence)) => Ok(Position { shard, sequence }),
        _ => Err(PutError::Failed("Kinesis returned no position".to_owned())),
    }
}

/// The number in `shardId-000000000003`.
pub(crate) fn shard_number(shard_id: &str) -> Option<u32> {
    shard_id.strip_prefix("shardId-")?.parse().ok()
}

impl Stream for KinesisStream {
    fn shards(&self) -> u32 {
        self.shards
    }

    fn put(&self, records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>> {
        Box::pin(async move {
            let count = records.len();
            let mut results: Vec<(usize, Result<Position, PutError>)> = Vec::with_capacity(count);
            let (mut events, mut impressions) = (Vec::new(), Vec::new());
            for (index, record) in records.into_iter().enumerate() {
                let (key, data) = (record.partition_key().into_owned(), record.to_vec());
                if data.len() + key.len() > MAX_RECORD {
                    results.push((index, Err(PutError::TooLarge)));
                } else if matches!(record, Record::Impression(_)) && self.impressions.is_some() {
                    impressions.push((index, data));
                } else {
                    events.push(Waiting { index, key, data, tries: 0 });
                }
            }
            results.extend(self.put_events(events).await);
            results.extend(self.put_impressions(impressions).await);
            results.sort_by_key(|(index, _)| *index);
            results.into_iter().map(|(_, result)| result).collect()
        })
    }

    fn read(
        &self,
        shard: u32,
        from: Sequence,
        limit: usize,
    ) -> Pending<'_, Result<Batch, ReadError>> {
        Box::pin(self.read_on(shard, from, limit))
    }

    fn wait(&self, _shard: u32, _from: Sequence) -> Pending<'_, ()> {
        Box::pin(tokio::time::sleep(POLL))
    }
}
