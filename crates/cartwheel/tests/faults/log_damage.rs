//! Rows 4 and 5: a damaged log keeps what is whole, and never loses the rest unseen.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use cartwheel_events::{Event, EventRecord, Record};
use cartwheel_stream::{Log, LogOptions, OpenError, Sequence, Stream};
use serde_json::json;

use crate::case::{Case, Random, Shown};
use crate::journal::Journal;
use crate::kit::{Node, SMALL_SEGMENTS};
use crate::lake;
use crate::log_file::{self, Span};
use crate::traffic::{self, event};

/// The clock of these logs.
fn now_ms() -> i64 {
    1_700_000_000_000
}

/// Options with small segments.
pub fn options(segment_bytes: u64) -> LogOptions {
    LogOptions { segment_bytes, ..LogOptions::new(now_ms) }
}

/// The record of an event.
pub fn record(id: &str, n: u64) -> Result<Record> {
    let event = Event::from_json(&event(id, n))?;
    Ok(Record::Event(EventRecord::new(event, id.to_owned(), now_ms())))
}

/// A runtime for the log's reads.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().build()?)
}

/// Puts events `e0`, `e1`, … in batches of seven.
pub fn fill(runtime: &tokio::runtime::Runtime, log: &Log, records: u64) -> Result<()> {
    for first in (0..records).step_by(7) {
        let batch = (first..records.min(first + 7)).map(|n| record(&format!("e{n}"), n));
        for put in runtime.block_on(log.put(batch.collect::<Result<_>>()?)) {
            put?;
        }
    }
    Ok(())
}

/// The event ids of all records, by sequence number.
pub fn read_all(
    runtime: &tokio::runtime::Runtime,
    log: &Log,
) -> Result<BTreeMap<Sequence, String>> {
    let mut found = BTreeMap::new();
    for shard in 0..log.shards() {
        let mut from = Sequence::default();
        loop {
            let batch = runtime.block_on(log.read(shard, from, 1000))?;
            ensure!(batch.rejected.is_empty(), "a record that is none: {:?}", batch.rejected);
            for (sequence, record) in batch.records {
                let Record::Event(event) = &*record else { bail!("an impression that nobody put") };
                found.insert(sequence, event.event_id.clone());
            }
            if batch.next == from {
                break;
            }
            from = batch.next;
        }
    }
    Ok(found)
}

/// Row 4.
pub fn truncations(case: &Case) -> Result<Shown> {
    const BYTES: usize = 4096;
    const RECORDS: u64 = 60;
    let runtime = runtime()?;
    let made = case.empty()?;
    let options = options(32 << 10);
    let log = Log::open(&made, options.clone())?;
    fill(&runtime, &log, RECORDS)?;
    drop(log);
    let path = log_file::segments(&made)?.pop().context("a log has a segment")?;
    let whole = std::fs::read(&path)?;
    let spans = log_file::records(&whole)?;
    ensure!(spans.len() as u64 == RECORDS, "{} records", spans.len());
    let end = spans.last().context("records")?.end;
    let mut random = case.random();
    // Of the records' bytes all or some, and some of the zeros behind them.
    let back: Vec<usize> = match case.full {
        true => (1..=BYTES).collect(),
        false => (0..64).map(|_| random.index(BYTES) + 1).collect(),
    };
    let mut cuts: Vec<usize> = back.iter().map(|back| end - back).collect();
    cuts.extend((0..case.pick(8, 128)).map(|_| whole.len() - 1 - random.index(BYTES)));
    let dir = case.empty()?;
    for &cut in &cuts {
        std::fs::remove_dir_all(&dir)?;
        std::fs::create_dir(&dir)?;
        std::fs::write(dir.join(path.file_name().context("a name")?), &whole[..cut])?;
        let log = Log::open(&dir, options.clone()).with_context(|| format!("cut at {cut}"))?;
        let kept = read_all(&runtime, &log)?;
        let complete: BTreeMap<Sequence, String> = spans
            .iter()
            .filter(|span| span.end <= cut)
            .map(|span| (span.sequence.into(), format!("e{}", span.sequence)))
            .collect();
        ensure!(kept == complete, "cut at {cut}: {} kept of {}", kept.len(), complete.len());
        let put = runtime.block_on(log.put(vec![record("new", 0)?]));
        let sequence = put[0].clone()?.sequence;
        ensure!(sequence >= RECORDS, "cut at {cut}: number {sequence} is given again");
    }
    Shown::all(cuts.len() as u64, format!("{} of them within records", back.len()))
}

/// Row 5.
pub fn bit_flips(case: &Case) -> Result<Shown> {
    let runtime = runtime()?;
    let made = case.empty()?;
    let options = options(16 << 10);
    let log = Log::open(&made, options.clone())?;
    fill(&runtime, &log, 300)?;
    drop(log);
    let mut segments = Vec::new();
    for path in log_file::segments(&made)? {
        let bytes = std::fs::read(&path)?;
        let spans = log_file::records(&bytes)?;
        segments.push((path, bytes, spans));
    }
    ensure!(segments.len() > 3, "the log has {} segments", segments.len());
    let flips = case.pick(150, 1000);
    let mut counts = Flips::default();
    for n in 0..flips {
        let dir = case.empty()?;
        log_file::segments(&made)?
            .iter()
            .try_for_each(|path| std::fs::copy(path, dir.join(path.file_name()?)).ok().map(drop))
            .context("the log was not copied")?;
        let mut random = case.random().part(n);
        flipped(&runtime, &options, &dir, &segments, &mut random, &mut counts)
            .with_context(|| format!("flip {n}: {}", dir.display()))?;
        std::fs::remove_dir_all(dir)?;
    }
    let served = case.pick(1, 5);
    for n in 0..served {
        flipped_under_server(case, &mut case.random().part(10_000 + n))?;
    }
    let Flips { counted, torn, refused, harmless } = counts;
    let note = format!(
        "{counted} counted with later records kept, {torn} in the last record, {refused} refused \
         to start, {harmless} in unused bytes; {served} under a server"
    );
    Shown::all(flips + served, note)
}

#[derive(Default)]
struct Flips {
    counted: u64,
    torn: u64,
    refused: u64,
    harmless: u64,
}

/// A segment: its file, its bytes, its records.
type Segment = (std::path::PathBuf, Vec<u8>, Vec<Span>);

/// Flips one to three bits of one segment's used bytes, and opens the log.
fn flipped(
    runtime: &tokio::runtime::Runtime,
    options: &LogOptions,
    dir: &Path,
    segments: &[Segment],
    random: &mut Random,
    counts: &mut Flips,
) -> Result<()> {
    let which = random.index(segments.len());
    let (path, bytes, spans) = &segments[which];
    let used = spans.last().map_or(log_file::HEADER, Span::next);
    let mut bytes = bytes.clone();
    // Near one another, as bad sectors and bad memory have it.
    let at = random.index(used);
    let flips: Vec<usize> =
        (0..=random.index(3)).map(|_| (at + random.index(64)).min(used - 1)).collect();
    flips.iter().for_each(|&at| bytes[at] ^= 1 << random.below(8));
    std::fs::write(dir.join(path.file_name().context("a name")?), &bytes)?;
    let mut expected: BTreeMap<Sequence, String> = BTreeMap::new();
    let mut hit = Vec::new();
    for (index, (_, before, spans)) in segments.iter().enumerate() {
        for span in spans {
            let range = span.start..span.end;
            // Flips of one bit may undo one another.
            let is_hit = index == which && before[range.clone()] != bytes[range];
            if is_hit {
                hit.push(span.sequence);
            } else {
                expected.insert(span.sequence.into(), format!("e{}", span.sequence));
            }
        }
    }
    let log = match Log::open(dir, options.clone()) {
        Ok(log) => log,
        Err(OpenError::Segment { path: named, .. }) => {
            ensure!(named.file_name() == path.file_name(), "another file is named: {named:?}");
            ensure!(flips.iter().any(|&at| at < log_file::HEADER), "refused for a record");
            counts.refused += 1;
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let found = read_all(runtime, &log)?;
    ensure!(
        found == expected,
        "records {hit:?} are hit: {} were read of {}",
        found.len(),
        expected.len()
    );
    let stat = log.stat();
    match hit.as_slice() {
        [] => counts.harmless += 1,
        _ if stat.damaged > 0 => counts.counted += 1,
        // Nobody can tell the log's last record from one that was never whole.
        [first, ..] => {
            let last = segments.last().and_then(|(_, _, spans)| spans.last());
            let tail = last.is_some_and(|last| first + hit.len() as u64 > last.sequence);
            ensure!(tail && stat.torn_bytes > 0, "{hit:?} are gone, and {stat:?}");
            counts.torn += 1;
        }
    }
    Ok(())
}

/// Flips bits of what a server has accepted and not yet delivered.
fn flipped_under_server(case: &Case, random: &mut Random) -> Result<()> {
    let data = case.shop()?;
    let waiting = [SMALL_SEGMENTS, ("CARTWHEEL_DELIVERY_MAX_AGE_SECONDS", "3600")];
    let node = Node::start(&data, &waiting)?;
    let journal = Journal::default();
    let mut client = node.client()?;
    for batch in 0..10 {
        let ids: Vec<String> = (0..50).map(|n| format!("f{batch}-{n}")).collect();
        traffic::send(&mut client, &journal, &ids, batch * 50)?;
    }
    journal.ensure_none_refused()?;
    node.kill()?;
    let path = log_file::segments(&data.join("stream"))?.swap_remove(0);
    let mut bytes = std::fs::read(&path)?;
    let spans = log_file::records(&bytes)?;
    // Neither the first nor the last.
    let span = spans[1 + random.index(spans.len() - 2)];
    let lost = String::from_utf8_lossy(&bytes[span.data..span.end]).into_owned();
    let lost: serde_json::Value = serde_json::from_str(&lost)?;
    let lost = lost["event_id"].as_str().context("an event")?.to_owned();
    let at = span.data + random.index(span.end - span.data);
    bytes[at] ^= 1 << random.below(8);
    std::fs::write(&path, &bytes)?;
    let node = Node::start(&data, &[SMALL_SEGMENTS])?;
    let said = node.said();
    let answer = node.post(
        "/submit",
        &json!({"user_id": "u", "event": "view",
                                              "product_ids": ["1"], "event_id": "after"}),
    )?;
    ensure!(answer.status == 200, "{}", answer.text());
    node.stop()?;
    ensure!(said.contains("damaged"), "nothing is said of the damage: {said}");
    let mut rows = lake::event_ids(&data)?;
    rows.sort_unstable();
    let mut expected: Vec<String> = journal.entries().acknowledged.iter().cloned().collect();
    expected.retain(|id| *id != lost);
    expected.push("after".to_owned());
    expected.sort_unstable();
    ensure!(rows == expected, "{} rows of {}", rows.len(), expected.len());
    // Without its header a segment says nothing: better not to start.
    bytes[9] ^= 1;
    std::fs::write(&path, &bytes)?;
    let refusal = Node::start(&data, &[]).err().map(|error| error.to_string()).unwrap_or_default();
    let name = path.file_name().and_then(|name| name.to_str()).context("a name")?;
    ensure!(refusal.contains(name), "the damaged file is not named: {refusal}");
    Ok(())
}
