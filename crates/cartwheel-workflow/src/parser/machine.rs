//! Reads a state machine: the top level, a branch or an item processor.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{Fields, MAX_SECONDS, Parser};
use crate::definition::Machine;
use crate::problem::join;

/// Most characters of a state's name.
const MAX_NAME: usize = 80;
/// The fields of the top-level machine.
pub(super) const TOP_FIELDS: [&str; 6] =
    ["Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage"];
/// The fields of a nested machine.
pub(super) const NESTED_FIELDS: [&str; 5] =
    ["Comment", "StartAt", "States", "ProcessorConfig", "QueryLanguage"];

/// A transition of a state, before the state itself is read.
struct Edge<'a> {
    /// The field that names the next state, such as `Catch[0].Next`.
    field: String,
    next: &'a str,
}

impl Parser {
    pub(super) fn machine(
        &mut self,
        value: &Value,
        place: &str,
        allowed: &[&str],
    ) -> Option<Machine> {
        let fields = self.object(value, place)?;
        self.check_fields(fields, allowed, place);
        self.check_query_language(fields, place);
        if let Some(version) = fields.get("Version").filter(|v| v.as_str() != Some("1.0")) {
            self.report(&join(place, "Version"), format!("is {version}: use \"1.0\""));
        }
        if let Some(config) = fields.get("ProcessorConfig") {
            let mode = config.get("Mode").and_then(Value::as_str).unwrap_or("INLINE");
            if mode != "INLINE" {
                let message = format!("{mode} is not supported: use INLINE");
                self.report(&join(place, "ProcessorConfig.Mode"), message);
            }
        }
        let comment = self.string(fields, "Comment", place).map(str::to_owned);
        let timeout_seconds = self.integer(fields, "TimeoutSeconds", place, 1..=MAX_SECONDS);
        let start_at = self.required(fields, "StartAt", place);
        let states_place = join(place, "States");
        let Some(value) = fields.get("States") else {
            self.report(&states_place, "is missing");
            return None;
        };
        let raw = self.object(value, &states_place)?;
        if raw.is_empty() {
            self.report(&states_place, "must contain at least one state");
        }
        let mut states = BTreeMap::new();
        for (name, value) in raw {
            let place = join(&states_place, name);
            if name.is_empty() || name.chars().count() > MAX_NAME {
                self.report(&place, format!("must have a name of 1 to {MAX_NAME} characters"));
            }
            if let Some(state) = self.state(value, &place) {
                states.insert(name.clone(), state);
            }
        }
        let start_at = start_at?;
        if !raw.contains_key(start_at) {
            self.report(&join(place, "StartAt"), format!("there is no state {start_at:?}"));
        }
        self.check_edges(start_at, raw, &states_place);
        Some(Machine { comment, start_at: start_at.to_owned(), states, timeout_seconds })
    }

    pub(super) fn check_query_language(&mut self, fields: &Fields, place: &str) {
        let language = self.string(fields, "QueryLanguage", place).unwrap_or("JSONPath");
        if language != "JSONPath" {
            let message = format!("{language} is not supported: use JSONPath");
            self.report(&join(place, "QueryLanguage"), message);
        }
    }

    /// Checks that every named state exists and that every state can be reached. It reads
    /// the raw states, so that a faulty state hides no other problem.
    fn check_edges(&mut self, start_at: &str, states: &Fields, place: &str) {
        let mut reached = vec![start_at];
        let mut visited = 0;
        while let Some(&name) = reached.get(visited) {
            visited += 1;
            for edge in states.get(name).map(edges).unwrap_or_default() {
                if !reached.contains(&edge.next) {
                    reached.push(edge.next);
                }
            }
        }
        for (name, state) in states {
            for Edge { field, next } in edges(state) {
                if !states.contains_key(next) {
                    let place = format!("{place}.{name}.{field}");
                    self.report(&place, format!("there is no state {next:?}"));
                }
            }
            if states.contains_key(start_at) && !reached.contains(&name.as_str()) {
                self.report(&join(place, name), "cannot be reached from StartAt");
            }
        }
    }
}

/// All transitions of a state.
fn edges(state: &Value) -> Vec<Edge<'_>> {
    let mut edges = Vec::new();
    for name in ["Next", "Default"] {
        let next = state.get(name).and_then(Value::as_str);
        edges.extend(next.map(|next| Edge { field: name.to_owned(), next }));
    }
    for list in ["Choices", "Catch"] {
        let items = state.get(list).and_then(Value::as_array).map(Vec::as_slice);
        for (index, item) in items.unwrap_or_default().iter().enumerate() {
            let next = item.get("Next").and_then(Value::as_str);
            edges.extend(next.map(|next| Edge { field: format!("{list}[{index}].Next"), next }));
        }
    }
    edges
}
