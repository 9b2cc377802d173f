//! Runs the rows, two at a time, and shows the table.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use crate::case::{Case, Memory, Random, Shown};
use crate::rows::{ROWS, Row};

/// Rows that run at once, but for those that measure.
const AT_ONCE: usize = 2;

/// What the command line asks for.
#[derive(Default)]
struct Asked {
    full: bool,
    soak: bool,
    seed: Option<u64>,
    only: Vec<u8>,
    /// Words of the fault, as `cargo test WORDS` gives them to every target.
    words: Vec<String>,
    json: Option<PathBuf>,
    list: bool,
}

fn asked(mut args: impl Iterator<Item = String>) -> Result<Asked> {
    let mut asked = Asked::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--full" => asked.full = true,
            "--soak" => {
                (asked.full, asked.soak) = (true, true);
                asked.only = vec![25];
            }
            "--seed" => asked.seed = Some(value()?.parse()?),
            "--json" => asked.json = Some(value()?.into()),
            "--only" => {
                let numbers = value()?;
                let numbers: Result<Vec<u8>, _> = numbers.split(',').map(str::parse).collect();
                asked.only = numbers.context("--only takes numbers, as 5,6")?;
            }
            "--list" => asked.list = true,
            // What `cargo test` hands to all of its targets, and means the test harness.
            "--test-threads" | "--format" | "--color" | "--skip" => drop(value()?),
            flag if flag.starts_with('-') && !flag.starts_with("--test-threads=") => {
                let known = ["--nocapture", "--no-capture", "--show-output", "--quiet", "-q"];
                let known = [&known[..], &["--exact", "--ignored", "--include-ignored"]].concat();
                if !known.contains(&flag) {
                    bail!("{flag} is not known: --full --soak --only --seed --json");
                }
            }
            word => asked.words.push(word.to_lowercase()),
        }
    }
    Ok(asked)
}

/// What became of a row.
#[derive(Serialize)]
struct Ended {
    row: u8,
    fault: &'static str,
    /// `passed`, `failed` or `skipped`.
    outcome: &'static str,
    passed: u64,
    tried: u64,
    seed: u64,
    seconds: f64,
    /// Resident memory in KiB.
    memory: Option<Memory>,
    note: String,
}

/// The whole program: 0 only where no row failed.
pub fn main() -> ExitCode {
    match table() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn table() -> Result<bool> {
    let asked = asked(std::env::args().skip(1))?;
    let wanted = |row: &&Row| {
        let fault = format!("faults {}", row.fault.to_lowercase());
        (asked.only.is_empty() || asked.only.contains(&row.number))
            && (asked.words.is_empty() || asked.words.iter().any(|word| fault.contains(word)))
    };
    let rows: Vec<&Row> = ROWS.iter().filter(wanted).collect();
    if asked.list {
        rows.iter().for_each(|row| println!("{:>2} {}", row.number, row.fault));
        return Ok(true);
    }
    more_descriptors();
    let seed = match asked.seed {
        Some(seed) => seed,
        // The short form is the same each time; the full one looks further each time.
        None if !asked.full => 1,
        None => std::time::UNIX_EPOCH.elapsed()?.as_secs(),
    };
    let place = tempfile::Builder::new().prefix("faults-").tempdir()?;
    let form = if asked.full { "full" } else { "short" };
    println!("Faults, {form} form, seed {seed}");
    let (alone, beside): (Vec<&Row>, Vec<&Row>) = rows.into_iter().partition(|row| row.alone);
    let ended = Mutex::new(Vec::new());
    let queue = Mutex::new(VecDeque::from(beside));
    let work = |queue: &Mutex<VecDeque<&Row>>| {
        loop {
            let row = lock(queue).pop_front();
            let Some(row) = row else { return };
            let row_seed = Random::new(seed).part(u64::from(row.number)).next();
            // A seed that was named replays what a row printed.
            let row_seed =
                if asked.seed.is_some() && !asked.only.is_empty() { seed } else { row_seed };
            let done = one(row, &asked, row_seed, place.path());
            show(&done);
            lock(&ended).push(done);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| work(&queue));
        }
    });
    work(&Mutex::new(VecDeque::from(alone)));
    let mut ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    ended.sort_by_key(|row| row.row);
    close(&ended);
    if let Some(path) = &asked.json {
        let table = serde_json::json!({"form": form, "seed": seed, "rows": ended});
        std::fs::write(path, serde_json::to_vec_pretty(&table)?)
            .with_context(|| path.display().to_string())?;
    }
    let held = ended.iter().all(|row| row.outcome != "failed");
    if !held {
        let kept = place.keep();
        println!("Directories of failed rows are kept in {}", kept.display());
    }
    Ok(held)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn one(row: &Row, asked: &Asked, seed: u64, place: &Path) -> Ended {
    let start = Instant::now();
    let dir = place.join(format!("row-{}", row.number));
    let run = || -> Result<Shown> {
        let case = Case::new(asked.full, asked.soak, seed, dir.clone())?;
        let shown = (row.run)(&case)?;
        let panics = case.panics();
        match panics.first() {
            Some(panic) => bail!("{} panics of the server: {panic}", panics.len()),
            None => Ok(shown),
        }
    };
    // A row is an ordinary function: what it unwraps in vain is that row's failure.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    let result = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        bail!("{}", text.unwrap_or("a panic without a message"))
    });
    let (outcome, shown) = match result {
        Ok(Shown { skipped: Some(reason), .. }) => {
            ("skipped", Shown { note: reason, ..Shown::default() })
        }
        Ok(shown) if shown.passed == shown.tried && shown.tried > 0 => ("passed", shown),
        Ok(shown) => ("failed", shown),
        Err(error) => {
            let replay = format!("replay: --only {} --seed {seed}", row.number);
            let form = if asked.full { " --full" } else { "" };
            let note = format!("{error:#} [{replay}{form}; {}]", dir.display());
            ("failed", Shown { note, ..Shown::default() })
        }
    };
    if outcome != "failed" {
        // Else somebody will want to look.
        let _ = std::fs::remove_dir_all(&dir);
    }
    Ended {
        row: row.number,
        fault: row.fault,
        outcome,
        passed: shown.passed,
        tried: shown.tried,
        seed,
        seconds: start.elapsed().as_secs_f64(),
        memory: shown.memory,
        note: shown.note,
    }
}

fn show(row: &Ended) {
    println!("  {:<8}{:>2}  {}  ({:.1} s)", row.outcome, row.row, row.fault, row.seconds);
    // The table may be an hour away.
    if row.outcome == "failed" {
        println!("            {}", row.note);
    }
}

/// The table, with a plain line at its end.
fn close(rows: &[Ended]) {
    let head = ["row", "fault", "passed/tried", "seed", "seconds", "memory MiB", "note"];
    println!("\n| {} |\n|{}", head.join(" | "), " --- |".repeat(head.len()));
    for row in rows {
        let counts = match row.outcome {
            "passed" => format!("{}/{}", row.passed, row.tried),
            outcome if row.tried > 0 => format!("{outcome} {}/{}", row.passed, row.tried),
            outcome => outcome.to_owned(),
        };
        let memory = row.memory.map_or_else(String::new, |memory| {
            let mib = |kib: u64| kib.div_ceil(1024);
            format!("{} → {} → {}", mib(memory.before), mib(memory.peak), mib(memory.after))
        });
        let note = row.note.replace('|', "\\|").replace('\n', " ");
        println!(
            "| {} | {} | {counts} | {} | {:.1} | {memory} | {note} |",
            row.row, row.fault, row.seed, row.seconds
        );
    }
    let count = |outcome: &str| rows.iter().filter(|row| row.outcome == outcome).count();
    let skipped = match count("skipped") {
        0 => String::new(),
        n => format!(", {n} skipped"),
    };
    println!("\n{} passed, {} failed{skipped}", count("passed"), count("failed"));
}

/// Thousands of sockets need as many descriptors; children inherit the limit.
fn more_descriptors() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read or write the struct that they are given.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max.min(65_536);
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}
