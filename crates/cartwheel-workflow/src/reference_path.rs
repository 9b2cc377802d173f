//! Paths that write a result into a state's input.

use serde_json::Value;

use crate::failure::{Failure, RESULT_PATH};
use crate::path::bracket_end;

/// One step of a reference path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

/// A path of fields and indices, which names exactly one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReferencePath {
    text: String,
    steps: Vec<Step>,
}

impl ReferencePath {
    /// The path `$`: the whole document.
    pub(crate) fn root() -> Self {
        Self { text: "$".to_owned(), steps: Vec::new() }
    }

    /// Parses a reference path.
    ///
    /// # Errors
    /// A description of the problem.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let invalid = |problem: &str| format!("the reference path {text:?} {problem}");
        let mut rest =
            text.strip_prefix('$').ok_or_else(|| invalid("does not start with \"$\""))?;
        if rest.starts_with('$') {
            return Err(invalid("writes to the context object, which is read-only"));
        }
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(name) = rest.strip_prefix('.') {
                let length = name.find(['.', '[']).unwrap_or(name.len());
                let (field, after) = name.split_at(length);
                if field.is_empty() || field.contains(['*', '?', '@', ' ']) {
                    return Err(invalid("may contain only fields and indices"));
                }
                steps.push(Step::Field(field.to_owned()));
                rest = after;
                continue;
            }
            let end = bracket_end(rest);
            let inner = rest.strip_prefix('[').and_then(|_| rest[1..end].strip_suffix(']'));
            let inner = inner.ok_or_else(|| invalid("may contain only fields and indices"))?;
            rest = &rest[end..];
            let field = ['\'', '"']
                .iter()
                .find_map(|&q| inner.strip_prefix(q).and_then(|i| i.strip_suffix(q)));
            steps.push(match field {
                Some(field) => Step::Field(field.replace("\\'", "'")),
                None => Step::Index(
                    inner.parse().map_err(|_| invalid("may contain only fields and indices"))?,
                ),
            });
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// Whether this is the path `$`.
    pub(crate) fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// Puts `value` at the path. Creates missing objects on the way.
    ///
    /// # Errors
    /// `States.ResultPathMatchFailure` when the data have another shape.
    pub(crate) fn put(&self, data: &mut Value, value: Value) -> Result<(), Failure> {
        let mut place = data;
        for step in &self.steps {
            place = self.descend(place, step)?;
        }
        *place = value;
        Ok(())
    }

    fn descend<'a>(&self, place: &'a mut Value, step: &Step) -> Result<&'a mut Value, Failure> {
        match step {
            Step::Field(field) => {
                if place.is_null() {
                    *place = Value::Object(serde_json::Map::new());
                }
                match place {
                    Value::Object(fields) => {
                        Ok(fields.entry(field.as_str()).or_insert(Value::Null))
                    }
                    _ => Err(self.mismatch()),
                }
            }
            Step::Index(index) => place.get_mut(*index).ok_or_else(|| self.mismatch()),
        }
    }

    fn mismatch(&self) -> Failure {
        let cause = format!("The result cannot be put at {} of the state's input.", self.text);
        Failure::new(RESULT_PATH, cause)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_path_writes_to_one_place() {
        let put = |path: &str, data: Value| {
            let mut data = data;
            ReferencePath::parse(path).unwrap().put(&mut data, json!("v")).map(|()| data)
        };
        assert_eq!(put("$", json!(1)).unwrap(), json!("v"));
        assert_eq!(put("$.a.b", json!({})).unwrap(), json!({"a": {"b": "v"}}));
        assert_eq!(put("$.a[1]", json!({"a": [1, 2]})).unwrap(), json!({"a": [1, "v"]}));
        assert_eq!(put("$['a b'].c", json!({"x": 1})).unwrap(), json!({"x": 1, "a b": {"c": "v"}}));
        for (path, data) in
            [("$.a.b", json!({"a": 1})), ("$.a[2]", json!({"a": [1]})), ("$.a", json!([]))]
        {
            assert_eq!(put(path, data).unwrap_err().error, RESULT_PATH);
        }
        for invalid in ["a", "$$.a", "$.a[*]", "$..a", "$.a[?(@.b)]", "$.a[x]"] {
            assert!(ReferencePath::parse(invalid).is_err(), "{invalid}");
        }
    }
}
