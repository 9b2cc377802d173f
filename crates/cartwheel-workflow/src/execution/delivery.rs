//! Delivers an event to the thread that waits for it.

use serde_json::json;

use super::children::child_machine;
use super::interpreter::{Interpreter, ThreadStatus, Transition, failure_details};
use super::payload::check_size;
use super::protocol::{Command, Event};
use super::thread::{Phase, Slot, Thread};
use crate::definition::{Machine, State};
use crate::failure::{Failure, HEARTBEAT_TIMEOUT, TIMEOUT};
use crate::history::EntryType;

impl Interpreter<'_> {
    /// Delivers an event to the thread or one of its children. `None` when nothing waits
    /// for the event.
    pub(super) fn deliver(
        &mut self,
        machine: &Machine,
        thread: &mut Thread,
        event: &Event,
    ) -> Option<ThreadStatus> {
        let state = machine.state(&thread.state)?;
        let transition = match &mut thread.phase {
            Phase::Children(children) => {
                let mut slots = children.slots.iter_mut().enumerate();
                let (index, status) = slots.find_map(|(index, slot)| {
                    let Slot::Running(child) = slot else { return None };
                    let status = self.deliver(child_machine(state, index)?, child, event)?;
                    Some((index, status))
                })?;
                match self.record_status(state, thread, index, status) {
                    Some(transition) => transition,
                    None => self.run_children(state, thread),
                }
            }
            _ => self.receive(state, thread, event)?,
        };
        Some(self.resume(machine, thread, transition))
    }

    /// The effect of an event on a thread without children.
    fn receive(&mut self, state: &State, thread: &mut Thread, event: &Event) -> Option<Transition> {
        match (&mut thread.phase, event) {
            (Phase::Wait { ticket }, Event::Woken { ticket: woken }) if ticket == woken => {
                Some(self.complete_wait(state, thread))
            }
            (Phase::Retry { ticket }, Event::Woken { ticket: woken }) if ticket == woken => {
                Some(self.run_state(state, thread))
            }
            (Phase::Task { ticket, .. }, Event::Succeeded { ticket: ended, output })
                if ticket == ended =>
            {
                if let Err(failure) = check_size(output) {
                    return Some(Transition::Fail(failure));
                }
                self.log_for(thread, EntryType::TaskSucceeded, json!({"output": output}));
                Some(self.complete(state, thread, output.clone()))
            }
            (Phase::Task { ticket, .. }, Event::Failed { ticket: ended, failure })
                if ticket == ended =>
            {
                self.log_for(thread, EntryType::TaskFailed, failure_details(failure));
                Some(self.handle_failure(state, thread, failure.clone()))
            }
            (Phase::Task { ticket, heartbeat, .. }, Event::Heartbeat { ticket: alive })
                if ticket == alive =>
            {
                if let Some(timer) = heartbeat {
                    timer.ticket = self.wake_after(timer.seconds);
                }
                Some(Transition::Stay)
            }
            (Phase::Task { ticket, deadline, heartbeat }, Event::Woken { ticket: woken }) => {
                let failure = if *deadline == Some(*woken) {
                    Failure::new(TIMEOUT, "The task took longer than TimeoutSeconds.")
                } else if heartbeat.is_some_and(|timer| timer.ticket == *woken) {
                    Failure::new(HEARTBEAT_TIMEOUT, "No heartbeat within HeartbeatSeconds.")
                } else {
                    return None;
                };
                self.commands.push(Command::Cancel { ticket: *ticket });
                self.log_for(thread, EntryType::TaskTimedOut, failure_details(&failure));
                Some(self.handle_failure(state, thread, failure))
            }
            _ => None,
        }
    }
}
