//! Background tasks: started, watched and stopped in one place.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, anyhow};
use cartwheel_api::TaskHealth;
use futures::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Pause before the first restart of a task; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause before a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A task that ran for this long starts over with [`FIRST_PAUSE`].
const STABLE: Duration = Duration::from_secs(60);

/// Starts background tasks, restarts those that may be restarted, and stops all of them.
///
/// A task fails when it panics, returns an error, or ends before it is asked to. Failures are
/// logged, counted and reported to [`TaskHealth`].
pub struct Supervisor {
    health: TaskHealth,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// The first failure of a task that cannot be restarted.
    fatal: watch::Sender<Option<Arc<str>>>,
}

impl Supervisor {
    /// A supervisor that reports to `health`.
    pub fn new(health: TaskHealth) -> Self {
        Self {
            health,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            fatal: watch::Sender::new(None),
        }
    }

    /// The token that is cancelled when the tasks are to end.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a task whose failure ends the server: it holds state that no other task can take
    /// over. The task ends when its token is cancelled.
    pub fn run_fatal<F>(&self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        self.health.running(name);
        let (health, fatal, stop) = (self.health.clone(), self.fatal.clone(), self.stop.clone());
        let work = task(stop.clone());
        self.tasks.spawn(async move {
            let Some(error) = failure(name, work, &stop).await else { return };
            health.failed(name, false);
            tracing::error!(
                task = name,
                error = format!("{error:#}"),
                "a background task failed; stopping"
            );
            let reason: Arc<str> = format!("the background task {name} failed: {error:#}").into();
            fatal.send_if_modified(|first| {
                let is_first = first.is_none();
                first.get_or_insert(reason);
                is_first
            });
        });
    }

    /// Runs a task and starts it anew when it fails, after a pause that grows with each
    /// failure. The task ends when its token is cancelled.
    pub fn run_restarting<F>(
        &self,
        name: &'static str,
        task: impl Fn(CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        self.health.running(name);
        let (health, stop) = (self.health.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let started = Instant::now();
                let ended = failure(name, task(stop.clone()), &stop).await;
                let Some(error) = ended else { return };
                health.failed(name, true);
                if started.elapsed() >= STABLE {
                    pause = FIRST_PAUSE;
                }
                tracing::error!(
                    task = name,
                    error = format!("{error:#}"),
                    ?pause,
                    "a background task failed; restarting"
                );
                tokio::select! {
                    () = sleep(pause) => {}
                    () = stop.cancelled() => return,
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                health.running(name);
            }
        });
    }

    /// Waits until a task fails that cannot be restarted.
    pub async fn failed(&self) {
        let mut fatal = self.fatal.subscribe();
        // The sender lives as long as `self`.
        let _ = fatal.wait_for(Option::is_some).await;
    }

    /// Asks every task to end and waits for at most `limit`.
    ///
    /// # Errors
    /// When a task failed that could not be restarted, or some tasks did not end in time.
    pub async fn shutdown(self, limit: Duration) -> Result<()> {
        self.stop.cancel();
        self.tasks.close();
        let ended = timeout_at(Instant::now() + limit, self.tasks.wait()).await;
        if let Some(reason) = &*self.fatal.borrow() {
            return Err(anyhow!("{reason}"));
        }
        ended.with_context(|| {
            format!("{} background tasks did not end within {limit:?}", self.tasks.len())
        })
    }
}

/// Runs work that never ends by itself until `stop` is cancelled.
pub async fn until(stop: CancellationToken, work: impl Future<Output = ()>) -> Result<()> {
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = work => Ok(()),
    }
}

/// Runs a task to its end. `None` if it ended because it was asked to.
async fn failure(
    name: &'static str,
    work: impl Future<Output = Result<()>>,
    stop: &CancellationToken,
) -> Option<Error> {
    #[cfg(test)]
    let work = doom::or_panic(name, work);
    #[cfg(not(test))]
    let _ = name;
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(())) if stop.is_cancelled() => None,
        Ok(Ok(())) => Some(anyhow!("it ended by itself")),
        Ok(Err(error)) => Some(error),
        Err(panic) => Some(anyhow!("panic: {}", message(&*panic))),
    }
}

/// Lets a test make a task panic.
#[cfg(test)]
pub(crate) mod doom {
    use std::sync::LazyLock;

    use super::{Future, Result, watch};

    static DOOMED: LazyLock<watch::Sender<String>> = LazyLock::new(watch::Sender::default);

    /// The task of that name panics, once.
    pub(crate) fn panics(name: &str) {
        DOOMED.send_replace(name.to_owned());
    }

    /// Runs a task until it is to panic.
    pub(super) async fn or_panic(
        name: &'static str,
        work: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let mut doomed = DOOMED.subscribe();
        let is_doomed = async move { drop(doomed.wait_for(|doomed| doomed == name).await) };
        tokio::select! {
            ended = work => ended,
            () = is_doomed => {
                panics("");
                panic!("as planned");
            }
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use cartwheel_api::TaskState;

    use super::*;

    fn state(health: &TaskHealth) -> (TaskState, u64) {
        let tasks = health.list();
        (tasks[0].state, tasks[0].failures)
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_restarted_and_reported() {
        let health = TaskHealth::default();
        let supervisor = Supervisor::new(health.clone());
        let runs = Arc::new(AtomicU32::new(0));
        let counted = runs.clone();
        supervisor.run_restarting("flaky", move |stop| {
            let run = counted.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(run >= 2, "as planned");
                stop.cancelled().await;
                Ok(())
            }
        });
        assert_eq!(state(&health), (TaskState::Running, 0));
        sleep(FIRST_PAUSE / 2).await;
        assert_eq!(state(&health), (TaskState::Restarting, 1));
        sleep(FIRST_PAUSE * 10).await;
        assert_eq!(state(&health), (TaskState::Running, 2));
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        supervisor.shutdown(Duration::from_secs(1)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_fatal_failure_is_noticed_and_becomes_the_error_of_the_shutdown() {
        let health = TaskHealth::default();
        let supervisor = Supervisor::new(health.clone());
        supervisor.run_fatal("delivery", |_| async { Err(anyhow!("the disk is gone")) });
        supervisor.failed().await;
        assert_eq!(state(&health), (TaskState::Failed, 1));
        let error = supervisor.shutdown(Duration::from_secs(1)).await.unwrap_err().to_string();
        assert!(error.contains("delivery") && error.contains("the disk is gone"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_not_waited_for_without_bound() {
        let supervisor = Supervisor::new(TaskHealth::default());
        supervisor.run_fatal("stuck", |_| std::future::pending());
        let error = supervisor.shutdown(Duration::from_secs(5)).await.unwrap_err();
        assert!(error.to_string().contains("did not end within 5s"), "{error}");
    }
}
