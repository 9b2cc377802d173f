//! The shop as functions over emulated services.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use cartwheel_aws::{Lake, S3Registry};
use cartwheel_engine::{Opened, ServingEngine};
use cartwheel_node::{DataDir, Extras, Host};
use cartwheel_settings::Settings;
use cartwheel_testkit::Function;
use object_store::ObjectStoreExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::cloud::{Account, Mapping, call, gateway};
use crate::firehose::Firehose;
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
    firehose: Firehose,
    _data_dir: tempfile::TempDir,
}

impl<'a> Functions<'a> {
    pub async fn open(learned: &'a Learned) -> Self {
        let account = Account::open().await;
        let (mapping, firehose) = (Mapping::open(&account).await, Firehose::open(&account).await);
        let data_dir = tempfile::tempdir().unwrap();
        let operator = operator(&account, data_dir.path()).await;
        Self {
            learned,
            account,
            mapping,
            operator,
            api: None,
            erase: None,
            firehose,
            _data_dir: data_dir,
        }
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
        self.mapping.pump().await;
    }

    async fn deliver(&mut self) {
        self.catch_up().await;
        self.firehose.deliver(&self.account).await;
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
