//! The commands that a restored execution still waits for.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::execution::{Command, Event, Execution};

/// Tasks and wake-ups without an answer, by ticket.
#[derive(Debug, Default)]
pub(super) struct Outstanding(BTreeMap<u64, Command>);

impl Outstanding {
    /// Adds the commands of a step.
    pub(super) fn add(&mut self, commands: impl IntoIterator<Item = Command>) {
        for command in commands {
            match command {
                Command::Cancel { ticket } => {
                    self.0.remove(&ticket);
                }
                Command::Run(ref task) => {
                    self.0.insert(task.ticket, command);
                }
                Command::Wake { ticket, .. } => {
                    self.0.insert(ticket, command);
                }
            }
        }
    }

    /// The commands that the execution still waits for, in the order of their tickets.
    pub(super) fn awaited(self, execution: &Execution) -> Vec<Command> {
        let is_awaited = |command: &Command| {
            let answer = match command {
                Command::Run(task) => Event::Succeeded { ticket: task.ticket, output: Value::Null },
                Command::Wake { ticket, .. } | Command::Cancel { ticket } => {
                    Event::Woken { ticket: *ticket }
                }
            };
            execution.accepts(&answer)
        };
        self.0.into_values().filter(is_awaited).collect()
    }
}
