//! `endpoint`: a model's file, archive and folder, over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::shop::{Server, cartwheel, shop};

/// Sends CSV to a server and returns the status and the body of its answer.
fn invoke(server: &Server, path: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(&server.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let method = if body.is_empty() { "GET" } else { "POST" };
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: text/csv\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn fixtures() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../cartwheel-forest/tests/fixtures"].iter().collect()
}

fn serves(dir: &Path, arguments: &[&str]) -> Server {
    Server::spawn(dir, &[&["endpoint"], arguments].concat())
}

#[test]
fn a_containers_folder_is_served_until_it_is_asked_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(fixtures().join("v3.2-logistic.ubj"), folder.join("xgboost-model")).unwrap();
    std::fs::write(folder.join(".hidden"), "").unwrap();
    let expected = std::fs::read(fixtures().join("v3.2-logistic.expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let float = |bits: &Value| f32::from_bits(bits.as_u64().unwrap() as u32);
    let row = expected["rows_bits"].as_array().unwrap()[..6].iter().map(float);
    let row = row.map(|value| if value.is_nan() { String::new() } else { value.to_string() });
    let row: Vec<String> = row.collect();

    let server = serves(dir.path(), &["serve", "--model", folder.to_str().unwrap()]);
    assert_eq!(invoke(&server, "/ping", ""), (200, String::new()));
    let (status, score) = invoke(&server, "/invocations", &row.join(","));
    assert_eq!(status, 200, "{score}");
    let score: f32 = score.trim().parse().unwrap();
    assert_eq!(score.to_bits(), float(&expected["predictions_bits"][0]).to_bits());
    server.stop();

    std::fs::copy(fixtures().join("v3.2-pairwise.ubj"), folder.join("another")).unwrap();
    let error =
        cartwheel(dir.path(), &["endpoint", "--model", folder.to_str().unwrap()]).unwrap_err();
    assert!(error.contains("has 2 files"), "{error}");
    let damaged = dir.path().join("damaged.ubj");
    std::fs::write(&damaged, &std::fs::read(folder.join("another")).unwrap()[..500]).unwrap();
    let error =
        cartwheel(dir.path(), &["endpoint", "--model", damaged.to_str().unwrap()]).unwrap_err();
    assert!(error.contains("damaged.ubj cannot be served"), "{error}");
}

#[test]
fn a_model_of_the_registry_and_its_archive_give_the_same_scores() {
    let data = shop();
    let models: Value =
        serde_json::from_str(&cartwheel(data.path(), &["--json", "models", "list"]).unwrap())
            .unwrap();
    let version = models[0]["version"].as_str().unwrap();
    let bundle = data.path().join("lake/models").join(version);
    let columns = std::fs::read(bundle.join("features.json")).unwrap();
    let columns: Vec<String> = serde_json::from_slice(&columns).unwrap();
    let row = vec!["0.5"; columns.len()].join(",");
    let scores = [bundle.clone(), bundle.join("model.tar.gz")].map(|model| {
        let server = serves(data.path(), &["--model", model.to_str().unwrap()]);
        let answer = invoke(&server, "/invocations", &row);
        server.stop();
        answer
    });
    assert_eq!(scores[0].0, 200, "{}", scores[0].1);
    assert_eq!(scores[0], scores[1]);
}
