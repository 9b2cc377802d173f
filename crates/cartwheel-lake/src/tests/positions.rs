//! A delivery whose checkpoint does not agree with the lake.

use std::collections::BTreeMap;

use super::compaction::rows;
use super::store::{FailingStore, Stop};
use super::*;
use crate::{CompactionOptions, Compactor};

const HOUR_MS: i64 = 3_600_000;

/// Records of one shard whose ranges fall into two hours and three tables.
fn records(count: i64) -> Vec<Record> {
    let record = |n: i64| {
        let at = n * HOUR_MS / 15;
        match n % 4 {
            0 => impression(&format!("r{n}"), "u", &["a"], at),
            1 => product(&format!("p{n}"), Some("Tea"), at),
            _ => checkout("u", &format!("e{n}"), at),
        }
    };
    (0..count).map(record).collect()
}

fn open(stream: &Arc<MemoryStream>, lake: &Lake, dir: &Path) -> Delivery {
    let options = delivery_options(10, Clock::fixed(0));
    let checkpoint = dir.join("delivery.json");
    Delivery::new(Arc::clone(stream) as _, lake, options, &checkpoint, |_| {}).unwrap()
}

/// Writes a checkpoint as a person does who knows about the checksum.
fn write(dir: &Path, next: u64, planned: Option<u64>) {
    let text = json!({"0": {"next": next, "planned": planned}}).to_string();
    cartwheel_files::replace_checked(&dir.join("delivery.json"), text.as_bytes()).unwrap();
}

/// A copy of a data directory.
fn copy(of: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in listing(of) {
        let target = dir.path().join(Path::new(&path).strip_prefix(of).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, bytes).unwrap();
    }
    dir
}

/// The rows of events and impressions that a delivery of `count` records makes.
fn expected(count: i64) -> BTreeMap<String, usize> {
    let row = |n: i64| match n % 4 {
        0 => Some(format!("impressions u r{n}")),
        1 => None,
        _ => Some(format!("events u e{n}")),
    };
    (0..count).filter_map(row).map(|row| (row, 1)).collect()
}

/// Delivers, in a copy of `state`, what a checkpoint leaves, and compares the lake.
async fn check(stream: &Arc<MemoryStream>, state: &Path, change: impl FnOnce(&Path), what: &str) {
    let dir = copy(state);
    change(dir.path());
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let mut running = open(stream, &lake, dir.path());
    running.deliver().await.unwrap();
    assert_eq!(rows(&lake), expected(45), "{what}");
    let products = lake.read_products().unwrap();
    assert_eq!(products.len(), 11, "{what}");
    let status = running.status().now();
    assert_eq!((status.next[0], status.missed), (45.into(), 0), "{what}");
}

#[tokio::test]
async fn a_changed_position_skips_no_record_and_repeats_none() {
    // 30 records are delivered in three ranges, and 15 are not.
    let (stream, dir) = (Arc::new(MemoryStream::new(1)), tempfile::tempdir().unwrap());
    let all = records(45);
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let mut older = vec![None];
    for range in all[..30].chunks(10) {
        stream.put(range.to_vec()).await;
        open(&stream, &lake, dir.path()).deliver().await.unwrap();
        older.push(Some(std::fs::read(dir.path().join("delivery.json")).unwrap()));
    }
    let whole = copy(dir.path());
    // Another range is delivered by half.
    stream.put(all[30..40].to_vec()).await;
    let failing = FailingStore::new(lake.store(), Stop::After(1));
    let halved = lake.through(Arc::new(failing));
    assert!(open(&stream, &halved, dir.path()).deliver().await.is_err());
    let half = dir;
    stream.put(all[40..].to_vec()).await;
    // Of the whole one, two ranges are merged, or all.
    let merged = copy(whole.path());
    let lake = Lake::open(&merged.path().join("lake")).unwrap();
    let options = CompactionOptions { grace: Duration::ZERO, ..CompactionOptions::default() };
    let compactor = Compactor::new(&lake, options);
    compactor.compact(5 * HOUR_MS, &[30.into()], &[], &mut |_| {}).unwrap();
    let replaced = copy(merged.path());
    let lake = Lake::open(&replaced.path().join("lake")).unwrap();
    let options = CompactionOptions { grace: Duration::ZERO, ..CompactionOptions::default() };
    let compactor = Compactor::new(&lake, options);
    compactor.compact(6 * HOUR_MS, &[30.into()], &[], &mut |_| {}).unwrap();

    for (name, state) in
        [("whole", &whole), ("half", &half), ("merged", &merged), ("replaced", &replaced)]
    {
        check(&stream, state.path(), |_| {}, name).await;
        for (at, bytes) in older.iter().enumerate() {
            let back = |dir: &Path| match bytes {
                Some(bytes) => std::fs::write(dir.join("delivery.json"), bytes).unwrap(),
                None => std::fs::remove_file(dir.join("delivery.json")).unwrap(),
            };
            check(&stream, state.path(), back, &format!("{name}: the file of range {at}")).await;
        }
        for next in [0, 4, 10, 20, 25, 29, 30, 31, 35, 40, 41, 45, 46, 1 << 40] {
            // A checkpoint is believed if it calls exactly the range complete that a crash left half done.
            if name == "half" && next == 40 {
                continue;
            }
            let change = |dir: &Path| write(dir, next, None);
            check(&stream, state.path(), change, &format!("{name}: next {next}")).await;
            for planned in [40, 1 << 41] {
                let change = |dir: &Path| write(dir, next, Some(planned));
                let what = format!("{name}: next {next}, planned {planned}");
                check(&stream, state.path(), change, &what).await;
            }
        }
    }
}
