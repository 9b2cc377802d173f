//! Degraded service: responses come from the remaining parts, say so, and recover on their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, ids, shop, wait_until};

fn asked(server: &Server) -> Value {
    let start = Instant::now();
    let (status, answer) = server.post("/v1/recommendations", &json!({"user_id": "7"})).unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "an answer is not waited for");
    assert_eq!(status, 200, "{answer}");
    answer
}

fn ready(server: &Server) -> (u16, Value) {
    server.get("/readyz").unwrap()
}

#[test]
fn events_are_accepted_without_a_release_and_the_first_release_serves() {
    let data = shop();
    let releases = data.path().join("lake/releases");
    let aside = data.path().join("aside");
    std::fs::rename(&releases, &aside).unwrap();
    let server = Server::begin(data.path());
    wait_until("sessions are there", || ready(&server).1["sessions"] == true);
    let (status, view) = ready(&server);
    assert_eq!((status, &view["degraded"]), (200, &json!(false)), "a new shop is ready: {view}");
    let body = json!({"user_id": "7", "event": "add_to_cart", "product_ids": ["3"]});
    let (status, answer) = server.post("/submit", &body).unwrap();
    assert_eq!((status, &answer["degraded"]), (200, &json!(false)), "{answer}");
    std::fs::rename(&aside, &releases).unwrap();
    wait_until("the release serves", || ready(&server).1["engine"]["products"] != 0);
    let answer = asked(&server);
    assert_eq!(answer["degraded"], false);
    assert_eq!(ids(&answer).len(), 10);
    server.stop();
}

#[test]
fn the_server_falls_back_from_a_damaged_model_until_it_is_repaired() {
    let data = shop();
    let models = data.path().join("lake/models");
    let model = std::fs::read_dir(&models).unwrap().next().unwrap().unwrap().path();
    let bundle = model.join("model.tar.gz");
    let whole = std::fs::read(&bundle).unwrap();
    std::fs::write(&bundle, &whole[..whole.len() / 2]).unwrap();
    let server = Server::start(data.path());
    let (_, view) = ready(&server);
    assert_eq!((&view["ready"], &view["degraded"]), (&json!(true), &json!(true)), "{view}");
    let answer = asked(&server);
    assert_eq!(answer["degraded"], true);
    assert_eq!(ids(&answer).len(), 10, "the features are whole: {answer}");
    std::fs::write(&bundle, &whole).unwrap();
    wait_until("the model serves", || ready(&server).1["degraded"] == false);
    assert_eq!(asked(&server)["degraded"], false);
    server.stop();
}

/// Every file below a folder with its content.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

#[test]
fn a_data_directory_of_a_later_release_is_refused_and_left_unchanged() {
    let data = shop();
    std::fs::write(data.path().join("format"), "3\n").unwrap();
    let before = contents(data.path());
    let serve = &["serve", "--listen", "127.0.0.1:0"];
    for args in [&["models", "list"][..], &["import", "instacart", "."], &["stream", "stat"], serve]
    {
        let error = cartwheel(data.path(), args).unwrap_err();
        assert!(error.contains("later release") && error.contains("format 3"), "{error}");
    }
    assert!(contents(data.path()) == before, "a refused command changes something");
}

#[test]
fn a_data_directory_of_the_format_before_is_migrated_with_copies_of_what_changes() {
    let data = shop();
    let path = |name: &str| data.path().join(name);
    cartwheel(data.path(), &["users", "erase", "7"]).unwrap();
    // The releases before knew no list of the erased.
    std::fs::remove_file(path("erased.ndjson")).unwrap();
    std::fs::write(path("format"), "1\n").unwrap();
    Server::start(data.path()).stop();
    assert_eq!(std::fs::read_to_string(path("format")).unwrap(), "2\n");
    assert_eq!(std::fs::read_to_string(path("before-format-2/format")).unwrap(), "1\n");
    let list = std::fs::read_to_string(path("erased.ndjson")).unwrap();
    assert_eq!(list.lines().count(), 1, "{list}");
}

#[test]
fn without_a_session_store_responses_continue_and_events_wait() {
    let data = shop();
    let store = data.path().join("sessions.redb");
    std::fs::create_dir(&store).unwrap();
    let server = Server::begin(data.path());
    let (status, view) = ready(&server);
    assert_eq!((status, &view["sessions"]), (503, &json!(false)), "{view}");
    let answer = asked(&server);
    assert_eq!((&answer["degraded"], ids(&answer).len()), (&json!(true), 10), "{answer}");
    let body = json!({"user_id": "7", "event": "view", "product_ids": ["3"]});
    let (status, problem) = server.post("/submit", &body).unwrap();
    assert_eq!((status, &problem["type"]), (503, &json!("urn:cartwheel:problem:unavailable")));
    std::fs::remove_dir(&store).unwrap();
    wait_until("the store is there again", || ready(&server).0 == 200);
    assert_eq!(server.post("/submit", &body).unwrap().0, 200);
    assert_eq!(asked(&server)["degraded"], false);
    server.stop();
}
