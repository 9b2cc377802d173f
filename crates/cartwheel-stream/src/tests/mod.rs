mod faults;
mod files;
mod recent;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cartwheel_events::Record;

pub(crate) use crate::conformance::{all, id, record};
use crate::{
    Log, LogOptions, MemoryStream, OpenError, PutError, Sequence, Stream, conformance, shard_of,
};

pub(crate) fn options() -> LogOptions {
    LogOptions { segment_bytes: 16 << 10, ..LogOptions::new(|| 1_700_000_000_000) }
}

fn open(dir: &Path) -> Log {
    Log::open(dir, options()).unwrap()
}

pub(crate) async fn put_ids(stream: &dyn Stream, ids: std::ops::Range<usize>) {
    for n in ids {
        let results = stream.put(vec![record(&format!("u{}", n % 5), &format!("e{n}"))]).await;
        assert!(results[0].is_ok(), "{results:?}");
    }
}

#[tokio::test]
async fn the_streams_pass_the_conformance_checks() {
    conformance::stream(Arc::new(MemoryStream::new(4))).await;
    let dir = tempfile::tempdir().unwrap();
    conformance::stream(Arc::new(open(dir.path()))).await;
}

#[test]
fn shards_equal_those_of_kinesis() {
    // The first hex digit of the key's MD5, computed with md5sum, determines the quarter.
    assert_eq!(shard_of("a", 4), 0);
    assert_eq!(shard_of("b", 4), 2);
    assert_eq!(shard_of("c", 4), 1);
    assert_eq!(shard_of("anything", 1), 0);
}

#[tokio::test]
async fn records_in_many_segments_survive_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    put_ids(&log, 0..200).await;
    let before = all(&log).await;
    assert!(log.stat().segments > 2);
    drop(log);
    let log = open(dir.path());
    assert_eq!(all(&log).await, before);
    assert_eq!(log.stat().next, 200);
    put_ids(&log, 200..210).await;
    assert_eq!(all(&log).await.len(), 210);
}

#[tokio::test]
async fn a_second_process_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let _log = open(dir.path());
    assert!(matches!(Log::open(dir.path(), options()), Err(OpenError::Locked(_))));
}

#[tokio::test]
async fn puts_after_close_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    put_ids(&log, 0..1).await;
    log.close();
    assert_eq!(log.put(vec![record("u", "e")]).await, [Err(PutError::Stopped)]);
}

#[tokio::test]
async fn only_the_record_that_is_too_large_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), LogOptions { max_record_bytes: 400, ..options() }).unwrap();
    let mut large = record("u", "large");
    if let Record::Event(event) = &mut large {
        event.source = Some("x".repeat(500));
    }
    let results = log.put(vec![record("u", "a"), large, record("u", "b")]).await;
    assert!(results[0].is_ok() && results[2].is_ok());
    assert_eq!(results[1], Err(PutError::TooLarge));
    assert_eq!(all(&log).await.len(), 2);
}

#[tokio::test]
async fn a_full_queue_throttles() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), LogOptions { queue_bytes: 100, ..options() }).unwrap();
    assert_eq!(log.put(vec![record("u", "a")]).await, [Err(PutError::Throttled)]);
}

#[tokio::test]
async fn a_slow_consumer_keeps_records_until_puts_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { retention_ms: 0, max_bytes: 4 * (16 << 10), ..options() };
    let log = Log::open(dir.path(), options).unwrap();
    log.set_floor("delivery", 0);
    let mut stored = 0;
    while log.put(vec![record("u", &format!("e{stored}"))]).await[0].is_ok() {
        stored += 1;
        assert!(stored < 10_000, "the log does not fill up");
    }
    assert_eq!(all(&log).await.len(), stored, "no record that is still needed was deleted");
    log.set_floor("delivery", stored as u64);
    put_ids(&log, stored..stored + 100).await;
    let stat = log.stat();
    assert!(stat.first > 0 && stat.segments <= 4, "{stat:?}");
}

/// A start writes to the log before its consumers run: the numbers that a power cut has lost are
/// passed over.
#[tokio::test]
async fn retention_waits_for_consumers_that_have_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let keeping = LogOptions { retention_ms: i64::MAX, ..options() };
    let log = Log::open(dir.path(), keeping).unwrap();
    put_ids(&log, 0..400).await;
    assert!(log.stat().segments > 2);
    drop(log);
    let consumers = &["delivery", "sessions"];
    let log = Log::open(dir.path(), LogOptions { retention_ms: 0, consumers, ..options() });
    let log = log.unwrap();
    log.set_floor("sessions", log.stat().next);
    put_ids(&log, 400..800).await;
    assert_eq!(log.stat().first, 0, "delivery has read nothing");
    log.set_floor("delivery", log.stat().next);
    put_ids(&log, 800..1200).await;
    assert!(log.stat().first > 0);
}

pub(crate) fn last_segment(dir: &Path) -> PathBuf {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    entries.filter(|p| p.extension().is_some_and(|x| x == "log")).max().unwrap()
}

/// Returns the offset at which the records of a segment end.
pub(crate) fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&b| b != 0).unwrap() + 1
}

#[tokio::test]
async fn a_tail_torn_at_any_byte_loses_only_the_last_record() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    put_ids(&log, 0..12).await;
    drop(log);
    let path = last_segment(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let end = used(&whole);
    for cut in end - 180..end {
        let mut torn = whole.clone();
        torn[cut..].fill(0);
        std::fs::write(&path, &torn).unwrap();
        let log = open(dir.path());
        let kept = all(&log).await.len();
        assert!(kept == 11 || kept == 10, "cut at {cut} of {end}: {kept} records");
        put_ids(&log, 100..102).await;
        assert_eq!(all(&log).await.len(), kept + 2, "the log continues after the cut");
    }
}

#[tokio::test]
async fn a_flipped_bit_is_counted_and_later_records_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    put_ids(&log, 0..30).await;
    drop(log);
    let path = last_segment(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let (start, end) = (64, used(&whole));
    let last_record = end - 200;
    for seed in 0..200_usize {
        let at = start + (seed * 7919) % (last_record - start);
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (seed % 8);
        std::fs::write(&path, &flipped).unwrap();
        let log = open(dir.path());
        let kept = all(&log).await;
        let padding = kept.len() == 30;
        assert!(padding || kept.len() == 29, "bit at {at}: {} records", kept.len());
        assert!(padding || log.stat().damaged > 0, "the bit at {at} is not counted");
        assert!(kept.values().any(|r| id(r) == "e29"), "the last record is kept");
    }
}

#[tokio::test]
async fn a_log_of_a_later_release_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let path = last_segment(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[7] = 2;
    std::fs::write(&path, bytes).unwrap();
    let error = Log::open(dir.path(), options()).err().unwrap().to_string();
    assert!(error.contains("format 2"), "{error}");
}

/// The process that the next test kills. It puts records until then, and prints each id after
/// its acknowledgement.
#[tokio::test(flavor = "multi_thread")]
async fn killed_writer() {
    let Some(dir) = std::env::var_os("CARTWHEEL_KILLED_WRITER") else { return };
    let log = Arc::new(Log::open(Path::new(&dir), options()).unwrap());
    let start = log.stat().next;
    let writers = (0..8).map(|writer| {
        let log = log.clone();
        tokio::spawn(async move {
            for n in 0..1_000_000 {
                let id = format!("{start}-{writer}-{n}");
                if log.put(vec![record(&format!("u{writer}"), &id)]).await[0].is_ok() {
                    println!("acknowledged {id}");
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_process_loses_no_acknowledged_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..5 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::killed_writer", "--nocapture"])
            .env("CARTWHEEL_KILLED_WRITER", dir.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            use std::io::BufRead;
            std::io::BufReader::new(stdout).lines().map_while(Result::ok).collect::<Vec<_>>()
        });
        std::thread::sleep(std::time::Duration::from_millis(300 + round * 77));
        child.kill().unwrap();
        child.wait().unwrap();
        let lines = reader.join().unwrap();
        let ids = lines.iter().filter_map(|l| l.split("acknowledged ").nth(1));
        acknowledged.extend(ids.map(str::to_owned));
    }
    assert!(acknowledged.len() > 50, "the log was not under load: {}", acknowledged.len());
    let log = open(dir.path());
    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    for record in all(&log).await.values() {
        *stored.entry(id(record)).or_default() += 1;
    }
    let lost: Vec<_> = acknowledged.iter().filter(|id| !stored.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} lost", lost.len(), acknowledged.len());
    assert!(stored.values().all(|&n| n == 1), "no record is stored twice");
}

#[test]
fn sequence_numbers_can_hold_those_of_kinesis() {
    let text = "49590338271490256608559692538361571095921575989136588898";
    let number: Sequence = text.parse().unwrap();
    assert_eq!(number.to_string(), text);
    assert_eq!(number.next().to_string(), text.replace("8898", "8899"));
    assert_eq!(number.next().previous(), Some(number));
    assert!(number > u64::MAX && Sequence::from(7) < number);
    assert_eq!(serde_json::to_string(&number).unwrap(), format!("\"{text}\""));
    assert_eq!(serde_json::to_string(&Sequence::from(7)).unwrap(), "7");
    for json in [format!("\"{text}\""), "7".to_owned(), "\"8\"".to_owned()] {
        let read: Sequence = serde_json::from_str(&json).unwrap();
        assert_eq!(json.trim_matches('"'), read.to_string());
    }
    let position = crate::Position { shard: 3, sequence: number };
    assert_eq!(crate::Position::parse(&position.record_id()), Some(position));
    assert_eq!(Sequence::default().previous(), None);
    assert_eq!("1".repeat(60).parse::<Sequence>(), Err(crate::SequenceError));
    assert_eq!("".parse::<Sequence>(), Err(crate::SequenceError));
    assert_eq!("-1".parse::<Sequence>(), Err(crate::SequenceError));
    let word = Sequence::from(u64::MAX).next();
    assert_eq!(word.to_string(), "18446744073709551616");
    assert_eq!(word.previous(), Some(u64::MAX.into()));
}
