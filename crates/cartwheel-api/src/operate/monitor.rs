//! Figures of the last minute and the last hour, and the last events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cartwheel_events::{EventKind, EventRecord, ProductId, UserId};
use cartwheel_stream::{Position, Sequence};
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use tracing::Span;
use utoipa::ToSchema;

use crate::operate::latency::Times;

/// Whole seconds that are kept.
const SECONDS: usize = 60;
/// Minutes that are kept, with the current one.
const MINUTES: usize = 60;
/// Events that are kept.
const KEPT_EVENTS: usize = 200;
/// Events of one batch that are kept: a large batch would displace all others.
const KEPT_OF_BATCH: usize = 50;

/// Routes of operators and of probes: what they ask for is not the shop's traffic.
const OPERATORS: [&str; 17] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/v1/live",
    "/v1/pipeline",
    "/v1/models",
    "/v1/lake",
    "/v1/imports",
    "/v1/quality",
    "/v1/erasures",
    "/v1/catalogue/unknown",
    "/v1/search/queries",
    "/v1/placements",
    "/v1/rules",
    "/v1/synonyms",
];

/// Whether a request to the route is the shop's traffic. Files of the web app have no route.
fn is_traffic(route: &str) -> bool {
    route != "other" && !OPERATORS.iter().any(|operators| route.starts_with(operators))
}

/// The traffic of one second or minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveTraffic {
    /// The start of the second or minute, UTC milliseconds.
    at_ms: i64,
    /// Requests of the shop answered, without those of operators and probes.
    requests: u32,
    /// All answers with a status of 500 or more.
    errors: u32,
    /// Events stored.
    events: u32,
    /// Answers with recommendations.
    recommendations: u32,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    requests: u32,
    errors: u32,
    events: u32,
    recommendations: u32,
}

impl Counts {
    fn at(self, at_ms: i64) -> LiveTraffic {
        let Self { requests, errors, events, recommendations } = self;
        LiveTraffic { at_ms, requests, errors, events, recommendations }
    }
}

#[derive(Clone, Default)]
struct Second {
    /// Seconds since 1970.
    at: i64,
    counts: Counts,
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
    /// Open until the event is in the lake, if somebody traces it.
    delivery: Option<Span>,
}

#[derive(Default)]
struct Kept {
    /// Oldest first, up to the current second.
    seconds: VecDeque<Second>,
    /// Minutes since 1970, oldest first, up to the current one.
    minutes: VecDeque<(i64, Counts)>,
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

    /// Counts in the current second and in the current minute.
    fn count(&mut self, now_ms: i64, add: impl Fn(&mut Counts)) {
        if let Some(second) = self.second(now_ms) {
            add(&mut second.counts);
        }
        let at = now_ms.div_euclid(60_000);
        if self.minutes.back().is_none_or(|(last, _)| *last < at) {
            if self.minutes.len() >= MINUTES {
                self.minutes.pop_front();
            }
            self.minutes.push_back((at, Counts::default()));
        }
        if let Some((_, counts)) = self.minutes.back_mut() {
            add(counts);
        }
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
        kept.count(now_ms, |counts| {
            counts.requests += u32::from(is_traffic(route));
            counts.errors += u32::from(status >= 500);
        });
        let Some(second) = kept.second(now_ms) else { return };
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
        kept.count(now_ms, |counts| counts.recommendations += 1);
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
                delivery: None,
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
        // For the newest event, which stands for those that were stored with it.
        let delivery = tracing::info_span!("deliver");
        let mut delivery = (!delivery.is_disabled()).then_some(delivery);
        let stored = results.iter().filter(|(_, position)| position.is_some()).count();
        let mut kept = self.kept();
        kept.events_total += stored as u64;
        kept.count(now_ms, |counts| counts.events += stored as u32);
        // They were synced together, so that one time counts for all.
        if let Some(second) = kept.second(now_ms).filter(|_| stored > 0) {
            second.sync.add(took);
        }
        // `accepted` kept only these.
        for &(record, position) in results.iter().rev().take(KEPT_OF_BATCH) {
            let is = |tracked: &Tracked| {
                tracked.event_id == record.event_id && tracked.user_id == record.user_id
            };
            let Some(at) = kept.events.iter().rposition(is) else { continue };
            match position {
                Some(position) => {
                    kept.events[at].synced = Some((position, took));
                    kept.events[at].delivery = delivery.take();
                }
                None => drop(kept.events.remove(at)),
            }
        }
    }
}

impl Monitor {
    /// Whether somebody traces the delivery of a kept event.
    pub(crate) fn traces_delivery(&self) -> bool {
        self.kept().events.iter().any(|event| event.delivery.is_some())
    }

    /// Ends the spans of events that are in the lake: below these sequence numbers, by shard.
    pub(crate) fn delivered(&self, next: &[Sequence]) {
        for event in &mut self.kept().events {
            let Some((position, _)) = event.synced else { continue };
            if next.get(position.shard as usize).is_some_and(|next| position.sequence < *next) {
                event.delivery = None;
            }
        }
    }
}

/// A copy of the figures, taken so that the lock is held only briefly.
pub(crate) struct Figures {
    pub(crate) seconds: Vec<LiveTraffic>,
    pub(crate) minutes: Vec<LiveTraffic>,
    pub(crate) submit: Times,
    pub(crate) recommend: Times,
    pub(crate) sync: Times,
    pub(crate) events: Vec<Tracked>,
    pub(crate) events_total: u64,
    pub(crate) degraded_total: u64,
}

impl Monitor {
    pub(crate) fn figures(&self, now_ms: i64) -> Figures {
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
            found.map_or_else(Counts::default, |second| second.counts).at(at * 1000)
        });
        let this = now_ms.div_euclid(60_000);
        let minutes = (this - MINUTES as i64 + 1..=this).map(|at| {
            let found = kept.minutes.iter().find(|(minute, _)| *minute == at);
            found.map_or_else(Counts::default, |(_, counts)| *counts).at(at * 60_000)
        });
        Figures {
            seconds: seconds.collect(),
            minutes: minutes.collect(),
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
    fn only_the_last_minute_and_the_last_hour_are_kept() {
        let monitor = Monitor::default();
        for second in 0..8000 {
            monitor.request(second * 1000, "/submit", 200, Duration::from_millis(3));
            monitor.request(second * 1000 + 500, "/v1/x", 500, Duration::from_millis(3));
        }
        assert!(monitor.kept().seconds.len() <= SECONDS + 1);
        assert!(monitor.kept().minutes.len() <= MINUTES);
        let figures = monitor.figures(8_000_000);
        assert_eq!((figures.seconds.len(), figures.minutes.len()), (SECONDS, MINUTES));
        assert!(figures.seconds.iter().all(|s| s.requests == 2 && s.errors == 1));
        // The last minute has begun 20 seconds ago.
        let requests: Vec<u32> = figures.minutes.iter().map(|m| m.requests).collect();
        assert_eq!(requests, [vec![120; 59], vec![40]].concat());
        assert_eq!(figures.minutes[59].at_ms, 7_980_000);
        let later = monitor.figures(20_000_000);
        let counted = |figures: &[LiveTraffic]| figures.iter().map(|s| s.requests).sum::<u32>();
        assert_eq!((counted(&later.seconds), counted(&later.minutes)), (0, 0));
    }

    #[test]
    fn what_operators_ask_for_is_no_traffic_but_its_errors_count() {
        let monitor = Monitor::default();
        for route in ["/readyz", "/v1/live", "/v1/pipeline/executions/{name}", "/docs.css", "other"]
        {
            monitor.request(1000, route, 503, Duration::ZERO);
        }
        for route in ["/submit", "/v1/page", "/v1/search", "/v1/users/{id}/cart"] {
            monitor.request(1000, route, 200, Duration::ZERO);
        }
        let second = &monitor.figures(2000).seconds[SECONDS - 1];
        assert_eq!((second.requests, second.errors), (4, 5));
    }
}
