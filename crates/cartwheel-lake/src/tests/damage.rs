//! Parquet files that are damaged or hostile.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::files::partition::HOUR_MS;
use crate::files::scan::scan;
use crate::{CompactionOptions, Compactor, Inspector};

/// An allocator that records the largest allocation of each thread.
struct WatchedAllocator;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn watch(layout: Layout) {
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
}

// SAFETY: every call is passed on unchanged.
unsafe impl GlobalAlloc for WatchedAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        watch(layout);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        watch(layout);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.with(|largest| largest.set(largest.get().max(size)));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: WatchedAllocator = WatchedAllocator;

/// A damaged copy of a file. The seed chooses the damage.
fn damaged(whole: &[u8], seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |end: usize| rng.random_range(0..end);
    let mut bytes = whole.to_vec();
    match below(8) {
        0 => bytes.truncate(below(bytes.len())),
        1 => {
            let (at, end) = (below(bytes.len()), below(bytes.len()));
            bytes[at.min(end)..at.max(end)].fill(0);
        }
        2 => {
            let at = below(bytes.len());
            bytes.splice(at..at, [0xff; 7]);
        }
        3 => {
            // The length of the footer.
            let at = bytes.len() - 8 + below(4);
            bytes[at] = below(256) as u8;
        }
        _ => {
            // Half of the flips are in the footer, which holds lengths and offsets.
            let length = bytes.len();
            for _ in 0..=below(4) {
                let back = if below(2) == 0 { length } else { length / 2 };
                let at = length - 1 - below(back);
                bytes[at] ^= 1 << below(8);
            }
        }
    }
    bytes
}

#[tokio::test]
async fn a_damaged_part_is_reported_and_the_others_are_read() {
    let stream = Arc::new(MemoryStream::new(1));
    let dir = tempfile::tempdir().unwrap();
    stream.put(vec![checkout("u", "e", 0), impression("r", "u", &["a"], 0)]).await;
    delivery(&stream, dir.path()).deliver().await.unwrap();
    for table in ["events", "impressions"] {
        let bad = dir.path().join(format!("lake/{table}/year=1970/month=01/day=01/hour=00"));
        std::fs::write(bad.join("bad.parquet"), b"PAR1 nothing PAR1").unwrap();
    }
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let found = lake.checkouts().unwrap();
    assert_eq!(found.records.len(), 1);
    assert!(found.problems[0].contains("bad.parquet"), "{:?}", found.problems);
    let report = lake.feedback(0, 10, 10, 100).unwrap();
    assert_eq!((report.rows.len(), report.problems.len()), (1, 2), "{report:?}");
    let events = Inspector::new(lake.clone()).table("events").unwrap().unwrap();
    assert_eq!((events.files.len(), events.problems.len()), (1, 1));
    assert!(events.problems[0].contains("bad.parquet"));
    let all = lake.user_records("u", 10).unwrap();
    assert_eq!((all.events.len(), all.impressions.len(), all.problems.len()), (1, 1, 2));
}

/// The rows of a part, as text; the error of a part that cannot be read.
fn values(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = scan(path, None, |batch| {
        text += &format!("{batch:?}");
        Ok(())
    });
    read.map(|()| text).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_damaged_part_is_named_or_equal_to_the_original() {
    let stream = Arc::new(MemoryStream::new(1));
    let dir = tempfile::tempdir().unwrap();
    stream.put((0..9).map(|n| checkout(&format!("u{n}"), &format!("e{n}"), n)).collect()).await;
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let hour = dir.path().join("lake/events/year=1970/month=01/day=01/hour=00");
    let (path, whole) = listing(&hour).remove(0);
    let (path, original) = (Path::new(&path), values(Path::new(&path)).unwrap());
    let mut equal = 0;
    let mut check = |bytes: &[u8], what: String| {
        std::fs::write(path, bytes).unwrap();
        match values(path) {
            Ok(values) => {
                assert_eq!(values, original, "{what}");
                equal += 1;
            }
            Err(error) => assert!(!error.is_empty()),
        }
    };
    for seed in 0..1_000 {
        check(&damaged(&whole, seed), format!("seed {seed}"));
    }
    for bit in (0..whole.len() * 8).step_by(3) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        check(&flipped, format!("bit {bit}"));
    }
    check(&whole, "intact".to_owned());
    assert!(equal < 100, "{equal} damaged files were read");
}

#[tokio::test]
async fn compaction_does_not_copy_a_damaged_part() {
    let stream = Arc::new(MemoryStream::new(1));
    let dir = tempfile::tempdir().unwrap();
    let mut delivery = delivery(&stream, dir.path());
    for part in 0..3 {
        let record = |n: i64| checkout("u", &format!("e{part}-{n}"), part * 10 + n);
        stream.put((0..5).map(record).collect()).await;
        delivery.deliver().await.unwrap();
    }
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let hour = lake.dir().join("events/year=1970/month=01/day=01/hour=00");
    let (path, mut bytes) = listing(&hour).remove(2);
    // In the statistics of the footer: the part can be read either way.
    let at = bytes.windows(4).position(|found| found == b"e2-4").unwrap();
    bytes[at + 3] = b'9';
    std::fs::write(&path, &bytes).unwrap();
    let compact = || {
        let compactor = Compactor::new(&lake, CompactionOptions::default());
        compactor.compact(10 * HOUR_MS, &[100.into()], &[], &mut |_| {}).unwrap()
    };
    let done = compact();
    assert!(done.problems.iter().any(|problem| problem.contains(&path)), "{done:?}");
    assert!(done.problems[0].contains("checksum"), "{done:?}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "the damaged part stays");
    assert_eq!((done.rows, done.parts_after), (10, 2), "the intact ones are merged");
}

#[tokio::test]
async fn a_flipped_bit_in_a_small_file_is_refused_by_name() {
    let stream = Arc::new(MemoryStream::new(1));
    let dir = tempfile::tempdir().unwrap();
    stream.put((0..9).map(|n| checkout("u", &format!("e{n}"), n)).collect()).await;
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let path = dir.path().join("delivery.json");
    let whole = std::fs::read(&path).unwrap();
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let open = || {
        let options = delivery_options(10, Clock::system());
        Delivery::new(Arc::clone(&stream) as _, &lake, options, &path, |_| {}).map(drop)
    };
    assert_eq!(crate::delivered_before(&path, &lake).unwrap(), 9);
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, flipped).unwrap();
        let error = open().expect_err(&format!("bit {bit}")).to_string();
        assert!(error.contains("delivery.json"), "{error}");
    }
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(&path, flipped).unwrap();
    assert!(open().unwrap_err().to_string().contains("remove the file"));
    // Without the checksum, as earlier releases wrote it and a person may.
    let text = String::from_utf8(whole).unwrap();
    let (_, rest) = text.split_once(',').unwrap();
    std::fs::write(&path, format!("{{{rest}")).unwrap();
    open().unwrap();
}

#[tokio::test]
async fn readers_survive_a_thousand_damaged_parts() {
    let stream = Arc::new(MemoryStream::new(1));
    let dir = tempfile::tempdir().unwrap();
    let record = |n: i64| match n % 3 {
        0 => impression(&format!("r{n}"), &format!("u{}", n % 5), &["a", "b"], n),
        _ => checkout(&format!("u{}", n % 5), &format!("e{n}"), n),
    };
    stream.put((0..9).map(record).collect()).await;
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let hour = lake.dir().join("events/year=1970/month=01/day=01/hour=00");
    let shows = lake.dir().join("impressions/year=1970/month=01/day=01/hour=00");
    let part = |folder: &Path| listing(folder).remove(0).1;
    let (events, impressions) = (part(&hour), part(&shows));
    // The damaged parts are beside intact ones.
    let (bad_events, bad_impressions) = (hour.join("bad.parquet"), shows.join("bad.parquet"));
    let (mut reported, mut panics) = (0, Vec::new());
    for seed in 0..1_000 {
        std::fs::write(&bad_events, damaged(&events, seed)).unwrap();
        std::fs::write(&bad_impressions, damaged(&impressions, seed)).unwrap();
        LARGEST.with(|largest| largest.set(0));
        let read = catch_unwind(AssertUnwindSafe(|| {
            let inspector = Inspector::new(lake.clone());
            let checkouts = lake.checkouts().unwrap();
            let report = lake.feedback(0, 100, 100, 100).unwrap();
            let exported = lake.user_records("u1", 100).unwrap();
            let _ = inspector.sample(Path::new(&bad_events), 10);
            let tables = inspector.tables().unwrap();
            // The intact parts are read in any case.
            for n in [1, 2, 4, 5, 7, 8] {
                let id = format!("e{n}");
                assert!(checkouts.records.iter().any(|row| row.event_id == id), "seed {seed}");
            }
            let sent: u64 = report.rows.values().map(|row| row.sent).sum();
            assert!(sent >= 3, "seed {seed}: {report:?}");
            assert!(!exported.events.is_empty(), "seed {seed}: {exported:?}");
            let files = tables.iter().map(|table| table.files.len()).sum::<usize>();
            assert!(files >= 2, "seed {seed}");
            checkouts.problems
        }));
        match read {
            Ok(problems) => {
                assert!(problems.iter().all(|problem| problem.contains("bad.parquet")));
                reported += usize::from(!problems.is_empty());
            }
            Err(_) => panics.push(seed),
        }
        let largest = LARGEST.with(Cell::get);
        assert!(largest < 64 << 20, "seed {seed} allocates {largest} bytes at once");
    }
    assert_eq!(panics, Vec::<u64>::new());
    assert!(reported > 300, "{reported} of 1,000 damaged parts were reported");
}
