//! The shop as functions over emulated services.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use cartwheel_aws::{Lake, S3Registry};
use cartwheel_engine::{Opened, ServingEngine};
use cartwheel_events::{Impression, Record};
use cartwheel_node::{DataDir, Extras, Host};
use cartwheel_settings::Settings;
use cartwheel_testkit::Function;
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::cloud::{Account, Mapping, call, gateway};
use crate::learned::Learned;
use crate::shop::Shop;

/// Folders of the lake that imports fill.
const IMPORTED: [&str; 4] = ["orders", "order_products", "products", "imports"];

pub struct Functions<'a> {
    learned: &'a Learned,
    account: Account,
    mapping: Mapping,
    operator: Router,
    api: Option<Function>,
    erase: Option<Function>,
    /// Records that Firehose has not delivered.
    waiting: Vec<Arc<Record>>,
    /// Parts that it has delivered.
    parts: usize,
    _data_dir: tempfile::TempDir,
}

impl<'a> Functions<'a> {
    pub async fn open(learned: &'a Learned) -> Self {
        let account = Account::open().await;
        let mapping = Mapping::open(&account).await;
        let data_dir = tempfile::tempdir().unwrap();
        let operator = operator(&account, data_dir.path()).await;
        Self {
            learned,
            account,
            mapping,
            operator,
            api: None,
            erase: None,
            waiting: Vec::new(),
            parts: 0,
            _data_dir: data_dir,
        }
    }

    /// Writes a part of a delivered table, as Firehose does.
    async fn put_part(&mut self, table: &str, columns: Vec<(&str, ArrayRef)>) {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        if batch.num_rows() == 0 {
            return;
        }
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        self.parts += 1;
        let key = format!("{table}/year=2026/month=11/day=23/hour=10/{}.parquet", self.parts);
        self.account.put(&key, bytes).await;
    }

    /// Takes the impressions from where the emulator of Firehose writes them, as JSON.
    async fn take_impressions(&self) -> Vec<Impression> {
        let lake = self.account.lake();
        let mut taken = Vec::new();
        let keys = self.account.keys("impressions").await;
        for key in keys.iter().filter(|key| !key.ends_with(".parquet")) {
            let path = key.as_str().into();
            let bytes = lake.get(&path).await.unwrap().bytes().await.unwrap();
            let records = serde_json::Deserializer::from_slice(&bytes).into_iter();
            taken.extend(records.map(Result::<Impression, _>::unwrap));
            lake.delete(&path).await.unwrap();
        }
        taken
    }
}

/// The API over the documents of the account's lake, as `cartwheel serve --backend aws` has it.
async fn operator(account: &Account, data_dir: &Path) -> Router {
    let mut server = Settings::default().server;
    server.listen.set_port(0);
    let host = Host::new(&DataDir(data_dir.to_owned()), server, Extras::default()).unwrap();
    let engine = ServingEngine::new(Opened::nothing("UTC").unwrap());
    let (stream, users) = (account.stream().await, account.users().await);
    let registry = S3Registry::new(Lake::on(account.lake()));
    let state = host.state(Arc::new(engine), Arc::new(stream), Arc::new(users), Arc::new(registry));
    cartwheel_api::router(state.unwrap())
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn numbers(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

impl Shop for Functions<'_> {
    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut event = gateway(method, path, body.as_ref(), None);
        for (name, value) in headers {
            event["headers"][name] = json!(value);
        }
        call(self.api.as_ref().expect("published"), &event).await
    }

    async fn operate(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
        let response = self.operator.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn catch_up(&mut self) {
        self.waiting.extend(self.mapping.pump().await);
    }

    async fn deliver(&mut self) {
        self.catch_up().await;
        let waiting = std::mem::take(&mut self.waiting);
        let events: Vec<_> = waiting
            .iter()
            .filter_map(|record| match &**record {
                Record::Event(event) => Some(event),
                _ => None,
            })
            .collect();
        let columns = vec![
            ("event_id", texts(events.iter().map(|event| Some(&*event.event_id)))),
            ("user_id", texts(events.iter().map(|event| Some(event.user_id.as_str())))),
            ("event", texts(events.iter().map(|event| Some(event.event.as_str())))),
            ("anonymous_id", texts(events.iter().map(|event| event.anonymous_id.as_deref()))),
            ("received_at_ms", numbers(events.iter().map(|event| event.received_at_ms))),
        ];
        self.put_part("events", columns).await;
        let shown = self.take_impressions().await;
        let columns = vec![
            ("recommendation_id", texts(shown.iter().map(|of| Some(&*of.recommendation_id)))),
            ("user_id", texts(shown.iter().map(|of| Some(of.user_id.as_str())))),
            ("release", texts(shown.iter().map(|of| Some(&*of.release)))),
            ("received_at_ms", numbers(shown.iter().map(|of| of.received_at_ms))),
        ];
        self.put_part("impressions", columns).await;
    }

    async fn erase_from_lake(&mut self) {
        if self.erase.is_none() {
            // Without a retention, all that was accepted is delivered.
            let hours = [("CARTWHEEL_STREAM_HOURS", "0".to_owned())];
            self.erase = Some(self.account.function("erase", &hours).await);
        }
        let erase = self.erase.as_ref().expect("started");
        let pass = erase.invoke(&json!({})).await.unwrap();
        assert_eq!(pass["unreadable"], json!([]), "{pass}");
    }

    async fn lake_files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for table in ["orders", "order_products", "events", "impressions"] {
            for key in self.account.keys(table).await {
                if key.ends_with(".parquet") {
                    let found = self.account.lake().get(&key.as_str().into()).await.unwrap();
                    files.push((key, found.bytes().await.unwrap().to_vec()));
                }
            }
        }
        files
    }

    async fn publish(&mut self) {
        for folder in IMPORTED {
            self.account.upload(&self.learned.lake(), folder).await;
        }
        let evaluation = self.account.run_pipeline(self.learned, "run-1", true).await;
        assert_eq!(
            evaluation["model"],
            self.learned.model.as_str(),
            "the name is a hash of the content"
        );
        assert_eq!(evaluation["reference"], "popular");
        assert!(evaluation["users"].as_u64().unwrap() > 5, "{evaluation}");
        self.api = Some(self.account.function("api", &[]).await);
    }

    fn learned(&self) -> &Learned {
        self.learned
    }
}
