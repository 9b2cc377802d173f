//! The interpreter: what a thread does until it waits or ends.

use serde_json::{Value, json};

use super::{
    Book, Command, Doing, Event, MAX_HISTORY, MAX_PAYLOAD, Slot, Start, TaskRun, Thread, Threads,
};
use crate::choice::Rule;
use crate::definition::{Kind, Machine, MapState, Number, ResultPath, State, Task, Text, Wait};
use crate::failure::{
    DATA_LIMIT, Failure, HEARTBEAT_TIMEOUT, NO_CHOICE, PARAMETER_PATH, RUNTIME, TIMEOUT,
};
use crate::history::{Entry, Type};
use crate::path::Path;
use crate::scope::Scope;
use crate::template::Template;

/// What became of a thread.
pub(super) enum Turn {
    /// It waits for events.
    Blocked,
    Done(Value),
    Failed(Failure),
}

/// What became of a state.
pub(super) enum Outcome {
    Blocked,
    Exit(Value, Option<String>),
    Failed(Failure),
}

pub(super) fn details(failure: &Failure) -> Value {
    json!({"error": failure.error, "cause": failure.cause})
}

/// One step's work.
pub(super) struct Run<'a> {
    pub start: &'a Start,
    pub book: &'a mut Book,
    pub commands: Vec<Command>,
    pub now_ms: i64,
}

impl Run<'_> {
    pub(super) fn log(&mut self, kind: Type, previous: u64, details: Value) -> u64 {
        let id = self.book.history.len() as u64 + 1;
        let entry = Entry { id, previous_id: previous, at_ms: self.now_ms, kind, details };
        self.book.history.push(entry);
        id
    }

    fn ticket(&mut self) -> u64 {
        self.book.tickets += 1;
        self.book.tickets
    }

    /// Asks to be woken, in seconds from now.
    pub(super) fn wake(&mut self, seconds: u64) -> u64 {
        let ms = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        self.wake_at(self.now_ms.saturating_add(ms))
    }

    fn wake_at(&mut self, at_ms: i64) -> u64 {
        let ticket = self.ticket();
        self.commands.push(Command::Wake { ticket, at_ms });
        ticket
    }

    /// What `$$` is, in that state of that thread.
    fn context(&self, thread: &Thread) -> Value {
        let start = self.start;
        let mut context = json!({
            "Execution": {
                "Id": format!("arn:aws:states:local:000000000000:execution:{}:{}", start.machine, start.name),
                "Input": start.input,
                "Name": start.name,
                "RoleArn": "arn:aws:iam::000000000000:role/local",
                "StartTime": time(start.at_ms),
                "RedriveCount": self.book.redrives,
            },
            "State": {
                "EnteredTime": time(thread.entered_ms),
                "Name": thread.state,
                "RetryCount": thread.tries.iter().sum::<u64>(),
            },
            "StateMachine": {
                "Id": format!("arn:aws:states:local:000000000000:stateMachine:{}", start.machine),
                "Name": start.machine,
            },
        });
        if let Some((index, value)) = &thread.item {
            context["Map"] = json!({"Item": {"Index": index, "Value": value}});
        }
        context
    }

    /// Walks on until the thread waits or ends: from what became of its state, or into
    /// its state.
    pub(super) fn go(
        &mut self,
        machine: &Machine,
        thread: &mut Thread,
        outcome: Option<Outcome>,
    ) -> Turn {
        let mut outcome = outcome;
        loop {
            let now = match outcome.take() {
                Some(outcome) => outcome,
                None => self.enter(machine, thread),
            };
            match now {
                Outcome::Blocked => return Turn::Blocked,
                Outcome::Failed(failure) => {
                    // Threads stay: a redrive goes on with those that did not succeed.
                    if !matches!(thread.doing, Doing::Threads(_)) {
                        thread.doing = Doing::Stopped;
                    }
                    return Turn::Failed(failure);
                }
                Outcome::Exit(output, next) => {
                    let kind = machine.state(&thread.state).map(|state| state.kind.name());
                    if let Err(failure) = fits(&output) {
                        outcome = Some(Outcome::Failed(failure));
                        continue;
                    }
                    let details = json!({"name": thread.state, "output": output});
                    let kind = Type::exited(kind.unwrap_or_default());
                    thread.last = self.log(kind, thread.last, details);
                    let Some(next) = next else { return Turn::Done(output) };
                    thread.state = next;
                    thread.input = output;
                    thread.doing = Doing::Stopped;
                    thread.tries.clear();
                }
            }
        }
    }

    /// Enters the thread's state.
    fn enter(&mut self, machine: &Machine, thread: &mut Thread) -> Outcome {
        let Some(state) = machine.state(&thread.state) else {
            return Outcome::Failed(Failure::runtime(format!(
                "There is no state {:?}.",
                thread.state
            )));
        };
        if self.book.history.len() >= MAX_HISTORY {
            let cause = format!("The execution's history has reached {MAX_HISTORY} entries.");
            return Outcome::Failed(Failure::runtime(cause));
        }
        thread.entered_ms = self.now_ms;
        thread.tries = vec![0; state.kind.work().map_or(0, |work| work.retry.len())];
        let details = json!({"name": thread.state, "input": thread.input});
        thread.last = self.log(Type::entered(state.kind.name()), thread.last, details);
        self.begin(state, thread)
    }

    /// Begins a state's work, for the first time or again.
    fn begin(&mut self, state: &State, thread: &mut Thread) -> Outcome {
        match self.try_begin(state, thread) {
            Ok(outcome) => outcome,
            Err(failure) => self.handle(state, thread, failure),
        }
    }

    fn try_begin(&mut self, state: &State, thread: &mut Thread) -> Result<Outcome, Failure> {
        let context = self.context(thread);
        let input = read(state.input_path.as_ref(), &thread.input, &context)?;
        match &state.kind {
            Kind::Pass { result, parameters, result_path } => {
                let payload = self.fill(parameters.as_ref(), &input, &context)?;
                let result = result.clone().unwrap_or(payload.unwrap_or(input));
                let output = place(result_path, &thread.input, result)?;
                self.leave(state, &output, &context)
            }
            Kind::Succeed => self.leave(state, &input, &context),
            Kind::Fail { error, cause } => {
                let error = self.text(error.as_ref(), &input, &context)?;
                let cause = self.text(cause.as_ref(), &input, &context)?;
                Ok(Outcome::Failed(Failure::new(error, cause)))
            }
            Kind::Choice { rules, default } => {
                let next = choose(rules, &input, &context)?.or(default.as_ref());
                let next = next.cloned().ok_or_else(|| {
                    Failure::new(NO_CHOICE, "No rule matched, and there is no Default.")
                })?;
                let output = read(state.output_path.as_ref(), &input, &context)?;
                Ok(Outcome::Exit(output, Some(next)))
            }
            Kind::Wait(wait) => {
                let at_ms = self.wait_until(wait, &input, &context)?;
                let ticket = self.wake_at(at_ms);
                thread.doing = Doing::Wait { ticket };
                Ok(Outcome::Blocked)
            }
            Kind::Task(task) => self.run_task(task, thread, input, context),
            Kind::Parallel { branches, work } => {
                let payload = self.fill(work.parameters.as_ref(), &input, &context)?;
                let input = payload.unwrap_or(input);
                let item = thread.item.clone();
                let slot = |_: &Machine| Slot::Waiting { input: input.clone(), item: item.clone() };
                let slots: Vec<Slot> = branches.iter().map(slot).collect();
                thread.last = self.log(Type::ParallelStateStarted, thread.last, json!({}));
                let limit = slots.len();
                thread.doing = Doing::Threads(Threads { slots, limit, tolerated: 0, failed: 0 });
                Ok(self.go_on(state, thread))
            }
            Kind::Map(map) => {
                let threads = self.items(map, &input, &context)?;
                let details = json!({"length": threads.slots.len()});
                thread.last = self.log(Type::MapStateStarted, thread.last, details);
                thread.doing = Doing::Threads(threads);
                Ok(self.go_on(state, thread))
            }
        }
    }

    fn run_task(
        &mut self,
        task: &Task,
        thread: &mut Thread,
        input: Value,
        mut context: Value,
    ) -> Result<Outcome, Failure> {
        let ticket = self.ticket();
        context["Task"] = json!({"Token": format!("{}-{ticket}", self.start.name)});
        let payload = self.fill(task.work.parameters.as_ref(), &input, &context)?;
        let timeout = seconds(task.timeout.as_ref(), &input, &context)?;
        let heartbeat = seconds(task.heartbeat.as_ref(), &input, &context)?;
        let input = payload.unwrap_or(input);
        fits(&input)?;
        let details = json!({"resource": task.resource, "parameters": input});
        thread.last = self.log(Type::TaskScheduled, thread.last, details);
        let attempt = u32::try_from(thread.tries.iter().sum::<u64>()).unwrap_or(u32::MAX);
        self.commands.push(Command::Run(TaskRun {
            ticket,
            state: thread.state.clone(),
            resource: task.resource.clone(),
            input,
            attempt,
        }));
        let deadline = timeout.map(|seconds| self.wake(seconds));
        let heartbeat = heartbeat.map(|seconds| (self.wake(seconds), seconds));
        thread.doing = Doing::Task { ticket, deadline, heartbeat };
        Ok(Outcome::Blocked)
    }

    fn items(
        &mut self,
        map: &MapState,
        input: &Value,
        context: &Value,
    ) -> Result<Threads, Failure> {
        let items = read(map.items_path.as_ref(), input, context)?;
        let Value::Array(items) = items else {
            return Err(Failure::runtime("The items of the Map are not an array."));
        };
        let limit = number(&map.max_concurrency, input, context)?;
        let count = number(&map.tolerated.0, input, context)?;
        let share = number(&map.tolerated.1, input, context)?.min(100);
        let tolerated = (items.len() as u64 * share / 100).max(count);
        let mut slots = Vec::with_capacity(items.len());
        for (index, value) in items.into_iter().enumerate() {
            let mut context = context.clone();
            context["Map"] = json!({"Item": {"Index": index, "Value": value}});
            let selected = self.fill(map.work.parameters.as_ref(), input, &context)?;
            let input = selected.unwrap_or_else(|| value.clone());
            slots.push(Slot::Waiting { input, item: Some((index, value)) });
        }
        let limit = if limit == 0 { slots.len() } else { limit as usize };
        Ok(Threads { slots, limit, tolerated: tolerated as usize, failed: 0 })
    }

    /// Starts what may start of a Parallel's or Map's threads, and ends the state once
    /// all of them have ended.
    fn go_on(&mut self, state: &State, thread: &mut Thread) -> Outcome {
        loop {
            let Doing::Threads(threads) = &mut thread.doing else { return Outcome::Blocked };
            let running = threads.slots.iter().filter(|s| matches!(s, Slot::Running(_))).count();
            let waiting = threads.slots.iter().position(|s| matches!(s, Slot::Waiting { .. }));
            let Some(index) = waiting.filter(|_| running < threads.limit) else {
                if running > 0 {
                    return Outcome::Blocked;
                }
                let slots = std::mem::take(&mut threads.slots);
                let results = slots.into_iter().map(|slot| match slot {
                    Slot::Done(value) => value,
                    _ => Value::Null,
                });
                let result = Value::Array(results.collect());
                thread.doing = Doing::Stopped;
                let kind = Type::succeeded(state.kind.name());
                thread.last = self.log(kind, thread.last, json!({}));
                return self.finish(state, thread, result);
            };
            let slot = &mut threads.slots[index];
            let Slot::Waiting { input, item } = slot else { return Outcome::Blocked };
            let Some(machine) = part(state, index) else { return Outcome::Blocked };
            let (input, item) = (std::mem::take(input), item.take());
            let mut last = thread.last;
            if matches!(state.kind, Kind::Map(_)) {
                let details = json!({"name": thread.state, "index": index});
                last = self.log(Type::MapIterationStarted, last, details);
            }
            let mut child = Thread::new(machine, input, item, last, self.now_ms);
            let turn = self.go(machine, &mut child, None);
            threads.slots[index] = Slot::Running(Box::new(child));
            if let Some(outcome) = self.settle(state, thread, index, turn) {
                return outcome;
            }
        }
    }

    /// Takes note of what became of a thread of a Parallel or a Map. Gives what
    /// becomes of the state, if that ends it.
    fn settle(
        &mut self,
        state: &State,
        thread: &mut Thread,
        index: usize,
        turn: Turn,
    ) -> Option<Outcome> {
        let Doing::Threads(threads) = &mut thread.doing else { return None };
        let last = match threads.slots.get(index) {
            Some(Slot::Running(child)) => child.last,
            _ => thread.last,
        };
        let is_map = matches!(state.kind, Kind::Map(_));
        let details = json!({"name": thread.state, "index": index});
        match turn {
            Turn::Blocked => None,
            Turn::Done(output) => {
                threads.slots[index] = Slot::Done(output);
                if is_map {
                    self.log(Type::MapIterationSucceeded, last, details);
                }
                None
            }
            Turn::Failed(failure) => {
                if is_map {
                    self.log(Type::MapIterationFailed, last, details);
                }
                if threads.failed < threads.tolerated {
                    threads.failed += 1;
                    threads.slots[index] = Slot::Borne;
                    return None;
                }
                for slot in &mut threads.slots {
                    if let Slot::Running(child) = slot {
                        self.cancel(child);
                    }
                }
                let kind = Type::failed(state.kind.name());
                thread.last =
                    self.log(kind, last, json!({"error": failure.error, "cause": failure.cause}));
                Some(self.handle(state, thread, failure))
            }
        }
    }

    /// Cancels what a thread waits for. It can be redriven.
    pub(super) fn cancel(&mut self, thread: &mut Thread) {
        match &mut thread.doing {
            Doing::Task { ticket, .. } => {
                self.commands.push(Command::Cancel { ticket: *ticket });
                thread.doing = Doing::Stopped;
            }
            Doing::Threads(threads) => {
                for slot in &mut threads.slots {
                    if let Slot::Running(child) = slot {
                        self.cancel(child);
                    }
                }
            }
            Doing::Wait { .. } | Doing::Retry { .. } | Doing::Stopped => {
                thread.doing = Doing::Stopped
            }
        }
    }

    /// A failure in a state: tries again, catches, or fails the thread.
    fn handle(&mut self, state: &State, thread: &mut Thread, failure: Failure) -> Outcome {
        let Some(work) = state.kind.work() else { return Outcome::Failed(failure) };
        let retrier = work.retry.iter().position(|retrier| failure.matches(&retrier.errors));
        if let Some(index) = retrier
            && thread.tries.get(index).is_some_and(|&tries| tries < work.retry[index].max_attempts)
        {
            let retrier = &work.retry[index];
            let tries = thread.tries[index];
            thread.tries[index] += 1;
            let growth = retrier.backoff_rate.powi(i32::try_from(tries).unwrap_or(i32::MAX));
            let mut delay = retrier.interval_seconds as f64 * growth;
            if let Some(most) = retrier.max_delay_seconds {
                delay = delay.min(most as f64);
            }
            if retrier.jitter {
                delay *= self.book.random.fraction();
            }
            let delay_ms = (delay * 1000.0).min(1e15) as i64;
            let ticket = self.wake_at(self.now_ms.saturating_add(delay_ms));
            thread.doing = Doing::Retry { ticket };
            return Outcome::Blocked;
        }
        for catcher in &work.catch {
            if failure.matches(&catcher.errors) {
                let error = json!({"Error": failure.error, "Cause": failure.cause});
                return match place(&catcher.result_path, &thread.input, error) {
                    Ok(output) => Outcome::Exit(output, Some(catcher.next.clone())),
                    Err(failure) => Outcome::Failed(failure),
                };
            }
        }
        Outcome::Failed(failure)
    }

    /// A Task, Parallel or Map has its result.
    fn finish(&mut self, state: &State, thread: &mut Thread, result: Value) -> Outcome {
        match self.try_finish(state, thread, result) {
            Ok(outcome) => outcome,
            Err(failure) => self.handle(state, thread, failure),
        }
    }

    fn try_finish(
        &mut self,
        state: &State,
        thread: &Thread,
        result: Value,
    ) -> Result<Outcome, Failure> {
        let context = self.context(thread);
        let work = state.kind.work();
        let selector = work.and_then(|work| work.result_selector.as_ref());
        let result = self.fill(selector, &result, &context)?.unwrap_or(result);
        let whole = ResultPath::default();
        let path = work.map_or(&whole, |work| &work.result_path);
        let output = place(path, &thread.input, result)?;
        self.leave(state, &output, &context)
    }

    fn leave(&self, state: &State, output: &Value, context: &Value) -> Result<Outcome, Failure> {
        let output = read(state.output_path.as_ref(), output, context)?;
        Ok(Outcome::Exit(output, state.next.clone()))
    }

    /// Gives an event to the thread that waits for it. None where nobody does.
    pub(super) fn deliver(
        &mut self,
        machine: &Machine,
        thread: &mut Thread,
        event: &Event,
    ) -> Option<Turn> {
        let state = machine.state(&thread.state)?;
        if let Doing::Threads(threads) = &mut thread.doing {
            let mut found = None;
            for (index, slot) in threads.slots.iter_mut().enumerate() {
                let (Slot::Running(child), Some(part)) = (slot, part(state, index)) else {
                    continue;
                };
                if let Some(turn) = self.deliver(part, child, event) {
                    found = Some((index, turn));
                    break;
                }
            }
            let (index, turn) = found?;
            let outcome = match self.settle(state, thread, index, turn) {
                Some(outcome) => outcome,
                None => self.go_on(state, thread),
            };
            return Some(self.go(machine, thread, Some(outcome)));
        }
        let outcome = self.receive(state, thread, event)?;
        Some(self.go(machine, thread, Some(outcome)))
    }

    /// What an event does to the state that a thread waits in.
    fn receive(&mut self, state: &State, thread: &mut Thread, event: &Event) -> Option<Outcome> {
        match (&mut thread.doing, event) {
            (Doing::Wait { ticket }, Event::Woken { ticket: woken }) if ticket == woken => {
                let context = self.context(thread);
                let output = read(state.input_path.as_ref(), &thread.input, &context)
                    .and_then(|input| self.leave(state, &input, &context));
                Some(output.unwrap_or_else(Outcome::Failed))
            }
            (Doing::Retry { ticket }, Event::Woken { ticket: woken }) if ticket == woken => {
                Some(self.begin(state, thread))
            }
            (Doing::Task { ticket, .. }, Event::Succeeded { ticket: done, output })
                if ticket == done =>
            {
                if let Err(failure) = fits(output) {
                    return Some(Outcome::Failed(failure));
                }
                let details = json!({"output": output});
                thread.last = self.log(Type::TaskSucceeded, thread.last, details);
                Some(self.finish(state, thread, output.clone()))
            }
            (Doing::Task { ticket, .. }, Event::Failed { ticket: done, failure })
                if ticket == done =>
            {
                thread.last = self.log(Type::TaskFailed, thread.last, details(failure));
                Some(self.handle(state, thread, failure.clone()))
            }
            (Doing::Task { ticket, heartbeat, .. }, Event::Heartbeat { ticket: alive })
                if ticket == alive =>
            {
                if let Some((_, seconds)) = *heartbeat {
                    let wake = self.wake(seconds);
                    *heartbeat = Some((wake, seconds));
                }
                Some(Outcome::Blocked)
            }
            (Doing::Task { ticket, deadline, heartbeat }, Event::Woken { ticket: woken }) => {
                let late = *deadline == Some(*woken);
                let silent = heartbeat.is_some_and(|(wake, _)| wake == *woken);
                if !late && !silent {
                    return None;
                }
                self.commands.push(Command::Cancel { ticket: *ticket });
                let failure = if late {
                    Failure::new(TIMEOUT, "The task took longer than TimeoutSeconds.")
                } else {
                    Failure::new(HEARTBEAT_TIMEOUT, "No heartbeat within HeartbeatSeconds.")
                };
                thread.last = self.log(Type::TaskTimedOut, thread.last, details(&failure));
                Some(self.handle(state, thread, failure))
            }
            _ => None,
        }
    }

    /// Tries again what failed or was cancelled.
    pub(super) fn redrive(&mut self, machine: &Machine, thread: &mut Thread) -> Turn {
        let Some(state) = machine.state(&thread.state) else {
            return Turn::Failed(Failure::runtime("The state is gone."));
        };
        let last = thread.last;
        let Doing::Threads(threads) = &mut thread.doing else {
            return self.go(machine, thread, None);
        };
        threads.failed = 0;
        for index in 0..threads.slots.len() {
            let Doing::Threads(threads) = &mut thread.doing else { break };
            let Slot::Running(child) = &mut threads.slots[index] else { continue };
            let Some(part) = part(state, index) else { continue };
            child.last = last;
            let turn = self.redrive(part, child);
            if let Some(outcome) = self.settle(state, thread, index, turn) {
                return self.go(machine, thread, Some(outcome));
            }
        }
        let outcome = self.go_on(state, thread);
        self.go(machine, thread, Some(outcome))
    }

    fn fill(
        &mut self,
        template: Option<&Template>,
        data: &Value,
        context: &Value,
    ) -> Result<Option<Value>, Failure> {
        let mut scope = Scope { data, context, random: &mut self.book.random };
        template.map(|template| template.fill(&mut scope)).transpose()
    }

    fn text(
        &mut self,
        text: Option<&Text>,
        data: &Value,
        context: &Value,
    ) -> Result<String, Failure> {
        match text {
            None => Ok(String::new()),
            Some(Text::Value(text)) => Ok(text.clone()),
            Some(Text::Computed(expression)) => {
                let mut scope = Scope { data, context, random: &mut self.book.random };
                let value = expression.value(&mut scope).map_err(as_runtime)?;
                let text = value.as_str().map(str::to_owned);
                text.ok_or_else(|| Failure::runtime(format!("{value} is not a string.")))
            }
        }
    }

    fn wait_until(&mut self, wait: &Wait, data: &Value, context: &Value) -> Result<i64, Failure> {
        match wait {
            Wait::Seconds(seconds) => {
                let seconds = i64::try_from(number(seconds, data, context)?).unwrap_or(i64::MAX);
                Ok(self.now_ms.saturating_add(seconds.saturating_mul(1000)))
            }
            Wait::Timestamp(text) => {
                let text = self.text(Some(text), data, context)?;
                let time = crate::choice::timestamp(&text)
                    .ok_or_else(|| Failure::runtime(format!("{text:?} is not a timestamp.")))?;
                Ok(time.as_millisecond())
            }
        }
    }
}

/// The machine of a Parallel's branch or a Map's item.
fn part(state: &State, index: usize) -> Option<&Machine> {
    match &state.kind {
        Kind::Parallel { branches, .. } => branches.get(index),
        Kind::Map(map) => Some(&map.processor),
        _ => None,
    }
}

fn choose<'a>(
    rules: &'a [(Rule, String)],
    data: &Value,
    context: &Value,
) -> Result<Option<&'a String>, Failure> {
    for (rule, next) in rules {
        if rule.holds(data, context)? {
            return Ok(Some(next));
        }
    }
    Ok(None)
}

fn as_runtime(failure: Failure) -> Failure {
    if failure.error == PARAMETER_PATH {
        Failure { error: RUNTIME.to_owned(), ..failure }
    } else {
        failure
    }
}

/// What `InputPath`, `OutputPath` or `ItemsPath` picks; none gives `{}`.
fn read(path: Option<&Path>, data: &Value, context: &Value) -> Result<Value, Failure> {
    let Some(path) = path else { return Ok(json!({})) };
    path.find(data, context).ok_or_else(|| {
        Failure::runtime(format!(
            "Invalid path '{}': it found nothing in the input.",
            path.as_str()
        ))
    })
}

/// The state's input with the result in its place.
fn place(path: &ResultPath, input: &Value, result: Value) -> Result<Value, Failure> {
    let Some(path) = &path.0 else { return Ok(input.clone()) };
    if path.is_root() {
        return Ok(result);
    }
    let mut output = input.clone();
    path.put(&mut output, result)?;
    Ok(output)
}

fn number(number: &Number, data: &Value, context: &Value) -> Result<u64, Failure> {
    match number {
        Number::Value(number) => Ok(*number),
        Number::Path(path) => {
            let value = read(Some(path), data, context)?;
            value.as_u64().ok_or_else(|| {
                Failure::runtime(format!("{} is {value}, not a whole number.", path.as_str()))
            })
        }
    }
}

fn seconds(
    number_: Option<&Number>,
    data: &Value,
    context: &Value,
) -> Result<Option<u64>, Failure> {
    number_.map(|seconds| number(seconds, data, context)).transpose()
}

/// Refuses a payload that is too large.
fn fits(payload: &Value) -> Result<(), Failure> {
    /// Counts bytes, and ends once there are too many.
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            if self.0 > MAX_PAYLOAD {
                Err(std::io::ErrorKind::FileTooLarge.into())
            } else {
                Ok(bytes.len())
            }
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(Count(0), payload).map_err(|_| {
        Failure::new(DATA_LIMIT, format!("A payload is larger than {MAX_PAYLOAD} bytes."))
    })
}

/// A time in the context object.
fn time(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}
