//! The pipeline on one machine: the state machine of `infra/pipeline.asl.json` with local
//! implementations of its resources.

mod job;
mod resources;
mod rows;
mod shown;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use job::{Ended, Jobs, KEY_VARIABLE, PROGRESS_VARIABLE, Watcher, become_job};

use anyhow::{Context, Result};
use cartwheel_ambient::Clock;
use cartwheel_workflow::{Runner, RunnerError, RunnerOptions};
use serde_json::{Value, json};

use crate::data_dir::DataDir;
use cartwheel_settings::Settings;
use cartwheel_settings::{Hyperparameters, configured};

/// The state machine, as Step Functions runs it.
const DEFINITION: &str = include_str!("../../../infra/pipeline.asl.json");
/// Name of the state machine.
const MACHINE: &str = "pipeline";
/// How often the schedule is checked.
const SCHEDULE_CHECK: Duration = Duration::from_secs(1);

/// The definition as JSON.
pub fn definition() -> Result<Value> {
    serde_json::from_str(DEFINITION).context("infra/pipeline.asl.json")
}

/// The folder of executions.
pub fn executions(data_dir: &DataDir) -> PathBuf {
    data_dir.0.join("pipeline")
}

/// The pipeline of a data directory. One process at a time can open it.
#[derive(Clone)]
pub struct Pipeline {
    runner: Runner,
    settings: Arc<Settings>,
    jobs: Jobs,
    clock: Clock,
}

impl Pipeline {
    /// Opens the pipeline and resumes an interrupted run. `beside` limits the threads of each
    /// job beside a server; `None` sets no limit.
    pub fn open(
        data_dir: &DataDir,
        settings: &Settings,
        config: Option<&Path>,
        beside: Option<usize>,
    ) -> Result<Self, RunnerError> {
        let jobs = Jobs {
            data_dir: data_dir.0.clone(),
            config: config.map(Path::to_owned),
            beside,
            max_memory_bytes: settings.import.max_memory_bytes,
        };
        let clock = Clock::system();
        let resources = resources::Local::new(data_dir, jobs.clone(), clock.clone());
        let options = RunnerOptions { clock: clock.clone(), keep: settings.pipeline.keep };
        let runner = Runner::open(&executions(data_dir), Arc::new(resources), options)?;
        Ok(Self { runner, settings: Arc::new(settings.clone()), jobs, clock })
    }

    /// The runner of executions.
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// The launcher of jobs.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Starts a run and returns its name.
    ///
    /// # Errors
    /// As [`Runner::start`], and when there is nothing to learn from.
    pub fn start(&self, name: Option<&str>, set: &Hyperparameters) -> Result<String, RunnerError> {
        let history = DataDir(self.jobs.data_dir.clone()).require_history();
        history.map_err(|error| RunnerError::NothingToDo(error.to_string()))?;
        let name = name.map_or_else(|| default_name(self.clock.now_ms()), str::to_owned);
        let definition = serde_json::from_str(DEFINITION).unwrap_or_default();
        self.runner.start(MACHINE, &definition, &name, input(&self.settings, set))?;
        Ok(name)
    }
}

/// A name such as `run-20260131-235959-123`, in UTC.
fn default_name(now_ms: i64) -> String {
    let now = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
    format!("run-{}-{:03}", now.strftime("%Y%m%d-%H%M%S"), now.subsec_millisecond())
}

/// The state machine's input: resource names, and the hyperparameters that replace its defaults.
fn input(settings: &Settings, set: &Hyperparameters) -> Value {
    let defaults = configured(&Settings::default().train);
    let mut hyperparameters = configured(&settings.train);
    hyperparameters.retain(|name, value| defaults.get(name) != Some(value));
    hyperparameters.extend(set.clone());
    let function = |name: &str| format!("cartwheel-{name}");
    json!({
        "lake": resources::LAKE,
        "functions": {
            "load": function("load"),
            "evaluate": function("evaluate"),
            "publish": function("publish"),
            "notify": function("notify"),
        },
        "features": {
            "job": "cartwheel-features",
            "max_examples": settings.features.max_examples.to_string(),
        },
        "training": {
            "image": "local",
            "role": "local",
            "instance": "local",
            "search": settings.train.search,
        },
        "endpoint": {"mode": "embedded", "name": "cartwheel", "instance": "local"},
        "gate": {"margin": settings.gate.margin, "min_users": settings.gate.min_users},
        "hyperparameters": hyperparameters,
    })
}

/// Starts a run at the interval `every` since the last start, after `after` new checkouts in
/// `count`, and when an erasure `is_overdue`; such a run not more often than every `erasure`.
pub async fn schedule(
    pipeline: Pipeline,
    every: Option<Duration>,
    after: Option<u64>,
    count: Arc<AtomicU64>,
    erasure: Duration,
    is_overdue: impl Fn() -> bool,
) {
    let mut last_erasure: Option<tokio::time::Instant> = None;
    let mut last = tokio::time::Instant::now();
    let mut counted = 0;
    loop {
        tokio::time::sleep(SCHEDULE_CHECK).await;
        let checkouts = count.load(Ordering::Relaxed);
        let due = every.is_some_and(|every| last.elapsed() >= every)
            || after.is_some_and(|after| checkouts - counted >= after);
        let may_erase = last_erasure.is_none_or(|at| at.elapsed() >= erasure);
        let erases = may_erase && is_overdue();
        // A run that is due waits until the current run ends.
        if !(due || erases) || pipeline.runner().running().is_some() {
            continue;
        }
        match pipeline.start(None, &Hyperparameters::new()) {
            Ok(run) => tracing::info!(run, checkouts, erases, "started a scheduled run"),
            Err(error) => tracing::error!(%error, "cannot start a scheduled run"),
        }
        (last, counted) = (tokio::time::Instant::now(), checkouts);
        if erases {
            last_erasure = Some(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cartwheel_feature_set::SearchMode;
    use cartwheel_workflow::{Machine, TaskResource};

    #[test]
    fn the_state_machine_is_valid_and_all_its_resources_exist_locally() {
        let machine = Machine::parse(&definition().unwrap()).unwrap();
        let resources = machine.resources();
        assert!(resources.len() > 12, "{resources:?}");
        for TaskResource { place, resource } in resources {
            assert!(resources::is_known(resource), "{place}: {resource}");
        }
    }

    #[test]
    fn default_hyperparameters_match_the_settings() {
        let definition = definition().unwrap();
        let ours = serde_json::to_value(configured(&Settings::default().train)).unwrap();
        assert_eq!(definition["States"]["Defaults"]["Result"], ours);
    }

    #[test]
    fn the_input_names_only_what_differs_from_the_defaults() {
        let mut settings = Settings::default();
        settings.train.max_depth = 6;
        let set = Hyperparameters::from([("eta".to_owned(), "0.1".to_owned())]);
        let input = input(&settings, &set);
        assert_eq!(input["hyperparameters"], json!({"max_depth": "6", "eta": "0.1"}));
        assert_eq!(input["training"]["search"], json!(SearchMode::default()));
    }

    /// A part of the definition that begins with `names[0]` and ends where it would enter `end`.
    fn part(names: &[&str], end: &str) -> Value {
        let whole = definition().unwrap();
        let mut states = serde_json::Map::new();
        for name in names {
            states.insert((*name).to_owned(), whole["States"][*name].clone());
        }
        states.insert(end.to_owned(), json!({"Type": "Succeed"}));
        json!({"StartAt": names[0], "States": states})
    }

    #[tokio::test]
    async fn a_search_that_fails_leaves_the_configured_hyperparameters() {
        let part = part(&["Search", "Searching", "TryOut", "SearchFailed"], "CrossValidate");
        let dir = tempfile::tempdir().unwrap();
        let data_dir = DataDir(dir.path().to_owned());
        let set = data_dir.features().join("fs-1");
        std::fs::create_dir_all(&set).unwrap();
        let manifest = json!({
            "version": "fs-1", "schema_hash": "h", "watermark_ms": 0, "users": 0, "orders": 0,
            "lines": 0, "products": 0, "train_rows": 0, "valid_rows": 0, "gate_examples": 100,
            "search_questions": 200, "seed": 1,
        });
        std::fs::write(set.join("manifest.json"), manifest.to_string()).unwrap();
        let settings = Settings::default();
        // Jobs are this program again, which is a test and fails as a job.
        let pipeline = Pipeline::open(&data_dir, &settings, None, None).unwrap();
        for (run, set, expected, failed) in [
            ("trials", "fs-1", "The trial with the configured values failed", 4),
            ("step", "fs-2", "The search failed, and the model is trained with", 0),
        ] {
            let mut data = input(&settings, &Hyperparameters::new());
            data["run"] = json!(run);
            data["fixed"] = data["hyperparameters"].take();
            data["hyperparameters"] = json!(configured(&settings.train));
            data["search"] = json!({"value": null, "ended": []});
            data["built"] = json!({"value": {"feature_set": set}});
            pipeline.runner().start("part", &part, run, data).unwrap();
            pipeline.runner().ended(run).await;
            let found = cartwheel_workflow::describe(pipeline.runner().dir(), run).unwrap();
            assert_eq!(found.summary.status, "SUCCEEDED", "{:?}", found.cause);
            let is_failure = |entry: &&cartwheel_workflow::Entry| {
                entry.kind.as_str() == "PassStateEntered" && entry.details["name"] == "TrialFailed"
            };
            assert_eq!(found.history.iter().filter(is_failure).count(), failed, "{run}");
            let search = &found.output.as_ref().unwrap()["search"]["value"];
            assert_eq!(search["hyperparameters"], json!(configured(&settings.train)), "{run}");
            let outcome = search["record"]["outcome"].as_str().unwrap();
            assert!(outcome.starts_with(expected), "{outcome}");
        }
    }

    #[tokio::test]
    async fn the_endpoint_states_create_an_endpoint_and_then_update_it() {
        let names = [
            "EndpointMode",
            "CreateModel",
            "CreateEndpointConfig",
            "Attempt",
            "FindEndpoint",
            "Absent",
            "EndpointUnknown",
            "CreateEndpoint",
            "UpdateEndpoint",
            "Endpoint",
            "InService",
            "WaitForEndpoint",
            "RefuseEndpoint",
        ];
        let part = part(&names, "Publish");
        let dir = tempfile::tempdir().unwrap();
        let data_dir = DataDir(dir.path().to_owned());
        let pipeline = Pipeline::open(&data_dir, &Settings::default(), None, None).unwrap();
        for (run, state) in [("one", "CreateEndpoint"), ("two", "UpdateEndpoint")] {
            let mut data = input(&Settings::default(), &Hyperparameters::new());
            data["run"] = json!(run);
            data["endpoint"]["mode"] = json!("sagemaker");
            data["trained"] = json!({"artifacts": "s3://lake/models/m-1/model.tar.gz"});
            data["accepted"]["value"]["variants"] = json!([{"VariantName": "a", "ModelName": run}]);
            pipeline.runner().start("part", &part, run, data).unwrap();
            pipeline.runner().ended(run).await;
            let found = cartwheel_workflow::describe(pipeline.runner().dir(), run).unwrap();
            assert_eq!(found.summary.status, "SUCCEEDED", "{:?}", found.cause);
            let entered =
                |name: &str| found.history.iter().any(|entry| entry.details["name"] == name);
            assert!(entered(state), "{state}");
            assert!(entered("CreateEndpoint") != entered("UpdateEndpoint"));
            let file = dir.path().join("endpoint/endpoints/cartwheel.json");
            let endpoint: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            assert_eq!(endpoint["EndpointConfigName"], run);
        }
    }
}
