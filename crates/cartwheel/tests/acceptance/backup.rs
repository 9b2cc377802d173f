//! Backups beside a running server: nothing acknowledged before is missing after a restore.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::erasure::files_with;
use crate::shop::{Server, cartwheel, delivered, request, shop, wait_until};

/// Segments of a few thousand events, and compaction all the time, so that files come and go
/// while they are copied.
const BUSY: &str =
    "[stream]\nsegment_bytes = 1048576\n[lake]\ncompact_seconds = 1\ngrace_seconds = 0\n";

fn json(text: Result<String, String>) -> Value {
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// Restores a backup into a new directory.
fn restored(dest: &str, name: &str, more: &[&str]) -> (tempfile::TempDir, Value) {
    let to = tempfile::tempdir().unwrap();
    let command = [&["backup", "restore", dest, "--backup", name, "--json"], more].concat();
    let told = json(cartwheel(to.path(), &command));
    (to, told)
}

/// How often each event is in the lake once everything is delivered and merged.
fn rows(data: &Path) -> BTreeMap<String, usize> {
    for _ in 0..2 {
        // The first merges, the second removes what was merged.
        cartwheel(data, &["lake", "compact"]).unwrap();
    }
    let mut rows = BTreeMap::new();
    delivered(data, "event_id").into_iter().for_each(|id| *rows.entry(id).or_default() += 1);
    rows
}

#[test]
fn a_backup_under_load_has_every_event_that_was_acknowledged_before_it_once() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("cartwheel.toml"), BUSY).unwrap();
    let place = tempfile::tempdir().unwrap();
    let dest = place.path().join("backups");
    let dest = dest.to_str().unwrap();
    let server = Server::start(data.path());
    server.submit(&json!({"user_id": "keeps", "event": "add_to_cart", "product_ids": ["7"]}));
    let product = json!({"name": "Oat milk"}).to_string();
    let put = request(&server.address, "PUT", "/v1/products/oat", Some(&product)).unwrap();
    assert!(put.0 < 300, "{}", put.1);

    let acknowledged: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (address, journal) = (server.address.clone(), acknowledged.clone());
            let (stop, sent) = (stop.clone(), sent.clone());
            std::thread::spawn(move || {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let ids: Vec<String> = (0..20).map(|at| format!("{client}-{n}-{at}")).collect();
                    let of = |id: &String| {
                        json!({"user_id": format!("u{}", n % 97), "event": "view",
                               "product_ids": ["1"], "event_id": id})
                    };
                    let body = Value::Array(ids.iter().map(of).collect()).to_string();
                    let answer = request(&address, "POST", "/v1/events", Some(&body));
                    let accepted = answer.as_ref().is_some_and(|(status, answer)| {
                        *status == 200 && answer["failed_count"] == 0
                    });
                    assert!(accepted, "{answer:?}");
                    sent.fetch_add(ids.len() as u64, Ordering::Relaxed);
                    journal.lock().unwrap().extend(ids);
                }
            })
        })
        .collect();
    let mut taken = Vec::new();
    for _ in 0..4 {
        let before = sent.load(Ordering::Relaxed);
        wait_until("more events", || sent.load(Ordering::Relaxed) > before + 3000);
        let known = acknowledged.lock().unwrap().clone();
        let made = json(cartwheel(data.path(), &["backup", "create", dest, "--json"]));
        taken.push((made, known));
    }
    stop.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().unwrap());
    server.stop();
    assert!(!data.path().join("snapshot").exists(), "copies of sessions are left");
    let verified = cartwheel(data.path(), &["backup", "verify", dest]).unwrap();
    assert!(verified.contains("4 backups are intact"), "{verified}");
    for (made, known) in taken {
        let (to, _) = restored(dest, made["name"].as_str().unwrap(), &[]);
        let log = json(cartwheel(to.path(), &["stream", "verify", "--json"]));
        assert_eq!((&log["damaged"], &log["unfinished_bytes"]), (&json!([]), &json!(0)), "{log}");
        let server = Server::start(to.path());
        let session = server.get("/v1/users/keeps").unwrap().1["session"].clone();
        assert_eq!(session["cart"][0]["product_id"], "7", "{session}");
        assert_eq!(server.get("/v1/products/oat").unwrap().0, 200);
        server.stop();
        let rows = rows(to.path());
        let lost = known.iter().filter(|id| !rows.contains_key(*id)).count();
        let twice = rows.values().filter(|count| **count > 1).count();
        assert_eq!((lost, twice), (0, 0), "of {} in {made}", known.len());
    }
}

#[test]
fn a_backup_holds_models_keys_and_documents_and_copies_only_what_is_new() {
    let data = shop();
    let place = tempfile::tempdir().unwrap();
    let dest = place.path().to_str().unwrap();
    cartwheel(data.path(), &["keys", "create", "operator", "--scope", "admin"]).unwrap();
    let first = json(cartwheel(data.path(), &["backup", "create", dest, "--json"]));
    assert!(first["new_bytes"].as_u64() > Some(0), "{first}");
    // Files that were changed just before cannot be told from changed ones.
    std::thread::sleep(Duration::from_secs(3));
    cartwheel(data.path(), &["backup", "create", dest]).unwrap();
    let third = json(cartwheel(data.path(), &["backup", "create", dest, "--json"]));
    assert_eq!((&third["new_files"], &third["new_bytes"]), (&json!(0), &json!(0)), "{third}");
    let listed = json(cartwheel(data.path(), &["backup", "list", dest, "--json"]));
    assert_eq!(listed["backups"].as_array().unwrap().len(), 3);

    let (to, _) = restored(dest, first["name"].as_str().unwrap(), &[]);
    // The age of a model is that of its file.
    let models =
        [data.path(), to.path()].map(|dir| json(cartwheel(dir, &["models", "list", "--json"])));
    assert_eq!(models[0], models[1]);
    for command in [&["models", "list"][..], &["keys", "list"], &["audit"], &["stream", "stat"]] {
        let both = [data.path(), to.path()].map(|dir| cartwheel(dir, command).unwrap());
        assert_eq!(both[0], both[1], "{command:?}");
    }
    let full = cartwheel(to.path(), &["backup", "restore", dest]).unwrap_err();
    assert!(full.contains("is not empty"), "{full}");
    let inside = data.path().join("here");
    let error =
        cartwheel(data.path(), &["backup", "create", inside.to_str().unwrap()]).unwrap_err();
    assert!(error.contains("inside the data directory"), "{error}");

    // Damage is named, and refused by a restore.
    let object = walk(&place.path().join("objects")).into_iter().max_by_key(|(size, _)| *size);
    let object = object.unwrap().1;
    let mut bytes = std::fs::read(&object).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&object, bytes).unwrap();
    let named = object.file_name().unwrap().to_str().unwrap();
    let report = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .args(["backup", "verify", dest])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(!report.status.success() && text.contains(named), "{text}");
    let to = tempfile::tempdir().unwrap();
    let error = cartwheel(to.path(), &["backup", "restore", dest]).unwrap_err();
    assert!(error.contains(named), "{error}");
    let error = cartwheel(to.path(), &["models", "list"]).unwrap_err();
    assert!(error.contains("was interrupted"), "{error}");
    // Damage of the same length shows only to who reads it; a full backup replaces it.
    cartwheel(data.path(), &["backup", "create", dest]).unwrap();
    cartwheel(data.path(), &["backup", "verify", dest]).unwrap_err();
    cartwheel(data.path(), &["backup", "create", dest, "--full"]).unwrap();
    cartwheel(data.path(), &["backup", "verify", dest]).unwrap();
}

fn walk(folder: &Path) -> Vec<(u64, std::path::PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.path().is_dir() {
            true => found.extend(walk(&entry.path())),
            false => found.push((entry.metadata().unwrap().len(), entry.path())),
        }
    }
    found
}

#[test]
fn erased_users_stay_erased_after_a_restore() {
    const ERASED: &str = "was-erased-later";
    let data = tempfile::tempdir().unwrap();
    let place = tempfile::tempdir().unwrap();
    let dest = place.path().join("backups");
    let dest = dest.to_str().unwrap();
    let key = place.path().join("backup.key");
    std::fs::write(&key, format!("{}\n", "5a".repeat(32))).unwrap();
    let key = ["--key-file", key.to_str().unwrap()];
    let back_up = || {
        let command = [&["backup", "create", dest, "--json"], &key[..]].concat();
        json(cartwheel(data.path(), &command))["name"].as_str().unwrap().to_owned()
    };
    let server = Server::start(data.path());
    for user in [ERASED, "stays"] {
        server.submit(&json!({"user_id": user, "event": "add_to_cart", "product_ids": ["4"]}));
    }
    wait_until("delivered", || delivered(data.path(), "user_id").len() == 2);
    let with_user = back_up();
    // Nothing in the store tells the user: it is encrypted.
    assert_eq!(files_with(Path::new(dest), ERASED), Vec::<std::path::PathBuf>::new());
    let path = format!("/v1/users/{ERASED}");
    let erased = request(&server.address, "DELETE", &path, None).unwrap();
    assert_eq!(erased.0, 202, "{}", erased.1);
    wait_until("the erasure ends", || {
        server.get("/v1/erasures").unwrap().1["erasures"] == json!([])
    });

    let check = |to: &Path, told: &Value| {
        assert_eq!(told["erased_again"], json!([ERASED]), "{told}");
        let server = Server::start(to);
        let known = server.get(&path).unwrap().1;
        assert!(known["session"].is_null(), "{known}");
        assert!(!server.get("/v1/users/stays").unwrap().1["session"].is_null());
        // What the user does from now on counts.
        server.submit(&json!({"user_id": ERASED, "event": "view", "product_ids": ["9"]}));
        wait_until("the erasure ends again", || {
            server.get("/v1/erasures").unwrap().1["erasures"] == json!([])
        });
        assert_eq!(server.get(&path).unwrap().1["session"]["events"], 1);
        server.stop();
        let of_user = delivered(to, "user_id").into_iter().filter(|user| user == ERASED).count();
        assert_eq!(of_user, 1);
    };
    // The list of the server that is replaced tells it ...
    let list = data.path().join("erased.ndjson");
    let more = [&key[..], &["--erasures", list.to_str().unwrap()]].concat();
    let (to, told) = restored(dest, &with_user, &more);
    check(to.path(), &told);
    // ... and so does every later backup.
    back_up();
    server.stop();
    let (to, told) = restored(dest, &with_user, &key);
    check(to.path(), &told);
}

#[test]
fn a_moment_between_two_backups_is_restored() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("cartwheel.toml"), BUSY).unwrap();
    let place = tempfile::tempdir().unwrap();
    let dest = place.path().to_str().unwrap();
    let back_up = || json(cartwheel(data.path(), &["backup", "create", dest, "--json"]));
    let server = Server::start(data.path());
    // More than a segment each.
    let send = |letter: char| {
        for n in 0..20 {
            let of = |at: i32| {
                json!({"user_id": format!("u{at}"), "event": "view", "product_ids": ["1"],
                       "event_id": format!("{letter}-{n}-{at}")})
            };
            let events: Vec<Value> = (0..200).map(of).collect();
            let (status, answer) = server.post("/v1/events", &json!(events)).unwrap();
            assert_eq!((status, &answer["failed_count"]), (200, &json!(0)));
        }
        // Moments are told apart by milliseconds.
        std::thread::sleep(Duration::from_millis(50));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        jiff::Timestamp::from_millisecond(now.as_millis() as i64).unwrap().to_string()
    };
    let before = send('a');
    back_up();
    let between = send('b');
    let put = request(&server.address, "PUT", "/v1/products/oat", Some(r#"{"name":"Oats"}"#));
    assert!(put.unwrap().0 < 300);
    send('c');
    let restore = |until: &str| {
        let to = tempfile::tempdir().unwrap();
        let done = cartwheel(to.path(), &["backup", "restore", dest, "--until", until, "--json"]);
        (to, done)
    };
    let too_new = restore(&between).1.unwrap_err();
    assert!(too_new.contains("no backup began after"), "{too_new}");
    back_up();
    let too_old = restore(&before).1.unwrap_err();
    assert!(too_old.contains("no backup ended before"), "{too_old}");
    let (to, done) = restore(&between);
    done.unwrap();
    let again = Server::start(to.path());
    assert_eq!(again.get("/v1/products/oat").unwrap().0, 404);
    again.submit(&json!({"user_id": "u1", "event": "view", "product_ids": ["1"], "event_id": "d"}));
    again.stop();
    let rows = rows(to.path());
    let of = |letter: char| rows.keys().filter(|id| id.starts_with(letter)).count();
    assert_eq!((of('a'), of('b'), of('c'), of('d')), (4000, 4000, 0, 1));
    assert!(rows.values().all(|count| *count == 1));
    // What was restored has another log: there is no moment between the two.
    let made = json(cartwheel(to.path(), &["backup", "create", dest, "--json"]));
    let at = jiff::Timestamp::from_millisecond(made["started_ms"].as_i64().unwrap() - 1).unwrap();
    let other = restore(&at.to_string()).1.unwrap_err();
    assert!(other.contains("a backup was restored"), "{other}");
    server.stop();
}

#[test]
fn an_overdue_erasure_starts_a_run_without_a_schedule() {
    let data = shop();
    let place = tempfile::tempdir().unwrap();
    let dest = place.path().join("backups");
    let dest = dest.to_str().unwrap();
    let made = json(cartwheel(data.path(), &["backup", "create", dest, "--json"]));
    // The list of a shop in which a user was erased long ago.
    cartwheel(data.path(), &["users", "erase", "7"]).unwrap();
    let list = data.path().join("erased.ndjson");
    let mut line: Value = serde_json::from_slice(&std::fs::read(&list).unwrap()).unwrap();
    line["erased_at_ms"] = json!(1);
    std::fs::write(&list, line.to_string()).unwrap();
    let more = ["--erasures", list.to_str().unwrap()];
    let (to, told) = restored(dest, made["name"].as_str().unwrap(), &more);
    assert_eq!(told["erased_again"], json!(["7"]), "{told}");
    let settings = "[gate]\nmin_users = 5\n[train]\nrounds = 5\nsearch = 'off'\n";
    std::fs::write(to.path().join("cartwheel.toml"), settings).unwrap();
    let server = Server::start(to.path());
    assert!(server.get("/v1/users/7").unwrap().1["record"].is_null());
    wait_until("a run has left the user out", || {
        server.get("/v1/erasures").unwrap().1["erasures"] == json!([])
    });
    assert!(server.get("/v1/users/7").unwrap().1["record"].is_null());
    assert!(!server.get("/v1/users/8").unwrap().1["record"].is_null());
    let runs = server.get("/v1/pipeline/executions").unwrap().1["executions"].clone();
    assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
    server.stop();
}

#[test]
fn killed_backups_and_restores_harm_nothing() {
    let data = shop();
    let place = tempfile::tempdir().unwrap();
    let dest = place.path().to_str().unwrap();
    let _server = Server::start(data.path());
    let run = |args: &[&str], to: &Path, after_ms: u64| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
            .arg("--data-dir")
            .arg(to)
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(after_ms));
        let _ = child.kill();
        child.wait().unwrap().success()
    };
    cartwheel(data.path(), &["backup", "create", dest]).unwrap();
    for round in 0..12 {
        run(&["backup", "create", dest], data.path(), 15 + 25 * round);
        let verified = cartwheel(data.path(), &["backup", "verify", dest]).unwrap();
        assert!(verified.contains("intact"), "{verified}");
    }
    let made = json(cartwheel(data.path(), &["backup", "create", dest, "--json"]));
    for round in 0..8 {
        let to = tempfile::tempdir().unwrap();
        if !run(&["backup", "restore", dest], to.path(), 5 + 10 * round)
            && to.path().join("restoring").exists()
        {
            let error = cartwheel(to.path(), &["models", "list"]).unwrap_err();
            assert!(error.contains("was interrupted"), "{error}");
        }
    }
    let (to, _) = restored(dest, made["name"].as_str().unwrap(), &[]);
    drop(Server::start(to.path()));
}
