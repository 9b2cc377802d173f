//! Runs as text: a table, one run with its states, and a live display.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Result;
use cartwheel_workflow::{Description, Summary, describe};
use indicatif::{MultiProgress, ProgressBar};
use serde_json::Value;

use crate::context::Context;
use crate::show::{second, style};
use cartwheel_node::executions;

/// Time between two looks at a run.
const POLL_INTERVAL: Duration = Duration::from_millis(150);
/// Characters of a history entry's details that are printed.
const DETAILS_WIDTH: usize = 160;
/// Characters of a step's name that are printed.
const STEP_WIDTH: usize = 60;

/// Status of a run that no process continues.
pub const INTERRUPTED: &str = "INTERRUPTED";

fn took(ms: i64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

/// A table of runs.
pub fn table(runs: &[Summary]) -> String {
    if runs.is_empty() {
        return "No runs yet: start one with `cartwheel pipeline run`".to_owned();
    }
    let mut out =
        format!("{:<26}{:<13}{:<21}{:<10}{}\n", "RUN", "STATUS", "STARTED (UTC)", "TOOK", "STATE");
    for run in runs {
        let took = run.stopped_ms.map_or_else(|| "–".to_owned(), |end| took(end - run.started_ms));
        let state = run.error.clone().unwrap_or_else(|| run.current.join(" › "));
        let (name, status, started) = (&run.name, &run.status, second(run.started_ms));
        let _ = writeln!(out, "{name:<26}{status:<13}{started:<21}{took:<10}{state}");
    }
    out
}

/// One visit of a run to a state.
struct Visit {
    state: String,
    entered_ms: i64,
    left_ms: Option<i64>,
    failed: bool,
    tries: usize,
}

/// The visits of a run, in the order in which it entered the states.
fn visits(run: &Description) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    // A map has several open visits to the same state.
    let mut open: BTreeMap<String, VecDeque<usize>> = BTreeMap::new();
    for entry in &run.history {
        let kind = entry.kind.as_str();
        let state = entry.details["name"].as_str().unwrap_or_default().to_owned();
        if kind.ends_with("StateEntered") {
            open.entry(state.clone()).or_default().push_back(visits.len());
            let entered_ms = entry.at_ms;
            visits.push(Visit { state, entered_ms, left_ms: None, failed: false, tries: 0 });
        } else if kind.ends_with("StateExited") {
            if let Some(at) = open.get_mut(&state).and_then(VecDeque::pop_front) {
                visits[at].left_ms = Some(entry.at_ms);
            }
        } else if kind == "TaskScheduled" {
            if let Some(visit) = visits.last_mut() {
                visit.tries += 1;
            }
        } else if matches!(kind, "TaskFailed" | "TaskTimedOut") {
            // The open state that was entered last has failed.
            if let Some(&at) = open.values().flatten().max() {
                visits[at].failed = true;
            }
        }
    }
    visits
}

fn line(visit: &Visit, running: bool) -> String {
    let mark = match (visit.left_ms, visit.failed) {
        (Some(_), false) => "✓",
        (Some(_), true) => "!",
        (None, _) if running => "…",
        (None, _) => "✗",
    };
    let took = visit.left_ms.map_or_else(String::new, |end| took(end - visit.entered_ms));
    let tries = if visit.tries > 1 { format!(" ({} tries)", visit.tries) } else { String::new() };
    format!("{mark} {:<22}{took:>10}{tries}", visit.state)
}

/// A run with its states, or with its whole history.
pub fn text(run: &Description, history: bool) -> String {
    let summary = &run.summary;
    let mut out =
        format!("{} {}, started {}", summary.name, summary.status, second(summary.started_ms));
    if let Some(end) = summary.stopped_ms {
        let _ = write!(out, ", took {}", took(end - summary.started_ms));
    }
    out.push('\n');
    if history {
        for entry in &run.history {
            let details: String = entry.details.to_string().chars().take(DETAILS_WIDTH).collect();
            let (id, kind, time) = (entry.id, entry.kind.as_str(), second(entry.at_ms));
            let _ = writeln!(out, "{id:>5}  {time}  {kind:<24}{details}");
        }
    } else {
        for visit in visits(run) {
            let goes_on = matches!(summary.status.as_str(), "RUNNING" | INTERRUPTED);
            let _ = writeln!(out, "  {}", line(&visit, goes_on));
        }
    }
    if summary.status == INTERRUPTED {
        out.push_str("`cartwheel pipeline run` continues it, `cartwheel pipeline stop` ends it\n");
    }
    if let Some(error) = &summary.error {
        let _ = writeln!(out, "{error}: {}", run.cause.as_deref().unwrap_or_default());
    }
    if let Some(output) = &run.output {
        out.push_str(&outcome(output));
    }
    out
}

/// The outcome of a run, with the gate's verdict.
fn outcome(output: &Value) -> String {
    let text = |name: &str| output[name].as_str().unwrap_or("–");
    let mut out = format!("{}: ", text("outcome"));
    let of = match output["model"].as_str() {
        Some(model) => format!("{model} on {}", text("feature_set")),
        None => format!("{} without a model", text("feature_set")),
    };
    out.push_str(&of);
    if let Some(difference) = output["difference"].as_f64() {
        let _ = write!(out, ", Recall@10 {difference:+.4} against {}", text("reference"));
    }
    out.push('\n');
    // Runs of early versions have no verdict.
    for line in ["reason", "advice"].iter().filter_map(|part| output["verdict"][part].as_str()) {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// Shows the states of a run as it goes through them, until it has ended.
pub async fn show_live(context: &Context, name: &str) -> Result<()> {
    let dir = executions(&context.data_dir);
    let bars = MultiProgress::new();
    let as_lines = context.json || !std::io::stderr().is_terminal();
    let mut drawn: Vec<ProgressBar> = Vec::new();
    let mut printed = 0;
    loop {
        let run = describe(&dir, name)?;
        let running = run.summary.status == "RUNNING";
        let visits = visits(&run);
        if as_lines {
            while let Some(visit) = visits.get(printed).filter(|v| v.left_ms.is_some() || !running)
            {
                eprintln!("{}", line(visit, running));
                printed += 1;
            }
        } else {
            for (at, visit) in visits.iter().enumerate() {
                if drawn.len() == at {
                    let bar = bars.add(ProgressBar::new(0));
                    bar.enable_steady_tick(POLL_INTERVAL);
                    drawn.push(bar);
                }
                draw(&drawn[at], visit, &run, running);
            }
        }
        if !running {
            if !as_lines {
                // The result that is printed at the end says the same.
                bars.clear()?;
            }
            return Ok(());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn draw(bar: &ProgressBar, visit: &Visit, run: &Description, running: bool) {
    if visit.left_ms.is_some() || !running {
        if !bar.is_finished() {
            bar.set_style(style("  {msg}"));
            bar.finish_with_message(line(visit, running));
        }
        return;
    }
    let Some(progress) = run.progress.get(&visit.state) else {
        bar.set_style(style("{spinner} {msg}"));
        bar.set_message(visit.state.clone());
        return;
    };
    let step: String = progress.what.chars().take(STEP_WIDTH).collect();
    match progress.total {
        Some(total) => {
            bar.set_style(style("{spinner} {prefix:22} [{bar:28}] {human_pos}/{human_len} {msg}"));
            bar.set_length(total);
        }
        None => bar.set_style(style("{spinner} {prefix:22} {elapsed} {msg}")),
    }
    bar.set_prefix(visit.state.clone());
    bar.set_position(progress.done);
    bar.set_message(step);
}
