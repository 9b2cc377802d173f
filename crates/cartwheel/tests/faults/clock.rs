//! Row 10: a clock that jumps by more than a year, forth and back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context as _, Result, ensure};
use cartwheel_stream::{Log, LogOptions, Sequence, Stream};
use serde_json::{Value, json};

use crate::case::{Case, Shown};
use crate::journal::Journal;
use crate::kit::{Node, SMALL_SEGMENTS};
use crate::log_damage::{fill, options, read_all, record, runtime};
use crate::traffic;

const DAY_MS: i64 = 24 * 3_600_000;
/// Most segments that a jump may cost: two that were due, and what comes anyhow.
const EXPIRED: u64 = 3;

/// In process, and over the binary where libfaketime is.
pub fn jumps(case: &Case) -> Result<Shown> {
    let jumps = case.pick(6, 40);
    let note = in_process(case, jumps)?;
    let Some(library) = libfaketime() else {
        let note = format!("{note}; not over the binary: libfaketime is not installed");
        return Shown::all(jumps, note);
    };
    let served = over_the_binary(case, &library)?;
    Shown::all(jumps + served, format!("{note}; {served} under a server with libfaketime"))
}

fn in_process(case: &Case, jumps: u64) -> Result<String> {
    static NOW_MS: AtomicI64 = AtomicI64::new(0);
    NOW_MS.store(1_700_000_000_000, Ordering::SeqCst);
    let runtime = runtime()?;
    let mut random = case.random();
    let options = LogOptions { clock: || NOW_MS.load(Ordering::SeqCst), ..options(16 << 10) };
    let log = Log::open(&case.empty()?, options)?;
    fill(&runtime, &log, 3000)?;
    let before = log.stat();
    ensure!(before.segments > 20, "{before:?}");
    let mut last = Sequence::from(before.next - 1);
    let mut oldest = read_all(&runtime, &log)?.keys().next().copied().context("records")?;
    for jump in 0..jumps {
        let days = if jump % 2 == 0 { 400 } else { -400 } + random.below(3) as i64 - 1;
        NOW_MS.fetch_add(days * DAY_MS, Ordering::SeqCst);
        let segments = log.stat();
        for n in 0..4 {
            let put = runtime.block_on(log.put(vec![record(&format!("j{jump}-{n}"), n)?]));
            let sequence = put[0].clone()?.sequence;
            ensure!(sequence > last, "{sequence} follows {last}");
            last = sequence;
        }
        let after = log.stat();
        ensure!(after.segments as u64 + EXPIRED >= segments.segments as u64, "{after:?}");
        let first = read_all(&runtime, &log)?.keys().next().copied().context("records")?;
        ensure!(first >= oldest, "{first} comes before {oldest}");
        oldest = first;
    }
    let after = log.stat();
    // One segment more at each of these jumps at the most.
    ensure!(after.segments * 2 > before.segments, "from {before:?} to {after:?}");
    Ok(format!("{jumps} jumps: {} segments before, {} after", before.segments, after.segments))
}

fn libfaketime() -> Option<PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"];
    let file = |folder: &str| Path::new(folder).join("faketime/libfaketimeMT.so.1");
    folders.iter().map(|folder| file(folder)).find(|path| path.exists())
}

fn over_the_binary(case: &Case, library: &Path) -> Result<u64> {
    let data = case.shop()?;
    let clock = data.with_extension("clock");
    let set = |days: i64| std::fs::write(&clock, format!("{days:+}d\n"));
    set(0)?;
    let (library, file) = (library.display().to_string(), clock.display().to_string());
    let variables = [
        SMALL_SEGMENTS,
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", file.as_str()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let mut node = Node::start(&data, &variables)?;
    let cart = json!({"user_id": "keeper", "event": "add_to_cart", "product_ids": ["3"],
                      "event_id": "keep"});
    let journal = Journal::default();
    let answer = node.post("/submit", &cart)?;
    journal.entries().sent.insert("keep".to_owned());
    traffic::note(&journal, &["keep".to_owned()], &answer);
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let jumps = [400, 0, -400, 0, 400, -400, 0];
    for (jump, days) in jumps.into_iter().enumerate() {
        set(days)?;
        if jump % 3 == 2 {
            // A start has to bear it too.
            node.stop()?;
            node = Node::start(&data, &variables)?;
        }
        let mut client = node.client()?;
        for n in 0..40_u64 {
            let id = format!("c{jump}-{n}");
            journal.entries().sent.insert(id.clone());
            let answer = client.post("/submit", &traffic::event(&id, n))?;
            ensure!(answer.status == 200, "{days:+} days: {}", answer.text());
            traffic::note(&journal, &[id], &answer);
            let record = answer.json()["record_id"].as_str().unwrap_or_default().to_owned();
            let (shard, number) = record.split_once('-').context("a record's id")?;
            let number = number.parse()?;
            let before = last.insert(shard.to_owned(), number);
            ensure!(before.is_none_or(|before| number > before), "{record} after {before:?}");
        }
        let ready = node.get("/readyz")?;
        ensure!(ready.status == 200, "{days:+} days: not ready: {}", ready.text());
    }
    let cart = node.get("/v1/users/keeper/cart")?.json();
    let kept = cart.to_string().contains("\"3\"");
    ensure!(kept, "the cart did not survive the clock's going forth and back: {cart}");
    let again: Value = json!({"user_id": "keeper", "event": "add_to_cart", "product_ids": ["3"],
                              "event_id": "keep"});
    let answer = node.post("/submit", &again)?;
    ensure!(answer.status == 200, "{}", answer.text());
    node.stop()?;
    journal.ensure_none_refused()?;
    journal.ensure_exactly_once(&data)?;
    Ok(jumps.len() as u64)
}
