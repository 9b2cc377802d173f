//! The state that handlers share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use cartwheel_ambient::{Clock, Ids};
use cartwheel_engine::{Engine, Synonyms};
use cartwheel_placements::Placements;
use cartwheel_registry::{LiveDocument, Registry};
use cartwheel_rules::RuleBook;
use cartwheel_sessions::{ProductStore, UserStore};
use cartwheel_stream::Stream;
use cartwheel_workflow::Runs;
use tokio::sync::watch;

use crate::access::audit::AuditLog;
use crate::access::keys::{ApiKey, Keys};
use crate::access::limits::Limits;
use crate::http::assets::Assets;
use crate::http::body::Bodies;
use crate::http::lines::LineBodies;
use crate::http::problem::{Kind, Problem};
use crate::operate::figures::KeptFigures;
use crate::operate::imports::open::Imports;
use crate::operate::monitor::Monitor;
use crate::operate::operator::Operator;
use crate::operate::replayer::Replayer;
use crate::operate::tasks::TaskHealth;
use crate::operate::tools::Assistants;
use crate::operate::user_rights::UserRights;
use crate::settings::Settings;
use crate::shop::impressions::Impressions;
use crate::shop::moment::Recording;
use crate::shop::products::full_feed::FullFeeds;
use crate::telemetry::{EventCounts, Metrics};

/// The name of the document of placements in the registry.
pub const PLACEMENTS: &str = "placements";
/// The name of the document of rules in the registry.
pub const RULES: &str = "rules";
/// The name of the document of synonyms in the registry.
pub const SYNONYMS: &str = "synonyms";

/// How a host admits requests. Every host decides on both.
#[derive(Clone, Default)]
pub struct Admission {
    /// The valid API keys. With the first one, every request needs a key.
    pub keys: Vec<ApiKey>,
    /// Records admin actions, if the host operates anything.
    pub audit: Option<Arc<dyn AuditLog>>,
}

/// The state that handlers share. Clones are cheap.
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
    pub(crate) line_bodies: Arc<LineBodies>,
    pub(crate) event_counts: Arc<EventCounts>,
    /// Figures for `/metrics`.
    pub(crate) figures: Arc<KeptFigures>,
    /// The valid API keys.
    pub keys: Keys,
    /// The clock.
    pub clock: Clock,
    /// The source of new ids.
    pub ids: Ids,
    /// The metrics behind `/metrics`.
    pub metrics: Metrics,
    /// The live catalogue. `None` on a server whose products come from imports alone.
    pub catalogue: Option<Arc<dyn ProductStore>>,
    /// The placements of the shop. Without a registry, those that exist from the start.
    pub placements: Arc<LiveDocument<Placements>>,
    /// The rules of the shop. Without a registry, there are none.
    pub rules: Arc<LiveDocument<RuleBook>>,
    /// Words that mean the same in searches. Without a registry, there are none.
    pub synonyms: Arc<LiveDocument<Synonyms>>,
    /// What impressions record so that answers can be made again. `None` on a host that cannot make
    /// them again.
    pub recording: Option<Arc<Recording>>,
    /// Makes answers again. `None` on a host that cannot.
    pub replayer: Option<Arc<dyn Replayer>>,
    /// The feeds of products that are being received.
    pub(crate) full_feeds: Arc<FullFeeds>,
    /// The files of the web app, if this server has them.
    pub assets: Option<Assets>,
    /// The registry of models. `None` on a server that shows none.
    pub models: Option<Arc<dyn Registry>>,
    /// The runs of the pipeline. `None` on a server that shows none.
    pub runs: Option<Arc<dyn Runs>>,
    /// Operates pipeline, models and lake. `None` on AWS.
    pub operator: Option<Arc<dyn Operator>>,
    /// How operators do what this host does not, as sentences. `None` on a host that does it.
    pub operated_by: Option<&'static str>,
    /// Erases and exports users. `None` on a server that stores none.
    pub user_rights: Option<Arc<dyn UserRights>>,
    /// Imports uploaded files. `None` in a function.
    pub imports: Option<Arc<Imports>>,
    /// Answers assistants, if this server has tools for them.
    pub assistants: Option<Assistants>,
    /// Records admin actions.
    pub audit: Option<Arc<dyn AuditLog>>,
    /// The background tasks of the host.
    pub tasks: TaskHealth,
    /// Checkouts accepted since the start.
    pub checkouts: Arc<AtomicU64>,
    /// Becomes true when streaming answers are to end.
    pub closing: watch::Sender<bool>,
}

/// The state as handlers receive it. It is cloned several times per request.
pub(crate) type Shared = Arc<AppState>;

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppState").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl AppState {
    /// State with the machine's clock, version 7 UUIDs and no web app. The user store must
    /// consume the same stream.
    pub fn new(
        engine: Arc<dyn Engine>,
        stream: Arc<dyn Stream>,
        users: Arc<dyn UserStore>,
        settings: Settings,
        admission: Admission,
    ) -> Self {
        let metrics = Metrics::install();
        Self {
            impressions: Impressions::new(Arc::clone(&stream), settings.impressions_in_flight),
            engine,
            stream,
            users,
            limits: Arc::new(Limits::new(&settings)),
            bodies: Arc::new(Bodies::new(settings.max_body)),
            line_bodies: Arc::new(LineBodies::new(settings.max_body)),
            settings: Arc::new(settings),
            event_counts: Arc::new(EventCounts::new(&metrics)),
            figures: Arc::default(),
            keys: admission.keys.into_iter().collect(),
            clock: Clock::system(),
            ids: Ids::uuid_v7(),
            metrics,
            catalogue: None,
            placements: Arc::new(LiveDocument::without_registry(PLACEMENTS)),
            rules: Arc::new(LiveDocument::without_registry(RULES)),
            synonyms: Arc::new(LiveDocument::without_registry(SYNONYMS)),
            recording: None,
            replayer: None,
            full_feeds: Arc::default(),
            assets: None,
            models: None,
            runs: None,
            operator: None,
            operated_by: None,
            user_rights: None,
            imports: None,
            assistants: None,
            audit: admission.audit,
            tasks: TaskHealth::default(),
            checkouts: Arc::default(),
            monitor: Monitor::default(),
            closing: watch::Sender::new(false),
        }
    }

    /// Resets the limits to those of `settings`.
    #[cfg(test)]
    pub(crate) fn limit(&mut self, settings: &Settings) {
        self.limits = Arc::new(Limits::new(settings));
    }

    /// Waits up to `limit` until every impression is stored or dropped, and returns whether
    /// that happened. A host that freezes the process after each answer needs this.
    pub async fn settle(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.impressions.settle()).await.is_ok()
    }

    /// Ends the spans of deliveries once the lake has their events. Runs until dropped.
    pub async fn follow_deliveries(&self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            if !self.monitor.traces_delivery() {
                continue;
            }
            if let Some(operator) = self.operator.clone()
                && let Ok(flow) = tokio::task::spawn_blocking(move || operator.flow()).await
            {
                self.monitor.delivered(&flow.delivered);
            }
        }
    }

    /// The operator's interface.
    ///
    /// # Errors
    /// When this server operates nothing, as on AWS.
    pub(crate) fn operator(&self) -> Result<Arc<dyn Operator>, Problem> {
        let why = self.operated_by.unwrap_or("This server runs no pipeline.");
        self.operator.clone().ok_or_else(|| Problem::new(Kind::NotFound, why))
    }

    /// The registry of models.
    ///
    /// # Errors
    /// When this server shows none.
    pub(crate) fn models(&self) -> Result<Arc<dyn Registry>, Problem> {
        let missing = || Problem::new(Kind::NotFound, "This server shows no models.");
        self.models.clone().ok_or_else(missing)
    }

    /// The runs of the pipeline.
    ///
    /// # Errors
    /// When this server shows none.
    pub(crate) fn runs(&self) -> Result<&dyn Runs, Problem> {
        let missing = || Problem::new(Kind::NotFound, "This server shows no runs.");
        self.runs.as_deref().ok_or_else(missing)
    }

    /// The interface to users' data.
    ///
    /// # Errors
    /// When this server stores no users.
    pub(crate) fn user_rights(&self) -> Result<&dyn UserRights, Problem> {
        let missing = || Problem::new(Kind::NotFound, "This server does not store users.");
        self.user_rights.as_deref().ok_or_else(missing)
    }
}
