//! Example requests, made from the OpenAPI document's schemas.

use serde_json::{Map, Value, json};

/// Schemas inside schemas that are followed; deeper ones become null.
const MAX_DEPTH: usize = 8;
/// Values of fields whose type says little, as in the synthetic shop.
const KNOWN: [(&str, &str); 5] = [
    ("user_id", "7"),
    ("product_id", "12"),
    ("product", "12"),
    ("q", "milk"),
    ("department", "Produce"),
];

/// An example of a parameter or field called `name`.
///
/// An example or default in the schema comes first. Objects have their required fields, those with an
/// example, and those that name a shopper or products.
pub(crate) fn example(name: &str, schema: &Value, schemas: &Value) -> Value {
    nested(name, schema, schemas, 0)
}

fn nested(name: &str, schema: &Value, schemas: &Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(given) = given(schema) {
        return given.clone();
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target = reference.rsplit('/').next().unwrap_or_default();
        return nested(name, &schemas[target], schemas, depth + 1);
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        let choices = schema[key].as_array().into_iter().flatten();
        if let Some(choice) = choices.into_iter().find(|choice| choice["type"] != "null") {
            return nested(name, choice, schemas, depth + 1);
        }
    }
    if let Some(value) = schema["enum"].as_array().and_then(|values| values.first()) {
        return value.clone();
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| **kind != "null"),
        kind => Some(kind),
    };
    match kinds.and_then(Value::as_str) {
        Some("object") => object(schema, schemas, depth),
        Some("array") => {
            let item = name.strip_suffix('s').unwrap_or(name);
            json!([nested(item, &schema["items"], schemas, depth + 1)])
        }
        Some("integer" | "number") => match schema["minimum"].as_f64() {
            Some(least) if least > 1.0 => schema["minimum"].clone(),
            _ => json!(1),
        },
        Some("boolean") => json!(true),
        Some("string") if schema["format"] == "date-time" => json!("2026-01-31T12:00:00Z"),
        Some("string") => json!(known(name).unwrap_or(name)),
        _ => Value::Null,
    }
}

/// The known value of a field, or of the items of a list with that name.
fn known(name: &str) -> Option<&'static str> {
    let item = name.strip_suffix('s').unwrap_or(name);
    KNOWN.iter().find(|(known, _)| *known == item).map(|(_, value)| *value)
}

/// The example or the default that the schema states itself.
fn given(schema: &Value) -> Option<&Value> {
    let examples = [&schema["example"], &schema["examples"][0], &schema["default"]];
    examples.into_iter().find(|value| !value.is_null())
}

fn object(schema: &Value, schemas: &Value, depth: usize) -> Value {
    let is_required = |name: &str| {
        schema["required"].as_array().is_some_and(|names| names.iter().any(|found| found == name))
    };
    let fields = schema["properties"].as_object().into_iter().flatten();
    let shown = fields.filter(|(name, field)| {
        let has_example = !field["example"].is_null() || !field["examples"][0].is_null();
        is_required(name) || has_example || known(name).is_some()
    });
    let values = shown.map(|(name, field)| (name.clone(), nested(name, field, schemas, depth + 1)));
    Value::Object(values.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_has_what_is_required_and_ends() {
        let schemas = json!({
            "Event": {
                "type": "object",
                "required": ["user_id", "event", "items", "at"],
                "properties": {
                    "user_id": {"anyOf": [{"type": "null"}, {"type": "string"}]},
                    "event": {"type": "string", "enum": ["view", "checkout"]},
                    "items": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
                    "at": {"type": ["string", "null"], "format": "date-time"},
                    "session_id": {"type": "string"},
                    "product_ids": {"type": "array", "items": {"type": "string"}},
                },
            },
            "Item": {
                "type": "object",
                "required": ["product_id", "quantity"],
                "properties": {
                    "product_id": {"type": "string"},
                    "quantity": {"type": "integer", "minimum": 0},
                    "query": {"type": "string", "example": "oat milk"},
                },
            },
            "Endless": {"$ref": "#/components/schemas/Endless"},
        });
        let of = |name: &str| example("body", &json!({"$ref": format!("#/x/{name}")}), &schemas);
        let expected = json!({
            "user_id": "7",
            "event": "view",
            "items": [{"product_id": "12", "quantity": 1, "query": "oat milk"}],
            "at": "2026-01-31T12:00:00Z",
            "product_ids": ["12"],
        });
        assert_eq!(of("Event"), expected);
        assert_eq!(of("Endless"), Value::Null);
    }
}
