//! `audit`: lists what admins have done.

use anyhow::Result;
use clap::Args;
use jiff::tz::TimeZone;

use crate::context::Context;
use crate::show::{result, second};
use cartwheel_node::{AuditEntry, AuditFile};

/// Status of an action that has not ended.
const PROCESSING: u16 = 102;

/// The arguments of `audit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel audit --since 2026-01-31
  cartwheel --json audit | jq '.[] | select(.actor == \"operator\")'")]
pub struct Audit {
    /// First day to list, UTC [default: all].
    #[arg(long, value_name = "DAY")]
    since: Option<jiff::civil::Date>,
}

/// Runs `audit`.
pub fn run(context: &Context, args: &Audit) -> Result<()> {
    let from_ms = match args.since {
        Some(day) => day.to_zoned(TimeZone::UTC)?.timestamp().as_millisecond(),
        None => i64::MIN,
    };
    let entries = AuditFile::new(&context.data_dir).entries(from_ms)?;
    result(context.json, &entries, || table(&entries));
    Ok(())
}

fn table(entries: &[AuditEntry]) -> String {
    if entries.is_empty() {
        return "No actions yet".to_owned();
    }
    let mut out =
        format!("{:<21}{:<18}{:<24}{:<8}{}\n", "TIME (UTC)", "ACTOR", "FROM", "STATUS", "ACTION");
    for entry in entries {
        let time = second(entry.time_ms);
        let from = entry.address.as_deref().unwrap_or("–");
        let status = match entry.status {
            PROCESSING => "begun".to_owned(),
            status => status.to_string(),
        };
        let target: Vec<String> =
            entry.target.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        let action = format!("{} {}{}", entry.method, entry.route, target.concat());
        let line = format!("{time:<21}{:<18}{from:<24}{status:<8}{action}", entry.actor);
        // A client's text must not control the terminal, nor add lines.
        out.push_str(&line.replace(char::is_control, "?"));
        out.push('\n');
    }
    out
}
