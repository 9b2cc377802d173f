//! What an answer was made from beside its question and its release, so that it can be computed again.

use std::collections::VecDeque;
use std::sync::Arc;

use cartwheel_events::ProductId;
use cartwheel_sessions::CatalogueMark;
use parking_lot::Mutex;

use crate::trends::{Trend, Trends};
use crate::trials::Tried;

/// Products with their counts or scores, largest first.
pub type Noted = Vec<(ProductId, f64)>;

/// What an answer was made from beside its question and its release.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Basis {
    /// The state of the live catalogue.
    pub catalogue: CatalogueMark,
    /// What shoppers turned to, as it was read, one reading after the other. The counts behind it
    /// decay and reach back over weeks, so that they cannot be had again.
    pub attention: Vec<Noted>,
    /// Whether the shopper's stored record was ignored, because the shopper is being erased.
    pub hidden: bool,
}

/// Reads what shoppers turn to, for one answer, and notes what it has read. Copies share the notes.
#[derive(Clone)]
pub(crate) struct Attention {
    from: Counted,
    noted: Arc<Mutex<Vec<Noted>>>,
}

/// Where attention is read from.
#[derive(Clone)]
enum Counted {
    /// The counts of now.
    Counts(Trends),
    /// The readings of an earlier answer, in their order.
    Readings(Arc<Mutex<VecDeque<Noted>>>),
}

impl Attention {
    /// Reads the counts, or `past` readings in their place.
    pub(crate) fn new(trends: &Trends, past: Option<&[Noted]>) -> Self {
        let from = match past {
            None => Counted::Counts(trends.clone()),
            Some(past) => Counted::Readings(Arc::new(Mutex::new(past.iter().cloned().collect()))),
        };
        Self { from, noted: Arc::default() }
    }

    /// What was read so far.
    pub(crate) fn noted(&self) -> Vec<Noted> {
        self.noted.lock().clone()
    }

    /// As [`Trends::top`].
    pub(crate) fn top(
        &self,
        trend: Trend,
        now_ms: i64,
        limit: usize,
        keep: impl Fn(&ProductId) -> bool,
    ) -> Noted {
        self.read(|trends| trends.top(trend, now_ms, limit, keep))
    }

    /// As [`Trends::busiest`].
    pub(crate) fn busiest(
        &self,
        now_ms: i64,
        limit: usize,
        keep: impl Fn(&ProductId) -> bool,
    ) -> Noted {
        self.read(|trends| trends.busiest(now_ms, limit, keep))
    }

    /// As [`Trends::most_tried`]; nothing of an earlier answer.
    pub(crate) fn most_tried(&self, limit: usize) -> Vec<(ProductId, Tried)> {
        match &self.from {
            Counted::Counts(trends) => trends.most_tried(limit),
            Counted::Readings(_) => Vec::new(),
        }
    }

    /// As [`Trends::tried`]. It is not noted: an earlier answer is made again without exploration.
    pub(crate) fn tried(&self, product_id: &str) -> Tried {
        match &self.from {
            Counted::Counts(trends) => trends.tried(product_id),
            Counted::Readings(_) => Tried::default(),
        }
    }

    fn read(&self, count: impl FnOnce(&Trends) -> Noted) -> Noted {
        let read = match &self.from {
            Counted::Counts(trends) => count(trends),
            Counted::Readings(readings) => readings.lock().pop_front().unwrap_or_default(),
        };
        self.noted.lock().push(read.clone());
        read
    }
}
