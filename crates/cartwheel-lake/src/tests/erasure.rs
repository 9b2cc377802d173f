use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;

use super::compaction::{now_ms, rows};
use super::*;
use crate::{CompactionOptions, Compactor, Erasure, ErasureResult, Erasures, PendingErasure};

const HOUR_MS: i64 = 3_600_000;

fn erasure(user: &str, before: u64) -> Erasure {
    Erasure { user_id: user.to_owned(), before: before.into(), erased_at_ms: now_ms() }
}

/// Where an id occurs as a whole value below a folder: in the texts and statistics of Parquet
/// files, and in the bytes of other files.
fn occurrences(dir: &Path, id: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (path, bytes) in listing(dir) {
        if !path.ends_with(".parquet") {
            let is_id = |b: u8| b.is_ascii_alphanumeric() || b"._:@-".contains(&b);
            let mut words = bytes.split(|b| !is_id(*b));
            if words.any(|word| word == id.as_bytes()) {
                found.push(path);
            }
            continue;
        }
        crate::files::scan::scan(Path::new(&path), None, |batch| {
            let columns = batch.columns().iter();
            if columns.clone().any(|column| texts(column).iter().any(|text| text == id)) {
                found.push(format!("{path}: rows"));
            }
            Ok(())
        })
        .unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let metadata = reader.metadata();
        for group in metadata.row_groups() {
            for column in group.columns() {
                assert!(column.bloom_filter_offset().is_none());
                let Some(Statistics::ByteArray(limits)) = column.statistics() else { continue };
                let limits = [limits.min_opt(), limits.max_opt()];
                if limits.iter().flatten().any(|limit| limit.data() == id.as_bytes()) {
                    found.push(format!("{path}: statistics"));
                }
            }
        }
        let keys = metadata.file_metadata().key_value_metadata();
        assert!(
            keys.into_iter()
                .flatten()
                .all(|key| ["ARROW:schema", "cartwheel.crc32c"].contains(&&*key.key))
        );
    }
    found
}

fn texts(column: &ArrayRef) -> Vec<String> {
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().iter().flatten().map(Into::into).collect(),
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            lists.iter().flatten().flat_map(|list| texts(&list)).collect()
        }
        _ => Vec::new(),
    }
}

/// A lake with an import, events, impressions, errors, and superseded parts. Users are `u1` and
/// `u10` to `u12`; `u1` and `u10` have imported orders.
async fn full_lake(dir: &Path) -> (Lake, Arc<MemoryStream>, Delivery) {
    let orders = "order_id,user_id,order_number\n1,u1,1\n2,u10,1\n3,u1,2\n4,u1,bad\n5,u10,bad\n";
    let lines = "order_id,product_id\n1,p1\n2,p1\n3,p2\n3,p3\n";
    let csv = shop(&[("orders.csv", orders), ("order_products.csv", lines)]);
    import_shop(&dir.join("lake"), csv.path()).unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    let mut running = delivery(&stream, dir);
    for n in 0..60 {
        let user = ["u1", "u10", "u11", "u12"][n as usize % 4];
        let record = match n % 3 {
            0 => impression(&format!("r{n}"), user, &["p1"], n * 100_000),
            _ => checkout(user, &format!("e{n}"), n * 100_000),
        };
        stream.put(vec![record]).await;
        running.deliver().await.unwrap();
        if n == 40 {
            compact(&Lake::open(&dir.join("lake")).unwrap(), &running, &[]);
        }
    }
    let lake = Lake::open(&dir.join("lake")).unwrap();
    let errors = lake.dir().join("errors/year=2026/month=01/day=01/hour=00");
    std::fs::create_dir_all(&errors).unwrap();
    let line = |sequence: u64, data: &str| {
        json!({"shard": 0, "sequence": sequence, "reason": "not a record", "attempts": 1,
            "encoding": "text", "data": data})
        .to_string()
    };
    let some = [line(1, r#"{"user_id":"u1","event":7}"#), line(2, r#"{"user_id":"u10"}"#)];
    let name = "part-0000-00000000000000000000-00000000000000000009.ndjson";
    std::fs::write(errors.join(name), some.join("\n") + "\n").unwrap();
    // A part that a killed import left behind.
    let orphan = lake.dir().join("orders/import=0123456789abcdef/part-00000.parquet");
    let manifest = lake.import_manifest().unwrap().unwrap();
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    std::fs::copy(&manifest.orders[0], orphan).unwrap();
    (lake, stream, running)
}

fn compact(lake: &Lake, running: &Delivery, erasures: &[Erasure]) -> Vec<ErasureResult> {
    let options = CompactionOptions { grace: Duration::from_secs(3600), ..Default::default() };
    let delivered = running.status().now().next;
    let compactor = Compactor::new(lake, options);
    let done = compactor.compact(100 * HOUR_MS, &delivered, erasures, &mut |_| {}).unwrap();
    assert_eq!(done.problems, Vec::<String>::new());
    done.erasures
}

#[tokio::test]
async fn no_file_of_the_lake_holds_an_erased_user() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, _, running) = full_lake(dir.path()).await;
    let files = occurrences(lake.dir(), "u1");
    for table in ["orders/", "order_products/", "events/", "impressions/", "errors/", "rejects/"] {
        assert!(files.iter().any(|path| path.contains(table)), "{table} in {files:?}");
    }
    assert!(files.iter().any(|path| path.ends_with("statistics")), "{files:?}");
    let others = |lake: &Lake| {
        let mut rows = rows(lake);
        rows.retain(|row, _| !row.contains(" u1 ") && !row.contains("\"u1\\\""));
        rows
    };
    let before = others(&lake);
    let id = lake.import_manifest().unwrap().unwrap().id;
    let erased = compact(&lake, &running, &[erasure("u1", 1_000_000)]);
    assert!(!erased[0].complete, "delivery may still write records below that number");
    let erased = compact(&lake, &running, &[erasure("u1", 60)]);
    assert!(erased[0].complete);
    let left = occurrences(lake.dir(), "u1");
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(others(&lake), before);
    assert!(!occurrences(lake.dir(), "u10").is_empty());

    let manifest = lake.import_manifest().unwrap().unwrap();
    assert_eq!(manifest.id, id);
    assert!(manifest.orders.iter().chain(&manifest.order_products).all(|part| part.is_file()));
    let kept = lake.user_records("u10", 100).unwrap();
    assert_eq!((kept.orders.len(), kept.orders[0]["lines"].as_array().unwrap().len()), (1, 1));
    assert_eq!(lake.user_records("u1", 100).unwrap().orders, Vec::<serde_json::Value>::new());
    let rejected = crate::read_rejects(&manifest.summary.rejects.unwrap(), 9).unwrap();
    assert_eq!(rejected.len(), 1, "{rejected:?}");

    // A second erasure changes nothing, and a part without remaining rows is removed.
    let now = listing(lake.dir());
    compact(&lake, &running, &[erasure("u1", 60)]);
    assert_eq!(listing(lake.dir()), now);
    let all = ["u10", "u11", "u12"].map(|user| erasure(user, 60));
    assert!(compact(&lake, &running, &all).iter().all(|erased| erased.complete));
    assert_eq!(rows(&lake).keys().filter(|row| !row.starts_with("errors")).count(), 0);
    let manifest = lake.import_manifest().unwrap().unwrap();
    assert_eq!((manifest.orders.len(), manifest.order_products.len()), (0, 0));
}

#[tokio::test]
async fn records_after_an_erasure_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    let mut running = delivery(&stream, dir.path());
    for n in 0..6 {
        stream.put(vec![checkout("u1", &format!("e{n}"), n)]).await;
        running.deliver().await.unwrap();
    }
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let erased = compact(&lake, &running, &[erasure("u1", 4)]);
    assert!(erased[0].complete);
    assert_eq!(delivered(dir.path()), ["e4", "e5"]);
    // Files that hold only later records are not rewritten.
    let now = listing(lake.dir());
    compact(&lake, &running, &[erasure("u1", 4)]);
    assert_eq!(listing(lake.dir()), now);
}

#[tokio::test]
async fn rows_without_a_sequence_number_are_erased_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).unwrap();
    let column = |texts: [&str; 3]| Arc::new(arrow_array::StringArray::from(texts.to_vec())) as _;
    let times = Arc::new(arrow_array::Int64Array::from(vec![1, 2, 3])) as ArrayRef;
    let batch = arrow_array::RecordBatch::try_from_iter([
        ("user_id", column(["u1", "u1", "u2"])),
        ("event_id", column(["a", "b", "c"])),
        ("received_at_ms", times),
    ])
    .unwrap();
    // The name of another writer's file.
    let path = dir.path().join("events/year=1970/month=01/day=01/hour=00/other.parquet");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let one = Erasure { user_id: "u1".into(), before: 0.into(), erased_at_ms: 1 };
    let compactor = Compactor::new(&lake, CompactionOptions::default());
    let done = compactor.compact(0, &[], &[one], &mut |_| {}).unwrap();
    assert!(done.erasures[0].complete);
    assert_eq!(rows(&lake).into_keys().collect::<Vec<_>>(), ["events u1 b", "events u2 c"]);
}

#[tokio::test]
async fn an_unreadable_file_is_named_and_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, _, running) = full_lake(dir.path()).await;
    let bad = lake.dir().join("events/year=1970/bad.parquet");
    std::fs::write(&bad, b"PAR1 nothing PAR1").unwrap();
    let compactor = Compactor::new(&lake, CompactionOptions::default());
    let next = running.status().now().next;
    let erasures = [erasure("u1", 60)];
    let done = compactor.compact(0, &next, &erasures, &mut |_| {}).unwrap();
    let named = |done: &crate::CompactionSummary| done.erasures[0].unreadable.concat();
    assert!(done.erasures[0].complete && named(&done).contains("bad.parquet"), "{done:?}");
    assert!(done.problems[0].contains("bad.parquet"), "{done:?}");
    std::fs::remove_file(&bad).unwrap();
    assert_eq!(occurrences(lake.dir(), "u1"), Vec::<String>::new());
    let held = lake.lock("import").unwrap();
    let done = compactor.compact(0, &next, &erasures, &mut |_| {}).unwrap();
    assert!(!done.erasures[0].complete && done.problems[0].contains("import"), "{done:?}");
    drop(held);
    let done = compactor.compact(0, &next, &erasures, &mut |_| {}).unwrap();
    assert!(done.erasures[0].complete && done.erasures[0].unreadable.is_empty(), "{done:?}");
}

#[test]
fn an_erasure_waits_for_its_unreadable_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("erasures.json");
    let mut erasures = Erasures::open(&path).unwrap();
    let one = erasure("u1", 5);
    erasures.add(std::slice::from_ref(&one)).unwrap();
    let files: Vec<String> = (0..9).map(|at| format!("part-{at}: damaged")).collect();
    assert_eq!(erasures.mark_cleaned(&one, &files).unwrap(), Some(1));
    erasures.finish(&one).unwrap();
    let mut again = Erasures::open(&path).unwrap();
    let pending = again.pending().remove(0);
    assert_eq!((pending.cleaned, &pending.unreadable[..]), (Some(1), &files[..5]));
    // Once they can be read, nothing is counted a second time.
    assert_eq!(again.mark_cleaned(&one, &[]).unwrap(), Some(1));
    again.finish(&one).unwrap();
    assert!(again.pending().is_empty() && again.cleaned() == 1);
}

#[test]
fn erasures_are_pending_until_they_are_finished() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("erasures.json");
    let mut erasures = Erasures::open(&path).unwrap();
    let (first, wider) = (erasure("u1", 5), erasure("u1", 9));
    erasures.add(&[first.clone(), erasure("u2", 7)]).unwrap();
    erasures.add(&[wider]).unwrap();
    let mut again = Erasures::open(&path).unwrap();
    assert_eq!(again.pending().len(), 2);
    let PendingErasure { erasure: widened, cleaned, .. } = again.pending().remove(0);
    assert_eq!((&widened.before, cleaned), (&9.into(), None));
    // The erasure was widened after the compaction of the first one started.
    assert_eq!(again.mark_cleaned(&first, &[]).unwrap(), None);
    again.mark_hidden(std::slice::from_ref(&first)).unwrap();
    assert!(!again.pending()[0].hidden);
    again.mark_hidden(std::slice::from_ref(&widened)).unwrap();
    assert_eq!(again.mark_cleaned(&widened, &[]).unwrap(), Some(1));
    assert_eq!(
        Erasures::open(&path).unwrap().pending()[0],
        PendingErasure {
            erasure: widened.clone(),
            hidden: true,
            cleaned: Some(1),
            unreadable: Vec::new()
        }
    );
    again.finish(&first).unwrap();
    assert_eq!(again.pending().len(), 2);
    // Widened once more, it starts again.
    let widest = erasure("u1", 12);
    again.add(std::slice::from_ref(&widest)).unwrap();
    assert_eq!(
        again.pending()[0],
        PendingErasure {
            erasure: widest.clone(),
            hidden: false,
            cleaned: None,
            unreadable: Vec::new()
        }
    );
    again.finish(&widened).unwrap();
    assert_eq!(again.mark_cleaned(&widest, &[]).unwrap(), Some(2));
    again.finish(&widest).unwrap();
    let left = Erasures::open(&path).unwrap();
    let pending = left.pending();
    let pending: Vec<_> = pending.iter().map(|p| (&*p.erasure.user_id, p.cleaned)).collect();
    assert_eq!(pending, [("u2", None)]);
    assert_eq!((left.cleaned(), left.has("u1"), left.has("u2")), (2, false, true));
    std::fs::write(&path, "[{").unwrap();
    assert!(Erasures::open(&path).unwrap_err().to_string().contains("erasures.json"));
}

#[tokio::test]
async fn the_export_holds_all_records_of_a_user() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, ..) = full_lake(dir.path()).await;
    let all = lake.user_records("u1", 100).unwrap();
    assert_eq!((all.errors.len(), all.rejects.len()), (1, 1), "{all:?}");
    assert!(all.errors[0]["data"].as_str().unwrap().contains("u1"));
    assert!(all.rejects[0]["row"].as_str().unwrap().contains("u1"));
    assert!(!all.truncated && all.problems.is_empty());
    let orders: Vec<_> = all.orders.iter().map(|order| order["order_id"].as_str()).collect();
    assert_eq!(orders, [Some("1"), Some("3")]);
    let bought = |at: usize| all.orders[at]["lines"].as_array().unwrap().len();
    assert_eq!((bought(0), bought(1)), (1, 2));
    assert_eq!((all.events.len(), all.impressions.len()), (10, 5));
    assert!(all.events.iter().all(|event| event["user_id"] == "u1"));
    assert!(all.events.is_sorted_by_key(|event| event["received_at_ms"].as_i64()));
    assert_eq!(all.events[0]["product_ids"], json!(["p1", "p2"]));
    assert_eq!(all.events[0]["quantities"], json!([1, 1]));
    let some = lake.user_records("u1", 3).unwrap();
    assert!(some.truncated && some.events.len() == 3, "{some:?}");
    assert_eq!(lake.user_records("u", 3).unwrap(), crate::UserRecords::default());
}
