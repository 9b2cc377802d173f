//! A state machine's definition, read and checked as a whole.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::choice::Rule;
use crate::intrinsic::Expression;
use crate::path::{Path, ReferencePath};
use crate::reading::at;
use crate::template::Template;

/// A problem of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: `States.Train.Retry[0].MaxAttempts`.
    pub place: String,
    /// What is wrong there.
    pub message: String,
}

/// A definition that cannot run, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(|p| format!("{}: {}", p.place, p.message)).collect::<Vec<_>>().join("\n"))]
pub struct Invalid(pub Vec<Problem>);

/// A state machine, or a part of one: a branch, or what a Map does with an item.
#[derive(Debug, Clone)]
pub struct Machine {
    /// What it says about itself.
    pub comment: Option<String>,
    /// Where it begins.
    pub start_at: String,
    pub(crate) states: BTreeMap<String, State>,
    pub(crate) timeout_seconds: Option<u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct State {
    /// None discards the input: `null`.
    pub input_path: Option<Path>,
    pub output_path: Option<Path>,
    /// Where it goes on; none ends its machine.
    pub next: Option<String>,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Task(Box<Task>),
    Pass { result: Option<Value>, parameters: Option<Template>, result_path: ResultPath },
    Choice { rules: Vec<(Rule, String)>, default: Option<String> },
    Wait(Wait),
    Parallel { branches: Vec<Machine>, work: Box<Work> },
    Map(Box<MapState>),
    Succeed,
    Fail { error: Option<Text>, cause: Option<Text> },
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub resource: String,
    pub timeout: Option<Number>,
    pub heartbeat: Option<Number>,
    pub work: Work,
}

#[derive(Debug, Clone)]
pub(crate) struct MapState {
    pub items_path: Option<Path>,
    pub processor: Machine,
    /// 0 for as many as there are.
    pub max_concurrency: Number,
    pub tolerated: (Number, Number),
    /// `work.parameters` is the item selector.
    pub work: Work,
}

/// What Task, Parallel and Map have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    pub parameters: Option<Template>,
    pub result_selector: Option<Template>,
    pub result_path: ResultPath,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
}

/// Where a result goes; none discards it.
#[derive(Debug, Clone)]
pub(crate) struct ResultPath(pub Option<ReferencePath>);

#[derive(Debug, Clone)]
pub(crate) struct Retrier {
    pub errors: Vec<String>,
    pub interval_seconds: u64,
    pub max_attempts: u64,
    pub backoff_rate: f64,
    pub max_delay_seconds: Option<u64>,
    pub jitter: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Catcher {
    pub errors: Vec<String>,
    pub result_path: ResultPath,
    pub next: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Wait {
    Seconds(Number),
    Timestamp(Text),
}

/// A whole number, or where to find one.
#[derive(Debug, Clone)]
pub(crate) enum Number {
    Value(u64),
    Path(Path),
}

/// A text, or how to compute one.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    Value(String),
    Computed(Expression),
}

impl Default for ResultPath {
    fn default() -> Self {
        Self(ReferencePath::parse("$").ok())
    }
}

impl Kind {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Task(_) => "Task",
            Self::Pass { .. } => "Pass",
            Self::Choice { .. } => "Choice",
            Self::Wait(_) => "Wait",
            Self::Parallel { .. } => "Parallel",
            Self::Map(_) => "Map",
            Self::Succeed => "Succeed",
            Self::Fail { .. } => "Fail",
        }
    }

    /// Its retriers and catchers, where it may have any.
    pub(crate) fn work(&self) -> Option<&Work> {
        match self {
            Self::Task(task) => Some(&task.work),
            Self::Parallel { work, .. } => Some(work),
            Self::Map(map) => Some(&map.work),
            _ => None,
        }
    }
}

impl Machine {
    /// Reads a definition in the Amazon States Language, with JSONPath.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn parse(definition: &Value) -> Result<Self, Invalid> {
        crate::reading::read(definition)
    }

    pub(crate) fn state(&self, name: &str) -> Option<&State> {
        self.states.get(name)
    }
}

impl Machine {
    /// The resources of its tasks, parts included, with their places.
    pub fn resources(&self) -> Vec<(String, &str)> {
        let mut out = Vec::new();
        self.collect_resources("", &mut out);
        out
    }

    fn collect_resources<'a>(&'a self, place: &str, out: &mut Vec<(String, &'a str)>) {
        for (name, state) in &self.states {
            let place = at(place, &format!("States.{name}"));
            match &state.kind {
                Kind::Task(task) => out.push((format!("{place}.Resource"), &task.resource)),
                Kind::Parallel { branches, .. } => {
                    for (index, branch) in branches.iter().enumerate() {
                        branch.collect_resources(&format!("{place}.Branches[{index}]"), out);
                    }
                }
                Kind::Map(map) => {
                    map.processor.collect_resources(&format!("{place}.ItemProcessor"), out);
                }
                _ => {}
            }
        }
    }
}
