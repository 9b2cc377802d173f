//! The executions of a state machine: what moto runs is shown as the runner shows its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::timeout::TimeoutConfig;
use aws_sdk_sfn::Client;
use cartwheel_ambient::Clock;
use cartwheel_aws::StateMachine;
use cartwheel_testkit::{Emulator, FaultProxy, Faults};
use cartwheel_workflow::{
    Description, Reporter, Resources, Runner, RunnerError, RunnerOptions, Runs, TaskResult,
    TaskRun, describe,
};
use serde_json::{Value, json};

use crate::harness::config;

const MACHINE: &str = "shop-dev-pipeline";

/// A machine without tasks, which needs no resources.
fn definition() -> Value {
    json!({
        "StartAt": "Parts",
        "States": {
            "Parts": {
                "Type": "Map", "ItemsPath": "$.parts", "MaxConcurrency": 1, "ResultPath": "$.loaded",
                "ItemProcessor": {
                    "StartAt": "Load",
                    "States": {"Load": {"Type": "Pass", "Result": {"users": 3}, "End": true}},
                },
                "Next": "Enough",
            },
            "Enough": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.enough", "BooleanEquals": true, "Next": "Release"}],
                "Default": "Refuse",
            },
            "Release": {"Type": "Pass", "Result": {"outcome": "released"}, "End": true},
            "Refuse": {"Type": "Fail", "Error": "TooFewUsers", "Cause": "3 users"},
        },
    })
}

fn input(enough: bool) -> Value {
    json!({"parts": ["a", "b"], "enough": enough})
}

struct NoTasks;

impl Resources for NoTasks {
    fn knows(&self, _: &str) -> bool {
        false
    }

    fn run(&self, _: &str, _: TaskRun, _: Reporter) -> TaskResult {
        unreachable!("the machine has no tasks")
    }
}

/// The same execution by the local runner.
async fn here(enough: bool) -> Description {
    let dir = tempfile::tempdir().unwrap();
    let options = RunnerOptions { clock: Clock::system(), keep: 9 };
    let runner = Runner::open(dir.path(), Arc::new(NoTasks), options).unwrap();
    runner.start(MACHINE, &definition(), "run", input(enough)).unwrap();
    runner.ended("run").await;
    describe(dir.path(), "run").unwrap()
}

/// A client that waits as long as moto takes to load its interpreter.
async fn patient(url: &str) -> Client {
    let config = config(url).await.into_builder();
    Client::new(&config.timeout_config(TimeoutConfig::disabled()).build())
}

/// Starts an execution and waits for its end.
async fn execute(client: &Client, machine: &str, name: &str, enough: bool) {
    let start = client.start_execution().state_machine_arn(machine).name(name);
    let run = start.input(input(enough).to_string()).send().await.unwrap();
    let start = Instant::now();
    loop {
        let run = client.describe_execution().execution_arn(run.execution_arn()).send().await;
        if run.unwrap().status().as_str() != "RUNNING" {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "the execution does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Type, state and data of each entry.
fn steps(run: &Description) -> Vec<(&'static str, Value)> {
    run.history.iter().map(|entry| (entry.kind.as_str(), entry.details.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_are_shown_as_the_runner_shows_its_own() {
    let moto = Emulator::moto();
    moto.run_state_machines();
    let proxy = FaultProxy::start(moto.port(), 1, Faults::default()).await;
    let client = patient(&proxy.url()).await;
    let made = client.create_state_machine().name(MACHINE).definition(definition().to_string());
    let made = made.role_arn("arn:aws:iam::123456789012:role/any").send().await.unwrap();
    let arn = made.state_machine_arn();
    let runs = StateMachine::new(client.clone(), arn);
    assert!(runs.list().await.unwrap().executions.is_empty());
    let runs = StateMachine::new(client.clone(), arn);

    for (name, enough) in [("run-1", true), ("run-2", false)] {
        execute(&client, arn, name, enough).await;
        let there = runs.describe(name).await.unwrap();
        let here = here(enough).await;
        assert_eq!(steps(&there), steps(&here));
        assert_eq!(there.summary.status, here.summary.status);
        assert_eq!(
            (there.summary.machine.as_str(), &there.summary.current),
            (MACHINE, &Vec::new())
        );
        assert_eq!((&there.summary.error, &there.cause), (&here.summary.error, &here.cause));
        assert_eq!((&there.input, &there.output), (&here.input, &here.output));
        assert_eq!(there.definition, definition());
        assert!(there.summary.stopped_ms >= Some(there.summary.started_ms));
        let first = there.history.first().unwrap();
        assert_eq!((first.id, first.previous_id), (1, 0));
        assert!((there.summary.started_ms..=first.at_ms + 5_000).contains(&first.at_ms));
    }
    let listed = runs.list().await.unwrap().executions;
    let mut names: Vec<&str> = listed.iter().map(|run| run.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["run-1", "run-2"]);
    assert_eq!(runs.definition().await.unwrap(), definition());
    let error = runs.describe("run-3").await.unwrap_err();
    assert!(matches!(error, RunnerError::Unknown(_)), "{error}");

    // A console that asks again and again costs nothing more.
    let before = proxy.seen().requests;
    for _ in 0..5 {
        runs.list().await.unwrap();
        runs.describe("run-2").await.unwrap();
        runs.definition().await.unwrap();
    }
    assert_eq!(proxy.seen().requests, before);
    // Rights to the state machine and to its executions.
    let asked = proxy.asked();
    for right in [
        "states:DescribeExecution execution",
        "states:DescribeStateMachine stateMachine",
        "states:DescribeStateMachineForExecution execution",
        "states:GetExecutionHistory execution",
        "states:ListExecutions stateMachine",
    ] {
        assert!(asked.contains(right), "{right}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_is_an_error() {
    let nowhere = format!("http://127.0.0.1:{}", cartwheel_testkit::free_port());
    let client = Client::new(&config(&nowhere).await);
    let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:shop-dev-pipeline";
    let error = StateMachine::new(client, arn).list().await.unwrap_err();
    assert!(
        matches!(&error, RunnerError::Service(why) if why.contains("Step Functions")),
        "{error}"
    );
}
