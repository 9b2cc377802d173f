//! The state machine as a graph.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::Value;

/// The language of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphForm {
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
}

/// A transition between two states.
#[derive(Debug, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    /// When the transition is taken; empty if always.
    label: &'static str,
}

/// Draws a state machine in the Amazon States Language.
pub fn graph(definition: &Value, form: GraphForm) -> String {
    let edges = edges(definition);
    let mut out = String::new();
    match form {
        GraphForm::Dot => {
            out.push_str("digraph pipeline {\n  node [shape=box, style=rounded];\n");
            for Edge { from, to, label } in edges {
                let look = if label == "failed" { ", style=dashed, color=gray" } else { "" };
                let _ = writeln!(out, "  {from:?} -> {to:?} [label={label:?}{look}];");
            }
            out.push_str("}\n");
        }
        GraphForm::Mermaid => {
            out.push_str("flowchart TD\n");
            for Edge { from, to, label } in edges {
                let arrow = match label {
                    "" => "-->".to_owned(),
                    "failed" => "-.->".to_owned(),
                    label => format!("-->|{label}|"),
                };
                let _ = writeln!(out, "  {from} {arrow} {to}");
            }
        }
    }
    out
}

fn edges(definition: &Value) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (name, state) in definition["States"].as_object().into_iter().flatten() {
        let mut add = |to: Option<&Value>, label: &'static str| {
            if let Some(to) = to.and_then(Value::as_str) {
                edges.push(Edge { from: name.clone(), to: to.to_owned(), label });
            }
        };
        add(state.get("Next"), "");
        add(state.get("Default"), "else");
        let list = |field: &str| state[field].as_array().cloned().unwrap_or_default();
        list("Choices").iter().for_each(|choice| add(choice.get("Next"), "if"));
        list("Catch").iter().for_each(|catch| add(catch.get("Next"), "failed"));
    }
    edges.dedup();
    edges
}
