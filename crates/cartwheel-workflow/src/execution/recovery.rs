//! Recovers from failures: retriers, catchers and redrives.

use serde_json::json;

use super::children::child_machine;
use super::interpreter::{Interpreter, ThreadStatus, Transition};
use super::payload::put_result;
use super::thread::{Phase, Slot, Thread};
use crate::definition::{Machine, Retrier, State};
use crate::failure::Failure;

impl Interpreter<'_> {
    /// Retries the state, catches its failure or fails the thread.
    pub(super) fn handle_failure(
        &mut self,
        state: &State,
        thread: &mut Thread,
        failure: Failure,
    ) -> Transition {
        let Some(work) = state.kind.work() else { return Transition::Fail(failure) };
        let retrier = work.retry.iter().position(|retrier| failure.matches(&retrier.errors));
        if let Some(index) = retrier
            && let Some(retries) = thread.retries.get_mut(index)
            && *retries < work.retry[index].max_attempts
        {
            let delay_ms = self.retry_delay_ms(&work.retry[index], *retries);
            *retries += 1;
            let ticket = self.wake_at(self.now_ms.saturating_add(delay_ms));
            thread.phase = Phase::Retry { ticket };
            return Transition::Stay;
        }
        for catcher in &work.catch {
            if failure.matches(&catcher.errors) {
                let error = json!({"Error": failure.error, "Cause": failure.cause});
                return match put_result(&catcher.result_path, &thread.input, error) {
                    Ok(output) => Transition::Exit { output, next: Some(catcher.next.clone()) },
                    Err(failure) => Transition::Fail(failure),
                };
            }
        }
        Transition::Fail(failure)
    }

    fn retry_delay_ms(&mut self, retrier: &Retrier, retries: u64) -> i64 {
        let growth = retrier.backoff_rate.powi(i32::try_from(retries).unwrap_or(i32::MAX));
        let mut delay_seconds = retrier.interval_seconds as f64 * growth;
        if let Some(max) = retrier.max_delay_seconds {
            delay_seconds = delay_seconds.min(max as f64);
        }
        if retrier.jitter {
            delay_seconds *= self.shared.random.fraction();
        }
        (delay_seconds * 1000.0).min(1e15) as i64
    }

    /// Runs everything again that failed or was cancelled.
    pub(super) fn redrive(&mut self, machine: &Machine, thread: &mut Thread) -> ThreadStatus {
        let Some(state) = machine.state(&thread.state) else {
            return ThreadStatus::Failed(Failure::runtime("The state is gone."));
        };
        let last_entry = thread.last_entry;
        let Phase::Children(children) = &mut thread.phase else {
            return self.run(machine, thread);
        };
        children.failures = 0;
        for index in 0..children.slots.len() {
            let Phase::Children(children) = &mut thread.phase else { break };
            let Slot::Running(child) = &mut children.slots[index] else { continue };
            let Some(nested) = child_machine(state, index) else { continue };
            child.last_entry = last_entry;
            let status = self.redrive(nested, child);
            if let Some(transition) = self.record_status(state, thread, index, status) {
                return self.resume(machine, thread, transition);
            }
        }
        let transition = self.run_children(state, thread);
        self.resume(machine, thread, transition)
    }
}
