//! The API's administrative operations on one machine: pipeline, models, lake.

mod lake_job;
mod views;

use std::sync::Arc;

use cartwheel_api::{
    ErasureView, Flow, FunnelOrder, LakeJob, LakeView, Operator, Part, ProductQuality,
    ProductsQuality, Quality, ReleaseView, Replay, Replayer, SearchCounts, StartLakeJob, StartRun,
    TableView, UserRights,
};
use cartwheel_events::{ProductId, UserId};
use cartwheel_lake::{DeliveryStatus, Inspector};
use cartwheel_sessions::Sessions;
use cartwheel_stream::{Log, Pending};
use cartwheel_workflow::{Runner, RunnerError};
use serde_json::Value;

use crate::data_dir::DataDir;
use crate::feedback::Feedback;
use crate::models;
use crate::pipeline::Pipeline;
use crate::searches::searches;
use crate::upkeep::Upkeep;
use lake_job::LakeJobs;

/// The administrative operations on a data directory.
pub struct Operations {
    data_dir: DataDir,
    pipeline: Pipeline,
    log: Arc<Log>,
    sessions: Arc<Sessions>,
    delivery: DeliveryStatus,
    inspector: Inspector,
    jobs: LakeJobs,
    upkeep: Arc<Upkeep>,
    feedback: Arc<Feedback>,
}

impl Operations {
    /// Creates the operations of a data directory. Must be called within a tokio runtime,
    /// on which jobs on the lake then run.
    pub fn new(
        data_dir: &DataDir,
        pipeline: Pipeline,
        log: Arc<Log>,
        sessions: Arc<Sessions>,
        inspector: Inspector,
        upkeep: Arc<Upkeep>,
        feedback: Arc<Feedback>,
    ) -> Self {
        let jobs = LakeJobs::new(pipeline.jobs().clone(), data_dir.clone());
        Self {
            data_dir: data_dir.clone(),
            pipeline,
            log,
            sessions,
            delivery: upkeep.delivery(),
            inspector,
            jobs,
            upkeep,
            feedback,
        }
    }
}

/// Renders an error with its causes.
fn with_causes<T>(result: anyhow::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{error:#}"))
}

impl Operator for Operations {
    fn runner(&self) -> &Runner {
        self.pipeline.runner()
    }

    fn start(&self, request: &StartRun) -> Result<String, RunnerError> {
        self.pipeline.start(request.name.as_deref(), &request.hyperparameters)
    }

    fn deploy(&self, version: &str) -> Result<ReleaseView, String> {
        with_causes(models::deploy(&self.data_dir, version)).map(views::release)
    }

    fn rollback(&self) -> Result<ReleaseView, String> {
        with_causes(models::rollback(&self.data_dir)).map(views::release)
    }

    fn flow(&self) -> Flow {
        let delivered = self.delivery.now();
        let stat = self.log.stat();
        let end = stat.next;
        let behind = |next: Option<u64>| next.map_or(0, |next| end.saturating_sub(next));
        let shards = delivered.next.len() as u32;
        let read = (0..shards).filter_map(|shard| self.sessions.checkpoint(shard).ok()?.as_u64());
        Flow {
            shards,
            sessions_waiting: behind(read.min()),
            delivery_waiting: behind(delivered.next.iter().filter_map(|next| next.as_u64()).min()),
            rejected: delivered.rejected,
            missed: delivered.missed,
            damaged: stat.damaged,
            files: delivered.files,
            last_ms: delivered.last_ms,
            error: delivered.error,
            delivered: delivered.next,
            parts: delivered
                .newest
                .into_iter()
                .map(|file| Part {
                    shard: file.shard,
                    first: file.first,
                    last: file.last,
                    path: file.path,
                })
                .collect(),
        }
    }

    fn lake(&self) -> Result<LakeView, String> {
        with_causes(views::lake(&self.data_dir, &self.inspector, self.jobs.last()))
    }

    fn table(&self, name: &str) -> Result<Option<TableView>, String> {
        with_causes(views::table(&self.inspector, name))
    }

    fn lake_job(&self) -> Option<LakeJob> {
        self.jobs.last()
    }

    fn start_lake_job(&self, request: StartLakeJob) -> Result<LakeJob, String> {
        self.jobs.start(request)
    }

    fn quality(
        &self,
        days: usize,
        placement: Option<&str>,
        now_ms: i64,
    ) -> Result<Quality, String> {
        let found = self.feedback.quality(self.inspector.lake(), days, placement, now_ms);
        found.map_err(|error| error.to_string())
    }

    fn quality_by_product(
        &self,
        days: usize,
        order: FunnelOrder,
        limit: usize,
        now_ms: i64,
    ) -> Result<ProductsQuality, String> {
        let lake = self.inspector.lake();
        let found = self.feedback.by_product(lake, days, order, limit, now_ms);
        found.map_err(|error| error.to_string())
    }

    fn product_quality(
        &self,
        product_id: &ProductId,
        days: usize,
        now_ms: i64,
    ) -> Result<ProductQuality, String> {
        let found = self.feedback.of_product(self.inspector.lake(), product_id, days, now_ms);
        found.map_err(|error| error.to_string())
    }

    fn searches(&self, days: usize, now_ms: i64) -> Result<SearchCounts, String> {
        searches(self.inspector.lake(), days, now_ms).map_err(|error| error.to_string())
    }
}

impl UserRights for Operations {
    fn erase<'a>(&'a self, user_id: &'a UserId) -> Pending<'a, Result<ErasureView, String>> {
        Box::pin(async move { with_causes(self.upkeep.erase(user_id).await) })
    }

    fn erasures(&self) -> Pending<'_, Result<Vec<ErasureView>, String>> {
        Box::pin(std::future::ready(Ok(self.upkeep.pending())))
    }

    fn stored<'a>(&'a self, user_id: &'a UserId) -> Pending<'a, Result<Value, String>> {
        let (upkeep, user_id) = (self.upkeep.clone(), user_id.clone());
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || upkeep.stored(&user_id)).await;
            with_causes(read.map_err(anyhow::Error::from).and_then(|read| read))
        })
    }
}

impl Replayer for Operations {
    fn replay(&self, id: &str, now_ms: i64) -> Result<Option<Replay>, String> {
        with_causes(self.upkeep.replay(id, now_ms))
    }
}
