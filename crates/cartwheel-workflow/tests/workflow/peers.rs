//! The interpreter beside another one: `moto`'s, in server mode.
//!
//! Every definition of `corpus.json` runs on both. Where they differ, `RULES` says
//! which rule of the service ours follows.

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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Outcome {
    status: String,
    #[serde(default)]
    output: Value,
    error: Option<String>,
}

/// Cases in which the service's rule is ours, and not the peer's.
const RULES: &[(&str, &str)] = &[
    ("parameters path not found", PARAMETERS),
    ("task parameters not found", PARAMETERS),
    ("task result selector not found", PARAMETERS),
    ("task parameter failure caught", PARAMETERS),
    ("choice IsNull of nothing", VARIABLE),
    ("choice compares nothing", VARIABLE),
    ("no heartbeat", HEARTBEAT),
    ("no heartbeat by path", HEARTBEAT),
    ("no choice matches", "States.NoChoiceMatched: the input matches no rule, without a Default"),
    (
        "map over no array",
        "States.QueryEvaluationError is of JSONata; with JSONPath: States.Runtime",
    ),
    ("retry count in the context", "the context object's State has a RetryCount"),
    ("execution times out", "an execution that times out has the error States.Timeout"),
    (
        "result path does not fit",
        "States.ResultPathMatchFailure: ResultPath does not fit the input",
    ),
    ("format with too few", INTRINSIC),
    ("string to json fails", INTRINSIC),
    ("array range of step zero", INTRINSIC),
    ("array range down", "States.ArrayRange takes any increment but zero"),
];
const PARAMETERS: &str = "States.ParameterPathFailure: a path of a payload template finds nothing";
const HEARTBEAT: &str = "States.HeartbeatTimeout: no heartbeat within HeartbeatSeconds";
const VARIABLE: &str = "States.Runtime: a condition's path references an invalid value";
const INTRINSIC: &str = "States.IntrinsicFailure: an intrinsic function failed";

/// A table as in `peer.py`.
#[derive(Default)]
struct Shelf(BTreeMap<String, Value>);

impl Shelf {
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

/// Runs a definition to its end, in no time: whatever is to be woken next is woken.
fn run(case: &Case) -> Outcome {
    let machine = match Machine::parse(&case.definition) {
        Ok(machine) => machine,
        Err(_) => return Outcome { status: "REFUSED".into(), output: Value::Null, error: None },
    };
    let mut shelf = Shelf::default();
    shelf.0.insert("a".into(), json!({"id": {"S": "a"}, "n": {"N": "7"}}));
    let mut now_ms = 1_767_225_600_000;
    let begin = Start {
        name: "case".into(),
        machine: "m".into(),
        input: case.input.clone(),
        at_ms: now_ms,
        seed: 1,
    };
    let (mut execution, mut commands) = start(&machine, begin);
    let mut wakes = BTreeSet::new();
    while *execution.status() == Status::Running {
        let mut event = None;
        for command in std::mem::take(&mut commands) {
            match command {
                Command::Wake { ticket, at_ms } => {
                    wakes.insert((at_ms, ticket));
                }
                Command::Cancel { .. } => {}
                // Nobody answers.
                Command::Run(task) if task.resource.ends_with(".waitForTaskToken") => {}
                Command::Run(task) => {
                    let ticket = task.ticket;
                    let done = match shelf.run(&task) {
                        Ok(output) => Event::Succeeded { ticket, output },
                        Err(failure) => Event::Failed { ticket, failure },
                    };
                    let (next, more) =
                        step(&machine, execution, &TimedEvent { at_ms: now_ms, event: done });
                    execution = next;
                    commands.extend(more);
                    event = Some(());
                }
            }
        }
        if event.is_some() || !commands.is_empty() {
            continue;
        }
        let Some((at_ms, ticket)) = wakes.pop_first() else { break };
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
    Outcome { status: status.name().into(), output, error }
}

fn peer(cases: &str) -> Vec<Outcome> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("../../.venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make setup`", python.display());
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
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "peer.py failed (run `make setup`?):\n{complaint}");
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn both_interpreters_come_to_the_same() {
    let corpus = include_str!("corpus.json");
    let cases: Vec<Case> = serde_json::from_str(corpus).unwrap();
    let theirs = peer(corpus);
    assert_eq!(cases.len(), theirs.len());
    let mut differ = Vec::new();
    for (case, theirs) in cases.iter().zip(theirs) {
        let ours = run(case);
        let known = RULES.iter().any(|(name, _)| *name == case.name);
        if (ours == theirs) == known {
            let ours = serde_json::to_string(&ours).unwrap();
            let theirs = serde_json::to_string(&theirs).unwrap();
            differ.push(format!("{}\n  ours   {ours}\n  theirs {theirs}", case.name));
        }
    }
    assert!(differ.is_empty(), "{} of {}:\n{}", differ.len(), cases.len(), differ.join("\n"));
}
