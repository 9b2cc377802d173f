//! The serving engine follows the published release.

use std::sync::Arc;
use std::time::Duration;

use cartwheel_engine::{Opened, ServingEngine};
use cartwheel_registry::Release;
use tokio::time::{Instant, sleep};

use crate::data_dir::DataDir;

/// Interval at which the registry is read, for the published release and for documents.
pub(crate) const RELEASE_CHECK: Duration = Duration::from_millis(200);
/// Pause before another attempt to open a release that could not be opened.
const RETRY: Duration = Duration::from_secs(5);

/// A release that could not be opened.
struct Rejected {
    release: Release,
    at: Instant,
}

/// Opens each published release and swaps it into `engine`. Runs until dropped.
pub(crate) async fn follow(data_dir: DataDir, timezone: String, engine: Arc<ServingEngine>) {
    let mut rejected: Option<Rejected> = None;
    let mut unreadable = false;
    loop {
        sleep(RELEASE_CHECK).await;
        let current = cartwheel_registry::current(&data_dir.releases());
        if let Err(error) = &current
            && !unreadable
        {
            tracing::error!(%error, "cannot read releases/current.json");
        }
        unreadable = current.is_err();
        let Ok(Some(release)) = current else { continue };
        if release == engine.release() && !engine.is_fallback() {
            continue;
        }
        if rejected.as_ref().is_some_and(|r| r.release == release && r.at.elapsed() < RETRY) {
            continue;
        }
        let (lake, timezone, opening) = (data_dir.lake(), timezone.clone(), release.clone());
        let opened =
            tokio::task::spawn_blocking(move || Opened::open(&lake, &opening, &timezone)).await;
        rejected = match opened {
            Ok(Ok(opened)) => {
                engine.swap(opened);
                None
            }
            Ok(Err(error)) => Some(reject(release, &error)),
            Err(error) => Some(reject(release, &error)),
        };
    }
}

fn reject(release: Release, error: &dyn std::error::Error) -> Rejected {
    tracing::error!(%error, "cannot open the release; keeping the old one and trying again");
    Rejected { release, at: Instant::now() }
}
