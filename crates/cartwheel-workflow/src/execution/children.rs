//! Runs the child threads of a Parallel or a Map.

use serde_json::{Value, json};

use super::interpreter::{Interpreter, ThreadStatus, Transition, failure_details};
use super::payload::{integer, select};
use super::protocol::Command;
use super::thread::{Children, MapItem, Phase, Slot, Thread};
use crate::definition::{Machine, MapState, State, StateKind};
use crate::failure::Failure;
use crate::history::EntryType;

impl Interpreter<'_> {
    pub(super) fn start_parallel(
        &mut self,
        state: &State,
        thread: &mut Thread,
        branches: usize,
        input: &Value,
    ) -> Transition {
        let slot = || Slot::Waiting { input: input.clone(), item: thread.item.clone() };
        let slots = std::iter::repeat_with(slot).take(branches).collect();
        self.log_for(thread, EntryType::ParallelStateStarted, json!({}));
        thread.phase = Phase::Children(Children {
            slots,
            max_running: branches,
            tolerated_failures: 0,
            failures: 0,
        });
        self.run_children(state, thread)
    }

    pub(super) fn start_map(
        &mut self,
        state: &State,
        map: &MapState,
        thread: &mut Thread,
        input: &Value,
        context: &Value,
    ) -> Result<Transition, Failure> {
        let children = self.map_children(map, input, context)?;
        let details = json!({"length": children.slots.len()});
        self.log_for(thread, EntryType::MapStateStarted, details);
        thread.phase = Phase::Children(children);
        Ok(self.run_children(state, thread))
    }

    fn map_children(
        &mut self,
        map: &MapState,
        input: &Value,
        context: &Value,
    ) -> Result<Children, Failure> {
        let items = select(map.items_path.as_ref(), input, context)?;
        let Value::Array(items) = items else {
            return Err(Failure::runtime("The items of the Map are not an array."));
        };
        let max_concurrency = integer(&map.max_concurrency, input, context)?;
        let count = integer(&map.tolerated_failure_count, input, context)?;
        let percentage = integer(&map.tolerated_failure_percentage, input, context)?.min(100);
        let tolerated = (items.len() as u64 * percentage / 100).max(count);
        let mut slots = Vec::with_capacity(items.len());
        for (index, value) in items.into_iter().enumerate() {
            let mut context = context.clone();
            context["Map"] = json!({"Item": {"Index": index, "Value": value}});
            let selected = self.fill(map.work.parameters.as_ref(), input, &context)?;
            let input = selected.unwrap_or_else(|| value.clone());
            slots.push(Slot::Waiting { input, item: Some(MapItem { index, value }) });
        }
        let max_running = if max_concurrency == 0 { slots.len() } else { max_concurrency as usize };
        Ok(Children { slots, max_running, tolerated_failures: tolerated as usize, failures: 0 })
    }

    /// Starts as many waiting children as may run, and completes the state once all
    /// children have ended.
    pub(super) fn run_children(&mut self, state: &State, thread: &mut Thread) -> Transition {
        loop {
            let Phase::Children(children) = &mut thread.phase else { return Transition::Stay };
            let running = children.running().count();
            let waiting = children.slots.iter().position(|s| matches!(s, Slot::Waiting { .. }));
            let Some(index) = waiting.filter(|_| running < children.max_running) else {
                if running > 0 {
                    return Transition::Stay;
                }
                let slots = std::mem::take(&mut children.slots);
                let results = slots.into_iter().map(|slot| match slot {
                    Slot::Done(value) => value,
                    _ => Value::Null,
                });
                let result = Value::Array(results.collect());
                thread.phase = Phase::Idle;
                self.log_for(thread, EntryType::succeeded(state.kind.name()), json!({}));
                return self.complete(state, thread, result);
            };
            let slot = &mut children.slots[index];
            let Slot::Waiting { input, item } = slot else { return Transition::Stay };
            let Some(machine) = child_machine(state, index) else { return Transition::Stay };
            let (input, item) = (std::mem::take(input), item.take());
            let mut last_entry = thread.last_entry;
            if matches!(state.kind, StateKind::Map(_)) {
                let details = json!({"name": thread.state, "index": index});
                last_entry = self.log(EntryType::MapIterationStarted, last_entry, details);
            }
            let mut child = Thread::new(machine, input, item, last_entry, self.now_ms);
            let status = self.run(machine, &mut child);
            children.slots[index] = Slot::Running(Box::new(child));
            if let Some(transition) = self.record_status(state, thread, index, status) {
                return transition;
            }
        }
    }

    /// Records the status of the child at `index`. Returns a transition when the child's
    /// failure ends the attempt of the whole state.
    pub(super) fn record_status(
        &mut self,
        state: &State,
        thread: &mut Thread,
        index: usize,
        status: ThreadStatus,
    ) -> Option<Transition> {
        let Phase::Children(children) = &mut thread.phase else { return None };
        let last_entry = match children.slots.get(index) {
            Some(Slot::Running(child)) => child.last_entry,
            _ => thread.last_entry,
        };
        let is_map = matches!(state.kind, StateKind::Map(_));
        let details = json!({"name": thread.state, "index": index});
        match status {
            ThreadStatus::Blocked => None,
            ThreadStatus::Done(output) => {
                children.slots[index] = Slot::Done(output);
                if is_map {
                    self.log(EntryType::MapIterationSucceeded, last_entry, details);
                }
                None
            }
            ThreadStatus::Failed(failure) => {
                if is_map {
                    self.log(EntryType::MapIterationFailed, last_entry, details);
                }
                if children.failures < children.tolerated_failures {
                    children.failures += 1;
                    children.slots[index] = Slot::Tolerated;
                    return None;
                }
                children.running_mut().for_each(|child| self.cancel(child));
                let kind = EntryType::failed(state.kind.name());
                thread.last_entry = self.log(kind, last_entry, failure_details(&failure));
                Some(self.handle_failure(state, thread, failure))
            }
        }
    }

    /// Cancels everything that a thread waits for. A redrive can resume the thread.
    pub(super) fn cancel(&mut self, thread: &mut Thread) {
        match &mut thread.phase {
            Phase::Children(children) => {
                children.running_mut().for_each(|child| self.cancel(child));
                return;
            }
            Phase::Task { ticket, .. } => self.commands.push(Command::Cancel { ticket: *ticket }),
            Phase::Wait { .. } | Phase::Retry { .. } | Phase::Idle => {}
        }
        thread.phase = Phase::Idle;
    }
}

/// The machine of a Parallel's branch or a Map's item.
pub(super) fn child_machine(state: &State, index: usize) -> Option<&Machine> {
    match &state.kind {
        StateKind::Parallel { branches, .. } => branches.get(index),
        StateKind::Map(map) => Some(&map.processor),
        _ => None,
    }
}
