//! State machines: parsed, and run to the end with simulated tasks.

use std::collections::{BTreeSet, VecDeque};

use cartwheel_workflow::{
    Command, Event, Failure, MAX_HISTORY, Machine, Start, Status, TimedEvent, start, step,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Maximum number of events in a run; a longer execution is stopped.
const MAX_EVENTS: usize = 300;

#[derive(Deserialize)]
struct Case {
    definition: Value,
    #[serde(default)]
    input: Value,
}

/// Reads a definition and its input from one JSON document, and runs it. A running execution
/// must wait for something; every third task fails; a stopped execution must have ended.
pub fn asl(bytes: &[u8]) {
    let Ok(case) = serde_json::from_slice::<Case>(bytes) else { return };
    let Ok(machine) = Machine::parse(&case.definition) else { return };
    let mut at_ms = 1_767_225_600_000;
    let (mut execution, mut commands) = start(
        &machine,
        Start { name: "run".into(), machine: "m".into(), input: case.input, at_ms, seed: 7 },
    );
    let mut tasks = VecDeque::new();
    let mut wakes = BTreeSet::new();
    for round in 0..MAX_EVENTS {
        for command in commands {
            match command {
                Command::Run(task) => tasks.push_back(task),
                Command::Cancel { ticket } => tasks.retain(|task| task.ticket != ticket),
                Command::Wake { ticket, at_ms } => drop(wakes.insert((at_ms, ticket))),
            }
        }
        if *execution.status() != Status::Running {
            break;
        }
        let event = match (tasks.pop_front(), round % 3) {
            (Some(task), 2) => Event::Failed {
                ticket: task.ticket,
                failure: Failure::new("States.TaskFailed", "simulated"),
            },
            (Some(task), _) => {
                let output = json!({"Payload": task.input, "turn": round});
                Event::Succeeded { ticket: task.ticket, output }
            }
            (None, _) => {
                let Some((due_ms, ticket)) = wakes.pop_first() else {
                    panic!("it is running but waits for nothing: {:?}", execution.current());
                };
                at_ms = at_ms.max(due_ms);
                Event::Woken { ticket }
            }
        };
        (execution, commands) = step(&machine, execution, &TimedEvent { at_ms, event });
        assert!(execution.history().len() <= MAX_HISTORY);
    }
    if *execution.status() == Status::Running {
        let event = Event::Stop { failure: Failure::new("stopped", "too many events") };
        (execution, _) = step(&machine, execution, &TimedEvent { at_ms, event });
    }
    assert_ne!(*execution.status(), Status::Running);
}
