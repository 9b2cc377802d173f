//! `States.Format`.

use serde_json::Value;

/// Replaces each `{}` of the template by the next value. A backslash escapes a brace.
pub(super) fn format(template: &str, values: &[Value]) -> Result<String, String> {
    let mut values = values.iter();
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next().unwrap_or('\\')),
            '{' if chars.peek() == Some(&'}') => {
                chars.next();
                out.push_str(&display(values.next().ok_or("there are more {} than values")?));
            }
            '{' | '}' => return Err(format!("a single {c:?} must be escaped as \\{c}")),
            c => out.push(c),
        }
    }
    if values.next().is_some() {
        return Err("there are more values than {}".into());
    }
    Ok(out)
}

/// A value as the service prints it, such as `[1, x]` or `{a=1}`.
fn display(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(display).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}={}", display(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}
