//! Tests with disks that fail, lose power or are damaged, and with clocks that jump.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use cartwheel_events::Record;
use proptest::prelude::*;

use super::{all, id, last_segment, options, put_ids, record, used};
use crate::log::{Disk, Step};
use crate::simulation::{self, Action, Simulation};
use crate::{Log, LogOptions, PutError, Sequence, Stream};

const DAY_MS: i64 = 24 * 3_600_000;

/// Fails on demand, and counts syncs.
#[derive(Default)]
struct Failing {
    fail_sync: AtomicBool,
    full: AtomicBool,
    syncs: AtomicUsize,
}

impl Disk for Failing {
    fn before(&self, step: Step<'_>) -> io::Result<()> {
        match step {
            Step::Create { .. } if self.full.load(Ordering::SeqCst) => {
                Err(io::ErrorKind::StorageFull.into())
            }
            Step::Sync { .. } => {
                self.syncs.fetch_add(1, Ordering::SeqCst);
                if self.fail_sync.load(Ordering::SeqCst) {
                    return Err(io::Error::from_raw_os_error(5));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_failed_sync_stops_the_log_and_is_not_retried() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Failing::default());
    let log = Log::open_on(disk.clone(), dir.path(), options()).unwrap();
    put_ids(&log, 0..5).await;
    let syncs = disk.syncs.load(Ordering::SeqCst);
    disk.fail_sync.store(true, Ordering::SeqCst);
    let failed = log.put(vec![record("u", "lost")]).await;
    assert!(matches!(failed[..], [Err(PutError::Failed(_))]), "{failed:?}");
    disk.fail_sync.store(false, Ordering::SeqCst);
    // The writer may still be stopping, but nothing is stored.
    assert_eq!(log.put(vec![record("u", "late")]).await, [Err(PutError::Stopped)]);
    assert_eq!(disk.syncs.load(Ordering::SeqCst), syncs + 1, "the failed sync is not retried");
    assert_eq!(all(&log).await.len(), 5, "reads still work, without the unsynced record");
    drop(log);
    let log = Log::open(dir.path(), options()).unwrap();
    let ids: Vec<String> = all(&log).await.values().map(id).collect();
    for n in 0..5 {
        assert_eq!(ids.iter().filter(|id| **id == format!("e{n}")).count(), 1);
    }
    assert!(!ids.contains(&"late".to_owned()));
}

#[tokio::test]
async fn a_full_disk_refuses_puts_until_there_is_space() {
    static NOW_MS: AtomicI64 = AtomicI64::new(1_700_000_000_000);
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Failing::default());
    let options = LogOptions { clock: || NOW_MS.load(Ordering::SeqCst), ..options() };
    let log = Log::open_on(disk.clone(), dir.path(), options).unwrap();
    disk.full.store(true, Ordering::SeqCst);
    let mut stored = 0;
    let refused = loop {
        match &log.put(vec![record("u", &format!("e{stored}"))]).await[0] {
            Ok(_) => stored += 1,
            Err(error) => break error.clone(),
        }
        assert!(stored < 1000, "the segment does not fill up");
    };
    assert!(stored > 10, "records are stored until the segment is full: {stored}");
    assert!(matches!(&refused, PutError::Failed(why) if why.contains("no space")), "{refused}");
    assert_eq!(all(&log).await.len(), stored, "reads still work");
    disk.full.store(false, Ordering::SeqCst);
    NOW_MS.fetch_add(1000, Ordering::SeqCst);
    put_ids(&log, stored..stored + 100).await;
    assert_eq!(all(&log).await.len(), stored + 100);
}

#[test]
fn a_power_cut_at_any_step_loses_no_acknowledged_record() {
    for seed in 1..=3 {
        let report = simulation::power_cuts(seed, 40);
        assert!(report.tried > 100, "{report:?}");
        assert_eq!(report.failures, Vec::<String>::new());
    }
}

fn action() -> impl Strategy<Value = Action> {
    let put = || proptest::collection::vec(1..6_u8, 1..4).prop_map(Action::Put);
    prop_oneof![
        8 => put(),
        2 => Just(Action::Consume),
        1 => (-400..400_i16).prop_map(Action::Jump),
        1 => Just(Action::Reopen),
        1 => proptest::collection::vec(any::<u8>(), 1..90).prop_map(Action::Tear),
        1 => any::<u64>().prop_map(Action::FailSync),
        1 => any::<bool>().prop_map(Action::Full),
        1 => any::<u64>().prop_map(Action::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn the_log_behaves_like_a_list(actions in proptest::collection::vec(action(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut simulation = Simulation::new();
            for action in &actions {
                simulation.apply(action).await.unwrap_or_else(|e| panic!("{action:?}: {e}"));
            }
        });
    }
}

/// Returns the offsets at which the records of a segment end, without their padding.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut at = 64;
    let mut ends = Vec::new();
    while at + 32 < bytes.len() {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if length == 0 {
            break;
        }
        ends.push(at + 32 + length);
        at = (at + 32 + length).next_multiple_of(8);
    }
    ends
}

#[tokio::test]
async fn a_file_truncated_at_any_byte_keeps_its_intact_records() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), options()).unwrap();
    put_ids(&log, 0..30).await;
    let last = all(&log).await.keys().map(|(_, sequence)| *sequence).max().unwrap();
    drop(log);
    let path = last_segment(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let (end, ends) = (used(&whole), ends(&whole));
    assert_eq!(ends.len(), 30);
    for back in (1..512).chain((512..4096).step_by(61)) {
        let cut = end - back;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(path.file_name().unwrap());
        std::fs::write(&path, &whole[..cut]).unwrap();
        let log = Log::open(dir.path(), options()).unwrap();
        let kept = all(&log).await.len();
        assert_eq!(kept, ends.iter().filter(|&&e| e <= cut).count(), "cut {back} from the end");
        let put = log.put(vec![record("u", "new")]).await;
        let sequence = put[0].as_ref().unwrap().sequence;
        assert!(sequence > last, "{sequence} may have been assigned before");
        drop(log);
        let log = Log::open(dir.path(), options()).unwrap();
        assert_eq!(all(&log).await.len(), kept + 1);
    }
}

#[tokio::test]
async fn a_truncated_log_is_noticed_under_any_setting() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), options()).unwrap();
    put_ids(&log, 0..30).await;
    drop(log);
    let path = last_segment(dir.path());
    let whole = std::fs::read(&path).unwrap();
    // Right after a record: nothing but the length tells that records are missing.
    let cut = ends(&whole)[14].next_multiple_of(8);
    for segment_bytes in [4 << 10, 16 << 10, 64 << 10] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let options = LogOptions { segment_bytes, ..options() };
        let log = Log::open(dir.path(), options.clone()).unwrap();
        let put = log.put(vec![record("u", "new")]).await;
        assert!(put[0].as_ref().unwrap().sequence > 29, "{put:?}");
        let next = log.stat().next;
        drop(log);
        let log = Log::open(dir.path(), options).unwrap();
        assert_eq!(log.stat().next, next, "numbers are skipped once");
        assert_eq!(all(&log).await.len(), 16);
        drop(log);
        std::fs::remove_file(last_segment(dir.path())).unwrap();
    }
}

#[tokio::test]
async fn a_whole_log_skips_no_numbers_under_a_larger_setting() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), options()).unwrap();
    put_ids(&log, 0..30).await;
    drop(log);
    let larger = LogOptions { segment_bytes: 64 << 10, ..options() };
    let log = Log::open(dir.path(), larger).unwrap();
    assert_eq!(log.stat().next, 30);
    drop(log);
    // Records that were put under a larger limit are read.
    let smaller = LogOptions { max_record_bytes: 40, ..options() };
    let log = Log::open(dir.path(), smaller).unwrap();
    assert_eq!((all(&log).await.len(), log.stat().next, log.stat().damaged), (30, 30, 0));
}

#[tokio::test]
async fn numbers_that_a_consumer_has_seen_are_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), options()).unwrap();
    put_ids(&log, 0..10).await;
    log.skip_to(10).await.unwrap();
    assert_eq!(log.stat().next, 10);
    log.skip_to(5_000_000).await.unwrap();
    assert_eq!(log.stat().next, 5_000_000);
    let put = log.put(vec![record("u", "later")]).await;
    let position = *put[0].as_ref().unwrap();
    assert_eq!(position.sequence, 5_000_000);
    let batch = log.read(position.shard, 4_000_000.into(), 10).await.unwrap();
    assert_eq!((batch.records.len(), batch.missed), (1, 0));
    assert_eq!(all(&log).await.len(), 11);
    drop(log);
    let path = last_segment(dir.path());
    // Damage before the gap does not hide what is behind it.
    let mut bytes = std::fs::read(&path).unwrap();
    let at = ends(&bytes)[8] - 1;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let log = Log::open(dir.path(), options()).unwrap();
    assert_eq!((all(&log).await.len(), log.stat().next), (10, 5_000_001));
    let found = crate::LogFiles::verify(dir.path(), |_, _| ()).unwrap();
    assert_eq!((found.next, found.damaged.len()), (5_000_001, 1));
}

/// Fails the syncs of an erasure, and records which files are written.
#[derive(Default)]
struct Watching {
    fail: AtomicBool,
    written: AtomicUsize,
}

impl Disk for Watching {
    fn before(&self, step: Step<'_>) -> io::Result<()> {
        match step {
            Step::Sync { .. } if self.fail.load(Ordering::SeqCst) => {
                Err(io::Error::from_raw_os_error(5))
            }
            Step::Write { .. } => {
                self.written.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn an_erasure_whose_sync_failed_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Watching::default());
    let log = Log::open_on(disk.clone(), dir.path(), options()).unwrap();
    put_ids(&log, 0..10).await;
    disk.fail.store(true, Ordering::SeqCst);
    assert!(log.erase([("u1", 10)]).is_err());
    disk.fail.store(false, Ordering::SeqCst);
    disk.written.store(0, Ordering::SeqCst);
    // Reads find no record of the user any more, but the disk may.
    assert_eq!(log.erase([("u1", 10)]).unwrap(), 0);
    assert_eq!(disk.written.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_number_of_a_damaged_last_record_is_not_reused() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), options()).unwrap();
    put_ids(&log, 0..10).await;
    drop(log);
    let path = last_segment(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let last = used(&bytes) - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let log = Log::open(dir.path(), options()).unwrap();
    assert!(log.stat().torn_bytes > 100, "{:?}", log.stat());
    // Opened twice before the next put: the number is still not reused.
    drop(log);
    let log = Log::open(dir.path(), options()).unwrap();
    let put = log.put(vec![record("u", "new")]).await;
    let position = *put[0].as_ref().unwrap();
    assert!(position.sequence > 9, "a reader at 10 would miss the record");
    let batch = log.read(position.shard, 10.into(), 10).await.unwrap();
    assert_eq!(batch.records.len(), 1);
    assert_eq!(all(&log).await.len(), 10);
}

#[tokio::test]
async fn damage_in_an_old_segment_is_counted_once_and_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let wide = LogOptions { segment_bytes: 4 << 20, ..options() };
    let log = Log::open(dir.path(), wide.clone()).unwrap();
    // Larger than the first read of a segment, so that records cross its windows.
    let large = |n: usize| {
        let mut large = record("u", &format!("e{n}"));
        if let Record::Event(event) = &mut large {
            event.source = Some("x".repeat(50_000 + n * 977));
        }
        large
    };
    for n in 0..100 {
        assert!(log.put(vec![large(n)]).await[0].is_ok());
    }
    assert!(log.stat().segments > 2);
    drop(log);
    let first = dir.path().join(format!("{:020}.log", 0));
    let mut bytes = std::fs::read(&first).unwrap();
    // The second record's length, the seventh's data, and the whole last record of the segment.
    let ends = ends(&bytes);
    bytes[ends[0].next_multiple_of(8) + 1] ^= 4;
    bytes[ends[6] - 9] ^= 1;
    bytes[ends[ends.len() - 2].next_multiple_of(8)..].fill(0);
    std::fs::write(&first, bytes).unwrap();
    let log = Log::open(dir.path(), wide).unwrap();
    for _ in 0..2 {
        let found = all(&log).await;
        let lost = [1, 6, ends.len() as u64 - 1];
        let expected: Vec<u64> = (0..100).filter(|n| !lost.contains(n)).collect();
        assert_eq!(found.keys().map(|(_, sequence)| *sequence).collect::<Vec<_>>(), expected);
        assert_eq!(log.stat().damaged, 3, "each place counts once, however often it is read");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_preserves_the_order_and_most_records() {
    static NOW_MS: AtomicI64 = AtomicI64::new(1_700_000_000_000);
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { clock: || NOW_MS.load(Ordering::SeqCst), ..options() };
    let log = Log::open(dir.path(), options).unwrap();
    put_ids(&log, 0..600).await;
    let before = log.stat();
    assert!(before.segments > 6 && before.first == 0, "{before:?}");
    let mut last = Sequence::from(before.next - 1);
    for days in [400, -800, 400] {
        NOW_MS.fetch_add(days * DAY_MS, Ordering::SeqCst);
        let segments = log.stat().segments;
        // Fill one more segment.
        while log.stat().segments == segments {
            let put = log.put(vec![record("u", "e")]).await;
            let sequence = put[0].as_ref().unwrap().sequence;
            assert!(sequence > last, "numbers increase regardless of the clock");
            last = sequence;
            if log.stat().first > before.first {
                break;
            }
        }
    }
    assert!(log.stat().segments + 2 >= before.segments, "{:?}", log.stat());
}

#[tokio::test]
async fn a_log_at_its_maximum_size_deletes_what_every_consumer_has_read() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { max_bytes: 4 * (16 << 10), ..options() };
    let log = Log::open(dir.path(), options).unwrap();
    for n in 0..600 {
        log.set_floor("delivery", log.stat().next);
        let put = log.put(vec![record("u", &format!("e{n}"))]).await;
        assert!(put[0].is_ok(), "record {n}: {put:?}");
    }
    let stat = log.stat();
    assert!(stat.first > 0 && stat.segments <= 4, "{stat:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().filter(is_log).count(), stat.segments);
}

fn is_log(entry: &io::Result<std::fs::DirEntry>) -> bool {
    let path = entry.as_ref().unwrap().path();
    Path::new(&path).extension().is_some_and(|extension| extension == "log")
}
