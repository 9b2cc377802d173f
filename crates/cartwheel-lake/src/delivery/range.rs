//! Reading the records of one delivery in bounded memory.

use std::sync::Arc;

use cartwheel_events::Record;
use cartwheel_stream::{Batch, ReadError, Rejected, Sequence, Stream};
use serde_json::Value;

/// Maximum number of records read at once.
const BATCH: usize = 4096;
/// The assumed size of a record in bytes before the first one is read.
const FIRST_GUESS: usize = 16 << 10;

/// The records of a shard in a range of sequence numbers.
#[derive(Debug, Default)]
pub(super) struct Range {
    pub records: Vec<(Sequence, Arc<Record>)>,
    /// Malformed records.
    pub rejected: Vec<Rejected>,
    /// Sequence numbers whose records the stream no longer retains.
    pub missed: u64,
    /// The end of the range, exclusive.
    pub end: Sequence,
}

impl Range {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.rejected.is_empty()
    }

    fn add(&mut self, batch: Batch) {
        self.records.extend(batch.records);
        self.rejected.extend(batch.rejected);
        self.missed += batch.missed;
        self.end = batch.next;
    }

    /// Shortens the range so that it ends before `end`.
    fn truncate(&mut self, end: Sequence) {
        self.records.retain(|(sequence, _)| *sequence < end);
        self.rejected.retain(|rejected| rejected.sequence < end);
        self.end = end;
    }
}

/// A range that is being read: from a sequence number on, up to the end that was planned for it, if
/// any. It ends before after `max_records` records, or before it would exceed `max_bytes` bytes, but has
/// at least one record if there is one.
#[derive(Debug)]
pub(super) struct Reading {
    shard: u32,
    from: Sequence,
    planned: Option<Sequence>,
    max_records: usize,
    max_bytes: usize,
    range: Range,
    memory: Memory,
}

impl Reading {
    pub(super) fn new(
        shard: u32,
        (from, planned): (Sequence, Option<Sequence>),
        max_records: usize,
        max_bytes: usize,
    ) -> Self {
        let range = Range { end: from, ..Range::default() };
        Self { shard, from, planned, max_records, max_bytes, range, memory: Memory::default() }
    }

    /// Whether this is still the range to be read: a failed delivery leaves a plan, and the next one
    /// has to end where it says.
    pub(super) fn continues(&self, (from, planned): (Sequence, Option<Sequence>)) -> bool {
        (self.from, self.planned) == (from, planned)
    }

    /// The end of what is read, exclusive.
    pub(super) fn end(&self) -> Sequence {
        self.range.end
    }

    /// The approximate memory of what is read, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.memory.total
    }

    /// Reads what the shard holds by now. Returns whether the range is full.
    pub(super) async fn go_on(&mut self, stream: &dyn Stream) -> Result<bool, ReadError> {
        let Self { range, memory, planned, max_records, max_bytes, .. } = self;
        loop {
            let count = range.records.len() + range.rejected.len();
            if let Some(end) = planned.filter(|end| *end <= range.end) {
                range.truncate(end);
                return Ok(true);
            }
            if count >= *max_records || memory.total >= *max_bytes {
                return Ok(true);
            }
            let limit = memory.limit(*max_bytes - memory.total).min(*max_records - count);
            let batch = stream.read(self.shard, range.end, limit).await?;
            if batch.next == range.end {
                return Ok(false);
            }
            let excess = memory.first_excess(&batch, *max_bytes, count == 0);
            memory.add(&batch);
            range.add(batch);
            if let Some(end) = excess {
                range.truncate(planned.map_or(end, |planned| end.min(planned)));
                return Ok(true);
            }
        }
    }

    /// What is read.
    pub(super) fn into_range(self) -> Range {
        self.range
    }
}

/// The memory that the records read so far take, in bytes.
#[derive(Debug)]
struct Memory {
    total: usize,
    /// The largest record.
    largest: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self { total: 0, largest: FIRST_GUESS }
    }
}

impl Memory {
    /// How many more records may be read at once into that many bytes.
    fn limit(&self, bytes: usize) -> usize {
        (bytes / self.largest).clamp(1, BATCH)
    }

    fn add(&mut self, batch: &Batch) {
        for RecordSize { bytes, .. } in record_sizes(batch) {
            self.total += bytes;
            self.largest = self.largest.max(bytes);
        }
    }

    /// The first record of a batch that exceeds the bound. The first record of a range never
    /// does.
    fn first_excess(&self, batch: &Batch, max_bytes: usize, is_first: bool) -> Option<Sequence> {
        let mut sizes: Vec<RecordSize> = record_sizes(batch).collect();
        sizes.sort_unstable_by_key(|size| size.sequence);
        let mut total = self.total;
        for (at, RecordSize { sequence, bytes }) in sizes.into_iter().enumerate() {
            total += bytes;
            if total > max_bytes && (at > 0 || !is_first) {
                return Some(sequence);
            }
        }
        None
    }
}

/// The approximate memory that a record takes.
struct RecordSize {
    sequence: Sequence,
    bytes: usize,
}

fn record_sizes(batch: &Batch) -> impl Iterator<Item = RecordSize> {
    let records = batch.records.iter();
    let records = records
        .map(|(sequence, record)| RecordSize { sequence: *sequence, bytes: memory_of(record) });
    let rejected = batch.rejected.iter().map(|rejected| RecordSize {
        sequence: rejected.sequence,
        bytes: rejected.data.len() + rejected.reason.len(),
    });
    records.chain(rejected)
}

/// The approximate memory that a record takes, in bytes.
fn memory_of(record: &Record) -> usize {
    /// The memory of a text or a small item beside its own bytes.
    const EACH: usize = 40;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    EACH * 8
        + match record {
            Record::Event(event) => {
                let ids = event.product_ids.iter().map(|id| id.as_str().len() + EACH * 2);
                ids.sum::<usize>()
                    + event.event_id.len()
                    + event.user_id.as_str().len()
                    + text(&event.anonymous_id)
                    + text(&event.session_id)
                    + text(&event.source)
                    + text(&event.query)
                    + text(&event.recommendation_id)
            }
            Record::Impression(shown) => {
                let cart = shown.cart.iter().map(|id| id.as_str().len() + EACH);
                let items = shown.shown.iter();
                let items = items.map(|i| i.product_id.as_str().len() + i.source.len() + EACH * 2);
                cart.chain(items).sum::<usize>()
                    + shown.recommendation_id.len()
                    + shown.user_id.as_str().len()
                    + shown.release.len()
            }
            Record::Product(change) => {
                change.product_id.as_str().len()
                    + change.product.as_ref().map_or(0, |product| memory_of_json(product, EACH))
            }
        }
}

/// The approximate memory of a JSON value; `each` bytes for each value beside its own text.
fn memory_of_json(value: &Value, each: usize) -> usize {
    each + match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(|value| memory_of_json(value, each)).sum(),
        Value::Object(map) => {
            map.iter().map(|(name, value)| name.len() + each + memory_of_json(value, each)).sum()
        }
        _ => 0,
    }
}
