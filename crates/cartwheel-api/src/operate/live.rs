//! The live view: figures of the last minute and hour, and the last events, once a second.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cartwheel_engine::CheckoutProgress;
use cartwheel_events::{EventKind, UserId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::http::problem::Problem;
use crate::operate::flow::{Flow, Part};
use crate::operate::latency::Percentiles;
use crate::operate::monitor::{LiveTraffic, Tracked};
use crate::operate::operator::Operator;
use crate::routes::Routes;
use crate::state::{AppState, Shared};

/// Events that are shown.
const SHOWN_EVENTS: usize = 50;
/// The interval between two views.
const EVERY: Duration = Duration::from_secs(1);

/// The route for the live view.
pub(crate) fn routes() -> Routes {
    Routes::default().scoped(Scope::Admin, routes!(live))
}

/// How far an event has travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventStage {
    /// Accepted, not yet on disk.
    Accepted,
    /// Durable in the stream.
    Synced,
    /// In a file of the lake.
    Delivered,
    /// In the serving feature set, as an order.
    InFeatureSet,
    /// In the data that the serving model was trained on.
    InModel,
}

/// An event and how far it has travelled.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LiveEvent {
    /// The event's id.
    event_id: String,
    /// The shopper.
    #[schema(value_type = String)]
    user_id: UserId,
    /// The kind of event.
    #[schema(value_type = String)]
    event: EventKind,
    /// The products.
    product_ids: Vec<String>,
    /// The time of acceptance, UTC milliseconds.
    received_at_ms: i64,
    /// How far it has travelled.
    stage: EventStage,
    /// The record's id; null until it is durable.
    record_id: Option<String>,
    /// Milliseconds from acceptance to durability; null until then.
    sync_ms: Option<f64>,
    /// The file in the lake; null until delivery, and for files delivered long ago.
    file: Option<String>,
    /// The serving feature set, if it contains this checkout.
    feature_set: Option<String>,
    /// The serving model, if it was trained on that feature set.
    model_version: Option<String>,
}

/// The progress of delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveDelivery {
    /// Records that are not in the lake yet.
    waiting: u64,
    /// The age of the oldest waiting event in this view, in milliseconds; null without one.
    oldest_ms: Option<i64>,
    /// Files written since the start.
    files: u64,
    /// The last file.
    last_file: Option<String>,
    /// The time of the last file, UTC milliseconds.
    last_ms: Option<i64>,
    /// Why the last attempt failed; null after a success.
    error: Option<String>,
}

/// The progress of the sessions' consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveSessions {
    /// Records that the consumer has not read yet.
    waiting: u64,
}

/// The current run of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveRun {
    /// The run's name.
    name: String,
    /// Its current states.
    current: Vec<String>,
}

/// The state of the server at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Live {
    /// The current time, UTC milliseconds.
    now_ms: i64,
    /// Whether events are accepted and answered.
    ready: bool,
    /// The serving release.
    release: Option<String>,
    /// The serving model.
    model_version: Option<String>,
    /// The number of products in the catalogue.
    products: usize,
    /// The number of users with a purchase history.
    users: usize,
    /// The last 60 whole seconds, oldest first.
    seconds: Vec<LiveTraffic>,
    /// The last 60 minutes up to the current one, oldest first.
    minutes: Vec<LiveTraffic>,
    /// Latency of events over the last minute; null without events.
    submit_ms: Option<Percentiles>,
    /// Latency of recommendations over the last minute; null without requests.
    recommend_ms: Option<Percentiles>,
    /// Time from acceptance to durability over the last minute; null without events.
    sync_ms: Option<Percentiles>,
    /// Events stored since the start.
    events_total: u64,
    /// Degraded answers since the start.
    degraded_total: u64,
    /// Impressions that were not stored since the start.
    impressions_dropped_total: u64,
    /// The number of shards of the stream.
    shards: u32,
    /// The progress of delivery.
    delivery: LiveDelivery,
    /// The progress of the sessions' consumer.
    sessions: LiveSessions,
    /// The current run of the pipeline; null without one.
    run: Option<LiveRun>,
    /// The last events, newest first, at most 50.
    events: Vec<LiveEvent>,
}

/// Determines how far an event has travelled.
fn locate(state: &AppState, flow: &Flow, tracked: Tracked) -> LiveEvent {
    let mut stage = EventStage::Accepted;
    let mut file = None;
    let mut learned = CheckoutProgress::default();
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
            learned = state.engine.checkout_progress(
                &tracked.user_id,
                tracked.received_at_ms,
                &tracked.event_id,
            );
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
        product_ids: tracked.product_ids.iter().map(ToString::to_string).collect(),
        received_at_ms: tracked.received_at_ms,
        stage,
        record_id: tracked.synced.map(|(position, _)| position.record_id()),
        sync_ms: tracked.synced.map(|(_, took)| took.as_secs_f64() * 1e3),
        file,
        feature_set: learned.feature_set,
        model_version: learned.model_version,
    }
}

/// Collects the live view. Reads files.
fn view(state: &AppState, operator: &dyn Operator) -> Live {
    let now_ms = state.clock.now_ms();
    let figures = state.monitor.figures(now_ms);
    let flow = operator.flow();
    let engine = state.engine.status();
    let located = figures.events.into_iter().take(SHOWN_EVENTS);
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
        seconds: figures.seconds,
        minutes: figures.minutes,
        submit_ms: figures.submit.percentiles(),
        recommend_ms: figures.recommend.percentiles(),
        sync_ms: figures.sync.percentiles(),
        events_total: figures.events_total,
        degraded_total: figures.degraded_total,
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

/// Streams the live view
///
/// Server-sent events: once a second, the figures of the last minute and hour, and how far each of the
/// last events has travelled.
#[utoipa::path(get, path = "/v1/live", tag = "operations", responses(
    (status = 200, description = "The live view, once a second", body = Live, content_type = "text/event-stream"),
    (status = 404, description = "This server does not run the whole loop", body = Problem),
))]
pub(crate) async fn live(State(state): State<Shared>) -> Result<Response, Problem> {
    let operator = state.operator()?;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let closing = state.closing.subscribe();
    let begin = (state, operator, ticks, closing);
    let stream =
        futures::stream::unfold(begin, |(state, operator, mut ticks, mut closing)| async {
            tokio::select! {
                _ = ticks.tick() => {}
                // An error means that the server has ended.
                _ = closing.wait_for(|closing| *closing) => return None,
            }
            let (of, by) = (state.clone(), operator.clone());
            let live = tokio::task::spawn_blocking(move || view(&of, &*by)).await.ok()?;
            let event = Event::default().event("live").json_data(&live).ok()?;
            Some((Ok::<_, Infallible>(event), (state, operator, ticks, closing)))
        });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new()).into_response())
}
