//! State machines: read, and run until their end with made-up tasks.

use std::collections::{BTreeSet, VecDeque};

use cartwheel_workflow::{
    Command, Event, Failure, MAX_HISTORY, Machine, Start, Status, TimedEvent, start, step,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Most events of one run; an execution that goes on is then stopped.
const MAX_EVENTS: usize = 300;

#[derive(Deserialize)]
struct Case {
    definition: Value,
    #[serde(default)]
    input: Value,
}

/// Runs a definition with its input, as one JSON document. An execution that runs waits
/// for something, every third task fails, and what is stopped has ended.
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
    for turn in 0..MAX_EVENTS {
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
        let event = match (tasks.pop_front(), turn % 3) {
            (Some(task), 2) => Event::Failed {
                ticket: task.ticket,
                failure: Failure::new("States.TaskFailed", "made up"),
            },
            (Some(task), _) => {
                let output = json!({"Payload": task.input, "turn": turn});
                Event::Succeeded { ticket: task.ticket, output }
            }
            (None, _) => {
                let Some((due_ms, ticket)) = wakes.pop_first() else {
                    panic!("it runs and waits for nothing: {:?}", execution.current());
                };
                at_ms = at_ms.max(due_ms);
                Event::Woken { ticket }
            }
        };
        (execution, commands) = step(&machine, execution, &TimedEvent { at_ms, event });
        assert!(execution.history().len() <= MAX_HISTORY);
    }
    if *execution.status() == Status::Running {
        let event = Event::Stop { failure: Failure::new("stopped", "long enough") };
        (execution, _) = step(&machine, execution, &TimedEvent { at_ms, event });
    }
    assert_ne!(*execution.status(), Status::Running);
}
