//! Accepts events: deduplicates, fills in the cart of a checkout, puts, applies.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cartwheel_events::{Carried, Event, EventKind, EventRecord, Item, Record, UserId};
use cartwheel_sessions::{Session, Shopper, event_hash};
use cartwheel_stream::{Position, Sequence};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::time::Instant;
use tracing::Instrument;

use crate::access::caller::Caller;
use crate::http::completion::run_to_completion;
use crate::http::problem::{Kind, Problem};
use crate::shop::backfill;
use crate::shop::known::Known;
use crate::shop::put::put;
use crate::state::{AppState, Shared};

/// How events are dated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dating {
    /// By their arrival.
    Arrival,
    /// By their own timestamps.
    Backfill,
}

/// An event that is durable.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    /// Its id; assigned by the server if the client sent none.
    pub(crate) event_id: String,
    /// The position of its record. `None` if it was imported before, not received.
    pub(crate) position: Option<Position>,
    /// Whether it was stored before.
    pub(crate) repeated: bool,
    /// What its sender should know.
    pub(crate) warnings: Vec<&'static str>,
}

/// The result of a batch.
struct BatchResult {
    /// One result per event.
    results: Vec<Result<Accepted, Problem>>,
    /// The shoppers after the batch, without those that could not be read or written.
    shoppers: FxHashMap<UserId, Shopper>,
    /// The feature set of their records, if the engine needs one.
    feature_set: Option<String>,
}

impl BatchResult {
    fn rejected(events: Vec<Result<Event, Problem>>, problem: &Problem) -> Self {
        let results = events.into_iter().map(|event| Err(event.err().unwrap_or(problem.clone())));
        Self { results: results.collect(), shoppers: FxHashMap::default(), feature_set: None }
    }
}

/// The guest's side of a tie.
struct Tie {
    record: EventRecord,
    /// The index of the guest's last event before it in the batch. Everything until then goes
    /// over, but its position is known only when it is stored.
    after: Option<usize>,
}

/// What to do with an event of the batch.
enum Plan {
    /// Reject it.
    Reject(Problem),
    /// It is stored already.
    Repeat { event_id: String, position: Option<Position>, tie: Option<EventRecord> },
    /// It repeats the event at that index of the batch.
    Same(usize),
    /// Store it, and then the guest's side of the tie that it makes.
    Store { record: EventRecord, hash: u64, tie: Option<Box<Tie>> },
}

/// Stores one event of a shopper for whom the caller may act, and returns it with the shopper's
/// new state.
pub(crate) async fn accept(
    state: &Shared,
    caller: &Caller,
    event: Event,
) -> Result<(Accepted, Known), Problem> {
    let event = caller.permit_event(event)?;
    let user_id = event.user_id.clone();
    let mut batch = work(state, vec![Ok(event)], Dating::Arrival).await;
    let accepted = batch.results.pop().unwrap_or_else(|| Err(interrupted()))?;
    let shopper = batch.shoppers.remove(&user_id);
    Ok((accepted, Known { shopper, feature_set: batch.feature_set }))
}

/// Stores events of shoppers for whom the caller may act, in their order, and returns one result
/// each. Errors among `events` are passed on.
pub(crate) async fn accept_all(
    state: &Shared,
    caller: &Caller,
    events: Vec<Result<Event, Problem>>,
    dating: Dating,
) -> Vec<Result<Accepted, Problem>> {
    let events = events.into_iter().map(|event| event.and_then(|event| caller.permit_event(event)));
    work(state, events.collect(), dating).await.results
}

/// Completes even if the client disconnects or the request times out: a record that is put but
/// not applied would be skipped after the user's next record.
async fn work(state: &Shared, events: Vec<Result<Event, Problem>>, dating: Dating) -> BatchResult {
    let own = Arc::clone(state);
    let now_ms = state.clock.now_ms();
    let is_old = |event: &Result<Event, Problem>| {
        dating == Dating::Arrival && event.as_ref().is_ok_and(|e| backfill::is_old(e, now_ms))
    };
    let old: Vec<bool> = events.iter().map(is_old).collect();
    let mut batch = run_to_completion(async move { run(&own, events, dating).await }).await;
    for (result, _) in batch.results.iter_mut().zip(old).filter(|(_, old)| *old) {
        if let Ok(accepted) = result {
            accepted.warnings.push(backfill::OLD_TIMESTAMP);
        }
    }
    let counts = &state.event_counts;
    for result in &batch.results {
        let count = match result {
            Ok(accepted) if accepted.repeated => &counts.repeated,
            Ok(_) => &counts.accepted,
            Err(_) => &counts.failed,
        };
        count.increment(1);
    }
    batch
}

fn interrupted() -> Problem {
    Problem::new(Kind::Internal, "The event was interrupted. Send it again with its event_id.")
}

async fn run(state: &AppState, events: Vec<Result<Event, Problem>>, dating: Dating) -> BatchResult {
    if !state.users.is_ready() {
        let problem =
            Problem::new(Kind::Unavailable, "The sessions have not caught up with the stream yet.");
        return BatchResult::rejected(events, &problem);
    }
    let named = |event: &Event| [Some(event.user_id.clone()), event.guest.clone()];
    let mut users: Vec<UserId> = events.iter().flatten().flat_map(named).flatten().collect();
    users.sort_unstable();
    let again = users.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone());
    let again: FxHashSet<UserId> = again.collect();
    users.dedup();
    let lock = state.users.lock(&users).await;
    // Batches are answered without recommendations and need no user records.
    let feature_set = state.engine.external_records().filter(|_| events.len() == 1);
    let now_ms = state.clock.now_ms();
    let found = state.users.find(&users, feature_set.as_deref(), now_ms).await;
    let mut shoppers: FxHashMap<UserId, Shopper> = match found {
        Ok(found) => users.into_iter().zip(found).collect(),
        Err(error) => {
            tracing::error!(%error, "cannot read sessions");
            if lock.is_some() {
                return BatchResult::rejected(events, &unread());
            }
            // Elsewhere a consumer of the stream keeps the sessions: store without them.
            FxHashMap::default()
        }
    };
    let plans = Planner::new(state, now_ms, dating, &shoppers, &again).plan(events);
    let stored = || plans.iter().filter_map(Plan::stored);
    state.monitor.accepted(stored());
    let start = Instant::now();
    let span = tracing::info_span!("store", events = stored().count());
    let records = stored().cloned().map(Record::Event).collect();
    let puts = put(&*state.stream, records).instrument(span).await;
    let positions = puts.iter().map(|put| put.as_ref().ok().copied());
    let placed: Vec<_> = stored().zip(positions).collect();
    state.monitor.stored(now_ms, start.elapsed(), &placed);
    let mut ties: Vec<EventRecord> = Vec::new();
    let mut puts = puts.into_iter();
    let mut results: Vec<Result<Accepted, Problem>> = Vec::with_capacity(plans.len());
    for plan in plans {
        let result = match plan {
            Plan::Reject(problem) => Err(problem),
            Plan::Repeat { event_id, position, tie } => {
                ties.extend(tie);
                Ok(Accepted { event_id, position, repeated: true, warnings: Vec::new() })
            }
            Plan::Same(index) => results
                .get(index)
                .cloned()
                .unwrap_or_else(|| Err(interrupted()))
                .map(|accepted| Accepted { repeated: true, ..accepted }),
            Plan::Store { record, tie, .. } => match puts.next() {
                Some(Ok(position)) => {
                    if record.event == EventKind::Checkout {
                        state.checkouts.fetch_add(1, Ordering::Relaxed);
                    }
                    apply(state, &mut shoppers, position, &record).await;
                    ties.extend(tie.map(|tie| tie.placed(&results)));
                    let (event_id, position) = (record.event_id, Some(position));
                    Ok(Accepted { event_id, position, repeated: false, warnings: Vec::new() })
                }
                Some(Err(problem)) => Err(problem),
                None => Err(interrupted()),
            },
        };
        results.push(result);
    }
    let_go(state, &mut shoppers, ties).await;
    BatchResult { results, shoppers, feature_set }
}

/// Stores the guests' sides of ties whose users' sides are durable: nothing is let go of before it
/// has gone over. One that is not stored is made up for by the next event of both.
async fn let_go(
    state: &AppState,
    shoppers: &mut FxHashMap<UserId, Shopper>,
    ties: Vec<EventRecord>,
) {
    let puts = put(&*state.stream, ties.iter().cloned().map(Record::Event).collect()).await;
    for (tie, put) in ties.iter().zip(puts) {
        match put {
            Ok(position) => apply(state, shoppers, position, tie).await,
            Err(problem) => tracing::warn!(problem.detail, "a guest's side of a tie is not stored"),
        }
    }
}

/// Applies a durable record to the session. The event counts as accepted even if this fails.
async fn apply(
    state: &AppState,
    shoppers: &mut FxHashMap<UserId, Shopper>,
    position: Position,
    record: &EventRecord,
) {
    let Some(shopper) = shoppers.get_mut(&record.user_id) else { return };
    match state.users.accept(shopper.session.take(), position, record).await {
        Ok(session) => shopper.session = Some(session),
        Err(error) => {
            tracing::error!(%error, "cannot update a session; the next start replays the record");
            shoppers.remove(&record.user_id);
        }
    }
}

impl Tie {
    /// The record, once the results of the events before it are known.
    fn placed(mut self, results: &[Result<Accepted, Problem>]) -> EventRecord {
        let last = self.after.and_then(|index| results.get(index)?.as_ref().ok()?.position);
        if let (Some(last), Some(tied)) = (last, &mut self.record.tied) {
            tied.until = last.sequence.next().to_string();
        }
        self.record
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

/// Plans the events of a batch in order, each with the session after the earlier ones.
struct Planner<'a> {
    state: &'a AppState,
    now_ms: i64,
    dating: Dating,
    shoppers: &'a FxHashMap<UserId, Shopper>,
    /// Users with more than one event in the batch.
    again: &'a FxHashSet<UserId>,
    /// The sessions of those users with the batch's events applied.
    drafts: FxHashMap<UserId, Arc<Session>>,
    /// Indices of the events of those users that are to be stored.
    planned: FxHashMap<(UserId, String), usize>,
    /// Index of the last of them.
    last: FxHashMap<UserId, usize>,
}

impl<'a> Planner<'a> {
    fn new(
        state: &'a AppState,
        now_ms: i64,
        dating: Dating,
        shoppers: &'a FxHashMap<UserId, Shopper>,
        again: &'a FxHashSet<UserId>,
    ) -> Self {
        let (drafts, planned, last) =
            (FxHashMap::default(), FxHashMap::default(), FxHashMap::default());
        Self { state, now_ms, dating, shoppers, again, drafts, planned, last }
    }

    fn plan(mut self, events: Vec<Result<Event, Problem>>) -> Vec<Plan> {
        let mut plans: Vec<Plan> = Vec::with_capacity(events.len());
        for event in events {
            let plan = match event.and_then(|event| self.one(event, &plans)) {
                Ok(plan) => plan,
                Err(problem) => Plan::Reject(problem),
            };
            if let Plan::Store { tie: Some(tie), .. } = &plan
                && self.again.contains(&tie.record.user_id)
            {
                self.draft(&tie.record);
            }
            if let Plan::Store { record, .. } = &plan
                && self.again.contains(&record.user_id)
            {
                self.draft(record);
                self.last.insert(record.user_id.clone(), plans.len());
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
                "get_recommendations stores nothing and is not accepted here.",
                "an event to store; use POST /submit or /v1/recommendations to recommend",
            ));
        }
        let own_ms = match self.dating {
            Dating::Arrival => None,
            Dating::Backfill => Some(backfill::time(&event, self.now_ms)?),
        };
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
                    true => Ok(Plan::Repeat { tie: self.missing_tie(event), event_id, position }),
                    false => Err(reused()),
                };
            }
        }
        let over = self.goes_over(&event);
        if event.kind == EventKind::Checkout && event.items.is_empty() {
            let mut session = session;
            if let Some((carried, _)) = &over {
                Arc::make_mut(&mut session).take_over(carried);
            }
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
                let detail = "The checkout has no products and the shopper's cart is empty.";
                return Err(Problem {
                    field: Some("product_ids".to_owned()),
                    expected: Some("products, here or in the cart".to_owned()),
                    ..Problem::new(Kind::EmptyCart, detail)
                });
            }
        }
        let event_id = event.event_id.take().unwrap_or_else(|| self.state.ids.next(self.now_ms));
        let guest = event.guest.clone();
        let mut record = match own_ms {
            None => EventRecord::new(event, event_id, self.now_ms),
            Some(at_ms) => EventRecord::backfilled(event, event_id, at_ms, self.now_ms),
        };
        let tie = over.zip(guest).map(|((carried, until), guest)| {
            record.carried = Some(carried).filter(|carried| !carried.is_empty()).map(Box::new);
            let after = self.last.get(&guest).copied();
            let record = EventRecord::tie(&record, guest, until.to_string());
            Box::new(Tie { record, after })
        });
        Ok(Plan::Store { record, hash, tie })
    }

    /// Applies a planned record to the session that the later events of the batch see.
    fn draft(&mut self, record: &EventRecord) {
        let session = self.session(&record.user_id);
        let draft = Arc::make_mut(self.drafts.entry(record.user_id.clone()).or_insert(session));
        let position = Position { shard: 0, sequence: draft.next_sequence };
        draft.apply(position, record);
    }

    /// Returns the guest's side of a tie if a crash kept it from being stored after the user's.
    /// The guest lets go of nothing: the next event of both finds out what has gone over.
    fn missing_tie(&self, event: Event) -> Option<EventRecord> {
        let guest = event.guest.clone().filter(|_| self.dating == Dating::Arrival)?;
        let is_tied = self.session(&guest).tied_to.is_some();
        if is_tied || !self.shoppers.contains_key(&guest) {
            return None;
        }
        let event_id = event.event_id.clone()?;
        let record = EventRecord::new(event, event_id, self.now_ms);
        Some(EventRecord::tie(&record, guest, Sequence::default().to_string()))
    }

    /// Returns what goes over from the event's guest, and the sequence number until which it
    /// does. `None` if the event ties no guest, or changes no session because it is of the past.
    fn goes_over(&self, event: &Event) -> Option<(Carried, Sequence)> {
        let guest = event.guest.as_ref().filter(|_| self.dating == Dating::Arrival)?;
        if !self.shoppers.contains_key(guest) {
            return None;
        }
        let session = self.session(guest);
        Some((session.tie_to(&event.user_id)?, session.next_sequence))
    }

    fn session(&self, user_id: &UserId) -> Arc<Session> {
        let read = || self.shoppers.get(user_id).and_then(|shopper| shopper.session.clone());
        self.drafts.get(user_id).cloned().or_else(read).unwrap_or_default()
    }
}

fn unread() -> Problem {
    Problem::new(Kind::Unavailable, "The shopper's session cannot be read at the moment.")
}

fn reused() -> Problem {
    Problem {
        field: Some("event_id".to_owned()),
        expected: Some("a new id, or the same event as before".to_owned()),
        ..Problem::new(Kind::EventIdReused, "Another event of the shopper has this event_id.")
    }
}
