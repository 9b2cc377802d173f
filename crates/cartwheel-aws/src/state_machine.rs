//! The pipeline's executions in Step Functions.

use std::time::Duration;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::ExecutionStatus;
use cartwheel_workflow::{Description, Entry, Listing, Pending, RunnerError, Runs, Summary};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

use crate::retry::text;
use crate::run_history::{History, current, data};

/// Executions in a list.
const LISTED: i32 = 100;
/// Entries of a history in one answer, the most that Step Functions gives.
const PAGE: i32 = 1000;
/// Time limit for an answer: API Gateway waits for ten seconds.
const LIMIT: Duration = Duration::from_secs(8);
/// How long answers are kept: about as long as a console waits between two requests.
const KEPT: Duration = Duration::from_secs(5);
/// The same for an execution that has ended, until it is redriven.
const KEPT_ENDED: Duration = Duration::from_secs(60);
/// Most descriptions that are kept.
const MOST_KEPT: usize = 4;

/// A state machine, whose executions are shown.
#[derive(Debug)]
pub struct StateMachine {
    client: Client,
    arn: String,
    kept: Mutex<Kept>,
}

/// The last answers, each with the time until which it counts; descriptions from the newest on.
#[derive(Debug, Default)]
struct Kept {
    definition: Option<(Instant, Value)>,
    list: Option<(Instant, Vec<Summary>)>,
    described: Vec<(Instant, Description)>,
}

impl StateMachine {
    /// The state machine with this ARN.
    pub fn new(client: Client, arn: impl Into<String>) -> Self {
        Self { client, arn: arn.into(), kept: Mutex::default() }
    }

    fn execution(&self, name: &str) -> String {
        format!("{}:{name}", self.arn.replacen(":stateMachine:", ":execution:", 1))
    }

    fn name(&self) -> String {
        self.arn.rsplit(':').next().unwrap_or_default().to_owned()
    }

    async fn read_definition(&self) -> Result<Value, RunnerError> {
        if let Some(known) = fresh(&self.kept.lock().definition) {
            return Ok(known);
        }
        let request = self.client.describe_state_machine().state_machine_arn(&self.arn);
        let answer = request.send().await.map_err(failed)?;
        let definition = data(answer.definition());
        self.kept.lock().definition = Some((Instant::now() + KEPT_ENDED, definition.clone()));
        Ok(definition)
    }

    async fn read_list(&self) -> Result<Vec<Summary>, RunnerError> {
        if let Some(known) = fresh(&self.kept.lock().list) {
            return Ok(known);
        }
        let request = self.client.list_executions().state_machine_arn(&self.arn);
        let answer = request.max_results(LISTED).send().await.map_err(failed)?;
        let list: Vec<Summary> = answer
            .executions()
            .iter()
            .map(|run| Summary {
                name: run.name().to_owned(),
                machine: self.name(),
                status: run.status().as_str().to_owned(),
                started_ms: millis(run.start_date()),
                stopped_ms: run.stop_date().map(millis),
                error: None,
                current: Vec::new(),
            })
            .collect();
        self.kept.lock().list = Some((Instant::now() + KEPT, list.clone()));
        Ok(list)
    }

    async fn read(&self, name: &str) -> Result<Description, RunnerError> {
        let now = Instant::now();
        let is_it =
            |(until, run): &&(Instant, Description)| run.summary.name == name && *until > now;
        if let Some((_, known)) = self.kept.lock().described.iter().find(is_it) {
            return Ok(known.clone());
        }
        let arn = self.execution(name);
        let described = async {
            let request = self.client.describe_execution().execution_arn(&arn);
            request.send().await.map_err(|error| failed_for(name, error))
        };
        let defined = async {
            let request = self.client.describe_state_machine_for_execution().execution_arn(&arn);
            request.send().await.map_err(|error| failed_for(name, error))
        };
        let (run, defined, history) =
            tokio::try_join!(described, defined, self.read_history(name, &arn))?;
        let is_running = *run.status() == ExecutionStatus::Running;
        let description = Description {
            summary: Summary {
                name: name.to_owned(),
                machine: self.name(),
                status: run.status().as_str().to_owned(),
                started_ms: millis(run.start_date()),
                stopped_ms: run.stop_date().map(millis),
                error: run.error().map(str::to_owned),
                current: if is_running { current(&history) } else { Vec::new() },
            },
            input: run.input().map(data).unwrap_or_default(),
            output: run.output().map(data),
            cause: run.cause().map(str::to_owned),
            progress: Default::default(),
            definition: data(defined.definition()),
            history,
        };
        let until = now + if is_running { KEPT } else { KEPT_ENDED };
        let mut kept = self.kept.lock();
        kept.described.retain(|(until, run)| run.summary.name != name && *until > now);
        kept.described.insert(0, (until, description.clone()));
        kept.described.truncate(MOST_KEPT);
        Ok(description)
    }

    async fn read_history(&self, name: &str, arn: &str) -> Result<Vec<Entry>, RunnerError> {
        let mut history = History::default();
        let mut next = None;
        loop {
            let request = self.client.get_execution_history().execution_arn(arn);
            let request = request.max_results(PAGE).set_next_token(next.take());
            let page = request.send().await.map_err(|error| failed_for(name, error))?;
            history.extend(page.events());
            next = page.next_token;
            // Step Functions ends an execution at 25,000 entries.
            if next.is_none() {
                return Ok(history.entries());
            }
        }
    }
}

impl Runs for StateMachine {
    fn definition(&self) -> Pending<'_, Result<Value, RunnerError>> {
        Box::pin(limited(self.read_definition()))
    }

    fn list(&self) -> Pending<'_, Result<Listing, RunnerError>> {
        Box::pin(async {
            let executions = limited(self.read_list()).await?;
            Ok(Listing { executions, damaged: Vec::new() })
        })
    }

    fn describe<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Description, RunnerError>> {
        Box::pin(limited(self.read(name)))
    }
}

async fn limited<T>(read: impl Future<Output = Result<T, RunnerError>>) -> Result<T, RunnerError> {
    let late = |_| RunnerError::Service(format!("Step Functions took longer than {LIMIT:?}"));
    tokio::time::timeout(LIMIT, read).await.map_err(late)?
}

/// A kept answer that still counts.
fn fresh<T: Clone>(kept: &Option<(Instant, T)>) -> Option<T> {
    let kept = kept.as_ref().filter(|(until, _)| *until > Instant::now());
    kept.map(|(_, answer)| answer.clone())
}

fn millis(at: &DateTime) -> i64 {
    at.to_millis().unwrap_or_default()
}

fn failed<E, R>(error: SdkError<E, R>) -> RunnerError
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
{
    RunnerError::Service(format!("Step Functions: {}", text(&error)))
}

/// The error of a request about one execution.
fn failed_for<E, R>(name: &str, error: SdkError<E, R>) -> RunnerError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    match code {
        Some("ExecutionDoesNotExist" | "InvalidArn" | "ResourceNotFound") => {
            RunnerError::Unknown(name.to_owned())
        }
        _ => failed(error),
    }
}
