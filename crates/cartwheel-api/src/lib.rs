//! The HTTP API: events in, recommendations out.
//!
//! [`router`] builds the routes over an [`AppState`]; [`serve`] runs them on a socket.
//! Ranking is behind [`cartwheel_engine::Engine`] and storage behind
//! [`cartwheel_stream::Stream`], so that the same router serves on one machine and in a
//! function.
//!
//! Each file of routes declares the scope that its routes need, and nothing that
//! [`AppState`] holds knows [`AppState`].

mod access;
mod contract;
mod fallback;
mod http;
mod observe;
mod operate;
mod router;
mod routes;
mod settings;
mod shop;
mod state;
mod telemetry;

pub use axum::Router;

pub use access::audit::{ActionEnd, AdminAction, AuditKey, AuditLog};
pub use access::key_error::KeyError;
pub use access::keys::{ApiKey, KeyHash, Keys, PublishableKey, key_name};
pub use access::scope::Scope;
pub use access::signature::WebhookSecret;
pub use access::token::{Claims, LONGEST_TOKEN, SigningSecret};
pub use http::assets::{Asset, Assets};
pub use http::problem::{Kind, Problem};
pub use http::server::{Connections, serve};
pub use http::tls::{Tls, TlsError};
pub use operate::archive::{Archive, Filed};
pub use operate::flow::{Flow, Part};
pub use operate::importer::{ImportFile, Importer, OnProgress};
pub use operate::imports::open::Imports;
pub use operate::metrics::otlp_metrics;
pub use operate::operator::Operator;
pub use operate::replayer::Replayer;
pub use operate::tasks::{TaskHealth, TaskState, TaskStatus};
pub use operate::tools::Assistants;
pub use operate::user_rights::UserRights;
pub use operate::views::erasure::{ErasureStep, ErasureView};
pub use operate::views::import::{EarlierImports, ImportContent, ImportMode, StartFileImport};
pub use operate::views::import_mapping::{DateOrderView, ImportMapping, OrderByView};
pub use operate::views::import_preview::{ImportPreview, ImportResult};
pub use operate::views::lake::{
    ColumnView, FeatureSetView, FileView, LakeJob, LakeJobKind, LakeJobState, LakeView, RejectView,
    RejectsView, SampleView, StartLakeJob, TableSummary, TableView,
};
pub use operate::views::models::{
    FeatureImportance, LearningCurve, ModelDetail, ModelEvaluation, ModelStatus, ModelView,
    ReleaseView,
};
pub use operate::views::quality::{
    DayQuality, ExplorationQuality, Funnel, FunnelOrder, ProductFunnel, ProductQuality,
    ProductsQuality, Quality, QualityPart,
};
pub use operate::views::replay::{AnsweredProduct, Replay, ReplayOutcome, ReplayedPlace};
pub use operate::views::run::StartRun;
pub use operate::views::searches::{QueryCount, SearchCounts};
pub use router::{openapi, router};
pub use settings::Settings;
pub use shop::moment::{AnswerSettings, MarkedBy, Moment, Recording, SessionMark};
pub use state::{Admission, AppState, PLACEMENTS, RULES, SYNONYMS};
pub use telemetry::{DEGRADED, EVENTS, IMPRESSIONS_DROPPED, Metrics};

#[cfg(test)]
mod tests;
