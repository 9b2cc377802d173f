//! Reads a state of any type.

use serde_json::Value;

use super::fields::{Fields, MAX_SECONDS, Parser};
use super::machine::NESTED_FIELDS;
use crate::choice::parse_timestamp;
use crate::definition::{IntegerField, MapState, State, StateKind, StringField, Task, WaitTime};
use crate::problem::join;

/// The fields that every state may have.
const STATE_FIELDS: [&str; 7] =
    ["Type", "Comment", "Next", "End", "InputPath", "OutputPath", "QueryLanguage"];

impl Parser {
    pub(super) fn state(&mut self, value: &Value, place: &str) -> Option<State> {
        let fields = self.object(value, place)?;
        self.check_query_language(fields, place);
        let type_name = self.required(fields, "Type", place)?;
        let kind = self.kind(type_name, fields, place)?;
        let next = self.string(fields, "Next", place).map(str::to_owned);
        let ends = match fields.get("End") {
            Some(Value::Bool(ends)) => *ends,
            Some(_) => {
                self.report(&join(place, "End"), "must be true or false");
                false
            }
            None => false,
        };
        match kind {
            StateKind::Choice { .. } | StateKind::Succeed | StateKind::Fail { .. } => {
                self.forbid(fields, &["Next", "End"], type_name, place);
            }
            _ if next.is_some() == ends => {
                self.report(place, "needs either Next or \"End\": true");
            }
            _ => {}
        }
        if matches!(kind, StateKind::Fail { .. }) {
            self.forbid(fields, &["InputPath", "OutputPath"], type_name, place);
        }
        Some(State {
            input_path: self.data_path(fields, "InputPath", place),
            output_path: self.data_path(fields, "OutputPath", place),
            next,
            kind,
        })
    }

    fn forbid(&mut self, fields: &Fields, names: &[&str], type_name: &str, place: &str) {
        for name in names.iter().filter(|name| fields.contains_key(**name)) {
            self.report(&join(place, name), format!("is not allowed in a {type_name} state"));
        }
    }

    /// Reports every field that is neither in `more` nor allowed in every state.
    pub(super) fn check_state_fields(&mut self, fields: &Fields, more: &[&str], place: &str) {
        let allowed: Vec<&str> = STATE_FIELDS.iter().chain(more).copied().collect();
        self.check_fields(fields, &allowed, place);
    }

    fn kind(&mut self, type_name: &str, fields: &Fields, place: &str) -> Option<StateKind> {
        Some(match type_name {
            "Task" => self.task(fields, place)?,
            "Pass" => {
                self.check_state_fields(fields, &["Result", "Parameters", "ResultPath"], place);
                StateKind::Pass {
                    result: fields.get("Result").cloned(),
                    parameters: self.template(fields, "Parameters", place),
                    result_path: self.result_path(fields, place),
                }
            }
            "Choice" => self.choice(fields, place)?,
            "Wait" => self.wait(fields, place)?,
            "Parallel" => self.parallel(fields, place)?,
            "Map" => self.map(fields, place)?,
            "Succeed" => {
                self.check_state_fields(fields, &[], place);
                StateKind::Succeed
            }
            "Fail" => {
                let allowed = ["Error", "ErrorPath", "Cause", "CausePath"];
                self.check_state_fields(fields, &allowed, place);
                let error = self.string_or_path(fields, "Error", place);
                StateKind::Fail { error, cause: self.string_or_path(fields, "Cause", place) }
            }
            other => {
                let message = format!(
                    "is {other:?}: use Task, Pass, Choice, Wait, Parallel, Map, Succeed or Fail"
                );
                self.report(&join(place, "Type"), message);
                return None;
            }
        })
    }

    fn task(&mut self, fields: &Fields, place: &str) -> Option<StateKind> {
        let allowed = [
            "Resource",
            "Parameters",
            "ResultSelector",
            "ResultPath",
            "Retry",
            "Catch",
            "TimeoutSeconds",
            "TimeoutSecondsPath",
            "HeartbeatSeconds",
            "HeartbeatSecondsPath",
            "Credentials",
        ];
        self.check_state_fields(fields, &allowed, place);
        let resource = self.required(fields, "Resource", place);
        let timeout_seconds =
            self.integer_or_path(fields, "TimeoutSeconds", place, 1..=MAX_SECONDS);
        let heartbeat_seconds =
            self.integer_or_path(fields, "HeartbeatSeconds", place, 1..=MAX_SECONDS);
        if let (Some(IntegerField::Literal(timeout)), Some(IntegerField::Literal(heartbeat))) =
            (&timeout_seconds, &heartbeat_seconds)
            && heartbeat >= timeout
        {
            self.report(&join(place, "HeartbeatSeconds"), "must be less than TimeoutSeconds");
        }
        let work = self.work(fields, "Parameters", place);
        let resource = resource?.to_owned();
        let task = Task { resource, timeout_seconds, heartbeat_seconds, work };
        Some(StateKind::Task(Box::new(task)))
    }

    fn wait(&mut self, fields: &Fields, place: &str) -> Option<StateKind> {
        let times = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
        self.check_state_fields(fields, &times, place);
        if times.iter().filter(|name| fields.contains_key(**name)).count() != 1 {
            self.report(place, format!("needs exactly one of {}", times.join(", ")));
            return None;
        }
        if let Some(seconds) = self.integer_or_path(fields, "Seconds", place, 0..=MAX_SECONDS) {
            return Some(StateKind::Wait(WaitTime::Seconds(seconds)));
        }
        let timestamp = self.string_or_path(fields, "Timestamp", place)?;
        if let StringField::Literal(text) = &timestamp
            && parse_timestamp(text).is_none()
        {
            let message = "must be a timestamp such as 2026-03-14T01:59:00Z";
            self.report(&join(place, "Timestamp"), message);
        }
        Some(StateKind::Wait(WaitTime::Timestamp(timestamp)))
    }

    fn parallel(&mut self, fields: &Fields, place: &str) -> Option<StateKind> {
        let allowed = ["Branches", "Parameters", "ResultSelector", "ResultPath", "Retry", "Catch"];
        self.check_state_fields(fields, &allowed, place);
        let work = Box::new(self.work(fields, "Parameters", place));
        let place = join(place, "Branches");
        let raw = self.non_empty_array(fields.get("Branches"), &place, "state machines")?;
        let mut branches = Vec::with_capacity(raw.len());
        for (index, branch) in raw.iter().enumerate() {
            branches.extend(self.machine(branch, &format!("{place}[{index}]"), &NESTED_FIELDS));
        }
        Some(StateKind::Parallel { branches, work })
    }

    fn map(&mut self, fields: &Fields, place: &str) -> Option<StateKind> {
        let allowed = [
            "ItemsPath",
            "ItemSelector",
            "Parameters",
            "ItemProcessor",
            "Iterator",
            "MaxConcurrency",
            "MaxConcurrencyPath",
            "ToleratedFailureCount",
            "ToleratedFailureCountPath",
            "ToleratedFailurePercentage",
            "ToleratedFailurePercentagePath",
            "ResultSelector",
            "ResultPath",
            "Retry",
            "Catch",
        ];
        self.check_state_fields(fields, &allowed, place);
        // The service has renamed two fields and still takes the old names.
        for (name, old_name) in [("ItemProcessor", "Iterator"), ("ItemSelector", "Parameters")] {
            self.check_exclusive(fields, old_name, name, place);
        }
        let pick = |name, old_name| if fields.contains_key(old_name) { old_name } else { name };
        let work = self.work(fields, pick("ItemSelector", "Parameters"), place);
        let processor_name = pick("ItemProcessor", "Iterator");
        let processor_place = join(place, processor_name);
        let Some(processor) = fields.get(processor_name) else {
            self.report(&processor_place, "is missing");
            return None;
        };
        let processor = self.machine(processor, &processor_place, &NESTED_FIELDS);
        let mut integer = |name, max| {
            let field = self.integer_or_path(fields, name, place, 0..=max);
            field.unwrap_or(IntegerField::Literal(0))
        };
        let max_concurrency = integer("MaxConcurrency", MAX_SECONDS);
        let tolerated_failure_count = integer("ToleratedFailureCount", MAX_SECONDS);
        let tolerated_failure_percentage = integer("ToleratedFailurePercentage", 100);
        Some(StateKind::Map(Box::new(MapState {
            items_path: self.data_path(fields, "ItemsPath", place),
            processor: processor?,
            max_concurrency,
            tolerated_failure_count,
            tolerated_failure_percentage,
            work,
        })))
    }
}
