//! Row 3: what the kernel was asked, and in which order.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::case::{Case, Shown};
use crate::journal::{Journal, wait_until};
use crate::kit::{Node, SMALL_SEGMENTS};
use crate::lake;
use crate::strace::{self, Call, Strace};
use crate::traffic::Traffic;

const WATCHED: &str = "trace=fdatasync,fsync,sync_file_range,pwrite64,pwritev,write,writev,sendto,\
                       sendmsg,rename,renameat,renameat2,link,linkat,mkdir,mkdirat,openat,unlink";

/// Runs the server under load, and reads its calls.
pub fn order(case: &Case) -> Result<Shown> {
    strace::ensure_reads()?;
    ensure_finds()?;
    if let Some(reason) = strace::missing() {
        return Shown::skip(reason);
    }
    let data = case.shop()?;
    let node = Node::start(&data, &[SMALL_SEGMENTS])?;
    let watch = Strace::attach(node.pid(), &["-e", WATCHED], &data.with_extension("trace"))?;
    let journal = Journal::default();
    let traffic = Traffic::start(&node.address, &journal, "s", &[1, 1, 1, 20]);
    let enough = case.pick(1_500, 20_000);
    wait_until("all is acknowledged", Duration::from_secs(120), || {
        Ok(journal.acknowledged() >= enough)
    })?;
    traffic.stop();
    let n = journal.acknowledged() as u64;
    wait_until("all is delivered", Duration::from_secs(60), || Ok(lake::rows(&data)? >= n))?;
    // One more, so that the last checkpoint is followed by another.
    let traffic = Traffic::start(&node.address, &journal, "t", &[1]);
    wait_until("more is delivered", Duration::from_secs(30), || Ok(lake::rows(&data)? > n + 1))?;
    traffic.stop();
    node.stop()?;
    let calls = watch.end()?;
    journal.ensure_none_refused()?;
    let answers = answers_follow_syncs(&calls)?;
    ensure!(answers as usize >= enough, "only {answers} acknowledgements were seen");
    let named = names_are_synced(&calls, &data)?;
    ensure!(named.segments > 0 && named.parts > 0 && named.checkpoints > 1, "{named:?}");
    journal.ensure_exactly_once(&data)?;
    Shown::all(answers, format!("acknowledgements in {} calls; {named:?}", calls.len()))
}

/// A judge that lets everything pass would pass too: traces of servers that cheat.
fn ensure_finds() -> Result<()> {
    const WRITE: &str = "1 pwrite64(9</d/0.log>, \"{\\\"event_id\\\":\\\"e1\\\"}\", 20, 64) = 20\n";
    const SYNC: &str = "2 fdatasync(9</d/0.log>) = 0\n";
    const ANSWER: &str = "3 writev(5<socket:[1]>, [{iov_base=\"HTTP/1.1 200 OK\\r\\n\\r\\n\
                          {\\\"event_id\\\":\\\"e1\\\"}\", iov_len=40}], 1) = 40\n";
    let judged = |lines: &[&str]| answers_follow_syncs(&strace::calls(&lines.concat()));
    ensure!(judged(&[WRITE, SYNC, ANSWER])? == 1, "an honest server is not believed");
    ensure!(judged(&[WRITE, ANSWER, SYNC]).is_err(), "an answer before its sync passes");
    ensure!(judged(&[SYNC, WRITE, ANSWER]).is_err(), "a sync before its write passes");
    ensure!(judged(&[SYNC, ANSWER]).is_err(), "an answer without a write passes");
    let failed = SYNC.replace("= 0", "= -1 EIO (Input/output error)");
    ensure!(judged(&[WRITE, &failed, ANSWER]).is_err(), "a failed sync passes");
    let begun = SYNC.replace(") = 0", " <unfinished ...>");
    let ended = "2 <... fdatasync resumed>) = 0\n";
    ensure!(judged(&[&begun, WRITE, ended, ANSWER]).is_err(), "a sync that began early passes");
    ensure!(judged(&[WRITE, &begun, ANSWER, ended]).is_err(), "a sync that ends late passes");
    let part =
        "1 fsync(7</d/lake/a#1>) = 0\n1 rename(\"/d/lake/a#1\", \"/d/lake/a.parquet\") = 0\n";
    let folder = "1 fsync(7</d/lake>) = 0\n";
    let point = "1 fsync(8</d/delivery.new>) = 0\n\
                 1 rename(\"/d/delivery.new\", \"/d/delivery.json\") = 0\n";
    let judged = |lines: &[&str]| {
        names_are_synced(&strace::calls(&lines.concat()), Path::new("/d")).map(|named| named.parts)
    };
    ensure!(judged(&[part, folder, point])? == 1, "an honest delivery is not believed");
    ensure!(judged(&[part, point, folder]).is_err(), "a folder that is synced late passes");
    ensure!(judged(&[&part[part.find("1 ren").unwrap_or(0)..], folder]).is_err(), "unsynced");
    Ok(())
}

/// The ids of events in what a call was given. strace escapes quotes.
fn event_ids(arguments: &str) -> impl Iterator<Item = &str> {
    let after = arguments.split(r#"\"event_id\":\""#).skip(1);
    after.filter_map(|rest| rest.split('\\').next())
}

fn is_sync(call: &Call) -> bool {
    matches!(call.name.as_str(), "fsync" | "fdatasync") && call.succeeded()
}

/// Every 2xx with an event's id began after a sync ended that began after the event's
/// record was written. Gives how many.
fn answers_follow_syncs(calls: &[Call]) -> Result<u64> {
    let mut written: HashMap<&str, &Call> = HashMap::new();
    let mut syncs: HashMap<&str, Vec<&Call>> = HashMap::new();
    for call in calls {
        if call.name.starts_with("pwrite") && call.file().ends_with(".log") {
            for id in event_ids(&call.arguments) {
                written.entry(id).or_insert(call);
            }
        } else if is_sync(call) {
            syncs.entry(call.file()).or_default().push(call);
        }
    }
    let mut answers = 0;
    let sends = ["write", "writev", "sendto", "sendmsg"];
    for call in calls.iter().filter(|call| sends.contains(&call.name.as_str())) {
        if !(call.file().starts_with("socket") && call.arguments.contains("HTTP/1.1 200")) {
            continue;
        }
        for id in event_ids(&call.arguments) {
            let Some(write) = written.get(id) else {
                ensure!(false, "{id} is acknowledged, and its record was not written");
                continue;
            };
            ensure!(write.succeeded(), "{id} is acknowledged, and its write failed");
            let of_file = syncs.get(write.file()).map(Vec::as_slice).unwrap_or_default();
            let between = |sync: &&&Call| sync.began > write.ended && sync.ended < call.began;
            ensure!(
                of_file.iter().any(|sync| between(&sync)),
                "{id}: written on line {}, answered on line {}, no sync of {} between",
                write.ended + 1,
                call.began + 1,
                write.file()
            );
            answers += 1;
        }
    }
    Ok(answers)
}

/// What got a name.
#[derive(Debug, Default)]
struct Named {
    segments: u64,
    parts: u64,
    checkpoints: u64,
    folders: u64,
}

/// Files are synced before they get their names, and the names before anything builds
/// on them: a segment's before its first record, a part's before its checkpoint.
fn names_are_synced(calls: &[Call], data: &Path) -> Result<Named> {
    let mut named = Named::default();
    let checkpoint = data.join("delivery.json");
    let synced = |path: &Path, after: Option<usize>, before: usize| {
        let of_path = |call: &&Call| is_sync(call) && Path::new(call.file()) == path;
        calls
            .iter()
            .filter(of_path)
            .any(|sync| after.is_none_or(|after| sync.began > after) && sync.ended < before)
    };
    let names = ["rename", "renameat", "renameat2", "link", "linkat"];
    let is_name = |call: &Call| names.contains(&call.name.as_str()) && call.succeeded();
    let checkpoints: Vec<usize> = calls
        .iter()
        .filter(|call| is_name(call) && call.paths().get(1) == Some(&checkpoint))
        .map(|call| call.began)
        .collect();
    let next_checkpoint = |after: usize| checkpoints.iter().copied().find(|&at| at > after);
    // Scratch names are used again: what was synced under one before is another file.
    let mut moved: HashMap<PathBuf, usize> = HashMap::new();
    for call in calls.iter().filter(|call| call.succeeded()) {
        let paths = call.paths();
        if matches!(call.name.as_str(), "mkdir" | "mkdirat") {
            let Some(path) = paths.first().filter(|path| path.starts_with(data)) else { continue };
            named.folders += 1;
            let Some(before) = next_checkpoint(call.ended) else { continue };
            let parent = path.parent().unwrap_or(data);
            ensure!(
                synced(parent, Some(call.ended), before),
                "{} is a new folder, and {} is not synced before the next checkpoint",
                path.display(),
                parent.display()
            );
        }
        let (true, [from, to]) = (is_name(call), paths.as_slice()) else { continue };
        let (from, to): (&PathBuf, &PathBuf) = (from, to);
        let made = moved.insert(from.clone(), call.ended);
        let is = |extension: &str| to.extension().is_some_and(|x| x == extension);
        let before = if is("log") {
            named.segments += 1;
            let first = calls.iter().find(|write| {
                write.name.starts_with("pwrite") && Path::new(write.file()) == to.as_path()
            });
            first.map_or(usize::MAX, |write| write.began)
        } else if is("parquet") {
            named.parts += 1;
            next_checkpoint(call.ended).unwrap_or(usize::MAX)
        } else if *to == checkpoint {
            named.checkpoints += 1;
            // The last one may be cut off by the end of the trace.
            let Some(next) = next_checkpoint(call.ended) else { continue };
            next
        } else {
            continue;
        };
        ensure!(
            synced(from, made, call.began),
            "{} gets its name before its content is synced",
            to.display()
        );
        let folder = to.parent().unwrap_or(data);
        ensure!(
            synced(folder, Some(call.ended), before),
            "{} has its name, and {} is not synced in time",
            to.display(),
            folder.display()
        );
    }
    Ok(named)
}
