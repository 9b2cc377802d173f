//! The state machine's resources on one machine. Parameters and results have the names and
//! shapes of the AWS services, so that the definition works unchanged on both.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use cartwheel_ambient::Clock;
use cartwheel_engine::deployment::{DeploymentError, serving_model};
use cartwheel_engine::functions::{
    self, BoxError, Evaluate, FunctionError, Load, Loaded, Notify, Publish, UserRecords,
};
use cartwheel_engine::{Report, ServingModel, judge, summary};
use cartwheel_feature_set::{FeatureSet, Manifest};
use cartwheel_registry::{LocalRegistry, Pending, Registry, layout};
use cartwheel_workflow::{Failure, Progress, Reporter, Resources, TaskResult, TaskRun};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::job::Jobs;
use super::rows::Rows;
use crate::data_dir::DataDir;

/// The address of the lake in the state machine's data.
pub const LAKE: &str = "s3://lake";

const START_JOB_RUN: &str = "arn:aws:states:::glue:startJobRun.sync";
const INVOKE: &str = "arn:aws:states:::lambda:invoke";
const CREATE_TRAINING_JOB: &str = "arn:aws:states:::sagemaker:createTrainingJob.sync";
const CREATE_MODEL: &str = "arn:aws:states:::sagemaker:createModel";
const CREATE_ENDPOINT_CONFIG: &str = "arn:aws:states:::sagemaker:createEndpointConfig";
const CREATE_ENDPOINT: &str = "arn:aws:states:::sagemaker:createEndpoint";
const UPDATE_ENDPOINT: &str = "arn:aws:states:::sagemaker:updateEndpoint";
const DESCRIBE_ENDPOINT: &str = "arn:aws:states:::aws-sdk:sagemaker:describeEndpoint";
const ALL: [&str; 8] = [
    START_JOB_RUN,
    INVOKE,
    CREATE_TRAINING_JOB,
    CREATE_MODEL,
    CREATE_ENDPOINT_CONFIG,
    CREATE_ENDPOINT,
    UPDATE_ENDPOINT,
    DESCRIBE_ENDPOINT,
];
/// The only part of a local feature set's user records: the file with all of them.
const USERS: &str = "users";

/// Whether the resource has a local implementation.
pub fn is_known(resource: &str) -> bool {
    ALL.contains(&resource)
}

/// The resources of a data directory.
#[derive(Debug, Clone)]
pub struct Local(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    data_dir: DataDir,
    registry: LocalRegistry,
    jobs: Jobs,
    clock: Clock,
}

impl Local {
    pub fn new(data_dir: &DataDir, jobs: Jobs, clock: Clock) -> Self {
        let registry = LocalRegistry::new(data_dir.lake());
        Self(Arc::new(Parts { data_dir: data_dir.clone(), registry, jobs, clock }))
    }
}

/// The user records of local feature sets. Requests read the file directly, so loading only
/// checks it.
struct UserFiles(PathBuf);

impl UserRecords for UserFiles {
    fn parts<'a>(&'a self, _: &'a str) -> Pending<'a, Result<Vec<String>, BoxError>> {
        Box::pin(async { Ok(vec![USERS.to_owned()]) })
    }

    fn load<'a>(
        &'a self,
        feature_set: &'a str,
        part: &'a str,
    ) -> Pending<'a, Result<Loaded, BoxError>> {
        Box::pin(async move {
            if part != USERS {
                return Err(format!("the user records have no part {part:?}").into());
            }
            let users = FeatureSet::open(&self.0.join(feature_set))?.users()?;
            for at in 0..users.len() {
                users.record(at)?;
            }
            Ok(Loaded { users: users.len(), items: None })
        })
    }
}

impl Resources for Local {
    fn knows(&self, resource: &str) -> bool {
        is_known(resource)
    }

    fn run(&self, _: &str, task: TaskRun, report: Reporter) -> TaskResult {
        let parts = self.0.clone();
        Box::pin(async move { parts.run(task, report).await })
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.with_context(|| format!("{pointer} is missing in the task's parameters"))
}

fn failed(error: anyhow::Error) -> Failure {
    Failure::new("States.TaskFailed", format!("{error:#}"))
}

/// Parses the payload of a function.
fn parse<T: DeserializeOwned>(payload: Value) -> Result<T> {
    Ok(serde_json::from_value(payload).map_err(FunctionError::Payload)?)
}

/// What a report is judged with.
struct Judged {
    model: String,
    manifest: Manifest,
    serving: Option<ServingModel>,
}

/// The version of the bundle that training wrote.
fn bundle_version(payload: &Evaluate) -> Result<&str> {
    let version = || {
        let bundle =
            payload.inside(&payload.artifacts)?.strip_prefix(layout::MODELS)?.strip_prefix('/')?;
        bundle.strip_suffix(layout::ARCHIVE)?.strip_suffix('/')
    };
    version().with_context(|| format!("{} is not a bundle of this lake", payload.artifacts))
}

/// Logs the outcome of a run, since there is no topic for notices on one machine. A release is what
/// a run is for; every other outcome asks somebody to look.
fn log(notice: &Notify) {
    let Notify { run, outcome, .. } = notice;
    if outcome == "released" {
        tracing::info!(run, outcome, "pipeline");
    } else {
        tracing::warn!(run, outcome, "pipeline");
    }
}

impl Parts {
    async fn run(self: Arc<Self>, task: TaskRun, report: Reporter) -> Result<Value, Failure> {
        match task.resource.as_str() {
            START_JOB_RUN => self.build_features(&task.input, &report).await,
            CREATE_TRAINING_JOB => self.train(&task.input, &report).await,
            INVOKE => self.invoke(task.input, &report).await,
            _ => {
                let work = move || self.endpoint(&task.resource, &task.input);
                tokio::task::spawn_blocking(work)
                    .await
                    .unwrap_or_else(|e| Err(Failure::new("States.TaskFailed", e.to_string())))
            }
        }
    }

    /// Builds a feature set. The result has the shape of Glue's `GetJobRun`.
    async fn build_features(&self, input: &Value, report: &Reporter) -> Result<Value, Failure> {
        let run = text(input, "/Arguments/--run").map_err(failed)?;
        let started = self.clock.now_ms();
        let examples = text(input, "/Arguments/--max-examples").map_err(failed)?;
        let gate_users = text(input, "/Arguments/--min-gate-users").map_err(failed)?;
        let search = text(input, "/Arguments/--search").map_err(failed)?;
        let arguments = [
            "features",
            "--max-examples",
            examples,
            "--min-gate-users",
            gate_users,
            "--search",
            search,
        ]
        .map(str::to_owned);
        let built = self.jobs.run(&arguments, report).await?;
        let version = text(&built, "/version").map_err(failed)?;
        self.registry.note_built(run, version).map_err(|e| failed(e.into()))?;
        let ended = self.clock.now_ms();
        Ok(json!({
            "Id": format!("jr_{run}"),
            "JobName": input["JobName"],
            "JobRunState": "SUCCEEDED",
            "Attempt": 0,
            "Arguments": input["Arguments"],
            "StartedOn": started,
            "CompletedOn": ended,
            "ExecutionTime": seconds(ended - started) as i64,
        }))
    }

    /// Trains a model. The result has the shape of SageMaker's `DescribeTrainingJob`.
    async fn train(&self, input: &Value, report: &Reporter) -> Result<Value, Failure> {
        let uri =
            text(input, "/InputDataConfig/0/DataSource/S3DataSource/S3Uri").map_err(failed)?;
        let inside = uri.strip_prefix(LAKE).and_then(|name| name.strip_prefix('/'));
        let (set, rows) = inside.and_then(Rows::find).ok_or_else(|| {
            let cause = format!("{uri} is not the training data of a feature set");
            Failure::new("SageMaker.ValidationException", cause)
        })?;
        let job = text(input, "/TrainingJobName").map_err(failed)?;
        let hyperparameters = input["HyperParameters"].as_object().cloned().unwrap_or_default();
        let mut arguments = vec!["train".to_owned(), "--no-release".to_owned()];
        arguments.extend(["--feature-set".to_owned(), set.to_owned()]);
        let output = layout::training_output(job).map_err(|e| failed(e.into()))?;
        arguments.extend(rows.arguments());
        if rows != Rows::All {
            let out = self.data_dir.lake().join(&output).display().to_string();
            arguments.extend(["--out".to_owned(), out]);
        }
        for (name, value) in &hyperparameters {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            arguments.extend(["--set".to_owned(), format!("{name}={value}")]);
        }
        let started = self.clock.now_ms();
        let trained = self.jobs.run(&arguments, report).await?;
        let archive = match rows {
            Rows::Fold(_) | Rows::Sample => output,
            Rows::All => {
                let model = text(&trained, "/model").map_err(failed)?;
                layout::model_file(model, layout::ARCHIVE).map_err(|e| failed(e.into()))?
            }
        };
        let ended = self.clock.now_ms();
        let last = trained["metrics"].as_array().and_then(|rounds| rounds.last()).cloned();
        Ok(json!({
            "TrainingJobName": input["TrainingJobName"],
            "TrainingJobArn": format!("arn:aws:sagemaker:local:000000000000:training-job/{job}"),
            "ModelArtifacts": {"S3ModelArtifacts": format!("{LAKE}/{archive}")},
            "TrainingJobStatus": "Completed",
            "SecondaryStatus": "Completed",
            "HyperParameters": hyperparameters,
            "TrainingStartTime": started,
            "TrainingEndTime": ended,
            "TrainingTimeInSeconds": seconds(ended - started) as i64,
            "FinalMetricDataList": final_metrics(last.as_ref(), ended),
        }))
    }

    /// Calls a function. The result has the shape of Lambda's `Invoke`.
    async fn invoke(self: Arc<Self>, input: Value, report: &Reporter) -> Result<Value, Failure> {
        let function = text(&input, "/FunctionName").map_err(failed)?.to_owned();
        let payload = input["Payload"].clone();
        let result = match function.as_str() {
            "cartwheel-evaluate" => self.evaluate(payload, report).await?,
            name => {
                report.report(Progress { what: name.to_owned(), done: 0, total: None });
                let (name, runtime) = (name.to_owned(), tokio::runtime::Handle::current());
                // The local registry blocks.
                let work = move || runtime.block_on(self.function(&name, payload)).map_err(failed);
                tokio::task::spawn_blocking(work)
                    .await
                    .unwrap_or_else(|e| Err(Failure::new("States.TaskFailed", e.to_string())))?
            }
        };
        Ok(json!({"ExecutedVersion": "$LATEST", "Payload": result, "StatusCode": 200}))
    }

    /// Evaluates a model in a process of its own. The bundle is already in the registry.
    async fn evaluate(&self, payload: Value, report: &Reporter) -> Result<Value, Failure> {
        let payload: Evaluate = parse(payload).map_err(failed)?;
        let (arguments, judged) = self.evaluation(&payload).await.map_err(failed)?;
        let evaluated = self.jobs.run(&arguments, report).await?;
        let figures: Report = serde_json::from_value(evaluated)
            .context("the result of `cartwheel evaluate`")
            .map_err(failed)?;
        let Judged { model, manifest, serving } = judged;
        let verdict = judge(&figures, &manifest, &payload.gate, serving.as_ref());
        summary(&model, &figures, &verdict, &manifest, payload.search.as_ref())
            .map_err(|e| failed(e.into()))
    }

    /// The arguments of `cartwheel evaluate`, and what its report is judged with.
    async fn evaluation(&self, payload: &Evaluate) -> Result<(Vec<String>, Judged)> {
        let model = bundle_version(payload)?.to_owned();
        let manifest = self.registry.feature_set(&payload.feature_set).await?;
        let missing = || DeploymentError::NoFeatureSet(payload.feature_set.clone());
        let manifest = manifest.ok_or_else(missing)?;
        let serving = serving_model(&self.registry, &manifest.schema_hash).await?;
        let mut arguments = ["evaluate", "--model", &model].map(str::to_owned).to_vec();
        for fold in &payload.folds {
            let archive = payload.inside(&fold.artifacts);
            let archive =
                archive.with_context(|| format!("{} is not in this lake", fold.artifacts))?;
            let path = self.data_dir.lake().join(archive);
            arguments.extend(["--fold".to_owned(), format!("{}={}", fold.fold, path.display())]);
        }
        if payload.folds.is_empty() {
            let standard = ServingModel::standard(serving.as_ref());
            arguments
                .extend(standard.into_iter().flat_map(|m| ["--against".to_owned(), m.to_owned()]));
        }
        Ok((arguments, Judged { model, manifest, serving }))
    }

    async fn function(&self, name: &str, payload: Value) -> Result<Value> {
        match name {
            "cartwheel-load" => {
                let users = UserFiles(self.data_dir.features());
                let payload: Load = parse(payload)?;
                Ok(functions::load(&self.registry, &users, payload).await?)
            }
            "cartwheel-publish" => {
                let payload: Publish = parse(payload)?;
                Ok(functions::publish(&self.registry, &self.clock, payload).await?)
            }
            "cartwheel-notify" => {
                let notice: Notify = parse(payload)?;
                log(&notice);
                self.remove_trainings().context("cannot remove the models of folds and trials")?;
                Ok(json!({}))
            }
            _ => anyhow::bail!("there is no function {name}"),
        }
    }

    /// Removes the models of cross-validation and of the search. Those of a failed run stay, because it may be
    /// continued.
    fn remove_trainings(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(self.data_dir.lake().join(layout::TRAINING)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Creates and describes models, endpoint configurations and endpoints. Each is a JSON file.
    fn endpoint(&self, resource: &str, input: &Value) -> Result<Value, Failure> {
        let io = |e: io::Error| failed(e.into());
        let refused = |cause: String| Failure::new("SageMaker.SageMakerException", cause);
        let dir = |kind: &str| self.data_dir.0.join("endpoint").join(kind);
        let name = |field: &str| text(input, field).map_err(failed);
        let arn =
            |kind: &str, name: &str| format!("arn:aws:sagemaker:local:000000000000:{kind}/{name}");
        match resource {
            CREATE_MODEL => {
                let name = name("/ModelName")?;
                write_json(&dir("models"), name, input).map_err(io)?;
                Ok(json!({"ModelArn": arn("model", name)}))
            }
            CREATE_ENDPOINT_CONFIG => {
                let name = name("/EndpointConfigName")?;
                write_json(&dir("configs"), name, input).map_err(io)?;
                Ok(json!({"EndpointConfigArn": arn("endpoint-config", name)}))
            }
            CREATE_ENDPOINT | UPDATE_ENDPOINT => {
                let (name, config) = (name("/EndpointName")?, name("/EndpointConfigName")?);
                let known = read_json(&dir("endpoints"), name).map_err(io)?;
                if known.is_some() == (resource == CREATE_ENDPOINT) {
                    let exists = if known.is_some() { "exists already" } else { "does not exist" };
                    return Err(refused(format!("The endpoint {name} {exists}.")));
                }
                let config = read_json(&dir("configs"), config).map_err(io)?;
                let config = config.ok_or_else(|| {
                    refused("The endpoint configuration does not exist.".to_owned())
                })?;
                let now = self.clock.now_ms();
                let created =
                    known.as_ref().map_or(json!(now), |known| known["CreationTime"].clone());
                let endpoint = json!({
                    "EndpointName": name,
                    "EndpointArn": arn("endpoint", name),
                    "EndpointConfigName": config["EndpointConfigName"],
                    "ProductionVariants": config["ProductionVariants"],
                    "EndpointStatus": "InService",
                    "CreationTime": created,
                    "LastModifiedTime": now,
                });
                write_json(&dir("endpoints"), name, &endpoint).map_err(io)?;
                Ok(json!({"EndpointArn": arn("endpoint", name)}))
            }
            DESCRIBE_ENDPOINT => {
                let name = name("/EndpointName")?;
                let known = read_json(&dir("endpoints"), name).map_err(io)?;
                known.ok_or_else(|| refused(format!("Could not find endpoint {name:?}.")))
            }
            other => Err(refused(format!("There is no resource {other}."))),
        }
    }
}

/// Metrics of the last round under SageMaker's names, such as `validation:auc`.
fn final_metrics(last: Option<&Value>, at_ms: i64) -> Vec<Value> {
    let metrics = last.and_then(|round| round["metrics"].as_array()).into_iter().flatten();
    metrics
        .filter_map(|metric| {
            let name = metric[0].as_str()?.replacen('-', ":", 1);
            Some(json!({"MetricName": name, "Value": metric[1], "Timestamp": seconds(at_ms)}))
        })
        .collect()
}

/// The file of a document. The name must not leave its folder.
fn file(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if plain && !name.is_empty() {
        return Ok(dir.join(format!("{name}.json")));
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{name:?} is not a name: use letters, digits, `-` and `_`"),
    ))
}

fn write_json(dir: &Path, name: &str, value: &Value) -> io::Result<()> {
    cartwheel_files::replace(&file(dir, name)?, &serde_json::to_vec_pretty(value)?)
}

fn read_json(dir: &Path, name: &str) -> io::Result<Option<Value>> {
    match std::fs::read(file(dir, name)?) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
