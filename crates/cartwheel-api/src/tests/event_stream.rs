//! Streams of events as NDJSON.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::response::Response;
use cartwheel_events::Record;
use cartwheel_stream::{Batch, MemoryStream, Pending, Position, PutError, ReadError};
use cartwheel_stream::{Sequence, Stream};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::harness::{Reply, Shop};
use super::serve::start;
use crate::{ApiKey, Connections, KeyHash, Scope, Settings};

const NDJSON: &str = "application/x-ndjson";

fn view(n: usize) -> String {
    let user = format!("u{}", n % 97);
    let event = json!({"user_id": user, "event_id": format!("e{n}"), "event": "view",
                       "product_ids": ["x"]});
    format!("{event}\n")
}

fn views(range: std::ops::Range<usize>) -> String {
    range.map(view).collect()
}

fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.bytes));
    assert_eq!(reply.headers["content-type"], NDJSON);
    reply.bytes.trim_ascii().split(|b| *b == b'\n').map(json_line).collect()
}

fn json_line(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap()
}

/// A request whose body the test sends piece by piece, and the answer once it has begun.
struct Open {
    body: Option<mpsc::Sender<String>>,
    answer: axum::body::BodyDataStream,
}

impl Open {
    /// Sends the first piece, and waits for the head of the answer.
    async fn begin(shop: &Shop, first: String) -> Self {
        let (body, mut pieces) = mpsc::channel::<String>(1);
        body.send(first).await.unwrap();
        let pieces = stream::poll_fn(move |cx| pieces.poll_recv(cx)).map(Ok::<_, Infallible>);
        let request = Request::post("/v1/events").header("content-type", NDJSON);
        let request = request.body(Body::from_stream(pieces)).unwrap();
        let response: Response = shop.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let mut answer = response.into_body().into_data_stream();
        if status != 200 {
            panic!("{status}: {:?}", answer.next().await);
        }
        Self { body: Some(body), answer }
    }

    async fn send(&self, piece: String) {
        self.body.as_ref().unwrap().send(piece).await.unwrap();
    }

    async fn line(&mut self) -> Value {
        json_line(&self.answer.next().await.expect("a line").unwrap())
    }
}

#[tokio::test]
async fn every_line_is_decided_on_its_own() {
    let shop = Shop::open().await;
    // Lines 1 to 7; the last one lacks its end.
    let body = format!("{}\n{{broken\r\n{}\r\n{}{}[]", view(1), view(2).trim(), view(1), view(3));
    let reply = shop.post_as("/v1/events", "application/x-ndjson; charset=utf-8", body).await;
    let [piece, end] = lines(&reply).try_into().unwrap();
    assert_eq!(piece["through_line"], 7, "{piece}");
    assert_eq!((&piece["accepted"], &piece["repeated"]), (&json!(4), &json!(1)));
    assert_eq!(piece["rejected"], 2);
    let errors = piece["errors"].as_array().unwrap();
    assert_eq!(errors[0]["line"], 3);
    assert_eq!(errors[0]["error"]["type"], "urn:cartwheel:problem:malformed-json");
    assert_eq!(errors[1]["line"], 7);
    assert_eq!(errors[1]["error"]["type"], "urn:cartwheel:problem:invalid-field");
    let whole = json!({"done": true, "through_line": 7, "accepted": 4, "repeated": 1,
                       "rejected": 2});
    assert_eq!(end, whole);
    assert_eq!(shop.stored_events().await.len(), 3);
    for empty in ["", "\n \r\n"] {
        shop.post_as("/v1/events", NDJSON, empty).await.problem(400, "invalid-field");
    }
}

#[tokio::test]
async fn a_stream_has_no_limit_and_is_read_as_fast_as_it_is_stored() {
    const EVENTS: usize = 20_000;
    const PIECE: usize = 100;
    let shop = Shop::open().await;
    let read = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&read);
    let pieces = stream::iter(0..EVENTS / PIECE).map(move |n| {
        counter.fetch_add(PIECE, Ordering::SeqCst);
        Ok::<_, Infallible>(views(n * PIECE..(n + 1) * PIECE))
    });
    let request = Request::post("/v1/events").header("content-type", NDJSON);
    let request = request.body(Body::from_stream(pieces)).unwrap();
    let response = shop.router.clone().oneshot(request).await.unwrap();
    let mut answer = response.into_body().into_data_stream();
    let (mut decided, mut bytes) = (0, 0);
    while let Some(line) = answer.next().await {
        let line = line.unwrap();
        bytes += line.len();
        let line = json_line(&line);
        let through = line["through_line"].as_u64().unwrap() as usize;
        if line.get("done").is_some() {
            assert_eq!((&line["done"], through), (&json!(true), EVENTS));
            assert_eq!(line["accepted"], EVENTS);
            continue;
        }
        assert_eq!((through, &line["accepted"]), (decided + 500, &json!(500)));
        decided = through;
        // Twice the limit of a body has long been exceeded, and one piece is in memory.
        let ahead = read.load(Ordering::SeqCst) - decided;
        assert!(ahead <= 500 + PIECE, "{ahead} events are read but not stored");
        assert!(shop.log.records().len() >= decided);
    }
    assert!(views(0..EVENTS).len() > Settings::default().max_body);
    assert!(bytes < 100 * (EVENTS / 500 + 1), "{bytes} bytes of acknowledgements");
}

#[tokio::test]
async fn events_are_acknowledged_before_the_body_ends() {
    let shop = Shop::open().await;
    let half = view(2);
    let (begin, rest) = half.split_at(9);
    let mut open = Open::begin(&shop, view(1) + begin).await;
    assert_eq!(open.line().await["through_line"], 1);
    assert_eq!(shop.stored_events().await.len(), 1);
    open.send(rest.to_owned()).await;
    assert_eq!(open.line().await["through_line"], 2);
    open.body = None;
    assert_eq!(open.line().await["done"], true);
    assert!(open.answer.next().await.is_none());
}

#[tokio::test]
async fn what_has_arrived_is_stored_when_the_client_goes_away() {
    let shop = Shop::open().await;
    let mut open = Open::begin(&shop, views(0..500)).await;
    assert_eq!(open.line().await["accepted"], 500);
    open.send(views(500..1000)).await;
    // The piece is being stored when the connection ends.
    let next = open.answer.next();
    assert!(futures::poll!(std::pin::pin!(next)).is_pending());
    drop(open);
    shop.stored(1000).await;
    // The client sends from the last acknowledged line on, and a part of it is known.
    let reply = shop.post_as("/v1/events", NDJSON, views(500..1200)).await;
    let end = lines(&reply).pop().unwrap();
    assert_eq!((&end["accepted"], &end["repeated"]), (&json!(700), &json!(500)), "{end}");
    assert_eq!(shop.stored_events().await.len(), 1200);
}

/// Stores records until `left` are stored, and then fails.
struct Failing {
    log: MemoryStream,
    left: AtomicUsize,
}

impl Stream for Failing {
    fn shards(&self) -> u32 {
        self.log.shards()
    }

    fn put(&self, mut records: Vec<Record>) -> Pending<'_, Vec<Result<Position, PutError>>> {
        Box::pin(async move {
            let count = records.len();
            let left = self.left.load(Ordering::SeqCst).min(count);
            self.left.fetch_sub(left, Ordering::SeqCst);
            records.truncate(left);
            let mut results = self.log.put(records).await;
            results.resize(count, Err(PutError::Failed("disk".into())));
            results
        })
    }

    fn read(&self, shard: u32, from: Sequence, n: usize) -> Pending<'_, Result<Batch, ReadError>> {
        self.log.read(shard, from, n)
    }

    fn wait(&self, shard: u32, from: Sequence) -> Pending<'_, ()> {
        self.log.wait(shard, from)
    }
}

async fn failing_after(records: usize) -> Shop {
    let stream = Failing { log: MemoryStream::new(1), left: records.into() };
    Shop::over(tempfile::tempdir().unwrap(), Arc::new(stream), |_| {}).await
}

#[tokio::test]
async fn a_stream_ends_where_events_can_no_longer_be_stored() {
    let shop = failing_after(700).await;
    let reply = shop.post_as("/v1/events", NDJSON, "\n".to_owned() + &views(0..2000)).await;
    let [first, second, end] = lines(&reply).try_into().unwrap();
    assert_eq!(first["through_line"], 501);
    assert_eq!((&second["through_line"], &second["accepted"]), (&json!(701), &json!(200)));
    assert_eq!((&end["done"], &end["through_line"]), (&json!(false), &json!(701)));
    assert_eq!((&end["accepted"], &end["rejected"]), (&json!(700), &json!(0)), "{end}");
    assert_eq!(end["problem"]["type"], "urn:cartwheel:problem:unavailable");
    // Without any, it does not begin.
    let shop = failing_after(0).await;
    let reply = shop.post_as("/v1/events", NDJSON, views(0..10)).await;
    reply.problem(503, "unavailable");
    assert_eq!(reply.headers["retry-after"], "1");
}

async fn gzipped(shop: &Shop, body: impl Into<Body>) -> Reply {
    let request = Request::post("/v1/events").header("content-type", NDJSON);
    shop.send(request.header("content-encoding", "gzip").body(body.into()).unwrap()).await
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn gzip_is_decoded_as_it_arrives() {
    let shop = Shop::open().await;
    let body = gzip(&views(0..30_000));
    let reply = gzipped(&shop, body.clone()).await;
    assert_eq!(lines(&reply).pop().unwrap()["accepted"], 30_000);
    // Two members, one byte at a time.
    let bytes = [gzip(&views(0..30)), gzip(&views(30..60))].concat();
    let bytes: Vec<_> = bytes.iter().map(|&b| Ok::<_, Infallible>(Bytes::from(vec![b]))).collect();
    let shop = Shop::open().await;
    let reply = gzipped(&shop, Body::from_stream(stream::iter(bytes))).await;
    assert_eq!(lines(&reply).pop().unwrap()["accepted"], 60);
    // What arrives before the damage is stored.
    let shop = Shop::open().await;
    let reply = gzipped(&shop, body[..body.len() / 2].to_vec()).await;
    let end = lines(&reply).pop().unwrap();
    assert_eq!(end["problem"]["type"], "urn:cartwheel:problem:malformed-json", "{end}");
    let through = end["through_line"].as_u64().unwrap() as usize;
    assert!(through > 1000 && end["accepted"] == through, "{end}");
    assert_eq!(shop.stored_events().await.len(), through);
    gzipped(&shop, "no gzip").await.problem(400, "malformed-json");
    // A line of 1 GB, compressed to 1 MB.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..1000 {
        bomb.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let started = std::time::Instant::now();
    gzipped(&shop, bomb.finish().unwrap()).await.problem(413, "payload-too-large");
    assert!(started.elapsed() < Duration::from_secs(2), "it ends at the limit");
}

/// Reads from a socket until what it has sent ends with `end`.
async fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut told = Vec::new();
    while !told.ends_with(end.as_bytes()) {
        let read = tokio::time::timeout(Duration::from_secs(20), socket.read_buf(&mut told));
        assert!(read.await.expect("in time").unwrap() > 0, "{}", String::from_utf8_lossy(&told));
    }
    String::from_utf8(told).unwrap()
}

#[tokio::test]
async fn a_client_on_a_socket_reads_while_it_sends() {
    let running = start(Connections::default()).await;
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    let head = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\
                content-type: application/x-ndjson\r\n\r\n";
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    for end in ["", "x"] {
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(chunk(&view(1)).as_bytes()).await.unwrap();
        let told = read_until(&mut socket, "}\n\r\n").await;
        assert!(told.starts_with("HTTP/1.1 200") && told.contains("\"through_line\":1"), "{told}");
        // An empty chunk ends the body. A line without end is refused, and the answer arrives
        // although most of the line is never read.
        let rest = chunk(&end.repeat(9 << 20));
        socket.write_all(rest.as_bytes()).await.unwrap();
        let told = read_until(&mut socket, "0\r\n\r\n").await;
        let expected = if end.is_empty() { "\"done\":true" } else { "payload-too-large" };
        assert!(told.contains(expected), "{told}");
    }
    assert_eq!(socket.read(&mut [0; 1]).await.unwrap(), 0, "the connection ends in order");
}

#[tokio::test]
async fn a_silent_client_is_given_up_and_an_empty_line_keeps_a_stream_open() {
    let shop = Shop::with(|state| {
        let timeout = Duration::from_millis(500);
        state.settings = Arc::new(Settings { timeout, ..Settings::default() });
    })
    .await;
    let mut open = Open::begin(&shop, view(1)).await;
    assert_eq!(open.line().await["through_line"], 1);
    let body = open.body.take().unwrap();
    let slow = tokio::spawn(async move {
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            body.send("\n".to_owned()).await.unwrap();
        }
        body.send(view(2)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(30)).await;
    });
    assert_eq!(open.line().await["through_line"], 6);
    let end = open.line().await;
    assert_eq!((&end["done"], &end["through_line"]), (&json!(false), &json!(6)));
    assert_eq!(end["problem"]["type"], "urn:cartwheel:problem:slow-body");
    slow.abort();
    let silent = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    shop.post_as("/v1/events", NDJSON, silent).await.problem(408, "slow-body");
}

#[tokio::test]
async fn streams_are_bounded_in_number_and_end_with_the_server() {
    let mut closing = None;
    let shop = Shop::with(|state| closing = Some(state.closing.clone())).await;
    let mut open = Vec::new();
    for n in 0..16 {
        let mut stream = Open::begin(&shop, view(n)).await;
        assert_eq!(stream.line().await["accepted"], 1);
        open.push(stream);
    }
    shop.post_as("/v1/events", NDJSON, view(20)).await.problem(429, "throttled");
    drop(open.pop());
    assert_eq!(shop.post_as("/v1/events", NDJSON, view(20)).await.status, 200);
    closing.unwrap().send_replace(true);
    let end = open[0].line().await;
    assert_eq!((&end["done"], &end["through_line"]), (&json!(false), &json!(1)));
    assert_eq!(end["problem"]["type"], "urn:cartwheel:problem:unavailable");
}

#[tokio::test]
async fn a_stream_needs_the_secret_half_of_a_key_and_keeps_to_its_rate() {
    let secret = ApiKey {
        name: "shop".into(),
        hash: KeyHash::of("secret"),
        scopes: vec![Scope::EventsWrite],
        publishable: Some("cwp_000102030405060708090a0b0c0d0e0f".parse().unwrap()),
        signing: None,
    };
    let shop = Shop::with(|state| {
        state.keys.replace(vec![secret]);
        state.limit(&Settings { rate_per_key: 2, ..Settings::default() });
    })
    .await;
    let send = async |key: &str, body: String| {
        let request = Request::post("/v1/events").header("x-api-key", key);
        let request = request.header("content-type", NDJSON);
        shop.send(request.body(Body::from(body)).unwrap()).await
    };
    let publishable = send("cwp_000102030405060708090a0b0c0d0e0f", view(1)).await;
    publishable.problem(403, "forbidden");
    // Four requests are a burst; what exceeds it waits instead of failing.
    let started = std::time::Instant::now();
    let end = lines(&send("secret", views(0..2500)).await).pop().unwrap();
    assert_eq!((&end["done"], &end["accepted"]), (&json!(true), &json!(2500)));
    assert!(started.elapsed() > Duration::from_millis(900), "{:?}", started.elapsed());
}
