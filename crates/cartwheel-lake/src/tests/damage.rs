//! Parquet files that are damaged or hostile.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::{Inspector, Outcomes};

/// Remembers the largest piece of memory that a thread asked for at once.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn watch(layout: Layout) {
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
}

// SAFETY: every call is passed on as it is.
unsafe impl GlobalAlloc for Watched {
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
static ALLOCATOR: Watched = Watched;

/// Random numbers that a seed repeats (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

/// One of the ways in which a file is damaged.
fn mutated(whole: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = whole.to_vec();
    match random.below(8) {
        0 => bytes.truncate(random.below(bytes.len())),
        1 => {
            let (at, end) = (random.below(bytes.len()), random.below(bytes.len()));
            bytes[at.min(end)..at.max(end)].fill(0);
        }
        2 => {
            let at = random.below(bytes.len());
            bytes.splice(at..at, [0xff; 7]);
        }
        3 => {
            // The footer's length, which is not to be believed.
            let at = bytes.len() - 8 + random.below(4);
            bytes[at] = random.below(256) as u8;
        }
        _ => {
            // Half of them in the footer, where lengths and places stand.
            let length = bytes.len();
            for _ in 0..=random.below(4) {
                let back = if random.below(2) == 0 { length } else { length / 2 };
                let at = length - 1 - random.below(back);
                bytes[at] ^= 1 << random.below(8);
            }
        }
    }
    bytes
}

#[tokio::test]
async fn a_damaged_part_is_named_and_the_rest_is_read() {
    let stream = Arc::new(MemoryStream::new(1));
    let dir = tempfile::tempdir().unwrap();
    stream.put(vec![checkout("u", "e", 0), shown("r", "u", &["a"], 0)]).await;
    delivery(&stream, dir.path()).deliver().await.unwrap();
    for table in ["events", "impressions"] {
        let bad = dir.path().join(format!("lake/{table}/year=1970/month=01/day=01/hour=00"));
        std::fs::write(bad.join("bad.parquet"), b"PAR1 nothing PAR1").unwrap();
    }
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let found = lake.checkouts().unwrap();
    assert_eq!(found.records.len(), 1);
    assert!(found.problems[0].contains("bad.parquet"), "{:?}", found.problems);
    let Outcomes { answers, problems, .. } = lake.outcomes(0, 10, 100).unwrap();
    assert_eq!((answers.len(), problems.len()), (1, 2), "{problems:?}");
    let events = Inspector::new(lake.clone()).table("events").unwrap().unwrap();
    assert_eq!((events.files.len(), events.problems.len()), (1, 1));
    assert!(events.problems[0].contains("bad.parquet"));
    let all = lake.user_records("u", 10).unwrap();
    assert_eq!((all.events.len(), all.impressions.len(), all.problems.len()), (1, 1, 2));
}

#[tokio::test]
async fn a_thousand_mutations_of_a_part_end_no_reader() {
    let stream = Arc::new(MemoryStream::new(1));
    let dir = tempfile::tempdir().unwrap();
    let record = |n: i64| match n % 3 {
        0 => shown(&format!("r{n}"), &format!("u{}", n % 5), &["a", "b"], n),
        _ => checkout(&format!("u{}", n % 5), &format!("e{n}"), n),
    };
    stream.put((0..9).map(record).collect()).await;
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let hour = lake.dir().join("events/year=1970/month=01/day=01/hour=00");
    let shows = lake.dir().join("impressions/year=1970/month=01/day=01/hour=00");
    let part = |folder: &Path| listing(folder).remove(0).1;
    let (events, impressions) = (part(&hour), part(&shows));
    // The damaged parts lie beside whole ones.
    let (bad_events, bad_impressions) = (hour.join("bad.parquet"), shows.join("bad.parquet"));
    let (mut named, mut panics) = (0, Vec::new());
    for seed in 0..1_000 {
        std::fs::write(&bad_events, mutated(&events, seed)).unwrap();
        std::fs::write(&bad_impressions, mutated(&impressions, seed)).unwrap();
        LARGEST.with(|largest| largest.set(0));
        let read = catch_unwind(AssertUnwindSafe(|| {
            let inspector = Inspector::new(lake.clone());
            let checkouts = lake.checkouts().unwrap();
            let outcomes = lake.outcomes(0, 100, 100).unwrap();
            let exported = lake.user_records("u1", 100).unwrap();
            let _ = inspector.sample(Path::new(&bad_events), 10);
            let tables = inspector.tables().unwrap();
            // What is whole is there, whatever lies beside it.
            for n in [1, 2, 4, 5, 7, 8] {
                let id = format!("e{n}");
                assert!(checkouts.records.iter().any(|row| row.event_id == id), "seed {seed}");
            }
            assert!(outcomes.answers.len() >= 3, "seed {seed}: {outcomes:?}");
            assert!(!exported.events.is_empty(), "seed {seed}: {exported:?}");
            let files = tables.iter().map(|table| table.files.len()).sum::<usize>();
            assert!(files >= 2, "seed {seed}");
            checkouts.problems
        }));
        match read {
            Ok(problems) => {
                assert!(problems.iter().all(|problem| problem.contains("bad.parquet")));
                named += usize::from(!problems.is_empty());
            }
            Err(_) => panics.push(seed),
        }
        let largest = LARGEST.with(Cell::get);
        assert!(largest < 64 << 20, "seed {seed} takes {largest} bytes at once");
    }
    assert_eq!(panics, Vec::<u64>::new());
    assert!(named > 300, "{named} of 1,000 were found to be damaged");
}
