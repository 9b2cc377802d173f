//! Figures for `/metrics` that are read from files: models, runs, and what followed from answers.

use std::sync::Arc;

use cartwheel_registry::Registry;
use cartwheel_workflow::{Summary, list};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::operate::model_views;
use crate::operate::operator::Operator;
use crate::operate::views::models::ModelView;
use crate::operate::views::quality::Quality;

/// How long figures stay, in milliseconds. Reading takes up to some seconds on a busy shop.
const KEPT_MS: i64 = 300_000;
/// The days of the figures of quality.
pub(crate) const QUALITY_DAYS: usize = 7;

/// Figures of one moment.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Models, newest first.
    pub(crate) models: Vec<ModelView>,
    /// Runs, newest first.
    pub(crate) runs: Vec<Summary>,
    /// What followed from the answers of the last days; `None` if the lake could not be read.
    pub(crate) quality: Option<Quality>,
}

impl Figures {
    /// Reads the figures. Blocks.
    fn read(
        operator: &dyn Operator,
        registry: Option<&dyn Registry>,
        runtime: &Handle,
        now_ms: i64,
    ) -> Self {
        fn readable<T>(read: Result<T, String>) -> Option<T> {
            read.inspect_err(|error| tracing::warn!(error, "cannot read figures for /metrics")).ok()
        }
        Self {
            models: registry
                .and_then(|registry| readable(runtime.block_on(model_views::list(registry))))
                .unwrap_or_default(),
            runs: list(operator.runner().dir()).executions,
            quality: readable(operator.quality(QUALITY_DAYS, None, now_ms)),
        }
    }
}

#[derive(Default)]
struct Kept {
    figures: Option<Arc<Figures>>,
    stale_ms: i64,
}

/// The newest figures. They are read when somebody asks, at most every five minutes.
#[derive(Default)]
pub(crate) struct KeptFigures(Mutex<Kept>);

impl KeptFigures {
    /// The figures of the last five minutes. The first call waits for them; later calls get those
    /// that there are while new ones are read.
    pub(crate) async fn newest(
        self: &Arc<Self>,
        operator: Arc<dyn Operator>,
        registry: Option<Arc<dyn Registry>>,
        now_ms: i64,
    ) -> Option<Arc<Figures>> {
        let kept = {
            let mut kept = self.0.lock();
            if now_ms < kept.stale_ms {
                return kept.figures.clone();
            }
            kept.stale_ms = now_ms.saturating_add(KEPT_MS);
            kept.figures.clone()
        };
        let (of, runtime) = (self.clone(), Handle::current());
        let reading = tokio::task::spawn_blocking(move || {
            let figures = Figures::read(&*operator, registry.as_deref(), &runtime, now_ms);
            let figures = Arc::new(figures);
            of.0.lock().figures = Some(figures.clone());
            figures
        });
        match kept {
            Some(kept) => Some(kept),
            None => reading.await.ok(),
        }
    }
}
