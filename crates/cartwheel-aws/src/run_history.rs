//! Histories of Step Functions in the form of the local runner's.

use aws_sdk_sfn::types::HistoryEvent;
use cartwheel_workflow::{Entry, EntryType};
use serde_json::{Map, Value};

/// Most bytes of inputs, outputs and parameters in a history: an answer of a function has at most
/// 6 MB, in which it is a string with escapes.
const MAX_DATA: usize = 3 << 20;

/// A history as it is read.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: Vec<Entry>,
    /// Bytes of data so far.
    bytes: usize,
}

impl History {
    /// Adds events. Data beyond [`MAX_DATA`] are left out, and `truncated` says so.
    pub(crate) fn extend(&mut self, events: &[HistoryEvent]) {
        for event in events {
            // Executions of the pipeline have no activities and no distributed maps.
            let Some(kind) = EntryType::named(event.r#type().as_str()) else { continue };
            let details = self.details(event);
            self.entries.push(Entry {
                id: event.id().unsigned_abs(),
                previous_id: event.previous_event_id().unsigned_abs(),
                at_ms: event.timestamp().to_millis().unwrap_or_default(),
                kind,
                details: Value::Object(details.fields),
            });
            self.bytes = details.bytes;
        }
    }

    /// The entries, oldest first.
    pub(crate) fn entries(self) -> Vec<Entry> {
        self.entries
    }

    fn details(&self, event: &HistoryEvent) -> Details {
        let mut to = Details { fields: Map::new(), bytes: self.bytes };
        if let Some(of) = event.state_entered_event_details() {
            to.text("name", Some(of.name()));
            to.data("input", of.input());
        }
        if let Some(of) = event.state_exited_event_details() {
            to.text("name", Some(of.name()));
            to.data("output", of.output());
        }
        if let Some(of) = event.execution_started_event_details() {
            to.data("input", of.input());
        }
        if let Some(of) = event.execution_succeeded_event_details() {
            to.data("output", of.output());
        }
        if let Some(of) = event.execution_redriven_event_details() {
            to.number("redriveCount", of.redrive_count());
        }
        if let Some(of) = event.task_scheduled_event_details() {
            // The name that definitions use.
            let resource = format!("arn:aws:states:::{}:{}", of.resource_type(), of.resource());
            to.text("resource", Some(&resource));
            to.data("parameters", Some(of.parameters()));
        }
        if let Some(of) = event.task_submitted_event_details() {
            to.data("output", of.output());
        }
        if let Some(of) = event.task_succeeded_event_details() {
            to.data("output", of.output());
        }
        if let Some(of) = event.map_state_started_event_details() {
            to.number("length", Some(of.length()));
        }
        let iterations = [
            event.map_iteration_started_event_details(),
            event.map_iteration_succeeded_event_details(),
            event.map_iteration_failed_event_details(),
            event.map_iteration_aborted_event_details(),
        ];
        for of in iterations.into_iter().flatten() {
            to.text("name", of.name());
            to.number("index", Some(of.index()));
        }
        macro_rules! failures {
            ($($of:ident),* $(,)?) => {
                $(if let Some(of) = event.$of() {
                    to.text("error", of.error());
                    to.text("cause", of.cause());
                })*
            };
        }
        failures!(
            execution_failed_event_details,
            execution_aborted_event_details,
            execution_timed_out_event_details,
            task_failed_event_details,
            task_start_failed_event_details,
            task_submit_failed_event_details,
            task_timed_out_event_details,
        );
        to
    }
}

/// The details of one entry.
struct Details {
    fields: Map<String, Value>,
    /// Bytes of data so far, with those of this entry.
    bytes: usize,
}

impl Details {
    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.fields.insert(name.to_owned(), text.into());
        }
    }

    fn number(&mut self, name: &str, number: Option<i32>) {
        if let Some(number) = number {
            self.fields.insert(name.to_owned(), number.into());
        }
    }

    fn data(&mut self, name: &str, json: Option<&str>) {
        let Some(json) = json else { return };
        if self.bytes + json.len() > MAX_DATA {
            self.fields.insert("truncated".to_owned(), true.into());
            return;
        }
        self.bytes += json.len();
        self.fields.insert(name.to_owned(), data(json));
    }
}

/// Parses data, which Step Functions gives as text. What it has truncated stays text.
pub(crate) fn data(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|_| json.into())
}

/// The names of the states that have been entered and not left, the oldest first.
pub(crate) fn current(history: &[Entry]) -> Vec<String> {
    let mut states: Vec<String> = Vec::new();
    for entry in history {
        let Some(name) = entry.details["name"].as_str() else { continue };
        let kind = entry.kind.as_str();
        if kind.ends_with("StateEntered") {
            states.push(name.to_owned());
        } else if kind.ends_with("StateExited")
            && let Some(at) = states.iter().rposition(|state| state == name)
        {
            states.remove(at);
        }
    }
    states
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::primitives::DateTime;
    use aws_sdk_sfn::types::builders::HistoryEventBuilder;
    use aws_sdk_sfn::types::{
        HistoryEventType, MapIterationEventDetails, StateEnteredEventDetails,
        StateExitedEventDetails, TaskFailedEventDetails, TaskScheduledEventDetails,
    };
    use serde_json::json;

    use super::*;

    fn event(id: i64, kind: HistoryEventType) -> HistoryEventBuilder {
        let event = HistoryEvent::builder().id(id).previous_event_id(id - 1).r#type(kind);
        event.timestamp(DateTime::from_millis(1_700_000_000_123 + id))
    }

    fn entered(id: i64, name: &str, input: &str) -> HistoryEvent {
        let details = StateEnteredEventDetails::builder().name(name).input(input).build();
        let event = event(id, HistoryEventType::TaskStateEntered);
        event.state_entered_event_details(details.unwrap()).build().unwrap()
    }

    #[test]
    fn events_have_the_fields_of_local_entries() {
        let scheduled = TaskScheduledEventDetails::builder()
            .resource_type("lambda")
            .resource("invoke")
            .region("eu-central-1")
            .parameters(r#"{"FunctionName":"load"}"#);
        let failed = TaskFailedEventDetails::builder()
            .resource_type("lambda")
            .resource("invoke")
            .error("Lambda.Unknown")
            .cause("no memory");
        let iteration = MapIterationEventDetails::builder().name("Parts").index(3).build();
        let mut history = History::default();
        history.extend(&[
            entered(1, "Load", r#"{"n":1}"#),
            event(2, HistoryEventType::TaskScheduled)
                .task_scheduled_event_details(scheduled.build().unwrap())
                .build()
                .unwrap(),
            event(3, HistoryEventType::LambdaFunctionStarted).build().unwrap(),
            event(4, HistoryEventType::TaskFailed)
                .task_failed_event_details(failed.build().unwrap())
                .build()
                .unwrap(),
            event(5, HistoryEventType::MapIterationAborted)
                .map_iteration_aborted_event_details(iteration)
                .build()
                .unwrap(),
        ]);
        let entries = history.entries();
        assert_eq!(
            serde_json::to_value(&entries).unwrap(),
            json!([
                {"id": 1, "previousEventId": 0, "timestamp_ms": 1_700_000_000_124_i64,
                 "type": "TaskStateEntered", "details": {"name": "Load", "input": {"n": 1}}},
                {"id": 2, "previousEventId": 1, "timestamp_ms": 1_700_000_000_125_i64,
                 "type": "TaskScheduled", "details": {"resource": "arn:aws:states:::lambda:invoke",
                 "parameters": {"FunctionName": "load"}}},
                {"id": 4, "previousEventId": 3, "timestamp_ms": 1_700_000_000_127_i64,
                 "type": "TaskFailed", "details": {"error": "Lambda.Unknown", "cause": "no memory"}},
                {"id": 5, "previousEventId": 4, "timestamp_ms": 1_700_000_000_128_i64,
                 "type": "MapIterationAborted", "details": {"name": "Parts", "index": 3}},
            ])
        );
        assert_eq!(current(&entries), ["Load"]);
    }

    #[test]
    fn a_long_history_keeps_its_entries_and_leaves_out_data() {
        let big = format!("{:?}", "x".repeat(MAX_DATA / 2));
        let exited = StateExitedEventDetails::builder().name("B").output("1").build().unwrap();
        let mut history = History::default();
        history.extend(&[entered(1, "A", &big), entered(2, "B", &big)]);
        history.extend(&[event(3, HistoryEventType::TaskStateExited)
            .state_exited_event_details(exited)
            .build()
            .unwrap()]);
        let entries = history.entries();
        assert_eq!(entries[1].details, json!({"name": "B", "truncated": true}));
        assert_eq!(entries[2].details, json!({"name": "B", "output": 1}), "small data still fit");
        assert_eq!(current(&entries), ["A"]);
    }
}
