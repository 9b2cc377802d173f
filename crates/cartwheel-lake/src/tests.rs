use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_events::{Event, EventRecord, Impression, ImpressionItem, ProductId, Record, UserId};
use cartwheel_stream::{MemoryStream, Stream};
use serde_json::json;

use crate::{
    Delivery, DeliveryOptions, ImportError, ImportOptions, ImportSummary, Inspector, Lake, Outcome,
    import, rejected,
};

const ORDERS: &str =
    "order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order
1,a,prior,1,2,9,
2,a,prior,2,3,10,7.0
3,b,test,1,0,23,
bad id,b,prior,2,1,1,1
4,b,maybe,2,1,1,1
5,b,prior,x,1,1,1
6,b,prior,2,9,1,1
1,b,prior,2,1,1,1
7,b,prior,1,1,1,1
8,b,prior,2,1
";
const LINES: &str = "order_id,product_id,add_to_cart_order,reordered
1,p1,1,0
1,p2,2,0
1,p1,3,0
2,p1,1,1
2,p9,2,2
2,p8,zero,0
99,p1,1,0
2,,1,0
3,p7,1,0
";
const PRODUCTS: &str = "product_id,product_name,aisle_id,department_id
p1,\"Milk, whole\",1,2
p2,Tea,9,9
p1,Milk again,1,2
";

fn shop(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn whole() -> tempfile::TempDir {
    shop(&[
        ("orders.csv", ORDERS),
        ("order_products.csv", LINES),
        ("products.csv", PRODUCTS),
        ("aisles.csv", "aisle_id,aisle\n1,milk\n"),
        ("departments.csv", "department_id,department\n2,dairy\n"),
    ])
}

fn run(lake: &Path, dir: &Path) -> Result<ImportSummary, ImportError> {
    let options = ImportOptions { as_of_ms: Some(1_700_000_000_000) };
    import::instacart(&Lake::open(lake).unwrap(), dir, &options, &mut |_| {})
}

#[test]
fn wrong_rows_are_written_down_and_the_rest_is_imported() {
    let (lake, dir) = (tempfile::tempdir().unwrap(), whole());
    let summary = run(lake.path(), dir.path()).unwrap();
    assert_eq!((summary.orders, summary.lines, summary.users, summary.products), (3, 4, 2, 3));
    assert_eq!(summary.rejected, 13);
    let rejects = std::fs::read_to_string(summary.rejects.unwrap()).unwrap();
    for expected in [
        "orders.csv,5,\"order_id holds",
        "orders.csv,6,\"eval_set is not",
        "orders.csv,7,\"order_number is not",
        "orders.csv,8,\"order_dow is out",
        "orders.csv,9,\"order_id stands twice",
        "orders.csv,10,\"the user has another order",
        "orders.csv,11,\"5 cells in place of 7",
        "products.csv,4,\"product_id stands twice",
        "order_products.csv,4,\"the order holds",
        "order_products.csv,6,\"reordered is not",
        "order_products.csv,7,\"add_to_cart_order is out",
        "order_products.csv,8,\"order_id is not among",
        "order_products.csv,9,\"product_id is empty",
    ] {
        assert!(rejects.contains(expected), "{expected} is not in\n{rejects}");
    }
    let products = Lake::open(lake.path()).unwrap().read_products().unwrap();
    let texts: Vec<(&str, &str, &str)> = products
        .iter()
        .map(|p| (p.product_id.as_str(), p.product_name.as_str(), p.aisle.as_str()))
        .collect();
    let expected =
        [("p1", "Milk, whole", "milk"), ("p2", "Tea", "unknown"), ("p7", "Product p7", "unknown")];
    assert_eq!(texts, expected);
}

#[test]
fn importing_twice_changes_nothing_and_other_files_replace() {
    let (lake, dir) = (tempfile::tempdir().unwrap(), whole());
    let first = run(lake.path(), dir.path()).unwrap();
    let listed = listing(lake.path());
    let again = run(lake.path(), dir.path()).unwrap();
    assert!(again.unchanged && !first.unchanged);
    assert_eq!((again.orders, again.rejected), (first.orders, first.rejected));
    assert_eq!(listing(lake.path()), listed);
    std::fs::write(dir.path().join("order_products.csv"), "order_id,product_id\n1,p1\n").unwrap();
    assert_eq!(run(lake.path(), dir.path()).unwrap().lines, 1);
    let manifest = Lake::open(lake.path()).unwrap().import_manifest().unwrap().unwrap();
    assert!(manifest.order_products.iter().all(|p| p.is_file()));
}

fn listing(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                out.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    out.sort();
    out
}

#[test]
fn gzip_byte_order_marks_and_two_line_files_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let zip = |name: &str, text: &str| {
        let file = std::fs::File::create(dir.path().join(name)).unwrap();
        let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gz.write_all(text.as_bytes()).unwrap();
        gz.finish().unwrap();
    };
    zip("orders.csv.gz", "\u{feff}order_id,user_id,order_number\r\n1,a,1\r\n2,a,2\r\n");
    zip("order_products__prior.csv.gz", "product_id,order_id\r\nx,1\r\ny,1\r\n");
    zip("order_products__train.csv.gz", "product_id,order_id\r\nx,2\r\n");
    let lake = tempfile::tempdir().unwrap();
    let summary = run(lake.path(), dir.path()).unwrap();
    assert_eq!((summary.orders, summary.lines, summary.products), (2, 3, 2));
    assert_eq!(summary.rejected, 0);
}

#[test]
fn an_unusable_file_is_an_error_that_names_it() {
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[], "orders.csv"),
        (&[("orders.csv", ORDERS)], "order_products.csv"),
        (&[("orders.csv", "a,b\n1,2\n"), ("order_products.csv", LINES)], "column order_id"),
        (
            &[("orders.csv", ORDERS), ("order_products.csv", "order_id,product_id\n77,x\n")],
            "no usable line",
        ),
    ];
    for (files, expected) in cases {
        let lake = tempfile::tempdir().unwrap();
        let error = run(lake.path(), shop(files).path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(Lake::open(lake.path()).unwrap().import_manifest().unwrap().is_none());
    }
}

fn checkout(user: &str, id: &str, at: i64) -> Record {
    let body = json!({"user_id": user, "event": "checkout", "product_ids": ["p1", "p2"]});
    Record::Event(EventRecord::new(Event::from_json(&body).unwrap(), id.to_owned(), at))
}

fn delivery(stream: &Arc<MemoryStream>, dir: &Path) -> Delivery {
    let options = DeliveryOptions { max_records: 10, max_age: Duration::from_millis(1) };
    let lake = Lake::open(&dir.join("lake")).unwrap();
    let checkpoint = dir.join("delivery.json");
    Delivery::new(Arc::clone(stream) as _, &lake, options, &checkpoint, |_| {}).unwrap()
}

fn delivered(dir: &Path) -> Vec<String> {
    let found = Lake::open(&dir.join("lake")).unwrap().checkouts().unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
    found.records.into_iter().map(|c| c.event_id).collect()
}

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

#[tokio::test]
async fn a_damaged_part_is_named_and_the_rest_is_read() {
    let stream = Arc::new(MemoryStream::new(1));
    let dir = tempfile::tempdir().unwrap();
    stream.put(vec![checkout("u", "e", 0)]).await;
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let bad = dir.path().join("lake/events/year=1970/bad.parquet");
    std::fs::write(&bad, b"PAR1 nothing PAR1").unwrap();
    let found = Lake::open(&dir.path().join("lake")).unwrap().checkouts().unwrap();
    assert_eq!(found.records.len(), 1);
    assert!(found.problems[0].contains("bad.parquet"), "{:?}", found.problems);
}

fn acted(user: &str, event: &str, products: &[&str], answer: Option<&str>, at: i64) -> Record {
    let mut body = json!({"user_id": user, "event": event, "product_ids": products});
    if let Some(answer) = answer {
        body["recommendation_id"] = json!(answer);
    }
    let event = Event::from_json(&body).unwrap();
    Record::Event(EventRecord::new(event, format!("e{at}"), at))
}

fn shown(answer: &str, user: &str, products: &[&str], at: i64) -> Record {
    let item = |(position, id): (u32, &&str)| ImpressionItem {
        product_id: ProductId::new(*id).unwrap(),
        position,
        score: 0.5,
        source: "popular".to_owned(),
    };
    Record::Impression(Impression {
        schema_version: 1,
        recommendation_id: answer.to_owned(),
        user_id: UserId::new(user).unwrap(),
        release: "f+m".to_owned(),
        cart: Vec::new(),
        shown: (0..).zip(products).map(item).collect(),
        received_at_ms: at,
    })
}

#[tokio::test]
async fn an_event_counts_for_the_answer_that_it_names() {
    let stream = Arc::new(MemoryStream::new(2));
    stream
        .put(vec![
            shown("r1", "u1", &["a", "b", "c"], 1_000),
            acted("u1", "view", &["b"], Some("r1"), 2_000),
            acted("u1", "add_to_cart", &["b"], Some("r1"), 3_000),
            // It names no answer, another's product, an answer that nobody gave.
            acted("u1", "add_to_cart", &["a"], None, 4_000),
            acted("u1", "add_to_cart", &["z"], Some("r1"), 5_000),
            acted("u1", "view", &["a"], Some("other"), 6_000),
            // Another shopper buys the product first.
            acted("u2", "checkout", &["b"], None, 7_000),
            shown("r2", "u2", &["b"], 8_000),
            acted("u1", "checkout", &["b", "a"], None, 9_000),
            // A later hour, and an answer that showed nothing.
            shown("r3", "u1", &["c"], 7_300_000),
            acted("u1", "checkout", &["c"], Some("r3"), 7_400_000),
            shown("r4", "u1", &[], 7_500_000),
        ])
        .await;
    let dir = tempfile::tempdir().unwrap();
    delivery(&stream, dir.path()).deliver().await.unwrap();
    let lake = Lake::open(&dir.path().join("lake")).unwrap();
    let at = |from, to, most| {
        let mut found = lake.outcomes(from, to, most).unwrap();
        found.answers.sort_by_key(|answer| answer.received_at_ms);
        found
    };
    let all = at(0, 8_000_000, 100);
    let no = Outcome::default();
    let places: Vec<_> = all.answers.iter().map(|answer| answer.places.clone()).collect();
    assert_eq!(places[0], [no, Outcome { viewed: true, added: true, bought: true }, no]);
    assert_eq!(places[1..], [vec![no], vec![Outcome { bought: true, ..no }]]);
    assert_eq!((all.truncated, all.answers[0].release.as_str()), (false, "f+m"));
    assert_eq!(at(7_000_000, 8_000_000, 100).answers.len(), 1);
    assert_eq!(at(0, 1_000, 100).answers.len(), 0);
    let newest = at(0, 8_000_000, 1);
    assert!(newest.truncated && newest.answers[0].received_at_ms == 7_300_000, "{newest:?}");
}

#[tokio::test]
async fn tables_can_be_looked_at() {
    let (dir, csv) = (tempfile::tempdir().unwrap(), whole());
    let lake = dir.path().join("lake");
    let inspector = Inspector::new(Lake::open(&lake).unwrap());
    assert!(inspector.tables().unwrap().iter().all(|table| table.files.is_empty()));
    let summary = run(&lake, csv.path()).unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    stream.put(vec![checkout("u", "e", 1_000)]).await;
    let mut delivery = delivery(&stream, dir.path());
    assert_eq!(delivery.status().now().files, 0);
    delivery.deliver().await.unwrap();
    let status = delivery.status().now();
    assert_eq!((status.files, status.error.clone()), (1, None));
    assert!(status.newest[0].path.starts_with("events/year=1970/"), "{status:?}");

    let rows = |name: &str| {
        let table = inspector.table(name).unwrap().unwrap();
        table.files.iter().map(|file| file.rows).sum::<u64>()
    };
    assert_eq!((rows("orders"), rows("order_products"), rows("products")), (3, 4, 3));
    assert_eq!((rows("events"), rows("impressions")), (1, 0));
    assert_eq!(inspector.table("../models").unwrap(), None);
    let events = inspector.table("events").unwrap().unwrap();
    let sample = inspector.sample(&events.files[0].path, 5).unwrap();
    let column = |name: &str| sample.columns.iter().position(|column| column.0 == name).unwrap();
    let row = &sample.rows[0];
    assert_eq!(row[column("user_id")].as_deref(), Some("u"));
    assert_eq!(row[column("session_id")], None);
    assert!(row[column("product_ids")].as_deref().unwrap().contains("p2"), "{row:?}");

    let rejects = rejected(&summary.rejects.unwrap(), 2).unwrap();
    assert_eq!(rejects.len(), 2);
    assert!(rejects[0].file.ends_with(".csv") && !rejects[0].reason.is_empty(), "{rejects:?}");
}
