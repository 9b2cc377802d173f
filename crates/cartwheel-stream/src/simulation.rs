//! Compares the log with a reference model, on a disk that fails and loses power.
//!
//! The model is a list of acknowledged records. [`Simulation`] applies actions to a log and
//! to the model, and reports differences. [`power_cuts`] cuts the power after every single
//! step that the log takes on the disk.

#![allow(clippy::unwrap_used, reason = "a test tool: an unusable disk ends the test")]

mod disk;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use disk::{Image, RecordingDisk, TraceEntry};
use random::Random;

use crate::conformance::{all, id, record};
use crate::log::{Log, LogOptions};
use crate::stream::{PutError, Stream};

/// Shared by all simulations, since the properties must hold for any clock.
static NOW_MS: AtomicI64 = AtomicI64::new(1_700_000_000_000);
const DAY_MS: i64 = 24 * 3_600_000;

fn options() -> LogOptions {
    LogOptions {
        shards: 3,
        segment_bytes: 4 << 10,
        max_bytes: 5 * (4 << 10),
        ..LogOptions::new(|| NOW_MS.load(Ordering::SeqCst))
    }
}

/// An action on a log.
#[derive(Debug, Clone)]
pub enum Action {
    /// Puts that wait at the same time, with the given numbers of records.
    Put(Vec<u8>),
    /// Every consumer reads all records.
    Consume,
    /// The clock jumps by a number of days.
    Jump(i16),
    /// The log is closed and opened again.
    Reopen,
    /// The log is closed, and opened again with these bytes after the last record, as an
    /// unacknowledged write would leave them.
    Tear(Vec<u8>),
    /// The next sync fails; the log is then opened again, after memory has forgotten some of what
    /// was not synced, as the seed says.
    FailSync(u64),
    /// The disk has no space for new files, or has space again.
    Full(bool),
    /// The power is cut, the seed determines what the disk keeps, and the log is opened again.
    Cut(u64),
}

/// A log and the records that it must hold.
pub struct Simulation {
    dir: tempfile::TempDir,
    disk: Arc<RecordingDisk>,
    log: Option<Log>,
    /// The directory's state when the log was opened.
    before: Image,
    /// By number: acknowledged, or returned by a read, so that a consumer may be past it.
    acknowledged: BTreeMap<u64, String>,
    /// Put but not acknowledged: present once or not at all.
    unsure: BTreeSet<String>,
    consumed: u64,
    puts: usize,
}

impl Simulation {
    /// Creates an empty log.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut simulation = Self {
            dir,
            disk: Arc::default(),
            log: None,
            before: Image::default(),
            acknowledged: BTreeMap::new(),
            unsure: BTreeSet::new(),
            consumed: 0,
            puts: 0,
        };
        simulation.open();
        simulation
    }

    fn open(&mut self) {
        self.disk = Arc::default();
        let log = Log::open_on(self.disk.clone(), self.dir.path(), options()).unwrap();
        log.set_floor("model", self.consumed);
        self.log = Some(log);
    }

    fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    /// Ends the log as a killed process would. What was written stays in memory, synced or not.
    fn kill(&mut self) -> Result<(), String> {
        self.log = None;
        self.disk.trace().iter().try_for_each(|step| self.before.apply(step))
    }

    /// Applies `action` and compares the log with the model.
    ///
    /// # Errors
    /// A description of the difference.
    pub async fn apply(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Put(counts) => self.put(counts).await?,
            Action::Consume => {
                self.consumed = self.log().stat().next;
                self.disk.note(TraceEntry::Consumed(self.consumed));
                self.log().set_floor("model", self.consumed);
            }
            Action::Jump(days) => {
                NOW_MS.fetch_add(i64::from(*days) * DAY_MS, Ordering::SeqCst);
            }
            Action::Reopen => {
                self.kill()?;
                self.open();
            }
            Action::Tear(bytes) => {
                self.log = None;
                if let Some(torn) = tear(self.dir.path(), bytes).unwrap() {
                    self.disk.note(torn);
                }
                self.kill()?;
                self.open();
            }
            Action::FailSync(seed) => {
                self.disk.fail_sync.store(true, Ordering::SeqCst);
                self.put(&[1]).await?;
                self.kill()?;
                self.before.evict(&mut Random::new(*seed));
                self.dir = tempfile::tempdir().unwrap();
                self.before.restart(self.dir.path()).unwrap();
                self.open();
            }
            Action::Full(full) => {
                self.disk.full.store(*full, Ordering::SeqCst);
                // Skips the pause after which the log tries again to get space.
                NOW_MS.fetch_add(2000, Ordering::SeqCst);
            }
            Action::Cut(seed) => {
                self.log = None;
                let mut image = self.before.clone();
                let steps = self.disk.trace().clone();
                let mut random = Random::new(*seed);
                let cut = random.below(steps.len() as u64 + 1) as usize;
                run(&mut image, &steps[..cut])?;
                let after = tempfile::tempdir().unwrap();
                self.before = image.cut(after.path(), &mut random).unwrap();
                self.dir = after;
                // The cut lies in the past: later acknowledgements have not happened.
                let later = self.acknowledged.iter();
                let later = later.filter(|(n, _)| !image.acknowledged.contains_key(n));
                self.unsure.extend(later.map(|(_, id)| id.clone()));
                self.acknowledged = image.acknowledged.clone();
                self.consumed = image.consumed;
                self.open();
            }
        }
        self.check().await
    }

    async fn put(&mut self, counts: &[u8]) -> Result<(), String> {
        // All puts are queued before the first is awaited, so they may share a commit.
        let mut asked = Vec::new();
        for count in counts {
            let first = self.puts + 1;
            self.puts += usize::from(*count);
            let ids: Vec<String> = (first..=self.puts).map(|n| format!("e{n}")).collect();
            self.unsure.extend(ids.iter().cloned());
            asked.push((format!("u{}", first % 5), ids));
        }
        let log = self.log.as_ref().unwrap();
        let waiting = asked.into_iter().map(|(user, ids)| {
            let records = ids.iter().map(|id| record(&user, id)).collect();
            (ids, log.put(records))
        });
        let waiting: Vec<_> = waiting.collect();
        let mut answers = Vec::new();
        for (ids, answer) in waiting {
            answers.push((ids, answer.await));
        }
        let last = self.acknowledged.keys().next_back().copied();
        for (ids, results) in answers {
            for (id, result) in ids.into_iter().zip(results) {
                match result {
                    Ok(position) => {
                        let sequence = position.sequence.as_u64().ok_or("not of the log")?;
                        if last.is_some_and(|last| sequence <= last) {
                            return Err(format!("{id} got number {sequence} after {last:?}"));
                        }
                        self.unsure.remove(&id);
                        self.disk.note(TraceEntry::Acknowledged(sequence, id.clone()));
                        if self.acknowledged.insert(sequence, id).is_some() {
                            return Err(format!("number {sequence} was assigned twice"));
                        }
                    }
                    // Refused before anything was written.
                    Err(PutError::Throttled | PutError::TooLarge) => drop(self.unsure.remove(&id)),
                    Err(_) => {}
                }
            }
        }
        Ok(())
    }

    /// Checks that the log holds what the model says, and reads it for all consumers.
    async fn check(&mut self) -> Result<(), String> {
        let first = self.log().stat().first;
        let kept: BTreeMap<u64, String> =
            self.acknowledged.range(first..).map(|(n, id)| (*n, id.clone())).collect();
        if first > self.consumed && first > self.before.removed_before {
            return Err(format!(
                "the log starts at {first}, but {} is still needed",
                self.consumed
            ));
        }
        for (sequence, id) in compare(self.log(), &kept, &self.unsure).await? {
            self.unsure.remove(&id);
            self.disk.note(TraceEntry::Acknowledged(sequence, id.clone()));
            self.acknowledged.insert(sequence, id);
        }
        Ok(())
    }
}

impl Default for Simulation {
    fn default() -> Self {
        Self::new()
    }
}

fn tear(dir: &Path, bytes: &[u8]) -> std::io::Result<Option<TraceEntry>> {
    let names = std::fs::read_dir(dir)?.map(|entry| entry.map(|e| e.path()));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let logs = names.into_iter().filter(|path| path.extension().is_some_and(|x| x == "log"));
    let Some(last) = logs.max() else { return Ok(None) };
    let mut file = std::fs::read(&last)?;
    let end = file.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
    let end = end.max(64).next_multiple_of(8).min(file.len());
    let room = bytes.len().min(file.len() - end);
    let data = bytes[..room].to_vec();
    file[end..end + room].copy_from_slice(&data);
    std::fs::write(&last, file)?;
    let name = last.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some(TraceEntry::Write { name, offset: end, data }))
}

/// Checks that every acknowledged record is at its number, and every other at most once. Returns
/// the others.
async fn compare(
    log: &Log,
    acknowledged: &BTreeMap<u64, String>,
    unsure: &BTreeSet<String>,
) -> Result<BTreeMap<u64, String>, String> {
    let mut found: BTreeMap<u64, String> = BTreeMap::new();
    for ((_, sequence), record) in all(log).await {
        found.insert(sequence.as_u64().ok_or("not of the log")?, id(&record));
    }
    for (sequence, id) in acknowledged {
        if found.remove(sequence).as_ref() != Some(id) {
            return Err(format!("{id} was acknowledged as {sequence} and is missing"));
        }
    }
    let mut others: BTreeSet<&String> = BTreeSet::new();
    for (sequence, id) in &found {
        let removed = acknowledged.keys().next().is_some_and(|first| sequence < first);
        if !(others.insert(id) && (removed || unsure.contains(id))) {
            return Err(format!("{id} is at {sequence}, where it was not put"));
        }
    }
    Ok(found)
}

/// Applies the steps, except a final sync: the power is cut during it.
fn run(image: &mut Image, steps: &[TraceEntry]) -> Result<(), String> {
    let steps = match steps {
        [done @ .., TraceEntry::Sync(_) | TraceEntry::SyncDir] => done,
        steps => steps,
    };
    steps.iter().try_for_each(|step| image.apply(step))
}

/// Results of a simulation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Number of cases tried.
    pub tried: usize,
    /// A description of each failure.
    pub failures: Vec<String>,
}

/// Puts several hundred records into several segments, with retention and reopening, and
/// cuts the power after every step. No acknowledged record may be lost, duplicated or get
/// another record's number, even if the power is cut again while the log is being opened.
/// `actions` limits the work.
pub fn power_cuts(seed: u64, actions: usize) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut report = Report::default();
    runtime.block_on(async {
        let mut random = Random::new(seed);
        let mut simulation = Simulation::new();
        for _ in 0..actions {
            let action = match random.below(12) {
                0 => Action::Consume,
                1 => Action::Jump(random.below(800) as i16 - 400),
                _ => {
                    Action::Put((0..=random.below(3)).map(|_| 1 + random.below(4) as u8).collect())
                }
            };
            if let Err(failure) = simulation.apply(&action).await {
                report.failures.push(format!("seed {seed}, {action:?}: {failure}"));
                return;
            }
        }
        simulation.log = None;
        let steps = simulation.disk.trace().clone();
        let ids: BTreeSet<String> = (0..=simulation.puts).map(|n| format!("e{n}")).collect();
        let mut image = simulation.before.clone();
        for cut in 0..=steps.len() {
            let mut at_cut = image.clone();
            if let Some(step) = cut.checked_sub(1).map(|last| &steps[last]) {
                // The power is cut during a sync, and after any other step.
                let done = run(&mut at_cut, std::slice::from_ref(step));
                if let Err(failure) = done.and_then(|()| image.apply(step)) {
                    report.failures.push(format!("seed {seed}, step {cut}: {failure}"));
                    return;
                }
            }
            report.tried += 1;
            if let Err(failure) = after_cut(&at_cut, &ids, &mut random, 2).await {
                report.failures.push(format!("seed {seed}, cut at {cut}: {failure}"));
            }
            if let Err(failure) = after_kill(at_cut, &ids, &mut random).await {
                report.failures.push(format!("seed {seed}, killed at {cut}, then cut: {failure}"));
            }
        }
    });
    report
}

/// Opens what a killed process leaves in memory, reads all of it, and cuts the power. What was read
/// may be behind a consumer's checkpoint, so it has to be there still.
async fn after_kill(
    mut image: Image,
    ids: &BTreeSet<String>,
    random: &mut Random,
) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    image.restart(dir.path()).unwrap();
    let disk: Arc<RecordingDisk> = Arc::default();
    let log = Log::open_on(disk.clone(), dir.path(), options()).map_err(|e| e.to_string())?;
    let kept = image.acknowledged.range(image.removed_before..);
    let kept: BTreeMap<u64, String> = kept.map(|(n, id)| (*n, id.clone())).collect();
    let others = compare(&log, &kept, ids).await?;
    image.acknowledged.extend(others.into_iter().filter(|(n, _)| *n >= image.removed_before));
    disk.trace().iter().try_for_each(|step| image.apply(step))?;
    drop(log);
    after_cut(&image, ids, random, 0).await
}

/// Opens what a cut leaves. The power may be cut again during opening, up to `more` times.
async fn after_cut(
    image: &Image,
    ids: &BTreeSet<String>,
    random: &mut Random,
    more: usize,
) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let before = image.cut(dir.path(), random).unwrap();
    let disk: Arc<RecordingDisk> = Arc::default();
    let log = Log::open_on(disk.clone(), dir.path(), options()).map_err(|e| e.to_string())?;
    log.set_floor("model", 0);
    let kept = image.acknowledged.range(image.removed_before..);
    let mut kept: BTreeMap<u64, String> = kept.map(|(n, id)| (*n, id.clone())).collect();
    compare(&log, &kept, ids).await?;
    let opening = disk.trace().clone();
    let results = log.put(vec![record("u0", "later")]).await;
    let Ok(position) = &results[0] else { return Err(format!("the put failed: {results:?}")) };
    let sequence = position.sequence.as_u64().ok_or("not of the log")?;
    if let Some((last, id)) = image.acknowledged.last_key_value()
        && sequence <= *last
    {
        return Err(format!("{sequence} was assigned again: {id} has {last}"));
    }
    kept.insert(sequence, "later".to_owned());
    drop(log);
    reopened(dir.path(), &kept, ids).await?;
    if more > 0 && !opening.is_empty() {
        let mut again = before;
        let cut = random.below(opening.len() as u64 + 1) as usize;
        run(&mut again, &opening[..cut])?;
        Box::pin(after_cut(&again, ids, random, more - 1)).await?;
    }
    Ok(())
}

async fn reopened(
    dir: &Path,
    kept: &BTreeMap<u64, String>,
    ids: &BTreeSet<String>,
) -> Result<(), String> {
    let log = Log::open(dir, options()).map_err(|e| e.to_string())?;
    compare(&log, kept, ids).await.map(drop)
}
