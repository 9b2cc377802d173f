//! Tests that read and erase a log's files, including files of an earlier release.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use super::{last_segment, open, options, put_ids, used};
use crate::conformance::{all, id, record};
use crate::{Log, LogFiles, LogOptions, Stream};

/// A log that release 0.1 wrote: 24 records of 5 users in two segments, with a torn write
/// between them, a flipped bit in the third record, and data that is not a record.
fn frozen() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/log-1");
    for entry in std::fs::read_dir(fixture).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    dir
}

fn small() -> LogOptions {
    LogOptions { segment_bytes: 4 << 10, ..options() }
}

#[tokio::test]
async fn a_log_of_format_1_can_be_read() {
    let dir = frozen();
    let log = Log::open(dir.path(), small()).unwrap();
    let found = all(&log).await;
    let mut ids: Vec<(u64, String)> =
        found.iter().map(|((_, n), r)| (n.as_u64().unwrap(), id(r))).collect();
    ids.sort_unstable();
    // Ten numbers were skipped because of the torn write.
    let expected = (0..24).filter(|n| *n != 2).map(|n| (if n < 20 { n } else { n + 10 }, n));
    let expected: Vec<(u64, String)> = expected.map(|(at, n)| (at, format!("e{n}"))).collect();
    assert_eq!(ids, expected);
    assert_eq!((log.stat().damaged, log.stat().next, log.shards()), (1, 35, 3));
    let shard = crate::shard_of("u1", 3);
    let batch = log.read(shard, 0.into(), 1000).await.unwrap();
    let last = log.read(shard, batch.next, 1000).await.unwrap();
    let rejected: Vec<_> = batch.rejected.iter().chain(&last.rejected).collect();
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    assert_eq!(rejected[0].data, b"no record");
    put_ids(&log, 100..120).await;
}

#[test]
fn verifying_counts_records_and_reports_damage() {
    let dir = frozen();
    let (mut done, mut all) = (0, 0);
    let found = LogFiles::verify(dir.path(), |at, of| (done, all) = (at, of)).unwrap();
    assert_eq!((found.segments, found.bytes, found.first, found.next), (2, 8192, 0, 35));
    assert_eq!(found.records, [14, 4, 6]);
    assert_eq!((found.passed_over, found.unfinished_bytes), (1, 0));
    let [damage] = &found.damaged[..] else { panic!("{found:?}") };
    assert_eq!((damage.sequence, damage.offset), (2, 432));
    assert_eq!(all, 8192);
    assert!(done > 4096);
}

#[tokio::test]
async fn a_log_is_cut_at_a_moment_and_goes_on() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let dir = tempfile::tempdir().unwrap();
    let options = || LogOptions { clock: || NOW.load(Ordering::Relaxed), ..small() };
    let log = Log::open(dir.path(), options()).unwrap();
    for n in 0..60 {
        NOW.store(n as i64 * 10, Ordering::Relaxed);
        put_ids(&log, n..n + 1).await;
    }
    assert!(log.stat().segments >= 3);
    drop(log);
    assert_eq!(LogFiles::cut(dir.path(), 590).unwrap(), 60);
    for (until_ms, next) in [(305, 31), (300, 31), (299, 30), (5, 1), (-1, 0)] {
        assert_eq!(LogFiles::cut(dir.path(), until_ms).unwrap(), next, "{until_ms}");
        let log = Log::open(dir.path(), options()).unwrap();
        let stat = log.stat();
        assert_eq!((stat.next, stat.damaged, stat.torn_bytes), (next, 0, 0), "{until_ms}");
        assert_eq!(all(&log).await.len() as u64, next);
    }
    let log = Log::open(dir.path(), options()).unwrap();
    put_ids(&log, 0..20).await;
    assert_eq!((log.stat().next, all(&log).await.len()), (20, 20));
}

#[tokio::test]
async fn a_log_in_use_can_be_read_and_followed() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    put_ids(&log, 0..150).await;
    let mut files = LogFiles::open(dir.path(), 140).unwrap();
    let sequences = |files: &mut LogFiles| -> Vec<u64> {
        files.read().unwrap().iter().map(|entry| entry.sequence).collect()
    };
    assert_eq!(sequences(&mut files), (140..150).collect::<Vec<_>>());
    assert_eq!(sequences(&mut files), [0; 0]);
    // Into the next segments, whose files are created meanwhile.
    put_ids(&log, 150..300).await;
    let mut more = Vec::new();
    while let next @ [_, ..] = &sequences(&mut files)[..] {
        more.extend_from_slice(next);
    }
    assert_eq!(more, (150..300).collect::<Vec<_>>());
    assert!(files.damaged().is_empty());
    assert_eq!((LogFiles::end(dir.path()).unwrap(), files.next()), (300, 300));
    // A write in progress is neither a record nor damage.
    let path = last_segment(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let end = used(&bytes).next_multiple_of(8);
    bytes[end..end + 40].fill(1);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(sequences(&mut files), [0; 0]);
    let found = LogFiles::verify(dir.path(), |_, _| ()).unwrap();
    assert_eq!((found.damaged.len(), found.unfinished_bytes), (0, 40));
}

#[tokio::test]
async fn a_reader_behind_retention_learns_how_many_records_it_missed() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), LogOptions { max_bytes: 3 * (16 << 10), ..options() }).unwrap();
    put_ids(&log, 0..600).await;
    let first = log.stat().first;
    assert!(first > 0);
    let batch = log.read(0, 0.into(), 1).await.unwrap();
    assert_eq!(batch.missed, first);
    assert_eq!(log.read(0, batch.next, 1).await.unwrap().missed, 0);
}

fn holds(dir: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(dir).unwrap().map(|e| std::fs::read(e.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(text.len()).any(|w| w == text.as_bytes()))
}

#[tokio::test]
async fn an_erased_user_is_in_no_file_and_others_are_unaffected() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for n in 0..150 {
        let user = ["alice", "alice2", "bob"][n % 3];
        assert!(log.put(vec![record(user, &format!("e{n}"))]).await[0].is_ok());
    }
    log.put_bytes("alice", br#"{"user_id": "alice", "broken": 1"#.to_vec()).await.unwrap();
    let before = log.stat().next;
    assert!(log.put(vec![record("alice", "later")]).await[0].is_ok());
    assert!(log.stat().segments > 1);
    assert_eq!(log.erase([("alice", before)]).unwrap(), 51);
    assert_eq!(log.erase([("alice", before)]).unwrap(), 0, "nothing is left to erase");
    for _ in 0..2 {
        let found = all(&log).await;
        assert_eq!(found.len(), 101);
        assert_eq!(
            found
                .values()
                .filter(|r| r.user_id().is_some_and(|user| user.as_str() == "alice"))
                .count(),
            1
        );
        assert_eq!(log.stat().damaged, 0);
    }
    assert_eq!(log.erase([("alice", log.stat().next)]).unwrap(), 1);
    assert!(!holds(dir.path(), "\"alice\"") && holds(dir.path(), "alice2"));
    drop(log);
    let log = open(dir.path());
    assert_eq!(all(&log).await.len(), 100);
    put_ids(&log, 200..210).await;
}

#[tokio::test]
async fn the_next_erasure_completes_an_interrupted_one() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    for n in 0..20 {
        let user = if n % 2 == 0 { "alice" } else { "bob" };
        assert!(log.put(vec![record(user, &format!("e{n}"))]).await[0].is_ok());
    }
    drop(log);
    // Half of one record is overwritten: neither the old record nor the new one.
    let path = last_segment(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|w| w == b"\"e4\"").unwrap();
    bytes[at - 20..at + 4].fill(b' ');
    std::fs::write(&path, bytes).unwrap();
    let log = open(dir.path());
    assert_eq!(log.stat().damaged, 1);
    assert_eq!(log.erase([("alice", 20)]).unwrap(), 10);
    assert!(!holds(dir.path(), "alice"));
    assert_eq!(all(&log).await.len(), 10);
}

/// Bytes that this thread has read by system calls.
#[cfg(target_os = "linux")]
fn bytes_read() -> u64 {
    let counts = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let read = counts.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
    read.parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_thousand_users_are_erased_while_the_log_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { segment_bytes: 1 << 20, ..LogOptions::new(|| 0) };
    let log = Log::open(dir.path(), options).unwrap();
    let users: Vec<String> = (0..2000).map(|n| format!("user-{n}")).collect();
    for batch in 0..8 {
        let records = users.iter().map(|user| record(user, &format!("{user}-{batch}")));
        assert!(log.put(records.collect()).await.iter().all(Result::is_ok));
    }
    let bytes = log.stat().segments as u64 * (1 << 20);
    let before = log.stat().next;
    let erased = users.iter().step_by(2).map(|user| (user.as_str(), before));
    let read = bytes_read();
    assert_eq!(log.erase(erased).unwrap(), 8000);
    let read = bytes_read() - read;
    assert!(log.stat().segments > 2 && read < bytes * 5 / 4, "{read} bytes read of {bytes}");
    let rest = all(&log).await;
    assert_eq!(rest.len(), 8000);
    assert!(!holds(dir.path(), "\"user-0\"") && holds(dir.path(), "\"user-1\""));
}
