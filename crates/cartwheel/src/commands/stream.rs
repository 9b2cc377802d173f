//! `stream`: inspects the log's files, also while a server writes them.

use std::time::Duration;

use anyhow::Result;
use cartwheel_stream::{LogFiles, Verified};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::context::Context;
use crate::show::{bar, counted, print, result};
use cartwheel_node::DataDir;

/// Time between two looks of `tail --follow`.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The subcommands of `stream`.
#[derive(Debug, Subcommand)]
pub enum Stream {
    /// Count records by shard, with the times of the oldest and the newest.
    #[command(after_help = "Example:\n  cartwheel stream stat --json | jq .next")]
    Stat,
    /// Read every record and report each damaged place. Fails if there is one.
    #[command(after_help = "Example:\n  cartwheel stream verify && echo intact")]
    Verify,
    /// Print records as lines of JSON.
    #[command(after_help = "Examples:
  cartwheel stream tail --records 20
  cartwheel stream tail --follow | jq -c 'select(.record.event == \"checkout\")'")]
    Tail(Tail),
}

/// The arguments of `stream tail`.
#[derive(Debug, Args)]
pub struct Tail {
    /// First sequence number to print [default: that of the last `--records`].
    #[arg(long)]
    from: Option<u64>,
    /// Print this shard only.
    #[arg(long)]
    shard: Option<u32>,
    /// Continue as records are written.
    #[arg(long, short)]
    follow: bool,
    /// Number of last records, over all shards.
    #[arg(long, short = 'n', default_value_t = 10)]
    records: u64,
}

/// Runs a subcommand of `stream`.
pub fn run(context: &Context, command: Stream) -> Result<()> {
    let Context { data_dir, json, .. } = context;
    match command {
        Stream::Stat => {
            let found = verify(data_dir)?;
            result(*json, &to_json(&found), || text(&found));
            Ok(())
        }
        Stream::Verify => {
            let found = verify(data_dir)?;
            result(*json, &to_json(&found), || text(&found) + &damage(&found));
            let places = found.damaged.len();
            anyhow::ensure!(places == 0, "records are missing at {places} places");
            Ok(())
        }
        Stream::Tail(args) => tail(data_dir, &args),
    }
}

fn verify(data_dir: &DataDir) -> Result<Verified> {
    let progress = bar("reading the log", 0);
    let found = LogFiles::verify(&data_dir.stream(), |done, all| {
        progress.set_length(all);
        progress.set_position(done);
    });
    progress.finish_and_clear();
    Ok(found?)
}

fn to_json(found: &Verified) -> Value {
    let damaged = found.damaged.iter().map(
        |place| json!({"file": place.path, "offset": place.offset, "sequence": place.sequence}),
    );
    json!({
        "segments": found.segments, "bytes": found.bytes, "first": found.first,
        "next": found.next, "records": found.records, "passed_over": found.passed_over,
        "oldest_ms": found.oldest_ms, "newest_ms": found.newest_ms,
        "damaged": damaged.collect::<Vec<_>>(), "unfinished_bytes": found.unfinished_bytes,
    })
}

fn text(found: &Verified) -> String {
    let all: u64 = found.records.iter().sum();
    let mut out = format!(
        "{all} records in {} ({:.1} MB), sequence numbers {} to {}\n",
        counted(found.segments, "segment"),
        found.bytes as f64 / 1e6,
        found.first,
        found.next.saturating_sub(1).max(found.first)
    );
    if let (Some(oldest), Some(newest)) = (found.oldest_ms, found.newest_ms) {
        out.push_str(&format!("Written from {} to {}\n", time(oldest), time(newest)));
    }
    for (shard, count) in found.records.iter().enumerate() {
        out.push_str(&format!("  shard {shard:<4}{count:>12} records\n"));
    }
    if found.passed_over > 0 {
        let count = found.passed_over;
        out.push_str(&format!("{count} records are skipped: they were lost or erased\n"));
    }
    out
}

fn damage(found: &Verified) -> String {
    if found.damaged.is_empty() {
        return "Every record is intact\n".to_owned();
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

/// Prints records as lines of JSON, with or without `--json`.
fn tail(data_dir: &DataDir, args: &Tail) -> Result<()> {
    let from = match args.from {
        Some(from) => from,
        None => LogFiles::end(&data_dir.stream())?.saturating_sub(args.records),
    };
    let mut files = LogFiles::open(&data_dir.stream(), from)?;
    loop {
        let entries = files.read()?;
        let at_end = entries.is_empty();
        for entry in entries {
            let Some(shard) = entry.shard.filter(|own| args.shard.is_none_or(|s| s == *own)) else {
                continue;
            };
            let record = serde_json::from_slice::<Value>(&entry.data)
                .unwrap_or_else(|_| String::from_utf8_lossy(&entry.data).into());
            let line = json!({"sequence": entry.sequence, "shard": shard,
                              "time_ms": entry.time_ms, "record": record});
            print(&line.to_string());
        }
        if at_end {
            if !args.follow {
                return Ok(());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}
