//! Events of shoppers, each from a request's bytes to the bytes of its record and an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use cartwheel_ambient::{Clock, Ids};
use cartwheel_api::{Admission, AppState, Router, Settings, router};
use cartwheel_engine::{Opened, ServingEngine};
use cartwheel_events::Record;
use cartwheel_sessions::{RedbSessionTable, Sessions};
use cartwheel_stream::{
    Batch, MemoryStream, Pending, Position, PutError, ReadError, Sequence, Stream,
};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::measured::cartwheel_measured;

/// Shoppers, of whom each sends an event before and while instructions are counted. The average over
/// them makes up for hash maps with random seeds.
const SHOPPERS: usize = 50;
const NOW_MS: i64 = 1_780_000_000_000;

/// Encodes records as the log does, and then keeps them in memory.
struct EncodingStream(MemoryStream);

impl Stream for EncodingStream {
    fn shards(&self) -> u32 {
        self.0.shards()
    }

    fn put(&self, records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>> {
        for record in &records {
            std::hint::black_box(record.to_vec());
        }
        self.0.put(records)
    }

    fn read(
        &self,
        shard: u32,
        from: Sequence,
        limit: usize,
    ) -> Pending<'_, Result<Batch, ReadError>> {
        self.0.read(shard, from, limit)
    }

    fn wait(&self, shard: u32, from: Sequence) -> Pending<'_, ()> {
        self.0.wait(shard, from)
    }
}

/// Sends one event of each shopper to `POST /v1/events`.
pub fn accept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let router = api(&folder)?;
    // One thread, without a timer's wheel to turn or a socket to poll.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let send_all = |product: &str| -> Result<()> {
        (0..SHOPPERS).try_for_each(|shopper| runtime.block_on(send(&router, shopper, product)))
    };
    send_all("p1")?;
    let mut sent = Ok(());
    cartwheel_measured(&mut || sent = send_all("p2"));
    sent
}

fn api(folder: &tempfile::TempDir) -> Result<Router> {
    let table = RedbSessionTable::new(folder.path().join("sessions.redb"));
    let sessions = Arc::new(Sessions::new(Arc::new(table), 1000));
    sessions.set_caught_up();
    let mut state = AppState::new(
        Arc::new(ServingEngine::new(Opened::nothing("UTC")?)),
        Arc::new(EncodingStream(MemoryStream::new(4))),
        sessions,
        Settings::default(),
        Admission::default(),
    );
    state.clock = Clock::fixed(NOW_MS);
    let next = AtomicU64::new(0);
    state.ids = Ids::new(move |_| format!("id-{:08}", next.fetch_add(1, Ordering::Relaxed)));
    Ok(router(state))
}

async fn send(router: &Router, shopper: usize, product: &str) -> Result<()> {
    let body = format!(
        r#"{{"user_id":"shopper-{shopper:04}","event":"add_to_cart","product_ids":["{product}"],"event_id":"event-{shopper:04}-{product}"}}"#
    );
    let request = Request::post("/v1/events").header("content-type", "application/json");
    let answer = router.clone().oneshot(request.body(Body::from(body))?).await?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    anyhow::ensure!(parts.status == StatusCode::OK, "{}: {body:?}", parts.status);
    Ok(())
}
