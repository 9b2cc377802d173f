//! Routes for operators, and the interfaces behind them.

pub(crate) mod archive;
pub(crate) mod assistants;
pub(crate) mod exposition;
pub(crate) mod figures;
pub(crate) mod flow;
pub(crate) mod health;
pub(crate) mod importer;
pub(crate) mod imports;
pub(crate) mod lake;
pub(crate) mod latency;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod model_views;
pub(crate) mod models;
pub(crate) mod monitor;
pub(crate) mod operator;
pub(crate) mod otlp;
pub(crate) mod pipeline;
pub(crate) mod privacy;
pub(crate) mod quality;
pub(crate) mod replay;
pub(crate) mod searches;
pub(crate) mod tasks;
pub(crate) mod tools;
pub(crate) mod user_rights;
pub(crate) mod views;
