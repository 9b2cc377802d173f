//! What the API operates on one machine: pipeline, models, lake.

mod lake_job;
mod views;

use std::sync::Arc;

use cartwheel_api::{
    ErasureView, Flow, LakeJob, LakeView, ModelDetail, ModelView, Operator, Part, Quality,
    ReleaseView, StartLakeJob, StartRun, TableView,
};
use cartwheel_events::UserId;
use cartwheel_lake::{DeliveryStatus, Inspector};
use cartwheel_sessions::Sessions;
use cartwheel_stream::{Log, Pending};
use cartwheel_workflow::{Runner, RunnerError};
use serde_json::Value;

use crate::data_dir::DataDir;
use crate::models;
use crate::pipeline::{self, Pipeline};
use crate::upkeep::Upkeep;
use lake_job::LakeJobs;

/// Answers that a look at the quality takes in: more would not fit the memory of a
/// small machine beside the rest.
const MOST_ANSWERS: usize = 100_000;

/// What the API operates.
pub struct Operations {
    place: DataDir,
    pipeline: Pipeline,
    log: Arc<Log>,
    sessions: Arc<Sessions>,
    delivery: DeliveryStatus,
    inspector: Inspector,
    jobs: LakeJobs,
    upkeep: Arc<Upkeep>,
}

impl Operations {
    /// Operates a data directory. Must be called within a tokio runtime, where work on
    /// the lake then runs.
    pub fn new(
        place: &DataDir,
        pipeline: Pipeline,
        log: Arc<Log>,
        sessions: Arc<Sessions>,
        delivery: DeliveryStatus,
        inspector: Inspector,
        upkeep: Arc<Upkeep>,
    ) -> Self {
        let jobs = LakeJobs::new(pipeline.jobs().clone(), place.clone());
        Self { place: place.clone(), pipeline, log, sessions, delivery, inspector, jobs, upkeep }
    }
}

fn told<T>(result: anyhow::Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{error:#}"))
}

impl Operator for Operations {
    fn runner(&self) -> &Runner {
        self.pipeline.runner()
    }

    fn definition(&self) -> Value {
        pipeline::definition().unwrap_or_default()
    }

    fn start(&self, request: &StartRun) -> Result<String, RunnerError> {
        self.pipeline.start(request.name.as_deref(), &request.hyperparameters)
    }

    fn models(&self) -> Result<Vec<ModelView>, String> {
        Ok(told(models::list(&self.place))?.into_iter().map(views::model).collect())
    }

    fn model(&self, version: &str) -> Result<Option<ModelDetail>, String> {
        told(views::model_detail(&self.place, version))
    }

    fn deploy(&self, version: &str) -> Result<ReleaseView, String> {
        told(models::deploy(&self.place, version)).map(views::release)
    }

    fn rollback(&self) -> Result<ReleaseView, String> {
        told(models::rollback(&self.place)).map(views::release)
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
        told(views::lake(&self.place, &self.inspector, self.jobs.last()))
    }

    fn table(&self, name: &str) -> Result<Option<TableView>, String> {
        told(views::table(&self.inspector, name))
    }

    fn lake_job(&self) -> Option<LakeJob> {
        self.jobs.last()
    }

    fn start_lake_job(&self, request: StartLakeJob) -> Result<LakeJob, String> {
        self.jobs.start(request)
    }

    fn erase<'a>(&'a self, user_id: &'a UserId) -> Pending<'a, Result<ErasureView, String>> {
        Box::pin(async move { told(self.upkeep.erase(user_id).await) })
    }

    fn erasures(&self) -> Vec<ErasureView> {
        self.upkeep.pending()
    }

    fn stored(&self, user_id: &UserId) -> Result<Value, String> {
        told(self.upkeep.stored(user_id))
    }

    fn quality(&self, from_ms: i64, to_ms: i64) -> Result<Quality, String> {
        let report = self.inspector.lake().engagement(from_ms, to_ms, MOST_ANSWERS);
        let report = report.map_err(|error| error.to_string())?;
        Ok(views::quality(&report, from_ms, to_ms))
    }
}
