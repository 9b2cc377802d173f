//! Importing: all sources are read first, then their lines are put together and written, and at
//! last the import becomes visible as a whole.

use std::ops::Range;

use cartwheel_files::Partitions;
use cartwheel_lake::{ImportKind, ImportSummary, Lake, NewImport, Started};
use parking_lot::Mutex;
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::assemble::{Assembled, Assembly, Records};
use crate::error::ImportError;
use crate::options::Options;
use crate::preview::Preview;
use crate::read::{Begun, Reading, read};
use crate::source::Source;
use crate::spill;

/// Bytes of the sources for each partition.
const PARTITION_BYTES: u64 = 64 << 20;
/// How much larger lines are than the compressed file that they come from, at most usually.
const INFLATION: u64 = 6;
/// Bytes of lines that become one part, at least.
const PART_BYTES: u64 = 32 << 20;
/// Reasons that the error of too many rejected rows names.
const REASONS: usize = 3;

/// The progress of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportStep {
    /// The sources are read.
    Read {
        /// Bytes read, before decompression.
        bytes: u64,
        /// Bytes of all sources. `None` if one of them is standard input.
        total: Option<u64>,
    },
    /// Orders and events are written.
    Write {
        /// Parts written.
        done: u64,
        /// All parts.
        total: u64,
    },
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Imported {
    /// The import's counts.
    #[serde(flatten)]
    pub summary: ImportSummary,
    /// What lines became. `None` if the same import was made before.
    pub assembled: Option<Assembled>,
    /// How the sources were understood.
    pub understood: Preview,
}

/// Imports the sources. The lake changes at the end, all at once or not at all.
///
/// # Errors
/// When a source cannot be read as a whole, its columns cannot be understood, too many rows are
/// rejected, or the lake cannot be written. The lake is then unchanged.
pub fn import(
    lake: &Lake,
    sources: &[Source],
    options: &Options,
    progress: &mut (dyn FnMut(ImportStep) + Send),
) -> Result<Imported, ImportError> {
    let total: Option<u64> = sources.iter().map(Source::bytes).sum();
    let partitions = Partitions::create(lake.dir(), partition_count(total))?;
    let mut tick = |bytes: u64| progress(ImportStep::Read { bytes, total });
    let begun = Begun::new(sources, options)?;
    let plan = begun.plan()?;
    let reading = read(begun, plan, Some(&partitions), &mut tick)?;
    check(&reading, options)?;
    let services = reading.tally.products.service_codes(&options.services, &options.products);
    let understood = Preview::of(&reading, services);
    let id = import_id(&reading, options);
    let new = match NewImport::start(lake, &id, ImportKind::History, options.earlier)? {
        Started::Unchanged(summary) => {
            return Ok(Imported { summary, assembled: None, understood });
        }
        Started::New(new) => new,
    };
    let Reading { plan, tally, .. } = reading;
    let codes: FxHashSet<&str> =
        understood.service_codes.iter().map(|code| code.product_id.as_str()).collect();
    let assembly = Assembly { order_by: plan.order_by, times: &plan.rules.times, services: &codes };
    let assembled = write(&new, &partitions, &assembly, progress)?;
    let mut rejected = tally.rejected_rows;
    rejected.sort_by(|a, b| {
        let line = |row: &cartwheel_lake::RejectedRow| row.line.parse::<u64>().unwrap_or(0);
        a.file.cmp(&b.file).then(line(a).cmp(&line(b)))
    });
    let products = tally.products.into_rows(&codes);
    let summary = ImportSummary {
        orders: assembled.orders,
        lines: assembled.lines,
        users: assembled.users,
        products: products.len() as u64,
        events: assembled.events,
        baskets: assembled.baskets,
        rejected: tally.rejected,
        ..ImportSummary::default()
    };
    new.write_products(products)?;
    let summary = new.commit(summary, &rejected)?;
    Ok(Imported { summary, assembled: Some(assembled), understood })
}

fn partition_count(total: Option<u64>) -> usize {
    // Each partition is an open file.
    let most = 768;
    match total {
        Some(bytes) => (bytes * INFLATION / PARTITION_BYTES).clamp(16, most) as usize,
        None => 256,
    }
}

/// Checks that there is something to import, and that not too much was rejected.
fn check(reading: &Reading, options: &Options) -> Result<(), ImportError> {
    let tally = &reading.tally;
    if tally.rejected as f64 * 100.0 > tally.rows as f64 * options.max_rejects {
        let reasons = tally.reasons();
        let text = |r: &crate::tally::Reason| format!("{} × {} ({})", r.rows, r.reason, r.example);
        return Err(ImportError::TooManyRejects {
            rejected: tally.rejected,
            rows: tally.rows,
            percent: options.max_rejects,
            reasons: reasons.iter().take(REASONS).map(text).collect::<Vec<_>>().join("; "),
        });
    }
    if tally.lines == 0 {
        let names: Vec<&str> = tally.other_events.keys().map(String::as_str).collect();
        let hint = if names.is_empty() {
            String::new()
        } else {
            format!(
                ": no kind of event is understood of {}; name them in a mapping under [events]",
                names.join(", ")
            )
        };
        return Err(ImportError::Empty(hint));
    }
    Ok(())
}

/// The id of an import: a hash of the sources' content and of everything that decides how it is
/// read.
fn import_id(reading: &Reading, options: &Options) -> String {
    let mut hash = Sha256::new();
    hash.update(&reading.digest);
    hash.update(reading.plan.mapping().to_text());
    let Options { content, header, services, products, .. } = options;
    hash.update(format!("{content:?} {header:?} {services:?} {products:?}"));
    hex::encode(&hash.finalize()[..8])
}

/// Puts the lines of all partitions together and writes them, on all threads.
fn write(
    new: &NewImport,
    partitions: &Partitions,
    assembly: &Assembly<'_>,
    progress: &mut (dyn FnMut(ImportStep) + Send),
) -> Result<Assembled, ImportError> {
    let parts = parts(partitions)?;
    let total = parts.len() as u64;
    let progress = Mutex::new((0, progress));
    let all = Mutex::new(Assembled::default());
    parts.into_par_iter().enumerate().try_for_each(|(number, part)| {
        let mut records = Records::default();
        for partition in part {
            let bytes = partitions.read(partition)?;
            records.append(assembly.records(spill::lines(&bytes)?));
        }
        if !records.events.is_empty() {
            new.write_events(number, &records.events)?;
        }
        if !records.baskets.is_empty() {
            new.write_baskets(number, &records.baskets)?;
        }
        all.lock().add(&records.counts);
        let (done, progress) = &mut *progress.lock();
        *done += 1;
        progress(ImportStep::Write { done: *done, total });
        Ok::<_, ImportError>(())
    })?;
    Ok(all.into_inner())
}

/// Neighbouring partitions whose lines become one part.
fn parts(partitions: &Partitions) -> Result<Vec<Range<usize>>, ImportError> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for partition in 0..partitions.count() {
        bytes += partitions.bytes(partition)?;
        if bytes >= PART_BYTES || partition + 1 == partitions.count() {
            parts.push(start..partition + 1);
            (start, bytes) = (partition + 1, 0);
        }
    }
    Ok(parts)
}
