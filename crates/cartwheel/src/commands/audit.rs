//! `audit`: what admins have done.

use anyhow::Result;
use jiff::tz::TimeZone;

use crate::audit::{AuditFile, Entry};
use crate::data_dir::DataDir;
use crate::show::result;

pub fn run(place: &DataDir, since: Option<jiff::civil::Date>, as_json: bool) -> Result<()> {
    let from_ms = match since {
        Some(day) => day.to_zoned(TimeZone::UTC)?.timestamp().as_millisecond(),
        None => i64::MIN,
    };
    let entries = AuditFile::new(place).entries(from_ms)?;
    result(as_json, &entries, || table(&entries));
    Ok(())
}

fn table(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "Nothing yet: no admin has changed anything".to_owned();
    }
    let mut out =
        format!("{:<21}{:<18}{:<24}{:<8}{}\n", "WHEN (UTC)", "WHO", "FROM", "STATUS", "WHAT");
    for entry in entries {
        let when = jiff::Timestamp::from_millisecond(entry.time_ms).unwrap_or_default();
        let when = when.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let from = entry.address.as_deref().unwrap_or("–");
        let status = match entry.status {
            102 => "begun".to_owned(),
            status => status.to_string(),
        };
        let target: Vec<String> =
            entry.target.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        let what = format!("{} {}{}", entry.method, entry.route, target.concat());
        // A terminal takes no orders from what a client has sent.
        let line = format!("{when:<21}{:<18}{from:<24}{status:<8}{what}", entry.actor);
        out.push_str(&line.replace(char::is_control, "?"));
        out.push('\n');
    }
    out
}
