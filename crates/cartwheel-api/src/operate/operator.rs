//! The interface between the API and the operation of pipeline, models and lake.

use cartwheel_events::ProductId;
use cartwheel_workflow::{Runner, RunnerError};

use crate::operate::flow::Flow;
use crate::operate::views::lake::{LakeJob, LakeJobState, LakeView, StartLakeJob, TableView};
use crate::operate::views::models::ReleaseView;
use crate::operate::views::quality::{FunnelOrder, ProductQuality, ProductsQuality, Quality};
use crate::operate::views::run::StartRun;
use crate::operate::views::searches::SearchCounts;

/// Operates pipeline, models and lake. The calls may block. Errors are sentences for the log.
pub trait Operator: Send + Sync {
    /// The runner of the pipeline.
    fn runner(&self) -> &Runner;

    /// Starts a run with hyperparameters that override the definition's, and returns its name.
    ///
    /// # Errors
    /// As [`Runner::start`].
    fn start(&self, request: &StartRun) -> Result<String, RunnerError>;

    /// Deploys a model and returns the release.
    ///
    /// # Errors
    /// When the model cannot serve.
    fn deploy(&self, version: &str) -> Result<ReleaseView, String>;

    /// Rolls back to the previous release and returns it.
    ///
    /// # Errors
    /// When there is none, or it cannot serve.
    fn rollback(&self) -> Result<ReleaseView, String>;

    /// How far the consumers of the stream have read.
    fn flow(&self) -> Flow;

    /// Describes the lake.
    ///
    /// # Errors
    /// When it cannot be read.
    fn lake(&self) -> Result<LakeView, String>;

    /// A table of the lake. `None` if it does not exist.
    ///
    /// # Errors
    /// When it cannot be read.
    fn table(&self, name: &str) -> Result<Option<TableView>, String>;

    /// The last job on the lake.
    fn lake_job(&self) -> Option<LakeJob>;

    /// Whether a job on the lake is running.
    fn has_lake_job(&self) -> bool {
        self.lake_job().is_some_and(|job| job.state == LakeJobState::Running)
    }

    /// Starts a job on the lake.
    ///
    /// # Errors
    /// When another job is running.
    fn start_lake_job(&self, request: StartLakeJob) -> Result<LakeJob, String>;

    /// What followed from the answers of the last `days` days, of all or of one placement's.
    /// `now_ms` is the current time, UTC milliseconds.
    ///
    /// # Errors
    /// When the lake cannot be read.
    fn quality(&self, days: usize, placement: Option<&str>, now_ms: i64)
    -> Result<Quality, String>;

    /// What followed from recommendations in the last `days` days by product: of at most `limit`
    /// products, in an order.
    ///
    /// # Errors
    /// When the lake cannot be read.
    fn quality_by_product(
        &self,
        days: usize,
        order: FunnelOrder,
        limit: usize,
        now_ms: i64,
    ) -> Result<ProductsQuality, String>;

    /// What followed from the recommendations of a product in the last `days` days.
    ///
    /// # Errors
    /// When the lake cannot be read.
    fn product_quality(
        &self,
        product_id: &ProductId,
        days: usize,
        now_ms: i64,
    ) -> Result<ProductQuality, String>;

    /// What shoppers searched for in the last `days` days until `now_ms`.
    ///
    /// # Errors
    /// When the lake cannot be read.
    fn searches(&self, days: usize, now_ms: i64) -> Result<SearchCounts, String>;
}
