//! Rows 22 to 24 and 29 to 38: what other tests show, and data of other releases.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::case::{Case, Shown};
use crate::kit::Node;
use crate::traffic::event;
use crate::{access, lake, log_file};

/// As `make test` builds them: nothing is compiled twice.
const AS_TESTED: [&str; 3] = ["--workspace", "--features", "cartwheel/aws"];

/// Runs cargo with other tests, and gives what they print.
fn cargo_test(build: &[&str], arguments: &[&str]) -> Result<String> {
    // What cargo has set for this process is not set for `make test`: with it, crates that
    // look at it (ring's build script at OUT_DIR) would be compiled anew. By name, as make
    // calls it: where that is rustup's, it sets again what was set then.
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let kept = matches!(&*text, "CARGO_HOME" | "CARGO_TARGET_DIR");
        let set = matches!(&*text, "LD_LIBRARY_PATH" | "OUT_DIR") || text.starts_with("CARGO");
        if set && !kept {
            command.env_remove(&name);
        }
    }
    let out = command
        .args(["test", "--quiet"])
        .args(build)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let why = || format!("{text}{}", String::from_utf8_lossy(&out.stderr));
    ensure!(out.status.success(), "cargo test {arguments:?}: {}", why());
    Ok(text)
}

/// Runs some tests of other targets, and says how many held.
fn tests(targets: &[&str], filters: &[&str]) -> Result<Shown> {
    let text = cargo_test(&AS_TESTED, &[targets, &["--"], filters].concat())?;
    let results = text.lines().filter_map(|line| line.strip_prefix("test result: ok. "));
    let passed = results.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum();
    ensure!(passed > 0, "there is no test {filters:?}: {text}");
    Shown::all(passed, format!("tests {} of {}", filters.join(", "), targets.join(" ")))
}

/// The same in the full form. The short form is a part of `make test`, which runs them itself.
fn within(case: &Case, targets: &[&str], filters: &[&str]) -> Result<Shown> {
    if case.full {
        return tests(targets, filters);
    }
    let what = format!("tests {} of {}", filters.join(", "), targets.join(" "));
    Shown::skip(format!("{what}: run within `make test`, and here with --full"))
}

/// Row 22.
pub fn aws(case: &Case) -> Result<Shown> {
    const WHERE: &str = "crates/cartwheel-aws/tests/aws/faults.rs";
    let emulators =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../cartwheel-testkit/node_modules/.installed");
    if !case.full {
        return Shown::skip(format!("{WHERE}: runs within `make test`, and here with --full"));
    }
    if !emulators.exists() {
        return Shown::skip(format!("{WHERE}: the emulators are not installed; `make test` does"));
    }
    tests(&["--test", "aws"], &["faults"])
}

/// Row 23.
pub fn workflow(case: &Case) -> Result<Shown> {
    within(case, &["--test", "acceptance"], &["pipeline::a_run"])
}

/// Row 29.
pub fn sites(case: &Case) -> Result<Shown> {
    within(case, &["--lib"], &["tests::sites::"])
}

/// Row 30.
pub fn removed_keys(case: &Case) -> Result<Shown> {
    const API: &str = "without_a_key_left_nobody_is_admitted_until_keys_are_disabled";
    const FILES: &str = "from_the_first_key_on_requests_need_one_until_keys_are_disabled";
    within(case, &["--lib"], &[API, FILES])
}

/// Row 31.
pub fn shoppers(case: &Case) -> Result<Shown> {
    within(case, &["--lib"], &["tests::tokens::"])
}

/// Row 32.
pub fn lost_pages(case: &Case) -> Result<Shown> {
    const FILTERS: [&str; 4] = [
        "a_power_cut_at_any_step_loses_no_acknowledged_record",
        "the_log_behaves_like_a_list",
        "an_erasure_whose_sync_failed_is_written_again",
        "a_log_that_lost_its_end_goes_on_after_every_checkpoint",
    ];
    within(case, &["--lib"], &FILTERS)
}

/// Row 33.
pub fn small_files(case: &Case) -> Result<Shown> {
    within(case, &["--lib"], &["flipped_bit"])
}

/// Row 34.
pub fn large_sessions(case: &Case) -> Result<Shown> {
    within(case, &["--lib"], &["the_largest_sessions_stay_within_their_memory"])
}

/// Row 35.
pub fn dying_tasks(case: &Case) -> Result<Shown> {
    within(case, &["--lib"], &["dying_tasks::"])
}

/// Row 36.
pub fn asked_to_end(case: &Case) -> Result<Shown> {
    const FILTER: &str = "a_server_that_is_asked_to_end_does_so_in_time_and_loses_nothing";
    within(case, &["--test", "acceptance"], &[FILTER])
}

/// Row 37.
pub fn backups(case: &Case) -> Result<Shown> {
    within(case, &["--test", "acceptance"], &["backup::", "s3_backups::"])
}

/// Row 38.
pub fn simulation(case: &Case) -> Result<Shown> {
    const STEPS: u64 = 1_000_000;
    if !case.full {
        return Shown::skip(
            "crates/cartwheel-node/tests/simulation: runs within `make test`, and here with --full",
        );
    }
    // A world's seed is that of the row with six more digits.
    let (steps, seed) = (STEPS.to_string(), (case.seed % STEPS).to_string());
    let options = ["--test", "simulation", "--", "--steps", &steps, "--seed", &seed];
    let text = cargo_test(&["--profile", "checked", "--package", "cartwheel-node"], &options)?;
    let summary = text.lines().find(|line| line.contains(" steps in ")).context("no summary")?;
    Shown::all(STEPS, summary)
}

/// Row 24.
pub fn releases(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    let node = Node::start(&data, &[])?;
    node.stop()?;
    // The format's version is the last byte of the magic.
    let path = log_file::segments(&data.join("stream"))?.pop().context("a segment")?;
    let mut bytes = std::fs::read(&path)?;
    bytes[7] += 1;
    std::fs::write(&path, &bytes)?;
    let refusal = Node::start(&data, &[]).err().map(|error| error.to_string()).unwrap_or_default();
    let name = path.file_name().and_then(|name| name.to_str()).context("a name")?;
    ensure!(refusal.contains(name) && refusal.contains("format"), "a newer log: {refusal}");
    ensure!(std::fs::read(&path)? == bytes, "a newer log was changed");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut read = Vec::new();
    for entry in std::fs::read_dir(fixtures)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("a name")?;
        if let Some(release) = name.strip_prefix("data-").and_then(|n| n.strip_suffix(".tar.zst")) {
            earlier(case, &path).with_context(|| format!("data of {release}"))?;
            read.push(release.to_owned());
        }
    }
    ensure!(!read.is_empty(), "there is no data of an earlier release");
    Shown::all(read.len() as u64 + 1, format!("data of {read:?} is read; a newer log is refused"))
}

/// Serves what an earlier release left, and goes on with it.
fn earlier(case: &Case, archive: &Path) -> Result<()> {
    let unpacked = case.empty()?;
    let file = zstd::Decoder::new(std::fs::File::open(archive)?)?;
    tar::Archive::new(file).unpack(&unpacked)?;
    // The directory itself, or one that holds it.
    let inner = std::fs::read_dir(&unpacked)?.flatten().map(|entry| entry.path());
    let data = match unpacked.join("lake").exists() {
        true => unpacked.clone(),
        false => inner.into_iter().find(|path| path.join("lake").exists()).context("no lake")?,
    };
    let before = lake::event_ids(&data)?.len();
    // It may know keys already, and then asks for one.
    let key = access::key(&data, "faults", "admin")?;
    let node = Node::start(&data, &[])?;
    let post = |path: &str, body: &Value| {
        node.client()?.send("POST", path, &[("x-api-key", &key)], body.to_string().as_bytes())
    };
    let answer = post("/v1/recommendations", &json!({"user_id": "1"}))?.json();
    let some = answer["recommendations"].as_array().is_some_and(|list| !list.is_empty());
    // A model with other columns gives way to rules, and the answer says so.
    let by_rules = answer["model_version"] == "none";
    ensure!(some && answer["degraded"] == by_rules, "{answer}");
    let answer = post("/submit", &event("after-an-update", 1))?;
    ensure!(answer.status == 200, "{}", answer.text());
    node.stop()?;
    let after = lake::event_ids(&data)?;
    let own = after.iter().filter(|id| *id == "after-an-update").count();
    ensure!(own == 1 && after.len() > before, "{before} rows became {}", after.len());
    Ok(())
}
