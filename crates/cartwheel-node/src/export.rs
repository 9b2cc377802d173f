//! Pushes the metrics of a server to a collector.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cartwheel_api::{AppState, otlp_metrics};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Where metrics go, and how often.
#[derive(Clone)]
pub struct MetricsExport {
    /// The time between two pushes.
    pub every: Duration,
    /// Takes the metrics of a moment, in OTLP's mapping to JSON. Does not block.
    pub push: Arc<dyn Fn(Vec<Value>) + Send + Sync>,
}

impl MetricsExport {
    /// Pushes the metrics of `state` until `stop`, and then the last ones.
    pub(crate) async fn follow(self, state: AppState, stop: CancellationToken) -> Result<()> {
        loop {
            let stops = tokio::time::timeout(self.every, stop.cancelled()).await.is_ok();
            if let Some(metrics) = otlp_metrics(&state).await {
                (self.push)(metrics);
            }
            if stops {
                return Ok(());
            }
        }
    }
}
