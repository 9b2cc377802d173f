//! Writing the parts of an import from the lines on disk, in bounded memory.

use std::ops::Range;
use std::path::Path;

use cartwheel_events::EventRecord;
use cartwheel_files::Partitions;
use cartwheel_lake::{Basket, ImportPart, NewImport};
use parking_lot::Mutex;
use rayon::prelude::*;

use crate::assemble::{Assembled, Assembly, Records};
use crate::error::ImportError;
use crate::progress::ImportStep;
use crate::spill;

/// Partitions into which a large partition is split.
const SPLIT: usize = 32;
/// How often a partition is split before its lines must be those of one owner.
const SPLITS: u32 = 3;
/// Maximum number of parts that a group of neighbouring partitions becomes.
const PARTS: usize = 1_000;

/// How many bytes of lines are in memory at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Larger partitions are split.
    pub partition: u64,
    /// Most bytes of the lines of one owner.
    pub owner: u64,
    /// Lines that become one part, at least, if there are more.
    pub part: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { partition: 32 << 20, owner: 512 << 20, part: 24 << 20 }
    }
}

/// The parts that are being written.
pub(crate) struct Writing<'a> {
    pub new: &'a NewImport,
    /// The folder of temporary files.
    pub dir: &'a Path,
    pub assembly: &'a Assembly<'a>,
    pub limits: &'a Limits,
}

impl Writing<'_> {
    /// Puts the lines of all partitions together and writes them, on all threads.
    pub(crate) fn write(
        &self,
        partitions: &Partitions,
        progress: &mut (dyn FnMut(ImportStep) + Send),
    ) -> Result<Assembled, ImportError> {
        let groups = self.groups(partitions)?;
        let total = groups.len() as u64;
        let progress = Mutex::new((0, progress));
        let all = Mutex::new(Assembled::default());
        groups.into_par_iter().enumerate().try_for_each(|(number, group)| {
            let mut part = Part::new(number * PARTS);
            for partition in group {
                self.partition(partitions, partition, partitions.count() as u64, 0, &mut part)?;
            }
            self.flush(&mut part)?;
            all.lock().add(&part.records.counts);
            let (done, progress) = &mut *progress.lock();
            *done += 1;
            progress(ImportStep::Write { done: *done, total });
            Ok::<_, ImportError>(())
        })?;
        Ok(all.into_inner())
    }

    /// Neighbouring partitions whose lines become one part.
    fn groups(&self, partitions: &Partitions) -> Result<Vec<Range<usize>>, ImportError> {
        let mut groups = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for partition in 0..partitions.count() {
            bytes += partitions.bytes(partition)?;
            if bytes >= self.limits.part || partition + 1 == partitions.count() {
                groups.push(start..partition + 1);
                (start, bytes) = (partition + 1, 0);
            }
        }
        Ok(groups)
    }

    /// Adds the lines of a partition to a part. All hashes are divided into `parts` partitions
    /// like this one, which was split `splits` times from an original one.
    fn partition(
        &self,
        partitions: &Partitions,
        partition: usize,
        parts: u64,
        splits: u32,
        part: &mut Part,
    ) -> Result<(), ImportError> {
        let bytes = partitions.bytes(partition)?;
        if bytes > self.limits.partition && splits < SPLITS {
            let finer = Partitions::create(self.dir, SPLIT)?;
            spill::split(partitions.file(partition)?, parts, &finer)?;
            let parts = parts.wrapping_mul(SPLIT as u64);
            return (0..SPLIT)
                .try_for_each(|at| self.partition(&finer, at, parts, splits + 1, part));
        }
        if bytes > self.limits.owner {
            return Err(ImportError::LargeOwner {
                owner: spill::owner(partitions.file(partition)?)?,
                mib: bytes >> 20,
                most: self.limits.owner >> 20,
            });
        }
        let Part { records, open_events, open_baskets, lines, .. } = part;
        partitions.read_into(partition, lines)?;
        self.assembly.add(lines, records, |records| {
            open_events.write(&records.events)?;
            open_baskets.write(&records.baskets)?;
            records.events.clear();
            records.baskets.clear();
            Ok(())
        })?;
        part.bytes += bytes;
        if part.bytes >= self.limits.part {
            self.flush(part)?;
        }
        Ok(())
    }

    /// Writes a part, and begins the next one.
    fn flush(&self, part: &mut Part) -> Result<(), ImportError> {
        let number = part.first + part.written;
        if part.written == PARTS {
            return Err(ImportError::Options(
                "the sources are too large for one import".to_owned(),
            ));
        }
        let events = std::mem::replace(&mut part.open_events, ImportPart::events());
        self.new.write_events(number, events)?;
        let baskets = std::mem::replace(&mut part.open_baskets, ImportPart::baskets());
        self.new.write_baskets(number, baskets)?;
        part.written += 1;
        part.bytes = 0;
        Ok(())
    }
}

/// A part that takes more records.
struct Part {
    /// The number of the first part of its group.
    first: usize,
    /// Parts of the group that are written.
    written: usize,
    /// Bytes of the lines of its records.
    bytes: u64,
    open_events: ImportPart<EventRecord>,
    open_baskets: ImportPart<Basket>,
    /// Records that are not encoded yet, and the counts of all.
    records: Records,
    /// The lines of the partition that is being put together.
    lines: Vec<u8>,
}

impl Part {
    fn new(first: usize) -> Self {
        Self {
            first,
            written: 0,
            bytes: 0,
            open_events: ImportPart::events(),
            open_baskets: ImportPart::baskets(),
            records: Records::default(),
            lines: Vec::new(),
        }
    }
}
