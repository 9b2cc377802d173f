//! Erasure removes a user from every file and leaves other users unchanged.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use memchr::memmem;
use parquet::basic::Type as PhysicalType;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, ids, request, wait_until};

const ALICE: &str = "erase-me-now";
/// The prefix of the erased user's id.
const OTHER: &str = "erase-me";

/// A shop with a model, in which two users have names.
fn named_shop(csv: &Path) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let out = csv.to_str().unwrap();
    let size = ["--users", "150", "--products", "200", "--orders", "1500"];
    cartwheel(data.path(), &[&["generate"], &size[..], &["--out", out]].concat()).unwrap();
    let orders = csv.join("orders.csv");
    let text = std::fs::read_to_string(&orders).unwrap();
    let renamed = text.lines().map(|line| {
        let mut cells: Vec<&str> = line.split(',').collect();
        match cells[1] {
            "7" => cells[1] = ALICE,
            "8" => cells[1] = OTHER,
            _ => {}
        }
        cells.join(",") + "\n"
    });
    // A rejected row also names the user.
    let renamed = renamed.collect::<String>() + &format!("900001,{ALICE},prior,x,1,10,3\n");
    std::fs::write(&orders, renamed).unwrap();
    std::fs::write(
        data.path().join("cartwheel.toml"),
        "[gate]\nmin_users = 5\n[train]\nrounds = 30\nsearch = \"off\"\n",
    )
    .unwrap();
    cartwheel(data.path(), &["import", "instacart", out]).unwrap();
    cartwheel(data.path(), &["features"]).unwrap();
    cartwheel(data.path(), &["train"]).unwrap();
    data
}

fn stands(bytes: &[u8], id: &str) -> bool {
    memmem::find(bytes, id.as_bytes()).is_some()
}

/// Every file below `dir` that contains the id. Parquet files are compressed, so they are
/// decoded. The server may replace a file meanwhile: then all are searched again.
pub fn files_with(dir: &Path, id: &str) -> Vec<PathBuf> {
    loop {
        match search(dir, id) {
            Ok(found) => return found,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn search(dir: &Path, id: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if std::fs::metadata(&path)?.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path)?;
            let is_table = path.extension().is_some_and(|x| x == "parquet");
            if stands(&bytes, id) || (is_table && stands_in_texts(bytes, id)) {
                found.push(path.strip_prefix(dir).unwrap().to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a column of a Parquet file contains the id. Columns of numbers are not decoded: they are
/// most of the tables.
fn stands_in_texts(file: Vec<u8>, id: &str) -> bool {
    let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
    let schema = reader.metadata().file_metadata().schema();
    let holds_texts = |field: &&TypePtr| {
        field.is_group() || field.get_physical_type() == PhysicalType::BYTE_ARRAY
    };
    let texts: Vec<TypePtr> = schema.get_fields().iter().filter(holds_texts).cloned().collect();
    if texts.is_empty() {
        return false;
    }
    let texts = Type::group_type_builder(schema.name()).with_fields(texts).build().unwrap();
    let mut rows = reader.get_row_iter(Some(texts)).unwrap();
    rows.any(|row| stands(row.unwrap().to_string().as_bytes(), id))
}

fn event(server: &Server, user: &str, event: &str, product: &str) -> Value {
    let body = json!({"user_id": user, "event": event, "product_ids": [product]});
    let (status, answer) = server.post("/submit", &body).unwrap();
    assert_eq!(status, 200, "{answer}");
    answer
}

fn delete(server: &Server) -> (u16, Value) {
    request(&server.address, "DELETE", &format!("/v1/users/{ALICE}"), None).unwrap()
}

#[test]
fn an_erased_user_leaves_responses_at_once_and_every_file_eventually() {
    let csv = tempfile::tempdir().unwrap();
    let data = named_shop(csv.path());
    let path = data.path();
    let server = Server::start(path);
    for user in [ALICE, OTHER] {
        event(&server, user, "view", "3");
        event(&server, user, "add_to_cart", "4");
        event(&server, user, "checkout", "4");
        event(&server, user, "add_to_cart", "5");
    }
    let known = |user: &str| server.get(&format!("/v1/users/{user}")).unwrap().1;
    let before = known(ALICE);
    assert!(before["record"]["orders"].as_u64().unwrap() > 0 && !before["session"].is_null());
    let exported = server.get(&format!("/v1/users/{ALICE}/export")).unwrap();
    assert_eq!(exported.0, 200, "{}", exported.1);
    let exported = exported.1;
    let count = |part: &str| exported["stored"][part].as_array().unwrap().len();
    assert!(count("orders") > 0 && exported["stored"]["orders"][0]["lines"][0].is_object());
    assert!(count("events") + count("stream") >= 4, "{exported}");
    assert_eq!(exported["session"]["cart"][0]["product_id"], "5");
    let is_in = |user: &str, part: &str| {
        files_with(path, user).iter().any(|file| file.to_string_lossy().starts_with(part))
    };
    for part in ["lake/events", "lake/orders", "lake/features", "stream/", "sessions.redb"] {
        wait_until(part, || is_in(ALICE, part));
    }

    let (status, erased) = delete(&server);
    assert_eq!((status, &erased["step"]), (202, &json!("lake")), "{erased}");
    let after = known(ALICE);
    assert!(after["record"].is_null() && after["session"].is_null(), "{after}");
    assert!(known(OTHER)["record"]["orders"].as_u64().unwrap() > 0);
    // Responses are those of an unknown user.
    let recommended = |user: &str| {
        let answer = server.get(&format!("/v1/users/{user}/recommendations")).unwrap().1;
        ids(&answer)
    };
    assert_eq!(recommended(ALICE), recommended("nobody-knows"));
    // The user returns with another product.
    event(&server, ALICE, "add_to_cart", "9");
    assert_eq!(known(ALICE)["session"]["events"], 1);

    let pending = || server.get("/v1/erasures").unwrap().1["erasures"].clone();
    wait_until("the lake is clean", || pending()[0]["step"] == "features");
    assert!(known(ALICE)["record"].is_null() && known(ALICE)["session"]["events"] == 1);
    assert_eq!(cartwheel(path, &["users", "erasures"]).unwrap().lines().count(), 2);
    // A second erasure removes the data that arrived after the first.
    let (status, _) = delete(&server);
    assert_eq!(status, 202);
    wait_until("the lake is clean again", || pending()[0]["step"] == "features");
    let run = json!({"name": "after"});
    assert_eq!(server.post("/v1/pipeline/executions", &run).unwrap().0, 201);
    wait_until("the run has ended", || {
        let run = server.get("/v1/pipeline/executions/after").unwrap().1;
        assert_ne!(run["status"], "FAILED", "{run}");
        run["status"] == "SUCCEEDED"
    });
    wait_until("nobody is being erased", || pending() == json!([]));
    assert_eq!(files_with(path, ALICE), Vec::<PathBuf>::new());
    for part in ["lake/events/", "lake/orders/", "lake/features/", "stream/", "sessions.redb"] {
        assert!(is_in(OTHER, part), "{part}");
    }
    assert!(known(OTHER)["record"]["orders"].as_u64().unwrap() > 0);
    server.stop();
    // Neither a restart nor a repeated import restores the user.
    let again = cartwheel(path, &["import", "instacart", csv.path().to_str().unwrap()]).unwrap();
    assert!(again.contains("nchanged"), "{again}");
    let server = Server::start(path);
    let shown = server.get(&format!("/v1/users/{ALICE}")).unwrap().1;
    assert!(shown["record"].is_null() && shown["session"].is_null(), "{shown}");
    server.stop();
    assert_eq!(files_with(path, ALICE), Vec::<PathBuf>::new());
}

#[test]
fn the_guests_of_a_user_are_exported_and_erased_with_the_user() {
    const GUEST: &str = "5d41402a-bc4b-4a76-b971-9d911017c592";
    let data = tempfile::tempdir().unwrap();
    let path = data.path();
    let server = Server::start(path);
    let submit = |body: Value| {
        let (status, answer) = server.post("/submit", &body).unwrap();
        assert_eq!(status, 200, "{answer}");
    };
    submit(json!({"anonymous_id": GUEST, "event": "view", "product_ids": ["3"]}));
    submit(json!({"anonymous_id": GUEST, "event": "add_to_cart", "product_ids": ["4"]}));
    event(&server, OTHER, "checkout", "3");
    // The guest logs in at the checkout, whose products are those of the guest's cart.
    submit(json!({"user_id": ALICE, "anonymous_id": GUEST, "event": "checkout"}));
    let is_in = |id: &str, part: &str| {
        files_with(path, id).iter().any(|file| file.to_string_lossy().starts_with(part))
    };
    for part in ["lake/events", "stream/", "sessions.redb"] {
        wait_until(part, || is_in(GUEST, part));
    }
    let export = server.get(&format!("/v1/users/{ALICE}/export")).unwrap().1;
    let of_guest = &export["stored"]["guests"][format!("~{GUEST}")];
    let rows = |table: &str| of_guest[table].as_array().map_or(0, Vec::len);
    assert!(rows("events") + rows("stream") >= 2, "{export}");

    assert_eq!(delete(&server).0, 202);
    let pending = || server.get("/v1/erasures").unwrap().1["erasures"].clone();
    let is_clean = |pending: &Value| {
        pending.as_array().unwrap().iter().all(|erasure| erasure["step"] == "features")
    };
    wait_until("the lake is clean", || is_clean(&pending()));
    server.stop();
    cartwheel(path, &["pipeline", "run"]).unwrap();
    cartwheel(path, &["lake", "compact"]).unwrap();
    for id in [ALICE, GUEST] {
        assert_eq!(files_with(path, id), Vec::<PathBuf>::new(), "{id}");
    }
    assert!(is_in(OTHER, "lake/events") && is_in(OTHER, "lake/features"));
}

#[test]
fn the_command_line_erases_and_compacts_without_a_server() {
    let csv = tempfile::tempdir().unwrap();
    let data = named_shop(csv.path());
    let path = data.path();
    let server = Server::start(path);
    event(&server, ALICE, "add_to_cart", "4");
    drop(server);
    let export = cartwheel(path, &["users", "export", ALICE]).unwrap();
    let export: Value = serde_json::from_str(&export).unwrap();
    assert!(!export["stored"]["orders"].as_array().unwrap().is_empty());
    assert_eq!(export["session"]["events"], 1);
    cartwheel(path, &["users", "erase", ALICE]).unwrap();
    let compacted = cartwheel(path, &["lake", "compact", "--json"]).unwrap();
    let compacted: Value = serde_json::from_str(&compacted).unwrap();
    assert_eq!(compacted["erased"], 1, "{compacted}");
    cartwheel(path, &["pipeline", "run"]).unwrap();
    cartwheel(path, &["lake", "compact"]).unwrap();
    assert_eq!(files_with(path, ALICE), Vec::<PathBuf>::new());
    assert!(!files_with(path, OTHER).is_empty());
    let rolled = cartwheel(path, &["models", "rollback"]).unwrap();
    assert!(rolled.contains("serves again"), "{rolled}");
    assert_eq!(files_with(path, ALICE), Vec::<PathBuf>::new());
}

#[test]
fn an_unreadable_file_is_named_and_the_erasure_goes_on_without_it() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path();
    let server = Server::start(path);
    for user in [ALICE, OTHER] {
        event(&server, user, "add_to_cart", "4");
    }
    server.stop();
    let bad = path.join("lake/events/year=2026/bad.parquet");
    std::fs::create_dir_all(bad.parent().unwrap()).unwrap();
    std::fs::write(&bad, "PAR1 damaged PAR1").unwrap();
    cartwheel(path, &["users", "erase", ALICE]).unwrap();
    let compact = || cartwheel(path, &["lake", "compact"]).unwrap();
    let erasures = || {
        let told = cartwheel(path, &["users", "erasures", "--json"]).unwrap();
        serde_json::from_str::<Value>(&told).unwrap()["erasures"].clone()
    };
    compact();
    let pending = erasures();
    assert_eq!((&pending[0]["user_id"], &pending[0]["step"]), (&json!(ALICE), &json!("features")));
    let named = pending[0]["unreadable"][0].as_str().unwrap();
    assert!(named.contains("bad.parquet"), "{pending}");
    let told = cartwheel(path, &["users", "erasures"]).unwrap();
    assert!(told.contains("repair or remove") && told.contains("bad.parquet"), "{told}");
    std::fs::remove_file(&bad).unwrap();
    // Everything else is erased already, and the pending erasure is still listed.
    assert_eq!(files_with(path, ALICE), [PathBuf::from("erasures.json")]);
    compact();
    assert_eq!(files_with(path, ALICE), Vec::<PathBuf>::new());
    assert_eq!(erasures(), json!([]));
    assert!(!files_with(path, OTHER).is_empty());
}
