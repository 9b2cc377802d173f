//! Rows 1, 2, 8 and 9: what was acknowledged is there, once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cartwheel_stream::simulation;
use serde_json::json;

use crate::case::{Case, Shown};
use crate::journal::Journal;
use crate::kit::Node;
use crate::strace::{self, Strace};
use crate::traffic::{Traffic, event};
use crate::{lake, shop};

/// Longest time from a start on what a kill left to readiness.
const RESTART: Duration = Duration::from_secs(2);

/// How long a delivery is waited for that a kill is to fall into.
const WAIT: Duration = Duration::from_secs(3);

/// Row 1.
pub fn kills(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    let kills = case.pick(3, 20);
    let mut random = case.random();
    let journal = Journal::default();
    let mut slowest = Duration::ZERO;
    for round in 0..kills {
        let node = Node::start(&data, &[])?;
        if round > 0 {
            slowest = slowest.max(node.started_in);
        }
        let name = format!("k{round}");
        let traffic = Traffic::start(&node.address, &journal, &name, &[1, 1, 50, 50]);
        std::thread::sleep(random.ms(50..1500));
        node.kill()?;
        traffic.stop();
    }
    let node = Node::start(&data, &[])?;
    slowest = slowest.max(node.started_in);
    node.stop()?;
    journal.ensure_none_refused()?;
    journal.ensure_exactly_once(&data)?;
    let n = journal.acknowledged();
    ensure!(n > 100 * kills as usize, "it was hardly under load: {n} events");
    ensure!(slowest < RESTART, "a restart took {slowest:?}");
    Shown::all(kills, format!("{n} acknowledged; slowest restart {} ms", slowest.as_millis()))
}

/// Row 2: the stream's own disk is simulated, and keeps what was synced and no more.
pub fn power_cuts(case: &Case) -> Result<Shown> {
    const ACTIONS: usize = 40;
    let mut random = case.random();
    let mut tried = 0;
    let runs = case.pick(1, 12);
    for _ in 0..runs {
        let report = simulation::power_cuts(random.next(), ACTIONS);
        tried += report.tried as u64;
        let failures = report.failures.len();
        ensure!(failures == 0, "{failures} of {tried}: {}", report.failures.join("; "));
    }
    Shown::all(tried, format!("cuts in {runs} runs of a simulated disk, also while opening"))
}

/// Files of a delivery that are there, but not yet under a name that readers look at.
fn staged(data: &Path) -> bool {
    let parquet = |path: &PathBuf| path.extension().is_some_and(|x| x == "parquet");
    !lake::files(&data.join("lake/events")).iter().all(parquet)
}

/// Row 8: each step of a delivery is held up, so that a kill falls into it.
pub fn kills_in_delivery(case: &Case) -> Result<Shown> {
    if let Some(reason) = strace::missing() {
        return Shown::skip(reason);
    }
    let data = case.shop()?;
    let kills = case.pick(3, 30);
    let mut random = case.random();
    let journal = Journal::default();
    let mut in_write = 0;
    let mut seen = Vec::new();
    for round in 0..kills {
        let node = Node::start(&data, &[])?;
        let name = format!("d{round}");
        // What the delivery does around a part: made, synced, named, checkpointed.
        let steps = "rename,renameat,renameat2,link,linkat,fsync,mkdir,mkdirat";
        let trace = data.with_extension(format!("{round}.trace"));
        let slow = format!("inject={steps}:delay_enter={}", 20_000 + random.below(60_000));
        let watch = [format!("trace={steps}"), slow];
        let watch = Strace::attach(node.pid(), &["-e", &watch[0], "-e", &watch[1]], &trace)?;
        let traffic = Traffic::start(&node.address, &journal, &name, &[50, 1]);
        // A few parts further on, a delivery comes each second.
        let enough = lake::parts(&data).len() + random.index(3);
        let start = Instant::now();
        while (lake::parts(&data).len() < enough || !staged(&data)) && start.elapsed() < WAIT {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Every third falls at once, the others somewhat later: into any step, or none.
        if round % 3 > 0 {
            std::thread::sleep(random.ms(0..120));
        }
        node.kill()?;
        // What is staged then stays until the next start.
        in_write += u64::from(staged(&data));
        watch.end()?;
        traffic.stop();
        // A part that can be seen is whole, or reading it fails.
        seen.push(lake::event_ids(&data)?.len());
    }
    let node = Node::start(&data, &[])?;
    node.stop()?;
    journal.ensure_none_refused()?;
    journal.ensure_exactly_once(&data)?;
    ensure!(in_write > 0, "no kill fell into a write");
    let n = journal.acknowledged();
    Shown::all(
        kills,
        format!("{in_write} kills with a part half written; rows then {seen:?}, {n} in the end"),
    )
}

/// Row 9.
pub fn repeated_ids(case: &Case) -> Result<Shown> {
    const TIMES: usize = 10;
    let data = case.shop()?;
    let ids: Vec<String> = (0..case.pick(10, 100)).map(|n| format!("r-{n}")).collect();
    let at_once = |node: &Node, n: u64, id: &str| -> Result<BTreeSet<String>> {
        let barrier = Barrier::new(TIMES);
        let one = || -> Result<String> {
            let mut client = node.client()?;
            barrier.wait();
            let answer = client.post("/submit", &event(id, n))?;
            ensure!(answer.status == 200, "{id}: {} {}", answer.status, answer.text());
            Ok(answer.json()["record_id"].to_string())
        };
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..TIMES).map(|_| scope.spawn(one)).collect();
            clients.into_iter().map(|client| client.join().expect("a client ends")).collect()
        })
    };
    let mut records = Vec::new();
    let node = Node::start(&data, &[])?;
    for (n, id) in ids.iter().enumerate() {
        let record = at_once(&node, n as u64, id)?;
        ensure!(record.len() == 1, "{id} has {} records: {record:?}", record.len());
        records.push(record);
    }
    // Once as another event, and once within a batch.
    let other = json!({"event_id": "r-0", "user_id": "u0", "event": "view", "product_ids": ["9"]});
    let answer = node.post("/submit", &other)?;
    ensure!(answer.status == 422, "another event with the id: {}", answer.status);
    let batch: Vec<_> = ids.iter().zip(0..).map(|(id, n)| event(id, n)).collect();
    let answer = node.post("/v1/events", &json!(batch))?.json();
    ensure!(answer["failed_count"] == 0, "{answer}");
    node.kill()?;
    let node = Node::start(&data, &[])?;
    for (n, (id, before)) in ids.iter().zip(&records).enumerate() {
        let after = at_once(&node, n as u64, id)?;
        ensure!(&after == before, "{id} was {before:?}, and after a restart {after:?}");
    }
    // And once behind more of its shopper's events than a session remembers: compaction
    // does.
    let busy = |n: usize| {
        json!({"event_id": format!("b-{n}"), "user_id": "u0", "event": "view",
                                 "product_ids": ["1"]})
    };
    let between: Vec<String> = (0..200).map(|n| format!("b-{n}")).collect();
    let answer = node.post("/v1/events", &json!((0..200).map(busy).collect::<Vec<_>>()))?.json();
    ensure!(answer["failed_count"] == 0, "{answer}");
    let answer = node.post("/submit", &event(&ids[0], 0))?;
    ensure!(answer.status == 200, "{}", answer.text());
    node.stop()?;
    shop::cartwheel(&data, &["lake", "compact"]).map_err(anyhow::Error::msg)?;
    let mut rows = lake::event_ids(&data)?;
    rows.sort_unstable();
    let mut expected = [ids.clone(), between].concat();
    expected.sort_unstable();
    let twice: Vec<_> = rows.windows(2).filter(|two| two[0] == two[1]).collect();
    ensure!(twice.is_empty(), "{} rows stand twice: {:?}", twice.len(), twice.first());
    ensure!(rows == expected, "{} rows of {} ids", rows.len(), expected.len());
    Shown::all(
        ids.len() as u64,
        "each 10 times at once, in a batch, and 10 times after kill -9; one behind 200 others",
    )
}
