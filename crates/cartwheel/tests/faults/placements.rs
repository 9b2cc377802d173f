//! Row 28: kill -9 while placements are changed. The document is the old one or the new one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::case::{Case, Random, Shown};
use crate::journal::wait_until;
use crate::kit::{Client, Node};
use crate::strace::{self, Strace};

/// Clients that change placements, each one of its own.
const WRITERS: usize = 2;
/// Changes of a round that are acknowledged before the kill.
const BEFORE: u64 = 4;
/// Versions that are kept.
const KEPT: usize = 50;

/// A placement in its `n`th version: both numbers tell which.
fn placement(n: u64) -> Value {
    json!({
        "kind": "popular", "limit": n % 100 + 1, "filter": format!("price < {n}"),
        "fallback": ["new"],
    })
}

/// A client with its placement.
#[derive(Default)]
struct Writer {
    name: String,
    /// The version that was acknowledged last; 0 before the first.
    acknowledged: u64,
    /// The version that no answer came for.
    in_flight: Option<u64>,
    changes: u64,
}

impl Writer {
    /// Changes the placement until the server is gone.
    fn run(&mut self, address: &str, stop: &AtomicBool, all: &AtomicU64) -> Result<()> {
        let Ok(mut client) = Client::connect(address) else { return Ok(()) };
        while !stop.load(Ordering::Relaxed) {
            let n = self.acknowledged + 1;
            self.in_flight = Some(n);
            let path = format!("/v1/placements/{}", self.name);
            let body = placement(n).to_string();
            let Ok(answer) = client.send("PUT", &path, &[], body.as_bytes()) else { break };
            let (status, text) = (answer.status, answer.text());
            ensure!(status == 200 || status == 201, "{path}: {status} {text}");
            (self.acknowledged, self.in_flight) = (n, None);
            self.changes += 1;
            all.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Checks that a document has the placement as it was acknowledged, or as the change without an
    /// answer left it.
    fn check(&mut self, document: &Value) -> Result<()> {
        let found = &document["placements"][&self.name];
        let is = |n: u64| match n {
            0 => found.is_null(),
            n => *found == placement(n),
        };
        let unanswered = self.in_flight.take().filter(|n| is(*n));
        ensure!(
            is(self.acknowledged) || unanswered.is_some(),
            "{} is {found}, and {} was acknowledged",
            self.name,
            self.acknowledged
        );
        self.acknowledged = unanswered.unwrap_or(self.acknowledged);
        Ok(())
    }
}

/// Row 28.
pub fn kills(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    let kills = case.pick(4, 40);
    let mut random = case.random();
    let writer = |n| Writer { name: format!("w{n}"), ..Writer::default() };
    let mut writers: Vec<Writer> = (0..WRITERS).map(writer).collect();
    let (mut version, mut halfway) = (0, 0);
    for round in 0..kills {
        let node = Node::start(&data, &[])?;
        version = check(&node, &mut writers, version)?;
        // In every other round, each step of a change takes long, so that the kill falls into one.
        let slow = round % 2 == 1 && strace::missing().is_none();
        let watch = slow.then(|| attach(&node, &data, round, &mut random)).transpose()?;
        let (stop, made) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| -> Result<()> {
            let (address, stop, made) = (node.address.clone(), &stop, &made);
            let run = |writer| {
                let address = address.clone();
                scope.spawn(move || Writer::run(writer, &address, stop, made))
            };
            let clients: Vec<_> = writers.iter_mut().map(run).collect();
            let began = wait_until("changes are made", Duration::from_secs(30), || {
                Ok(made.load(Ordering::Relaxed) >= BEFORE)
            });
            std::thread::sleep(random.ms(1..if slow { 500 } else { 100 }));
            node.kill()?;
            stop.store(true, Ordering::Relaxed);
            clients.into_iter().try_for_each(|client| client.join().expect("a client ends"))?;
            began
        })?;
        watch.map(Strace::end).transpose()?;
        halfway += u64::from(is_halfway(&data)?);
    }
    let node = Node::start(&data, &[])?;
    version = check(&node, &mut writers, version)?;
    let answer = node.post("/v1/placements/w0", &json!({"user_id": "1"}))?;
    ensure!(answer.status == 200, "{}", answer.text());
    node.stop()?;
    let changes: u64 = writers.iter().map(|writer| writer.changes).sum();
    ensure!(changes >= BEFORE * kills, "it was hardly under load: {changes} changes");
    ensure!(version >= changes, "{changes} changes, but version {version}");
    let note = format!("{changes} changes acknowledged; {halfway} kills between two steps of one");
    Shown::all(kills, note)
}

/// Holds up every step of a change: what is written is synced, then named.
fn attach(node: &Node, data: &Path, round: u64, random: &mut Random) -> Result<Strace> {
    let steps = "rename,renameat,renameat2,fsync,unlink,unlinkat";
    let delay = format!("inject={steps}:delay_enter={}", 5_000 + random.below(30_000));
    let trace = data.with_extension(format!("{round}.trace"));
    Strace::attach(node.pid(), &["-e", &format!("trace={steps}"), "-e", &delay], &trace)
}

/// Whether a change has copied the current version to the history and not replaced it, or has left
/// a file that it wrote.
fn is_halfway(data: &Path) -> Result<bool> {
    let folder = data.join("lake/documents/placements");
    if !folder.exists() {
        return Ok(false);
    }
    let is_scratch = |folder: &Path| -> Result<bool> {
        let mut entries = folder.read_dir()?.flatten();
        Ok(entries.any(|entry| entry.file_name().to_string_lossy().starts_with('.')))
    };
    let Ok(bytes) = std::fs::read(folder.join("current.json")) else { return Ok(true) };
    let current: Value = serde_json::from_slice(&bytes).context("current.json is half")?;
    let history = folder.join("history");
    let copied = history.join(format!("{}.json", current["version"])).exists();
    Ok(copied || is_scratch(&folder)? || (history.exists() && is_scratch(&history)?))
}

/// Checks the document and its history after a start, and returns its version.
fn check(node: &Node, writers: &mut [Writer], before: u64) -> Result<u64> {
    let document = node.get("/v1/placements")?.json();
    let version = document["version"].as_u64().context("no version")?;
    ensure!(version >= before, "version {version} after {before}");
    for writer in writers {
        writer.check(&document)?;
    }
    let history = node.get("/v1/placements/history?limit=50")?.json();
    let versions = history["versions"].as_array().context("no versions")?;
    let numbers: Option<Vec<u64>> = versions.iter().map(|v| v["version"].as_u64()).collect();
    let kept = usize::try_from(version)?.min(KEPT) as u64;
    let expected: Vec<u64> = (version - kept + 1..=version).rev().collect();
    ensure!(numbers.as_ref() == Some(&expected), "{version}: the history is {numbers:?}");
    Ok(version)
}
