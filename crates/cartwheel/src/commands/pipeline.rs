//! `pipeline`: starts, watches, stops and redrives runs of the state machine.

mod graph;
mod view;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cartwheel_workflow::{
    Description, Failure, Listing, RunnerError, Summary, describe, is_open, list,
};
use clap::Subcommand;
use serde_json::json;

use crate::client;
use crate::context::Context;
use crate::show::result;
use cartwheel_node::{Pipeline, definition, executions};
use cartwheel_settings::Hyperparameters;
use cartwheel_settings::{Assignment, parse};
use graph::{GraphForm, graph};

/// The subcommands of `pipeline`.
#[derive(Debug, Subcommand)]
pub enum PipelineCommand {
    /// Start a run and watch it to its end.
    #[command(after_help = "Examples:
  cartwheel pipeline run
  cartwheel pipeline run --set max_depth=4 --detach")]
    Run {
        /// A hyperparameter of XGBoost that overrides the configured one. Can be given several
        /// times.
        #[arg(long, value_name = "NAME=VALUE", value_parser = parse)]
        set: Vec<Assignment>,
        /// Name of the run [default: made from the time].
        #[arg(long)]
        name: Option<String>,
        /// Start the run on the running server and do not watch it.
        #[arg(long)]
        detach: bool,
    },
    /// List runs, the newest first.
    #[command(after_help = "Example:\n  cartwheel pipeline list")]
    List,
    /// Show a run.
    #[command(after_help = "Examples:
  cartwheel pipeline show
  cartwheel pipeline show --follow
  cartwheel --json pipeline show nightly --history")]
    Show {
        /// Name of the run [default: the newest].
        name: Option<String>,
        /// Watch the run to its end.
        #[arg(long)]
        follow: bool,
        /// Print every entry of the history.
        #[arg(long)]
        history: bool,
    },
    /// Stop a run.
    #[command(after_help = "Example:\n  cartwheel pipeline stop")]
    Stop {
        /// Name of the run [default: the running one].
        name: Option<String>,
    },
    /// Continue a run that failed or was stopped. Finished states are not run again.
    #[command(after_help = "Example:\n  cartwheel pipeline redrive")]
    Redrive {
        /// Name of the run [default: the newest].
        name: Option<String>,
    },
    /// Print the state machine as a graph; with --json, in the Amazon States Language.
    #[command(after_help = "Examples:
  cartwheel pipeline graph | dot -Tsvg > pipeline.svg
  cartwheel pipeline graph --form mermaid")]
    Graph {
        /// Language of the graph.
        #[arg(long, value_enum, default_value = "dot")]
        form: GraphForm,
    },
}

/// Runs a subcommand of `pipeline`.
pub fn run(context: &Context, command: PipelineCommand) -> Result<()> {
    let dir = executions(&context.data_dir);
    match command {
        PipelineCommand::Run { set, name, detach } => {
            start(context, name.as_deref(), &set.into_iter().collect(), detach)
        }
        PipelineCommand::List => {
            let Listing { executions: mut runs, damaged } = list(&dir);
            runs.iter_mut().for_each(|run| mark_interrupted(&dir, run));
            damaged.iter().for_each(|error| eprintln!("warning: {error}"));
            result(context.json, &runs, || view::table(&runs));
            Ok(())
        }
        PipelineCommand::Show { name, follow: true, .. } => {
            let name = name_or_newest(context, name)?;
            in_runtime(async { follow(context, &name).await })
        }
        PipelineCommand::Show { name, follow: false, history } => {
            let mut run = describe(&dir, &name_or_newest(context, name)?)?;
            mark_interrupted(&dir, &mut run.summary);
            result(context.json, &run, || view::text(&run, history));
            Ok(())
        }
        PipelineCommand::Stop { name } => stop(context, name),
        PipelineCommand::Redrive { name } => redrive(context, &name_or_newest(context, name)?),
        PipelineCommand::Graph { form } => {
            let definition = definition()?;
            result(context.json, &definition, || graph(&definition, form).trim_end().to_owned());
            Ok(())
        }
    }
}

/// Gives a run that no process continues its own status: its journal says that it is running.
fn mark_interrupted(dir: &Path, run: &mut Summary) {
    if run.status == "RUNNING" && !is_open(dir) {
        view::INTERRUPTED.clone_into(&mut run.status);
    }
}

fn in_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn name_or_newest(context: &Context, name: Option<String>) -> Result<String> {
    if let Some(name) = name {
        return Ok(name);
    }
    let newest = list(&executions(&context.data_dir)).executions.into_iter().next();
    newest
        .map(|run| run.name)
        .context("there is no run yet: start one with `cartwheel pipeline run`")
}

/// Opens the pipeline in this process, with all cores; `None` if a server has it.
fn open(context: &Context) -> Result<Option<Pipeline>> {
    match Pipeline::open(&context.data_dir, &context.settings, context.config.as_deref(), None) {
        Ok(pipeline) => Ok(Some(pipeline)),
        Err(RunnerError::Locked(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Runs the pipeline in this process to its end.
///
/// # Errors
/// When the run fails, or when another process has the pipeline.
pub fn run_here(context: &Context, set: &Hyperparameters) -> Result<Description> {
    in_runtime(async {
        let pipeline =
            open(context)?.context("another process runs the pipeline: try again when it ends")?;
        let name = match pipeline.runner().resumed() {
            Some(name) => name.to_owned(),
            None => pipeline.start(None, set)?,
        };
        watch(context, &pipeline, &name).await?;
        let run = describe(&executions(&context.data_dir), &name)?;
        check(&run)?;
        Ok(run)
    })
}

fn start(context: &Context, name: Option<&str>, set: &Hyperparameters, detach: bool) -> Result<()> {
    in_runtime(async {
        let Some(pipeline) = open(context)? else {
            let request = json!({"name": name, "hyperparameters": set});
            let path = "/v1/pipeline/executions";
            let answer = client::post(&context.data_dir, path, &request).await?;
            let name = answer["name"].as_str();
            let name = name.context("the server's answer does not name the run")?.to_owned();
            if detach {
                result(context.json, &answer, || format!("Started {name}"));
                return Ok(());
            }
            return follow(context, &name).await;
        };
        anyhow::ensure!(
            !detach,
            "no server runs on {}: start one with `cartwheel serve`, or omit --detach",
            context.data_dir.0.display()
        );
        let name = match pipeline.runner().resumed() {
            Some(resumed) => {
                eprintln!("{resumed} was interrupted and continues");
                resumed.to_owned()
            }
            None => pipeline.start(name, set)?,
        };
        watch(context, &pipeline, &name).await?;
        finish(context, &name)
    })
}

/// Watches a run of this process. Ctrl-C interrupts the run, and a later command continues it.
async fn watch(context: &Context, pipeline: &Pipeline, name: &str) -> Result<()> {
    tokio::select! {
        shown = view::show_live(context, name) => shown,
        () = pipeline.runner().ended(name) => Ok(()),
        _ = tokio::signal::ctrl_c() => {
            pipeline.runner().shutdown().await;
            bail!("interrupted: `cartwheel pipeline run` continues {name}, \
                   `cartwheel pipeline stop` ends it");
        }
    }
}

/// Watches a run of the server to its end.
async fn follow(context: &Context, name: &str) -> Result<()> {
    tokio::select! {
        shown = view::show_live(context, name) => shown?,
        () = server_gone(context) => {}
    }
    let run = describe(&executions(&context.data_dir), name)?;
    anyhow::ensure!(
        run.summary.status != "RUNNING",
        "the server of {name} has stopped: the next `cartwheel serve` or `cartwheel pipeline run` \
         continues the run"
    );
    finish(context, name)
}

/// Ends once no process has the pipeline.
async fn server_gone(context: &Context) {
    let dir = executions(&context.data_dir);
    while is_open(&dir) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Prints how a run ended. Fails if the run failed.
fn finish(context: &Context, name: &str) -> Result<()> {
    let run = describe(&executions(&context.data_dir), name)?;
    result(context.json, &run, || view::text(&run, false));
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
        let runs = list(&executions(&context.data_dir)).executions;
        let running = runs.into_iter().find(|run| run.status == "RUNNING").map(|run| run.name);
        let name = name.or(running).context("no run is running")?;
        match open(context)? {
            Some(pipeline) => {
                pipeline.runner().stop(&name, Failure::new("Stopped", "by the operator"))?;
                pipeline.runner().ended(&name).await;
            }
            None => {
                let path = format!("/v1/pipeline/executions/{name}/stop");
                client::post(&context.data_dir, &path, &json!({})).await?;
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
                let dir = executions(&context.data_dir);
                if describe(&dir, name)?.summary.status == "RUNNING" {
                    bail!("{name} was interrupted: `cartwheel pipeline run` continues it");
                }
                pipeline.runner().redrive(name)?;
                watch(context, &pipeline, name).await?;
            }
            None => {
                let path = format!("/v1/pipeline/executions/{name}/redrive");
                client::post(&context.data_dir, &path, &json!({})).await?;
                return follow(context, name).await;
            }
        }
        finish(context, name)
    })
}
