//! The readable reference: the OpenAPI document as HTML, with an example call of each operation that can
//! be changed and sent.

use std::fmt::Write;

use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;

use crate::contract::example::example;
use crate::http::problem::Kind;

/// The page's style sheet.
pub(crate) const CSS: &str = include_str!("reference.css");
/// The script that sends the example calls. Without it the page is readable all the same.
pub(crate) const JS: &str = include_str!("reference.js");

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Renders the document.
pub(crate) fn page(document: &OpenApi) -> String {
    let document = serde_json::to_value(document).unwrap_or_default();
    let mut html = String::with_capacity(64 * 1024);
    let info = &document["info"];
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} API</title><link rel=\"icon\" href=\"/favicon.svg\"><link rel=\"stylesheet\" href=\"/docs.css\"></head><body>\
         <script src=\"/docs.js\" defer></script>\
         <h1>{title} API</h1><p class=\"quiet\">Version {version} · \
         <a href=\"/openapi.json\">openapi.json</a> · <a href=\"/\">shop</a> · \
         <a href=\"/console\">console</a></p><p>{description}</p>\
         <p><label>API key, if the server asks for one: \
         <input id=\"key\" type=\"password\" autocomplete=\"off\"></label></p>",
        title = text(&info["title"]),
        version = text(&info["version"]),
        description = prose(&info["description"]),
    );
    let operations = operations(&document);
    html.push_str("<nav><ul>");
    for operation in &operations {
        let Operation { method, path, anchor, .. } = operation;
        let _ = write!(
            html,
            "<li><a href=\"#{anchor}\"><span class=\"method\">{method}</span> {}</a></li>",
            escape(path)
        );
    }
    html.push_str("</ul></nav>");
    for tag in document["tags"].as_array().into_iter().flatten() {
        let _ =
            write!(html, "<h2>{}</h2><p>{}</p>", text(&tag["name"]), prose(&tag["description"]));
        let name = tag["name"].as_str().unwrap_or_default();
        for operation in operations.iter().filter(|operation| operation.tag == name) {
            render_operation(&mut html, operation, &document["components"]["schemas"]);
        }
    }
    html.push_str("<h2>Shapes</h2>");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        render_schema(&mut html, name, schema);
    }
    html.push_str("<h2>Problems</h2><table><tr><th>Type</th><th>Status</th><th>Title</th></tr>");
    for kind in Kind::ALL {
        let (name, status, title) = kind.parts();
        let status = status.as_u16();
        let _ = write!(html, "<tr><td><code>{name}</code></td><td>{status}</td><td>{title}</td>");
    }
    html.push_str("</table></body></html>\n");
    html
}

struct Operation<'a> {
    method: &'static str,
    path: &'a str,
    anchor: String,
    tag: &'a str,
    body: &'a Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let mut found = Vec::new();
    for (path, item) in entries(&document["paths"]) {
        for method in METHODS {
            let Some(body) = item.get(method) else { continue };
            let anchor = body["operationId"].as_str().unwrap_or(method).to_owned();
            let tag = body["tags"][0].as_str().unwrap_or_default();
            found.push(Operation { method, path, anchor: escape(&anchor), tag, body });
        }
    }
    found
}

fn render_operation(html: &mut String, operation: &Operation<'_>, schemas: &Value) {
    let Operation { method, path, anchor, body, .. } = operation;
    let _ = write!(
        html,
        "<h3 id=\"{anchor}\"><span class=\"method\">{method}</span> <code>{}</code></h3>\
         <p><strong>{}.</strong> {}</p>",
        escape(path),
        text(&body["summary"]),
        prose(&body["description"]),
    );
    render_call(html, operation, schemas);
    if let Some(parameters) = body["parameters"].as_array() {
        html.push_str("<h4>Parameters</h4><table>");
        for parameter in parameters {
            let _ = write!(
                html,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                text(&parameter["name"]),
                text(&parameter["in"]),
                type_of(&parameter["schema"]),
                prose(&parameter["description"]),
            );
        }
        html.push_str("</table>");
    }
    let contents: Vec<_> = entries(&body["requestBody"]["content"]).collect();
    if !contents.is_empty() {
        html.push_str("<h4>Body</h4><table>");
        for (media, content) in contents {
            let shape = type_of(&content["schema"]);
            let _ = write!(html, "<tr><td>{shape}</td><td>{}</td></tr>", escape(media));
        }
        html.push_str("</table>");
    }
    html.push_str("<h4>Answers</h4><table>");
    for (status, response) in entries(&body["responses"]) {
        let shapes: Vec<String> =
            entries(&response["content"]).map(|(_, content)| type_of(&content["schema"])).collect();
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(status),
            prose(&response["description"]),
            shapes.join(" or "),
        );
    }
    html.push_str("</table>");
}

/// A form with the operation's parameters and an example body, and the call as a command.
fn render_call(html: &mut String, operation: &Operation<'_>, schemas: &Value) {
    let Operation { method, path, body, .. } = operation;
    let contents = &body["requestBody"]["content"];
    let json = &contents["application/json"]["schema"];
    // A file cannot be typed.
    if json.is_null() && !contents.is_null() {
        return;
    }
    let _ = write!(
        html,
        "<details><summary>Example</summary><form data-method=\"{}\" data-path=\"{}\">",
        method.to_uppercase(),
        escape(path),
    );
    for parameter in body["parameters"].as_array().into_iter().flatten() {
        let needed = parameter["required"] == true;
        let name = parameter["name"].as_str().unwrap_or_default();
        let value = if needed {
            // The id of a path is that of what the path is about.
            let about = if path.starts_with("/v1/users/") { "user_id" } else { "product_id" };
            let name = if name == "id" { about } else { name };
            text(&example(name, &parameter["schema"], schemas))
        } else {
            String::new()
        };
        let _ = write!(
            html,
            "<label><code>{name}</code> <input name=\"{name}\" data-in=\"{}\" value=\"{value}\"{}></label>",
            text(&parameter["in"]),
            if needed { " required" } else { "" },
            name = escape(name),
        );
    }
    if !json.is_null() {
        let body = &contents["application/json"]["example"];
        let body = if body.is_null() { example("body", json, schemas) } else { body.clone() };
        let body = serde_json::to_string_pretty(&body).unwrap_or_default();
        let rows = body.lines().count().min(20);
        let _ = write!(
            html,
            "<label>Body<textarea rows=\"{rows}\" spellcheck=\"false\">{}</textarea></label>",
            escape(&body)
        );
    }
    let changes = if *method == "get" { "" } else { " to this server" };
    let _ = write!(
        html,
        "<pre class=\"curl\"></pre><button>Send{changes}</button><output></output></form></details>"
    );
}

fn render_schema(html: &mut String, name: &str, schema: &Value) {
    let name = escape(name);
    let _ =
        write!(html, "<h3 id=\"shape-{name}\">{name}</h3><p>{}</p>", prose(&schema["description"]));
    if schema["enum"].is_array() {
        let _ = write!(html, "<p>{}</p>", type_of(schema));
        return;
    }
    let required = schema["required"].as_array();
    html.push_str("<table>");
    for (field, shape) in entries(&schema["properties"]) {
        let needed = required.is_some_and(|names| names.iter().any(|name| name == field));
        let _ = write!(
            html,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(field),
            type_of(shape),
            if needed { "required" } else { "" },
            prose(&shape["description"]),
        );
    }
    html.push_str("</table>");
}

/// Summarises a schema, with links to named schemas.
fn type_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[key].as_array() {
            let choices: Vec<String> = choices.iter().map(type_of).collect();
            return choices.join(" or ");
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> =
            values.iter().map(|value| format!("<code>{}</code>", text(value))).collect();
        return values.join(", ");
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => {
            let items = type_of(&schema["items"]);
            let items = if items.is_empty() { "anything".to_owned() } else { items };
            format!("list of {items}")
        }
        Value::Array(kinds) => {
            let list = kinds.iter().any(|kind| kind == "array");
            let mut names: Vec<String> = kinds.iter().map(text).collect();
            if list {
                let items = type_of(&schema["items"]);
                names.iter_mut().filter(|name| *name == "array").for_each(|name| {
                    *name = format!("list of {items}");
                });
            }
            names.join(" or ")
        }
        kind => text(kind),
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(key, value)| (key.as_str(), value))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

/// A description with its code marked up.
fn prose(value: &Value) -> String {
    let text = text(value);
    let mut html = String::with_capacity(text.len());
    for (at, part) in text.split('`').enumerate() {
        match at % 2 {
            0 => html.push_str(part),
            _ => {
                let _ = write!(html, "<code>{part}</code>");
            }
        }
    }
    html
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
