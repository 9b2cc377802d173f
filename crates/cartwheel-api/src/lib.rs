//! The HTTP API: events in, recommendations out.
//!
//! [`router`] builds the routes over an [`AppState`]; [`serve`] runs them on a
//! socket. What ranks is behind [`Engine`], what stores behind
//! `cartwheel_stream::Stream`: the same router serves on one machine and in a
//! function.

mod accept;
mod assets;
mod audit;
mod body;
mod catalogue;
mod connection;
mod contract;
mod engine;
mod events;
mod foreign;
mod impressions;
mod keys;
mod lake;
mod layers;
mod limits;
mod live;
mod models;
mod operations;
mod operator;
mod pipeline;
mod privacy;
mod problem;
mod put;
mod quality;
mod recommendations;
mod reference;
mod request;
mod router;
mod schema;
mod server;
mod shoppers;
mod state;
mod submit;
mod telemetry;
mod tls;
mod unbroken;

pub use axum::Router;

pub use assets::{Asset, Assets};
pub use audit::{AdminAction, AuditLog, Outcome, hashed_id};
pub use engine::{
    AisleView, Answer, BoughtProduct, DepartmentView, Engine, EngineStatus, Explanation,
    FeatureContribution, Filters, KnownUser, Learned, ProductLabel, ProductView, Products, Query,
    Recommendation, SourceCount, StoredRecord, UserRecord, UserView, Wanted,
};
pub use keys::{ApiKey, KeyError, KeyHash, Keys, Scope, key_name};
pub use lake::{
    ColumnView, FeatureSetView, FileView, LakeJob, LakeJobKind, LakeJobState, LakeView, RejectView,
    RejectsView, SampleView, StartLakeJob, TableSummary, TableView,
};
pub use live::{Flow, Part};
pub use models::{
    CalibrationView, ComparisonView, FeatureImportance, LearningCurve, MeanView, MethodView,
    ModelDetail, ModelEvaluation, ModelStatus, ModelView, ReleaseView, ReportView, verdict,
};
pub use operator::Operator;
pub use pipeline::StartRun;
pub use privacy::{ErasureStep, ErasureView};
pub use problem::{Kind, Problem};
pub use quality::{DayQuality, Funnel, ModelQuality, Quality};
pub use router::{openapi, router};
pub use server::{Connections, serve};
pub use state::{AppState, Settings};
pub use telemetry::{DEGRADED, EVENTS, IMPRESSIONS_DROPPED, Metrics};
pub use tls::{Tls, TlsError};

#[cfg(test)]
mod tests;
