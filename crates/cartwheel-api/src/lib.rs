//! The HTTP API: events in, recommendations out.
//!
//! [`router`] builds the routes over an [`AppState`]; [`serve`] runs them on a
//! socket. What ranks is behind [`Engine`], what stores behind
//! `cartwheel_stream::Stream`: the same router serves on one machine and in a
//! function.

mod accept;
mod ambient;
mod assets;
mod catalogue;
mod engine;
mod events;
mod impressions;
mod keys;
mod layers;
mod operations;
mod pipeline;
mod problem;
mod put;
mod recommendations;
mod reference;
mod request;
mod router;
mod schema;
mod server;
mod state;
mod submit;
mod telemetry;

pub use ambient::{Clock, Ids};
pub use assets::{Asset, Assets};
pub use engine::{
    Answer, Engine, EngineStatus, Filters, ProductView, Query, Recommendation, StoredRecord,
    UserView,
};
pub use keys::{KeyHash, KeyHashError};
pub use pipeline::{Operator, StartRun};
pub use problem::{Kind, Problem};
pub use router::{openapi, router};
pub use server::serve;
pub use state::{AppState, Settings};
pub use telemetry::{DEGRADED, EVENTS, IMPRESSIONS_DROPPED, Metrics};

#[cfg(test)]
mod tests;
