//! `pipeline`: runs of the state machine, started, watched, stopped and redriven.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cartwheel_workflow::{Description, Failure, Listing, RunnerError, Summary, describe, list};
use indicatif::{MultiProgress, ProgressBar};
use serde_json::{Value, json};

use crate::cli::{self, Context};
use crate::client;
use crate::learn::Hyperparameters;
use crate::pipeline::{Pipeline, definition, executions};
use crate::show::{result, style};

const LOOK_EVERY: Duration = Duration::from_millis(150);

pub fn run(context: &Context, command: cli::Pipeline) -> Result<()> {
    let dir = executions(&context.place);
    match command {
        cli::Pipeline::Run { set, name, detach } => {
            start(context, name.as_deref(), &set.into_iter().collect(), detach)
        }
        cli::Pipeline::List => {
            let Listing { executions: runs, damaged } = list(&dir);
            damaged.iter().for_each(|error| eprintln!("warning: {error}"));
            result(context.json, &runs, || table(&runs));
            Ok(())
        }
        cli::Pipeline::Show { name, follow: true, .. } => {
            let name = named(context, name)?;
            in_runtime(async { follow(context, &name).await })
        }
        cli::Pipeline::Show { name, follow: false, history } => {
            let run = describe(&dir, &named(context, name)?)?;
            result(context.json, &run, || text(&run, history));
            Ok(())
        }
        cli::Pipeline::Stop { name } => stop(context, name),
        cli::Pipeline::Redrive { name } => redrive(context, &named(context, name)?),
        cli::Pipeline::Graph { form } => {
            crate::show::print(graph(&definition()?, form).trim_end());
            Ok(())
        }
    }
}

fn in_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// The run of that name, or the newest.
fn named(context: &Context, name: Option<String>) -> Result<String> {
    if let Some(name) = name {
        return Ok(name);
    }
    let newest = list(&executions(&context.place)).executions.into_iter().next();
    newest
        .map(|run| run.name)
        .context("there is no run yet: start one with `cartwheel pipeline run`")
}

/// Opens the pipeline here, with the whole machine; none where a server has it.
fn open(context: &Context) -> Result<Option<Pipeline>> {
    match Pipeline::open(&context.place, &context.settings, context.config.as_deref(), None) {
        Ok(pipeline) => Ok(Some(pipeline)),
        Err(RunnerError::Locked(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Runs the pipeline in this process to its end, and fails if it fails.
pub fn run_here(context: &Context, set: &Hyperparameters) -> Result<Description> {
    in_runtime(async {
        let pipeline = open(context)?.context("another process runs the pipeline")?;
        let name = match pipeline.runner().resumed() {
            Some(name) => name.to_owned(),
            None => pipeline.start(None, set)?,
        };
        watch(context, &pipeline, &name).await?;
        let run = describe(&executions(&context.place), &name)?;
        check(&run)?;
        Ok(run)
    })
}

fn start(context: &Context, name: Option<&str>, set: &Hyperparameters, detach: bool) -> Result<()> {
    in_runtime(async {
        let Some(pipeline) = open(context)? else {
            let request = json!({"name": name, "hyperparameters": set});
            let answer = client::post(&context.place, "/v1/pipeline/executions", &request).await?;
            let name = answer["name"].as_str().context("the server names no run")?.to_owned();
            if detach {
                result(context.json, &answer, || format!("Started {name}"));
                return Ok(());
            }
            return follow(context, &name).await;
        };
        anyhow::ensure!(
            !detach,
            "no server runs on {}: start one with `cartwheel serve`, or leave --detach out",
            context.place.0.display()
        );
        let name = match pipeline.runner().resumed() {
            Some(resumed) => {
                eprintln!("{resumed} was cut off and goes on");
                resumed.to_owned()
            }
            None => pipeline.start(name, set)?,
        };
        watch(context, &pipeline, &name).await?;
        finish(context, &name)
    })
}

/// Watches a run of this process; Ctrl-C leaves it to be gone on with.
async fn watch(context: &Context, pipeline: &Pipeline, name: &str) -> Result<()> {
    tokio::select! {
        shown = show_live(context, name) => shown,
        () = pipeline.runner().ended(name) => Ok(()),
        _ = tokio::signal::ctrl_c() => {
            pipeline.runner().shutdown().await;
            bail!("interrupted: `cartwheel pipeline run` goes on with {name}, \
                   `cartwheel pipeline stop` ends it");
        }
    }
}

/// Watches a run of the server to its end.
async fn follow(context: &Context, name: &str) -> Result<()> {
    tokio::select! {
        shown = show_live(context, name) => shown?,
        () = server_gone(context) => {}
    }
    let run = describe(&executions(&context.place), name)?;
    anyhow::ensure!(
        run.summary.status != "RUNNING",
        "nobody runs {name} now: it goes on with the next `cartwheel serve` or `cartwheel \
         pipeline run`"
    );
    finish(context, name)
}

/// Ends once no process has the pipeline.
async fn server_gone(context: &Context) {
    let lock = executions(&context.place).join("lock");
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let free = std::fs::File::open(&lock).is_ok_and(|lock| lock.try_lock_shared().is_ok());
        if free {
            return;
        }
    }
}

/// Prints how a run ended.
fn finish(context: &Context, name: &str) -> Result<()> {
    let run = describe(&executions(&context.place), name)?;
    result(context.json, &run, || text(&run, false));
    check(&run)
}

fn check(run: &Description) -> Result<()> {
    if run.summary.status == "SUCCEEDED" {
        return Ok(());
    }
    let error = run.summary.error.as_deref().unwrap_or_default();
    let cause = run.cause.as_deref().unwrap_or_default();
    bail!("{} {}: {error}: {cause}", run.summary.name, run.summary.status.to_lowercase())
}

fn stop(context: &Context, name: Option<String>) -> Result<()> {
    in_runtime(async {
        let runs = list(&executions(&context.place)).executions;
        let running = runs.into_iter().find(|run| run.status == "RUNNING").map(|run| run.name);
        let name = name.or(running).context("no run is running")?;
        match open(context)? {
            Some(pipeline) => {
                pipeline.runner().stop(&name, Failure::new("Stopped", "by the operator"))?;
                pipeline.runner().ended(&name).await;
            }
            None => {
                let path = format!("/v1/pipeline/executions/{name}/stop");
                client::post(&context.place, &path, &json!({})).await?;
            }
        }
        result(context.json, &json!({"name": name}), || format!("{name} is stopped"));
        Ok(())
    })
}

fn redrive(context: &Context, name: &str) -> Result<()> {
    in_runtime(async {
        match open(context)? {
            Some(pipeline) => {
                pipeline.runner().redrive(name)?;
                watch(context, &pipeline, name).await?;
            }
            None => {
                let path = format!("/v1/pipeline/executions/{name}/redrive");
                client::post(&context.place, &path, &json!({})).await?;
                return follow(context, name).await;
            }
        }
        finish(context, name)
    })
}

fn time(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn took(ms: i64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

fn table(runs: &[Summary]) -> String {
    if runs.is_empty() {
        return "No runs yet: start one with `cartwheel pipeline run`".to_owned();
    }
    let mut out =
        format!("{:<26}{:<11}{:<21}{:<10}{}\n", "RUN", "STATUS", "STARTED (UTC)", "TOOK", "STATE");
    for run in runs {
        let took = run.stopped_ms.map_or_else(|| "–".to_owned(), |end| took(end - run.started_ms));
        let state = run.error.clone().unwrap_or_else(|| run.current.join(" › "));
        let (name, status, started) = (&run.name, &run.status, time(run.started_ms));
        let _ = writeln!(out, "{name:<26}{status:<11}{started:<21}{took:<10}{state}");
    }
    out
}

/// A state that a run went through.
struct Visit {
    name: String,
    entered_ms: i64,
    left_ms: Option<i64>,
    failed: bool,
    tries: usize,
}

/// What a run went through, in order of entering.
fn visits(run: &Description) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    let mut open: BTreeMap<String, usize> = BTreeMap::new();
    for entry in &run.history {
        let kind = entry.kind.as_str();
        let name = entry.details["name"].as_str().unwrap_or_default().to_owned();
        if kind.ends_with("StateEntered") {
            open.insert(name.clone(), visits.len());
            let entered_ms = entry.at_ms;
            visits.push(Visit { name, entered_ms, left_ms: None, failed: false, tries: 0 });
        } else if kind.ends_with("StateExited") {
            if let Some(at) = open.remove(&name) {
                visits[at].left_ms = Some(entry.at_ms);
            }
        } else if kind == "TaskScheduled" {
            if let Some(visit) = visits.last_mut() {
                visit.tries += 1;
            }
        } else if matches!(kind, "TaskFailed" | "TaskTimedOut") {
            // Of the states that are open, the one entered last has failed.
            if let Some(&at) = open.values().max() {
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
    format!("{mark} {:<22}{took:>10}{tries}", visit.name)
}

fn text(run: &Description, history: bool) -> String {
    let summary = &run.summary;
    let mut out =
        format!("{} {}, started {}", summary.name, summary.status, time(summary.started_ms));
    if let Some(end) = summary.stopped_ms {
        let _ = write!(out, ", took {}", took(end - summary.started_ms));
    }
    out.push('\n');
    if history {
        for entry in &run.history {
            let details: String = entry.details.to_string().chars().take(160).collect();
            let (id, kind, time) = (entry.id, entry.kind.as_str(), time(entry.at_ms));
            let _ = writeln!(out, "{id:>5}  {time}  {kind:<24}{details}");
        }
    } else {
        for visit in visits(run) {
            let _ = writeln!(out, "  {}", line(&visit, summary.status == "RUNNING"));
        }
    }
    if let Some(error) = &summary.error {
        let _ = writeln!(out, "{error}: {}", run.cause.as_deref().unwrap_or_default());
    }
    if let Some(output) = &run.output {
        let number = |name: &str| output[name].as_f64().unwrap_or_default();
        let text = |name: &str| output[name].as_str().unwrap_or("–");
        let _ = writeln!(
            out,
            "{}: {} on {}, Recall@10 {:+.4} against {}",
            text("outcome"),
            text("model"),
            text("feature_set"),
            number("difference"),
            text("reference")
        );
    }
    out
}

/// Shows a run's states as they come and go, until it has ended.
async fn show_live(context: &Context, name: &str) -> Result<()> {
    let dir = executions(&context.place);
    let lines = MultiProgress::new();
    let plain = context.json || !std::io::stderr().is_terminal();
    let mut bars: Vec<ProgressBar> = Vec::new();
    let mut told = 0;
    loop {
        let run = describe(&dir, name)?;
        let running = run.summary.status == "RUNNING";
        let visits = visits(&run);
        if plain {
            while let Some(visit) = visits.get(told).filter(|v| v.left_ms.is_some() || !running) {
                eprintln!("{}", line(visit, running));
                told += 1;
            }
        } else {
            for (at, visit) in visits.iter().enumerate() {
                if bars.len() == at {
                    let bar = lines.add(ProgressBar::new(0));
                    bar.enable_steady_tick(LOOK_EVERY);
                    bars.push(bar);
                }
                draw(&bars[at], visit, &run, running);
            }
        }
        if !running {
            if !plain {
                // What is printed at the end says the same.
                lines.clear()?;
            }
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
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
    let Some(progress) = run.progress.get(&visit.name) else {
        bar.set_style(style("{spinner} {msg}"));
        bar.set_message(visit.name.clone());
        return;
    };
    let what: String = progress.what.chars().take(60).collect();
    match progress.total {
        Some(total) => {
            bar.set_style(style("{spinner} {prefix:22} [{bar:28}] {human_pos}/{human_len} {msg}"));
            bar.set_length(total);
        }
        None => bar.set_style(style("{spinner} {prefix:22} {elapsed} {msg}")),
    }
    bar.set_prefix(visit.name.clone());
    bar.set_position(progress.done);
    bar.set_message(what);
}

/// The state machine as a graph.
fn graph(definition: &Value, form: cli::GraphForm) -> String {
    let mut edges: Vec<(String, String, String)> = Vec::new();
    let states = definition["States"].as_object();
    for (name, state) in states.into_iter().flatten() {
        let mut edge = |to: Option<&Value>, label: &str| {
            if let Some(to) = to.and_then(Value::as_str) {
                edges.push((name.clone(), to.to_owned(), label.to_owned()));
            }
        };
        edge(state.get("Next"), "");
        edge(state.get("Default"), "else");
        let list = |field: &str| state[field].as_array().cloned().unwrap_or_default();
        list("Choices").iter().for_each(|choice| edge(choice.get("Next"), "if"));
        list("Catch").iter().for_each(|catch| edge(catch.get("Next"), "failed"));
    }
    edges.dedup();
    let mut out = String::new();
    match form {
        cli::GraphForm::Dot => {
            out.push_str("digraph pipeline {\n  node [shape=box, style=rounded];\n");
            for (from, to, label) in edges {
                let look = if label == "failed" { ", style=dashed, color=gray" } else { "" };
                let _ = writeln!(out, "  {from:?} -> {to:?} [label={label:?}{look}];");
            }
            out.push_str("}\n");
        }
        cli::GraphForm::Mermaid => {
            out.push_str("flowchart TD\n");
            for (from, to, label) in edges {
                let arrow = match label.as_str() {
                    "" => "-->".to_owned(),
                    "failed" => "-.->".to_owned(),
                    label => format!("-->|{label}|"),
                };
                let _ = writeln!(out, "  {from} {arrow} {to}");
            }
        }
    }
    out
}
