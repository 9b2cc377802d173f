//! A thread: one path of control through a state machine.

use serde_json::Value;

use super::protocol::Event;
use crate::definition::Machine;

/// A position in a machine: that of the execution itself, of a branch or of a Map's item.
#[derive(Debug, Clone)]
pub(super) struct Thread {
    /// Name of the current state.
    pub state: String,
    /// Input of the state, before `InputPath`.
    pub input: Value,
    pub entered_ms: i64,
    /// Retries so far, for each retrier of the state.
    pub retries: Vec<u64>,
    /// The item of the innermost Map around the thread.
    pub item: Option<MapItem>,
    /// Id of the thread's newest history entry.
    pub last_entry: u64,
    pub phase: Phase,
}

/// An item of a Map.
#[derive(Debug, Clone)]
pub(super) struct MapItem {
    pub index: usize,
    pub value: Value,
}

/// How a thread waits in its state.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Waits for the result of a task.
    Task {
        ticket: u64,
        /// Ticket of the wake-up at the task's timeout.
        deadline: Option<u64>,
        heartbeat: Option<HeartbeatTimer>,
    },
    /// Waits for the end of a Wait state.
    Wait { ticket: u64 },
    /// Waits for the next attempt of a failed state.
    Retry { ticket: u64 },
    /// Waits for the child threads of a Parallel or a Map.
    Children(Children),
    /// Waits for nothing: the thread is between states, has failed or is cancelled.
    Idle,
}

/// The timer that a task's heartbeats reset.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeartbeatTimer {
    /// Ticket of the wake-up.
    pub ticket: u64,
    pub seconds: u64,
}

/// The child threads of a Parallel or a Map, in the order of branches or items.
#[derive(Debug, Clone)]
pub(super) struct Children {
    pub slots: Vec<Slot>,
    /// Most children that run at once.
    pub max_running: usize,
    /// Failures that the state tolerates.
    pub tolerated_failures: usize,
    /// Tolerated failures so far.
    pub failures: usize,
}

/// The place of a child thread.
#[derive(Debug, Clone)]
pub(super) enum Slot {
    Waiting {
        input: Value,
        item: Option<MapItem>,
    },
    Running(Box<Thread>),
    Done(Value),
    /// Failed, within the tolerated number of failures.
    Tolerated,
}

impl Thread {
    /// A thread in front of the machine's first state. `last_entry` is the history entry
    /// that led to it.
    pub(super) fn new(
        machine: &Machine,
        input: Value,
        item: Option<MapItem>,
        last_entry: u64,
        now_ms: i64,
    ) -> Self {
        Self {
            state: machine.start_at.clone(),
            input,
            entered_ms: now_ms,
            retries: Vec::new(),
            item,
            last_entry,
            phase: Phase::Idle,
        }
    }

    /// Whether the thread or a child waits for the event.
    pub(super) fn waits_for(&self, event: &Event) -> bool {
        match (&self.phase, event) {
            (Phase::Children(children), event) => {
                children.running().any(|child| child.waits_for(event))
            }
            (Phase::Wait { ticket } | Phase::Retry { ticket }, Event::Woken { ticket: woken }) => {
                ticket == woken
            }
            (Phase::Task { deadline, heartbeat, .. }, Event::Woken { ticket }) => {
                *deadline == Some(*ticket) || heartbeat.is_some_and(|timer| timer.ticket == *ticket)
            }
            (Phase::Task { ticket, heartbeat, .. }, Event::Heartbeat { ticket: alive }) => {
                ticket == alive && heartbeat.is_some()
            }
            (
                Phase::Task { ticket, .. },
                Event::Succeeded { ticket: ended, .. } | Event::Failed { ticket: ended, .. },
            ) => ticket == ended,
            _ => false,
        }
    }

    /// Total number of retries in the current state.
    pub(super) fn retry_count(&self) -> u64 {
        self.retries.iter().sum()
    }

    /// Adds the current states of the thread and its children, outermost first.
    pub(super) fn collect_states<'a>(&'a self, states: &mut Vec<&'a str>) {
        states.push(&self.state);
        if let Phase::Children(children) = &self.phase {
            children.running().for_each(|child| child.collect_states(states));
        }
    }
}

impl Children {
    pub(super) fn running(&self) -> impl Iterator<Item = &Thread> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Running(child) => Some(&**child),
            _ => None,
        })
    }

    pub(super) fn running_mut(&mut self) -> impl Iterator<Item = &mut Thread> {
        self.slots.iter_mut().filter_map(|slot| match slot {
            Slot::Running(child) => Some(&mut **child),
            _ => None,
        })
    }
}
