//! Nested rows, as of JSON and Parquet: their columns as paths, and a row for each element of the
//! lists that they hold.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::field::{Cells, Field};

/// How deep values are looked for.
const MAX_DEPTH: usize = 5;
/// Elements of a list that become rows.
const MAX_ELEMENTS: usize = 10_000;

/// A path such as `user.id` or `items[].sku`. At most one step is a list. A step such as
/// `event_params[page]` finds the element whose `key` is `page`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// The steps to the value, or to the list.
    before: Vec<Step>,
    /// The steps within an element. `None` if the path has no list.
    within: Option<Vec<Step>>,
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// To the field of that name.
    Field(String),
    /// To the element of a list whose `key` is this text.
    Keyed(String),
}

impl Path {
    pub(crate) fn parse(text: &str) -> Self {
        let step = |step: &str| {
            let keyed = step.strip_suffix(']').and_then(|step| step.split_once('['));
            let (field, key) = keyed.map_or((step, None), |(field, key)| (field, Some(key)));
            let key = key.map(|key| Step::Keyed(key.to_owned()));
            std::iter::once(Step::Field(field.to_owned())).chain(key)
        };
        let steps =
            |text: &str| text.split('.').filter(|step| !step.is_empty()).flat_map(step).collect();
        match text.split_once("[]") {
            Some((before, within)) => Self { before: steps(before), within: Some(steps(within)) },
            None => Self { before: steps(text), within: None },
        }
    }

    /// The list of this path in a row.
    fn list<'a>(&self, row: &'a Value) -> Option<&'a Vec<Value>> {
        self.within.as_ref()?;
        find(row, &self.before)?.as_array()
    }

    /// The value of element `at`, or the only value if the path has no list.
    fn value<'a>(&self, row: &'a Value, at: usize) -> Option<&'a Value> {
        match &self.within {
            None => find(row, &self.before),
            Some(within) => find(self.list(row)?.get(at)?, within),
        }
    }
}

fn find<'a>(value: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Field(name) => value.get(name),
        Step::Keyed(key) => value.as_array()?.iter().find(|element| element["key"] == **key),
    })
}

/// The message of a topic, if a row is an envelope of `kcat -J`: an object with the message as
/// `payload`. A message without a time has the envelope's, as `ts`.
pub(crate) fn unwrapped(row: Value) -> Value {
    let is_envelope = ["topic", "partition", "offset"].iter().all(|name| row.get(name).is_some());
    let message = match row.get("payload").filter(|_| is_envelope) {
        Some(Value::String(text)) => serde_json::from_str(text).ok(),
        Some(payload @ Value::Object(_)) => Some(payload.clone()),
        _ => None,
    };
    match (message, row.get("ts")) {
        (Some(Value::Object(mut message)), Some(ts)) => {
            message.entry("ts").or_insert_with(|| ts.clone());
            Value::Object(message)
        }
        (Some(message @ Value::Object(_)), None) => message,
        _ => row,
    }
}

/// A value as a cell. Null, objects and lists are missing values.
fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text.trim()),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Bool(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        _ => Cow::Borrowed(""),
    }
}

/// The columns of a source by field. The first one with a value counts.
pub(crate) type Paths = Vec<(Field, Vec<Path>)>;

/// Calls `each` with the cells of a row: once for each element of its lists, or once if they are
/// empty or there are none.
pub(crate) fn explode(row: &Value, paths: &Paths, mut each: impl FnMut(Cells<'_>)) {
    let lists = paths.iter().flat_map(|(_, paths)| paths).filter_map(|path| path.list(row));
    let count = lists.map(Vec::len).max().unwrap_or(0).clamp(1, MAX_ELEMENTS);
    for at in 0..count {
        let mut cells = Cells::default();
        for (field, paths) in paths {
            let values = paths.iter().filter_map(|path| path.value(row, at)).map(cell);
            if let Some(value) = values.into_iter().find(|value| !value.is_empty()) {
                cells.set(*field, value);
            }
        }
        each(cells);
    }
}

/// Adds the paths of a row's values.
pub(crate) fn columns(row: &Value, found: &mut BTreeSet<String>) {
    add_columns(row, "", 0, found);
}

fn add_columns(value: &Value, path: &str, depth: usize, found: &mut BTreeSet<String>) {
    match value {
        _ if depth > MAX_DEPTH => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                add_columns(value, &below, depth + 1, found);
            }
        }
        // Lists within lists are not looked into.
        Value::Array(elements) if !path.contains("[]") => {
            for element in elements.iter().take(3) {
                add_columns(element, &format!("{path}[]"), depth + 1, found);
            }
        }
        Value::Null | Value::Array(_) => {}
        _ => {
            found.insert(path.to_owned());
        }
    }
}

/// The cells of the sample's columns, a row for each element.
pub(crate) fn sample_rows(row: &Value, columns: &[String]) -> Vec<Vec<String>> {
    let paths: Vec<Path> = columns.iter().map(|column| Path::parse(column)).collect();
    let lists = paths.iter().filter_map(|path| path.list(row));
    let count = lists.map(Vec::len).max().unwrap_or(0).clamp(1, 10);
    let cells = |at: usize| {
        let value = |path: &Path| path.value(row, at).map(|value| cell(value).into_owned());
        paths.iter().map(|path| value(path).unwrap_or_default()).collect()
    };
    (0..count).map(cells).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_step_with_a_key_finds_the_element_of_that_key() {
        let row = json!({"params": [{"key": "page", "value": 1}, {"key": "term", "value": "tea"},
            {"value": 2}, 7], "list": [{"params": [{"key": "n", "value": 3}]}]});
        let value = |path: &str| Path::parse(path).value(&row, 0).map(Value::to_string);
        assert_eq!(value("params[term].value").as_deref(), Some("\"tea\""));
        assert_eq!(value("list[].params[n].value").as_deref(), Some("3"));
        for path in ["params[other].value", "params[term].key.x", "list[n]", "params[", "]", ""] {
            assert_eq!(value(path).filter(|_| !path.is_empty()), None, "{path}");
        }
    }

    #[test]
    fn each_element_of_a_list_is_a_row_with_the_outer_cells() {
        let row = json!({
            "user": {"id": 7}, "items": [{"sku": "a", "n": 2}, {"sku": "b"}], "tags": [],
            "note": null,
        });
        let mut found = BTreeSet::new();
        columns(&row, &mut found);
        let found: Vec<String> = found.into_iter().collect();
        assert_eq!(found, ["items[].n", "items[].sku", "user.id"]);
        let rows = sample_rows(&row, &found);
        assert_eq!(rows, [["2", "a", "7"], ["", "b", "7"]]);
        let paths = vec![
            (Field::UserId, vec![Path::parse("user.id")]),
            (Field::ProductId, vec![Path::parse("ids[]"), Path::parse("items[].sku")]),
        ];
        let mut cells = Vec::new();
        let mut add = |c: Cells<'_>| {
            cells.push(format!("{} {}", c.get(Field::UserId), c.get(Field::ProductId)));
        };
        explode(&row, &paths, &mut add);
        explode(&json!({"user": {"id": "u"}, "ids": ["x", "y"]}), &paths, &mut add);
        explode(&json!({"user": {"id": "v"}}), &paths, &mut add);
        assert_eq!(cells, ["7 a", "7 b", "u x", "u y", "v "]);
    }
}
