use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use cartwheel_stream::{
    Batch, Log, LogOptions, Pending, Position, PutError, ReadError, Sequence, shard_of,
};

use super::store::{FailingStore, Stop};
use super::*;
use crate::delivery::{StreamRow, backoff, delivered_by, encode_events};

#[tokio::test]
async fn each_record_is_delivered_once_despite_a_crash() {
    let hour = 3_600_000;
    let stream = Arc::new(MemoryStream::new(2));
    let put = |from: i64, to: i64| {
        let record = |n| checkout(&format!("u{}", n % 3), &format!("e{n:03}"), n * hour / 10);
        stream.put((from..to).map(record).collect::<Vec<_>>())
    };
    put(0, 25).await;
    let dir = tempfile::tempdir().unwrap();
    delivery(&stream, dir.path()).deliver().await.unwrap();
    assert_eq!(delivered(dir.path()).len(), 25);

    // The process crashes after it wrote the parts and before the checkpoint. The plan is there.
    let before = std::fs::read(dir.path().join("delivery.json")).unwrap();
    put(25, 31).await;
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let parts = listing(&dir.path().join("lake"));
    let old: serde_json::Value = serde_json::from_slice(&before).unwrap();
    let new = std::fs::read(dir.path().join("delivery.json")).unwrap();
    let new: serde_json::Value = serde_json::from_slice(&new).unwrap();
    let mut planned = old.clone();
    // Of the file before: this one is written as earlier releases wrote it.
    planned.as_object_mut().unwrap().remove("crc32c");
    for shard in ["0", "1"] {
        planned[shard]["planned"] = new[shard]["next"].clone();
    }
    std::fs::write(dir.path().join("delivery.json"), planned.to_string()).unwrap();
    put(31, 40).await;
    let mut again = delivery(&stream, dir.path());
    again.deliver().await.unwrap();
    let now = listing(&dir.path().join("lake"));
    for part in parts {
        assert!(now.contains(&part), "{} is unchanged", part.0);
    }
    let mut ids = delivered(dir.path());
    ids.sort();
    assert_eq!(ids, (0..40).map(|n| format!("e{n:03}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_shutdown_delivers_the_rest() {
    let stream = Arc::new(MemoryStream::new(1));
    let dir = tempfile::tempdir().unwrap();
    let running = delivery(&stream, dir.path());
    stream.put(vec![checkout("u", "e", 0)]).await;
    running.run(std::future::ready(())).await.unwrap();
    assert_eq!(delivered(dir.path()), ["e"]);
}

/// A stream with malformed records that does not retain the records below a number.
struct PoisonedStream {
    inner: Arc<MemoryStream>,
    /// Data that replaces the records with these numbers.
    poison: BTreeMap<u64, Vec<u8>>,
    oldest: AtomicU64,
}

impl PoisonedStream {
    fn new(inner: Arc<MemoryStream>, poison: &[(u64, &[u8])]) -> Arc<Self> {
        let poison = poison.iter().map(|(at, data)| (*at, data.to_vec())).collect();
        Arc::new(Self { inner, poison, oldest: AtomicU64::new(0) })
    }
}

impl Stream for PoisonedStream {
    fn shards(&self) -> u32 {
        self.inner.shards()
    }

    fn put(&self, records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>> {
        self.inner.put(records)
    }

    fn read(
        &self,
        shard: u32,
        from: Sequence,
        limit: usize,
    ) -> Pending<'_, Result<Batch, ReadError>> {
        Box::pin(async move {
            let oldest = self.oldest.load(Ordering::SeqCst).into();
            let mut batch = self.inner.read(shard, from.max(oldest), limit).await?;
            if from < oldest {
                batch.missed = oldest.as_u64().unwrap() - from.as_u64().unwrap();
            }
            let all = std::mem::take(&mut batch.records);
            for (sequence, record) in all {
                match self.poison.get(&sequence.as_u64().unwrap()) {
                    Some(data) => batch.add(sequence, data),
                    None => batch.records.push((sequence, record)),
                }
            }
            Ok(batch)
        })
    }

    fn wait(&self, shard: u32, from: Sequence) -> Pending<'_, ()> {
        self.inner.wait(shard, from)
    }
}

const NOW_MS: i64 = 1_700_000_000_000;

fn delivery_at(clock_ms: i64, stream: &Arc<PoisonedStream>, dir: &Path) -> Delivery {
    let options = delivery_options(500, Clock::fixed(clock_ms));
    let lake = Lake::open(&dir.join("lake")).unwrap();
    let checkpoint = dir.join("delivery.json");
    Delivery::new(Arc::clone(stream) as _, &lake, options, &checkpoint, |_| {}).unwrap()
}

async fn five_hundred(stream: &MemoryStream) {
    let record = |n: i64| checkout(&format!("u{}", n % 7), &format!("e{n:03}"), n * 60_000);
    stream.put((0..500).map(record).collect()).await;
}

fn errors(dir: &Path) -> Vec<serde_json::Value> {
    let all = listing(&dir.join("lake/errors"));
    let lines = all.iter().flat_map(|(_, bytes)| std::str::from_utf8(bytes).unwrap().lines());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn one_poison_record_among_500_goes_to_errors_and_the_others_land() {
    let inner = Arc::new(MemoryStream::new(1));
    five_hundred(&inner).await;
    let stream = PoisonedStream::new(inner, &[(250, b"{\"user_id\":\"u9\"\x1b[2J \xc2\x9b")]);
    let dir = tempfile::tempdir().unwrap();
    let mut running = delivery_at(NOW_MS, &stream, dir.path());
    running.deliver().await.unwrap();
    let status = running.status().now();
    assert_eq!((status.next[0], status.rejected), (500.into(), 1));
    let mut ids = delivered(dir.path());
    ids.sort();
    let expected = (0..500).filter(|n| *n != 250).map(|n| format!("e{n:03}"));
    assert_eq!(ids, expected.collect::<Vec<_>>());
    let found = errors(dir.path());
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["shard"], &found[0]["sequence"]), (&json!(0), &json!(250)));
    assert_eq!((&found[0]["attempts"], &found[0]["encoding"]), (&json!(1), &json!("text")));
    assert_eq!(found[0]["data"], "{\"user_id\":\"u9\"\u{1b}[2J \u{9b}");
    assert!(found[0]["reason"].as_str().unwrap().contains("not a record"));
    let (path, bytes) = &listing(&dir.path().join("lake/errors"))[0];
    assert!(path.contains("/errors/year=2023/month=11/day=14/hour=22/part-0000-"), "{path}");
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.trim_end().chars().all(|c| !c.is_control()), "{text:?}");
}

#[tokio::test]
async fn poison_records_that_are_delivered_again_are_there_once() {
    let inner = Arc::new(MemoryStream::new(1));
    five_hundred(&inner).await;
    let stream = PoisonedStream::new(inner, &[(0, b"\xff\xfe"), (1, b"{}")]);
    let dir = tempfile::tempdir().unwrap();
    delivery_at(NOW_MS, &stream, dir.path()).deliver().await.unwrap();
    let before = listing(&dir.path().join("lake"));
    assert_eq!(errors(dir.path())[0]["encoding"], "base64");
    assert_eq!(errors(dir.path())[0]["data"], "//4=");
    // The process crashes before the last checkpoint and restarts a day later.
    let plan = json!({"0": {"next": 0, "planned": 500, "planned_at_ms": NOW_MS}});
    std::fs::write(dir.path().join("delivery.json"), plan.to_string()).unwrap();
    let mut again = delivery_at(NOW_MS + 86_400_000, &stream, dir.path());
    again.deliver().await.unwrap();
    assert_eq!(listing(&dir.path().join("lake")), before);
}

/// Encodes events, but fails for some: with a panic if the event id ends with 0.
fn encode_unless(
    rows: &[StreamRow<'_, EventRecord>],
    bad: impl Fn(&EventRecord) -> bool,
) -> std::io::Result<bytes::Bytes> {
    match rows.iter().map(|row| row.record).find(|event| bad(event)) {
        Some(event) if event.event_id.ends_with('0') => panic!("bad event {}", event.event_id),
        Some(event) => Err(std::io::Error::other(event.event_id.clone())),
        None => encode_events(rows),
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_encoded_is_singled_out() {
    let inner = Arc::new(MemoryStream::new(1));
    let record = |n| checkout("u", &format!("e{n:03}"), n);
    inner.put((0..500).map(record).collect()).await;
    let dir = tempfile::tempdir().unwrap();
    let mut running = delivery_at(NOW_MS, &PoisonedStream::new(inner, &[]), dir.path());
    running.writer.encoders.events =
        |rows| encode_unless(rows, |e| ["e123", "e300"].contains(&&*e.event_id));
    running.deliver().await.unwrap();
    assert_eq!(delivered(dir.path()).len(), 498);
    assert_eq!((running.status().now().rejected, running.status().now().files), (2, 2));
    let found = errors(dir.path());
    let failure = |at: usize| (found[at]["reason"].as_str().unwrap(), &found[at]["attempts"]);
    assert_eq!(failure(0), ("e123", &json!(3)));
    assert_eq!(failure(1), ("panicked: bad event e300", &json!(3)));
    let data: serde_json::Value = serde_json::from_str(found[0]["data"].as_str().unwrap()).unwrap();
    assert_eq!((&data["event_id"], &data["user_id"]), (&json!("e123"), &json!("u")));

    // If no rows can be encoded together, all of them go to errors/ and the shard continues.
    let inner = Arc::new(MemoryStream::new(1));
    inner.put((0..5).map(record).collect()).await;
    let dir = tempfile::tempdir().unwrap();
    let mut running = delivery_at(NOW_MS, &PoisonedStream::new(inner, &[]), dir.path());
    running.writer.encoders.events = |rows| encode_unless(rows, |_| rows.len() > 1);
    running.deliver().await.unwrap();
    assert_eq!((errors(dir.path()).len(), running.status().now().next[0]), (5, 5.into()));
}

#[tokio::test]
async fn records_that_the_stream_no_longer_retains_are_counted() {
    let inner = Arc::new(MemoryStream::new(1));
    five_hundred(&inner).await;
    let stream = PoisonedStream::new(inner, &[]);
    stream.oldest.store(20, Ordering::SeqCst);
    let dir = tempfile::tempdir().unwrap();
    let mut running = delivery_at(NOW_MS, &stream, dir.path());
    running.deliver().await.unwrap();
    running.deliver().await.unwrap();
    assert_eq!(running.status().now().missed, 20);
    assert_eq!(delivered(dir.path()).len(), 480);

    // The first attempt wrote more records than the second one finds, so its file stays.
    let parts = listing(&dir.path().join("lake"));
    let plan = json!({"0": {"next": 0, "planned": 500}});
    std::fs::write(dir.path().join("delivery.json"), plan.to_string()).unwrap();
    stream.oldest.store(400, Ordering::SeqCst);
    delivery_at(NOW_MS, &stream, dir.path()).deliver().await.unwrap();
    assert_eq!(listing(&dir.path().join("lake")), parts);
}

#[tokio::test]
async fn a_delivery_is_due_once_a_part_is_full() {
    let (stream, dir) = (Arc::new(MemoryStream::new(2)), tempfile::tempdir().unwrap());
    let mut running = delivery(&stream, dir.path());
    running.options.max_age = Duration::from_secs(3600);
    let status = running.status();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(running.run(async { drop(stopped.await) }));
    let put = async |ids: std::ops::Range<i64>| {
        stream.put(ids.map(|n| checkout("u", &format!("e{n}"), NOW_MS)).collect()).await;
    };
    // Of what is read while the delivery waits, nothing is lost or read twice.
    put(0..9).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(status.now().files, 0, "neither its age nor its size is reached");
    put(9..13).await;
    let both = async {
        while status.now().files < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let both = tokio::time::timeout(Duration::from_secs(60), both).await;
    both.expect("a full part and the rest are delivered");
    assert_eq!(delivered(dir.path()).len(), 13);
    put(13..15).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.send(()).unwrap();
    task.await.unwrap().unwrap();
    let mut ids = delivered(dir.path());
    ids.sort_by_key(|id| id[1..].parse::<i64>().unwrap());
    assert_eq!(ids, (0..15).map(|n| format!("e{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_delivery_is_bounded_in_bytes() {
    let stream = Arc::new(MemoryStream::new(1));
    let long = "x".repeat(60);
    let large = |n: i64| {
        let products: Vec<String> = (0..100).map(|p| format!("{p}{}", &long[..55])).collect();
        let body = json!({"user_id": "u", "event": "checkout", "product_ids": products});
        Record::Event(EventRecord::new(Event::from_json(&body).unwrap(), format!("e{n}"), n))
    };
    stream.put((0..40).map(large).collect()).await;
    let dir = tempfile::tempdir().unwrap();
    let mut running = delivery_at(NOW_MS, &PoisonedStream::new(stream, &[]), dir.path());
    running.max_bytes = 200_000;
    running.deliver().await.unwrap();
    let files = running.status().now().newest;
    assert!((3..=8).contains(&files.len()), "{files:?}");
    assert_eq!(delivered(dir.path()).len(), 40);
    // A record that exceeds the bound is delivered alone.
    let dir = tempfile::tempdir().unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    stream.put((0..3).map(large).collect()).await;
    let mut running = delivery_at(NOW_MS, &PoisonedStream::new(stream, &[]), dir.path());
    running.max_bytes = 10;
    running.deliver().await.unwrap();
    assert_eq!(running.status().now().files, 3);
}

/// Runs a delivery over a store that fails, and then another one over a store that does not.
/// Returns the steps of the first store and the directory.
async fn crashed(stop: Stop) -> (usize, tempfile::TempDir) {
    let inner = Arc::new(MemoryStream::new(1));
    let record = |n: i64| checkout("u", &format!("e{n:03}"), n * 3_600_000 / 10);
    inner.put((0..30).map(record).collect()).await;
    let stream = PoisonedStream::new(inner, &[(3, b"malformed")]);
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let store = Arc::new(FailingStore::new(lake.store(), stop));
    let checkpoint = dir.path().join("delivery.json");
    let through = lake.through(store.clone());
    let options = delivery_options(20, Clock::fixed(NOW_MS));
    let mut running =
        Delivery::new(stream.clone(), &through, options, &checkpoint, |_| {}).unwrap();
    let result = running.deliver().await;
    assert_eq!(result.is_err(), stop != Stop::Never, "{stop:?}");
    assert_eq!(running.status().now().failures, u32::from(stop != Stop::Never));
    drop(running);
    // The next process starts an hour later.
    let options = delivery_options(20, Clock::fixed(NOW_MS + 3_600_000));
    let mut again = Delivery::new(stream, &lake, options, &checkpoint, |_| {}).unwrap();
    again.deliver().await.unwrap();
    (store.steps(), dir)
}

#[tokio::test]
async fn a_delivery_that_crashes_at_any_step_delivers_each_record_once() {
    let (steps, whole) = crashed(Stop::Never).await;
    let names = |dir: &Path| -> Vec<(String, Vec<u8>)> {
        let root = dir.join("lake").display().to_string();
        let all = listing(&dir.join("lake")).into_iter();
        all.map(|(path, bytes)| (path.replace(&root, ""), bytes)).collect()
    };
    // The poison record is in the first range, whose plan dates it in every case.
    let rows = |dir: &Path| {
        let mut ids = delivered(dir);
        ids.sort();
        ids
    };
    assert_eq!(steps, 4);
    for at in 0..steps {
        for stop in [Stop::Before(at), Stop::After(at)] {
            let (_, dir) = crashed(stop).await;
            assert_eq!(rows(dir.path()), rows(whole.path()), "{stop:?}");
            assert_eq!(names(dir.path()), names(whole.path()), "{stop:?}");
            assert_eq!(errors(dir.path()).len(), 1, "{stop:?}");
        }
    }
}

#[tokio::test]
async fn a_delivery_is_retried_until_the_lake_can_be_written() {
    let stream = Arc::new(MemoryStream::new(1));
    stream.put((0..3).map(|n| checkout("u", &format!("e{n}"), n)).collect()).await;
    let dir = tempfile::tempdir().unwrap();
    // A file in place of the folder fails writes as a full disk does.
    let blocked = dir.path().join("lake/events");
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let options = delivery_options(10, Clock::system());
    let checkpoint = dir.path().join("delivery.json");
    let mut running =
        Delivery::new(stream.clone() as _, &lake, options, &checkpoint, |_| {}).unwrap();
    running.backoff = |_, _| Duration::from_millis(1);
    std::fs::write(&blocked, "").unwrap();
    let status = running.status();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(running.run(async { drop(stopped.await) }));
    while status.now().failures < 8 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((status.now().next[0], status.now().rejected), (0.into(), 0));
    assert!(status.now().error.is_some());
    std::fs::remove_file(&blocked).unwrap();
    while status.now().next[0] < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((status.now().failures, status.now().error), (0, None));
    stop.send(()).unwrap();
    task.await.unwrap().unwrap();
    assert_eq!(delivered(dir.path()).len(), 3);
}

#[test]
fn pauses_grow_to_a_minute_and_differ() {
    let pause = |failures, salt| backoff(failures, salt).as_secs_f64();
    for (failures, longest) in [(1, 1.0), (2, 2.0), (5, 16.0), (7, 60.0), (u32::MAX, 60.0)] {
        let pauses: Vec<f64> = (0..100).map(|salt| pause(failures, salt)).collect();
        assert!(pauses.iter().all(|p| (longest / 2.0..=longest).contains(p)), "{pauses:?}");
        let most = pauses.iter().fold(0.0, |a: f64, b| a.max(*b));
        let least = pauses.iter().fold(most, |a: f64, b| a.min(*b));
        assert!(most - least > longest / 4.0, "{least} to {most}");
    }
}

#[tokio::test]
async fn a_staged_file_is_not_read_and_is_removed_at_the_next_start() {
    let stream = Arc::new(MemoryStream::new(1));
    stream.put(vec![checkout("u", "e", 0)]).await;
    let dir = tempfile::tempdir().unwrap();
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let (part, bytes) = listing(&dir.path().join("lake/events")).remove(0);
    let staged = format!("{part}#1");
    std::fs::write(&staged, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(delivered(dir.path()), ["e"]);
    delivery(&stream, dir.path()).deliver().await.unwrap();
    assert!(!Path::new(&staged).exists() && Path::new(&part).exists());
    assert_eq!(delivered(dir.path()), ["e"]);
}

/// A shard without records advances in memory alone; the stream keeps what the next process reads.
#[tokio::test]
async fn the_floor_is_where_the_next_process_begins() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions { shards: 2, segment_bytes: 1 << 16, ..LogOptions::new(|| 0) };
    let stream = Arc::new(Log::open(&dir.path().join("stream"), options).unwrap());
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let (floor, path) = (Arc::new(AtomicU64::default()), dir.path().join("delivery.json"));
    let of = floor.clone();
    let set_floor = move |next: Sequence| of.store(next.as_u64().unwrap(), Ordering::Relaxed);
    let options = delivery_options(10, Clock::system());
    let mut delivery =
        Delivery::new(Arc::clone(&stream) as _, &lake, options, &path, set_floor).unwrap();
    let user = (0..).map(|n| format!("u{n}")).find(|user| shard_of(user, 2) == 0).unwrap();
    for n in 0..3 {
        stream.put(vec![checkout(&user, &format!("e{n}"), n)]).await;
        delivery.deliver().await.unwrap();
        let stored = delivered_by(&std::fs::read(&path).unwrap()).unwrap();
        let begins = stored.into_values().min().unwrap().as_u64().unwrap();
        assert_eq!((floor.load(Ordering::Relaxed), begins), (n as u64, n as u64));
    }
}
