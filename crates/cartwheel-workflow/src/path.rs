//! Paths that read JSON, following RFC 9535.

use serde_json::Value;
use serde_json_path::JsonPath;

/// A path into a state's data (`$`) or into the context object (`$$`).
#[derive(Debug, Clone)]
pub(crate) struct Path {
    text: String,
    query: JsonPath,
    reads_context: bool,
    definite: bool,
}

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// A description of the problem.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('$') {
            return Err(format!("the path {text:?} does not start with \"$\""));
        }
        let reads_context = text.starts_with("$$");
        let own = if reads_context { &text[1..] } else { text };
        let query = JsonPath::parse(&quoted(own))
            .map_err(|error| format!("the path {text:?} is not valid: {error}"))?;
        Ok(Self { text: text.to_owned(), query, reads_context, definite: is_definite(own) })
    }

    /// The path as written in the definition.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Finds the value at the path. A path that can match several values returns an array
    /// of all matches, which may be empty; any other path returns `None` when nothing is
    /// there.
    pub(crate) fn find(&self, data: &Value, context: &Value) -> Option<Value> {
        let found = self.query.query(if self.reads_context { context } else { data });
        if self.definite {
            return found.first().cloned();
        }
        Some(Value::Array(found.all().into_iter().cloned().collect()))
    }
}

/// Whether a path can match at most one value.
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

/// Rewrites names that the library rejects after a dot, such as `$.user-id`, into brackets.
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

/// Length of the bracketed part that starts the text, including nested brackets.
pub(crate) fn bracket_end(text: &str) -> usize {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definite_path_finds_a_value_and_any_other_an_array() {
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
}
