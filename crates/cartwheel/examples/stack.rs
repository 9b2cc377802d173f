//! What each part of storing an event costs: servers that do more and more of it, for benchmarks.
//!
//! `stack ADDRESS LAYER FOLDER` serves on `POST /v1/events`, and stops when its standard input ends.
//! Each layer adds to the one before it:
//!
//! - `hyper` returns the body, `axum` does so behind axum's router;
//! - `connection` uses cartwheel's own connections, with time limits on slow clients;
//! - `decode` reads the event from its JSON;
//! - `router` is the real API with everything around a request, but it stores nothing;
//! - `sessions` locks, reads and changes the shopper's session;
//! - `encode` makes the bytes of the record;
//! - `log` writes them to a log in FOLDER and syncs. In a folder in memory, that costs no disk.
//!
//! `cartwheel serve` adds what reads the log: sessions' checkpoints, delivery, and trends.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use cartwheel_ambient::system_ms;
use cartwheel_api::{Admission, AppState, Connections, Settings};
use cartwheel_engine::{Opened, ServingEngine};
use cartwheel_events::{Event, EventRecord, Record, UserId};
use cartwheel_sessions::{
    RedbSessionTable, Session, Sessions, Shopper, StoreError, UserLock, UserStore,
};
use cartwheel_stream::{
    Batch, Log, LogOptions, Pending, Position, PutError, ReadError, Sequence, Stream,
};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, address, layer, folder] = args.as_slice() else {
        anyhow::bail!("usage: stack ADDRESS LAYER FOLDER");
    };
    let listener = TcpListener::bind(address.parse::<SocketAddr>()?).await?;
    let folder = Path::new(folder);
    let router = match layer.as_str() {
        "hyper" => return hyper_alone(listener).await,
        "axum" => return Ok(axum::serve(listener, echo()).with_graceful_shutdown(ended()).await?),
        "connection" => echo(),
        "decode" => Router::new().route("/v1/events", post(decode)),
        "router" => api(Arc::new(Nowhere::default()), Arc::new(NoSessions))?,
        "sessions" => api(Arc::new(Nowhere::default()), sessions(folder))?,
        "encode" => {
            api(Arc::new(Nowhere { encodes: true, ..Nowhere::default() }), sessions(folder))?
        }
        "log" => {
            let options = LogOptions { max_bytes: 512 << 20, ..LogOptions::new(system_ms) };
            api(Arc::new(Log::open(&folder.join("stream"), options)?), sessions(folder))?
        }
        _ => anyhow::bail!("{layer} is not a layer"),
    };
    cartwheel_api::serve(listener, router, Connections::default(), ended()).await;
    Ok(())
}

/// Waits for the end of standard input.
async fn ended() {
    let end = || std::io::Read::read(&mut std::io::stdin(), &mut [0; 1]);
    let _ = tokio::task::spawn_blocking(end).await;
}

async fn hyper_alone(listener: TcpListener) -> Result<()> {
    let answer = service_fn(|request: hyper::Request<Incoming>| async {
        let body = request.into_body().collect().await?.to_bytes();
        Ok::<_, hyper::Error>(hyper::Response::new(Full::new(body)))
    });
    let serve = async {
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(socket), answer));
        }
    };
    tokio::select! { served = serve => served, () = ended() => Ok(()) }
}

fn echo() -> Router {
    Router::new().route("/v1/events", post(|body: Bytes| async move { body }))
}

async fn decode(body: Bytes) -> Result<Bytes, String> {
    let value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let event = Event::from_borrowed(&value).map_err(|error| error.problem)?;
    std::hint::black_box(event);
    Ok(body)
}

fn api(stream: Arc<dyn Stream>, users: Arc<dyn UserStore>) -> Result<Router> {
    let engine = Arc::new(ServingEngine::new(Opened::nothing("UTC").context("no release")?));
    let settings = Settings::default();
    Ok(cartwheel_api::router(AppState::new(engine, stream, users, settings, Admission::default())))
}

fn sessions(folder: &Path) -> Arc<Sessions> {
    let table = RedbSessionTable::new(folder.join("sessions.redb"));
    let sessions = Sessions::new(Arc::new(table), 100_000);
    sessions.set_caught_up();
    Arc::new(sessions)
}

/// A stream that forgets its records, encoded or not.
#[derive(Default)]
struct Nowhere {
    next: AtomicU64,
    encodes: bool,
}

impl Stream for Nowhere {
    fn shards(&self) -> u32 {
        1
    }

    fn put(&self, records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>> {
        let put = |record: &Record| {
            if self.encodes {
                std::hint::black_box(record.to_vec());
            }
            let sequence = self.next.fetch_add(1, Ordering::Relaxed).into();
            Ok(Position { shard: 0, sequence })
        };
        Box::pin(std::future::ready(records.iter().map(put).collect()))
    }

    fn read(&self, _: u32, next: Sequence, _: usize) -> Pending<'_, Result<Batch, ReadError>> {
        Box::pin(std::future::ready(Ok(Batch { next, ..Batch::default() })))
    }

    fn wait(&self, _: u32, _: Sequence) -> Pending<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// Shoppers without sessions.
struct NoSessions;

impl UserStore for NoSessions {
    fn is_ready(&self) -> bool {
        true
    }

    fn lock<'a>(&'a self, _: &'a [UserId]) -> Pending<'a, Option<UserLock>> {
        Box::pin(std::future::ready(None))
    }

    fn find<'a>(
        &'a self,
        users: &'a [UserId],
        _: Option<&'a str>,
        _: i64,
    ) -> Pending<'a, Result<Vec<Shopper>, StoreError>> {
        Box::pin(std::future::ready(Ok(vec![Shopper::default(); users.len()])))
    }

    fn accept<'a>(
        &'a self,
        before: Option<Arc<Session>>,
        _: Position,
        _: &'a EventRecord,
    ) -> Pending<'a, Result<Arc<Session>, StoreError>> {
        Box::pin(std::future::ready(Ok(before.unwrap_or_default())))
    }

    fn apply<'a>(
        &'a self,
        _: &'a [(Position, EventRecord)],
    ) -> Pending<'a, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
