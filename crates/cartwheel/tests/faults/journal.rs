//! The oracle: what clients were told is stored, against the rows in the lake.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::lake;

/// What clients have sent, and what they were answered. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Entries>>);

/// All that was sent.
#[derive(Debug, Default)]
pub struct Entries {
    /// Ids of events that were sent, whatever became of them.
    pub sent: HashSet<String>,
    /// Those that were acknowledged with a 2xx.
    pub acknowledged: HashSet<String>,
    /// Refusals by status.
    pub refused: BTreeMap<u16, u64>,
    /// The first refusal's problem.
    pub problem: Option<String>,
    /// Refusals with 429 or 503 that say when to come again.
    pub retry_after: u64,
}

impl Journal {
    /// What it holds.
    pub fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many events were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.entries().acknowledged.len()
    }

    /// No event was refused.
    pub fn ensure_none_refused(&self) -> Result<()> {
        let entries = self.entries();
        ensure!(entries.refused.is_empty(), "refused {:?}: {:?}", entries.refused, entries.problem);
        Ok(())
    }

    /// Each acknowledged event has exactly one row, each other one at most one, and no
    /// row is of an event that nobody sent.
    pub fn ensure_exactly_once(&self, data: &Path) -> Result<()> {
        let mut rows: HashMap<String, usize> = HashMap::new();
        for id in lake::event_ids(data)? {
            *rows.entry(id).or_default() += 1;
        }
        let entries = self.entries();
        let lost: Vec<_> =
            entries.acknowledged.iter().filter(|id| !rows.contains_key(*id)).collect();
        let doubled: Vec<_> = rows.iter().filter(|(_, n)| **n > 1).map(|(id, _)| id).collect();
        let foreign: Vec<_> = rows.keys().filter(|id| !entries.sent.contains(*id)).collect();
        ensure!(
            lost.is_empty() && doubled.is_empty() && foreign.is_empty(),
            "of {} acknowledged, {} rows: {} lost {:?}, {} doubled {:?}, {} nobody's {:?}",
            entries.acknowledged.len(),
            rows.len(),
            lost.len(),
            lost.first(),
            doubled.len(),
            doubled.first(),
            foreign.len(),
            foreign.first()
        );
        Ok(())
    }
}

/// Looks until something is so, at most for `limit`.
pub fn wait_until(what: &str, limit: Duration, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !so()? {
        ensure!(start.elapsed() < limit, "after {} s: not so that {what}", limit.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
