//! Imports of uploaded files, with an importer that the tests control.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use cartwheel_ambient::Clock;
use cartwheel_stream::Pending;
use futures::stream;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::harness::{Reply, Shop};
use crate::*;

/// Understands a file by its text: `wait` is read and imported when [`Fake::go`] says so, `bad`
/// cannot be read, and `unclear` is not understood without a column for `user_id`.
#[derive(Default)]
struct Fake {
    go: Notify,
    cleaned: Mutex<u32>,
}

impl Importer for Arc<Fake> {
    fn fields(&self, kind: ImportContent) -> Vec<String> {
        let of_all = ["product_id".to_owned()];
        let of_history = (kind != ImportContent::Products).then(|| "user_id".to_owned());
        of_history.into_iter().chain(of_all).collect()
    }

    fn presets(&self) -> Vec<String> {
        vec!["shopify-orders".to_owned()]
    }

    fn preview(
        &self,
        file: ImportFile,
        progress: OnProgress,
    ) -> Pending<'static, Result<ImportPreview, String>> {
        let own = Arc::clone(self);
        Box::pin(async move {
            let text = std::fs::read_to_string(&file.path).map_err(|error| error.to_string())?;
            let what = "reading".to_owned();
            progress(cartwheel_workflow::Progress { what, done: 1, total: Some(2) });
            match text.as_str() {
                "wait" => own.go.notified().await,
                "bad" => return Err("the file is UTF-16: convert it".to_owned()),
                _ => {}
            }
            let is_open = text == "unclear" && !file.mapping.columns.contains_key("user_id");
            let problem = is_open.then(|| "no column is recognised as the customer".to_owned());
            Ok(ImportPreview { rows: 3, lines: 2, problem, ..ImportPreview::default() })
        })
    }

    fn import(
        &self,
        file: ImportFile,
        start: StartFileImport,
        _: OnProgress,
    ) -> Pending<'static, Result<ImportResult, String>> {
        let own = Arc::clone(self);
        Box::pin(async move {
            let text = std::fs::read_to_string(&file.path).map_err(|error| error.to_string())?;
            if text == "wait" {
                own.go.notified().await;
            }
            let replaces = start.mode == Some(ImportMode::Replace);
            if replaces { Err("the disk is full".to_owned()) } else { Ok(ImportResult::default()) }
        })
    }

    fn clean(&self) -> Result<(), String> {
        *self.cleaned.lock() += 1;
        Ok(())
    }

    fn earlier(&self) -> Result<EarlierImports, String> {
        Ok(EarlierImports { imports: 1, orders: 7, events: 0 })
    }
}

/// A shop that takes files of at most 64 bytes.
struct Uploads {
    shop: Shop,
    fake: Arc<Fake>,
    imports: Arc<Imports>,
    now_ms: Arc<AtomicI64>,
    folder: PathBuf,
    _dir: tempfile::TempDir,
}

impl Uploads {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("uploads");
        std::fs::create_dir_all(folder.join("left-by-an-earlier-server")).unwrap();
        let fake = Arc::new(Fake::default());
        let now_ms = Arc::new(AtomicI64::new(0));
        let now = Arc::clone(&now_ms);
        let clock = Clock::new(move || now.load(Ordering::SeqCst));
        let importer = Arc::new(Arc::clone(&fake));
        let imports = Arc::new(Imports::new(folder.clone(), 64, importer, clock).unwrap());
        let own = Arc::clone(&imports);
        let shop = Shop::with(|state| {
            state.imports = Some(own);
            let timeout = Duration::from_millis(200);
            state.settings = Arc::new(Settings { timeout, ..Settings::default() });
        })
        .await;
        Self { shop, fake, imports, now_ms, folder, _dir: dir }
    }

    async fn upload(&self, query: &str, text: &'static str) -> Reply {
        self.shop.post_as(&format!("/v1/imports?{query}"), "text/csv", text).await
    }

    async fn orders(&self, text: &'static str) -> Value {
        let reply = self.upload("kind=orders&name=orders.csv", text).await;
        assert_eq!(reply.status, 201, "{}", reply.json());
        assert!(reply.headers.contains_key("location"));
        reply.json()
    }

    async fn post(&self, view: &Value, step: &str, body: Value) -> Reply {
        self.shop.post(&format!("{}/{step}", path(view)), &body).await
    }

    /// Waits until the import has another state.
    async fn after(&self, view: &Value, state: &str) -> Value {
        loop {
            let now = self.shop.get(&path(view)).await.json();
            if now["state"] != state {
                return now;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn discard(&self, view: &Value) -> u16 {
        let request = Request::delete(path(view)).body(Body::empty()).unwrap();
        self.shop.send(request).await.status.as_u16()
    }

    /// The uploaded files on disk.
    fn files(&self) -> usize {
        std::fs::read_dir(&self.folder).map_or(0, Iterator::count)
    }
}

fn path(view: &Value) -> String {
    format!("/v1/imports/{}", view["import_id"].as_str().unwrap())
}

#[tokio::test]
async fn a_file_is_understood_started_and_gone() {
    let uploads = Uploads::open().await;
    assert_eq!(uploads.files(), 0, "files of an earlier server are removed");
    let about = uploads.shop.get("/v1/imports").await.json();
    assert_eq!(
        (&about["import"], &about["max_upload_bytes"], &about["earlier"]["orders"]),
        (&Value::Null, &json!(64), &json!(7))
    );
    let view = uploads.orders("order,customer\n1,ada\n").await;
    assert_eq!(
        (&view["state"], &view["name"], &view["bytes"], &view["preview"]["rows"]),
        (&json!("ready"), &json!("orders.csv"), &json!(21), &json!(3))
    );
    assert_eq!((view["fields"].clone(), uploads.files()), (json!(["user_id", "product_id"]), 1));
    let started = uploads.post(&view, "start", json!({"mode": "append"})).await;
    assert_eq!((started.status.as_u16(), &started.json()["state"]), (202, &json!("importing")));
    let done = uploads.after(&view, "importing").await;
    assert_eq!((&done["state"], &done["result"]["orders"]), (&json!("done"), &json!(0)));
    assert_eq!(uploads.files(), 0, "the lake has it all");
    let again = uploads.post(&view, "start", json!({})).await.problem(409, "conflict");
    assert!(again["detail"].as_str().unwrap().contains("upload the file again"), "{again}");
    assert_eq!(uploads.shop.get("/v1/imports").await.json()["import"]["state"], "done");
}

#[tokio::test]
async fn a_mapping_is_corrected_until_the_file_is_understood() {
    let uploads = Uploads::open().await;
    let view = uploads.orders("unclear").await;
    assert_eq!(view["preview"]["problem"], "no column is recognised as the customer");
    uploads.post(&view, "start", json!({})).await.problem(409, "conflict");
    for (body, field) in [
        (json!({"columns": {"colour": ["x"]}}), "columns.colour"),
        (json!({"preset": "magento"}), "preset"),
        (json!({"date_order": "ymd"}), "date_order"),
        (json!({"maping": {}}), "maping"),
        (json!({"header": vec!["x"; 1_001]}), "header"),
        (json!({"no_customer": vec!["0"; 101]}), "no_customer"),
    ] {
        let problem = uploads.post(&view, "preview", body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field);
    }
    let body = json!({"columns": {"user_id": ["customer"]}, "order_by": "time"});
    let view = uploads.post(&view, "preview", body).await.json();
    assert_eq!((&view["state"], &view["preview"]["problem"]), (&json!("ready"), &Value::Null));
    assert_eq!(view["mapping"]["columns"]["user_id"], json!(["customer"]));

    let started = uploads.post(&view, "start", json!({"max_rejects": 101})).await;
    assert_eq!(started.problem(400, "invalid-field")["field"], "max_rejects");
    uploads.post(&view, "start", json!({"mode": "replace"})).await;
    let failed = uploads.after(&view, "importing").await;
    assert_eq!(
        (&failed["state"], &failed["error"]),
        (&json!("failed"), &json!("the disk is full"))
    );
    assert_eq!(uploads.files(), 1, "a failed import can be tried again");
    uploads.post(&view, "start", json!({"mode": "append"})).await;
    assert_eq!(uploads.after(&view, "importing").await["state"], "done");
}

#[tokio::test]
async fn one_import_is_open_at_a_time() {
    let uploads = Uploads::open().await;
    let view = uploads.orders("rows").await;
    let busy = uploads.upload("kind=products", "more").await.problem(409, "conflict");
    assert!(busy["detail"].as_str().unwrap().contains(&path(&view)), "{busy}");
    assert_eq!(uploads.discard(&view).await, 204);
    assert_eq!((uploads.discard(&view).await, uploads.files()), (404, 0));
    uploads.shop.get(&path(&view)).await.problem(404, "not-found");
    // A file that cannot be read makes room for the next one.
    let bad = uploads.orders("bad").await;
    assert_eq!((&bad["state"], &bad["preview"]), (&json!("failed"), &Value::Null));
    uploads.post(&bad, "start", json!({})).await.problem(409, "conflict");
    let products = uploads.upload("kind=products&name=..%2Ffeed.xml", "rows").await.json();
    let fields = json!(["product_id"]);
    assert_eq!((&products["name"], &products["fields"]), (&json!("feed.xml"), &fields));
    for (field, status) in [("attributes.colour", 200), ("attributes.", 400), ("user_id", 400)] {
        let reply = uploads.post(&products, "preview", json!({"columns": {field: ["x"]}})).await;
        assert_eq!(reply.status, status, "{field}");
    }
    // Nothing that a feed would not heed.
    for (name, value) in [
        ("preset", json!("shopify-orders")),
        ("no_customer", json!(["0"])),
        ("timezone", json!("UTC")),
        ("date_order", json!("dmy")),
        ("order_by", json!("day")),
        ("header", json!(["id"])),
    ] {
        let reply = uploads.post(&products, "preview", json!({name: value})).await;
        assert_eq!(reply.problem(400, "invalid-field")["field"], name);
    }
    assert_eq!(uploads.files(), 1);
}

#[tokio::test]
async fn reading_and_importing_go_on_without_the_client_and_can_be_stopped() {
    let uploads = Uploads::open().await;
    let (reply, ()) = tokio::join!(uploads.upload("kind=events", "wait"), async {
        loop {
            let about = uploads.shop.get("/v1/imports").await.json();
            if about["import"]["progress"]["step"] == "reading" {
                break;
            }
            tokio::task::yield_now().await;
        }
        uploads.fake.go.notify_one();
    });
    let view = reply.json();
    assert_eq!(view["state"], "ready");
    // A mapping whose answer takes longer than the server's limit.
    let reading = uploads.post(&view, "preview", json!({})).await;
    assert_eq!((reading.status.as_u16(), &reading.json()["state"]), (200, &json!("reading")));
    uploads.post(&view, "start", json!({})).await.problem(409, "conflict");
    uploads.fake.go.notify_one();
    assert_eq!(uploads.after(&view, "reading").await["state"], "ready");
    uploads.post(&view, "start", json!({})).await;
    assert_eq!((uploads.discard(&view).await, *uploads.fake.cleaned.lock()), (204, 1));
    assert_eq!(uploads.files(), 0);
}

#[tokio::test]
async fn files_that_do_not_fit_or_do_not_arrive_leave_nothing() {
    let uploads = Uploads::open().await;
    let send = |headers: &[(&str, &str)], body: Body| {
        let mut request = Request::post("/v1/imports?kind=orders");
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "text/csv");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        uploads.shop.send(request.body(body).unwrap())
    };
    let pieces = |count: usize| {
        let piece = || Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 16]));
        Body::from_stream(stream::iter((0..count).map(move |_| piece())))
    };
    let large = send(&[], pieces(5)).await.problem(413, "payload-too-large");
    assert_eq!(large["expected"], "at most 64 bytes");
    send(&[("content-length", "65")], Body::empty()).await.problem(413, "payload-too-large");
    send(&[], Body::empty()).await.problem(400, "invalid-field");
    for form in
        ["", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
    {
        let form = [("content-type", form)];
        send(&form, pieces(1)).await.problem(415, "unsupported-media-type");
    }
    send(&[("content-encoding", "br")], pieces(1)).await.problem(415, "unsupported-media-type");
    let broken = stream::iter([Ok(Bytes::from_static(b"x")), Err(std::io::Error::other("gone"))]);
    send(&[], Body::from_stream(broken)).await.problem(400, "malformed-json");
    let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    send(&[], silent).await.problem(408, "slow-body");
    uploads.upload("kind=carts", "rows").await.problem(400, "invalid-field");
    uploads.upload("kind=orders&colour=red", "rows").await.problem(400, "invalid-field");
    assert_eq!(uploads.files(), 0);
    assert_eq!(uploads.shop.get("/v1/imports").await.json()["import"], Value::Null);
    // Slower than the limit of other requests, but never silent for as long.
    let slow = stream::unfold(0, |n| async move {
        tokio::time::sleep(Duration::from_millis(60)).await;
        (n < 5).then(|| (Ok::<_, std::io::Error>(Bytes::from_static(b"row\n")), n + 1))
    });
    assert_eq!(send(&[], Body::from_stream(slow)).await.json()["bytes"], 20);
}

#[tokio::test]
async fn a_file_that_nobody_continues_is_discarded_after_a_day() {
    const DAY_MS: i64 = 24 * 3_600_000;
    let uploads = Uploads::open().await;
    let view = uploads.orders("rows").await;
    uploads.now_ms.store(DAY_MS / 2, Ordering::SeqCst);
    uploads.post(&view, "preview", json!({})).await;
    uploads.now_ms.store(DAY_MS * 3 / 2 - 1, Ordering::SeqCst);
    uploads.imports.expire().await;
    assert_eq!((uploads.shop.get(&path(&view)).await.status.as_u16(), uploads.files()), (200, 1));
    uploads.now_ms.fetch_add(1, Ordering::SeqCst);
    uploads.imports.expire().await;
    uploads.shop.get(&path(&view)).await.problem(404, "not-found");
    assert_eq!(uploads.files(), 0);
}

#[tokio::test]
async fn a_server_without_a_data_directory_imports_no_files() {
    let shop = Shop::open().await;
    let problem = shop.get("/v1/imports").await.problem(404, "not-found");
    assert!(problem["detail"].as_str().unwrap().contains("no data directory"), "{problem}");
    shop.post_as("/v1/imports?kind=orders", "text/csv", "x").await.problem(404, "not-found");
}
