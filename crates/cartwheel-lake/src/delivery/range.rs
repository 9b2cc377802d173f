//! The records of one delivery, in bounded memory.

use cartwheel_events::Record;
use cartwheel_stream::{Batch, ReadError, Rejected, Sequence, Stream};

/// Records read at once.
const BATCH: usize = 4096;
/// Bytes that a record is taken to have until one was seen.
const FIRST_GUESS: usize = 16 << 10;

/// What a shard holds between two sequence numbers.
#[derive(Debug, Default)]
pub(crate) struct Range {
    pub records: Vec<(Sequence, Record)>,
    pub rejected: Vec<Rejected>,
    /// Sequence numbers that are no longer kept.
    pub missed: u64,
    /// The range ends before it.
    pub end: Sequence,
}

impl Range {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.rejected.is_empty()
    }

    /// Takes what lies before `end` away from what was read.
    fn cut(&mut self, end: Sequence) {
        self.records.retain(|(sequence, _)| *sequence < end);
        self.rejected.retain(|rejected| rejected.sequence < end);
        self.end = end;
    }
}

/// Reads the range that was planned, all of it.
pub(crate) async fn planned(
    stream: &dyn Stream,
    shard: u32,
    from: Sequence,
    end: Sequence,
) -> Result<Range, ReadError> {
    let mut range = Range { end: from, ..Range::default() };
    let mut sizes = Sizes::default();
    while range.end < end {
        let batch = stream.read(shard, range.end, sizes.limit(usize::MAX)).await?;
        if batch.next == range.end {
            break;
        }
        sizes.add(&batch);
        range.add(batch);
    }
    range.cut(end);
    Ok(range)
}

/// Reads the next range: to the end of the shard, or until it has `max_records` records
/// or would have more than `max_bytes` bytes. It has one record at least, if there is one.
pub(crate) async fn next(
    stream: &dyn Stream,
    shard: u32,
    from: Sequence,
    max_records: usize,
    max_bytes: usize,
) -> Result<Range, ReadError> {
    let mut range = Range { end: from, ..Range::default() };
    let mut sizes = Sizes::default();
    loop {
        let count = range.records.len() + range.rejected.len();
        if count >= max_records || sizes.total >= max_bytes {
            return Ok(range);
        }
        let limit = sizes.limit(max_bytes - sizes.total).min(max_records - count);
        let batch = stream.read(shard, range.end, limit).await?;
        if batch.next == range.end {
            return Ok(range);
        }
        let over = sizes.over(&batch, max_bytes, count == 0);
        sizes.add(&batch);
        range.add(batch);
        if let Some(end) = over {
            range.cut(end);
            return Ok(range);
        }
    }
}

impl Range {
    fn add(&mut self, batch: Batch) {
        self.records.extend(batch.records);
        self.rejected.extend(batch.rejected);
        self.missed += batch.missed;
        self.end = batch.next;
    }
}

/// What the records so far take of memory.
struct Sizes {
    total: usize,
    largest: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { total: 0, largest: FIRST_GUESS }
    }
}

impl Sizes {
    /// How many more records may be read at once into that many bytes.
    fn limit(&self, bytes: usize) -> usize {
        (bytes / self.largest).clamp(1, BATCH)
    }

    fn add(&mut self, batch: &Batch) {
        for (_, size) in sizes(batch) {
            self.total += size;
            self.largest = self.largest.max(size);
        }
    }

    /// Where a batch goes over the bound, if it does. A single record may.
    fn over(&self, batch: &Batch, max_bytes: usize, is_first: bool) -> Option<Sequence> {
        let mut all: Vec<(Sequence, usize)> = sizes(batch).collect();
        all.sort_unstable();
        let mut total = self.total;
        for (at, (sequence, size)) in all.into_iter().enumerate() {
            total += size;
            if total > max_bytes && (at > 0 || !is_first) {
                return Some(sequence);
            }
        }
        None
    }
}

fn sizes(batch: &Batch) -> impl Iterator<Item = (Sequence, usize)> {
    let records = batch.records.iter().map(|(sequence, record)| (*sequence, size(record)));
    let rejected = batch.rejected.iter().map(|r| (r.sequence, r.data.len() + r.reason.len()));
    records.chain(rejected)
}

/// About what a record takes of memory, bytes.
fn size(record: &Record) -> usize {
    /// What a text or a small item takes beside its own bytes.
    const EACH: usize = 40;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    EACH * 8
        + match record {
            Record::Event(event) => {
                let ids = event.product_ids.iter().map(|id| id.as_str().len() + EACH * 2);
                ids.sum::<usize>()
                    + event.event_id.len()
                    + event.user_id.as_str().len()
                    + text(&event.session_id)
                    + text(&event.source)
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
        }
}
