//! What the handlers share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use cartwheel_ambient::{Clock, Ids};
use cartwheel_engine::Engine;
use cartwheel_sessions::UserStore;
use cartwheel_stream::Stream;
use tokio::sync::watch;

use crate::access::audit::AuditLog;
use crate::access::keys::Keys;
use crate::access::limits::Limits;
use crate::http::assets::Assets;
use crate::http::body::Bodies;
use crate::http::problem::{Kind, Problem};
use crate::operate::monitor::Monitor;
use crate::operate::operator::Operator;
use crate::operate::tasks::TaskHealth;
use crate::settings::Settings;
use crate::shop::impressions::Impressions;
use crate::telemetry::Metrics;

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
    /// The background tasks of the host.
    pub tasks: TaskHealth,
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
            tasks: TaskHealth::default(),
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

    /// The operator's interface.
    ///
    /// # Errors
    /// When this server operates nothing, as in a function.
    pub(crate) fn operator(&self) -> Result<Arc<dyn Operator>, Problem> {
        let missing = || Problem::new(Kind::NotFound, "This server runs no pipeline.");
        self.operator.clone().ok_or_else(missing)
    }
}
