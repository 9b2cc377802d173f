//! Rows 39 to 41: as much as is allowed, and more than is kept.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use cartwheel_events::{Event, EventRecord, Record};
use cartwheel_stream::{Log, LogOptions, Stream};
use memchr::memmem;
use serde_json::{Value, json};

use crate::case::{Case, Shown};
use crate::disk::disk_of;
use crate::journal::wait_until;
use crate::kit::Node;
use crate::lake;

/// What memory may rise by, in MiB.
const RISE: f64 = 256.0;
const BATCH: u64 = 500;
/// Products of an event.
const PRODUCTS: u64 = 10;

/// Row 39.
pub fn new_products(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    let node = Node::start(&data, &[])?;
    let products = case.pick(20_000, 1_000_000);
    let events = products / PRODUCTS;
    let (_, memory) = node.memory_around(|| {
        let mut client = node.client()?;
        for first in (0..events).step_by(BATCH as usize) {
            let event = |n: u64| {
                let ids = n * PRODUCTS..(n + 1) * PRODUCTS;
                let ids: Vec<String> = ids.map(|id| format!("new-product-{id}")).collect();
                json!({"event_id": format!("n{n}"), "user_id": format!("u{}", n % 1000),
                       "event": "view", "product_ids": ids})
            };
            let batch: Vec<Value> = (first..(first + BATCH).min(events)).map(event).collect();
            let answer = client.post("/v1/events", &json!(batch))?;
            let failed = answer.json()["failed_count"].as_u64();
            ensure!(failed == Some(0), "{} {}", answer.status, answer.text());
        }
        Ok(())
    })?;
    ensure!(memory.rise() <= RISE, "memory rose by {:.0} MiB", memory.rise());
    let answer = node.post("/v1/recommendations", &json!({"user_id": "u1"}))?;
    ensure!(answer.status == 200, "{}", answer.text());
    node.stop()?;
    let rows = lake::rows(&data)?;
    ensure!(rows >= events, "{rows} rows of {events} events");
    Shown::all(products, format!("{PRODUCTS} new ids in each of {events} events"))
        .map(|shown| shown.with(memory))
}

/// Bytes that this thread has read by system calls.
fn bytes_read() -> Result<u64> {
    let counts = std::fs::read_to_string("/proc/thread-self/io")?;
    let read = counts.lines().find_map(|line| line.strip_prefix("rchar: "));
    Ok(read.context("/proc holds no rchar")?.parse()?)
}

/// Row 40.
pub fn erasures(case: &Case) -> Result<Shown> {
    const USERS: u64 = 1000;
    let dir = case.empty()?;
    let bytes: u64 = case.pick(24 << 20, 4 << 30);
    let options = LogOptions {
        segment_bytes: case.pick(4 << 20, 64 << 20),
        max_bytes: 2 * bytes,
        ..LogOptions::new(|| 1_780_000_000_000)
    };
    let log = Log::open(&dir, options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let ids: Vec<String> = (0..50).map(|n| format!("a-long-id-of-a-product-{n}")).collect();
    let mut put = 0;
    while disk_of(&dir)? < bytes {
        let record = |n: u64| {
            let user = format!("user-{}", n % (2 * USERS));
            let body = json!({"user_id": user, "event": "view", "product_ids": ids});
            let event = Event::from_json(&body).expect("an event");
            Record::Event(EventRecord::new(event, format!("e{n}"), 1_780_000_000_000))
        };
        let records = (put..put + 2 * USERS).map(record).collect();
        let stored = runtime.block_on(log.put(records));
        ensure!(stored.iter().all(Result::is_ok), "a put failed");
        put += 2 * USERS;
    }
    let bytes = disk_of(&dir)?;
    let next = log.stat().next;
    let users: Vec<String> = (0..USERS).map(|n| format!("user-{n}")).collect();
    let (read, start) = (bytes_read()?, Instant::now());
    let erased = log.erase(users.iter().map(|user| (user.as_str(), next)))?;
    let (read, took) = (bytes_read()? - read, start.elapsed());
    ensure!(erased == put / 2, "{erased} of {put} records erased");
    ensure!(read <= bytes * 5 / 4, "{read} bytes read of a log of {bytes}");
    drop(log);
    ensure!(!holds(&dir, b"\"user-7\"")?, "a record of an erased user is in the log");
    let mib = |bytes: u64| bytes >> 20;
    Shown::all(
        USERS,
        format!(
            "{erased} records in {:.1} s: {} MiB read of a log of {} MiB",
            took.as_secs_f64(),
            mib(read),
            mib(bytes)
        ),
    )
}

/// Whether the first file of a folder of segments contains a text.
fn holds(dir: &Path, text: &[u8]) -> Result<bool> {
    let mut files: Vec<_> = std::fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let first = files.first().context("no segment")?;
    Ok(memmem::find(&std::fs::read(first)?, text).is_some())
}

/// Row 41.
pub fn live_readers(case: &Case) -> Result<Shown> {
    /// Longest time that another client may wait meanwhile.
    const UNAFFECTED: Duration = Duration::from_millis(500);
    /// Most of the time in which each reader sees two views, of which there is one a second.
    const LIMIT: Duration = Duration::from_secs(60);
    /// What memory may rise by, in MiB: a connection and a view for each reader.
    const READERS_RISE: f64 = 512.0;
    let data = case.shop()?;
    let node = Node::start(&data, &[])?;
    let readers = case.pick(50, 1000);
    let before = node.handles()?.0;
    let mut slowest = Duration::ZERO;
    let (_, memory) = node.memory_around(|| {
        let mut open: Vec<(TcpStream, usize)> = Vec::new();
        for _ in 0..readers {
            let mut socket = TcpStream::connect(&node.address)?;
            socket.write_all(b"GET /v1/live HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
            socket.set_nonblocking(true)?;
            open.push((socket, 0));
        }
        let (start, mut buffer) = (Instant::now(), vec![0; 64 << 10]);
        while open.iter().any(|(_, seen)| *seen < 2) {
            ensure!(start.elapsed() < LIMIT, "some readers see nothing");
            for (socket, seen) in &mut open {
                match socket.read(&mut buffer) {
                    Ok(0) => anyhow::bail!("a reader was closed"),
                    Ok(count) => {
                        let text = String::from_utf8_lossy(&buffer[..count]);
                        *seen += text.matches("event: live").count();
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let asked = Instant::now();
            let event = json!({"user_id": "asker", "event": "view", "product_ids": ["1"]});
            let answer = node.post("/submit", &event)?;
            ensure!(answer.status == 200, "{}", answer.text());
            slowest = slowest.max(asked.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    })?;
    // A short run shares the machine with other tests.
    ensure!(!case.full || slowest <= UNAFFECTED, "another client waited for {slowest:?}");
    ensure!(memory.rise() <= READERS_RISE, "memory rose by {:.0} MiB", memory.rise());
    wait_until("the readers are gone", LIMIT, || Ok(node.handles()?.0 <= before + 16))?;
    node.stop()?;
    let note = format!("another client waited for {} ms at most", slowest.as_millis());
    Shown::all(readers, note).map(|shown| shown.with(memory))
}
