use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use cartwheel_stream::{Batch, Pending, Position, PutError, ReadError, Sequence};

use super::store::{Stop, Stopping};
use super::*;

#[tokio::test]
async fn each_record_is_delivered_once_whatever_the_crash() {
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

    // The crash comes after the parts and before the checkpoint: the plan stands.
    let before = std::fs::read(dir.path().join("delivery.json")).unwrap();
    put(25, 31).await;
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let parts = listing(&dir.path().join("lake"));
    let old: serde_json::Value = serde_json::from_slice(&before).unwrap();
    let new = std::fs::read(dir.path().join("delivery.json")).unwrap();
    let new: serde_json::Value = serde_json::from_slice(&new).unwrap();
    let mut planned = old.clone();
    for shard in ["0", "1"] {
        planned[shard]["planned"] = new[shard]["next"].clone();
    }
    std::fs::write(dir.path().join("delivery.json"), planned.to_string()).unwrap();
    put(31, 40).await;
    let mut again = delivery(&stream, dir.path());
    again.deliver().await.unwrap();
    let now = listing(&dir.path().join("lake"));
    for part in parts {
        assert!(now.contains(&part), "{} was written again as it was", part.0);
    }
    let mut ids = delivered(dir.path());
    ids.sort();
    assert_eq!(ids, (0..40).map(|n| format!("e{n:03}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_shutdown_delivers_what_is_left() {
    let stream = Arc::new(MemoryStream::new(1));
    let dir = tempfile::tempdir().unwrap();
    let running = delivery(&stream, dir.path());
    stream.put(vec![checkout("u", "e", 0)]).await;
    running.run(std::future::ready(())).await.unwrap();
    assert_eq!(delivered(dir.path()), ["e"]);
}

/// A stream whose shard 0 also holds what is no record, and that keeps no records
/// below a number.
struct Spoilt {
    inner: Arc<MemoryStream>,
    /// In place of the records of these numbers.
    poison: BTreeMap<u64, Vec<u8>>,
    oldest: AtomicU64,
}

impl Spoilt {
    fn new(inner: Arc<MemoryStream>, poison: &[(u64, &[u8])]) -> Arc<Self> {
        let poison = poison.iter().map(|(at, data)| (*at, data.to_vec())).collect();
        Arc::new(Self { inner, poison, oldest: AtomicU64::new(0) })
    }
}

impl Stream for Spoilt {
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

const NOON_MS: i64 = 1_700_000_000_000;

fn spoilt(stream: &Arc<Spoilt>, dir: &Path) -> Delivery {
    let options = DeliveryOptions { max_records: 500, max_age: Duration::from_millis(1) };
    let lake = Lake::open(&dir.join("lake")).unwrap();
    let checkpoint = dir.join("delivery.json");
    let mut delivery =
        Delivery::new(Arc::clone(stream) as _, &lake, options, &checkpoint, |_| {}).unwrap();
    delivery.now_ms = || NOON_MS;
    delivery
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
    let stream = Spoilt::new(inner, &[(250, b"{\"user_id\":\"u9\"\x1b[2J \xc2\x9b")]);
    let dir = tempfile::tempdir().unwrap();
    let mut running = spoilt(&stream, dir.path());
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
async fn poison_that_is_delivered_again_is_there_once() {
    let inner = Arc::new(MemoryStream::new(1));
    five_hundred(&inner).await;
    let stream = Spoilt::new(inner, &[(0, b"\xff\xfe"), (1, b"{}")]);
    let dir = tempfile::tempdir().unwrap();
    spoilt(&stream, dir.path()).deliver().await.unwrap();
    let before = listing(&dir.path().join("lake"));
    assert_eq!(errors(dir.path())[0]["encoding"], "base64");
    assert_eq!(errors(dir.path())[0]["data"], "//4=");
    // The end of the process came before the last checkpoint; it is another hour now.
    let plan = json!({"0": {"next": 0, "planned": 500, "planned_at_ms": NOON_MS}});
    std::fs::write(dir.path().join("delivery.json"), plan.to_string()).unwrap();
    let mut again = spoilt(&stream, dir.path());
    again.now_ms = || NOON_MS + 86_400_000;
    again.deliver().await.unwrap();
    assert_eq!(listing(&dir.path().join("lake")), before);
}

/// Does what the real one does, except for one user's events.
fn encode_unless(
    rows: &[(u32, Sequence, &EventRecord)],
    bad: impl Fn(&EventRecord) -> bool,
) -> std::io::Result<bytes::Bytes> {
    match rows.iter().find(|row| bad(row.2)) {
        Some(row) if row.2.event_id.ends_with('0') => panic!("{} it is", row.2.event_id),
        Some(row) => Err(std::io::Error::other(row.2.event_id.clone())),
        None => crate::records::events(rows),
    }
}

#[tokio::test]
async fn a_record_that_no_part_can_be_built_of_is_singled_out() {
    let inner = Arc::new(MemoryStream::new(1));
    let record = |n| checkout("u", &format!("e{n:03}"), n);
    inner.put((0..500).map(record).collect()).await;
    let dir = tempfile::tempdir().unwrap();
    let mut running = spoilt(&Spoilt::new(inner, &[]), dir.path());
    running.encoders.events =
        |rows| encode_unless(rows, |e| ["e123", "e300"].contains(&&*e.event_id));
    running.deliver().await.unwrap();
    assert_eq!(delivered(dir.path()).len(), 498);
    assert_eq!((running.status().now().rejected, running.status().now().files), (2, 2));
    let found = errors(dir.path());
    let told = |at: usize| (found[at]["reason"].as_str().unwrap(), &found[at]["attempts"]);
    assert_eq!(told(0), ("e123", &json!(3)));
    assert_eq!(told(1), ("panicked: e300 it is", &json!(3)));
    let data: serde_json::Value = serde_json::from_str(found[0]["data"].as_str().unwrap()).unwrap();
    assert_eq!((&data["event_id"], &data["user_id"]), (&json!("e123"), &json!("u")));

    // Where nothing can be built, all goes there, and the shard moves on.
    let inner = Arc::new(MemoryStream::new(1));
    inner.put((0..5).map(record).collect()).await;
    let dir = tempfile::tempdir().unwrap();
    let mut running = spoilt(&Spoilt::new(inner, &[]), dir.path());
    running.encoders.events = |rows| encode_unless(rows, |_| rows.len() > 1);
    running.deliver().await.unwrap();
    assert_eq!((errors(dir.path()).len(), running.status().now().next[0]), (5, 5.into()));
}

#[tokio::test]
async fn what_the_stream_no_longer_keeps_is_counted() {
    let inner = Arc::new(MemoryStream::new(1));
    five_hundred(&inner).await;
    let stream = Spoilt::new(inner, &[]);
    stream.oldest.store(20, Ordering::SeqCst);
    let dir = tempfile::tempdir().unwrap();
    let mut running = spoilt(&stream, dir.path());
    running.deliver().await.unwrap();
    running.deliver().await.unwrap();
    assert_eq!(running.status().now().missed, 20);
    assert_eq!(delivered(dir.path()).len(), 480);

    // What the first try wrote is more than what the second one finds: it stays.
    let parts = listing(&dir.path().join("lake"));
    let plan = json!({"0": {"next": 0, "planned": 500}});
    std::fs::write(dir.path().join("delivery.json"), plan.to_string()).unwrap();
    stream.oldest.store(400, Ordering::SeqCst);
    spoilt(&stream, dir.path()).deliver().await.unwrap();
    assert_eq!(listing(&dir.path().join("lake")), parts);
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
    let mut running = spoilt(&Spoilt::new(stream, &[]), dir.path());
    running.max_bytes = 200_000;
    running.deliver().await.unwrap();
    let files = running.status().now().newest;
    assert!((3..=8).contains(&files.len()), "{files:?}");
    assert_eq!(delivered(dir.path()).len(), 40);
    // A record larger than the bound is delivered alone.
    let dir = tempfile::tempdir().unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    stream.put((0..3).map(large).collect()).await;
    let mut running = spoilt(&Spoilt::new(stream, &[]), dir.path());
    running.max_bytes = 10;
    running.deliver().await.unwrap();
    assert_eq!(running.status().now().files, 3);
}

/// Runs a delivery over a store that stops, then another over one that does not.
async fn stopped(stop: Stop) -> (usize, tempfile::TempDir) {
    let inner = Arc::new(MemoryStream::new(1));
    let record = |n: i64| checkout("u", &format!("e{n:03}"), n * 3_600_000 / 10);
    inner.put((0..30).map(record).collect()).await;
    let stream = Spoilt::new(inner, &[(3, b"no record")]);
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let store = Arc::new(Stopping::new(lake.store(), stop));
    let options = DeliveryOptions { max_records: 20, max_age: Duration::from_millis(1) };
    let checkpoint = dir.path().join("delivery.json");
    let through = lake.through(store.clone());
    let mut running =
        Delivery::new(stream.clone(), &through, options.clone(), &checkpoint, |_| {}).unwrap();
    running.now_ms = || NOON_MS;
    let result = running.deliver().await;
    assert_eq!(result.is_err(), stop != Stop::Never, "{stop:?}");
    assert_eq!(running.status().now().failures, u32::from(stop != Stop::Never));
    drop(running);
    // The next process, an hour later.
    let mut again = Delivery::new(stream, &lake, options, &checkpoint, |_| {}).unwrap();
    again.now_ms = || NOON_MS + 3_600_000;
    again.deliver().await.unwrap();
    (store.steps(), dir)
}

#[tokio::test]
async fn a_delivery_ended_at_any_step_is_a_delivery_once() {
    let (steps, whole) = stopped(Stop::Never).await;
    let names = |dir: &Path| -> Vec<(String, Vec<u8>)> {
        let root = dir.join("lake").display().to_string();
        let all = listing(&dir.join("lake")).into_iter();
        all.map(|(path, bytes)| (path.replace(&root, ""), bytes)).collect()
    };
    // A plan has its own hour: only the second range is planned by the next process.
    let rows = |dir: &Path| {
        let mut ids = delivered(dir);
        ids.sort();
        ids
    };
    assert_eq!(steps, 4);
    for at in 0..steps {
        for stop in [Stop::Before(at), Stop::After(at)] {
            let (_, dir) = stopped(stop).await;
            assert_eq!(rows(dir.path()), rows(whole.path()), "{stop:?}");
            assert_eq!(names(dir.path()), names(whole.path()), "{stop:?}");
            assert_eq!(errors(dir.path()).len(), 1, "{stop:?}");
        }
    }
}

#[tokio::test]
async fn a_lake_that_cannot_be_written_is_tried_again_until_it_can() {
    let stream = Arc::new(MemoryStream::new(1));
    stream.put((0..3).map(|n| checkout("u", &format!("e{n}"), n)).collect()).await;
    let dir = tempfile::tempdir().unwrap();
    // A file in the place of the folder, as good as a full disk.
    let blocked = dir.path().join("lake/events");
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let options = DeliveryOptions { max_records: 10, max_age: Duration::from_millis(1) };
    let checkpoint = dir.path().join("delivery.json");
    let mut running =
        Delivery::new(stream.clone() as _, &lake, options, &checkpoint, |_| {}).unwrap();
    running.pause = |_, _| Duration::from_millis(1);
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
    let pause = |failures, salt| crate::delivery::pause_after(failures, salt).as_secs_f64();
    for (failures, longest) in [(1, 1.0), (2, 2.0), (5, 16.0), (7, 60.0), (u32::MAX, 60.0)] {
        let pauses: Vec<f64> = (0..100).map(|salt| pause(failures, salt)).collect();
        assert!(pauses.iter().all(|p| (longest / 2.0..=longest).contains(p)), "{pauses:?}");
        let most = pauses.iter().fold(0.0, |a: f64, b| a.max(*b));
        let least = pauses.iter().fold(most, |a: f64, b| a.min(*b));
        assert!(most - least > longest / 4.0, "{least} to {most}");
    }
}

#[tokio::test]
async fn a_half_written_file_is_never_seen_and_goes_at_the_next_start() {
    let stream = Arc::new(MemoryStream::new(1));
    stream.put(vec![checkout("u", "e", 0)]).await;
    let dir = tempfile::tempdir().unwrap();
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let (part, bytes) = listing(&dir.path().join("lake/events")).remove(0);
    let half = format!("{part}#1");
    std::fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(delivered(dir.path()), ["e"]);
    delivery(&stream, dir.path()).deliver().await.unwrap();
    assert!(!Path::new(&half).exists() && Path::new(&part).exists());
    assert_eq!(delivered(dir.path()), ["e"]);
}
