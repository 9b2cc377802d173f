//! The release that serves, kept up with the lake.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cartwheel_engine::{OpenError, Opened, ServingEngine};

use crate::lake::{Lake, LakeError, Named};

/// Why the release that the lake names does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The release cannot serve.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A local file failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Opens the release that the lake names, and later ones as they come.
#[derive(Debug)]
pub struct Follower {
    lake: Lake,
    timezone: String,
    /// What serves, and when the lake was last asked.
    last: Mutex<(Option<Named>, Instant)>,
}

impl Follower {
    /// Opens the release that serves. Before the first, or when it cannot be opened, it
    /// gives one without products, so that events are accepted all the same; the next
    /// refresh tries again.
    ///
    /// # Errors
    /// When there is no such time zone.
    pub async fn open(lake: Lake, timezone: &str) -> Result<(Self, Opened), FollowError> {
        let (named, opened) = match first(&lake, timezone).await {
            Ok((named, opened)) => (Some(named), opened),
            Err(error) => {
                tracing::error!(%error, "no release serves yet");
                (None, Opened::nothing(timezone)?)
            }
        };
        let last = Mutex::new((named, Instant::now()));
        Ok((Self { lake, timezone: timezone.to_owned(), last }, opened))
    }

    /// Whether the lake was last asked longer than `every` ago; then it is this caller's
    /// turn to call [`Follower::refresh`].
    pub fn is_due(&self, every: Duration) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.1.elapsed() >= every;
        if due {
            last.1 = Instant::now();
        }
        due
    }

    /// Asks the lake, and serves another release if it names one. Requests go on with
    /// the old one until the new one is opened whole.
    ///
    /// # Errors
    /// When the lake fails or the release cannot serve: the old one goes on.
    pub async fn refresh(&self, engine: &Arc<ServingEngine>) -> Result<bool, FollowError> {
        let known = self.last.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        let (named, _) = self.lake.changed(known.as_ref()).await?;
        let Some(named) = named else { return Ok(false) };
        if named.release != engine.release() {
            engine.swap(open(&self.lake, &named, &self.timezone).await?);
        }
        self.last.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(named);
        Ok(true)
    }
}

async fn first(lake: &Lake, timezone: &str) -> Result<(Named, Opened), FollowError> {
    let named = lake.current().await?.ok_or(OpenError::Nothing)?;
    let opened = open(lake, &named, timezone).await?;
    Ok((named, opened))
}

async fn open(lake: &Lake, named: &Named, timezone: &str) -> Result<Opened, FollowError> {
    // What serves is held in memory: the files go.
    let dir = tempfile::tempdir()?;
    lake.fetch_release(&named.release, dir.path()).await?;
    let (release, timezone) = (named.release.clone(), timezone.to_owned());
    let opened = tokio::task::spawn_blocking(move || {
        let opened = Opened::open(dir.path(), &release, &timezone);
        drop(dir);
        opened
    });
    let opened = opened.await.map_err(|e| std::io::Error::other(e.to_string()))?;
    Ok(opened?)
}
