//! What no other interpreter here shows: time, stopping, redriving, replaying.

use std::collections::BTreeSet;

use cartwheel_workflow::{
    Command, Event, Execution, Failure, Happened, MAX_PAYLOAD, Machine, Start, Status, TaskRun,
    Type, start, step,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const BEGIN_MS: i64 = 1_767_225_600_000;

/// An execution with a clock that jumps to whatever is to be woken next.
struct World {
    machine: Machine,
    execution: Execution,
    now_ms: i64,
    wakes: BTreeSet<(i64, u64)>,
    tasks: Vec<TaskRun>,
    cancelled: Vec<u64>,
    events: Vec<Happened>,
}

fn begin(input: Value) -> Start {
    Start { name: "run".into(), machine: "m".into(), input, at_ms: BEGIN_MS, seed: 7 }
}

impl World {
    fn new(definition: &Value, input: Value) -> Self {
        let machine = Machine::parse(definition).unwrap();
        let (execution, commands) = start(&machine, begin(input));
        let mut world = Self {
            machine,
            execution,
            now_ms: BEGIN_MS,
            wakes: BTreeSet::new(),
            tasks: Vec::new(),
            cancelled: Vec::new(),
            events: Vec::new(),
        };
        world.take(commands);
        world
    }

    fn take(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Run(task) => self.tasks.push(task),
                Command::Cancel { ticket } => {
                    self.tasks.retain(|task| task.ticket != ticket);
                    self.cancelled.push(ticket);
                }
                Command::Wake { ticket, at_ms } => {
                    self.wakes.insert((at_ms, ticket));
                }
            }
        }
    }

    fn happen(&mut self, event: Event) {
        let happened = Happened { at_ms: self.now_ms, event };
        let (execution, commands) = step(&self.machine, self.execution.clone(), &happened);
        self.events.push(happened);
        self.execution = execution;
        self.take(commands);
    }

    /// Wakes whoever is next. Says whether there was anybody.
    fn wake(&mut self) -> bool {
        let Some((at_ms, ticket)) = self.wakes.pop_first() else { return false };
        self.now_ms = self.now_ms.max(at_ms);
        self.happen(Event::Woken { ticket });
        true
    }

    fn task(&mut self) -> TaskRun {
        self.tasks.remove(0)
    }

    fn succeed(&mut self, output: Value) {
        let ticket = self.task().ticket;
        self.happen(Event::Succeeded { ticket, output });
    }

    fn fail(&mut self, error: &str) {
        let ticket = self.task().ticket;
        self.happen(Event::Failed { ticket, failure: Failure::new(error, "cause") });
    }

    fn error(&self) -> &str {
        self.execution.status().failure().map_or("", |failure| &failure.error)
    }

    fn seconds(&self) -> f64 {
        (self.now_ms - BEGIN_MS) as f64 / 1000.0
    }
}

fn task(more: Value) -> Value {
    let mut task = json!({"Type": "Task", "Resource": "arn:aws:states:::x:y", "End": true});
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task
}

fn one(state: Value) -> Value {
    json!({"StartAt": "T", "States": {"T": state}})
}

#[test]
fn a_day_of_retries_takes_no_time() {
    let retry = json!({"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60,
        "BackoffRate": 2, "MaxDelaySeconds": 3600, "MaxAttempts": 30}]});
    let mut world = World::new(&one(task(retry)), json!({}));
    let mut tries = 0;
    while *world.execution.status() == Status::Running {
        tries += 1;
        world.fail("Busy");
        world.wake();
    }
    assert_eq!(tries, 31);
    // 60, 120, … 1920, and then an hour each.
    assert_eq!(world.seconds(), (60 * 63 + 24 * 3600) as f64);
    assert_eq!(world.error(), "Busy");
}

#[test]
fn each_retrier_counts_for_itself_and_jitter_stays_below_the_delay() {
    let retry = json!({"Retry": [
        {"ErrorEquals": ["A"], "IntervalSeconds": 10, "MaxAttempts": 1, "JitterStrategy": "FULL"},
        {"ErrorEquals": ["B"], "IntervalSeconds": 5, "BackoffRate": 3.0, "MaxAttempts": 2}]});
    let mut world = World::new(&one(task(retry)), json!({}));
    world.fail("A");
    world.wake();
    let jittered = world.seconds();
    assert!((0.0..10.0).contains(&jittered), "{jittered}");
    world.fail("B");
    world.wake();
    world.fail("B");
    world.wake();
    assert_eq!(world.seconds() - jittered, 20.0);
    assert_eq!(world.tasks[0].attempt, 3);
    world.fail("A");
    assert_eq!(world.error(), "A");
}

#[test]
fn a_task_times_out_and_its_late_result_changes_nothing() {
    let states = json!({"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": "r", "TimeoutSecondsPath": "$.limit", "Next": "N",
              "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Late", "ResultPath": "$.e"}]},
        "N": {"Type": "Succeed"},
        "Late": {"Type": "Wait", "Seconds": 5, "Next": "N"}}});
    let mut world = World::new(&states, json!({"limit": 30}));
    let ticket = world.tasks[0].ticket;
    world.wake();
    assert_eq!(world.seconds(), 30.0);
    assert_eq!(world.cancelled, [ticket]);
    let before = world.execution.history().len();
    world.happen(Event::Succeeded { ticket, output: json!("late") });
    assert_eq!(world.execution.history().len(), before);
    world.wake();
    let Status::Succeeded { output } = world.execution.status() else { panic!() };
    assert_eq!(output["e"]["Error"], "States.Timeout");
}

#[test]
fn heartbeats_keep_a_task_alive() {
    let beats = json!({"HeartbeatSeconds": 10, "TimeoutSeconds": 100});
    let mut world = World::new(&one(task(beats)), json!({}));
    let ticket = world.tasks[0].ticket;
    for _ in 0..5 {
        world.now_ms += 9_000;
        world.happen(Event::Heartbeat { ticket });
    }
    while *world.execution.status() == Status::Running {
        assert!(world.wake());
    }
    assert_eq!((world.seconds(), world.error()), (55.0, "States.HeartbeatTimeout"));
}

#[test]
fn a_failing_branch_cancels_the_others_and_a_redrive_runs_those_only_that_did_not_succeed() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: task(json!({}))}});
    let states = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true,
        "Branches": [branch("A"), branch("B"), branch("C")]}}});
    let mut world = World::new(&states, json!({}));
    assert_eq!(world.execution.current(), ["P", "A", "B", "C"]);
    world.succeed(json!("a"));
    let c = world.tasks[1].ticket;
    world.fail("Bad");
    assert_eq!((world.error(), &world.cancelled[..]), ("Bad", &[c][..]));
    world.happen(Event::Redrive);
    let again: Vec<&str> = world.tasks.iter().map(|task| task.state.as_str()).collect();
    assert_eq!(again, ["B", "C"]);
    world.succeed(json!("b"));
    world.succeed(json!("c"));
    assert_eq!(*world.execution.status(), Status::Succeeded { output: json!(["a", "b", "c"]) });
}

#[test]
fn a_map_keeps_to_its_concurrency_and_bears_as_many_failures_as_it_may() {
    let states = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "End": true,
        "MaxConcurrencyPath": "$.most", "ItemsPath": "$.items", "ToleratedFailureCount": 1,
        "ItemProcessor": one(task(json!({})))}}});
    let input = json!({"most": 2, "items": [1, 2, 3, 4]});
    let mut world = World::new(&states, input.clone());
    assert_eq!(world.tasks.len(), 2);
    world.fail("Bad");
    assert_eq!(world.tasks.len(), 2);
    for output in [20, 30, 40] {
        assert!(world.tasks.len() <= 2);
        world.succeed(json!(output));
    }
    let Status::Succeeded { output } = world.execution.status() else { panic!() };
    assert_eq!(*output, json!([null, 20, 30, 40]));

    let mut world = World::new(&states, input);
    world.fail("Bad");
    world.fail("Worse");
    assert_eq!(world.error(), "Worse");
    assert!(world.tasks.is_empty(), "what ran is cancelled");
}

#[test]
fn stop_and_the_machines_own_timeout_end_it() {
    let mut world = World::new(&one(task(json!({}))), json!({}));
    let ticket = world.tasks[0].ticket;
    world.happen(Event::Stop { failure: Failure::new("Operator", "enough") });
    assert_eq!(world.execution.status().name(), "ABORTED");
    assert_eq!(world.cancelled, [ticket]);

    let mut definition = one(task(json!({})));
    definition["TimeoutSeconds"] = json!(60);
    let mut world = World::new(&definition, json!({}));
    assert!(world.wake());
    assert_eq!((world.execution.status().name(), world.seconds()), ("TIMED_OUT", 60.0));
    world.happen(Event::Redrive);
    world.succeed(json!(1));
    assert_eq!(world.execution.status().name(), "SUCCEEDED");
}

#[test]
fn a_payload_that_is_too_large_ends_it_whatever_is_caught() {
    let caught = json!({"StartAt": "T", "States": {
        "T": task(json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "N"}]})),
        "N": {"Type": "Succeed"}}});
    let mut world = World::new(&caught, json!({}));
    world.succeed(json!("x".repeat(MAX_PAYLOAD)));
    assert_eq!(world.error(), "States.DataLimitExceeded");
}

#[test]
fn a_loop_that_never_waits_ends() {
    let states = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "E"}],
              "Default": "A"},
        "E": {"Type": "Succeed"}}});
    let world = World::new(&states, json!({}));
    assert_eq!(world.error(), "States.Runtime");
}

#[test]
fn the_history_tells_what_happened() {
    let states = json!({"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": "r", "Next": "E"}, "E": {"Type": "Succeed"}}});
    let mut world = World::new(&states, json!({"in": 1}));
    world.succeed(json!({"out": 2}));
    let types: Vec<&str> = world.execution.history().iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(
        types,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskSucceeded",
            "TaskStateExited",
            "SucceedStateEntered",
            "SucceedStateExited",
            "ExecutionSucceeded"
        ]
    );
    assert!(world.execution.history().iter().all(|entry| entry.previous_id == entry.id - 1));
    let exited = world.execution.history().iter().find(|e| e.kind == Type::TaskStateExited);
    assert_eq!(exited.unwrap().details, json!({"name": "T", "output": {"out": 2}}));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_place() {
    let definition = json!({"StartAt": "A", "TimeoutSeconds": 0, "States": {
        "A": {"Type": "Task", "Next": "Gone", "Retry": [{"ErrorEquals": [], "BackoffRate": 0.5}],
              "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}, {"ErrorEquals": ["X"], "Next": "B"}],
              "HeartbeatSeconds": 10, "TimeoutSeconds": 5},
        "B": {"Type": "Pass", "Parameters": {"a.$": "States.Nope()", "b": {"c.$": "$.x["}}},
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": "1", "Next": "B"},
              {"And": []}], "Next": "B"},
        "D": {"Type": "Wait", "Seconds": 1, "Timestamp": "now", "End": true},
        "E": {"Type": "Map", "End": true, "ItemReader": {}},
        "F": {"Type": "Wurst"},
        "G": {"Type": "Pass", "End": true, "Assign": {"x": 1}, "ResultPath": "$.a[*]"},
        "H": {"Type": "Parallel", "End": true, "Branches": [
              {"StartAt": "X", "States": {"X": {"Type": "Succeed", "End": true}}}]}}});
    let invalid = Machine::parse(&definition).unwrap_err();
    let places: BTreeSet<&str> = invalid.0.iter().map(|problem| problem.place.as_str()).collect();
    for place in [
        "TimeoutSeconds",
        "States.A.Next",
        "States.A.Resource",
        "States.A.Retry[0].ErrorEquals",
        "States.A.Retry[0].BackoffRate",
        "States.A.Catch[0]",
        "States.A.HeartbeatSeconds",
        "States.B",
        "States.C",
        "States.B.Parameters.a.$",
        "States.B.Parameters.b.c.$",
        "States.C.Choices[0].NumericEquals",
        "States.C.Choices[1].And",
        "States.C.Next",
        "States.C.Choices[1].Next",
        "States.D",
        "States.E.ItemReader",
        "States.E.ItemProcessor",
        "States.F.Type",
        "States.G.Assign",
        "States.G.ResultPath",
        "States.H.Branches[0].States.X.End",
    ] {
        assert!(places.contains(place), "{place} is not in {places:#?}");
    }
    let nowhere = Machine::parse(&json!({"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}));
    assert_eq!(nowhere.unwrap_err().0[0].place, "StartAt");
    let jsonata = Machine::parse(&json!({"QueryLanguage": "JSONata", "StartAt": "A",
        "States": {"A": {"Type": "Succeed"}}}));
    assert!(jsonata.unwrap_err().to_string().contains("use JSONPath"));
}

proptest! {
    /// Whatever happens in whatever order: no panic, and the same again from the
    /// same events.
    #[test]
    fn the_same_events_give_the_same_execution(choices in prop::collection::vec(0..6_u8, 0..60)) {
        let states = json!({"StartAt": "P", "States": {
            "P": {"Type": "Parallel", "Next": "M", "Retry": [{"ErrorEquals": ["Bad"]}],
                  "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "M"}],
                  "Branches": [one(task(json!({"TimeoutSeconds": 9}))),
                               one(task(json!({"Retry": [{"ErrorEquals": ["States.TaskFailed"], "JitterStrategy": "FULL"}]})))]},
            "M": {"Type": "Map", "ItemsPath": "$$.Execution.Input.items", "MaxConcurrency": 2, "End": true,
                  "ItemProcessor": one(task(json!({"HeartbeatSeconds": 3})))}}});
        let mut world = World::new(&states, json!({"items": [1, 2, 3]}));
        for choice in choices {
            match choice {
                0 if !world.tasks.is_empty() => world.fail("Bad"),
                1 if !world.tasks.is_empty() => world.fail("Other"),
                2 | 3 if !world.tasks.is_empty() => world.succeed(json!({"n": choice})),
                4 => { world.wake(); }
                _ => world.happen(Event::Redrive),
            }
        }
        let (mut again, _) = start(&world.machine, begin(json!({"items": [1, 2, 3]})));
        for happened in &world.events {
            let told: Happened =
                serde_json::from_str(&serde_json::to_string(happened).unwrap()).unwrap();
            again = step(&world.machine, again, &told).0;
        }
        prop_assert_eq!(again.history(), world.execution.history());
        prop_assert_eq!(again.status(), world.execution.status());
    }
}
