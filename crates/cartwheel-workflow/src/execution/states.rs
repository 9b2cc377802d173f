//! Runs a state of each type.

use serde_json::{Value, json};

use super::interpreter::{Interpreter, Transition};
use super::payload::{check_size, integer, put_result, select, string};
use super::protocol::{Command, TaskRun};
use super::thread::{HeartbeatTimer, Phase, Thread};
use crate::choice::parse_timestamp;
use crate::definition::{
    ChoiceRule, IntegerField, ResultPath, State, StateKind, StringField, Task, WaitTime,
};
use crate::failure::{Failure, NO_CHOICE};
use crate::history::EntryType;

impl Interpreter<'_> {
    /// Runs the thread's state, for the first time or again.
    pub(super) fn run_state(&mut self, state: &State, thread: &mut Thread) -> Transition {
        self.try_run_state(state, thread)
            .unwrap_or_else(|failure| self.handle_failure(state, thread, failure))
    }

    fn try_run_state(&mut self, state: &State, thread: &mut Thread) -> Result<Transition, Failure> {
        let context = self.context(thread);
        let input = select(state.input_path.as_ref(), &thread.input, &context)?;
        match &state.kind {
            StateKind::Pass { result, parameters, result_path } => {
                let payload = self.fill(parameters.as_ref(), &input, &context)?;
                let result = result.clone().unwrap_or(payload.unwrap_or(input));
                let output = put_result(result_path, &thread.input, result)?;
                exit(state, &output, &context)
            }
            StateKind::Succeed => exit(state, &input, &context),
            StateKind::Fail { error, cause } => {
                let error = self.optional_string(error.as_ref(), &input, &context)?;
                let cause = self.optional_string(cause.as_ref(), &input, &context)?;
                Ok(Transition::Fail(Failure::new(error, cause)))
            }
            StateKind::Choice { rules, default } => {
                let next = choose(rules, &input, &context)?.or(default.as_ref());
                let next = next.cloned().ok_or_else(|| {
                    Failure::new(NO_CHOICE, "No rule matched, and there is no Default.")
                })?;
                let output = select(state.output_path.as_ref(), &input, &context)?;
                Ok(Transition::Exit { output, next: Some(next) })
            }
            StateKind::Wait(time) => {
                let at_ms = self.wait_end(time, &input, &context)?;
                let ticket = self.wake_at(at_ms);
                thread.phase = Phase::Wait { ticket };
                Ok(Transition::Stay)
            }
            StateKind::Task(task) => self.run_task(task, thread, input, context),
            StateKind::Parallel { branches, work } => {
                let payload = self.fill(work.parameters.as_ref(), &input, &context)?;
                let input = payload.unwrap_or(input);
                Ok(self.start_parallel(state, thread, branches.len(), &input))
            }
            StateKind::Map(map) => self.start_map(state, map, thread, &input, &context),
        }
    }

    fn run_task(
        &mut self,
        task: &Task,
        thread: &mut Thread,
        input: Value,
        mut context: Value,
    ) -> Result<Transition, Failure> {
        let ticket = self.new_ticket();
        context["Task"] = json!({"Token": format!("{}-{ticket}", self.start.name)});
        let payload = self.fill(task.work.parameters.as_ref(), &input, &context)?;
        let seconds = |field: &Option<IntegerField>| {
            field.as_ref().map(|field| integer(field, &input, &context)).transpose()
        };
        let timeout_seconds = seconds(&task.timeout_seconds)?;
        let heartbeat_seconds = seconds(&task.heartbeat_seconds)?;
        let input = payload.unwrap_or(input);
        check_size(&input)?;
        let details = json!({"resource": task.resource, "parameters": input});
        self.log_for(thread, EntryType::TaskScheduled, details);
        self.commands.push(Command::Run(TaskRun {
            ticket,
            state: thread.state.clone(),
            resource: task.resource.clone(),
            input,
            attempt: u32::try_from(thread.retry_count()).unwrap_or(u32::MAX),
        }));
        let deadline = timeout_seconds.map(|seconds| self.wake_after(seconds));
        let heartbeat = heartbeat_seconds
            .map(|seconds| HeartbeatTimer { ticket: self.wake_after(seconds), seconds });
        thread.phase = Phase::Task { ticket, deadline, heartbeat };
        Ok(Transition::Stay)
    }

    /// The end of a Wait state, in UTC milliseconds.
    fn wait_end(&mut self, time: &WaitTime, data: &Value, context: &Value) -> Result<i64, Failure> {
        match time {
            WaitTime::Seconds(seconds) => Ok(self.after(integer(seconds, data, context)?)),
            WaitTime::Timestamp(timestamp) => {
                let text = string(timestamp, &mut self.scope(data, context))?;
                let time = parse_timestamp(&text)
                    .ok_or_else(|| Failure::runtime(format!("{text:?} is not a timestamp.")))?;
                Ok(time.as_millisecond())
            }
        }
    }

    fn optional_string(
        &mut self,
        field: Option<&StringField>,
        data: &Value,
        context: &Value,
    ) -> Result<String, Failure> {
        field.map_or(Ok(String::new()), |field| string(field, &mut self.scope(data, context)))
    }

    /// Ends a Task, a Parallel or a Map with its result.
    pub(super) fn complete(
        &mut self,
        state: &State,
        thread: &mut Thread,
        result: Value,
    ) -> Transition {
        self.try_complete(state, thread, result)
            .unwrap_or_else(|failure| self.handle_failure(state, thread, failure))
    }

    fn try_complete(
        &mut self,
        state: &State,
        thread: &Thread,
        result: Value,
    ) -> Result<Transition, Failure> {
        let context = self.context(thread);
        let work = state.kind.work();
        let selector = work.and_then(|work| work.result_selector.as_ref());
        let result = self.fill(selector, &result, &context)?.unwrap_or(result);
        let root = ResultPath::default();
        let path = work.map_or(&root, |work| &work.result_path);
        let output = put_result(path, &thread.input, result)?;
        exit(state, &output, &context)
    }

    /// Ends a Wait state.
    pub(super) fn complete_wait(&self, state: &State, thread: &Thread) -> Transition {
        let context = self.context(thread);
        select(state.input_path.as_ref(), &thread.input, &context)
            .and_then(|input| exit(state, &input, &context))
            .unwrap_or_else(Transition::Fail)
    }
}

/// Leaves a state for its `Next`.
fn exit(state: &State, output: &Value, context: &Value) -> Result<Transition, Failure> {
    let output = select(state.output_path.as_ref(), output, context)?;
    Ok(Transition::Exit { output, next: state.next.clone() })
}

/// The next state of the first rule that holds.
fn choose<'a>(
    rules: &'a [ChoiceRule],
    data: &Value,
    context: &Value,
) -> Result<Option<&'a String>, Failure> {
    for rule in rules {
        if rule.condition.holds(data, context)? {
            return Ok(Some(&rule.next));
        }
    }
    Ok(None)
}
