//! Rows 16 and 25: many users, and many events.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::case::{Case, Memory, Shown};
use crate::disk::disk_of;
use crate::journal::wait_until;
use crate::kit::{Client, Node};
use crate::lake;

const BATCH: u64 = 500;
/// What memory may rise by, in MiB, however many users there are.
const USERS_RISE: f64 = 256.0;

/// A batch of events with these numbers, `users` shoppers in turn.
fn batch(name: &str, first: u64, users: u64) -> Value {
    let event = |n: u64| {
        json!({"event_id": format!("{name}-{n}"), "user_id": format!("{name}{}", n % users),
               "event": "view", "product_ids": [(n % 200 + 1).to_string()]})
    };
    json!((first..first + BATCH).map(event).collect::<Vec<_>>())
}

/// So many hundredths of them are not longer.
fn percentile(times: &mut [Duration], hundredths: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len() * hundredths / 100).copied().unwrap_or_default()
}

/// Row 16. Few and many users take turns, so that whatever else the machine does is
/// the same for both.
pub fn many_users(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    let node = Node::start(&data, &[])?;
    let (pairs, chunk) = case.pick((5, 4_000), (40, 25_000));
    let users = pairs * chunk;
    // The p99 of each chunk: one hiccup of the machine spoils one of them.
    let mut p99s: [Vec<Duration>; 2] = Default::default();
    let mut halfway = 0;
    let (_, memory) = node.memory_around(|| {
        for pair in 0..pairs {
            // Each comes first as often as the other.
            for turn in 0..2 {
                let many = (turn + pair) % 2 == 1;
                let (name, wheel) = if many { ("many", users) } else { ("few", 16) };
                let mut times = chunk_of(&node, name, pair * chunk, chunk, wheel)?;
                p99s[usize::from(many)].push(percentile(&mut times, 99));
            }
            if pair + 1 == pairs / 2 {
                halfway = node.memory()?.0;
            }
        }
        Ok(())
    })?;
    let answer = node.get("/v1/users/many1/cart")?;
    ensure!(answer.status == 200, "a user of long ago: {}", answer.text());
    node.stop()?;
    let [few, many] = p99s.each_mut().map(|chunks| percentile(chunks, 50));
    ensure!(lake::rows(&data)? >= users * 2, "{} rows", lake::rows(&data)?);
    ensure!(memory.rise() <= USERS_RISE, "memory rose by {:.0} MiB", memory.rise());
    let later = memory.after.saturating_sub(halfway) / 1024;
    // A short run ends before the cache of sessions is full.
    let is_level = later <= 64 || case.pick(true, false);
    ensure!(is_level, "memory rose by {later} MiB in the second half");
    // A short run has few answers to judge by.
    ensure!(many <= few * case.pick(4, 2), "p99 {few:?} with 16 users, {many:?} with {users}");
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let note =
        format!("p99 of /submit {:.1} ms with 16 users, {:.1} ms with {users}", ms(few), ms(many));
    Ok(Shown::all(users, note)?.with(memory))
}

/// Sends a chunk in batches, and meanwhile asks as one shopper; gives how long that took.
fn chunk_of(node: &Node, name: &str, first: u64, events: u64, users: u64) -> Result<Vec<Duration>> {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let sent = (|| {
                let mut client = node.client()?;
                for at in (first..first + events).step_by(BATCH as usize) {
                    let answer = client.post("/v1/events", &batch(name, at, users))?;
                    let failed = answer.json()["failed_count"].as_u64();
                    ensure!(failed == Some(0), "{} {}", answer.status, answer.text());
                }
                Ok(())
            })();
            ended.store(true, Ordering::Relaxed);
            sent
        });
        let mut times = Vec::new();
        let mut client = node.client()?;
        while !ended.load(Ordering::Relaxed) {
            let start = Instant::now();
            let event = json!({"user_id": "asker", "event": "view", "product_ids": ["1"]});
            let answer = client.post("/submit", &event)?;
            ensure!(answer.status == 200, "{}", answer.text());
            times.push(start.elapsed());
            std::thread::sleep(Duration::from_millis(2));
        }
        sending.join().expect("a client ends")?;
        Ok(times)
    })
}

/// FNV-1a of an id: summed over many ids, it tells whether two sets are the same.
fn sum_of(id: &str) -> u64 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// What is bounded.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    /// KiB.
    memory: u64,
    handles: u64,
    threads: u64,
    /// Bytes.
    log: u64,
}

fn sample(node: &Node, data: &Path) -> Result<Sample> {
    let (handles, threads) = node.handles()?;
    let log = disk_of(&data.join("stream"))?;
    Ok(Sample { memory: node.memory()?.0, handles, threads, log })
}

/// The median of each.
fn median(samples: &[Sample]) -> Sample {
    let of = |field: fn(&Sample) -> u64| {
        let mut values: Vec<u64> = samples.iter().map(field).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Sample {
        memory: of(|s| s.memory),
        handles: of(|s| s.handles),
        threads: of(|s| s.threads),
        log: of(|s| s.log),
    }
}

/// Row 25: a day's traffic and more, as fast as it goes, with a log that holds little.
pub fn soak(case: &Case) -> Result<Shown> {
    const CLIENTS: u64 = 4;
    const LOG: u64 = 48 << 20;
    const SAMPLES: u64 = 60;
    // So many shoppers that each has acted more often than a session remembers early on:
    // what grows then grows for another reason.
    let users = case.pick(50, 4_000);
    let events = if case.long_soak { 50_000_000 } else { case.pick(80_000, 5_000_000) };
    let data = case.shop()?;
    let log = LOG.to_string();
    let small =
        [("CARTWHEEL_STREAM_SEGMENT_BYTES", "4194304"), ("CARTWHEEL_STREAM_MAX_BYTES", &log)];
    let node = Node::start(&data, &small)?;
    let (stored, sum, waited) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let samples = Mutex::new(Vec::new());
    let start = Instant::now();
    let (_, memory) = node.memory_around(|| {
        std::thread::scope(|scope| {
            let client = |number: u64| {
                let (stored, sum, waited, address) = (&stored, &sum, &waited, &node.address);
                move || -> Result<()> {
                    let name = format!("c{number}");
                    let mut client = Client::connect(address)?;
                    for first in (0..events / CLIENTS).step_by(BATCH as usize) {
                        one_batch(&mut client, &batch(&name, first, users), waited)?;
                        let ids = (first..first + BATCH).map(|n| sum_of(&format!("{name}-{n}")));
                        sum.fetch_add(ids.fold(0, u64::wrapping_add), Ordering::Relaxed);
                        stored.fetch_add(BATCH, Ordering::Relaxed);
                    }
                    Ok(())
                }
            };
            let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(client(number))).collect();
            let mut next = events / SAMPLES;
            while !clients.iter().all(|client| client.is_finished()) {
                if stored.load(Ordering::Relaxed) >= next {
                    samples.lock().expect("nobody panics").push(sample(&node, &data)?);
                    next += events / SAMPLES;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            clients.into_iter().try_for_each(|client| client.join().expect("a client ends"))
        })
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let stored = stored.into_inner();
    wait_until("all is delivered", Duration::from_secs(60), || Ok(lake::rows(&data)? >= stored))?;
    let answer = node.post("/v1/recommendations", &json!({"user_id": "c0"}))?;
    ensure!(answer.status == 200, "{}", answer.text());
    node.stop()?;
    let ids = lake::event_ids(&data)?;
    let delivered = ids.iter().map(|id| sum_of(id)).fold(0, u64::wrapping_add);
    ensure!(ids.len() as u64 == stored, "{} rows of {stored} events", ids.len());
    ensure!(delivered == sum.into_inner(), "the rows are not those that were acknowledged");
    let samples = samples.into_inner().context("samples")?;
    bounded(&samples, LOG, memory, case.full)?;
    let last = samples.last().copied().unwrap_or_default();
    let note = format!(
        "{:.0} events/s, {} refusals waited out; {} handles, {} threads, {} MiB of log at the end",
        stored as f64 / seconds,
        waited.into_inner(),
        last.handles,
        last.threads,
        last.log >> 20
    );
    Ok(Shown::all(stored, note)?.with(memory))
}

/// Sends a batch until all of it is stored: an id that was stored is stored once.
fn one_batch(client: &mut Client, body: &Value, waited: &AtomicU64) -> Result<()> {
    for _ in 0..10_000 {
        let answer = client.post("/v1/events", body)?;
        match (answer.status, answer.json()["failed_count"].as_u64()) {
            (200, Some(0)) => return Ok(()),
            (200, Some(_)) | (429 | 503, _) => {}
            (status, _) => anyhow::bail!("{status} {}", answer.text()),
        }
        waited.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(50));
    }
    anyhow::bail!("a batch is refused for ever")
}

/// The last third is like the one in the middle, and the log keeps within its size.
fn bounded(samples: &[Sample], log: u64, memory: Memory, full: bool) -> Result<()> {
    let third = samples.len() / 3;
    ensure!(third > 2, "only {} samples", samples.len());
    let (middle, end) = (median(&samples[third..2 * third]), median(&samples[2 * third..]));
    let rise = end.memory.saturating_sub(middle.memory) / 1024;
    // A short run ends before memory and threads that wait for the disk have come to what they stay at.
    ensure!(rise <= 24 || !full, "memory rose by {rise} MiB in the last third: {memory:?}");
    ensure!(end.handles <= middle.handles + 16, "from {middle:?} to {end:?}");
    let more_threads = if full { 8 } else { 32 };
    ensure!(end.threads <= middle.threads + more_threads, "from {middle:?} to {end:?}");
    let most = samples.iter().map(|sample| sample.log).max().unwrap_or_default();
    // One more segment is prepared ahead.
    ensure!(most <= log + (8 << 20), "the log took {most} bytes of {log}");
    Ok(())
}
