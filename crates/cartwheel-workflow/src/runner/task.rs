//! The interface to the code that runs tasks.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::log::Log;
use crate::execution::{Event, TaskRun};
use crate::failure::Failure;

/// Shortest interval between two heartbeats that reach the execution.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// The future of a running task.
pub type TaskResult = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send>>;

/// The progress of running tasks, by state.
pub(super) type ProgressByState = BTreeMap<String, Progress>;

/// Runs tasks.
pub trait Resources: Send + Sync + 'static {
    /// Whether a resource with this name, an ARN, exists.
    fn knows(&self, resource: &str) -> bool;

    /// Runs a task to its end. The runner drops the future to cancel the task. A task must
    /// be idempotent: it runs again if the process ends before its result is durable.
    fn run(&self, execution: &str, task: TaskRun, report: Reporter) -> TaskResult;
}

/// The progress of a running task.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = StateProgress))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Description of the current step.
    pub what: String,
    /// Units of work done so far.
    pub done: u64,
    /// Units of work in total, if known.
    pub total: Option<u64>,
}

/// Takes the progress and the log lines of one task.
#[derive(Clone)]
pub struct Reporter {
    ticket: u64,
    state: String,
    progress: watch::Sender<ProgressByState>,
    events: mpsc::UnboundedSender<Event>,
    last_heartbeat: Arc<Mutex<Option<Instant>>>,
    log: Arc<Log>,
}

impl Reporter {
    pub(super) fn new(
        task: &TaskRun,
        progress: watch::Sender<ProgressByState>,
        events: mpsc::UnboundedSender<Event>,
        log: Arc<Log>,
    ) -> Self {
        let (ticket, state) = (task.ticket, task.state.clone());
        Self { ticket, state, progress, events, last_heartbeat: Arc::default(), log }
    }

    /// Publishes the task's progress and counts as its heartbeat.
    pub fn report(&self, progress: Progress) {
        self.progress.send_modify(|all| {
            all.insert(self.state.clone(), progress);
        });
        let now = Instant::now();
        let mut last = self.last_heartbeat.lock();
        if last.is_none_or(|last| now - last >= HEARTBEAT_INTERVAL) {
            *last = Some(now);
            // Sending fails only after the execution has ended.
            let _ = self.events.send(Event::Heartbeat { ticket: self.ticket });
        }
    }

    /// Adds a line to the execution's log, which has a limited size.
    pub fn log(&self, text: &str) {
        self.log.append(&self.state, text);
    }
}
