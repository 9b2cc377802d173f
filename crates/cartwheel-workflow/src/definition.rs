//! The definition of a state machine, once it is parsed and checked.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::choice::Condition;
use crate::expression::Expression;
use crate::path::Path;
use crate::problem::join;
use crate::reference_path::ReferencePath;
use crate::template::Template;

/// A state machine or a nested one: a branch of a Parallel, the item processor of a Map.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The definition's `Comment`.
    pub comment: Option<String>,
    /// Name of the first state.
    pub start_at: String,
    pub(crate) states: BTreeMap<String, State>,
    pub(crate) timeout_seconds: Option<u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct State {
    /// `None`, written `null`, replaces the input by `{}`.
    pub input_path: Option<Path>,
    /// `None`, written `null`, replaces the output by `{}`.
    pub output_path: Option<Path>,
    /// The next state. `None` ends the machine.
    pub next: Option<String>,
    pub kind: StateKind,
}

#[derive(Debug, Clone)]
pub(crate) enum StateKind {
    Task(Box<Task>),
    Pass { result: Option<Value>, parameters: Option<Template>, result_path: ResultPath },
    Choice { rules: Vec<ChoiceRule>, default: Option<String> },
    Wait(WaitTime),
    Parallel { branches: Vec<Machine>, work: Box<WorkFields> },
    Map(Box<MapState>),
    Succeed,
    Fail { error: Option<StringField>, cause: Option<StringField> },
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub resource: String,
    pub timeout_seconds: Option<IntegerField>,
    pub heartbeat_seconds: Option<IntegerField>,
    pub work: WorkFields,
}

#[derive(Debug, Clone)]
pub(crate) struct MapState {
    pub items_path: Option<Path>,
    pub processor: Machine,
    /// 0 runs all items at once.
    pub max_concurrency: IntegerField,
    pub tolerated_failure_count: IntegerField,
    /// From 0 to 100.
    pub tolerated_failure_percentage: IntegerField,
    /// `work.parameters` is the item selector.
    pub work: WorkFields,
}

/// A top-level rule of a Choice state.
#[derive(Debug, Clone)]
pub(crate) struct ChoiceRule {
    pub condition: Condition,
    pub next: String,
}

/// The fields that Task, Parallel and Map share.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkFields {
    pub parameters: Option<Template>,
    pub result_selector: Option<Template>,
    pub result_path: ResultPath,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
}

/// The place of a result in the state's input. `None`, written `null`, discards the result.
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

/// The end of a Wait state.
#[derive(Debug, Clone)]
pub(crate) enum WaitTime {
    Seconds(IntegerField),
    Timestamp(StringField),
}

/// A non-negative integer, given as a literal or by a path.
#[derive(Debug, Clone)]
pub(crate) enum IntegerField {
    Literal(u64),
    Path(Path),
}

/// A string, given as a literal or by an expression.
#[derive(Debug, Clone)]
pub(crate) enum StringField {
    Literal(String),
    Computed(Expression),
}

/// A Task's resource, with its place in the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskResource<'a> {
    /// Path of the field, such as `States.Train.Resource`.
    pub place: String,
    /// The resource, an ARN.
    pub resource: &'a str,
}

impl Default for ResultPath {
    fn default() -> Self {
        Self(Some(ReferencePath::root()))
    }
}

impl StateKind {
    /// Value of the state's `Type` field.
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

    /// The fields that Task, Parallel and Map share. `None` for every other kind.
    pub(crate) fn work(&self) -> Option<&WorkFields> {
        match self {
            Self::Task(task) => Some(&task.work),
            Self::Parallel { work, .. } => Some(work),
            Self::Map(map) => Some(&map.work),
            _ => None,
        }
    }
}

impl Machine {
    /// The resources of all tasks, including those of nested machines.
    pub fn resources(&self) -> Vec<TaskResource<'_>> {
        let mut resources = Vec::new();
        self.collect_resources("", &mut resources);
        resources
    }

    pub(crate) fn state(&self, name: &str) -> Option<&State> {
        self.states.get(name)
    }

    fn collect_resources<'a>(&'a self, place: &str, resources: &mut Vec<TaskResource<'a>>) {
        for (name, state) in &self.states {
            let place = join(place, &format!("States.{name}"));
            match &state.kind {
                StateKind::Task(task) => resources.push(TaskResource {
                    place: format!("{place}.Resource"),
                    resource: &task.resource,
                }),
                StateKind::Parallel { branches, .. } => {
                    for (index, branch) in branches.iter().enumerate() {
                        branch.collect_resources(&format!("{place}.Branches[{index}]"), resources);
                    }
                }
                StateKind::Map(map) => {
                    map.processor.collect_resources(&format!("{place}.ItemProcessor"), resources);
                }
                _ => {}
            }
        }
    }
}
