//! What the handlers share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::HeaderValue;
use cartwheel_ambient::{Clock, Ids};
use cartwheel_sessions::UserStore;
use cartwheel_stream::Stream;
use tokio::sync::watch;

use crate::assets::Assets;
use crate::audit::AuditLog;
use crate::body::Bodies;
use crate::engine::Engine;
use crate::impressions::Impressions;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::live::Monitor;
use crate::operator::Operator;
use crate::telemetry::Metrics;

/// Limits of the API.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Longest time to an answer.
    pub timeout: Duration,
    /// Impressions on their way to the stream at once; more are dropped and counted.
    pub impressions_in_flight: usize,
    /// Origins of other sites that may call from a browser; empty for none.
    pub cors_origins: Vec<HeaderValue>,
    /// Requests a second of one key, twice as many at once; 0 for no limit.
    pub rate_per_key: u32,
    /// Requests a second of one address, twice as many at once; 0 for no limit. This
    /// machine's own are not limited, nor is anybody behind a gateway.
    pub rate_per_address: u32,
    /// Whether browsers are told to come by TLS alone.
    pub strict_transport: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_body: 1 << 20,
            timeout: Duration::from_secs(10),
            impressions_in_flight: 1024,
            cors_origins: Vec::new(),
            rate_per_key: 0,
            rate_per_address: 0,
            strict_transport: false,
        }
    }
}

/// What the handlers share; cloning is cheap.
#[derive(Clone)]
pub struct AppState {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) stream: Arc<dyn Stream>,
    pub(crate) users: Arc<dyn UserStore>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) impressions: Impressions,
    pub(crate) monitor: Monitor,
    pub(crate) limits: Arc<Limits>,
    pub(crate) bodies: Arc<Bodies>,
    /// Who may do what.
    pub keys: Keys,
    /// The time.
    pub clock: Clock,
    /// New ids.
    pub ids: Ids,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// The web app's files.
    pub assets: Option<Assets>,
    /// What operates pipeline, models and lake, where they are here.
    pub operator: Option<Arc<dyn Operator>>,
    /// Where admin actions are written down.
    pub audit: Option<Arc<dyn AuditLog>>,
    /// Checkouts accepted since the start.
    pub checkouts: Arc<AtomicU64>,
    /// Set to true, it ends answers that would go on for as long as they are read.
    pub closing: watch::Sender<bool>,
}

/// The state as handlers are given it: cloned several times a request.
pub(crate) type Shared = Arc<AppState>;

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppState").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl AppState {
    /// State with the machine's clock, UUIDv7 ids and no web app. The user store must
    /// follow the same stream (`cartwheel_sessions::consume_sessions`, where it is here).
    pub fn new(
        engine: Arc<dyn Engine>,
        stream: Arc<dyn Stream>,
        users: Arc<dyn UserStore>,
        settings: Settings,
    ) -> Self {
        Self {
            impressions: Impressions::new(Arc::clone(&stream), settings.impressions_in_flight),
            engine,
            stream,
            users,
            limits: Arc::new(Limits::new(&settings)),
            bodies: Arc::new(Bodies::new(settings.max_body)),
            settings: Arc::new(settings),
            keys: Keys::default(),
            clock: Clock::system(),
            ids: Ids::uuid_v7(),
            metrics: Metrics::install(),
            assets: None,
            operator: None,
            audit: None,
            checkouts: Arc::default(),
            monitor: Monitor::default(),
            closing: watch::Sender::new(false),
        }
    }

    /// Limits as `settings` say, counted anew.
    #[cfg(test)]
    pub(crate) fn limit(&mut self, settings: &Settings) {
        self.limits = Arc::new(Limits::new(settings));
    }

    /// Waits until every impression is stored or dropped, at most for `limit`: for a
    /// host that stops the process after each answer. Says whether it is so.
    pub async fn settle(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.impressions.settle()).await.is_ok()
    }
}
