//! Writing the parts of a range.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bytes::Bytes;
use cartwheel_ambient::Clock;
use cartwheel_events::{EventRecord, Impression, ProductRecord, Record};
use cartwheel_stream::Sequence;
use object_store::path::Path as Key;
use object_store::{ObjectStore, PutMode, PutOptions, PutPayload};

use crate::delivery::bisect::encode_or_bisect;
use crate::delivery::checkpoint::ShardProgress;
use crate::delivery::encode::{StreamRow, encode_events, encode_impressions};
use crate::delivery::encode_products::encode_products;
use crate::delivery::error::DeliveryError;
use crate::delivery::poison::{PoisonRecord, encode_lines};
use crate::delivery::range::Range;
use crate::delivery::status::{DeliveredFile, DeliveryStatus};
use crate::files::format::Format;
use crate::files::partition::hour_folder;
use crate::files::parts::PartName;
use crate::lake::Lake;

type Encode<T> = for<'a, 'b> fn(&'a [StreamRow<'b, T>]) -> io::Result<Bytes>;

/// The encoders of parts. Tests replace them with failing ones.
#[derive(Clone, Copy)]
pub(crate) struct Encoders {
    pub events: Encode<EventRecord>,
    pub impressions: Encode<Impression>,
    pub products: Encode<ProductRecord>,
}

impl Default for Encoders {
    fn default() -> Self {
        Self { events: encode_events, impressions: encode_impressions, products: encode_products }
    }
}

/// A range whose delivery is planned in the checkpoint.
pub(super) struct PlannedRange {
    pub shard: u32,
    pub plan: ShardProgress,
    pub range: Range,
    /// Whether an earlier attempt may have written some of the parts.
    pub is_repeated: bool,
}

/// A writer of ranges into the lake.
pub(crate) struct RangeWriter {
    pub(super) lake: Lake,
    pub(super) clock: Clock,
    pub(super) status: DeliveryStatus,
    pub(crate) encoders: Encoders,
}

/// The encoded parts of a range.
#[derive(Default)]
struct EncodedRange {
    files: Vec<EncodedFile>,
    poison: Vec<PoisonRecord>,
}

struct EncodedFile {
    /// The file's path in the lake.
    path: String,
    content: Bytes,
}

impl RangeWriter {
    /// Writes the parts of a range, by table and hour, and returns how many records went to
    /// `errors/`.
    pub(super) async fn write(&self, planned: PlannedRange) -> Result<u64, DeliveryError> {
        let PlannedRange { shard, plan, range, is_repeated } = planned;
        let Range { records, rejected, missed, end } = range;
        let last = end.previous().unwrap_or_default();
        let name = PartName { shard, first: plan.next, last };
        let EncodedRange { mut files, poison } = self.encode(&name, &records);
        let mut poison: Vec<PoisonRecord> =
            rejected.into_iter().map(PoisonRecord::from).chain(poison).collect();
        poison.sort_by_key(|record| record.sequence);
        for PoisonRecord { sequence, reason, .. } in &poison {
            tracing::error!(shard, %sequence, reason, "a record goes to errors/");
        }
        if !poison.is_empty() {
            // A malformed record has no time, so the part gets the time of the plan, which is the
            // same at every attempt.
            let hour = hour_folder(plan.planned_at_ms.unwrap_or_default());
            let path = format!("errors/{hour}/{}", name.file(Format::Ndjson));
            files.push(EncodedFile { path, content: encode_lines(shard, &poison)? });
        }
        for EncodedFile { path, content } in files {
            self.put(&path, content, is_repeated, missed).await?;
            let file = DeliveredFile { shard, first: name.first, last: name.last, path };
            self.status.add(file, self.clock.now_ms());
        }
        tracing::debug!(shard, records = records.len(), "delivered");
        Ok(poison.len() as u64)
    }

    /// Encodes the records of a range by table and hour.
    fn encode(&self, name: &PartName, records: &[(Sequence, Record)]) -> EncodedRange {
        let mut events = ByHour::default();
        let mut impressions = ByHour::default();
        let mut products = ByHour::default();
        let shard = name.shard;
        for (sequence, record) in records {
            let sequence = *sequence;
            match record {
                Record::Event(event) => events
                    .entry(hour_folder(event.received_at_ms))
                    .or_default()
                    .push(StreamRow { shard, sequence, record: event }),
                Record::Impression(shown) => impressions
                    .entry(hour_folder(shown.received_at_ms))
                    .or_default()
                    .push(StreamRow { shard, sequence, record: shown }),
                Record::Product(change) => products
                    .entry(hour_folder(change.received_at_ms))
                    .or_default()
                    .push(StreamRow { shard, sequence, record: change }),
            }
        }
        let mut out = EncodedRange::default();
        let file = name.file(Format::Parquet);
        out.add("events", &file, &events, self.encoders.events, Record::Event);
        out.add("impressions", &file, &impressions, self.encoders.impressions, Record::Impression);
        out.add("catalogue", &file, &products, self.encoders.products, Record::Product);
        out
    }

    async fn put(
        &self,
        path: &str,
        content: Bytes,
        is_repeated: bool,
        missed: u64,
    ) -> Result<(), DeliveryError> {
        // If retention removed records since the first attempt, the file of that attempt holds
        // more records and is kept.
        let keeps_existing = is_repeated && missed > 0;
        let mode = if keeps_existing { PutMode::Create } else { PutMode::Overwrite };
        let (key, payload) = (Key::from(path), PutPayload::from_bytes(content));
        match self.lake.store().put_opts(&key, payload, PutOptions::from(mode)).await {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if is_repeated {
            self.lake.sync_folders(Path::new(path))?;
        }
        Ok(())
    }
}

/// The rows of a table, by the folder of their hour.
type ByHour<'a, T> = BTreeMap<String, Vec<StreamRow<'a, T>>>;

impl EncodedRange {
    /// Encodes the rows of a table as one file per hour, named `file`.
    fn add<T: Clone>(
        &mut self,
        table: &str,
        file: &str,
        hours: &ByHour<'_, T>,
        encode: Encode<T>,
        to_record: fn(T) -> Record,
    ) {
        for (hour, rows) in hours {
            let encoded = encode_or_bisect(rows, encode);
            let path = format!("{table}/{hour}/{file}");
            self.files.extend(encoded.part.map(|content| EncodedFile { path, content }));
            self.poison.extend(encoded.failed.into_iter().map(|failed| PoisonRecord {
                sequence: failed.row.sequence,
                reason: failed.reason,
                attempts: failed.attempts,
                data: to_record(failed.row.record.clone()).to_vec(),
            }));
        }
    }
}
