use std::collections::BTreeMap;
use std::path::PathBuf;

use cartwheel_stream::Sequence;
use object_store::local::LocalFileSystem;

use super::store::{FailingStore, Stop};
use super::*;
use crate::files::format::Format;
use crate::files::parts::{PartsRead, folders, live_parts, read_parts};
use crate::files::scan::{scan, sequences, texts};
use crate::{CompactionOptions, CompactionSummary, Compactor, Erasure, Inspector, LakeError};

const HOUR_MS: i64 = 3_600_000;

/// Options that keep superseded parts for an hour.
fn options() -> CompactionOptions {
    CompactionOptions { grace: Duration::from_secs(3600), ..CompactionOptions::default() }
}

pub(super) fn now_ms() -> i64 {
    Clock::system().now_ms()
}

fn compact(lake: &Lake, now_ms: i64, delivered: &[Sequence]) -> CompactionSummary {
    let compactor = Compactor::new(lake, options());
    compactor.compact(now_ms, delivered, &[], &mut |_| {}).unwrap()
}

/// Every live row with the number of its occurrences.
pub(super) fn rows(lake: &Lake) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for (table, key) in [("events", "event_id"), ("impressions", "recommendation_id")] {
        for path in live_parts(&lake.dir().join(table)).unwrap() {
            scan(&path, None, |batch| {
                let (users, keys) = (texts(batch, "user_id")?, texts(batch, key)?);
                for (user, key) in users.iter().zip(keys) {
                    let row = format!("{table} {} {}", user.unwrap(), key.unwrap());
                    *found.entry(row).or_default() += 1;
                }
                Ok(())
            })
            .unwrap();
        }
    }
    for folder in folders(&lake.dir().join("errors"), Format::Ndjson).unwrap() {
        for part in folder.live() {
            for line in std::fs::read_to_string(&part.path).unwrap().lines() {
                *found.entry(format!("errors {line}")).or_default() += 1;
            }
        }
    }
    found
}

fn count(lake: &Lake, table: &str) -> usize {
    live_parts(&lake.dir().join(table)).unwrap().len()
}

/// A lake with `parts` deliveries of 20 records over two shards, two hours and two tables, and
/// the delivered sequence numbers.
async fn small_parts(dir: &Path, parts: i64) -> (Lake, Vec<Sequence>) {
    let stream = Arc::new(MemoryStream::new(2));
    let mut delivery = delivery(&stream, dir);
    for part in 0..parts {
        let records = (0..20).map(|n| {
            let (n, user) = (part * 20 + n, format!("u{}", n % 5));
            let at = n * 2 * HOUR_MS / (parts * 20);
            if n % 4 == 0 {
                impression(&format!("r{n}"), &user, &["a"], at)
            } else {
                checkout(&user, &format!("e{n}"), at)
            }
        });
        stream.put(records.collect()).await;
        delivery.deliver().await.unwrap();
    }
    let lake = Lake::open(&dir.join("lake")).unwrap();
    let folder = lake.dir().join("errors/year=1970/month=01/day=01/hour=00");
    std::fs::create_dir_all(&folder).unwrap();
    for at in 0..3 {
        let name = format!("part-0000-{at:020}-{at:020}.ndjson");
        std::fs::write(folder.join(name), format!("{{\"sequence\":{at}}}\n")).unwrap();
    }
    (lake, delivery.status().now().next)
}

#[tokio::test]
async fn small_parts_of_an_hour_become_one() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, delivered) = small_parts(dir.path(), 8).await;
    let (before, checkouts) = (rows(&lake), lake.checkouts().unwrap());
    let small = (count(&lake, "events"), count(&lake, "impressions"));
    assert!(small.0 >= 16 && small.1 >= 16, "{small:?}");
    let done = compact(&lake, 5 * HOUR_MS, &delivered);
    // Two tables, two hours and two shards, and the errors.
    assert_eq!((count(&lake, "events"), count(&lake, "impressions")), (4, 4));
    assert_eq!(done.parts_before as usize, small.0 + small.1 + 3);
    assert_eq!((done.parts_after, done.rows, done.rows_dropped), (9, 160 + 3, 0));
    assert_eq!((done.problems.clone(), done.removed), (vec![], 0));
    assert_eq!(rows(&lake), before);
    assert_eq!(lake.checkouts().unwrap().records, checkouts.records);
    let tables = Inspector::new(lake.clone()).tables().unwrap();
    let events = tables.iter().find(|table| table.name == "events").unwrap();
    assert_eq!(events.files.iter().map(|file| file.rows).sum::<u64>(), 120);
    for path in live_parts(&lake.dir().join("events")).unwrap() {
        let mut last = None;
        scan(&path, None, |batch| {
            for sequence in sequences(batch).unwrap() {
                assert!(last < sequence, "sorted by sequence number");
                last = sequence;
            }
            Ok(())
        })
        .unwrap();
    }

    // The sources stay for readers that listed them, and are removed after the grace period.
    let all = listing(lake.dir()).len();
    let again = compact(&lake, 5 * HOUR_MS, &delivered);
    assert_eq!((again.rows, again.removed, listing(lake.dir()).len()), (0, 0, all));
    let later = compact(&lake, now_ms() + 2 * HOUR_MS, &delivered);
    assert_eq!(later.removed as usize, small.0 + small.1 + 3);
    assert_eq!(listing(lake.dir()).len(), all - later.removed as usize);
    assert_eq!(rows(&lake), before);
    assert_eq!(compact(&lake, now_ms() + 2 * HOUR_MS, &delivered).removed, 0);
}

#[tokio::test]
async fn an_hour_that_is_not_over_waits_for_many_parts() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, delivered) = small_parts(dir.path(), 8).await;
    let small = count(&lake, "events");
    compact(&lake, HOUR_MS / 2, &delivered);
    assert_eq!(count(&lake, "events"), small);
    let eager = CompactionOptions { max_parts: 2, ..options() };
    Compactor::new(&lake, eager).compact(HOUR_MS / 2, &delivered, &[], &mut |_| {}).unwrap();
    assert_eq!(count(&lake, "events"), 4);
}

#[tokio::test]
async fn parts_that_delivery_may_still_write_are_not_merged() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, delivered) = small_parts(dir.path(), 8).await;
    let before: Vec<PathBuf> = live_parts(&lake.dir().join("events")).unwrap();
    let half: Vec<Sequence> =
        delivered.iter().map(|next| (next.as_u64().unwrap() / 2).into()).collect();
    compact(&lake, 5 * HOUR_MS, &half);
    let after = live_parts(&lake.dir().join("events")).unwrap();
    assert!(after.len() < before.len() && after.len() > 4, "{after:?}");
    for (shard, next) in half.iter().enumerate() {
        let later = |path: &&PathBuf| {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let last: Sequence = name.rsplit('-').next().unwrap().parse().unwrap();
            name.starts_with(&format!("part-{shard:04}")) && last >= *next
        };
        let (was, is): (Vec<_>, Vec<_>) =
            (before.iter().filter(later).collect(), after.iter().filter(later).collect());
        assert_eq!(was, is);
    }
    let nothing = vec![Sequence::default(); 2];
    assert_eq!(compact(&lake, 5 * HOUR_MS, &nothing).rows, 0);
}

#[tokio::test]
async fn the_first_of_two_equal_events_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    let mut running = delivery(&stream, dir.path());
    for (user, id, at) in [("u1", "a", 1), ("u1", "b", 2), ("u1", "a", 3), ("u2", "a", 4)] {
        stream.put(vec![checkout(user, id, at)]).await;
        running.deliver().await.unwrap();
    }
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let done = compact(&lake, 5 * HOUR_MS, &running.status().now().next);
    assert_eq!((done.rows, done.rows_dropped), (3, 1));
    let kept = lake.checkouts().unwrap().records;
    let kept: Vec<_> = kept.iter().map(|c| (&*c.user_id, &*c.event_id, c.received_at_ms)).collect();
    assert_eq!(kept, [("u1", "a", 1), ("u1", "b", 2), ("u2", "a", 4)]);
}

#[tokio::test]
async fn an_id_that_is_used_for_two_events_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    let mut running = delivery(&stream, dir.path());
    let view = |id: &str, at: i64| {
        let Record::Event(mut record) = event("u1", "view", &["p1"], None, at) else { panic!() };
        record.event_id = id.to_owned();
        Record::Event(record)
    };
    // The same hour, and the next: `a` and `b` are used again for views, `c` is sent again.
    for record in [
        checkout("u1", "a", 1),
        checkout("u1", "b", 2),
        checkout("u1", "c", 3),
        view("a", 4),
        view("b", HOUR_MS),
        checkout("u1", "c", HOUR_MS + 1),
    ] {
        stream.put(vec![record]).await;
        running.deliver().await.unwrap();
    }
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let done = compact(&lake, 5 * HOUR_MS, &running.status().now().next);
    assert_eq!((done.rows, done.rows_dropped, done.rows_conflicting), (3, 3, 2), "{done:?}");
    assert_eq!(delivered(dir.path()), ["a", "b", "c"]);
}

#[tokio::test]
async fn an_event_that_is_repeated_within_a_day_is_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    let mut running = delivery(&stream, dir.path());
    // In the first hour, in the third, and more than a day later. Each hour has two events, so
    // that there is something to merge.
    let half = 26 * HOUR_MS + HOUR_MS / 2;
    let later = [2 * HOUR_MS, 2 * HOUR_MS + 1, half, half + 1];
    for (id, at) in
        ["a", "b"].into_iter().zip([0, 1]).chain(["a", "c", "a", "d"].into_iter().zip(later))
    {
        stream.put(vec![checkout("u1", id, at)]).await;
        running.deliver().await.unwrap();
    }
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let done = compact(&lake, 40 * HOUR_MS, &running.status().now().next);
    assert_eq!((done.rows, done.rows_dropped), (5, 1), "{done:?}");
    let expected =
        ["a", "b", "c", "d"].map(|id| (format!("events u1 {id}"), 1 + usize::from(id == "a")));
    assert_eq!(rows(&lake), BTreeMap::from(expected));
}

#[tokio::test]
async fn a_damaged_part_is_reported_and_no_merged_part_covers_it() {
    let dir = tempfile::tempdir().unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    let mut running = delivery(&stream, dir.path());
    for n in 0..7 {
        stream.put(vec![checkout("u", &format!("e{n}"), n)]).await;
        running.deliver().await.unwrap();
    }
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let bad = live_parts(&lake.dir().join("events")).unwrap().remove(3);
    let bytes = std::fs::read(&bad).unwrap();
    // The footer is intact, but a page is not.
    let mut broken = bytes.clone();
    broken[4..200].fill(0xff);
    std::fs::write(&bad, &broken).unwrap();
    let done = compact(&lake, 5 * HOUR_MS, &running.status().now().next);
    assert_eq!(done.problems.len(), 1, "{:?}", done.problems);
    assert!(done.problems[0].contains(bad.file_name().unwrap().to_str().unwrap()));
    assert_eq!(count(&lake, "events"), 3);
    assert!(compact(&lake, now_ms() + 2 * HOUR_MS, &running.status().now().next).removed > 0);
    // After a repair it is read again.
    std::fs::write(&bad, &bytes).unwrap();
    assert_eq!(lake.checkouts().unwrap().records.len(), 7);
}

#[tokio::test]
async fn newer_parts_may_have_more_columns() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, delivered) = small_parts(dir.path(), 3).await;
    let path = live_parts(&lake.dir().join("events")).unwrap().remove(0);
    let mut batches = Vec::new();
    scan(&path, None, |batch| {
        batches.push(batch.project(&[0, 1, 2, 3, 4]).unwrap());
        Ok(())
    })
    .unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let schema = batches[0].schema();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, schema, None).unwrap();
    writer.write(&batches[0]).unwrap();
    writer.close().unwrap();
    let before = rows(&lake);
    assert_eq!(compact(&lake, 5 * HOUR_MS, &delivered).problems, Vec::<String>::new());
    assert_eq!((count(&lake, "events"), rows(&lake)), (4, before));
}

#[tokio::test]
async fn only_one_compaction_runs() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).unwrap();
    let held = lake.lock("compaction").unwrap();
    let compactor = Compactor::new(&lake, options());
    let busy = compactor.compact(0, &[], &[], &mut |_| {}).unwrap_err();
    assert!(matches!(busy, LakeError::Busy(_)), "{busy}");
    drop(held);
    compactor.compact(0, &[], &[], &mut |_| {}).unwrap();
}

#[tokio::test]
async fn a_stopped_compaction_loses_nothing_and_another_one_continues() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, delivered) = small_parts(dir.path(), 8).await;
    let before = rows(&lake);
    let compactor = Compactor::new(&lake, options());
    // After the first folder, of several.
    let stop = &mut |_| compactor.stop();
    let stopped = compactor.compact(5 * HOUR_MS, &delivered, &[], stop).unwrap_err();
    assert!(matches!(stopped, LakeError::Stopped), "{stopped}");
    let parts = count(&lake, "events") + count(&lake, "impressions");
    assert!(8 < parts && parts < 40, "{parts} parts");
    assert_eq!(rows(&lake), before);
    compact(&lake, 5 * HOUR_MS, &delivered);
    assert_eq!((count(&lake, "events"), count(&lake, "impressions")), (4, 4));
    assert_eq!(rows(&lake), before);
}

/// Runs a future in a test that blocks and therefore cannot be async.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A store that does not wait for the disk, for tests with hundreds of crashes.
fn unsynced(lake: &Lake) -> Arc<LocalFileSystem> {
    Arc::new(LocalFileSystem::new_with_prefix(lake.dir()).unwrap())
}

/// Compacts a copy of a lake over a store that fails, and then over one that does not. Returns
/// the steps of the store and the rows of the lake.
fn crashed(
    (small, delivered): &(Lake, Vec<Sequence>),
    stop: Stop,
    erasures: &[Erasure],
) -> (usize, BTreeMap<String, usize>) {
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in listing(small.dir()) {
        let path = dir.path().join(Path::new(&path).strip_prefix(small.dir()).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let lake = Lake::open(dir.path()).unwrap();
    let before = rows(&lake);
    let store = Arc::new(FailingStore::new(unsynced(&lake), stop));
    let through = lake.through(store.clone());
    let mut result = Ok(CompactionSummary::default());
    for now_ms in [5 * HOUR_MS, now_ms() + 2 * HOUR_MS] {
        let compactor = Compactor::new(&through, options());
        result = result.and(compactor.compact(now_ms, delivered, erasures, &mut |_| {}));
        // No row is lost at any moment, and none occurs twice.
        let now = rows(&lake);
        let is_erased = |row: &str| row.contains(" u3 ");
        if erasures.is_empty() {
            assert_eq!(now, before, "{stop:?}");
        } else {
            let rest = |rows: &BTreeMap<String, usize>| {
                let mut rest = rows.clone();
                rest.retain(|row, _| !is_erased(row));
                rest
            };
            assert_eq!(rest(&now), rest(&before), "{stop:?}");
        }
    }
    assert_eq!(result.is_err(), stop != Stop::Never, "{stop:?}");
    let compactor = Compactor::new(&lake.through(unsynced(&lake)), options());
    for now_ms in [now_ms(), now_ms() + 2 * HOUR_MS] {
        compactor.compact(now_ms, delivered, erasures, &mut |_| {}).unwrap();
    }
    assert_eq!((count(&lake, "events"), count(&lake, "impressions")), (4, 4), "{stop:?}");
    (store.steps(), rows(&lake))
}

#[test]
fn a_compaction_that_crashes_at_any_step_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let small = block_on(small_parts(dir.path(), 3));
    let (steps, whole) = crashed(&small, Stop::Never, &[]);
    assert!(steps > 30, "{steps}");
    for at in 0..steps {
        for stop in [Stop::Before(at), Stop::After(at)] {
            assert_eq!(crashed(&small, stop, &[]).1, whole, "{stop:?}");
        }
    }
}

#[test]
fn an_erasure_that_crashes_at_any_step_affects_no_other_user() {
    let erasure = Erasure { user_id: "u3".into(), before: 1_000.into(), erased_at_ms: 0 };
    let erasures = [erasure];
    let dir = tempfile::tempdir().unwrap();
    let small = block_on(small_parts(dir.path(), 3));
    let (steps, whole) = crashed(&small, Stop::Never, &erasures);
    assert!(!whole.is_empty() && whole.keys().all(|row| !row.contains(" u3 ")));
    for at in (0..steps).step_by(3) {
        for stop in [Stop::Before(at), Stop::After(at)] {
            assert_eq!(crashed(&small, stop, &erasures).1, whole, "{stop:?}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_listed_removed_parts_lists_again() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, delivered) = small_parts(dir.path(), 8).await;
    let events = lake.dir().join("events");
    let mut listings = 0;
    let list = || {
        let listed = live_parts(&events);
        listings += 1;
        if listings == 1 {
            // The parts are merged and removed between the listing and the reading.
            compact(&lake, 5 * HOUR_MS, &delivered);
            assert!(compact(&lake, now_ms() + 2 * HOUR_MS, &delivered).removed > 0);
        }
        listed
    };
    let read = |path: &Path, rows: &mut usize| {
        scan(path, None, |batch| {
            *rows += batch.num_rows();
            Ok(())
        })
    };
    let PartsRead { content: rows, problems } = read_parts(list, read).unwrap();
    assert_eq!((rows, problems, listings), (120, vec![], 2));
}

#[test]
fn parts_that_are_replaced_one_after_another_are_listed_again_and_a_lost_one_is_named() {
    let read_after = |gone: usize| {
        let mut listings = 0;
        let list = || {
            listings += 1;
            Ok(vec![PathBuf::from(listings.to_string())])
        };
        let read = |path: &Path, read: &mut Vec<PathBuf>| {
            if path.to_str().unwrap().parse::<usize>().unwrap() <= gone {
                return Err(std::io::ErrorKind::NotFound.into());
            }
            read.push(path.to_owned());
            Ok(())
        };
        read_parts(list, read).unwrap()
    };
    let read = read_after(4);
    assert_eq!((read.content, read.problems), (vec![PathBuf::from("5")], vec![]));
    assert_eq!(read_after(usize::MAX).problems.len(), 1);
}
