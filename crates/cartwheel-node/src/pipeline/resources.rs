//! What runs the state machine's tasks here. Parameters and results have the names
//! and shapes of the AWS services, so that its paths mean the same in both places.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use cartwheel_ambient::Clock;
use cartwheel_feature_set::FeatureSet;
use cartwheel_registry::{Evaluation, Release};
use cartwheel_workflow::{Failure, Progress, Reporter, Resources, TaskResult, TaskRun};
use serde_json::{Value, json};

use super::job::Jobs;
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
/// The one part of a local feature set: the file of users' records.
const USERS: &str = "users";

/// Whether a resource has a local part.
pub fn is_known(resource: &str) -> bool {
    ALL.contains(&resource)
}

/// The local parts.
#[derive(Debug, Clone)]
pub struct Local(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    place: DataDir,
    jobs: Jobs,
}

impl Local {
    pub fn new(place: &DataDir, jobs: Jobs) -> Self {
        Self(Arc::new(Parts { place: place.clone(), jobs }))
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

    /// The shape of Glue's `GetJobRun`.
    async fn build_features(&self, input: &Value, report: &Reporter) -> Result<Value, Failure> {
        let run = text(input, "/Arguments/--run").map_err(failed)?;
        let started = Clock::system().now_ms();
        let examples = text(input, "/Arguments/--max-examples").map_err(failed)?;
        let arguments = ["features", "--max-examples", examples].map(str::to_owned);
        let built = self.jobs.run(&arguments, report).await?;
        let version = text(&built, "/version").map_err(failed)?;
        write_json(&self.runs(), run, &json!({"feature_set": version}))
            .map_err(|e| failed(e.into()))?;
        let ended = Clock::system().now_ms();
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

    /// Which feature set each run built.
    fn runs(&self) -> PathBuf {
        self.place.features().join("runs")
    }

    /// The shape of SageMaker's `DescribeTrainingJob`.
    async fn train(&self, input: &Value, report: &Reporter) -> Result<Value, Failure> {
        let uri =
            text(input, "/InputDataConfig/0/DataSource/S3DataSource/S3Uri").map_err(failed)?;
        let path = uri.strip_prefix(&format!("{LAKE}/features/"));
        let set = path.and_then(|path| path.strip_suffix("/train.parquet")).ok_or_else(|| {
            Failure::new("SageMaker.ValidationException", format!("{uri} is no training channel"))
        })?;
        let hyperparameters = input["HyperParameters"].as_object().cloned().unwrap_or_default();
        let mut arguments = vec!["train".to_owned(), "--no-release".to_owned()];
        arguments.extend(["--feature-set".to_owned(), set.to_owned()]);
        for (name, value) in &hyperparameters {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            arguments.extend(["--set".to_owned(), format!("{name}={value}")]);
        }
        let started = Clock::system().now_ms();
        let trained = self.jobs.run(&arguments, report).await?;
        let model = text(&trained, "/model").map_err(failed)?;
        let ended = Clock::system().now_ms();
        let last = trained["metrics"].as_array().and_then(|rounds| rounds.last()).cloned();
        Ok(json!({
            "TrainingJobName": input["TrainingJobName"],
            "TrainingJobArn": format!("arn:aws:sagemaker:local:000000000000:training-job/{model}"),
            "ModelArtifacts": {"S3ModelArtifacts": format!("{LAKE}/models/{model}/model.tar.gz")},
            "TrainingJobStatus": "Completed",
            "SecondaryStatus": "Completed",
            "HyperParameters": hyperparameters,
            "TrainingStartTime": started,
            "TrainingEndTime": ended,
            "TrainingTimeInSeconds": seconds(ended - started) as i64,
            "FinalMetricDataList": final_metrics(last.as_ref(), ended),
        }))
    }

    /// The shape of Lambda's `Invoke`.
    async fn invoke(self: Arc<Self>, input: Value, report: &Reporter) -> Result<Value, Failure> {
        let function = text(&input, "/FunctionName").map_err(failed)?.to_owned();
        let payload = input["Payload"].clone();
        let result = match function.as_str() {
            "cartwheel-evaluate" => self.evaluate(&payload, report).await?,
            name => {
                report.report(Progress { what: name.to_owned(), done: 0, total: None });
                let name = name.to_owned();
                let work = move || self.function(&name, &payload).map_err(failed);
                tokio::task::spawn_blocking(work)
                    .await
                    .unwrap_or_else(|e| Err(Failure::new("States.TaskFailed", e.to_string())))?
            }
        };
        Ok(json!({"ExecutedVersion": "$LATEST", "Payload": result, "StatusCode": 200}))
    }

    async fn evaluate(&self, payload: &Value, report: &Reporter) -> Result<Value, Failure> {
        let artifacts = text(payload, "/artifacts").map_err(failed)?;
        let model = artifacts.strip_prefix(&format!("{LAKE}/models/"));
        let model = model.and_then(|rest| rest.strip_suffix("/model.tar.gz")).unwrap_or(artifacts);
        let set = self.set(payload).map_err(failed)?;
        let mut arguments = ["evaluate", "--model", model].map(str::to_owned).to_vec();
        let serving = self.serving(&set.manifest.schema_hash).map_err(failed)?;
        if let Some(serving) = &serving {
            arguments.extend(["--against".to_owned(), serving.clone()]);
        }
        let figures = self.jobs.run(&arguments, report).await?;
        let comparison = &figures["comparison"];
        Ok(json!({
            "model": model,
            "users": figures["users"],
            "serving": comparison["serving"],
            "reference": comparison["reference"],
            "difference": comparison["difference"]["mean"],
            "standard_error": comparison["difference"]["se"],
            "report": figures,
        }))
    }

    /// The model that serves, if it takes these columns.
    fn serving(&self, schema_hash: &str) -> Result<Option<String>> {
        let release = cartwheel_registry::current(&self.place.releases())?;
        let release = release.filter(|release| release.schema_hash == schema_hash);
        Ok(release.and_then(|release| release.model))
    }

    fn set(&self, payload: &Value) -> Result<FeatureSet> {
        let version = text(payload, "/feature_set")?;
        Ok(FeatureSet::open(&self.place.features().join(version))?)
    }

    fn function(&self, name: &str, payload: &Value) -> Result<Value> {
        let action = payload["action"].as_str().unwrap_or_default();
        match (name, action) {
            ("cartwheel-load", "list") => {
                let run = read_json(&self.runs(), text(payload, "/run")?)?;
                let set = self.set(&run.context("the run has built no feature set")?)?;
                Ok(json!({"feature_set": set.manifest.version, "parts": [USERS]}))
            }
            ("cartwheel-load", "load") => {
                let part = text(payload, "/part")?;
                anyhow::ensure!(part == USERS, "there is no part {part:?}");
                // Requests read the file as it is: loading it is checking it.
                let users = self.set(payload)?.users()?;
                for at in 0..users.len() {
                    users.record(at)?;
                }
                Ok(json!({"users": users.len()}))
            }
            ("cartwheel-publish", "decide") => self.decide(payload),
            ("cartwheel-publish", "publish") => {
                let set = self.set(payload)?;
                self.publish(&set, text(payload, "/model")?)
            }
            ("cartwheel-notify", _) => {
                let (run, outcome) = (text(payload, "/run")?, text(payload, "/outcome")?);
                match payload.get("failure") {
                    Some(failure) => {
                        let (error, cause) = (&failure["Error"], &failure["Cause"]);
                        tracing::error!(run, outcome, %error, %cause, "pipeline");
                    }
                    None => tracing::warn!(run, outcome, "pipeline"),
                }
                Ok(json!({}))
            }
            _ => bail!("there is no function {name} that does {action:?}"),
        }
    }

    /// Notes what the gate decided. After a rejection the new features go out with
    /// the serving model, where both have the same columns.
    fn decide(&self, payload: &Value) -> Result<Value> {
        let passed = payload["passed"].as_bool().context("/passed is missing")?;
        let model = text(payload, "/evaluation/model")?;
        let evaluation = Evaluation {
            run: text(payload, "/run")?.to_owned(),
            passed,
            decided_ms: Clock::system().now_ms(),
            report: payload["evaluation"].clone(),
        };
        let set = self.set(payload)?;
        let serving = self.serving(&set.manifest.schema_hash)?;
        let new = Release {
            feature_set: set.manifest.version.clone(),
            model: Some(model.to_owned()),
            schema_hash: set.manifest.schema_hash.clone(),
        };
        let decision = cartwheel_engine::decide(&new, serving.as_deref(), evaluation);
        if let Some(evaluation) = &decision.evaluation {
            cartwheel_registry::decide(&self.place.models(), model, evaluation)?;
        }
        match decision.release.and_then(|release| release.model) {
            Some(serving) => self.publish(&set, &serving),
            None => Ok(json!({"release": null})),
        }
    }

    /// Serves a pair from now on, once it has been opened as a whole.
    fn publish(&self, set: &FeatureSet, model: &str) -> Result<Value> {
        let release = Release {
            feature_set: set.manifest.version.clone(),
            model: Some(model.to_owned()),
            schema_hash: set.manifest.schema_hash.clone(),
        };
        cartwheel_engine::Opened::open(&self.place.lake(), &release, "UTC")?;
        cartwheel_registry::publish(&self.place.releases(), &release)?;
        Ok(json!({"release": release}))
    }

    /// Models, configurations and endpoints, as documents of their own.
    fn endpoint(&self, resource: &str, input: &Value) -> Result<Value, Failure> {
        let io = |e: io::Error| failed(e.into());
        let refused = |why: String| Failure::new("SageMaker.SageMakerException", why);
        let dir = |kind: &str| self.place.0.join("endpoint").join(kind);
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
                let config =
                    config.ok_or_else(|| refused("There is no such config.".to_owned()))?;
                let now = Clock::system().now_ms();
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

/// Metrics of the last round under SageMaker's names, `validation:auc`.
fn final_metrics(last: Option<&Value>, at_ms: i64) -> Vec<Value> {
    let metrics = last.and_then(|round| round["metrics"].as_array()).into_iter().flatten();
    metrics
        .filter_map(|metric| {
            let name = metric[0].as_str()?.replacen('-', ":", 1);
            Some(json!({"MetricName": name, "Value": metric[1], "Timestamp": seconds(at_ms)}))
        })
        .collect()
}

/// Only names that are no paths.
fn file(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if plain && !name.is_empty() {
        return Ok(dir.join(format!("{name}.json")));
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is not a name")))
}

fn write_json(dir: &Path, name: &str, value: &Value) -> io::Result<()> {
    let path = file(dir, name)?;
    std::fs::create_dir_all(dir)?;
    let scratch = path.with_extension("new");
    std::fs::write(&scratch, serde_json::to_vec_pretty(value)?)?;
    std::fs::File::open(&scratch)?.sync_all()?;
    std::fs::rename(&scratch, &path)?;
    std::fs::File::open(dir)?.sync_all()
}

fn read_json(dir: &Path, name: &str) -> io::Result<Option<Value>> {
    match std::fs::read(file(dir, name)?) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
