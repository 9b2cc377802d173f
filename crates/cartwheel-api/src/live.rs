//! The loop as it turns: a minute of figures and the last events, once a second.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cartwheel_events::{EventKind, EventRecord, UserId};
use cartwheel_stream::Position;
use serde::Serialize;
use utoipa::ToSchema;

use crate::pipeline::operator;
use crate::problem::Problem;
use crate::state::{AppState, Shared};

/// Whole seconds that are kept.
const SECONDS: usize = 60;
/// Events that are kept; the newest are shown.
const KEPT_EVENTS: usize = 200;
const SHOWN_EVENTS: usize = 50;
/// Events of one batch that are kept: a large one would push all others out.
const KEPT_OF_BATCH: usize = 50;
/// How often a picture is sent.
const EVERY: Duration = Duration::from_secs(1);

/// Times in buckets, eight to a doubling: a percentile is right to 9 %.
#[derive(Clone)]
struct Times(Box<[u32; Times::BUCKETS]>);

impl Default for Times {
    fn default() -> Self {
        Self(Box::new([0; Self::BUCKETS]))
    }
}

impl Times {
    /// From 1 µs to 16 s; longer ones are counted as that.
    const BUCKETS: usize = 8 * 24;

    fn add(&mut self, time: Duration) {
        let us = (time.as_secs_f64() * 1e6).max(1.0);
        let bucket = ((us.log2() * 8.0) as usize).min(Self::BUCKETS - 1);
        self.0[bucket] += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(a, b)| *a += b);
    }

    /// Both percentiles in milliseconds; none without times.
    fn percentiles(&self) -> Option<Percentiles> {
        let all: u64 = self.0.iter().map(|&count| u64::from(count)).sum();
        let at = |share: f64| {
            let wanted = (all as f64 * share).ceil() as u64;
            let mut seen = 0;
            let found = self.0.iter().position(|&count| {
                seen += u64::from(count);
                seen >= wanted
            });
            ((found.unwrap_or(0) as f64 + 0.5) / 8.0).exp2() / 1e3
        };
        (all > 0).then(|| Percentiles { p50: at(0.5), p99: at(0.99) })
    }
}

#[derive(Clone, Default)]
struct Second {
    /// Since 1970.
    at: i64,
    requests: u32,
    errors: u32,
    events: u32,
    recommendations: u32,
    submit: Times,
    recommend: Times,
    sync: Times,
}

/// An event on its way.
#[derive(Clone)]
struct Tracked {
    event_id: String,
    user_id: UserId,
    event: EventKind,
    product_ids: Vec<String>,
    received_at_ms: i64,
    synced: Option<(Position, Duration)>,
}

#[derive(Default)]
struct Kept {
    /// Oldest first, the current second last.
    seconds: VecDeque<Second>,
    /// Oldest first.
    events: VecDeque<Tracked>,
    events_total: u64,
    degraded_total: u64,
}

impl Kept {
    fn second(&mut self, now_ms: i64) -> Option<&mut Second> {
        let at = now_ms.div_euclid(1000);
        // Requests end out of order, and clocks are set.
        if self.seconds.back().is_none_or(|last| last.at < at) {
            if self.seconds.len() > SECONDS {
                self.seconds.pop_front();
            }
            self.seconds.push_back(Second { at, ..Second::default() });
        }
        self.seconds.back_mut()
    }
}

/// Counts what goes on. Cloning shares it.
#[derive(Clone, Default)]
pub(crate) struct Monitor(Arc<Mutex<Kept>>);

impl Monitor {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Shows the user's events no longer.
    pub(crate) fn forget(&self, user_id: &UserId) {
        self.kept().events.retain(|event| event.user_id != *user_id);
    }

    /// Notes events that are about to be stored.
    pub(crate) fn accepted<'a>(&self, records: impl DoubleEndedIterator<Item = &'a EventRecord>) {
        let mut newest: Vec<Tracked> = records
            .rev()
            .take(KEPT_OF_BATCH)
            .map(|record| Tracked {
                event_id: record.event_id.clone(),
                user_id: record.user_id.clone(),
                event: record.event,
                product_ids: record.product_ids.iter().map(ToString::to_string).collect(),
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

    /// Notes what became of events: their positions, or none where they were refused.
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
            // They were synced together: one time for all of them.
            if stored > 0 {
                second.sync.add(took);
            }
        }
        // Only these were kept when they were accepted.
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

/// Where records of the stream are, as the process with the consumers sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flow {
    /// Shards of the stream.
    pub shards: u32,
    /// Records of the stream that the sessions' consumer has not read.
    pub sessions_waiting: u64,
    /// Records of the stream that are not in the lake.
    pub delivery_waiting: u64,
    /// Records since the start that were none, and went to the lake's errors.
    pub rejected: u64,
    /// Sequence numbers since the start that the stream no longer held for delivery.
    pub missed: u64,
    /// Damaged places of the stream that were passed over since the start.
    pub damaged: u64,
    /// Files written since the start.
    pub files: u64,
    /// When the last of them was written, UTC milliseconds.
    pub last_ms: Option<i64>,
    /// Why the last try failed.
    pub error: Option<String>,
    /// By shard: everything before it is in the lake.
    pub delivered: Vec<cartwheel_stream::Sequence>,
    /// The last files, the newest last: shard, first and last sequence number, path.
    pub parts: Vec<Part>,
}

/// A file of the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The shard.
    pub shard: u32,
    /// Its first record.
    pub first: cartwheel_stream::Sequence,
    /// Its last record.
    pub last: cartwheel_stream::Sequence,
    /// Its path in the lake.
    pub path: String,
}

/// Times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Percentiles {
    /// Half of them are shorter.
    p50: f64,
    /// One in a hundred is longer.
    p99: f64,
}

/// One second of traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveSecond {
    /// Its beginning, UTC milliseconds.
    at_ms: i64,
    /// Requests answered.
    requests: u32,
    /// Answers with a status of 500 and more.
    errors: u32,
    /// Events stored.
    events: u32,
    /// Answers with recommendations.
    recommendations: u32,
}

/// Where an event is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventStage {
    /// On its way to the disk.
    Accepted,
    /// Durable in the stream.
    Synced,
    /// In a file of the lake.
    Delivered,
    /// In the serving feature set, as an order.
    InFeatureSet,
    /// In what the serving model was trained on.
    InModel,
}

/// An event and where it is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LiveEvent {
    /// Its id.
    event_id: String,
    /// Who acted.
    #[schema(value_type = String)]
    user_id: UserId,
    /// What was done.
    #[schema(value_type = String)]
    event: EventKind,
    /// With what.
    product_ids: Vec<String>,
    /// When it was accepted, UTC milliseconds.
    received_at_ms: i64,
    /// Where it is.
    stage: EventStage,
    /// Its record; null until it is durable.
    record_id: Option<String>,
    /// Milliseconds from acceptance to durability; null until then.
    sync_ms: Option<f64>,
    /// The lake's file; null until it is delivered, and for one delivered long ago.
    file: Option<String>,
    /// The serving feature set, if it holds this checkout.
    feature_set: Option<String>,
    /// The serving model, if it was trained on that feature set.
    model_version: Option<String>,
}

/// How far delivery is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveDelivery {
    /// Records of the stream that are not in the lake yet.
    waiting: u64,
    /// Age of the oldest event shown that waits, in milliseconds; null with none.
    oldest_ms: Option<i64>,
    /// Files written since the start.
    files: u64,
    /// The last of them.
    last_file: Option<String>,
    /// When it was written, UTC milliseconds.
    last_ms: Option<i64>,
    /// Why the last try failed; null after a success.
    error: Option<String>,
}

/// How far the sessions are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveSessions {
    /// Records of the stream that their consumer has not read yet.
    waiting: u64,
}

/// The running execution of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveRun {
    /// Its name.
    name: String,
    /// The states that it is in.
    current: Vec<String>,
}

/// The loop at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Live {
    /// The moment, UTC milliseconds.
    now_ms: i64,
    /// Whether events are accepted and answered.
    ready: bool,
    /// The release that serves.
    release: Option<String>,
    /// Its model.
    model_version: Option<String>,
    /// Products of the catalogue.
    products: usize,
    /// Users with a history.
    users: usize,
    /// The last 60 whole seconds, oldest first.
    seconds: Vec<LiveSecond>,
    /// Time to answer events over the last minute; null without any.
    submit_ms: Option<Percentiles>,
    /// Time to recommend over the last minute; null without any.
    recommend_ms: Option<Percentiles>,
    /// Time from acceptance to durability over the last minute; null without any.
    sync_ms: Option<Percentiles>,
    /// Events stored since the start.
    events_total: u64,
    /// Answers from less than everything since the start.
    degraded_total: u64,
    /// Impressions that were not stored since the start.
    impressions_dropped_total: u64,
    /// Shards of the stream.
    shards: u32,
    /// How far delivery is.
    delivery: LiveDelivery,
    /// How far the sessions are.
    sessions: LiveSessions,
    /// The running execution; null without one.
    run: Option<LiveRun>,
    /// The newest first, at most 50.
    events: Vec<LiveEvent>,
}

/// What [`Monitor`] holds, copied out so that nobody waits for the rest.
struct Minute {
    seconds: Vec<LiveSecond>,
    submit: Times,
    recommend: Times,
    sync: Times,
    events: Vec<Tracked>,
    events_total: u64,
    degraded_total: u64,
}

impl Monitor {
    fn minute(&self, now_ms: i64) -> Minute {
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

/// Where an event is.
fn locate(state: &AppState, flow: &Flow, tracked: Tracked) -> LiveEvent {
    let mut stage = EventStage::Accepted;
    let mut file = None;
    let mut learned = crate::engine::Learned::default();
    if let Some((position, _)) = tracked.synced {
        stage = EventStage::Synced;
        let delivered = flow.delivered.get(position.shard as usize);
        if delivered.is_some_and(|next| position.sequence < *next) {
            stage = EventStage::Delivered;
            let holds = |part: &&Part| {
                part.shard == position.shard
                    && (part.first..=part.last).contains(&position.sequence)
                    && part.path.starts_with("events/")
            };
            file = flow.parts.iter().rev().find(holds).map(|part| part.path.clone());
        }
        if tracked.event == EventKind::Checkout {
            learned =
                state.engine.learned(&tracked.user_id, tracked.received_at_ms, &tracked.event_id);
        }
        if learned.feature_set.is_some() {
            stage = EventStage::InFeatureSet;
        }
        if learned.model_version.is_some() {
            stage = EventStage::InModel;
        }
    }
    LiveEvent {
        event_id: tracked.event_id,
        user_id: tracked.user_id,
        event: tracked.event,
        product_ids: tracked.product_ids,
        received_at_ms: tracked.received_at_ms,
        stage,
        record_id: tracked.synced.map(|(position, _)| position.record_id()),
        sync_ms: tracked.synced.map(|(_, took)| took.as_secs_f64() * 1e3),
        file,
        feature_set: learned.feature_set,
        model_version: learned.model_version,
    }
}

/// The picture of this moment. Reads files.
fn picture(state: &AppState, operator: &dyn crate::Operator) -> Live {
    let now_ms = state.clock.now_ms();
    let minute = state.monitor.minute(now_ms);
    let flow = operator.flow();
    let engine = state.engine.status();
    let located = minute.events.into_iter().take(SHOWN_EVENTS);
    let events: Vec<LiveEvent> = located.map(|event| locate(state, &flow, event)).collect();
    let waits = |event: &&LiveEvent| event.stage == EventStage::Synced;
    let oldest = events.iter().filter(waits).map(|event| event.received_at_ms).min();
    let run = operator.runner().running().map(|name| {
        let found = cartwheel_workflow::describe(operator.runner().dir(), &name);
        LiveRun { name, current: found.map(|run| run.summary.current).unwrap_or_default() }
    });
    Live {
        now_ms,
        ready: engine.ready && state.users.is_ready(),
        release: engine.release,
        model_version: engine.model_version,
        products: engine.products,
        users: engine.users,
        seconds: minute.seconds,
        submit_ms: minute.submit.percentiles(),
        recommend_ms: minute.recommend.percentiles(),
        sync_ms: minute.sync.percentiles(),
        events_total: minute.events_total,
        degraded_total: minute.degraded_total,
        impressions_dropped_total: state.impressions.dropped(),
        shards: flow.shards,
        delivery: LiveDelivery {
            waiting: flow.delivery_waiting,
            oldest_ms: oldest.map(|at_ms| now_ms - at_ms),
            files: flow.files,
            last_file: flow.parts.last().map(|part| part.path.clone()),
            last_ms: flow.last_ms,
            error: flow.error,
        },
        sessions: LiveSessions { waiting: flow.sessions_waiting },
        run,
        events,
    }
}

/// Shows the loop as it turns
///
/// Server-sent events: once a second the last minute in figures, and where each of the
/// last events is now.
#[utoipa::path(get, path = "/v1/live", tag = "operations", responses(
    (status = 200, description = "The loop, again and again", body = Live, content_type = "text/event-stream"),
    (status = 404, description = "This server does not see the whole loop", body = Problem),
))]
pub(crate) async fn live(State(state): State<Shared>) -> Result<Response, Problem> {
    let operator = operator(&state)?;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let closing = state.closing.subscribe();
    let begin = (state, operator, ticks, closing);
    let stream =
        futures::stream::unfold(begin, |(state, operator, mut ticks, mut closing)| async {
            tokio::select! {
                _ = ticks.tick() => {}
                // An error means that the server is gone, which is an end too.
                _ = closing.wait_for(|closing| *closing) => return None,
            }
            let (of, by) = (state.clone(), operator.clone());
            let live = tokio::task::spawn_blocking(move || picture(&of, &*by)).await.ok()?;
            let event = Event::default().event("live").json_data(&live).ok()?;
            Some((Ok::<_, Infallible>(event), (state, operator, ticks, closing)))
        });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_tenth() {
        let mut times = Times::default();
        assert_eq!(times.percentiles(), None);
        for ms in 1..=1000 {
            times.add(Duration::from_millis(ms));
        }
        let found = times.percentiles().unwrap();
        assert!((found.p50 / 500.0 - 1.0).abs() < 0.1, "{found:?}");
        assert!((found.p99 / 990.0 - 1.0).abs() < 0.1, "{found:?}");
        times.add(Duration::from_secs(3600));
        times.add(Duration::ZERO);
    }

    #[test]
    fn a_minute_is_kept_and_no_more() {
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
