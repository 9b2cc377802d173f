//! Figures of the last minute and the last events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_events::{EventKind, EventRecord, ProductId, UserId};
use cartwheel_stream::Position;
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use utoipa::ToSchema;

use crate::operate::latency::Times;

/// Whole seconds that are kept.
const SECONDS: usize = 60;
/// Events that are kept.
const KEPT_EVENTS: usize = 200;
/// Events of one batch that are kept: a large batch would displace all others.
const KEPT_OF_BATCH: usize = 50;

/// One second of traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveSecond {
    /// The start of the second, UTC milliseconds.
    at_ms: i64,
    /// Requests answered.
    requests: u32,
    /// Answers with a status of 500 or more.
    errors: u32,
    /// Events stored.
    events: u32,
    /// Answers with recommendations.
    recommendations: u32,
}

#[derive(Clone, Default)]
struct Second {
    /// Seconds since 1970.
    at: i64,
    requests: u32,
    errors: u32,
    events: u32,
    recommendations: u32,
    submit: Times,
    recommend: Times,
    sync: Times,
}

/// A recent event.
#[derive(Clone)]
pub(crate) struct Tracked {
    pub(crate) event_id: String,
    pub(crate) user_id: UserId,
    pub(crate) event: EventKind,
    pub(crate) product_ids: Vec<ProductId>,
    pub(crate) received_at_ms: i64,
    pub(crate) synced: Option<(Position, Duration)>,
}

#[derive(Default)]
struct Kept {
    /// Oldest first, up to the current second.
    seconds: VecDeque<Second>,
    /// Oldest first.
    events: VecDeque<Tracked>,
    events_total: u64,
    degraded_total: u64,
}

impl Kept {
    fn second(&mut self, now_ms: i64) -> Option<&mut Second> {
        let at = now_ms.div_euclid(1000);
        // Requests end out of order, and clocks can be set back.
        if self.seconds.back().is_none_or(|last| last.at < at) {
            if self.seconds.len() > SECONDS {
                self.seconds.pop_front();
            }
            self.seconds.push_back(Second { at, ..Second::default() });
        }
        self.seconds.back_mut()
    }
}

/// Counts requests and events. Clones share the counts.
#[derive(Clone, Default)]
pub(crate) struct Monitor(Arc<Mutex<Kept>>);

impl Monitor {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock()
    }

    /// Counts a request by its route.
    pub(crate) fn request(&self, now_ms: i64, route: &str, status: u16, took: Duration) {
        let mut kept = self.kept();
        let Some(second) = kept.second(now_ms) else { return };
        second.requests += 1;
        second.errors += u32::from(status >= 500);
        match route {
            "/submit" => second.submit.add(took),
            "/v1/recommendations" | "/v1/users/{id}/recommendations" => second.recommend.add(took),
            _ => {}
        }
    }

    /// Counts an answer with recommendations.
    pub(crate) fn answered(&self, now_ms: i64, degraded: bool) {
        let mut kept = self.kept();
        kept.degraded_total += u64::from(degraded);
        if let Some(second) = kept.second(now_ms) {
            second.recommendations += 1;
        }
    }

    /// Removes the user's events.
    pub(crate) fn forget(&self, user_id: &UserId) {
        self.kept().events.retain(|event| event.user_id != *user_id);
    }

    /// Adds events that are about to be stored.
    pub(crate) fn accepted<'a>(&self, records: impl DoubleEndedIterator<Item = &'a EventRecord>) {
        let mut newest: Vec<Tracked> = records
            .rev()
            .take(KEPT_OF_BATCH)
            .map(|record| Tracked {
                event_id: record.event_id.clone(),
                user_id: record.user_id.clone(),
                event: record.event,
                product_ids: record.product_ids.clone(),
                received_at_ms: record.received_at_ms,
                synced: None,
            })
            .collect();
        newest.reverse();
        let mut kept = self.kept();
        let over = (kept.events.len() + newest.len()).saturating_sub(KEPT_EVENTS);
        kept.events.drain(..over);
        kept.events.extend(newest);
    }

    /// Records the positions of events, or `None` for events that were not stored.
    pub(crate) fn stored(
        &self,
        now_ms: i64,
        took: Duration,
        results: &[(&EventRecord, Option<Position>)],
    ) {
        let stored = results.iter().filter(|(_, position)| position.is_some()).count();
        let mut kept = self.kept();
        kept.events_total += stored as u64;
        if let Some(second) = kept.second(now_ms) {
            second.events += stored as u32;
            // They were synced together, so that one time counts for all.
            if stored > 0 {
                second.sync.add(took);
            }
        }
        // `accepted` kept only these.
        for &(record, position) in results.iter().rev().take(KEPT_OF_BATCH) {
            let is = |tracked: &Tracked| {
                tracked.event_id == record.event_id && tracked.user_id == record.user_id
            };
            let Some(at) = kept.events.iter().rposition(is) else { continue };
            match position {
                Some(position) => kept.events[at].synced = Some((position, took)),
                None => drop(kept.events.remove(at)),
            }
        }
    }
}

/// A copy of the last minute, taken so that the lock is held only briefly.
pub(crate) struct Minute {
    pub(crate) seconds: Vec<LiveSecond>,
    pub(crate) submit: Times,
    pub(crate) recommend: Times,
    pub(crate) sync: Times,
    pub(crate) events: Vec<Tracked>,
    pub(crate) events_total: u64,
    pub(crate) degraded_total: u64,
}

impl Monitor {
    pub(crate) fn minute(&self, now_ms: i64) -> Minute {
        let kept = self.kept();
        let end = now_ms.div_euclid(1000);
        let begin = end - SECONDS as i64;
        let (mut submit, mut recommend, mut sync) =
            (Times::default(), Times::default(), Times::default());
        for second in kept.seconds.iter().filter(|second| second.at >= begin) {
            submit.merge(&second.submit);
            recommend.merge(&second.recommend);
            sync.merge(&second.sync);
        }
        let seconds = (begin..end).map(|at| {
            let found = kept.seconds.iter().find(|second| second.at == at);
            let count = |pick: fn(&Second) -> u32| found.map_or(0, pick);
            LiveSecond {
                at_ms: at * 1000,
                requests: count(|s| s.requests),
                errors: count(|s| s.errors),
                events: count(|s| s.events),
                recommendations: count(|s| s.recommendations),
            }
        });
        Minute {
            seconds: seconds.collect(),
            submit,
            recommend,
            sync,
            events: kept.events.iter().rev().cloned().collect(),
            events_total: kept.events_total,
            degraded_total: kept.degraded_total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_minute_is_kept() {
        let monitor = Monitor::default();
        for second in 0..200 {
            monitor.request(second * 1000, "/submit", 200, Duration::from_millis(3));
            monitor.request(second * 1000 + 500, "/v1/x", 500, Duration::from_millis(3));
        }
        assert!(monitor.kept().seconds.len() <= SECONDS + 1);
        let minute = monitor.minute(200_000);
        assert_eq!(minute.seconds.len(), SECONDS);
        assert!(minute.seconds.iter().all(|s| s.requests == 2 && s.errors == 1));
        assert_eq!(monitor.minute(400_000).seconds.iter().map(|s| s.requests).sum::<u32>(), 0);
    }
}
