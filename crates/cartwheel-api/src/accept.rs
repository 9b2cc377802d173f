//! Accepting events: dedup, the cart of a checkout, put, apply.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use cartwheel_events::{Event, EventKind, EventRecord, Item, Record, UserId};
use cartwheel_sessions::{Session, Shopper, event_hash};
use cartwheel_stream::Position;

use crate::problem::{Kind, Problem};
use crate::put::put;
use crate::recommendations::Known;
use crate::state::{AppState, Shared};
use crate::telemetry::EVENTS;
use crate::unbroken::unbroken;

/// An event that is durable.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    /// Its id, assigned where the client gave none.
    pub(crate) event_id: String,
    /// Where its record lies.
    pub(crate) position: Position,
    /// Whether it was stored before.
    pub(crate) repeated: bool,
}

/// What became of a batch.
struct Outcome {
    /// One for each event.
    results: Vec<Result<Accepted, Problem>>,
    /// The shoppers after it; those who could not be read, or not be kept, are missing.
    shoppers: HashMap<UserId, Shopper>,
    /// The feature set of their records, where the engine wants one.
    feature_set: Option<String>,
}

impl Outcome {
    fn refused(events: Vec<Result<Event, Problem>>, problem: &Problem) -> Self {
        let results = events.into_iter().map(|event| Err(event.err().unwrap_or(problem.clone())));
        Self { results: results.collect(), shoppers: HashMap::new(), feature_set: None }
    }
}

/// What is to be done with an event of the batch.
enum Plan {
    /// Refused.
    Refuse(Problem),
    /// Stored before.
    Repeat { event_id: String, position: Position },
    /// The same event as an earlier one of the batch.
    Same(usize),
    /// To be stored.
    Store { record: EventRecord, hash: u64 },
}

/// Stores one event, and says what is known of its shopper after it.
pub(crate) async fn accept(state: &Shared, event: Event) -> Result<(Accepted, Known), Problem> {
    let user_id = event.user_id.clone();
    let mut outcome = work(state, vec![Ok(event)]).await;
    let accepted = outcome.results.pop().unwrap_or_else(|| Err(interrupted()))?;
    let shopper = outcome.shoppers.remove(&user_id);
    Ok((accepted, Known { shopper, feature_set: outcome.feature_set }))
}

/// Stores events in their order and gives one result each; what is refused
/// already stays so.
pub(crate) async fn accept_all(
    state: &Shared,
    events: Vec<Result<Event, Problem>>,
) -> Vec<Result<Accepted, Problem>> {
    work(state, events).await.results
}

/// The work goes on when the client hangs up or the time is over: a record that
/// is put but not applied would be hidden by the user's next one.
async fn work(state: &Shared, events: Vec<Result<Event, Problem>>) -> Outcome {
    let own = Arc::clone(state);
    let outcome = unbroken(async move { run(&own, events).await }).await;
    let (mut stored, mut repeated, mut failed) = (0, 0, 0);
    for result in &outcome.results {
        match result {
            Ok(accepted) if accepted.repeated => repeated += 1,
            Ok(_) => stored += 1,
            Err(_) => failed += 1,
        }
    }
    for (label, count) in [("accepted", stored), ("repeated", repeated), ("failed", failed)] {
        if count > 0 {
            metrics::counter!(EVENTS, "result" => label).increment(count);
        }
    }
    outcome
}

fn interrupted() -> Problem {
    Problem::new(Kind::Internal, "The event was interrupted; send it again with its event_id.")
}

async fn run(state: &AppState, events: Vec<Result<Event, Problem>>) -> Outcome {
    if !state.users.is_ready() {
        let problem = Problem::new(Kind::Unavailable, "The sessions have not caught up yet.");
        return Outcome::refused(events, &problem);
    }
    let mut users: Vec<UserId> =
        events.iter().flatten().map(|event| event.user_id.clone()).collect();
    users.sort_unstable();
    let again = users.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone());
    let again: HashSet<UserId> = again.collect();
    users.dedup();
    let lock = state.users.lock(&users).await;
    // A batch answers without recommendations: only sessions are read.
    let feature_set = state.engine.foreign_records().filter(|_| users.len() == 1);
    let now_ms = state.clock.now_ms();
    let found = state.users.find(&users, feature_set.as_deref(), now_ms).await;
    let mut shoppers: HashMap<UserId, Shopper> = match found {
        Ok(found) => users.into_iter().zip(found).collect(),
        Err(error) => {
            tracing::error!(%error, "sessions were not read");
            if lock.is_some() {
                return Outcome::refused(events, &unread());
            }
            // The stream's consumer keeps the sessions: an event is stored without them.
            HashMap::new()
        }
    };
    let plans = Planner::new(state, now_ms, &shoppers, &again).plan(events);
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
            Plan::Repeat { event_id, position } => {
                Ok(Accepted { event_id, position, repeated: true })
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
                    apply(state, &mut shoppers, position, &record).await;
                    Ok(Accepted { event_id: record.event_id, position, repeated: false })
                }
                Some(Err(problem)) => Err(problem),
                None => Err(interrupted()),
            },
        };
        results.push(result);
    }
    Outcome { results, shoppers, feature_set }
}

/// The record is durable: whatever happens to the session, the event is accepted.
async fn apply(
    state: &AppState,
    shoppers: &mut HashMap<UserId, Shopper>,
    position: Position,
    record: &EventRecord,
) {
    let Some(shopper) = shoppers.get_mut(&record.user_id) else { return };
    match state.users.accept(shopper.session.take(), position, record).await {
        Ok(session) => shopper.session = Some(session),
        Err(error) => {
            tracing::error!(%error, "a session is behind; the next start replays it");
            shoppers.remove(&record.user_id);
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
    /// Users with more than one event in the batch.
    again: &'a HashSet<UserId>,
    /// Their sessions with the batch's own events in them.
    drafts: HashMap<UserId, Arc<Session>>,
    /// Their events that are to be stored.
    planned: HashMap<(UserId, String), usize>,
}

impl<'a> Planner<'a> {
    fn new(
        state: &'a AppState,
        now_ms: i64,
        shoppers: &'a HashMap<UserId, Shopper>,
        again: &'a HashSet<UserId>,
    ) -> Self {
        let (drafts, planned) = (HashMap::new(), HashMap::new());
        Self { state, now_ms, shoppers, again, drafts, planned }
    }

    fn plan(mut self, events: Vec<Result<Event, Problem>>) -> Vec<Plan> {
        let mut plans: Vec<Plan> = Vec::with_capacity(events.len());
        for event in events {
            let plan = match event.and_then(|event| self.one(event, &plans)) {
                Ok(plan) => plan,
                Err(problem) => Plan::Refuse(problem),
            };
            if let Plan::Store { record, .. } = &plan
                && self.again.contains(&record.user_id)
            {
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
            let planned = match self.again.contains(&event.user_id) {
                true => self.planned.get(&(event.user_id.clone(), event_id.clone())),
                false => None,
            };
            if let Some(&index) = planned {
                return match plans.get(index) {
                    Some(Plan::Store { hash: stored, .. }) if *stored == hash => {
                        Ok(Plan::Same(index))
                    }
                    _ => Err(reused()),
                };
            }
            if let Some(recent) = session.recent(event_id, self.now_ms) {
                let (event_id, position) = (event_id.clone(), recent.position);
                return match recent.repeats(&event) {
                    true => Ok(Plan::Repeat { event_id, position }),
                    false => Err(reused()),
                };
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

fn reused() -> Problem {
    Problem {
        field: Some("event_id".to_owned()),
        expected: Some("a new id, or the event as it was sent first".to_owned()),
        ..Problem::new(Kind::EventIdReused, "Another event of the shopper has this event_id.")
    }
}
