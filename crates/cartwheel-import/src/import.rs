//! Importing: all sources are read first, then their lines are put together and written, and at
//! last the import becomes visible as a whole.

use cartwheel_files::Partitions;
use cartwheel_lake::{ImportKind, ImportSummary, Lake, NewImport, Started};
use rustc_hash::FxHashSet;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::assemble::{Assembled, Assembly};
use crate::error::ImportError;
use crate::options::Options;
use crate::preview::Preview;
use crate::progress::ImportStep;
use crate::read::{Begun, Reading, read};
use crate::source::Source;
use crate::write::{Limits, Writing};

/// Bytes of the sources for each partition.
const PARTITION_BYTES: u64 = 64 << 20;
/// How much larger lines are than the compressed file that they come from, at most usually.
const INFLATION: u64 = 6;
/// Reasons that the error of too many rejected rows names.
const REASONS: usize = 3;

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
    import_within(lake, sources, options, &Limits::default(), progress)
}

fn import_within(
    lake: &Lake,
    sources: &[Source],
    options: &Options,
    limits: &Limits,
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
    let writing = Writing { new: &new, dir: lake.dir(), assembly: &assembly, limits };
    let assembled = writing.write(&partitions, progress)?;
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::PathBuf;

    use cartwheel_lake::EarlierImports;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::mapping::Mapping;
    use crate::plan::Content;

    /// Purchases, views and returns of customers, guests and unknown customers.
    fn history() -> String {
        let mut text = "order_id,user_id,anonymous_id,sku,time,qty,event\n".to_owned();
        for n in 0..6_000 {
            let (user, guest) = match n % 5 {
                0 => (String::new(), format!("g{}", n % 40)),
                1 => (format!("u{}", n % 211), format!("g{}", n % 40)),
                2 if n % 3 == 0 => (String::new(), String::new()),
                _ => (format!("u{}", n % 211), String::new()),
            };
            let kind = if n % 7 == 3 && n % 5 != 2 { "view" } else { "purchase" };
            let order = if n % 11 < 8 { format!("o{}", n / 3) } else { String::new() };
            let pieces = if kind == "purchase" && n % 13 == 0 { -1 } else { n % 3 + 1 };
            let day = n % 28 + 1;
            text.push_str(&format!(
                "{order},{user},{guest},p{},2025-03-{day:02},{pieces},{kind}\n",
                n % 97
            ));
        }
        text
    }

    struct Done {
        imported: Imported,
        /// The rows of all parts of a table, in the order of the parts.
        rows: Vec<Vec<String>>,
        parts: usize,
    }

    fn import_with(limits: &Limits) -> Result<Done, ImportError> {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("history.csv");
        std::fs::write(&source, history()).unwrap();
        let lake = Lake::open(&dir.path().join("lake")).unwrap();
        let options = Options {
            content: Content::Events,
            mapping: Mapping::default(),
            timezone: "UTC".to_owned(),
            header: None,
            max_rejects: 0.0,
            earlier: EarlierImports::Refuse,
            services: Vec::new(),
            products: Vec::new(),
            now_ms: 1_767_225_600_000,
            threads: 2,
        };
        let imported =
            import_within(&lake, &[Source::File(source)], &options, limits, &mut |_| {})?;
        let manifest = lake.import_manifest().unwrap().unwrap();
        let parts = manifest.events.len();
        let rows =
            [manifest.events, manifest.baskets].map(|parts| parts.iter().flat_map(rows).collect());
        Ok(Done { imported, rows: rows.into(), parts })
    }

    fn rows(part: &PathBuf) -> Vec<String> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(part).unwrap()).unwrap();
        let mut rows = Vec::new();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            rows.extend(
                (0..batch.num_rows()).map(|at| format!("{:?}", batch.slice(at, 1).columns())),
            );
        }
        rows
    }

    #[test]
    fn a_history_larger_than_memory_gives_the_same_rows_in_the_same_order() {
        let whole = import_with(&Limits::default()).unwrap();
        let counts = whole.imported.assembled.unwrap();
        assert!(counts.returns > 50 && counts.baskets > 50 && counts.guests > 5, "{counts:?}");
        let small = Limits { partition: 2_000, owner: 60_000, part: 5_000 };
        let small = import_with(&small).unwrap();
        assert!(small.parts > 20 * whole.parts, "{} parts", small.parts);
        assert_eq!(small.rows, whole.rows);
        assert_eq!(small.imported.assembled, whole.imported.assembled);
    }

    #[test]
    fn a_customer_with_too_many_rows_is_named() {
        let error = import_with(&Limits { partition: 2_000, owner: 500, part: 5_000 });
        let error = error.err().unwrap().to_string();
        assert!(error.contains("the rows of u") && error.contains("no_customer"), "{error}");
    }
}
