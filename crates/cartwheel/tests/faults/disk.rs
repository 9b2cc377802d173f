//! Rows 6, 7 and 11: a disk that is full, that fails, or that takes no more of the lake.

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::case::{Case, Shown, copy_shop};
use crate::journal::{Journal, wait_until};
use crate::kit::{Node, SMALL_SEGMENTS};
use crate::strace::{self, Strace};
use crate::traffic::{Traffic, event};

/// Space that a full disk has left when the load begins.
const LEFT: u64 = 4 << 20;
/// Space of the whole disk: a shop and a server's own files take most of it.
const DISK: u64 = 96 << 20;

/// A file system in memory, unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    /// Mounts it, or says why that is not possible here.
    fn new(at: &Path, bytes: u64) -> Result<Self, String> {
        let size = format!("size={bytes}");
        let out =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        match out {
            Ok(out) if out.status.success() => Ok(Self(at.to_owned())),
            Ok(out) => Err(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Free bytes of the file system that holds `path`.
fn free(path: &Path) -> Result<u64> {
    let out = Command::new("df").args(["--output=avail", "-B1"]).arg(path).output()?;
    let text = String::from_utf8(out.stdout)?;
    text.lines().nth(1).and_then(|line| line.trim().parse().ok()).context("df tells no bytes")
}

/// Reads go on: what needs no space is answered.
fn ensure_reads(node: &Node) -> Result<()> {
    for path in ["/healthz", "/v1/popular", "/v1/products?limit=5", "/v1/users/u1/cart"] {
        let answer = node.get(path)?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text());
    }
    let question = json!({"user_id": "1", "cart": ["1", "2"]});
    let answer = node.post("/v1/recommendations", &question)?;
    let some = answer.json()["recommendations"].as_array().is_some_and(|list| !list.is_empty());
    ensure!(answer.status == 200 && some, "{} {}", answer.status, answer.text());
    Ok(())
}

/// Only with these statuses, and always with the time to come again.
fn ensure_refused_with(journal: &Journal, statuses: &[u16]) -> Result<u64> {
    let entries = journal.entries();
    let refused: u64 = entries.refused.values().sum();
    let fits = entries.refused.keys().all(|status| statuses.contains(status));
    ensure!(refused > 0 && fits, "refused {:?}: {:?}", entries.refused, entries.problem);
    ensure!(
        entries.retry_after == refused,
        "{} of {refused} refusals say when to come again",
        entries.retry_after
    );
    Ok(refused)
}

/// Row 6.
pub fn full(case: &Case) -> Result<Shown> {
    let data = case.empty()?;
    let mount = match Mount::new(&data, DISK) {
        Ok(mount) => mount,
        Err(why) => return Shown::skip(format!("a tmpfs cannot be mounted here: {why}")),
    };
    copy_shop(&data)?;
    let node = Node::start(&data, &[SMALL_SEGMENTS])?;
    let journal = Journal::default();
    let rounds = case.pick(1, 4);
    let mut refused = 0;
    for round in 0..rounds {
        let left = free(&data)?;
        ensure!(left > LEFT, "the disk is too small for this: {left} bytes left");
        let ballast = data.join("ballast");
        File::create(&ballast)?.write_all(&vec![1; (left - LEFT) as usize])?;
        let name = format!("f{round}");
        let traffic = Traffic::start(&node.address, &journal, &name, &[1, 50, 500]);
        wait_until("events are refused", Duration::from_secs(60), || {
            Ok(journal.entries().refused.values().sum::<u64>() > refused + 200)
        })?;
        ensure_reads(&node)?;
        ensure!(node.memory()?.0 < 512 << 10, "memory grows: {:?}", node.memory());
        // Some time of it, and then space again: nobody restarts anything.
        std::thread::sleep(Duration::from_secs(case.pick(1, 5)));
        std::fs::remove_file(&ballast)?;
        let stored = journal.acknowledged();
        wait_until("events are taken again", Duration::from_secs(15), || {
            Ok(journal.acknowledged() > stored + 100)
        })?;
        traffic.stop();
        refused = ensure_refused_with(&journal, &[503, 507])?;
    }
    node.stop()?;
    journal.ensure_exactly_once(&data)?;
    drop(mount);
    let n = journal.acknowledged();
    Shown::all(rounds, format!("{refused} events refused, {n} acknowledged and delivered once"))
}

/// Row 7.
pub fn failed_sync(case: &Case) -> Result<Shown> {
    if let Some(reason) = strace::missing() {
        return Shown::skip(reason);
    }
    let rounds = case.pick(1, 5);
    let mut random = case.random();
    let mut refused = 0;
    let mut stored = 0;
    for round in 0..rounds {
        let data = case.shop()?;
        let node = Node::start(&data, &[])?;
        let journal = Journal::default();
        let traffic = Traffic::start(&node.address, &journal, "e", &[1, 1, 20]);
        wait_until("there is load", Duration::from_secs(20), || Ok(journal.acknowledged() > 200))?;
        std::thread::sleep(random.ms(0..400));
        // From here on no sync of the log succeeds; every other file is as it was.
        let log = crate::log_file::segments(&data.join("stream"))?.pop().context("a segment")?;
        let log = log.display().to_string();
        let options =
            ["-P", &log, "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO"];
        let watch = Strace::attach(node.pid(), &options, &data.with_extension("trace"))?;
        wait_until("events are refused", Duration::from_secs(20), || {
            Ok(journal.entries().refused.values().sum::<u64>() > 50)
        })?;
        let before = journal.acknowledged();
        std::thread::sleep(Duration::from_millis(300));
        traffic.stop();
        ensure!(journal.acknowledged() == before, "acknowledged without a sync");
        refused += ensure_refused_with(&journal, &[503])?;
        let answer = node.post("/submit", &event("late", 1))?;
        ensure!(answer.status == 503, "{} {}", answer.status, answer.text());
        let ready = node.get("/readyz")?;
        ensure!(ready.status == 503, "round {round}: /readyz says {}", ready.text());
        ensure!(node.get("/healthz")?.status == 200);
        let answer = node.post("/v1/recommendations", &json!({"user_id": "1"}))?;
        ensure!(answer.status == 200, "reads stop too: {}", answer.text());
        node.kill()?;
        let failed = watch.end()?.into_iter().filter(|call| call.result == Some(-1)).count();
        ensure!(failed == 1, "the sync that failed was tried {failed} times");
        journal.entries().sent.insert("late".to_owned());
        let node = Node::start(&data, &[])?;
        let answer = node.post("/submit", &event("late", 1))?;
        ensure!(answer.status == 200, "after a restart: {}", answer.text());
        node.stop()?;
        journal.ensure_exactly_once(&data)?;
        stored += journal.acknowledged();
    }
    Shown::all(rounds, format!("{stored} acknowledged before, {refused} refused after, one sync"))
}

/// Row 11: the lake takes nothing, while events come as fast as they can.
pub fn stopped_delivery(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    // A file where the folder of events should be stops root too.
    let (events, aside) = (data.join("lake/events"), data.join("lake/events-aside"));
    let small = [SMALL_SEGMENTS, ("CARTWHEEL_STREAM_MAX_BYTES", "4194304")];
    let node = Node::start(&data, &small)?;
    let journal = Journal::default();
    let traffic = Traffic::start(&node.address, &journal, "w", &[50, 500]);
    wait_until("a delivery was made", Duration::from_secs(20), || Ok(events.exists()))?;
    File::create(&aside)?;
    let (_, memory) = node.memory_around(|| {
        exchange(&events, &aside)?;
        let start = Instant::now();
        wait_until("events are refused", Duration::from_secs(60), || {
            Ok(!journal.entries().refused.is_empty())
        })?;
        let most = disk_of(&data.join("stream"))?;
        ensure!(most <= 6 << 20, "the log holds {most} bytes");
        let full = Duration::from_secs(case.pick(3, 30));
        std::thread::sleep(full.saturating_sub(start.elapsed()));
        ensure_reads(&node)
    })?;
    let before = journal.acknowledged();
    exchange(&events, &aside)?;
    wait_until("events are taken again", Duration::from_secs(30), || {
        Ok(journal.acknowledged() > before + 1000)
    })?;
    traffic.stop();
    let refused = ensure_refused_with(&journal, &[429, 503])?;
    node.stop()?;
    journal.ensure_exactly_once(&data)?;
    ensure!(memory.rise() <= 64.0, "memory rose by {:.0} MiB", memory.rise());
    let n = journal.acknowledged();
    let shown = Shown::all(n as u64, format!("{refused} events refused, none lost"))?;
    Ok(shown.with(memory))
}

/// Swaps two names at once, so that no delivery falls in between.
fn exchange(one: &Path, other: &Path) -> Result<()> {
    let name = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes());
    let (one, other) = (name(one)?, name(other)?);
    let here = libc::AT_FDCWD;
    // SAFETY: both are strings that end with a zero.
    let done =
        unsafe { libc::renameat2(here, one.as_ptr(), here, other.as_ptr(), libc::RENAME_EXCHANGE) };
    ensure!(done == 0, "two names cannot be swapped: {}", std::io::Error::last_os_error());
    Ok(())
}

/// Bytes of a folder's files.
pub fn disk_of(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        // A file may go while it is looked at.
        bytes += entry?.metadata().map_or(0, |file| file.len());
    }
    Ok(bytes)
}
