//! A proxy that injects faults in front of a service, determined by a seed.
//!
//! It knows the four requests that a service may process partially (`PutRecords`,
//! `PutRecordBatch`, `BatchWriteItem`, `BatchGetItem`). It forwards some of their entries and
//! reports the others as failed, as the service would.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Fractions of requests that fail, from 0 to 1, in the order in which they are tried.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Answered with 500, or with 503 for S3, and not processed.
    pub error: f64,
    /// Refused as too many requests, and not processed.
    pub throttle: f64,
    /// Processed, but the connection breaks before the answer.
    pub lost_answer: f64,
    /// Processed partially, if the request allows it.
    pub partial: f64,
    /// Answered late.
    pub slow: Option<Slow>,
}

/// A delay that affects a fraction of the requests.
#[derive(Debug, Clone, Copy)]
pub struct Slow {
    /// Fraction of the requests, from 0 to 1.
    pub fraction: f64,
    /// The delay.
    pub delay: Duration,
}

/// Counts of the requests that passed through the proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// All requests.
    pub requests: u64,
    /// Requests answered with 500 or 503.
    pub errors: u64,
    /// Requests refused as too many.
    pub throttled: u64,
    /// Requests processed without an answer.
    pub lost_answers: u64,
    /// Requests processed partially.
    pub partial: u64,
}

#[derive(Debug)]
struct State {
    rng: ChaCha8Rng,
    faults: Faults,
    seen: Seen,
    asked: BTreeSet<String>,
}

#[derive(Debug)]
struct Shared {
    target: u16,
    state: Mutex<State>,
}

/// The proxy. Dropping it stops it.
#[derive(Debug)]
pub struct FaultProxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    task: AbortHandle,
}

type Answer = Result<Response<Full<Bytes>>, hyper::Error>;

enum Fate {
    Pass,
    Error,
    Throttle,
    LostAnswer,
    Partial(u64),
}

impl FaultProxy {
    /// Starts a proxy in front of the service on port `target` of this machine.
    ///
    /// # Panics
    /// If it cannot listen.
    pub async fn start(target: u16, seed: u64, faults: Faults) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let state = State { rng, faults, seen: Seen::default(), asked: BTreeSet::new() };
        let shared = Arc::new(Shared { target, state: Mutex::new(state) });
        let task = tokio::spawn(serve(listener, shared.clone())).abort_handle();
        Self { shared, address, task }
    }

    /// Returns `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces the faults for later requests.
    pub fn set(&self, faults: Faults) {
        self.shared.state.lock().faults = faults;
    }

    /// Returns what was asked so far, in the terms of IAM: actions and resources, sorted.
    pub fn asked(&self) -> BTreeSet<String> {
        self.shared.state.lock().asked.clone()
    }

    /// Returns the counts so far.
    pub fn seen(&self) -> Seen {
        self.shared.state.lock().seen
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(shared.clone(), request));
            // An error is a broken connection, which this proxy causes on purpose.
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Shared {
    fn fate(&self) -> (Fate, Option<Duration>) {
        let mut state = self.state.lock();
        let State { rng, faults, seen, .. } = &mut *state;
        seen.requests += 1;
        let slow = faults.slow.filter(|slow| rng.random_bool(slow.fraction));
        let fate = if rng.random_bool(faults.error) {
            seen.errors += 1;
            Fate::Error
        } else if rng.random_bool(faults.throttle) {
            seen.throttled += 1;
            Fate::Throttle
        } else if rng.random_bool(faults.lost_answer) {
            seen.lost_answers += 1;
            Fate::LostAnswer
        } else if rng.random_bool(faults.partial) {
            Fate::Partial(rng.random())
        } else {
            Fate::Pass
        };
        (fate, slow.map(|slow| slow.delay))
    }

    fn count_partial(&self) {
        self.state.lock().seen.partial += 1;
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    if let Some(asked) = crate::asked::asked(&parts, &body) {
        shared.state.lock().asked.insert(asked);
    }
    let (fate, delay) = shared.fate();
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    let target = parts.headers.get("x-amz-target").and_then(|v| v.to_str().ok()).unwrap_or("");
    let operation = target.rsplit('.').next().unwrap_or("").to_owned();
    match fate {
        Fate::Error => Ok(refusal(&operation, false)),
        Fate::Throttle => Ok(refusal(&operation, true)),
        Fate::LostAnswer => {
            forward(&shared, parts, body).await?;
            // The error of this broken handshake closes the connection without an answer.
            let request = Request::new(Full::new(Bytes::from_static(b"broken")));
            let (mut sender, _) =
                hyper::client::conn::http1::handshake(TokioIo::new(tokio::io::empty())).await?;
            sender.send_request(request).await.map(|_| Response::new(Full::default()))
        }
        Fate::Partial(seed) => match split(&operation, &body, seed) {
            Some((forwarded, finish)) => {
                shared.count_partial();
                let answer = forward(&shared, parts, forwarded).await?;
                let (head, body) = answer.into_parts();
                let bytes = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
                if head.status != StatusCode::OK {
                    return Ok(Response::from_parts(head, Full::new(bytes)));
                }
                Ok(json_response(StatusCode::OK, &finish(json_of(&bytes))))
            }
            None => forward(&shared, parts, body).await,
        },
        Fate::Pass => forward(&shared, parts, body).await,
    }
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

fn json_response(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert("content-type", kind);
    response
}

fn refusal(operation: &str, throttled: bool) -> Response<Full<Bytes>> {
    if operation.is_empty() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce your \
                    request rate.</Message></Error>";
        let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return response;
    }
    let (status, kind) = match throttled {
        true => (StatusCode::BAD_REQUEST, "ProvisionedThroughputExceededException"),
        false => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
    };
    json_response(status, &json!({"__type": kind, "message": "a fault of the test"}))
}

async fn forward(shared: &Shared, parts: hyper::http::request::Parts, body: Bytes) -> Answer {
    let stream = match TcpStream::connect((Ipv4Addr::LOCALHOST, shared.target)).await {
        Ok(stream) => stream,
        Err(_) => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            return Ok(response);
        }
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::from_parts(parts, Full::new(body.clone()));
    request.headers_mut().insert("content-length", body.len().into());
    let (head, body) = sender.send_request(request).await?.into_parts();
    let bytes = body.collect().await?.to_bytes();
    Ok(Response::from_parts(head, Full::new(bytes)))
}

type Finish = Box<dyn FnOnce(Value) -> Value + Send>;

/// Splits a request into the part to forward, and a function that completes the answer.
fn split(operation: &str, body: &Bytes, seed: u64) -> Option<(Bytes, Finish)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut value = json_of(body);
    match operation {
        "PutRecords" | "PutRecordBatch" => {
            let (answers, count) = match operation {
                "PutRecords" => ("Records", "FailedRecordCount"),
                _ => ("RequestResponses", "FailedPutCount"),
            };
            let records = value["Records"].as_array()?.clone();
            let kept = choose(records.len(), &mut rng)?;
            let done = records.iter().zip(&kept).filter(|(_, keep)| **keep).map(|(r, _)| r.clone());
            value["Records"] = done.collect();
            let finish = move |mut answer: Value| {
                let mut results =
                    answer[answers].as_array().cloned().unwrap_or_default().into_iter();
                let failed = json!({
                    "ErrorCode": "ProvisionedThroughputExceededException",
                    "ErrorMessage": "Rate exceeded for shard.",
                });
                let all = kept.iter().map(|keep| match keep {
                    true => results.next().unwrap_or_default(),
                    false => failed.clone(),
                });
                answer[answers] = all.collect();
                answer[count] = kept.iter().filter(|keep| !**keep).count().into();
                answer
            };
            Some((value.to_string().into(), Box::new(finish)))
        }
        "BatchWriteItem" => {
            let (table, requests) = value["RequestItems"].as_object()?.iter().next()?;
            let (table, requests) = (table.clone(), requests.as_array()?.clone());
            let (done, left) = part(requests, &mut rng)?;
            value["RequestItems"] = Value::Object(Map::from_iter([(table.clone(), done.into())]));
            let finish = move |mut answer: Value| {
                add(&mut answer["UnprocessedItems"], &table, left);
                answer
            };
            Some((value.to_string().into(), Box::new(finish)))
        }
        "BatchGetItem" => {
            let (table, keys) = value["RequestItems"].as_object()?.iter().next()?;
            let (table, mut keys) = (table.clone(), keys.clone());
            let (done, left) = part(keys["Keys"].as_array()?.clone(), &mut rng)?;
            value["RequestItems"][&table]["Keys"] = done.into();
            keys["Keys"] = left.into();
            let finish = move |mut answer: Value| {
                answer["UnprocessedKeys"] = Value::Object(Map::from_iter([(table, keys)]));
                answer
            };
            Some((value.to_string().into(), Box::new(finish)))
        }
        _ => None,
    }
}

fn add(unprocessed: &mut Value, table: &str, left: Vec<Value>) {
    if !unprocessed.is_object() {
        *unprocessed = json!({});
    }
    let before = unprocessed[table].as_array().cloned().unwrap_or_default();
    unprocessed[table] = before.into_iter().chain(left).collect();
}

/// Chooses which of `count` entries are processed: at least one, but not all.
fn choose(count: usize, rng: &mut ChaCha8Rng) -> Option<Vec<bool>> {
    if count < 2 {
        return None;
    }
    let mut kept: Vec<bool> = (0..count).map(|_| rng.random_bool(0.5)).collect();
    let at = rng.random_range(0..count);
    kept[at] = true;
    kept[(at + 1) % count] = false;
    Some(kept)
}

fn part(all: Vec<Value>, rng: &mut ChaCha8Rng) -> Option<(Vec<Value>, Vec<Value>)> {
    let kept = choose(all.len(), rng)?;
    let (done, left): (Vec<_>, Vec<_>) = all.into_iter().zip(kept).partition(|(_, keep)| *keep);
    let values = |pairs: Vec<(Value, bool)>| pairs.into_iter().map(|(value, _)| value).collect();
    Some((values(done), values(left)))
}
