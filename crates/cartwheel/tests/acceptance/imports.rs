//! Imports of uploaded files through the real binary.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, request_as, wait_until};

/// Sends a request with any body, and returns the status and the answer's JSON, null without one.
fn send(server: &Server, method: &str, path: &str, body: &[u8], key: &str) -> (u16, Value) {
    announce(server, method, path, body.len(), body, key)
}

/// Sends a request that announces a body of `length` bytes.
fn announce(
    server: &Server,
    method: &str,
    path: &str,
    length: usize,
    body: &[u8],
    key: &str,
) -> (u16, Value) {
    let mut socket = TcpStream::connect(&server.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-api-key: {key}\r\n\
         content-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n"
    );
    socket.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn upload(server: &Server, kind: &str, name: &str, body: &[u8], key: &str) -> Value {
    let path = format!("/v1/imports?kind={kind}&name={name}");
    let (status, view) = send(server, "POST", &path, body, key);
    assert_eq!(status, 201, "{view}");
    settled(server, &view, key)
}

fn path(view: &Value) -> String {
    format!("/v1/imports/{}", view["import_id"].as_str().unwrap())
}

/// The import once nothing is going on.
fn settled(server: &Server, view: &Value, key: &str) -> Value {
    let mut now = Value::Null;
    let busy = [json!("uploading"), json!("reading"), json!("importing")];
    let start = std::time::Instant::now();
    while now.is_null() || busy.contains(&now["state"]) {
        assert!(start.elapsed() < Duration::from_secs(600), "{now}");
        std::thread::sleep(Duration::from_millis(20));
        let found = request_as(&server.address, "GET", &path(view), None, Some(key)).unwrap();
        assert_eq!(found.0, 200, "{}", found.1);
        now = found.1;
    }
    now
}

fn start(server: &Server, view: &Value, body: &Value, key: &str) -> Value {
    let start = format!("{}/start", path(view));
    let body = body.to_string();
    let (status, started) =
        request_as(&server.address, "POST", &start, Some(&body), Some(key)).unwrap();
    assert_eq!((status, &started["state"]), (202, &json!("importing")), "{started}");
    settled(server, view, key)
}

/// Lines of orders whose product column has no usual name. Every fortieth has no date.
fn orders(count: usize) -> String {
    let line = |n: usize| {
        let date =
            if n % 40 == 39 { "soon".to_owned() } else { format!("2025-03-{:02}", n % 28 + 1) };
        format!("o{n},c{},thing-{},{date},red\n", n % 17, n % 5)
    };
    "order_id,customer,thing,date,shade\n".to_owned() + &(0..count).map(line).collect::<String>()
}

fn uploads(data: &Path) -> usize {
    std::fs::read_dir(data.join("uploads")).map_or(0, Iterator::count)
}

#[test]
fn an_uploaded_file_is_imported_as_by_the_command_line() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let orders = orders(400);
    let view = upload(&server, "orders", "shop.csv", orders.as_bytes(), "");
    let problem = view["preview"]["problem"].as_str().unwrap();
    assert!(problem.contains("as the product: name the column of product_id"), "{problem}");
    let columns = view["preview"]["columns"].as_array().unwrap();
    assert_eq!(columns[2], json!({"name": "thing", "examples": ["thing-0", "thing-1", "thing-2"]}));
    let mapping = json!({"columns": {"product_id": ["thing"]}});
    let preview = format!("{}/preview", path(&view));
    let (status, view) = server.post(&preview, &mapping).unwrap();
    let view = settled(&server, &view, "");
    assert_eq!((status, &view["state"]), (200, &json!("ready")), "{view}");

    // The same that a dry run of the command line prints.
    let file = data.path().join("shop.csv");
    std::fs::write(&file, &orders).unwrap();
    let import = ["import", "orders", "shop.csv", "--map", "product_id=thing"];
    let printed = cartwheel(data.path(), &[&import[..], &["--dry-run", "--json"]].concat());
    let printed: Value = serde_json::from_str(&printed.unwrap()).unwrap();
    for (name, value) in printed.as_object().unwrap() {
        assert_eq!(&view["preview"][name], value, "{name}");
    }
    assert_eq!(view["preview"]["rejected"], 10);
    assert_eq!(view["preview"]["first_rows"].as_array().unwrap().len(), 10);

    let failed = start(&server, &view, &json!({"max_rejects": 1}), "");
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("10 of 400 rows are rejected, more than the accepted 1 %"), "{error}");
    let done = start(&server, &view, &json!({}), "");
    assert_eq!(
        (&done["state"], &done["result"]["orders"], &done["result"]["rejected"]),
        (&json!("done"), &json!(390), &json!(10)),
        "{done}"
    );
    assert_eq!(uploads(data.path()), 0);
    // It is the import that the command line makes of the same file.
    let again = cartwheel(data.path(), &[&import[..], &["--json"]].concat()).unwrap();
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["unchanged"], true, "{again}");

    let more = upload(
        &server,
        "events",
        "more.ndjson",
        b"{\"user_id\":\"c1\",\"sku\":\"thing-1\",\
        \"time\":\"2025-04-01\",\"event\":\"view\"}\n",
        "",
    );
    let refused = start(&server, &more, &json!({}), "");
    assert!(refused["error"].as_str().unwrap().contains("choose to append"), "{refused}");
    let added = start(&server, &more, &json!({"mode": "append"}), "");
    assert_eq!(added["result"]["events"], 1, "{added}");
    let (_, about) = server.get("/v1/imports").unwrap();
    assert_eq!(about["earlier"], json!({"imports": 2, "orders": 390, "events": 1}));
    server.stop();
}

#[test]
fn a_feed_goes_through_the_catalogue_of_a_server_with_keys() {
    let data = tempfile::tempdir().unwrap();
    let made = cartwheel(data.path(), &["--json", "keys", "create", "ops", "--scope", "admin"]);
    let made: Value = serde_json::from_str(&made.unwrap()).unwrap();
    let key = made["key"].as_str().unwrap();
    let server = Server::begin(data.path());
    wait_until("the server is ready", || {
        server.get("/readyz").is_some_and(|(status, _)| status == 200)
    });
    let feed = "id\ttitle\tprice\tgtin\ntea-1\tGreen tea\t4.20 EUR\t1\ntea-2\tBlack tea\tmuch\t2\n";
    let view = upload(&server, "products", "feed.tsv", feed.as_bytes(), key);
    assert_eq!(
        (&view["preview"]["products"], &view["preview"]["ignored_columns"]),
        (&json!(1), &json!(["gtin"])),
        "{view}"
    );
    let done = start(&server, &view, &json!({"mode": "replace"}), key);
    assert!(done["error"].as_str().unwrap().contains("1 of 2 products are rejected"), "{done}");
    let done = start(&server, &view, &json!({"mode": "replace", "max_rejects": 50}), key);
    assert_eq!(done["result"]["products"], 1, "{done}");
    let (_, tea) =
        request_as(&server.address, "GET", "/v1/products/tea-1", None, Some(key)).unwrap();
    assert_eq!((&tea["product_name"], &tea["price"]), (&json!("Green tea"), &json!("4.20")));
    // The key of the job is no key of the shop, and lets nobody in who has none.
    let listed = cartwheel(data.path(), &["--json", "keys", "list"]).unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let names: Vec<&Value> = listed.as_array().unwrap().iter().map(|key| &key["name"]).collect();
    assert_eq!(names, ["ops"]);
    for path in ["/v1/imports", "/v1/products/tea-1"] {
        assert_eq!(send(&server, "GET", path, b"", "").0, 401, "{path}");
    }
    server.stop();
}

#[test]
fn a_discarded_import_and_a_restart_leave_nothing() {
    let data = tempfile::tempdir().unwrap();
    let settings = "[import]\nmax_upload_bytes = 8000000\n[shop]\ntimezone = 'Europe/Berlin'\n";
    std::fs::write(data.path().join("cartwheel.toml"), settings).unwrap();
    let mut server = Server::start(data.path());
    let view = upload(&server, "orders", "shop.csv", orders(150_000).as_bytes(), "");
    assert_eq!(view["state"], "ready", "{view}");
    assert_eq!(view["preview"]["timezone"], "Europe/Berlin", "the server's settings: {view}");
    let (status, busy) = send(&server, "POST", "/v1/imports?kind=orders", b"x", "");
    assert_eq!(status, 409, "{busy}");
    let body = json!({"columns": {"product_id": ["thing"]}});
    server.post(&format!("{}/preview", path(&view)), &body).unwrap();
    let view = settled(&server, &view, "");
    let begun = server.post(&format!("{}/start", path(&view)), &json!({})).unwrap();
    assert_eq!(begun.0, 202, "{}", begun.1);
    // The job has read rows, and put lines onto the disk.
    wait_until("the import is under way", || {
        let now = server.get(&path(&view)).unwrap().1;
        assert_eq!(now["state"], "importing", "it ended too soon: {now}");
        now["progress"]["done"].as_u64() > Some(0)
    });
    assert_eq!(send(&server, "DELETE", &path(&view), b"", "").0, 204);
    let left = std::fs::read_dir(data.path().join("lake/events")).map_or(0, Iterator::count);
    assert_eq!((left, uploads(data.path())), (0, 0), "of a discarded import");
    assert!(!data.path().join("lake/imports/current.json").exists());
    let large = "/v1/imports?kind=orders";
    let (status, problem) = announce(&server, "POST", large, 8_000_001, b"", "");
    assert_eq!((status, &problem["expected"]), (413, &json!("at most 8000000 bytes")), "{problem}");

    upload(&server, "orders", "shop.csv", orders(40).as_bytes(), "");
    assert_eq!(uploads(data.path()), 1);
    server.kill();
    let server = Server::start(data.path());
    let (_, about) = server.get("/v1/imports").unwrap();
    assert_eq!((uploads(data.path()), &about["import"]), (0, &Value::Null));
    server.stop();
}

#[test]
fn an_import_that_needs_too_much_memory_ends_alone() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("cartwheel.toml"), "[import]\nmax_memory_bytes = 1000000\n")
        .unwrap();
    let server = Server::start(data.path());
    let view = upload(&server, "orders", "shop.csv", orders(200_000).as_bytes(), "");
    assert!(view.to_string().contains("Raise import.max_memory_bytes"), "{view}");
    let generate = json!({"kind": "generate", "users": 2000, "products": 2000, "orders": 50_000,
                          "seed": 1});
    assert_eq!(server.post("/v1/lake/job", &generate).unwrap().0, 202);
    let job = || server.get("/v1/lake/job").unwrap().1["job"].clone();
    wait_until("the generated shop has its end", || job()["state"] != "running");
    assert!(job()["message"].to_string().contains("Raise import.max_memory_bytes"), "{}", job());
    assert_eq!(server.get("/readyz").unwrap().0, 200);

    // The command line has no limit.
    std::fs::write(data.path().join("shop.csv"), orders(400)).unwrap();
    let import = ["import", "orders", "shop.csv", "--map", "product_id=thing"];
    cartwheel(data.path(), &import).unwrap();
    server.stop();
}
