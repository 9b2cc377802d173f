//! The HTTP API: events in, recommendations out.

mod engine;

pub use engine::{
    Answer, Engine, EngineStatus, Filters, ProductView, Query, Recommendation, UserView,
};
