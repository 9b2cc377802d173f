//! `audit`: lists what admins have done, and checks the log.

use anyhow::Result;
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::arguments::day;
use crate::context::Context;
use crate::show::{result, second};
use cartwheel_node::{AuditEntry, AuditFile, Verified};

/// Status of an action that has not ended.
const PROCESSING: u16 = 102;

/// The arguments of `audit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel audit --since 2026-01-31
  cartwheel audit verify
  cartwheel --json audit | jq '.[] | select(.actor == \"operator\")'")]
pub struct Audit {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    /// First day to list, UTC [default: all].
    #[arg(long, value_name = "DAY", value_parser = day)]
    since: Option<jiff::civil::Date>,
}

/// The subcommands of `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that no line was changed, removed or inserted, and print the last link.
    #[command(after_help = "Example:\n  cartwheel audit verify --noted LINK")]
    Verify {
        /// A link that was noted before. The log must still have it: nothing else shows that its
        /// end was cut off.
        #[arg(long, value_name = "LINK")]
        noted: Option<String>,
    },
}

/// Runs `audit`.
pub fn run(context: &Context, args: &Audit) -> Result<()> {
    if let Some(AuditCommand::Verify { noted }) = &args.command {
        return verify(context, noted.as_deref());
    }
    let from_ms = match args.since {
        Some(day) => day.to_zoned(TimeZone::UTC)?.timestamp().as_millisecond(),
        None => i64::MIN,
    };
    let entries = AuditFile::new(&context.data_dir).entries(from_ms)?;
    result(context.json, &entries, || table(&entries));
    Ok(())
}

fn verify(context: &Context, noted: Option<&str>) -> Result<()> {
    let verified = AuditFile::new(&context.data_dir).verify()?;
    noted.map_or(Ok(()), |link| verified.require(link))?;
    let Verified { lines, unlinked, last, .. } = &verified;
    result(context.json, &json!({"lines": lines, "unlinked": unlinked, "last": last}), || {
        let mut out = format!("{lines} lines follow from one another");
        if *unlinked > 0 {
            out.push_str(&format!("; {unlinked} of an earlier release before them have no link"));
        }
        if !last.is_empty() {
            out.push_str(&format!(
                "\nLast link: {last}\nNote it elsewhere, and check later with --noted that it is \
                 still there."
            ));
        }
        out
    });
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
