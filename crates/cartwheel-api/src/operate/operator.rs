//! The seam between the API and what operates the shop: pipeline, models, lake.

use cartwheel_events::UserId;
use cartwheel_stream::Pending;
use cartwheel_workflow::{Runner, RunnerError};
use serde_json::Value;

use crate::operate::flow::Flow;
use crate::operate::views::erasure::ErasureView;
use crate::operate::views::lake::{LakeJob, LakeView, StartLakeJob, TableView};
use crate::operate::views::models::{ModelDetail, ModelView, ReleaseView};
use crate::operate::views::quality::Quality;
use crate::operate::views::run::StartRun;

/// What operates the shop behind the API. The calls read files: they are made where
/// they may block.
pub trait Operator: Send + Sync {
    /// Keeps and runs the executions.
    fn runner(&self) -> &Runner;

    /// The state machine's definition.
    fn definition(&self) -> Value;

    /// Starts a run, with hyperparameters over the definition's, and gives its name.
    ///
    /// # Errors
    /// As [`Runner::start`].
    fn start(&self, request: &StartRun) -> Result<String, RunnerError>;

    /// Every model, the newest first.
    ///
    /// # Errors
    /// In words, when they cannot be read.
    fn models(&self) -> Result<Vec<ModelView>, String>;

    /// All of one model; none where there is no such one.
    ///
    /// # Errors
    /// In words, when it cannot be read.
    fn model(&self, version: &str) -> Result<Option<ModelDetail>, String>;

    /// Serves a model from the next request on, and gives the release.
    ///
    /// # Errors
    /// In words, when it cannot serve.
    fn deploy(&self, version: &str) -> Result<ReleaseView, String>;

    /// Serves the previous release again, and gives it.
    ///
    /// # Errors
    /// In words, when there is none.
    fn rollback(&self) -> Result<ReleaseView, String>;

    /// How records flow from the stream.
    fn flow(&self) -> Flow;

    /// What the lake holds.
    ///
    /// # Errors
    /// In words, when it cannot be read.
    fn lake(&self) -> Result<LakeView, String>;

    /// One table of the lake; none where there is no such one.
    ///
    /// # Errors
    /// In words, when it cannot be read.
    fn table(&self, name: &str) -> Result<Option<TableView>, String>;

    /// The work on the lake that was started last.
    fn lake_job(&self) -> Option<LakeJob>;

    /// Starts work on the lake.
    ///
    /// # Errors
    /// In words, when other work is running.
    fn start_lake_job(&self, request: StartLakeJob) -> Result<LakeJob, String>;

    /// Forgets a user: nothing that answers knows of them once this returns, and it is
    /// written down that everything else is to follow.
    ///
    /// # Errors
    /// In words, when it cannot be written down.
    fn erase<'a>(&'a self, user_id: &'a UserId) -> Pending<'a, Result<ErasureView, String>>;

    /// Users who are being erased, by id.
    fn erasures(&self) -> Vec<ErasureView>;

    /// What lake and stream store of a user.
    ///
    /// # Errors
    /// In words, when it cannot be read.
    fn stored(&self, user_id: &UserId) -> Result<Value, String>;

    /// What became of the answers since `from_ms`.
    ///
    /// # Errors
    /// In words, when the lake cannot be read.
    fn quality(&self, from_ms: i64, to_ms: i64) -> Result<Quality, String>;
}
