//! Corpus files that cannot be written by hand. With `UPDATE=1`, the crates' own writers create
//! them in `fuzz/corpus`. The tests check that this release still reads the existing files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_ambient::Clock;
use cartwheel_events::{Event, EventRecord, Record};
use cartwheel_feature_set::encode_catalogue;
use cartwheel_features::{
    Catalogue, Context, Event as Act, Line, Order, Partial, ProductInfo, SampleSizes, Scaler,
    UserState, stable_hash,
};
use cartwheel_fuzz::{bundle, features, log, parquet};
use cartwheel_lake::{Delivery, DeliveryOptions, Lake};
use cartwheel_registry::BundleParts;
use cartwheel_stream::{Log, LogOptions, MemoryStream, Stream};
use serde_json::json;

const NOW_MS: i64 = 1_700_000_000_000;
/// A model of one tree with three nodes over two features.
const STUMP: &str = r#"{"learner":{"feature_names":["a","b"],"gradient_booster":{"name":"gbtree",
"model":{"gbtree_model_param":{"num_trees":"1"},"tree_info":[0],"trees":[{"default_left":[1,0,0],
"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_conditions":[0.5,-1.0,1.0],
"split_indices":[1,0,0],"sum_hessian":[8.0,4.0,4.0],"loss_changes":[2.0,0.0,0.0],
"tree_param":{"num_nodes":"3"}}]}},"learner_model_param":{"base_score":"5E-1","num_feature":"2"},
"objective":{"name":"binary:logistic"}},"version":[3,2,0]}"#;

/// Reads a file of the corpus; with `UPDATE` set, creates it first.
fn seed(target: &str, name: &str, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let path = super::fuzz("corpus").join(target).join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, make()).unwrap();
    }
    std::fs::read(&path).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn records() -> Vec<Record> {
    let body = |at: usize, event: &str, product: &str| {
        json!({"user_id": format!("u-{}", at % 2), "event_id": format!("c-{at}"), "event": event,
               "items": [{"product_id": product, "price": 1.75}, {"product_id": "milk"}]})
    };
    let bodies = (0..6).map(|at| match at {
        0..3 => body(at, "checkout", "bread"),
        _ => body(at, "add_to_cart", "tea"),
    });
    bodies
        .map(|body| {
            let event = Event::from_json(&body).unwrap();
            let id = event.event_id.clone().unwrap();
            Record::Event(EventRecord::new(event, id, NOW_MS))
        })
        .collect()
}

fn part() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).unwrap();
    let stream = Arc::new(MemoryStream::new(1));
    runtime().block_on(async {
        stream.put(records()).await;
        let options = DeliveryOptions {
            max_records: 100,
            max_age: Duration::from_secs(1),
            clock: Clock::fixed(0),
        };
        let checkpoint = dir.path().join("delivery.json");
        let mut delivery = Delivery::new(stream, &lake, options, &checkpoint, |_| {}).unwrap();
        delivery.deliver().await.unwrap();
        let newest = delivery.status().now().newest.pop_back().unwrap();
        std::fs::read(dir.path().join(newest.path)).unwrap()
    })
}

#[test]
fn the_seed_of_a_delivered_part_is_read() {
    parquet(&seed("parquet", "events.parquet", part));
}

fn segment(how: u8) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let mut options = LogOptions::new(|| NOW_MS);
    options.segment_bytes = 4 << 10;
    let opened = Log::open(dir.path(), options).unwrap();
    let put = runtime().block_on(opened.put(records()));
    assert!(put.iter().all(Result::is_ok));
    drop(opened);
    let mut bytes = vec![how];
    bytes.extend(std::fs::read(dir.path().join(format!("{:020}.log", 0))).unwrap());
    bytes
}

#[test]
fn the_seeds_of_a_log_segment_are_read() {
    log(&seed("log", "as-written", || segment(0)));
    log(&seed("log", "sealed-again", || segment(1)));
    log(&seed("log", "last-of-all-numbers", || {
        let mut bytes = segment(1);
        bytes[1 + 8..1 + 16].fill(0xff);
        bytes[1 + 64 + 8..1 + 64 + 16].fill(0xff);
        bytes
    }));
    log(&seed("log", "torn", || {
        let mut bytes = segment(0);
        bytes.truncate(900);
        bytes
    }));
}

/// Returns the parts of a bundle of `model`; `entry` edits the archive's header.
fn parts(model: &[u8], entry: impl FnOnce(&mut tar::Header)) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let scaler = Scaler { mean: vec![0.0; 2], std: vec![1.0; 2] };
    let parts = BundleParts {
        model,
        scaler: &scaler,
        features: &["a", "b"],
        metrics: json!([]),
        parameters: json!({"eta": 0.1}),
        feature_set: "fs-1",
        schema_hash: "s",
    };
    let version = cartwheel_registry::write(dir.path(), &parts).unwrap();
    let folder = dir.path().join(version);
    assert!(cartwheel_registry::read(dir.path(), &name(&folder)).is_ok());
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_path("xgboost-model").unwrap();
    header.set_size(model.len() as u64);
    header.set_mode(0o644);
    entry(&mut header);
    header.set_cksum();
    archive.append(&header, model).unwrap();
    [
        read("manifest.json"),
        read("scaler.json"),
        read("features.json"),
        archive.into_inner().unwrap(),
    ]
    .join(&0xff)
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn the_seeds_of_a_bundle_are_read() {
    bundle(&seed("bundle", "parts", || parts(STUMP.as_bytes(), |_| {})));
    // A hole of 4 GiB, declared in 512 bytes.
    bundle(&seed("bundle", "sparse", || {
        parts(STUMP.as_bytes(), |header| {
            header.set_entry_type(tar::EntryType::GNUSparse);
            header.set_size(0);
            let header = header.as_gnu_mut().unwrap();
            header.realsize = *b"40000000000\0";
            header.sparse[0].offset = *b"40000000000\0";
            header.sparse[0].numbytes = *b"00000000000\0";
        })
    }));
    cartwheel_fuzz::model(&seed("model", "stump.json", || STUMP.into()));
}

fn order(number: u32) -> Order {
    let line = |product| Line { product, position: product + 1, reordered: None };
    Order {
        number,
        context: Context {
            dow: Some(1),
            hour: Some(9),
            days_since_prior: Some(7.0),
            at_ms: Some(NOW_MS),
        },
        lines: (0..3).map(line).collect(),
    }
}

fn state() -> UserState {
    let mut state = UserState::default();
    (1..3).for_each(|number| state.apply(Act::Order(&order(number))));
    state
}

/// Writes a user file by its documentation.
fn user_file() -> Vec<u8> {
    let mut users: Vec<(u64, &str)> =
        ["u-0", "u-1", "u-2"].map(|user| (stable_hash(user.as_bytes()), user)).into();
    users.sort_unstable();
    let (mut bytes, mut index) = (b"CWUSER1\n".to_vec(), Vec::new());
    for (hash, user) in &users {
        index.extend(hash.to_le_bytes());
        index.extend((bytes.len() as u64).to_le_bytes());
        bytes.push(user.len() as u8);
        bytes.extend(user.as_bytes());
        bytes.extend(state().encode());
    }
    let end = bytes.len() as u64;
    bytes.extend(index);
    bytes.extend((users.len() as u64).to_le_bytes());
    bytes.extend(end.to_le_bytes());
    bytes.extend(b"CWUSER1\n");
    bytes
}

fn catalogue(most_popular: u32) -> Vec<u8> {
    let infos: Vec<ProductInfo> = ["milk", "bread", "tea"]
        .map(|id| ProductInfo { product_id: id.into(), name: id.into(), ..Default::default() })
        .into();
    let mut partial = Partial::new(infos.len(), SampleSizes::default());
    partial.order(&UserState::default(), &order(1), 7);
    let mut catalogue = Catalogue::finish(infos, partial);
    catalogue.popular[0] = most_popular;
    encode_catalogue(&catalogue).unwrap()
}

#[test]
fn the_seeds_of_a_feature_sets_binary_files_are_read() {
    features(&seed("features", "users.bin", user_file));
    // The last record claims to be larger than any memory.
    features(&seed("features", "users-beyond-the-file.bin", || {
        let mut bytes = user_file();
        let last = bytes.len() - 24 - 8;
        bytes[last..last + 8].copy_from_slice(&(1_u64 << 60).to_le_bytes());
        bytes
    }));
    features(&seed("features", "catalogue-in-parts.bin", || catalogue(0)));
    features(&seed("features", "catalogue-in-parts-of-more-than-it-has.bin", || catalogue(7)));
    features(&seed("features", "user-state", || state().encode()));
}
