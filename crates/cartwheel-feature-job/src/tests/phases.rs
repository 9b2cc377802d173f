//! The phases over streams make the files of the local job.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::builder::{
    Float32Builder, Int8Builder, Int32Builder, Int64Builder, ListBuilder, StringBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_ipc::writer::StreamWriter;
use cartwheel_events::EventKind;
use cartwheel_feature_set::UserFile;
use cartwheel_feature_set::files::{CATALOGUES_OF_OTHERS, USERS};
use cartwheel_features::{Sources, Subjects, stable_hash};
use cartwheel_lake::{Search, Touch, Touches};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::sources::visits;
use super::{LINES, ORDERS, checkout, lake, shop};
use crate::pieces;
use crate::{Input, JobOptions, build, phases};

/// A row of the fold's input, of any kind.
#[derive(Debug, Clone, Default)]
struct Row {
    user: String,
    kind: i8,
    number: Option<i32>,
    set: Option<String>,
    dow: Option<i32>,
    hour: Option<i32>,
    days: Option<f32>,
    ordered: Option<i64>,
    product: Option<String>,
    position: Option<i32>,
    reordered: Option<i32>,
    event: Option<String>,
    received: Option<i64>,
    bought: Option<Vec<String>>,
    query: Option<String>,
}

fn batches(files: &[PathBuf]) -> Vec<RecordBatch> {
    let read = |path: &PathBuf| {
        let file = std::fs::File::open(path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        reader.map(Result::unwrap).collect::<Vec<_>>()
    };
    files.iter().flat_map(read).collect()
}

/// Returns all rows, by user.
fn rows(input: &Input) -> BTreeMap<String, Vec<Row>> {
    let mut out: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let text = |batch: &RecordBatch, name: &str, at: usize| {
        batch.column_by_name(name).unwrap().as_string::<i32>().value(at).to_owned()
    };
    let int = |batch: &RecordBatch, name: &str, at: usize| {
        let column = batch.column_by_name(name).unwrap().as_primitive::<Int32Type>();
        column.is_valid(at).then(|| column.value(at))
    };
    for batch in batches(&input.orders) {
        let days = batch.column_by_name("days_since_prior_order").unwrap();
        let days = days.as_primitive::<Float32Type>();
        let ordered = batch.column_by_name("ordered_at_ms").unwrap().as_primitive::<Int64Type>();
        for at in 0..batch.num_rows() {
            let user = text(&batch, "user_id", at);
            out.entry(user.clone()).or_default().push(Row {
                user,
                kind: 0,
                number: int(&batch, "order_number", at),
                set: Some(text(&batch, "eval_set", at)),
                dow: int(&batch, "order_dow", at),
                hour: int(&batch, "order_hour_of_day", at),
                days: days.is_valid(at).then(|| days.value(at)),
                ordered: ordered.is_valid(at).then(|| ordered.value(at)),
                ..Row::default()
            });
        }
    }
    for batch in batches(&input.order_products) {
        for at in 0..batch.num_rows() {
            let user = text(&batch, "user_id", at);
            // Ahead of the orders: a user's rows come in any order.
            out.entry(user.clone()).or_default().insert(
                0,
                Row {
                    user,
                    kind: 1,
                    number: int(&batch, "order_number", at),
                    product: Some(text(&batch, "product_id", at)),
                    position: int(&batch, "add_to_cart_order", at),
                    reordered: int(&batch, "reordered", at),
                    ..Row::default()
                },
            );
        }
    }
    for checkout in &input.checkouts {
        let user = checkout.user_id.clone();
        out.entry(user.clone()).or_default().push(Row {
            user,
            kind: 2,
            event: Some(checkout.event_id.clone()),
            received: Some(checkout.received_at_ms),
            bought: Some(checkout.product_ids.clone()),
            ..Row::default()
        });
    }
    for touch in input.touches.iter() {
        let user = touch.user_id.to_owned();
        out.entry(user.clone()).or_default().push(Row {
            user,
            kind: match touch.kind {
                EventKind::View => 5,
                EventKind::AddToCart => 6,
                _ => 7,
            },
            event: Some(touch_id(touch.received_at_ms)),
            received: Some(touch.received_at_ms),
            bought: Some(vec![touch.product_id.to_owned()]),
            ..Row::default()
        });
    }
    for search in input.touches.searches() {
        let user = search.user_id.to_owned();
        out.entry(user.clone()).or_default().push(Row {
            user,
            kind: 8,
            event: Some(touch_id(search.received_at_ms)),
            received: Some(search.received_at_ms),
            query: Some(search.query.to_owned()),
            ..Row::default()
        });
    }
    out
}

/// The id of the event at a time.
fn touch_id(at_ms: i64) -> String {
    format!("touch {at_ms}")
}

/// What some users of the shop did and searched for before their checkouts, and what guests did.
fn touches() -> Touches {
    let action = |step: i64| match step % 5 {
        3 => EventKind::AddToCart,
        4 => EventKind::RemoveFromCart,
        _ => EventKind::View,
    };
    let users = ["u3", "only-checkouts", "guest 1", "guest 2"];
    let steps = users.into_iter().flat_map(|user| (0..9).map(move |step| (user, step)));
    let all: Vec<(&str, i64, String)> =
        steps.map(|(user, step)| (user, step, format!("p{}", step % 4))).collect();
    let repeated = all.iter().chain(&all[..5]).map(|(user, step, product)| Touch {
        product_id: product,
        user_id: user,
        kind: action(*step),
        received_at_ms: *step,
        event: stable_hash(touch_id(*step).as_bytes()),
        place: 0,
    });
    let mut touches: Touches = repeated.collect();
    let users = ["u3", "guest 1", "only-searches", "u3"];
    for (at_ms, user_id) in (2..).zip(users) {
        // One of them has no words.
        for query in ["fresh Milk", "p1", "?"] {
            let event = stable_hash(touch_id(at_ms).as_bytes());
            touches.push_search(Search { user_id, query, received_at_ms: at_ms, event });
        }
    }
    touches
}

fn stream(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    for at in (0..batch.num_rows()).step_by(17) {
        writer.write(&batch.slice(at, 17.min(batch.num_rows() - at))).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

fn arrow(rows: &[Row]) -> RecordBatch {
    macro_rules! column {
        ($builder:ty, $value:expr) => {{
            let mut builder = <$builder>::new();
            rows.iter().for_each(|row| builder.append_option($value(row)));
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    let mut bought = ListBuilder::new(StringBuilder::new());
    for row in rows {
        if let Some(products) = &row.bought {
            products.iter().for_each(|product| bought.values().append_value(product));
        }
        bought.append(row.bought.is_some());
    }
    RecordBatch::try_from_iter_with_nullable([
        ("user_id", column!(StringBuilder, |r: &Row| Some(r.user.clone())), true),
        ("kind", column!(Int8Builder, |r: &Row| Some(r.kind)), true),
        ("order_number", column!(Int32Builder, |r: &Row| r.number), true),
        ("eval_set", column!(StringBuilder, |r: &Row| r.set.clone()), true),
        ("order_dow", column!(Int32Builder, |r: &Row| r.dow), true),
        ("order_hour_of_day", column!(Int32Builder, |r: &Row| r.hour), true),
        ("days_since_prior_order", column!(Float32Builder, |r: &Row| r.days), true),
        ("ordered_at_ms", column!(Int64Builder, |r: &Row| r.ordered), true),
        ("product_id", column!(StringBuilder, |r: &Row| r.product.clone()), true),
        ("add_to_cart_order", column!(Int32Builder, |r: &Row| r.position), true),
        ("reordered", column!(Int32Builder, |r: &Row| r.reordered), true),
        ("event_id", column!(StringBuilder, |r: &Row| r.event.clone()), true),
        ("received_at_ms", column!(Int64Builder, |r: &Row| r.received), true),
        ("product_ids", Arc::new(bought.finish()), true),
        ("query", column!(StringBuilder, |r: &Row| r.query.clone()), true),
    ])
    .unwrap()
}

/// Returns the products table as the driver writes it, with products that are only in
/// checkouts.
fn products(input: &Input) -> Vec<u8> {
    let named = input.products.iter().map(|p| (p.product_id.clone(), Some(p)));
    let bought = input.checkouts.iter().flat_map(|c| &c.product_ids);
    let all: Vec<_> = bought.map(|id| (id.clone(), None)).chain(named).collect();
    let ids = StringArray::from_iter_values(all.iter().map(|p| &p.0));
    let texts = |pick: fn(&cartwheel_features::ProductInfo) -> &String| {
        Arc::new(StringArray::from_iter(all.iter().map(|p| p.1.map(pick)))) as ArrayRef
    };
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("product_id", Arc::new(ids) as ArrayRef, false),
        ("product_name", texts(|p| &p.name), true),
        ("aisle", texts(|p| &p.aisle), true),
        ("department", texts(|p| &p.department), true),
    ]);
    stream(&batch.unwrap())
}

/// Kind, key and bytes of each value in a stream.
type Values = Vec<(String, String, Vec<u8>)>;

fn values_of(bytes: &[u8]) -> Values {
    let mut out = Vec::new();
    pieces::read(bytes, |kind, key, value| {
        out.push((kind.to_owned(), key.to_owned(), value));
        Ok(())
    })
    .unwrap();
    out
}

fn stream_of(values: &Values) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = pieces::Pieces::new(&mut bytes).unwrap();
    for (kind, key, value) in values {
        out.value(kind, key, value).unwrap();
    }
    out.finish().unwrap();
    bytes
}

fn input() -> (tempfile::TempDir, Input) {
    let (orders, lines) = shop("0 1");
    let (dir, mut input) = lake(
        &(orders + &ORDERS.lines().skip(1).map(|l| format!("x{l}\n")).collect::<String>()),
        &(lines + &LINES.lines().skip(1).map(|l| format!("x{l}\n")).collect::<String>()),
    );
    input.checkouts = vec![
        checkout("u3", 9, "e9", &["p2", "new"]),
        checkout("u3", 2, "e2", &["p1"]),
        checkout("only-checkouts", 1, "e1", &["new", "p0"]),
        checkout("only-checkouts", 5, "e5", &["new"]),
    ];
    input.touches = touches();
    (dir, input)
}

#[test]
fn the_files_equal_those_of_the_local_job_for_any_partitioning_of_the_users() {
    let without = |off: &[&str]| JobOptions {
        without: Sources::parse(off).unwrap(),
        unlearned: Subjects::parse(off).unwrap(),
        ..JobOptions::default()
    };
    let runs = [(1, without(&[])), (3, without(&["visit", "next"])), (16, without(&[]))];
    // Cross-validation adds its examples and two files for each of five folds.
    let (dir, input) = input();
    same_files(&dir, &input, &runs, 16 + 1 + 10);
}

#[test]
fn parameters_that_are_chosen_are_those_of_the_local_job() {
    let (dir, input) = (tempfile::tempdir().unwrap(), visits(1500));
    same_files(&dir, &input, &[(3, JobOptions::default())], 16 + 2);
}

#[test]
fn questions_after_visits_are_those_of_the_local_job() {
    let label = Some("purchase=1, cart=0.5, click=0.5".parse().unwrap());
    let (dir, input) = input();
    same_files(&dir, &input, &[(3, JobOptions { label, ..JobOptions::default() })], 16);
}

/// Compares the files of both, for numbers of partitions.
fn same_files(dir: &tempfile::TempDir, input: &Input, runs: &[(u64, JobOptions)], files: usize) {
    let (rows, table) = (rows(input), products(input));
    let products = phases::read_products(&table[..]).unwrap();

    for (parts, options) in runs {
        let parts = *parts;
        let set = build(input.clone(), &dir.path().join("features"), options, &|_| {}).unwrap();
        assert!(set.manifest.train_rows > 0);
        let (mut users, mut partials) = (BTreeMap::new(), Vec::new());
        for part in 0..parts {
            let mine = rows.iter().filter(|(u, _)| stable_hash(u.as_bytes()) % parts == part);
            let mine: Vec<Row> = mine.flat_map(|(_, rows)| rows.clone()).collect();
            let mut folded = Vec::new();
            phases::fold(&stream(&arrow(&mine))[..], &mut folded, &products, options).unwrap();
            for (kind, key, value) in values_of(&folded) {
                match kind.as_str() {
                    "user" => assert!(users.insert(key, value).is_none(), "each user once"),
                    _ => partials.push((kind, part.to_string(), value)),
                }
            }
        }
        // A tree of merges: pairs while there are many, then the rest at once.
        partials.reverse();
        while partials.len() > 4 {
            let mut merged = Vec::new();
            phases::merge(&stream_of(&partials.drain(..2).collect())[..], &mut merged).unwrap();
            partials.extend(values_of(&merged));
            let count = partials.len();
            partials[count - 1].1 = format!("merged-{count}");
        }
        let mut finished = Vec::new();
        phases::finish(&stream_of(&partials)[..], &mut finished, products.clone(), options)
            .unwrap();
        let finished = values_of(&finished);
        let is_taken = |key: &str| CATALOGUES_OF_OTHERS.contains(&key);
        let taken = finished.iter().filter(|p| is_taken(&p.1) || p.0 == "assembly");
        let version = &set.manifest.version;
        let mut assembled = Vec::new();
        let taken = stream_of(&taken.cloned().collect());
        phases::assemble(&taken[..], &mut assembled, version, 0, options).unwrap();

        let mut written: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (kind, key, value) in finished.into_iter().chain(values_of(&assembled)) {
            if kind == "file" {
                written.insert(key, value);
            }
        }
        assert_eq!(written.len(), files);
        for (name, bytes) in written {
            let local = std::fs::read(set.path(&name)).unwrap();
            assert!(local == bytes, "{name} differs with {parts} parts");
        }
        let mut dumped = Vec::new();
        phases::dump(&set.path(USERS), &mut dumped).unwrap();
        let local: BTreeMap<String, Vec<u8>> =
            values_of(&dumped).into_iter().map(|(_, user, record)| (user, record)).collect();
        assert_eq!(users, local);
        assert_eq!(UserFile::open(&set.path(USERS)).unwrap().len(), local.len());
    }
}

#[test]
fn the_error_for_invalid_input_names_the_problem() {
    let (_dir, input) = input();
    let all: Vec<Row> = rows(&input).into_values().flatten().collect();
    let products = phases::read_products(&products(&input)[..]).unwrap();
    let fold = |bytes: &[u8]| {
        let options = JobOptions::default();
        phases::fold(bytes, Vec::new(), &products, &options).unwrap_err().to_string()
    };
    assert!(fold(b"rubbish").contains("not an Arrow stream"), "{}", fold(b"rubbish"));
    let whole = stream(&arrow(&all));
    let cut = fold(&whole[..whole.len() / 2]);
    assert!(!cut.is_empty());
    let mut twice = all.clone();
    twice.push(all[0].clone());
    let error = fold(&stream(&arrow(&twice)));
    assert!(error.contains(&format!("user {} are not contiguous", all[0].user)), "{error}");
    let mut unknown = all.clone();
    unknown.iter_mut().find(|r| r.kind == 1).unwrap().product = Some("p-none".to_owned());
    let error = fold(&stream(&arrow(&unknown)));
    assert!(error.contains("product p-none is not in"), "{error}");
    let columns: Vec<usize> = (1..14).collect();
    let error = fold(&stream(&arrow(&all).project(&columns).unwrap()));
    assert!(error.contains("column user_id is missing"), "{error}");
    let mut odd = all;
    odd[0].kind = 9;
    assert!(fold(&stream(&arrow(&odd))).contains("kind contains 9"));

    let nothing = stream_of(&Vec::new());
    let merge = |bytes: &[u8]| phases::merge(bytes, Vec::new()).unwrap_err().to_string();
    assert!(merge(&nothing).contains("no partial"));
    let foreign = stream_of(&vec![("user".to_owned(), "u".to_owned(), Vec::new())]);
    assert!(merge(&foreign).contains("expected \"partial\" only"));
    let damaged = stream_of(&vec![("partial".to_owned(), "p".to_owned(), vec![255; 9])]);
    assert!(merge(&damaged).starts_with("partial: "));
    let options = JobOptions::default();
    let error = phases::assemble(&nothing[..], Vec::new(), "fs-1", 0, &options).unwrap_err();
    assert!(error.to_string().contains("no catalogue_others_0.bin"), "{error}");
}

#[test]
fn long_values_are_split_into_pieces_and_joined() {
    let long: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let all = vec![
        ("a".to_owned(), "x".to_owned(), long.clone()),
        ("a".to_owned(), "y".to_owned(), Vec::new()),
        ("a".to_owned(), "z".to_owned(), long),
    ];
    assert!(values_of(&stream_of(&all)) == all);
}
