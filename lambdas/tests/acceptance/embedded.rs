//! The shop with the embedded log and store.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use cartwheel_ambient::Clock;
use cartwheel_api::{Admission, AppState, Settings, router};
use cartwheel_engine::{Opened, ServingEngine};
use cartwheel_sessions::{RedbSessionTable, Sessions, consume_sessions};
use cartwheel_stream::{Log, LogOptions, Stream};
use serde_json::Value;
use tower::ServiceExt;

use crate::learned::Learned;
use crate::scenario::Shop;

pub struct Embedded<'a> {
    learned: &'a Learned,
    router: Router,
    engine: Arc<ServingEngine>,
    consumer: tokio::task::AbortHandle,
    _dir: tempfile::TempDir,
}

fn now_ms() -> i64 {
    Clock::system().now_ms()
}

impl<'a> Embedded<'a> {
    pub async fn open(learned: &'a Learned) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = LogOptions { segment_bytes: 1 << 20, ..LogOptions::new(now_ms) };
        let log: Arc<dyn Stream> = Arc::new(Log::open(&dir.path().join("log"), options).unwrap());
        let store = RedbSessionTable::new(dir.path().join("sessions.redb"));
        let sessions = Arc::new(Sessions::new(Arc::new(store), 1000));
        let consume = consume_sessions(
            log.clone(),
            sessions.clone(),
            Clock::system(),
            |_| (),
            std::future::pending(),
        );
        let consumer = tokio::spawn(consume).abort_handle();
        while !sessions.is_ready() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let engine = Arc::new(ServingEngine::new(Opened::nothing("UTC").unwrap()));
        let state =
            AppState::new(engine.clone(), log, sessions, Settings::default(), Admission::default());
        Self { learned, router: router(state), engine, consumer, _dir: dir }
    }
}

impl Drop for Embedded<'_> {
    fn drop(&mut self) {
        self.consumer.abort();
    }
}

impl Shop for Embedded<'_> {
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn catch_up(&mut self) {}

    async fn publish(&mut self) {
        let release = self.learned.release();
        self.engine.swap(Opened::open(&self.learned.lake(), &release, "UTC").unwrap());
    }

    fn learned(&self) -> &Learned {
        self.learned
    }
}
