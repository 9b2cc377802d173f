//! Paths into JSON, as the States Language uses them.

use serde_json::Value;
use serde_json_path::JsonPath;

use crate::failure::Failure;

/// A path that reads: into a state's data (`$`) or into the context object (`$$`).
#[derive(Debug, Clone)]
pub struct Path {
    text: String,
    query: JsonPath,
    reads_context: bool,
    definite: bool,
}

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('$') {
            return Err(format!("the path {text:?} does not start with \"$\""));
        }
        let reads_context = text.starts_with("$$");
        let own = if reads_context { &text[1..] } else { text };
        let query = JsonPath::parse(&quoted(own))
            .map_err(|error| format!("the path {text:?} is not valid: {error}"))?;
        Ok(Self { text: text.to_owned(), query, reads_context, definite: is_definite(own) })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value there. A path that can match many values gives a list of them,
    /// empty if there are none; any other gives the value, or none.
    pub fn find(&self, data: &Value, context: &Value) -> Option<Value> {
        let found = self.query.query(if self.reads_context { context } else { data });
        if self.definite {
            return found.first().cloned();
        }
        Some(Value::Array(found.all().into_iter().cloned().collect()))
    }
}

/// Whether a path names one place.
fn is_definite(path: &str) -> bool {
    let mut brackets = 0;
    let mut quote = None;
    let mut last = ' ';
    for c in path.chars() {
        match (quote, c) {
            (Some(q), c) if c == q && last != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => brackets += 1,
            (None, ']') => brackets -= 1,
            (None, '*' | '?') => return false,
            (None, ':' | ',') if brackets > 0 => return false,
            (None, '.') if last == '.' => return false,
            (None, _) => {}
        }
        last = c;
    }
    true
}

/// Puts names in brackets that the library does not take behind a dot, `$.user-id`.
fn quoted(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find(['.', '[']) {
        out.push_str(&rest[..at]);
        if rest[at..].starts_with('[') {
            let end = bracket_end(&rest[at..]);
            out.push_str(&rest[at..at + end]);
            rest = &rest[at + end..];
            continue;
        }
        let name = &rest[at + 1..];
        let length = name.find(['.', '[']).unwrap_or(name.len());
        let (name, after) = name.split_at(length);
        let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '*');
        let digit = name.starts_with(|c: char| c.is_ascii_digit());
        if name.is_empty() || (plain && !digit) {
            out.push('.');
            out.push_str(name);
        } else {
            out.push_str(&format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")));
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Length of the bracket that starts the text, brackets within it included.
fn bracket_end(text: &str) -> usize {
    let (mut depth, mut quote, mut last) = (0, None, ' ');
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q && last != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        last = c;
    }
    text.len()
}

/// One step of a reference path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

/// A path that names one place, to write to: fields and indices only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencePath {
    text: String,
    steps: Vec<Step>,
}

impl ReferencePath {
    /// Parses a reference path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the reference path {text:?} {why}");
        let mut rest = text.strip_prefix('$').ok_or_else(|| wrong("does not start with \"$\""))?;
        if rest.starts_with('$') {
            return Err(wrong("writes to the context object, which is read only"));
        }
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(name) = rest.strip_prefix('.') {
                let length = name.find(['.', '[']).unwrap_or(name.len());
                let (field, after) = name.split_at(length);
                if field.is_empty() || field.contains(['*', '?', '@', ' ']) {
                    return Err(wrong("may hold fields and indices only"));
                }
                steps.push(Step::Field(field.to_owned()));
                rest = after;
                continue;
            }
            let end = bracket_end(rest);
            let inner = rest.strip_prefix('[').and_then(|_| rest[1..end].strip_suffix(']'));
            let inner = inner.ok_or_else(|| wrong("may hold fields and indices only"))?;
            rest = &rest[end..];
            let field = ['\'', '"']
                .iter()
                .find_map(|&q| inner.strip_prefix(q).and_then(|i| i.strip_suffix(q)));
            steps.push(match field {
                Some(field) => Step::Field(field.replace("\\'", "'")),
                None => Step::Index(
                    inner.parse().map_err(|_| wrong("may hold fields and indices only"))?,
                ),
            });
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// Whether it is the whole, `$`.
    pub fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// Puts `value` there. Objects on the way are made where nothing is.
    ///
    /// # Errors
    /// `States.ResultPathMatchFailure` where the data has another shape.
    pub fn put(&self, data: &mut Value, value: Value) -> Result<(), Failure> {
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
        Failure::new(
            "States.ResultPathMatchFailure",
            format!("The result cannot be put at {} of the state's input.", self.text),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_gives_a_value_or_a_list() {
        let data = json!({"a": [{"b": 1}, {"b": 2}], "user-id": 7, "é": {"x y": 1}, "0": "z"});
        let find = |path: &str| Path::parse(path).unwrap().find(&data, &json!({"c": "ctx"}));
        assert_eq!(find("$.a[0].b"), Some(json!(1)));
        assert_eq!(find("$.a[-1].b"), Some(json!(2)));
        assert_eq!(find("$.a[*].b"), Some(json!([1, 2])));
        assert_eq!(find("$.a[?(@.b > 1)].b"), Some(json!([2])));
        assert_eq!(find("$.a[?(@.b > 9)]"), Some(json!([])));
        assert_eq!(find("$..b"), Some(json!([1, 2])));
        assert_eq!(find("$.a[0:1].b"), Some(json!([1])));
        assert_eq!(find("$.user-id"), Some(json!(7)));
        assert_eq!(find("$['user-id']"), Some(json!(7)));
        assert_eq!(find("$.é['x y']"), Some(json!(1)));
        assert_eq!(find("$.0"), Some(json!("z")));
        assert_eq!(find("$.missing"), None);
        assert_eq!(find("$$.c"), Some(json!("ctx")));
        assert_eq!(find("$"), Some(data.clone()));
        assert!(Path::parse("a.b").is_err());
        assert!(Path::parse("$.a[").is_err());
    }

    #[test]
    fn a_reference_path_writes_one_place() {
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
            assert_eq!(put(path, data).unwrap_err().error, "States.ResultPathMatchFailure");
        }
        for wrong in ["a", "$$.a", "$.a[*]", "$..a", "$.a[?(@.b)]", "$.a[x]"] {
            assert!(ReferencePath::parse(wrong).is_err(), "{wrong}");
        }
    }
}
