//! Load on a running server, for benchmarks: a bounded time, keep-alive
//! connections, one request after another on each.
//!
//! `load [KEY@]ADDRESS event|submit|batch|recommend|page|rank|search|changes|score CLIENTS SECONDS USERS` prints
//! requests a second and percentiles of latency as JSON. A `batch` has 500 events, a `page` five
//! placements, `rank` gets the 1,000 products from a number on, and `search` types the best
//! sellers' names: a letter more with each request. `changes` takes a
//! best seller of its own off the shelf and puts it back, and measures from the change to the
//! next recommendation, which has to show it. An `event` goes to `/v1/events`, where the servers of
//! `stack` take it too, and `submit` sends it to `/submit`. `score` sends a row of USERS values as CSV to
//! `/invocations`. KEY is an API key, which `changes` and `search` do not take.

#![allow(clippy::disallowed_methods, reason = "real programs are measured in real time")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, address, what, clients, seconds, users] = args.as_slice() else {
        anyhow::bail!(
            "usage: load [KEY@]ADDRESS event|submit|batch|recommend|page|rank|search|changes|score CLIENTS SECONDS USERS"
        );
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
    let (key, address) = match address.rsplit_once('@') {
        Some((key, address)) => (format!("x-api-key: {key}\r\n"), address),
        None => (String::new(), address),
    };
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let mut latencies = Vec::new();
    let mut buffer = Vec::with_capacity(16 << 10);
    if what == "changes" {
        return changes(socket, buffer, client, start, time).await;
    }
    let names = match what {
        "search" => best_sellers(&mut socket, &mut buffer, "product_name").await?,
        _ => Vec::new(),
    };
    let mut n = client;
    while start.elapsed() < time {
        n += 37;
        let user = n % users + 1;
        let (method, path, body) = match what {
            "event" => ("POST", "/v1/events".into(), event(user)),
            "submit" => ("POST", "/submit".into(), event(user)),
            "batch" => {
                let events: Vec<String> =
                    (0..BATCH).map(|n| event((user + n) % users + 1)).collect();
                ("POST", "/v1/events".into(), format!("[{}]", events.join(",")))
            }
            "page" => ("POST", "/v1/page".into(), page(user)),
            "rank" => ("POST", "/v1/rank".into(), rank(user, n % 1000)),
            "score" => ("POST", "/invocations".into(), row(user, users)),
            "search" => {
                let typed = typed(&names, latencies.len());
                ("GET", format!("/v1/search?user_id={user}&q={typed}"), String::new())
            }
            _ => ("POST", "/v1/recommendations".into(), format!("{{\"user_id\":\"{user}\"}}")),
        };
        let mut request = request(method, &path, &body);
        if what == "score" {
            request = request.replacen("application/json", "text/csv", 1);
        }
        request = request.replacen("host:", &format!("{key}host:"), 1);
        let sent = Instant::now();
        socket.write_all(request.as_bytes()).await?;
        answer(&mut socket, &mut buffer).await?;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}

/// A product's page with five placements, under one ranking.
fn page(user: usize) -> String {
    let names = ["product", "product_substitutes", "home", "home_buy_again", "home_trending"];
    let placements = names.map(|name| format!("{{\"name\":\"{name}\"}}")).join(",");
    let product = user % 1000 + 1;
    format!(
        "{{\"user_id\":\"{user}\",\"page\":\"product\",\"product_id\":\"{product}\",\
         \"placements\":[{placements}]}}"
    )
}

fn rank(user: usize, first: usize) -> String {
    let products: Vec<String> = (1..=1000).map(|n| format!("\"{}\"", first + n)).collect();
    format!("{{\"user_id\":\"{user}\",\"products\":[{}]}}", products.join(","))
}

/// A row that differs from others in one value; every eighth value is missing.
fn row(user: usize, width: usize) -> String {
    let cell = |at: usize| match at {
        0 => format!("0.{user}"),
        at if at % 8 == 7 => String::new(),
        at => format!("{}", (at as f64 - 10.0) / 7.0),
    };
    (0..width).map(cell).collect::<Vec<_>>().join(",")
}

/// The `turn`th query of a shopper who types one name after another.
fn typed(names: &[String], turn: usize) -> String {
    const LETTERS: usize = 12;
    let name = &names[turn / LETTERS % names.len()];
    name.chars().take(turn % LETTERS + 1).map(|c| if c == ' ' { '+' } else { c }).collect()
}

/// This field, a text, of the best sellers.
async fn best_sellers(
    socket: &mut TcpStream,
    buffer: &mut Vec<u8>,
    field: &str,
) -> Result<Vec<String>> {
    socket.write_all(request("GET", "/v1/popular?limit=20", "").as_bytes()).await?;
    answer(socket, buffer).await?;
    let body = String::from_utf8_lossy(buffer);
    let key = format!("\"{field}\":\"");
    let values = body.split(&key).skip(1);
    let values: Vec<String> =
        values.filter_map(|rest| Some(rest.split('"').next()?.to_owned())).collect();
    anyhow::ensure!(!values.is_empty(), "no best seller");
    Ok(values)
}

fn request(method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Changes whether a best seller is in stock, and asks for recommendations at once.
async fn changes(
    mut socket: TcpStream,
    mut buffer: Vec<u8>,
    client: usize,
    start: Instant,
    time: Duration,
) -> Result<Vec<Duration>> {
    let ids = best_sellers(&mut socket, &mut buffer, "product_id").await?;
    let id = ids.get(client).context("no best seller is left for this client")?;
    let (path, named) = (format!("/v1/products/{id}"), format!("\"product_id\":\"{id}\""));
    let mut latencies = Vec::new();
    let mut in_stock = true;
    // It ends as it began: in stock.
    while start.elapsed() < time || !in_stock {
        in_stock = !in_stock;
        let change = request("PATCH", &path, &format!("{{\"in_stock\":{in_stock}}}"));
        let ask = format!("{{\"user_id\":\"stranger-{client}\",\"limit\":100}}");
        let ask = request("POST", "/v1/recommendations", &ask);
        let sent = Instant::now();
        socket.write_all(change.as_bytes()).await?;
        answer(&mut socket, &mut buffer).await?;
        socket.write_all(ask.as_bytes()).await?;
        answer(&mut socket, &mut buffer).await?;
        latencies.push(sent.elapsed());
        let shown = String::from_utf8_lossy(&buffer).contains(&named);
        anyhow::ensure!(shown == in_stock, "{id} is in the answer: {shown}, in stock: {in_stock}");
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
            let mut headers = head.lines().filter_map(|line| line.split_once(": "));
            let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length = length.map(|(_, bytes)| bytes);
            bytes = Some(at + 4 + length.context("no content-length")?.parse::<usize>()?);
        }
    }
    Ok(())
}
