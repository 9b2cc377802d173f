//! Compares the interpreter with the one of `moto` in server mode.
//!
//! Every definition of `corpus.json` runs on both. [`DIFFERENCES`] lists the cases in which
//! the results differ, with the rule of AWS that this crate follows.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command as Process, Stdio};

use cartwheel_workflow::{
    Command, Event, Failure, Machine, Start, Status, TaskRun, TimedEvent, start, step,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Serialize, Deserialize)]
struct Case {
    name: String,
    definition: Value,
    input: Value,
}

/// The result of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CaseResult {
    status: String,
    #[serde(default)]
    output: Value,
    error: Option<String>,
}

/// A case in which moto differs from AWS.
struct Difference {
    case: &'static str,
    /// The rule of AWS.
    rule: &'static str,
}

const fn differs(case: &'static str, rule: &'static str) -> Difference {
    Difference { case, rule }
}

const DIFFERENCES: &[Difference] = &[
    differs("parameters path not found", PARAMETERS),
    differs("task parameters not found", PARAMETERS),
    differs("task result selector not found", PARAMETERS),
    differs("task parameter failure caught", PARAMETERS),
    differs("choice IsNull of a missing variable", VARIABLE),
    differs("choice compares a missing variable", VARIABLE),
    differs("no heartbeat", HEARTBEAT),
    differs("no heartbeat by path", HEARTBEAT),
    differs("no choice matches", "States.NoChoiceMatched: no rule matches and there is no Default"),
    differs(
        "map over a value that is not an array",
        "States.QueryEvaluationError belongs to JSONata; with JSONPath it is States.Runtime",
    ),
    differs("retry count in the context", "the context object's State has a RetryCount"),
    differs("execution times out", "an execution that times out has the error States.Timeout"),
    differs(
        "result path does not fit",
        "States.ResultPathMatchFailure: ResultPath does not fit the input",
    ),
    differs("format with too few values", INTRINSIC),
    differs("string to json fails", INTRINSIC),
    differs("array range of step zero", INTRINSIC),
    differs("array range downwards", "States.ArrayRange takes any increment except zero"),
];
const PARAMETERS: &str = "States.ParameterPathFailure: a path of a payload template finds nothing";
const HEARTBEAT: &str = "States.HeartbeatTimeout: no heartbeat within HeartbeatSeconds";
const VARIABLE: &str = "States.Runtime: a condition's path references an invalid value";
const INTRINSIC: &str = "States.IntrinsicFailure: an intrinsic function failed";

/// The table `shelf`, as in `peer.py`: items by their id.
#[derive(Default)]
struct Table(BTreeMap<String, Value>);

impl Table {
    fn run(&mut self, task: &TaskRun) -> Result<Value, Failure> {
        if task.input["TableName"] != "shelf" {
            return Err(Failure::new("DynamoDB.ResourceNotFoundException", "no such table"));
        }
        match task.resource.as_str() {
            "arn:aws:states:::dynamodb:getItem" => {
                let key = task.input["Key"]["id"]["S"].as_str().unwrap_or_default();
                Ok(json!({"Item": self.0.get(key)}))
            }
            "arn:aws:states:::dynamodb:putItem" => {
                let item = task.input["Item"].clone();
                self.0.insert(item["id"]["S"].as_str().unwrap_or_default().to_owned(), item);
                Ok(json!({}))
            }
            other => Err(Failure::new("States.Runtime", other)),
        }
    }
}

/// Runs a case to its end. Each wake-up is delivered at once.
fn run(case: &Case) -> CaseResult {
    let machine = match Machine::parse(&case.definition) {
        Ok(machine) => machine,
        Err(_) => {
            return CaseResult { status: "REFUSED".into(), output: Value::Null, error: None };
        }
    };
    let mut table = Table::default();
    table.0.insert("a".into(), json!({"id": {"S": "a"}, "n": {"N": "7"}}));
    let mut now_ms = 1_767_225_600_000;
    let parameters = Start {
        name: "case".into(),
        machine: "m".into(),
        input: case.input.clone(),
        at_ms: now_ms,
        seed: 1,
    };
    let (mut execution, mut commands) = start(&machine, parameters);
    let mut timers = BTreeSet::new();
    while *execution.status() == Status::Running {
        let mut ran_task = false;
        for command in std::mem::take(&mut commands) {
            match command {
                Command::Wake { ticket, at_ms } => {
                    timers.insert((at_ms, ticket));
                }
                Command::Cancel { .. } => {}
                // Nothing sends the token back.
                Command::Run(task) if task.resource.ends_with(".waitForTaskToken") => {}
                Command::Run(task) => {
                    let ticket = task.ticket;
                    let event = match table.run(&task) {
                        Ok(output) => Event::Succeeded { ticket, output },
                        Err(failure) => Event::Failed { ticket, failure },
                    };
                    let (next, more) =
                        step(&machine, execution, &TimedEvent { at_ms: now_ms, event });
                    execution = next;
                    commands.extend(more);
                    ran_task = true;
                }
            }
        }
        if ran_task || !commands.is_empty() {
            continue;
        }
        let Some((at_ms, ticket)) = timers.pop_first() else { break };
        now_ms = now_ms.max(at_ms);
        let woken = TimedEvent { at_ms: now_ms, event: Event::Woken { ticket } };
        (execution, commands) = step(&machine, execution, &woken);
    }
    let status = execution.status();
    let output = match status {
        Status::Succeeded { output } => output.clone(),
        _ => Value::Null,
    };
    let error = status.failure().map(|failure| failure.error.clone()).filter(|e| !e.is_empty());
    CaseResult { status: status.name().into(), output, error }
}

/// Runs the cases on moto.
fn run_on_moto(cases: &str) -> Vec<CaseResult> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("../../.venv-test/bin/python");
    assert!(python.exists(), "{} is missing: `make test` installs it", python.display());
    let mut child = Process::new(python)
        .arg(root.join("tests/workflow/peer.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let cases = cases.to_owned();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(cases.as_bytes()));
    let done = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "peer.py failed (run `make test`?):\n{stderr}");
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn both_interpreters_agree_except_in_the_listed_cases() {
    let corpus = include_str!("corpus.json");
    let cases: Vec<Case> = serde_json::from_str(corpus).unwrap();
    let theirs = run_on_moto(corpus);
    assert_eq!(cases.len(), theirs.len());
    let mut wrong = Vec::new();
    for (case, theirs) in cases.iter().zip(theirs) {
        let ours = run(case);
        let listed = DIFFERENCES.iter().find(|listed| listed.case == case.name);
        if (ours == theirs) == listed.is_some() {
            let ours = serde_json::to_string(&ours).unwrap();
            let theirs = serde_json::to_string(&theirs).unwrap();
            let rule = listed.map_or("none listed", |listed| listed.rule);
            let name = &case.name;
            wrong.push(format!("{name}\n  ours   {ours}\n  theirs {theirs}\n  rule   {rule}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
