//! The health of background tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use serde::Serialize;
use utoipa::ToSchema;

use crate::telemetry::TASK_FAILURES;

/// Whether a background task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// It runs.
    Running,
    /// It failed and is about to be restarted.
    Restarting,
    /// It failed and the server stops.
    Failed,
}

/// A background task of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Task)]
pub struct TaskStatus {
    /// The task's name.
    pub name: &'static str,
    /// Whether it runs.
    pub state: TaskState,
    /// How often it has panicked or returned an error since the start.
    pub failures: u64,
}

/// The background tasks of a server, as its supervisor reports them. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct TaskHealth(Arc<RwLock<BTreeMap<&'static str, TaskStatus>>>);

impl TaskHealth {
    /// Reports that a task runs.
    pub fn running(&self, name: &'static str) {
        self.update(name, TaskState::Running, 0);
        metrics::counter!(TASK_FAILURES, "task" => name).increment(0);
    }

    /// Reports a failure and whether the task is restarted.
    pub fn failed(&self, name: &'static str, restarts: bool) {
        let state = if restarts { TaskState::Restarting } else { TaskState::Failed };
        self.update(name, state, 1);
        metrics::counter!(TASK_FAILURES, "task" => name).increment(1);
    }

    /// Every task, by name.
    pub fn list(&self) -> Vec<TaskStatus> {
        self.0.read().values().cloned().collect()
    }

    fn update(&self, name: &'static str, state: TaskState, failures: u64) {
        let mut tasks = self.0.write();
        let new = TaskStatus { name, state, failures: 0 };
        let task = tasks.entry(name).or_insert(new);
        task.state = state;
        task.failures += failures;
    }
}
