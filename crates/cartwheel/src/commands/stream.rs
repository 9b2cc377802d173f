//! `stream`: a look at the log's files, also while a server writes them.

use std::time::Duration;

use anyhow::Result;
use cartwheel_stream::{LogFiles, Verified};
use serde_json::{Value, json};

use crate::cli;
use crate::data_dir::DataDir;
use crate::show::{bar, print, result};

/// How often `tail --follow` looks for more.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub fn run(place: &DataDir, command: cli::Stream, as_json: bool) -> Result<()> {
    match command {
        cli::Stream::Stat => {
            let found = verify(place)?;
            result(as_json, &view(&found), || stat(&found));
            Ok(())
        }
        cli::Stream::Verify => {
            let found = verify(place)?;
            result(as_json, &view(&found), || stat(&found) + &damage(&found));
            let places = found.damaged.len();
            anyhow::ensure!(places == 0, "records are missing at {places} places");
            Ok(())
        }
        cli::Stream::Tail { from, shard, follow, records } => {
            tail(place, from, shard, follow, records)
        }
    }
}

fn verify(place: &DataDir) -> Result<Verified> {
    let progress = bar("reading the log", 0);
    let found = LogFiles::verify(&place.stream(), |done, all| {
        progress.set_length(all);
        progress.set_position(done);
    });
    progress.finish_and_clear();
    Ok(found?)
}

fn view(found: &Verified) -> Value {
    let damaged = found.damaged.iter().map(
        |place| json!({"file": place.path, "offset": place.offset, "sequence": place.sequence}),
    );
    json!({
        "segments": found.segments, "bytes": found.bytes, "first": found.first,
        "next": found.next, "records": found.records, "passed_over": found.passed_over,
        "oldest_ms": found.times_ms.map(|times| times.0),
        "newest_ms": found.times_ms.map(|times| times.1),
        "damaged": damaged.collect::<Vec<_>>(), "unfinished_bytes": found.unfinished_bytes,
    })
}

fn stat(found: &Verified) -> String {
    let all: u64 = found.records.iter().sum();
    let mut out = format!(
        "{all} records in {} segments ({:.1} MB), sequence numbers {} to {}\n",
        found.segments,
        found.bytes as f64 / 1e6,
        found.first,
        found.next.saturating_sub(1).max(found.first)
    );
    if let Some((oldest, newest)) = found.times_ms {
        out.push_str(&format!("Put from {} to {}\n", time(oldest), time(newest)));
    }
    for (shard, count) in found.records.iter().enumerate() {
        out.push_str(&format!("  shard {shard:<4}{count:>12} records\n"));
    }
    if found.passed_over > 0 {
        let count = found.passed_over;
        out.push_str(&format!("{count} records are passed over: lost numbers, or erased\n"));
    }
    out
}

fn damage(found: &Verified) -> String {
    if found.damaged.is_empty() {
        return "Every record is whole\n".to_owned();
    }
    let line = |place: &cartwheel_stream::Damage| {
        let (path, offset, sequence) = (place.path.display(), place.offset, place.sequence);
        format!("DAMAGED {path} at byte {offset}: records from {sequence} on are missing\n")
    };
    found.damaged.iter().map(line).collect()
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

/// Prints records as lines of JSON, whatever `--json` says.
fn tail(
    place: &DataDir,
    from: Option<u64>,
    shard: Option<u32>,
    follow: bool,
    records: u64,
) -> Result<()> {
    let from = match from {
        Some(from) => from,
        None => LogFiles::end(&place.stream())?.saturating_sub(records),
    };
    let mut files = LogFiles::open(&place.stream(), from)?;
    loop {
        let entries = files.read()?;
        let is_end = entries.is_empty();
        for entry in entries {
            let Some(its_shard) = entry.shard.filter(|its| shard.is_none_or(|s| s == *its)) else {
                continue;
            };
            let record = serde_json::from_slice::<Value>(&entry.data)
                .unwrap_or_else(|_| String::from_utf8_lossy(&entry.data).into());
            let line = json!({"sequence": entry.sequence, "shard": its_shard,
                              "time_ms": entry.time_ms, "record": record});
            print(&line.to_string());
        }
        if is_end {
            if !follow {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
