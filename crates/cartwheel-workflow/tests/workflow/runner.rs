//! Tests of the durable runner: crashes at every transition, timers, names, retention.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_ambient::Clock;
use cartwheel_workflow::{
    Description, Entry, Failure, Listing, Progress, Reporter, Resources, Runner, RunnerError,
    RunnerOptions, TaskResult, TaskRun, describe, list, logs,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// Resources named after their behaviour.
#[derive(Default)]
struct Tasks {
    /// Name of the state, for each run of a task.
    runs: Mutex<Vec<String>>,
}

impl Resources for Tasks {
    fn knows(&self, resource: &str) -> bool {
        ["echo", "flaky", "slow", "panic"].contains(&resource)
    }

    fn run(&self, _: &str, task: TaskRun, report: Reporter) -> TaskResult {
        self.runs.lock().push(task.state.clone());
        Box::pin(async move {
            report.log(&format!("attempt {}", task.attempt));
            report.report(Progress { what: "working".into(), done: 1, total: Some(2) });
            match task.resource.as_str() {
                "flaky" if task.attempt < 2 => Err(Failure::new("Flaky", "not yet")),
                "slow" => {
                    tokio::time::sleep(Duration::from_secs(3600)).await;
                    Ok(json!("late"))
                }
                "panic" => panic!("as requested"),
                _ => Ok(json!({"state": task.state, "input": task.input})),
            }
        })
    }
}

fn options() -> RunnerOptions {
    let start = tokio::time::Instant::now();
    let clock = Clock::new(move || 1_767_225_600_000 + start.elapsed().as_millis() as i64);
    RunnerOptions { clock, keep: 3 }
}

fn definition() -> Value {
    let task = |resource: &str| json!({"Type": "Task", "Resource": resource, "End": true});
    json!({"StartAt": "First", "States": {
        "First": {"Type": "Task", "Resource": "echo", "ResultPath": "$.first", "Next": "Pause"},
        "Pause": {"Type": "Wait", "Seconds": 86400, "Next": "Both"},
        "Both": {"Type": "Parallel", "ResultPath": "$.both", "Next": "Each", "Branches": [
            {"StartAt": "Left", "States": {"Left": task("echo")}},
            {"StartAt": "Flaky", "States": {"Flaky": {"Type": "Task", "Resource": "flaky", "End": true,
                "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 600}]}}}]},
        "Each": {"Type": "Map", "ItemsPath": "$.items", "ResultPath": "$.each", "End": true,
                 "ItemProcessor": {"StartAt": "Item", "States": {"Item": task("echo")}}}}})
}

/// A machine with a single task.
fn single(resource: &str) -> Value {
    json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": true}}})
}

async fn run(dir: &Path, tasks: &Arc<Tasks>, definition: &Value) -> Description {
    let runner = Runner::open(dir, tasks.clone(), options()).unwrap();
    if runner.running().is_none() {
        runner.start("pipeline", definition, "run", json!({"items": [1, 2, 3]})).unwrap();
    }
    runner.ended("run").await;
    describe(dir, "run").unwrap()
}

/// Number of finished tasks, by the name of their state.
fn finished(history: &[Entry]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in history.iter().filter(|entry| entry.kind.as_str() == "TaskSucceeded") {
        let state = entry.details["output"]["state"].as_str().unwrap_or_default().to_owned();
        *counts.entry(state).or_default() += 1;
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn an_execution_resumes_from_any_cut_of_its_journal_without_running_a_finished_task_again() {
    let dir = tempfile::tempdir().unwrap();
    let whole = run(dir.path(), &Arc::default(), &definition()).await;
    assert_eq!(whole.summary.status, "SUCCEEDED", "{:?}", whole.cause);
    assert!(whole.summary.stopped_ms.unwrap() - whole.summary.started_ms >= 86_400_000);
    let journal = std::fs::read(dir.path().join("run.jsonl")).unwrap();
    let head = journal.iter().position(|&b| b == b'\n').unwrap() + 1;
    let ends = |cut: usize| journal[cut - 1] == b'\n' || cut.is_multiple_of(13);
    let mut cuts = 0;
    for cut in (head..=journal.len()).filter(|&cut| ends(cut)) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("run.jsonl"), &journal[..cut]).unwrap();
        let before = describe(dir.path(), "run").unwrap();
        let done = finished(&before.history);
        let tasks = Arc::new(Tasks::default());
        let runner = Runner::open(dir.path(), tasks.clone(), options()).unwrap();
        runner.ended("run").await;
        let after = describe(dir.path(), "run").unwrap();
        assert_eq!((&after.summary.status, &after.output), (&whole.summary.status, &whole.output));
        let ran = tasks.runs.lock().clone();
        for (state, all) in finished(&whole.history) {
            let again = ran.iter().filter(|name| **name == state).count();
            let expected = all - done.get(&state).copied().unwrap_or(0);
            // The flaky task runs until it succeeds.
            assert!(
                again == expected || state == "Flaky",
                "cut at {cut}: {state} ran {again} times"
            );
        }
        cuts += 1;
    }
    assert!(cuts > 50, "{cuts}");
}

#[tokio::test(start_paused = true)]
async fn executions_do_not_overlap_and_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = Arc::new(Tasks::default());
    let runner = Runner::open(dir.path(), tasks.clone(), options()).unwrap();
    runner.start("m", &single("slow"), "a", json!({})).unwrap();
    let busy = runner.start("m", &single("slow"), "b", json!({}));
    assert!(matches!(busy, Err(RunnerError::Busy(name)) if name == "a"));
    let second = Runner::open(dir.path(), tasks.clone(), options());
    assert!(matches!(second, Err(RunnerError::Locked(_))));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let shown = describe(dir.path(), "a").unwrap();
    assert_eq!(shown.summary.current, ["T"]);
    assert_eq!(shown.progress["T"].done, 1);
    runner.stop("a", Failure::new("Operator", "enough")).unwrap();
    runner.ended("a").await;
    let ended = describe(dir.path(), "a").unwrap();
    assert_eq!(
        (ended.summary.status.as_str(), ended.cause.as_deref()),
        ("ABORTED", Some("enough"))
    );
    assert!(matches!(runner.stop("a", Failure::new("", "")), Err(RunnerError::State(..))));
    assert!(matches!(runner.stop("x", Failure::new("", "")), Err(RunnerError::Unknown(_))));
    assert!(matches!(
        runner.start("m", &single("echo"), "a", json!({})),
        Err(RunnerError::Exists(_))
    ));
    assert!(matches!(
        runner.start("m", &single("echo"), "../a", json!({})),
        Err(RunnerError::Name(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_fails_and_can_be_redriven() {
    let dir = tempfile::tempdir().unwrap();
    let runner = Runner::open(dir.path(), Arc::new(Tasks::default()), options()).unwrap();
    runner.start("m", &single("panic"), "a", json!({})).unwrap();
    runner.ended("a").await;
    assert_eq!(
        describe(dir.path(), "a").unwrap().summary.error.as_deref(),
        Some("States.TaskFailed")
    );
    runner.redrive("a").unwrap();
    runner.ended("a").await;
    let types: Vec<&str> = describe(dir.path(), "a")
        .unwrap()
        .history
        .iter()
        .map(|e| e.kind.as_str())
        .collect::<Vec<_>>();
    assert_eq!(types.iter().filter(|kind| **kind == "TaskFailed").count(), 2);
    assert!(types.contains(&"ExecutionRedriven"));
    runner.start("m", &single("echo"), "b", json!({})).unwrap();
    runner.ended("b").await;
    assert!(matches!(runner.redrive("b"), Err(RunnerError::State(..))));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_resource_is_refused_before_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let runner = Runner::open(dir.path(), Arc::new(Tasks::default()), options()).unwrap();
    let refused = runner.start("m", &single("arn:aws:nothing"), "a", json!({}));
    assert!(refused.unwrap_err().to_string().contains("States.T.Resource"));
    assert!(list(dir.path()).executions.is_empty());
}

#[tokio::test(start_paused = true)]
async fn old_executions_are_deleted_and_a_damaged_journal_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let runner = Runner::open(dir.path(), Arc::new(Tasks::default()), options()).unwrap();
    for n in 0..6 {
        let name = format!("run-{n}");
        runner.start("m", &single("echo"), &name, json!({})).unwrap();
        runner.ended(&name).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let Listing { executions, damaged } = list(dir.path());
    let names: Vec<&str> = executions.iter().map(|summary| summary.name.as_str()).collect();
    assert_eq!((names, damaged.len()), (vec!["run-5", "run-4", "run-3", "run-2"], 0));
    assert!(!dir.path().join("run-1.log").exists());
    assert!(dir.path().join("run-2.log").exists());
    std::fs::write(dir.path().join("run-4.jsonl"), "{\"format\": 9}\ngarbage\n").unwrap();
    let Listing { executions, damaged } = list(dir.path());
    assert_eq!(executions.len(), 3);
    assert!(damaged[0].to_string().contains("run-4.jsonl, line 1"), "{}", damaged[0]);
}

#[tokio::test(start_paused = true)]
async fn the_log_of_an_execution_holds_the_lines_of_its_tasks() {
    let dir = tempfile::tempdir().unwrap();
    let tasks = Arc::new(Tasks::default());
    let definition = json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "flaky",
        "End": true, "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 1}]}}});
    let run = run(dir.path(), &tasks, &definition).await;
    let lines = logs(dir.path(), &run.summary.name).unwrap();
    let texts: Vec<_> =
        lines.iter().map(|line| (line.state.as_str(), line.text.as_str())).collect();
    assert_eq!(texts, [("T", "attempt 0"), ("T", "attempt 1"), ("T", "attempt 2")]);
    assert!(lines[0].at_ms < lines[2].at_ms);
    assert!(logs(dir.path(), "nothing").is_err() && logs(dir.path(), "../x").is_err());
}
