//! `doctor`: looks for what is missing, slow or misconfigured, and says what to do.

mod finding;
mod machine;
mod shop;

use std::path::{Path, PathBuf};

use anyhow::Result;
use cartwheel_ambient::Clock;
use cartwheel_node::DataDir;
use cartwheel_settings::Settings;
use clap::Args;
use serde::Serialize;

use self::finding::{Finding, Level};
use crate::show::result;

/// The arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cartwheel doctor
  cartwheel doctor --json | jq '.findings[] | select(.level != \"ok\")'

The exit status is 0 unless a finding is an error. Nothing is changed; beside a running server, an
admin key in CARTWHEEL_API_KEY shows more.")]
pub struct Doctor {}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether no finding is an error.
    ok: bool,
    findings: Vec<Finding>,
}

/// Runs `doctor`. It reads the settings itself, so that wrong ones are a finding.
///
/// # Errors
/// When a finding is an error.
pub fn run(data_dir: PathBuf, config: Option<&Path>, json: bool) -> Result<()> {
    let mut findings = Vec::new();
    let settings = Settings::read(config).unwrap_or_else(|wrong| {
        let next = "correct them; docs/settings.md lists every setting. The other checks use the \
                    defaults";
        findings.push(Finding::error("settings", wrong.to_string(), next));
        Settings::default()
    });
    if findings.is_empty() {
        findings.push(Finding::ok("settings", "every setting is valid"));
    }
    let data_dir = DataDir(data_dir);
    let clock = Clock::system();
    findings.extend(shop::directory(&data_dir));
    findings.extend(machine::checks(&data_dir, &settings, &clock));
    findings.extend(shop::checks(&data_dir, &settings)?);
    let errors = findings.iter().filter(|finding| finding.level == Level::Error).count();
    let report = Report { ok: errors == 0, findings };
    result(json, &report, || text(&report));
    anyhow::ensure!(errors == 0, "{errors} of {} checks failed", report.findings.len());
    Ok(())
}

fn text(report: &Report) -> String {
    let mut out = String::new();
    for Finding { check, level, found, next } in &report.findings {
        let mark = match level {
            Level::Ok => "ok     ",
            Level::Warning => "warning",
            Level::Error => "ERROR  ",
        };
        out.push_str(&format!("{mark}  {check:<15} {found}\n"));
        if let Some(next) = next {
            out.push_str(&format!("{:24} -> {next}\n", ""));
        }
    }
    out
}
