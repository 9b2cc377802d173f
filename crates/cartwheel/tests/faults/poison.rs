//! Rows 12 and 15: one bad thing among many good ones.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use cartwheel_lake::guarded;
use serde_json::{Value, json};

use crate::case::{Case, Random, Shown};
use crate::journal::{Journal, wait_until};
use crate::kit::{Node, SMALL_SEGMENTS};
use crate::traffic;
use crate::{lake, log_file, shop};

/// The byte at a place of a record's data.
type Data = fn(usize) -> u8;

/// What is no record.
const POISON: [(&str, Data); 3] = [
    ("text that is no JSON", |at| b"poison "[at % 7]),
    ("bytes that are no text", |at| 0x80 | at as u8),
    ("JSON that is no record", |at| if at == 0 { b'7' } else { b' ' }),
];

/// Row 12: a record's data replaced, with a CRC that fits.
pub fn one_record(case: &Case) -> Result<Shown> {
    const RECORDS: u64 = 500;
    let mut random = case.random();
    let rounds = case.pick(1, 3);
    for (kind, data) in (0..rounds).flat_map(|_| POISON) {
        poisoned(case, RECORDS, random.index(RECORDS as usize), data).context(kind)?;
    }
    let tried = rounds * POISON.len() as u64;
    Shown::all(tried, "499 rows and one line of errors/ each; what came later follows")
}

fn poisoned(case: &Case, records: u64, which: usize, poison: Data) -> Result<()> {
    let data = case.shop()?;
    let waiting = [SMALL_SEGMENTS, ("CARTWHEEL_DELIVERY_MAX_AGE_SECONDS", "3600")];
    let node = Node::start(&data, &waiting)?;
    let journal = Journal::default();
    let ids: Vec<String> = (0..records).map(|n| format!("p-{n}")).collect();
    traffic::send(&mut node.client()?, &journal, &ids, 0)?;
    journal.ensure_none_refused()?;
    node.kill()?;
    let path = log_file::segments(&data.join("stream"))?.swap_remove(0);
    let mut bytes = std::fs::read(&path)?;
    let span = log_file::records(&bytes)?[which];
    let before: Value = serde_json::from_slice(&bytes[span.data..span.end])?;
    let lost = before["event_id"].as_str().context("an event")?.to_owned();
    log_file::replace(&mut bytes, span, poison);
    std::fs::write(&path, &bytes)?;
    let node = Node::start(&data, &[SMALL_SEGMENTS])?;
    let later: Vec<String> = (0..100).map(|n| format!("l-{n}")).collect();
    traffic::send(&mut node.client()?, &journal, &later, 0)?;
    journal.ensure_none_refused()?;
    wait_until("the shards move on", Duration::from_secs(20), || {
        Ok(lake::rows(&data)? >= records - 1 + later.len() as u64)
    })?;
    node.stop()?;
    ensure!(journal.entries().acknowledged.remove(&lost), "{lost} was not acknowledged");
    journal.ensure_exactly_once(&data)?;
    let mut errors = Vec::new();
    for path in lake::files(&data.join("lake/errors")) {
        if path.extension().is_some_and(|x| x == "ndjson") {
            let text = std::fs::read_to_string(&path)?;
            ensure!(text.is_ascii() || !text.chars().any(char::is_control), "raw control bytes");
            for line in text.lines() {
                errors.push(serde_json::from_str::<Value>(line)?);
            }
        }
    }
    ensure!(errors.len() == 1, "{} lines in errors/: {errors:?}", errors.len());
    let error = &errors[0];
    ensure!(error["sequence"] == span.sequence && error["shard"] == span.shard, "{error}");
    ensure!(error["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{error}");
    ensure!(error["data"].as_str().is_some_and(|data| !data.is_empty()), "{error}");
    Ok(())
}

/// Damages a file in one to four places.
pub fn damage(file: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.index(4) {
        if file.is_empty() {
            return;
        }
        let at = random.index(file.len());
        let end = (at + 1 + random.index(24)).min(file.len());
        match random.below(6) {
            0 | 1 => file[at] ^= 1 << random.below(8),
            2 => file[at] = random.next() as u8,
            3 => file[at..end].fill(if random.below(2) == 0 { 0xff } else { 0 }),
            4 => drop(file.drain(at..end)),
            _ => file.truncate(at),
        }
    }
}

/// Row 15: parts of checkouts with damage, beside whole ones.
pub fn corrupt_parquet(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    let node = Node::start(&data, &[])?;
    let buy = |n: usize| {
        json!({"user_id": format!("buyer-{}", n % 30), "event": "checkout",
                               "product_ids": [(n % 200 + 1).to_string(), "7"]})
    };
    let answer = node.post("/v1/events", &json!((0..300).map(buy).collect::<Vec<_>>()))?.json();
    ensure!(answer["failed_count"] == 0, "{answer}");
    node.stop()?;
    let whole = lake::parts(&data);
    let pattern = whole.iter().max_by_key(|path| path.metadata().map_or(0, |file| file.len()));
    let pattern = std::fs::read(pattern.context("a part")?)?;
    let features = |data: &Path| -> Result<Value> {
        let said = shop::cartwheel(data, &["--json", "features"]);
        Ok(serde_json::from_str(&said.map_err(anyhow::Error::msg)?)?)
    };
    let before = features(&data)?;
    let folder = data.join("lake/events/year=2020/month=01/day=01/hour=00");
    std::fs::create_dir_all(&folder)?;
    let mut random = case.random();
    let mutations = case.pick(100, 1000);
    let mut unreadable = Vec::new();
    for n in 0..mutations {
        let mut bytes = pattern.clone();
        damage(&mut bytes, &mut random);
        let path = folder.join(format!("part-0000-{:020}-{:020}.parquet", n * 10, n * 10 + 5));
        std::fs::write(&path, bytes)?;
        // Some damage hits bytes that nobody looks at; over some the reader panics.
        let read = guarded(|| lake::read_checkouts(&path).map_err(std::io::Error::other));
        if read.is_err() {
            unreadable.push(path);
        }
    }
    let said = data.with_extension("said");
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .arg("--data-dir")
        .arg(&data)
        .args(["--json", "features"])
        .current_dir(&data)
        .stderr(std::fs::File::create(&said)?)
        .output()?;
    let said = std::fs::read_to_string(said)?;
    ensure!(out.status.success(), "features ended with {}: {said}", out.status);
    ensure!(!said.contains("panicked"), "features panicked: {said}");
    let after: Value = serde_json::from_slice(&out.stdout)?;
    for path in &whole {
        ensure!(!said.contains(&path.display().to_string()), "{} is whole", path.display());
    }
    let unnamed: Vec<_> =
        unreadable.iter().filter(|path| !said.contains(&path.display().to_string())).collect();
    ensure!(
        unnamed.is_empty(),
        "{} of {} damaged files are not named: {:?}",
        unnamed.len(),
        unreadable.len(),
        unnamed.first()
    );
    let users = |set: &Value| set["users"].as_u64().context("features tell no users");
    ensure!(users(&after)? >= users(&before)?, "{before} became {after}");
    // And a server that shows and serves the lake bears it too.
    let node = Node::start(&data, &[])?;
    for path in ["/v1/lake", "/v1/lake/tables/events", "/v1/quality", "/v1/popular"] {
        let answer = node.get(path)?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text());
    }
    node.stop()?;
    let note =
        format!("{} could not be read, and each is named; the rest went on", unreadable.len());
    Shown::all(mutations, note)
}
