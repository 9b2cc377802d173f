//! Behaviour over time: retries, timeouts, stops, redrives and replays.

use std::collections::BTreeSet;

use cartwheel_workflow::{
    Command, EntryType, Event, Execution, Failure, MAX_PAYLOAD, Machine, Start, Status, TaskRun,
    TimedEvent, start, step,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const START_MS: i64 = 1_767_225_600_000;

/// An execution with a clock that jumps to the next wake-up.
pub struct Simulation {
    machine: Machine,
    pub execution: Execution,
    now_ms: i64,
    timers: BTreeSet<Timer>,
    pub tasks: Vec<TaskRun>,
    cancelled: Vec<u64>,
    events: Vec<TimedEvent>,
}

/// A requested wake-up. The earliest orders first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    at_ms: i64,
    ticket: u64,
}

fn start_with(input: Value) -> Start {
    Start { name: "run".into(), machine: "m".into(), input, at_ms: START_MS, seed: 7 }
}

impl Simulation {
    pub fn new(definition: &Value, input: Value) -> Self {
        let machine = Machine::parse(definition).unwrap();
        let (execution, commands) = start(&machine, start_with(input));
        let mut simulation = Self {
            machine,
            execution,
            now_ms: START_MS,
            timers: BTreeSet::new(),
            tasks: Vec::new(),
            cancelled: Vec::new(),
            events: Vec::new(),
        };
        simulation.carry_out(commands);
        simulation
    }

    fn carry_out(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Run(task) => self.tasks.push(task),
                Command::Cancel { ticket } => {
                    self.tasks.retain(|task| task.ticket != ticket);
                    self.cancelled.push(ticket);
                }
                Command::Wake { ticket, at_ms } => {
                    self.timers.insert(Timer { at_ms, ticket });
                }
            }
        }
    }

    pub fn apply(&mut self, event: Event) {
        let event = TimedEvent { at_ms: self.now_ms, event };
        let (execution, commands) = step(&self.machine, self.execution.clone(), &event);
        self.events.push(event);
        self.execution = execution;
        self.carry_out(commands);
    }

    /// Delivers the next wake-up. Returns false when there is none.
    pub fn wake(&mut self) -> bool {
        let Some(Timer { at_ms, ticket }) = self.timers.pop_first() else { return false };
        self.now_ms = self.now_ms.max(at_ms);
        self.apply(Event::Woken { ticket });
        true
    }

    fn next_task(&mut self) -> TaskRun {
        self.tasks.remove(0)
    }

    pub fn succeed(&mut self, output: Value) {
        let ticket = self.next_task().ticket;
        self.apply(Event::Succeeded { ticket, output });
    }

    pub fn fail(&mut self, error: &str) {
        self.fail_with(error, "cause");
    }

    pub fn fail_with(&mut self, error: &str, cause: &str) {
        let ticket = self.next_task().ticket;
        self.apply(Event::Failed { ticket, failure: Failure::new(error, cause) });
    }

    pub fn error(&self) -> &str {
        self.execution.status().failure().map_or("", |failure| &failure.error)
    }

    pub fn seconds(&self) -> f64 {
        (self.now_ms - START_MS) as f64 / 1000.0
    }
}

fn task(fields: Value) -> Value {
    let mut task = json!({"Type": "Task", "Resource": "arn:aws:states:::x:y", "End": true});
    task.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    task
}

/// A machine with a single state.
fn single(state: Value) -> Value {
    json!({"StartAt": "T", "States": {"T": state}})
}

#[test]
fn retries_back_off_up_to_the_longest_delay() {
    let retry = json!({"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60,
        "BackoffRate": 2, "MaxDelaySeconds": 3600, "MaxAttempts": 30}]});
    let mut simulation = Simulation::new(&single(task(retry)), json!({}));
    let mut tries = 0;
    while *simulation.execution.status() == Status::Running {
        tries += 1;
        simulation.fail("Busy");
        simulation.wake();
    }
    assert_eq!(tries, 31);
    // 60, 120, … 1920, and then an hour each.
    assert_eq!(simulation.seconds(), (60 * 63 + 24 * 3600) as f64);
    assert_eq!(simulation.error(), "Busy");
}

#[test]
fn each_retrier_counts_its_own_attempts_and_jitter_stays_below_the_delay() {
    let retry = json!({"Retry": [
        {"ErrorEquals": ["A"], "IntervalSeconds": 10, "MaxAttempts": 1, "JitterStrategy": "FULL"},
        {"ErrorEquals": ["B"], "IntervalSeconds": 5, "BackoffRate": 3.0, "MaxAttempts": 2}]});
    let mut simulation = Simulation::new(&single(task(retry)), json!({}));
    simulation.fail("A");
    simulation.wake();
    let jittered = simulation.seconds();
    assert!((0.0..10.0).contains(&jittered), "{jittered}");
    simulation.fail("B");
    simulation.wake();
    simulation.fail("B");
    simulation.wake();
    assert_eq!(simulation.seconds() - jittered, 20.0);
    assert_eq!(simulation.tasks[0].attempt, 3);
    simulation.fail("A");
    assert_eq!(simulation.error(), "A");
}

#[test]
fn a_late_result_of_a_timed_out_task_changes_nothing() {
    let states = json!({"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": "r", "TimeoutSecondsPath": "$.limit", "Next": "N",
              "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Late", "ResultPath": "$.e"}]},
        "N": {"Type": "Succeed"},
        "Late": {"Type": "Wait", "Seconds": 5, "Next": "N"}}});
    let mut simulation = Simulation::new(&states, json!({"limit": 30}));
    let ticket = simulation.tasks[0].ticket;
    simulation.wake();
    assert_eq!(simulation.seconds(), 30.0);
    assert_eq!(simulation.cancelled, [ticket]);
    let before = simulation.execution.history().len();
    simulation.apply(Event::Succeeded { ticket, output: json!("late") });
    assert_eq!(simulation.execution.history().len(), before);
    simulation.wake();
    let Status::Succeeded { output } = simulation.execution.status() else { panic!() };
    assert_eq!(output["e"]["Error"], "States.Timeout");
}

#[test]
fn heartbeats_keep_a_task_alive() {
    let beats = json!({"HeartbeatSeconds": 10, "TimeoutSeconds": 100});
    let mut simulation = Simulation::new(&single(task(beats)), json!({}));
    let ticket = simulation.tasks[0].ticket;
    for _ in 0..5 {
        simulation.now_ms += 9_000;
        simulation.apply(Event::Heartbeat { ticket });
    }
    while *simulation.execution.status() == Status::Running {
        assert!(simulation.wake());
    }
    assert_eq!((simulation.seconds(), simulation.error()), (55.0, "States.HeartbeatTimeout"));
}

#[test]
fn a_failed_branch_cancels_the_others_and_a_redrive_runs_only_the_unfinished() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: task(json!({}))}});
    let states = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true,
        "Branches": [branch("A"), branch("B"), branch("C")]}}});
    let mut simulation = Simulation::new(&states, json!({}));
    assert_eq!(simulation.execution.current(), ["P", "A", "B", "C"]);
    simulation.succeed(json!("a"));
    let c = simulation.tasks[1].ticket;
    simulation.fail("Bad");
    assert_eq!((simulation.error(), &simulation.cancelled[..]), ("Bad", &[c][..]));
    simulation.apply(Event::Redrive);
    let redriven: Vec<&str> = simulation.tasks.iter().map(|task| task.state.as_str()).collect();
    assert_eq!(redriven, ["B", "C"]);
    simulation.succeed(json!("b"));
    simulation.succeed(json!("c"));
    assert_eq!(
        *simulation.execution.status(),
        Status::Succeeded { output: json!(["a", "b", "c"]) }
    );
}

#[test]
fn a_map_respects_its_concurrency_and_its_tolerated_failures() {
    let states = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "End": true,
        "MaxConcurrencyPath": "$.most", "ItemsPath": "$.items", "ToleratedFailureCount": 1,
        "ItemProcessor": single(task(json!({})))}}});
    let input = json!({"most": 2, "items": [1, 2, 3, 4]});
    let mut simulation = Simulation::new(&states, input.clone());
    assert_eq!(simulation.tasks.len(), 2);
    simulation.fail("Bad");
    assert_eq!(simulation.tasks.len(), 2);
    for output in [20, 30, 40] {
        assert!(simulation.tasks.len() <= 2);
        simulation.succeed(json!(output));
    }
    let Status::Succeeded { output } = simulation.execution.status() else { panic!() };
    assert_eq!(*output, json!([null, 20, 30, 40]));

    let mut simulation = Simulation::new(&states, input);
    simulation.fail("Bad");
    simulation.fail("Worse");
    assert_eq!(simulation.error(), "Worse");
    assert!(simulation.tasks.is_empty(), "running items are cancelled");
}

#[test]
fn a_stop_and_the_machine_timeout_end_an_execution() {
    let mut simulation = Simulation::new(&single(task(json!({}))), json!({}));
    let ticket = simulation.tasks[0].ticket;
    simulation.apply(Event::Stop { failure: Failure::new("Operator", "enough") });
    assert_eq!(simulation.execution.status().name(), "ABORTED");
    assert_eq!(simulation.cancelled, [ticket]);

    let mut definition = single(task(json!({})));
    definition["TimeoutSeconds"] = json!(60);
    let mut simulation = Simulation::new(&definition, json!({}));
    assert!(simulation.wake());
    assert_eq!((simulation.execution.status().name(), simulation.seconds()), ("TIMED_OUT", 60.0));
    simulation.apply(Event::Redrive);
    simulation.succeed(json!(1));
    assert_eq!(simulation.execution.status().name(), "SUCCEEDED");
}

#[test]
fn no_catcher_handles_a_payload_that_is_too_large() {
    let definition = json!({"StartAt": "T", "States": {
        "T": task(json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "N"}]})),
        "N": {"Type": "Succeed"}}});
    let mut simulation = Simulation::new(&definition, json!({}));
    simulation.succeed(json!("x".repeat(MAX_PAYLOAD)));
    assert_eq!(simulation.error(), "States.DataLimitExceeded");
}

#[test]
fn an_endless_loop_fails_at_the_limit_of_the_history() {
    let states = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "E"}],
              "Default": "A"},
        "E": {"Type": "Succeed"}}});
    let simulation = Simulation::new(&states, json!({}));
    assert_eq!(simulation.error(), "States.Runtime");
}

#[test]
fn the_history_lists_each_transition_in_order() {
    let states = json!({"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": "r", "Next": "E"}, "E": {"Type": "Succeed"}}});
    let mut simulation = Simulation::new(&states, json!({"in": 1}));
    simulation.succeed(json!({"out": 2}));
    let types: Vec<&str> = simulation.execution.history().iter().map(|e| e.kind.as_str()).collect();
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
    assert!(simulation.execution.history().iter().all(|entry| entry.previous_id == entry.id - 1));
    let exited =
        simulation.execution.history().iter().find(|e| e.kind == EntryType::TaskStateExited);
    assert_eq!(exited.unwrap().details, json!({"name": "T", "output": {"out": 2}}));
}

#[test]
fn all_problems_of_a_definition_are_reported_with_their_places() {
    let definition = json!({"StartAt": "A", "TimeoutSeconds": 0, "States": {
        "A": {"Type": "Task", "Next": "Missing", "Retry": [{"ErrorEquals": [], "BackoffRate": 0.5}],
              "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}, {"ErrorEquals": ["X"], "Next": "B"}],
              "HeartbeatSeconds": 10, "TimeoutSeconds": 5},
        "B": {"Type": "Pass", "Parameters": {"a.$": "States.Nope()", "b": {"c.$": "$.x["}}},
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": "1", "Next": "B"},
              {"And": []}], "Next": "B"},
        "D": {"Type": "Wait", "Seconds": 1, "Timestamp": "now", "End": true},
        "E": {"Type": "Map", "End": true, "ItemReader": {}},
        "F": {"Type": "Unknown"},
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
    let no_start = Machine::parse(&json!({"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}));
    assert_eq!(no_start.unwrap_err().0[0].place, "StartAt");
    let jsonata = Machine::parse(&json!({"QueryLanguage": "JSONata", "StartAt": "A",
        "States": {"A": {"Type": "Succeed"}}}));
    assert!(jsonata.unwrap_err().to_string().contains("use JSONPath"));
}

proptest! {
    /// Any order of events causes no panic, and a replay gives the same execution.
    #[test]
    fn a_replay_of_any_events_gives_the_same_execution(choices in prop::collection::vec(0..6_u8, 0..60)) {
        let states = json!({"StartAt": "P", "States": {
            "P": {"Type": "Parallel", "Next": "M", "Retry": [{"ErrorEquals": ["Bad"]}],
                  "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "M"}],
                  "Branches": [single(task(json!({"TimeoutSeconds": 9}))),
                               single(task(json!({"Retry": [{"ErrorEquals": ["States.TaskFailed"], "JitterStrategy": "FULL"}]})))]},
            "M": {"Type": "Map", "ItemsPath": "$$.Execution.Input.items", "MaxConcurrency": 2, "End": true,
                  "ItemProcessor": single(task(json!({"HeartbeatSeconds": 3})))}}});
        let mut simulation = Simulation::new(&states, json!({"items": [1, 2, 3]}));
        for choice in choices {
            match choice {
                0 if !simulation.tasks.is_empty() => simulation.fail("Bad"),
                1 if !simulation.tasks.is_empty() => simulation.fail("Other"),
                2 | 3 if !simulation.tasks.is_empty() => simulation.succeed(json!({"n": choice})),
                4 => { simulation.wake(); }
                _ => simulation.apply(Event::Redrive),
            }
        }
        let (mut replayed, _) = start(&simulation.machine, start_with(json!({"items": [1, 2, 3]})));
        for event in &simulation.events {
            let event: TimedEvent =
                serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
            replayed = step(&simulation.machine, replayed, &event).0;
        }
        prop_assert_eq!(replayed.history(), simulation.execution.history());
        prop_assert_eq!(replayed.status(), simulation.execution.status());
    }
}
