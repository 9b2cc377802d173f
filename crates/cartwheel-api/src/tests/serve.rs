//! The server on a socket, with slow, greedy and unusual clients.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::harness::Shop;
use crate::Connections;
use crate::http::places::RESERVE;

/// Long enough for a busy machine, short enough for a test.
const HEAD: Duration = Duration::from_millis(300);
const IDLE: Duration = Duration::from_millis(900);

pub(super) struct Running {
    pub(super) address: std::net::SocketAddr,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) server: JoinHandle<bool>,
    _shop: Shop,
}

pub(super) async fn start(connections: Connections) -> Running {
    let shop = Shop::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let router = shop.router.clone();
    let server = tokio::spawn(crate::serve(listener, router, connections, async move {
        let _ = stopped.await;
    }));
    Running { address, stop, server, _shop: shop }
}

fn impatient() -> Connections {
    Connections { head: HEAD, idle: IDLE, ..Connections::default() }
}

async fn send(address: std::net::SocketAddr, text: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    socket
}

/// Reads until the server closes the connection.
async fn rest(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = socket.read_to_end(&mut answer);
    // A reset also closes the connection.
    let _ = tokio::time::timeout(Duration::from_secs(20), read).await.expect("it is closed");
    String::from_utf8(answer).unwrap()
}

/// Reads one complete response without a body or with a short body.
async fn answer(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(20), socket.read(&mut chunk));
        let read = read.await.expect("an answer").unwrap();
        text.extend_from_slice(&chunk[..read]);
        if read == 0 || text.ends_with(b"ok\n") {
            return String::from_utf8(text).unwrap();
        }
    }
}

const ASK: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[tokio::test]
async fn shutdown_finishes_open_requests_and_accepts_no_more() {
    let Running { address, stop, server, _shop } = start(Connections::default()).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let body = r#"{"user_id":"u","event":"view","product_ids":["x"]}"#;
    let head = format!(
        "POST /submit HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    // The handler reads the body: the request is open.
    let mut first = [0; 25];
    client.read_exact(&mut first).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 100"));
    stop.send(()).unwrap();
    client.write_all(body.as_bytes()).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(server.await.unwrap());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_client_without_a_complete_head_in_time_is_closed() {
    let running = start(impatient()).await;
    let started = Instant::now();
    // Sends nothing, half a head, or one byte at a time.
    let mut silent = send(running.address, "").await;
    let mut half = send(running.address, "GET / HTTP/1.1\r\nhost:").await;
    let dripping = send(running.address, "GET / HTTP/1.1\r\n").await;
    let (mut reading, mut writing) = dripping.into_split();
    let drip = tokio::spawn(async move {
        while writing.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    });
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut half).await, "");
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), reading.read_to_end(&mut answer)).await;
    assert!(started.elapsed() >= HEAD);
    tokio::time::timeout(Duration::from_secs(20), drip).await.expect("it is closed").unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_idle_timeout() {
    let running = start(impatient()).await;
    let mut socket = send(running.address, ASK).await;
    assert!(answer(&mut socket).await.starts_with("HTTP/1.1 200"));
    // Longer than the head timeout, shorter than the idle timeout.
    tokio::time::sleep(HEAD + Duration::from_millis(150)).await;
    socket.write_all(ASK.as_bytes()).await.unwrap();
    assert!(answer(&mut socket).await.starts_with("HTTP/1.1 200"));
    // The next head has begun, so the shorter head timeout applies.
    let started = Instant::now();
    socket.write_all(b"GET /healthz").await.unwrap();
    assert_eq!(rest(&mut socket).await, "");
    assert!((HEAD..IDLE).contains(&started.elapsed()), "{:?}", started.elapsed());

    let mut socket = send(running.address, ASK).await;
    assert!(answer(&mut socket).await.starts_with("HTTP/1.1 200"));
    let started = Instant::now();
    assert_eq!(rest(&mut socket).await, "");
    assert!(started.elapsed() >= IDLE - Duration::from_millis(50), "{:?}", started.elapsed());
}

#[tokio::test]
async fn slow_clients_block_nobody_and_excess_connections_are_refused() {
    let running = start(Connections { most: 50, head: 10 * HEAD, ..impatient() }).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        slow.push(send(running.address, "POST /submit HTTP/1.1\r\n").await);
    }
    // All connections are taken until they time out. The reserve answers one probe each.
    for path in ["/healthz", "/readyz"] {
        let ask = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let told = rest(&mut send(running.address, &ask).await).await;
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    }
    let other = "GET /docs HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let told = rest(&mut send(running.address, other).await).await;
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("retry-after: 1"), "{told}");
    for _ in 0..RESERVE {
        slow.push(send(running.address, "GET /healthz HTTP/1.1\r\n").await);
    }
    let mut refused = TcpStream::connect(running.address).await.unwrap();
    let told = rest(&mut refused).await;
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("retry-after: 1"), "{told}");
    for mut socket in slow {
        rest(&mut socket).await;
    }
    let mut socket = send(running.address, ASK).await;
    assert!(answer(&mut socket).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_answer_to_a_body_that_is_not_read_arrives() {
    let running = start(Connections::default()).await;
    let head = |bytes: usize| {
        format!(
            "POST /submit HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {bytes}\r\n\r\n"
        )
    };
    // Far more than socket buffers hold, and all of it is sent before the answer is read.
    let body = vec![b' '; 12 << 20];
    let mut socket = send(running.address, &head(body.len())).await;
    socket.write_all(&body).await.unwrap();
    let told = rest(&mut socket).await;
    assert!(told.starts_with("HTTP/1.1 413") && told.contains("payload-too-large"), "{told}");
    // A client that never ends is not listened to for ever, however fast it sends.
    for pause in [Duration::ZERO, Duration::from_millis(50)] {
        let mut socket = send(running.address, &head(1 << 40)).await;
        let sending = async {
            let mut sent = 0;
            while socket.write_all(&body[..64 << 10]).await.is_ok() {
                sent += 64 << 10;
                tokio::time::sleep(pause).await;
            }
            sent
        };
        let sent = tokio::time::timeout(Duration::from_secs(20), sending).await.expect("closed");
        assert!(sent < 40 << 20, "{sent} bytes");
    }
}

#[tokio::test]
async fn large_heads_are_refused() {
    let running = start(Connections::default()).await;
    let many: String = (0..10_000).map(|n| format!("h{n}: x\r\n")).collect();
    let long = "x".repeat(300_000);
    for head in [
        format!("GET / HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"),
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nh: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    ] {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        // The server may close before the whole head is sent.
        let _ = socket.write_all(head.as_bytes()).await;
        let told = rest(&mut socket).await;
        let status = told.get(9..12).unwrap_or_default();
        assert!(["431", "414"].contains(&status), "{told:?}");
    }
    for bad in
        ["\0\0\0\0\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n"]
    {
        let told = rest(&mut send(running.address, bad).await).await;
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 4"), "{bad:?}: {told:?}");
    }
}

#[tokio::test]
async fn http_1_0_and_pipelining_clients_are_served() {
    let running = start(Connections::default()).await;
    // HTTP/1.0 without a Host header.
    let told = rest(&mut send(running.address, "GET /healthz HTTP/1.0\r\n\r\n").await).await;
    assert!(told.starts_with("HTTP/1.0 200") && told.ends_with("ok\n"), "{told}");
    // Three pipelined requests get three responses in order.
    let last = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let told = rest(&mut send(running.address, &[ASK, ASK, last].concat()).await).await;
    assert_eq!(told.matches("HTTP/1.1 200").count(), 3, "{told}");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_response_is_closed() {
    let running = start(impatient()).await;
    let ask = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    // Far more than the socket buffers hold.
    let asking = async { while socket.write_all(ask.repeat(16).as_bytes()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), asking).await.expect("it is closed");
}
