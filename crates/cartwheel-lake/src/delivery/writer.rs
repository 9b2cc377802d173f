//! Writing the parts of a range.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

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
        // If the stream has lost records since the first attempt, or may have, the files of that
        // attempt hold more records and are kept.
        let keeps_existing = is_repeated && (missed > 0 || plan.is_repair);
        let last = end.previous().unwrap_or_default();
        let name = PartName { shard, first: plan.next, last };
        let EncodedRange { mut files, poison } = self.encode(&name, &records);
        let mut poison: Vec<PoisonRecord> =
            rejected.into_iter().map(PoisonRecord::from).chain(poison).collect();
        poison.sort_by_key(|record| record.sequence);
        for PoisonRecord { sequence, reason, .. } in &poison {
            tracing::error!(shard, %sequence, reason, "a record goes to errors/");
        }
        let errors = (!poison.is_empty()).then(|| {
            // A malformed record has no time, so the part gets the time of the plan, which is the
            // same at every attempt.
            let hour = hour_folder(plan.planned_at_ms.unwrap_or_default());
            format!("errors/{hour}/{}", name.file(Format::Ndjson))
        });
        if let Some(path) = errors.clone() {
            files.push(EncodedFile { path, content: encode_lines(shard, &poison)? });
        }
        let mut rejected = 0;
        for EncodedFile { path, content } in files {
            let is_new = self.put(&path, content, keeps_existing).await?;
            if is_repeated {
                self.lake.sync_folders(Path::new(&path))?;
            }
            if is_new {
                rejected += if errors.as_ref() == Some(&path) { poison.len() as u64 } else { 0 };
                let file = DeliveredFile { shard, first: name.first, last: name.last, path };
                self.status.add(file, self.clock.now_ms());
            }
        }
        tracing::debug!(shard, records = records.len(), "delivered");
        Ok(rejected)
    }

    /// Encodes the records of a range by table and hour.
    fn encode(&self, name: &PartName, records: &[(Sequence, Arc<Record>)]) -> EncodedRange {
        let mut events = ByHour::default();
        let mut impressions = ByHour::default();
        let mut products = ByHour::default();
        let shard = name.shard;
        for (sequence, record) in records {
            let sequence = *sequence;
            match &**record {
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

    /// Writes a part. Returns false if it exists and is kept.
    async fn put(
        &self,
        path: &str,
        content: Bytes,
        keeps_existing: bool,
    ) -> Result<bool, DeliveryError> {
        let mode = if keeps_existing { PutMode::Create } else { PutMode::Overwrite };
        let (key, payload) = (Key::from(path), PutPayload::from_bytes(content));
        match self.lake.store().put_opts(&key, payload, PutOptions::from(mode)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
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
