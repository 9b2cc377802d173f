//! Keeps the served release up to date with the registry.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_engine::{OpenError, Opened, ServingEngine};
use cartwheel_registry::{Artifacts, Published, Registry, RegistryError, Release};
use parking_lot::Mutex;
use tokio::time::Instant;

/// Why the registry's release does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The registry does not answer.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The release cannot serve.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The thread that opened the release ended early.
    #[error("opening the release: {0}")]
    Thread(#[from] io::Error),
}

/// The state of following.
#[derive(Debug)]
struct Followed {
    /// The release document that was last opened.
    known: Option<Published>,
    /// Time of the last check.
    checked: Instant,
}

/// Opens the registry's current release, and later ones as they are published.
#[derive(Debug)]
pub struct Follower {
    registry: Arc<dyn Registry>,
    timezone: String,
    followed: Mutex<Followed>,
}

impl Follower {
    /// Opens the current release. If there is none or it cannot be opened, it returns a
    /// release without products, so that events are accepted; the next refresh tries again.
    /// If it cannot be opened, that is a fallback, and answers are marked as degraded.
    ///
    /// # Errors
    /// When the time zone does not exist.
    pub async fn open(
        registry: Arc<dyn Registry>,
        timezone: &str,
    ) -> Result<(Self, Opened), FollowError> {
        let (known, opened) = match first(&*registry, timezone).await {
            Ok((published, opened)) => (Some(published), opened),
            Err(FollowError::Open(OpenError::Nothing)) => (None, Opened::nothing(timezone)?),
            Err(error) => {
                tracing::error!(%error, "cannot open the release");
                (None, Opened { stands_in: true, ..Opened::nothing(timezone)? })
            }
        };
        let followed = Mutex::new(Followed { known, checked: Instant::now() });
        Ok((Self { registry, timezone: timezone.to_owned(), followed }, opened))
    }

    /// Whether the last check is `every` ago or longer. Then this call counts as the check,
    /// and its caller has to call [`Follower::refresh`].
    pub fn is_due(&self, every: Duration) -> bool {
        let mut followed = self.followed.lock();
        let due = followed.checked.elapsed() >= every;
        if due {
            followed.checked = Instant::now();
        }
        due
    }

    /// Checks the registry and serves its release if it is a new one. Requests use the old
    /// release until the new one is open. Returns whether there was a new one.
    ///
    /// # Errors
    /// When the registry does not answer or the release cannot serve: the old one serves on.
    pub async fn refresh(&self, engine: &Arc<ServingEngine>) -> Result<bool, FollowError> {
        let known = self.followed.lock().known.clone();
        let Some(newer) = self.registry.newer(known.as_ref()).await? else { return Ok(false) };
        if newer.release != engine.release() {
            engine.swap(open(&*self.registry, &newer.release, &self.timezone).await?);
        }
        self.followed.lock().known = Some(newer);
        Ok(true)
    }
}

async fn first(
    registry: &dyn Registry,
    timezone: &str,
) -> Result<(Published, Opened), FollowError> {
    let current = registry.current().await?.ok_or(OpenError::Nothing)?;
    let opened = open(registry, &current.release, timezone).await?;
    Ok((current, opened))
}

/// Opens a release of the registry.
pub(crate) async fn open(
    registry: &dyn Registry,
    release: &Release,
    timezone: &str,
) -> Result<Opened, FollowError> {
    // The release is held in memory: the files are not needed once it is open.
    let copy = registry.local_copy(Artifacts::Release(release)).await?;
    let (release, timezone) = (release.clone(), timezone.to_owned());
    let opened =
        tokio::task::spawn_blocking(move || Opened::open(copy.lake(), &release, &timezone));
    let opened = opened.await.map_err(|error| io::Error::other(error.to_string()))?;
    Ok(opened?)
}
