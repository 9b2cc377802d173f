//! Reading all sources: one thread reads and decompresses, the others understand rows.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use cartwheel_files::Partitions;
use parking_lot::Mutex;
use serde_json::Value;

use crate::columns::{Column, columns};
use crate::delimited::{Chunk, Chunks};
use crate::error::ImportError;
use crate::field::{Cells, Field};
use crate::format::{Format, not_utf8};
use crate::line::Rules;
use crate::nested::{explode, unwrapped};
use crate::options::Options;
use crate::parquet_rows;
use crate::plan::Plan;
use crate::recognise::Sample;
use crate::source::{Opened, Progress, Source, readable};
use crate::spill::Spill;
use crate::table::{Rows, Table};
use crate::tally::{Origin, Tally};

/// Rows of a Parquet file that are understood at once.
const BATCH: usize = 2_000;
/// Pieces of work that wait for a thread.
const WAITING: usize = 8;
/// Most products that the rows may name, all of which are in memory.
const MAX_PRODUCTS: usize = 2_000_000;
/// Bits of a line's place that count the lines of one piece of work.
const PLACE_BITS: u32 = 24;

/// What was read of all sources.
pub(crate) struct Reading {
    pub plan: Plan,
    /// The columns of the first source.
    pub columns: Vec<Column>,
    pub tally: Tally,
    pub formats: Vec<(String, Format)>,
    /// A hash of the sources' bytes.
    pub digest: String,
}

/// Rows to understand.
struct Work {
    /// The number of this piece, from 0.
    number: u64,
    rows: Arc<Rows>,
    piece: Piece,
}

enum Piece {
    /// Rows of a delimited file, or lines of JSON.
    Text(Chunk),
    /// Rows of a Parquet file, with the place of the first one, from 1.
    Values(u64, Vec<Value>),
}

/// Sources of which the first one is opened and looked at.
pub(crate) struct Begun<'a> {
    sources: &'a [Source],
    options: &'a Options,
    read: Arc<Mutex<Progress>>,
    first: Opening,
}

impl<'a> Begun<'a> {
    /// Opens the first source.
    pub(crate) fn new(sources: &'a [Source], options: &'a Options) -> Result<Self, ImportError> {
        let read = Arc::new(Mutex::new(Progress::default()));
        let Some(first) = sources.first() else {
            return Err(ImportError::Options("no source is given".to_owned()));
        };
        let first = Opening::new(first, options, &read)?;
        Ok(Self { sources, options, read, first })
    }

    /// The format of the first source.
    pub(crate) fn format(&self) -> (String, Format) {
        (self.first.source.name.clone(), self.first.table.format)
    }

    /// The first rows.
    pub(crate) fn sample(&self) -> &Sample {
        &self.first.table.sample
    }

    /// Decides how the sources are read.
    pub(crate) fn plan(&self) -> Result<Plan, ImportError> {
        let options = self.options;
        Plan::new(
            &self.first.source.name,
            self.sample(),
            options.content,
            &options.mapping,
            &options.timezone,
            options.now_ms,
        )
    }
}

/// Reads the sources. Lines go to `partitions`, if there are any. `progress` gets the number of
/// bytes read.
pub(crate) fn read(
    begun: Begun<'_>,
    plan: Plan,
    partitions: Option<&Partitions>,
    progress: &mut dyn FnMut(u64),
) -> Result<Reading, ImportError> {
    let Begun { sources, options, read, first } = begun;
    let columns = columns(&first.table.sample);
    let mut opened = Some(first);
    let (sender, receiver) = sync_channel(WAITING);
    let receiver = Mutex::new(receiver);
    // Only in order do rows take values from those before them.
    let threads = if plan.fill_down { 1 } else { options.threads.max(1) };
    let has_failed = AtomicBool::new(false);
    let mut formats = Vec::new();
    let (produced, tallies) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let done = understand(&receiver, &plan, partitions);
                    has_failed.fetch_or(done.is_err(), Ordering::Relaxed);
                    done
                })
            })
            .collect();
        let mut queue = Queue { sender, number: 0, read: &read, has_failed: &has_failed, progress };
        let produced = sources.iter().try_for_each(|source| {
            let opening = match opened.take() {
                Some(opening) => opening,
                None => Opening::new(source, options, &read)?,
            };
            formats.push((opening.source.name.clone(), opening.table.format));
            queue.source(opening, &plan)
        });
        drop(queue);
        let joined = workers.into_iter().map(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        (produced, joined.collect::<Result<Vec<Tally>, ImportError>>())
    });
    // An error of a worker comes first: the queue then only says that it has ended.
    let mut all = Tally::default();
    tallies?.into_iter().for_each(|tally| all.merge(tally));
    produced?;
    let digest = std::mem::take(&mut read.lock().digest);
    let digest = hex::encode(sha2::Digest::finalize(digest));
    Ok(Reading { plan, columns, tally: all, formats, digest })
}

/// A source that is opened and looked at.
struct Opening {
    source: Opened,
    table: Table,
    /// The content of a Parquet file.
    parquet: Option<File>,
}

impl Opening {
    fn new(
        source: &Source,
        options: &Options,
        read: &Arc<Mutex<Progress>>,
    ) -> Result<Self, ImportError> {
        let mut source = source.open(read)?;
        let mut table = Table::of(&source, options.header.as_deref())?;
        let mut parquet = None;
        if table.format == Format::Parquet {
            let name = source.name.clone();
            let failed = |error: io::Error| ImportError::source(&name, readable(error));
            let file = source.spooled().map_err(failed)?;
            table.sample_parquet(&name, file.try_clone()?)?;
            source = Opened::empty(name);
            parquet = Some(file);
        }
        Ok(Self { source, table, parquet })
    }
}

/// The work for the other threads.
struct Queue<'a> {
    sender: SyncSender<Work>,
    number: u64,
    read: &'a Mutex<Progress>,
    has_failed: &'a AtomicBool,
    progress: &'a mut dyn FnMut(u64),
}

impl Queue<'_> {
    /// Adds a piece of work. Returns whether there can be more.
    fn add(&mut self, rows: &Arc<Rows>, piece: Piece) -> bool {
        let work = Work { number: self.number, rows: Arc::clone(rows), piece };
        self.number += 1;
        (self.progress)(self.read.lock().bytes);
        self.sender.send(work).is_ok() && !self.has_failed.load(Ordering::Relaxed)
    }

    /// Adds the rows of a source.
    fn source(&mut self, opening: Opening, plan: &Plan) -> Result<(), ImportError> {
        let Opening { source, table, parquet } = opening;
        let name = source.name.clone();
        let rows = Arc::new(table.rows(&name, &plan.fields)?);
        if let Some(file) = parquet {
            let mut first = 1;
            let done = parquet_rows::for_each_batch(file, BATCH, |batch| {
                let count = batch.len() as u64;
                let goes_on = self.add(&rows, Piece::Values(first, batch));
                first += count;
                goes_on
            });
            return done
                .map_err(|error| ImportError::source(&name, parquet_rows::readable(&error)));
        }
        let dialect = match table.format {
            Format::Delimited(dialect) => Some(dialect),
            _ => None,
        };
        let mut chunks = Chunks::new(source.reader(), dialect);
        let failed = |error: io::Error| ImportError::source(&name, readable(error));
        while let Some(chunk) = chunks.next().map_err(failed)? {
            if !self.add(&rows, Piece::Text(chunk)) {
                break;
            }
        }
        Ok(())
    }
}

/// Understands rows until there are no more.
fn understand(
    work: &Mutex<Receiver<Work>>,
    plan: &Plan,
    partitions: Option<&Partitions>,
) -> Result<Tally, ImportError> {
    let mut worker = Worker {
        rules: &plan.rules,
        fill_down: plan.fill_down,
        before: Cells::default(),
        tally: Tally::default(),
        spill: partitions.map(Spill::new),
        place: 0,
    };
    loop {
        let next = work.lock().recv();
        let Ok(Work { number, rows, piece }) = next else { break };
        worker.place = number << PLACE_BITS;
        worker.piece(&rows, &piece)?;
        if worker.tally.products.count() > MAX_PRODUCTS {
            return Err(ImportError::TooManyProducts(MAX_PRODUCTS));
        }
    }
    if let Some(spill) = worker.spill {
        spill.finish()?;
    }
    Ok(worker.tally)
}

struct Worker<'a> {
    rules: &'a Rules,
    fill_down: bool,
    /// The row before, if rows take values from it.
    before: Cells<'static>,
    tally: Tally,
    spill: Option<Spill<'a>>,
    /// The place of the next line among all lines.
    place: u64,
}

impl Worker<'_> {
    fn piece(&mut self, rows: &Rows, piece: &Piece) -> Result<(), ImportError> {
        match (rows, piece) {
            (Rows::Delimited(rows), Piece::Text(chunk)) => {
                let mut done = Ok(());
                rows.for_each(chunk, |line, row, text| {
                    let origin = Origin { file: &rows.name, line, text };
                    match row {
                        Err(reason) => self.tally.malformed(&origin, &reason),
                        Ok(cells) => {
                            if done.is_ok() {
                                done = self.row(&origin, cells);
                            }
                        }
                    }
                })?;
                Ok(done?)
            }
            (Rows::Nested(rows), Piece::Text(chunk)) => {
                let lines = chunk.bytes.split(|b| *b == b'\n').zip(chunk.first_line..);
                for (text, line) in lines {
                    let text = std::str::from_utf8(text)
                        .map_err(|_| ImportError::source(&rows.name, not_utf8(line)))?
                        .trim_start_matches('\u{feff}')
                        .trim();
                    if text.is_empty() {
                        continue;
                    }
                    let origin = Origin { file: &rows.name, line, text: &|| text.to_owned() };
                    match serde_json::from_str::<Value>(text) {
                        Ok(value) => self.value(&origin, &unwrapped(value), &rows.paths)?,
                        Err(_) => self.tally.malformed(&origin, "the line is not JSON"),
                    }
                }
                Ok(())
            }
            (Rows::Nested(rows), Piece::Values(first, values)) => {
                for (value, line) in values.iter().zip(*first..) {
                    let text = || value.to_string();
                    let origin = Origin { file: &rows.name, line, text: &text };
                    self.value(&origin, value, &rows.paths)?;
                }
                Ok(())
            }
            // Rows of Parquet files are never delimited.
            (Rows::Delimited(_), Piece::Values(..)) => Ok(()),
        }
    }

    fn value(
        &mut self,
        origin: &Origin<'_>,
        value: &Value,
        paths: &crate::nested::Paths,
    ) -> io::Result<()> {
        let mut done = Ok(());
        explode(value, paths, |cells| {
            if done.is_ok() {
                done = self.row(origin, cells);
            }
        });
        done
    }

    fn row(&mut self, origin: &Origin<'_>, mut cells: Cells<'_>) -> io::Result<()> {
        if self.fill_down {
            self.fill(&mut cells);
        }
        let (spill, place) = (&mut self.spill, self.place);
        self.place += 1;
        self.tally.row(self.rules, origin, &cells, |line| match spill {
            Some(spill) => spill.line(line, place),
            None => Ok(()),
        })
    }

    /// Completes a row of an order whose first row alone names customer, time and status.
    fn fill(&mut self, cells: &mut Cells<'_>) {
        const FILLED: [Field; 4] = [Field::OrderId, Field::UserId, Field::Time, Field::Status];
        let order = cells.get(Field::OrderId);
        let continues = !order.is_empty()
            && order == self.before.get(Field::OrderId)
            && cells.get(Field::Time).is_empty();
        for field in FILLED {
            if continues {
                cells.set(field, self.before.get(field).to_owned());
            } else {
                self.before.set(field, cells.get(field).to_owned());
            }
        }
    }
}
