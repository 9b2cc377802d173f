//! Load on a running server, for benchmarks: a bounded time, keep-alive
//! connections, one request after another on each.
//!
//! `load ADDRESS submit|batch|recommend|echo CLIENTS SECONDS USERS` prints requests a
//! second and percentiles of latency as JSON; a `batch` has 500 events. `echo` sends the
//! events of `submit` to a server of nothing else: `load ADDRESS serve-echo` is one, of
//! axum alone, and stops when its standard input ends.

#![allow(clippy::disallowed_methods, reason = "real programs are measured in real time")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if let [_, address, what] = args.as_slice()
        && what == "serve-echo"
    {
        return serve_echo(address).await;
    }
    let [_, address, what, clients, seconds, users] = args.as_slice() else {
        anyhow::bail!("usage: load ADDRESS submit|batch|recommend|echo CLIENTS SECONDS USERS");
    };
    let (clients, users): (usize, usize) = (clients.parse()?, users.parse()?);
    let time = Duration::from_secs_f64(seconds.parse::<f64>()?.min(60.0));
    let start = Instant::now();
    let tasks = (0..clients.min(1000)).map(|client| {
        let (address, what) = (address.clone(), what.clone());
        tokio::spawn(async move { run(&address, &what, client, users, start, time).await })
    });
    let mut latencies = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        latencies.extend(task.await??);
    }
    let elapsed = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
    println!(
        "{{\"per_second\": {:.0}, \"p50_ms\": {:.3}, \"p99_ms\": {:.3}, \"requests\": {}}}",
        latencies.len() as f64 / elapsed,
        at(0.5),
        at(0.99),
        latencies.len()
    );
    Ok(())
}

/// What HTTP alone costs: the body comes back.
async fn serve_echo(address: &str) -> Result<()> {
    let router = axum::Router::new()
        .route("/v1/events", axum::routing::post(|body: bytes::Bytes| async move { body }));
    let listener = tokio::net::TcpListener::bind(address).await?;
    let ended = async {
        let end = || std::io::Read::read(&mut std::io::stdin(), &mut [0; 1]);
        let _ = tokio::task::spawn_blocking(end).await;
    };
    Ok(axum::serve(listener, router).with_graceful_shutdown(ended).await?)
}

const BATCH: usize = 500;

fn event(user: usize) -> String {
    format!("{{\"user_id\":\"{user}\",\"event\":\"view\",\"product_ids\":[\"1\"]}}")
}

async fn run(
    address: &str,
    what: &str,
    client: usize,
    users: usize,
    start: Instant,
    time: Duration,
) -> Result<Vec<Duration>> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let mut latencies = Vec::new();
    let mut buffer = Vec::with_capacity(16 << 10);
    let mut n = client;
    while start.elapsed() < time {
        n += 37;
        let user = n % users + 1;
        let (path, body) = match what {
            "submit" | "echo" => ("/v1/events", event(user)),
            "batch" => {
                let events: Vec<String> =
                    (0..BATCH).map(|n| event((user + n) % users + 1)).collect();
                ("/v1/events", format!("[{}]", events.join(",")))
            }
            _ => ("/v1/recommendations", format!("{{\"user_id\":\"{user}\"}}")),
        };
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let sent = Instant::now();
        socket.write_all(request.as_bytes()).await?;
        answer(&mut socket, &mut buffer).await?;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}

/// Reads one answer, which has to be a 200 with a content-length.
async fn answer(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.clear();
    // All bytes of the answer, once its head is there: the body is only counted.
    let mut bytes = None;
    while bytes.is_none_or(|bytes| buffer.len() < bytes) {
        anyhow::ensure!(socket.read_buf(buffer).await? > 0, "the server closed the connection");
        if bytes.is_none()
            && let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n")
        {
            let head = String::from_utf8_lossy(&buffer[..at]);
            anyhow::ensure!(
                head.starts_with("HTTP/1.1 200"),
                "{}",
                String::from_utf8_lossy(buffer)
            );
            let length = head.lines().find_map(|l| l.strip_prefix("content-length: "));
            bytes = Some(at + 4 + length.context("no content-length")?.parse::<usize>()?);
        }
    }
    Ok(())
}
