//! Accepting events: dedup, the cart of a checkout, put, apply.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use cartwheel_events::{Event, EventKind, EventRecord, Item, Record, UserId};
use cartwheel_store::{Session, Shopper, event_hash};
use cartwheel_stream::Position;

use crate::problem::{Kind, Problem};
use crate::put::put;
use crate::recommendations::Known;
use crate::state::AppState;
use crate::telemetry::EVENTS;

/// An event that is durable.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    /// Its id, assigned where the client gave none.
    pub(crate) event_id: String,
    /// Where its record lies.
    pub(crate) position: Position,
    /// The shopper after it.
    pub(crate) known: Known,
    /// Whether it was stored before.
    pub(crate) repeated: bool,
}

/// What is to be done with an event of the batch.
enum Plan {
    /// Refused.
    Refuse(Problem),
    /// Stored before.
    Repeat { event_id: String, position: Position, user_id: UserId },
    /// The same event as an earlier one of the batch.
    Same(usize),
    /// To be stored.
    Store { record: EventRecord, hash: u64 },
}

/// Stores one event.
pub(crate) async fn accept(state: &AppState, event: Event) -> Result<Accepted, Problem> {
    let mut results = accept_all(state, vec![Ok(event)]).await;
    results.pop().unwrap_or_else(|| Err(interrupted()))
}

/// Stores events in their order and gives one result each; what is refused
/// already stays so.
///
/// The work goes on when the client hangs up or the time is over: a record that
/// is put but not applied would be hidden by the user's next one.
pub(crate) async fn accept_all(
    state: &AppState,
    events: Vec<Result<Event, Problem>>,
) -> Vec<Result<Accepted, Problem>> {
    let count = events.len();
    let task_state = state.clone();
    let results = match tokio::spawn(async move { run(&task_state, events).await }).await {
        Ok(results) => results,
        Err(error) => {
            tracing::error!(%error, "events were interrupted");
            vec![Err(interrupted()); count]
        }
    };
    for result in &results {
        let label = match result {
            Ok(accepted) if accepted.repeated => "repeated",
            Ok(_) => "accepted",
            Err(_) => "failed",
        };
        metrics::counter!(EVENTS, "result" => label).increment(1);
    }
    results
}

fn interrupted() -> Problem {
    Problem::new(Kind::Internal, "The event was interrupted; send it again with its event_id.")
}

async fn run(
    state: &AppState,
    events: Vec<Result<Event, Problem>>,
) -> Vec<Result<Accepted, Problem>> {
    if !state.users.is_ready() {
        let problem = Problem::new(Kind::Unavailable, "The sessions have not caught up yet.");
        return events.into_iter().map(|event| event.and(Err(problem.clone()))).collect();
    }
    let mut users: Vec<UserId> =
        events.iter().flatten().map(|event| event.user_id.clone()).collect();
    users.sort_unstable();
    users.dedup();
    let turn = state.users.turn(&users).await;
    // A batch answers without recommendations: only sessions are read.
    let feature_set = state.engine.foreign_records().filter(|_| users.len() == 1);
    let now_ms = state.clock.now_ms();
    let found = state.users.find(&users, feature_set.as_deref(), now_ms).await;
    let mut shoppers: HashMap<UserId, Shopper> = match found {
        Ok(found) => users.into_iter().zip(found).collect(),
        Err(error) => {
            tracing::error!(%error, "sessions were not read");
            if turn.is_some() {
                let problem = unread();
                return events.into_iter().map(|event| event.and(Err(problem.clone()))).collect();
            }
            // The stream's consumer keeps the sessions: an event is stored without them.
            HashMap::new()
        }
    };
    let plans = Planner::new(state, now_ms, &shoppers).plan(events);
    let stored = || plans.iter().filter_map(Plan::stored);
    state.monitor.accepted(stored());
    let start = Instant::now();
    let puts = put(&*state.stream, stored().cloned().map(Record::Event).collect()).await;
    let positions = puts.iter().map(|put| put.as_ref().ok().copied());
    let placed: Vec<_> = stored().zip(positions).collect();
    state.monitor.stored(now_ms, start.elapsed(), &placed);
    let mut puts = puts.into_iter();
    let mut results: Vec<Result<Accepted, Problem>> = Vec::with_capacity(plans.len());
    for plan in plans {
        let result = match plan {
            Plan::Refuse(problem) => Err(problem),
            Plan::Repeat { event_id, position, user_id } => {
                let shopper = shoppers.get(&user_id).cloned();
                let known = Known { shopper, feature_set: feature_set.clone() };
                Ok(Accepted { event_id, position, known, repeated: true })
            }
            Plan::Same(index) => results
                .get(index)
                .cloned()
                .unwrap_or_else(|| Err(interrupted()))
                .map(|accepted| Accepted { repeated: true, ..accepted }),
            Plan::Store { record, .. } => match puts.next() {
                Some(Ok(position)) => {
                    if record.event == EventKind::Checkout {
                        state.checkouts.fetch_add(1, Ordering::Relaxed);
                    }
                    let shopper = match shoppers.get_mut(&record.user_id) {
                        Some(shopper) => apply(state, shopper, position, &record).await,
                        None => None,
                    };
                    let known = Known { shopper, feature_set: feature_set.clone() };
                    Ok(Accepted { event_id: record.event_id, position, known, repeated: false })
                }
                Some(Err(problem)) => Err(problem),
                None => Err(interrupted()),
            },
        };
        results.push(result);
    }
    results
}

/// The record is durable: whatever happens to the session, the event is accepted.
async fn apply(
    state: &AppState,
    shopper: &mut Shopper,
    position: Position,
    record: &EventRecord,
) -> Option<Shopper> {
    match state.users.accept(shopper.session.take(), position, record).await {
        Ok(session) => {
            shopper.session = Some(session);
            Some(shopper.clone())
        }
        Err(error) => {
            tracing::error!(%error, "a session is behind; the next start replays it");
            None
        }
    }
}

impl Plan {
    fn stored(&self) -> Option<&EventRecord> {
        match self {
            Self::Store { record, .. } => Some(record),
            _ => None,
        }
    }
}

/// Decides for each event of a batch, in order, with the sessions as they will be.
struct Planner<'a> {
    state: &'a AppState,
    now_ms: i64,
    shoppers: &'a HashMap<UserId, Shopper>,
    /// The sessions with the batch's own events in them.
    drafts: HashMap<UserId, Arc<Session>>,
    /// Events of the batch that are to be stored.
    planned: HashMap<(UserId, String), usize>,
}

impl<'a> Planner<'a> {
    fn new(state: &'a AppState, now_ms: i64, shoppers: &'a HashMap<UserId, Shopper>) -> Self {
        Self { state, now_ms, shoppers, drafts: HashMap::new(), planned: HashMap::new() }
    }

    fn plan(mut self, events: Vec<Result<Event, Problem>>) -> Vec<Plan> {
        let alone = events.len() == 1;
        let mut plans: Vec<Plan> = Vec::with_capacity(events.len());
        for event in events {
            let plan = match event.and_then(|event| self.one(event, &plans)) {
                Ok(plan) => plan,
                Err(problem) => Plan::Refuse(problem),
            };
            if let (Plan::Store { record, .. }, false) = (&plan, alone) {
                let session = self.session(&record.user_id);
                let draft = self.drafts.entry(record.user_id.clone()).or_insert(session);
                let draft = Arc::make_mut(draft);
                let position = Position { shard: 0, sequence: draft.next_sequence };
                draft.apply(position, record);
                let key = (record.user_id.clone(), record.event_id.clone());
                self.planned.insert(key, plans.len());
            }
            plans.push(plan);
        }
        plans
    }

    fn one(&mut self, mut event: Event, plans: &[Plan]) -> Result<Plan, Problem> {
        if event.kind == EventKind::GetRecommendations {
            return Err(Problem::field(
                "event",
                "get_recommendations stores nothing and is not taken here.",
                "an event to store; POST /submit or /v1/recommendations recommend",
            ));
        }
        let session = self.session(&event.user_id);
        let hash = event_hash(&event);
        if let Some(event_id) = &event.event_id {
            let key = (event.user_id.clone(), event_id.clone());
            if let Some(&index) = self.planned.get(&key) {
                return match plans.get(index) {
                    Some(Plan::Store { hash: stored, .. }) if *stored == hash => {
                        Ok(Plan::Same(index))
                    }
                    _ => Err(reused()),
                };
            }
            if let Some(recent) = session.recent(event_id, self.now_ms) {
                let position =
                    Position::parse(&recent.record_id).filter(|_| recent.repeats(&event));
                let Some(position) = position else { return Err(reused()) };
                let (event_id, user_id) = key_parts(key);
                return Ok(Plan::Repeat { event_id, position, user_id });
            }
        }
        if event.kind == EventKind::Checkout && event.items.is_empty() {
            if !self.shoppers.contains_key(&event.user_id) {
                return Err(unread());
            }
            event.items = session
                .cart
                .iter()
                .map(|item| Item {
                    product_id: item.product_id.clone(),
                    quantity: item.quantity,
                    price: None,
                })
                .collect();
            if event.items.is_empty() {
                let detail = "The checkout names no products and the shopper's cart is empty.";
                return Err(Problem {
                    field: Some("product_ids".to_owned()),
                    expected: Some("products, here or in the cart".to_owned()),
                    ..Problem::new(Kind::EmptyCart, detail)
                });
            }
        }
        let event_id = event.event_id.take().unwrap_or_else(|| self.state.ids.next(self.now_ms));
        Ok(Plan::Store { record: EventRecord::new(event, event_id, self.now_ms), hash })
    }

    fn session(&self, user_id: &UserId) -> Arc<Session> {
        let read = || self.shoppers.get(user_id).and_then(|shopper| shopper.session.clone());
        self.drafts.get(user_id).cloned().or_else(read).unwrap_or_default()
    }
}

fn unread() -> Problem {
    Problem::new(Kind::Unavailable, "The shopper's session cannot be read now.")
}

fn key_parts((user_id, event_id): (UserId, String)) -> (String, UserId) {
    (event_id, user_id)
}

fn reused() -> Problem {
    Problem {
        field: Some("event_id".to_owned()),
        expected: Some("a new id, or the event as it was sent first".to_owned()),
        ..Problem::new(Kind::EventIdReused, "Another event of the shopper has this event_id.")
    }
}
