//! Data directories written by earlier releases.

use std::path::Path;

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, delivered, ids, request_as, wait_for_delivery};

/// The secret of the directory's only key, which is valid nowhere else.
const KEY: &str = "cw_511e7a5c448cbd135b845e37fe2d8d45b393afe467218724e74d98cd529c61cf";

/// The data directory of a release that was killed.
fn left_by(release: &str) -> tempfile::TempDir {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let file = std::fs::File::open(fixtures.join(format!("data-{release}.tar.zst"))).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut archive = tar::Archive::new(zstd::stream::Decoder::new(file).unwrap());
    archive.unpack(dir.path()).unwrap();
    dir
}

/// 0.1: a shop of 80 users with one run of the pipeline, eight events delivered, two
/// checkouts only in the stream, a key.
#[test]
fn all_data_of_0_1_is_read() {
    let data = left_by("0.1");
    let data = data.path();
    let models = cartwheel(data, &["models", "list", "--json"]).unwrap();
    let models: Value = serde_json::from_str(&models).unwrap();
    assert_eq!(
        (&models[0]["version"], &models[0]["status"]),
        (&json!("m-4c5020891438af32"), &json!("serving"))
    );
    let keys = cartwheel(data, &["keys", "list"]).unwrap();
    assert!(keys.contains("operator"), "{keys}");
    let runs = cartwheel(data, &["pipeline", "list"]).unwrap();
    assert!(runs.contains("SUCCEEDED"), "{runs}");
    let stream = cartwheel(data, &["stream", "verify", "--json"]).unwrap();
    let stream: Value = serde_json::from_str(&stream).unwrap();
    assert_eq!((&stream["next"], &stream["damaged"]), (&json!(20), &json!([])), "{stream}");

    let server = Server::start(data);
    let body = json!({"user_id": "3"}).to_string();
    let asked = request_as(&server.address, "POST", "/v1/recommendations", Some(&body), Some(KEY));
    let (status, answer) = asked.unwrap();
    // The model of that release has other columns: rules rank until the pipeline has run.
    assert_eq!((status, &answer["degraded"]), (200, &json!(true)), "{answer}");
    assert_eq!(ids(&answer).len(), 10);
    assert_eq!(request_as(&server.address, "GET", "/v1/lake", None, None).unwrap().0, 401);
    wait_for_delivery(data, 10);
    server.stop();
    let mut found = delivered(data, "event_id");
    found.sort();
    assert_eq!(found, ["c1", "c2", "e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8"]);
    // Training uses its data, including the new checkouts.
    let set = cartwheel(data, &["features", "--json"]).unwrap();
    let set: Value = serde_json::from_str(&set).unwrap();
    let before =
        std::fs::read(data.join("lake/features/fs-7254eff0fe3c2b14/manifest.json")).unwrap();
    let before: Value = serde_json::from_slice(&before).unwrap();
    assert_eq!(set["orders"].as_u64(), before["orders"].as_u64().map(|orders| orders + 2), "{set}");
    assert_eq!(std::fs::read_to_string(data.join("format")).unwrap(), "2\n");
    cartwheel(data, &["pipeline", "run", "--set", "num_round=5"]).unwrap();
    let server = Server::start(data);
    let asked = request_as(&server.address, "POST", "/v1/recommendations", Some(&body), Some(KEY));
    let (status, answer) = asked.unwrap();
    assert_eq!((status, &answer["degraded"]), (200, &json!(false)), "{answer}");
    server.stop();
}
