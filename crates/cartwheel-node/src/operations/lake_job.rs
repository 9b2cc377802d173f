//! Jobs on the lake that requests start: child processes, one at a time.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cartwheel_ambient::Clock;
use cartwheel_api::{LakeJob, LakeJobKind, LakeJobState, StartLakeJob};
use cartwheel_workflow::Progress;
use serde_json::Value;

use crate::data_dir::DataDir;
use crate::pipeline::{Jobs, Watcher};

/// Starts jobs and keeps the state of the last one.
#[derive(Clone)]
pub struct LakeJobs {
    jobs: Jobs,
    data_dir: DataDir,
    last: Last,
    runtime: tokio::runtime::Handle,
}

/// The state of the last job.
#[derive(Clone, Default)]
struct Last(Arc<Mutex<Option<LakeJob>>>);

impl Last {
    fn guard(&self) -> MutexGuard<'_, Option<LakeJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut LakeJob)) {
        if let Some(job) = self.guard().as_mut() {
            change(job);
        }
    }
}

impl Watcher for Last {
    fn progress(&self, progress: Progress) {
        self.change(|job| {
            job.what = progress.what;
            job.done = progress.done;
            job.total = progress.total;
        });
    }

    fn line(&self, text: &str) {
        tracing::info!(text, "lake job");
    }
}

fn now_ms() -> i64 {
    Clock::system().now_ms()
}

impl LakeJobs {
    pub fn new(jobs: Jobs, data_dir: DataDir) -> Self {
        let runtime = tokio::runtime::Handle::current();
        Self { jobs, data_dir, last: Last::default(), runtime }
    }

    pub fn last(&self) -> Option<LakeJob> {
        self.last.guard().clone()
    }

    /// Starts a job. Fails if another job is running.
    pub fn start(&self, request: StartLakeJob) -> Result<LakeJob, String> {
        let mut last = self.last.guard();
        if last.as_ref().is_some_and(|job| job.state == LakeJobState::Running) {
            return Err("another job is running on the lake: wait for it to end".to_owned());
        }
        let (kind, step) = match &request {
            StartLakeJob::Import { .. } => (LakeJobKind::Import, "reading the files"),
            StartLakeJob::Generate { .. } => (LakeJobKind::Generate, "generating orders"),
        };
        let job = LakeJob {
            kind,
            state: LakeJobState::Running,
            what: step.to_owned(),
            done: 0,
            total: None,
            started_ms: now_ms(),
            ended_ms: None,
            message: None,
        };
        *last = Some(job.clone());
        drop(last);
        let jobs = self.clone();
        self.runtime.spawn(async move {
            let result = jobs.run(request).await;
            jobs.last.change(|job| {
                job.ended_ms = Some(now_ms());
                (job.state, job.message) = match result {
                    Ok(message) => (LakeJobState::Done, Some(message)),
                    Err(message) => (LakeJobState::Failed, Some(message)),
                };
            });
        });
        Ok(job)
    }

    async fn run(&self, request: StartLakeJob) -> Result<String, String> {
        match request {
            StartLakeJob::Import { directory } => {
                let directory = Path::new(&directory);
                if !directory.is_dir() {
                    return Err(format!(
                        "{} is not a directory on this machine",
                        directory.display()
                    ));
                }
                self.import(directory).await
            }
            StartLakeJob::Generate { users, products, orders, seed } => {
                let out = self.data_dir.shop();
                let arguments = [
                    "generate".to_owned(),
                    format!("--users={users}"),
                    format!("--products={products}"),
                    format!("--orders={orders}"),
                    format!("--seed={seed}"),
                    format!("--out={}", out.display()),
                ];
                self.job(&arguments).await?;
                let imported = self.import(&out).await;
                // The lake has all of it, and erasure would not reach this copy.
                let removed = tokio::fs::remove_dir_all(&out).await;
                removed.map_err(|error| format!("{}: {error}", out.display())).and(imported)
            }
        }
    }

    async fn import(&self, directory: &Path) -> Result<String, String> {
        let directory = directory.display().to_string();
        let arguments = ["import", "instacart", "--replace", "--", &directory].map(str::to_owned);
        let summary = self.job(&arguments).await?;
        let summary: cartwheel_lake::ImportSummary =
            serde_json::from_value(summary).map_err(|error| error.to_string())?;
        Ok(format!("{summary}."))
    }

    async fn job(&self, arguments: &[String]) -> Result<Value, String> {
        let done = self.jobs.run_bounded(arguments, &self.last).await;
        done.map_err(|failure| failure.cause)
    }
}
