//! Sends traces and metrics to a collector, by OTLP over HTTP in its JSON encoding.

mod collector;
mod metrics;
mod spans;

pub use collector::{Collector, Signal, variable};
pub use metrics::metrics;
pub use spans::{Exporter, Message};
