//! The loop as it turns: a minute of figures and the last events, once a second.

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
use crate::operate::monitor::{LiveSecond, Tracked};
use crate::operate::operator::Operator;
use crate::routes::Routes;
use crate::state::{AppState, Shared};

/// Events that are shown.
const SHOWN_EVENTS: usize = 50;
/// How often a picture is sent.
const EVERY: Duration = Duration::from_secs(1);

/// The route for the live view.
pub(crate) fn routes() -> Routes {
    Routes::default().scoped(Scope::Admin, routes!(live))
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

/// Where an event is.
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
fn picture(state: &AppState, operator: &dyn Operator) -> Live {
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
    let operator = state.operator()?;
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
