//! Row 27: kill -9 during an import.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::case::{Case, Shown};
use crate::lake;

/// Lines of each shop's file.
const LINES: u64 = 20_000;

/// Two shops' files replace each other; the import is killed at seeded moments. What is visible
/// is always one of the two as a whole.
pub fn kills(case: &Case) -> Result<Shown> {
    let data = case.empty()?;
    let sources = ["a", "b"].map(|shop| data.with_file_name(format!("{shop}.csv")));
    for (source, shop) in sources.iter().zip(["a", "b"]) {
        std::fs::write(source, orders(shop))?;
    }
    let started = Instant::now();
    finish(import(&data, &sources[0])?)?;
    let whole = started.elapsed().max(Duration::from_millis(50));
    let mut random = case.random();
    let (tries, mut interrupted, mut current) = (case.pick(5, 60), 0, "a");
    for _ in 0..tries {
        let (source, next) = if current == "a" { (&sources[1], "b") } else { (&sources[0], "a") };
        let mut running = import(&data, source)?;
        std::thread::sleep(random.ms(1..u64::try_from(whole.as_millis())? + 1));
        running.kill()?;
        running.wait()?;
        let visible = visible(&data)?;
        ensure!(
            visible == ids(current) || visible == ids(next),
            "{} of {LINES} lines are visible after a kill",
            visible.len()
        );
        if visible == ids(current) {
            interrupted += 1;
            finish(import(&data, source)?).context("the import after a kill")?;
            ensure!(self::visible(&data)? == ids(next), "the import after a kill is not whole");
            let parts = lake::files(&data.join("lake/events"));
            let named: BTreeSet<PathBuf> = named(&data, "events")?.into_iter().collect();
            let remaining = parts.iter().find(|part| !named.contains(*part));
            ensure!(remaining.is_none(), "a killed import left {remaining:?}");
        }
        current = next;
    }
    ensure!(interrupted > 0, "every import ended before it was killed");
    let note = format!("{interrupted} killed before the end; a whole one takes {whole:.1?}");
    Shown::all(tries, note)
}

/// The orders of a shop, one a line.
fn orders(shop: &str) -> String {
    let mut text = "order_id,customer,sku,date\n".to_owned();
    for n in 0..LINES {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{shop}{n},c{},p{},2025-{:02}-03", n % 997, n % 89, n % 12 + 1);
    }
    text
}

fn ids(shop: &str) -> BTreeSet<String> {
    (0..LINES).map(|n| format!("{shop}{n}")).collect()
}

fn import(data: &Path, source: &Path) -> Result<Child> {
    let command = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .arg("--data-dir")
        .arg(data)
        .args(["import", "orders", "--replace"])
        .arg(source)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    command.context("cartwheel")
}

fn finish(import: Child) -> Result<()> {
    let done = import.wait_with_output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// The parts of a table that the manifest names.
fn named(data: &Path, table: &str) -> Result<Vec<PathBuf>> {
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(data.join("lake/imports/current.json"))?)?;
    let parts = manifest[table].as_array().context("the manifest names no parts")?;
    let path = |part: &Value| Some(data.join("lake").join(part.as_str()?));
    parts.iter().map(|part| path(part).context("a part is no path")).collect()
}

/// The ids of all orders that readers see. Every named part has to be whole.
fn visible(data: &Path) -> Result<BTreeSet<String>> {
    let mut ids = Vec::new();
    for part in named(data, "events")? {
        lake::read(&part, "event_id", &mut ids).with_context(|| part.display().to_string())?;
    }
    let count = ids.len();
    let ids: BTreeSet<String> = ids.into_iter().flatten().collect();
    ensure!(ids.len() == count, "an order is there twice");
    Ok(ids)
}
