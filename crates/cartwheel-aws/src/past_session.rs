//! Finds the session of an earlier answer in a shopper's events.
//!
//! The lake of an account has neither the places of events in the stream nor, across its parts, their
//! order. The mark of the session recognizes it: events are folded in the likely orders until the
//! session fits.

use std::borrow::Cow;

use cartwheel_api::SessionMark;
use cartwheel_events::{EventKind, EventRecord, UserId};
use cartwheel_sessions::Session;
use cartwheel_stream::{Position, Sequence};
use rustc_hash::{FxHashMap, FxHashSet};

/// How long before its answer an event may have been accepted: requests end after ten seconds.
const OWN_MS: i64 = 10_000;

/// When an event was accepted, UTC milliseconds.
pub(crate) fn accepted_ms(event: &EventRecord) -> i64 {
    event.backfilled_at_ms.unwrap_or(event.received_at_ms)
}

/// Finds the session of `user_id` with a mark, from which an answer was made at `at_ms` (UTC
/// milliseconds). `events` are those of the user and of guests as they were delivered, and may be more.
pub(crate) fn find(
    events: &[EventRecord],
    user_id: &UserId,
    mark: &SessionMark,
    at_ms: i64,
) -> Option<Session> {
    let delivered: Vec<&EventRecord> = events.iter().collect();
    // Instances accept in the order of their clocks, which may differ.
    let mut by_time = delivered.clone();
    by_time.sort_by_key(|event| accepted_ms(event));
    [by_time, delivered].into_iter().find_map(|order| {
        // Firehose may deliver an event twice; a session has it twice if the stream has.
        let once = once(&order);
        let found = fold(&own(&once, user_id), mark, at_ms);
        let has_repeats = once.len() < order.len();
        found.or_else(|| has_repeats.then(|| fold(&own(&order, user_id), mark, at_ms)).flatten())
    })
}

/// The session of `user_id` after all events that were accepted until `at_ms` (UTC milliseconds).
pub(crate) fn after(events: &[EventRecord], user_id: &UserId, at_ms: i64) -> Session {
    let mut events: Vec<&EventRecord> = events.iter().collect();
    events.sort_by_key(|event| accepted_ms(event));
    let mut session = Session::default();
    let own = own(&once(&events), user_id);
    for (number, event) in (0..).zip(own.iter().filter(|event| accepted_ms(event) <= at_ms)) {
        session.apply(place(number), event);
    }
    session
}

fn once<'a>(events: &[&'a EventRecord]) -> Vec<&'a EventRecord> {
    let mut seen = FxHashSet::default();
    let mut once = events.to_vec();
    once.retain(|&event| seen.insert((&event.user_id, event.event_id.as_str())));
    once
}

/// The user's own events, with what each brought along from a guest, as the API finds it out when it
/// accepts them.
fn own<'a>(events: &[&'a EventRecord], user_id: &UserId) -> Vec<Cow<'a, EventRecord>> {
    let mut guests: FxHashMap<UserId, Session> = FxHashMap::default();
    let mut own = Vec::new();
    for (number, event) in (0..).zip(events) {
        if event.user_id != *user_id {
            // The guest's side of a tie is made up below.
            if event.event != EventKind::Identify {
                guests.entry(event.user_id.clone()).or_default().apply(place(number), event);
            }
            continue;
        }
        let mut event = Cow::Borrowed(*event);
        if let Some(guest) = event.guest() {
            let session = guests.entry(guest.clone()).or_default();
            if session.is_expired(event.received_at_ms) {
                *session = Session::default();
            }
            if let Some(carried) = session.tie_to(user_id) {
                let until = session.next_sequence.to_string();
                session.apply(place(number), &EventRecord::tie(&event, guest, until));
                let carried = Some(carried).filter(|carried| !carried.is_empty());
                event.to_mut().carried = carried.map(Box::new);
            }
        }
        own.push(event);
    }
    own
}

/// The order of the fold stands for the places in the stream.
fn place(number: u64) -> Position {
    Position { shard: 0, sequence: Sequence::from(number) }
}

/// Folds events until the session fits. An answer to an event knows that event, but perhaps not
/// those before it, which the consumer had not applied yet.
fn fold(events: &[Cow<'_, EventRecord>], mark: &SessionMark, at_ms: i64) -> Option<Session> {
    let is_own = |event: &EventRecord| (0..=OWN_MS).contains(&(at_ms - accepted_ms(event)));
    let own: Vec<_> = (0..).zip(events).filter(|(_, event)| is_own(event)).collect();
    let mut session = Session::default();
    for (number, event) in (0..).zip(events) {
        if mark.fits(&session) {
            return Some(session);
        }
        // A session that had expired begins again with its first event.
        if mark.events() == session.events + 1 || mark.events() == 1 {
            for (later, own) in own.iter().filter(|(later, _)| *later > number) {
                let mut ahead = session.clone();
                ahead.apply(place(*later), own);
                if mark.fits(&ahead) {
                    return Some(ahead);
                }
            }
        }
        session.apply(place(number), event);
    }
    mark.fits(&session).then_some(session)
}

#[cfg(test)]
mod tests {
    use cartwheel_api::MarkedBy;
    use cartwheel_events::Event;
    use serde_json::json;

    use super::*;

    /// The session of the shopper of most events.
    fn find(events: &[EventRecord], mark: &SessionMark, at_ms: i64) -> Option<Session> {
        super::find(events, &UserId::new("u").unwrap(), mark, at_ms)
    }

    const NOW: i64 = 1_795_000_000_000;
    const DAY: i64 = 24 * 3_600_000;

    fn event(kind: &str, product: &str, at_ms: i64) -> EventRecord {
        let body = json!({"user_id": "u", "event": kind, "product_ids": [product]});
        let id = format!("{kind}-{product}-{at_ms}");
        EventRecord::new(Event::from_json(&body).unwrap(), id, at_ms)
    }

    /// The mark of the session that a consumer of the stream makes of events.
    fn mark_of(events: &[&EventRecord]) -> SessionMark {
        let mut session = Session::default();
        // Numbers of Kinesis.
        let base: Sequence =
            "49590338271490256608559692538361571095921575989136588898".parse().unwrap();
        let mut sequence = base;
        for event in events {
            sequence = sequence.next();
            session.apply(Position { shard: 1, sequence }, event);
        }
        SessionMark::of(&session, MarkedBy::Content)
    }

    #[test]
    fn a_session_is_found_whatever_was_delivered_after_it_twice_or_in_another_order() {
        let events: Vec<EventRecord> = (0..9)
            .map(|n| {
                event(["view", "add_to_cart", "checkout"][n % 3], &n.to_string(), NOW + n as i64)
            })
            .collect();
        let all: Vec<&EventRecord> = events.iter().collect();
        for count in 1..=events.len() {
            let mark = mark_of(&all[..count]);
            let at_ms = NOW + count as i64;
            assert!(find(&events, &mark, at_ms).is_some_and(|session| mark.fits(&session)));
            let mut twice = events.clone();
            twice.splice(0..0, events[2..7].to_vec());
            assert!(find(&twice, &mark, at_ms).is_some(), "delivered again, before the others");
            assert!(find(&events[..count - 1], &mark, at_ms).is_none(), "not yet delivered");
        }
        // Of the same millisecond, the order of rows decides; of clocks that differ, it does too.
        let (first, second) = (event("add_to_cart", "b", NOW + 5), event("add_to_cart", "a", NOW));
        let mark = mark_of(&[&first, &second]);
        assert!(find(&[first.clone(), second.clone()], &mark, NOW + 9).is_some());
        let (a, b) = (event("add_to_cart", "b", NOW), event("add_to_cart", "a", NOW));
        assert!(find(&[a.clone(), b.clone()], &mark_of(&[&a, &b]), NOW).is_some());
        assert!(find(&[b.clone(), a.clone()], &mark_of(&[&a, &b]), NOW).is_none());
    }

    #[test]
    fn a_record_that_the_stream_has_twice_counts_twice() {
        let add = event("add_to_cart", "a", NOW);
        let mark = mark_of(&[&add, &add]);
        assert_eq!(mark.events(), 2);
        assert!(find(&[add.clone(), add.clone()], &mark, NOW).is_some());
        assert!(find(&[add], &mark, NOW).is_none());
    }

    #[test]
    fn the_answer_to_an_event_may_not_know_the_events_before() {
        let events = [
            event("view", "a", NOW),
            event("view", "b", NOW + 100),
            event("add_to_cart", "c", NOW + 200),
            event("add_to_cart", "d", NOW + 300),
        ];
        let [a, _, c, d] = &events;
        assert!(find(&events, &mark_of(&[a, d]), NOW + 302).is_some(), "two are not applied yet");
        assert!(find(&events, &mark_of(&[a, d]), NOW + 60_000).is_none(), "d is not of the answer");
        assert!(
            find(&events, &mark_of(&[a, c, d]), NOW + 302).is_none(),
            "b before c was left out"
        );
        // A week later, a session begins.
        let again = event("view", "e", NOW + 9 * DAY);
        let all = [events.to_vec(), vec![again.clone()]].concat();
        assert!(find(&all, &mark_of(&[&again]), NOW + 9 * DAY + 3).is_some());
        assert_eq!(after(&all, &again.user_id, NOW + 250).events, 3);
    }

    #[test]
    fn what_a_guest_brought_along_is_found_out_again() {
        let body = |kind: &str, product: &str| json!({"event": kind, "product_ids": [product]});
        let of = |ids: serde_json::Value, kind: &str, product: &str, at_ms: i64| {
            let mut body = body(kind, product);
            body.as_object_mut().unwrap().extend(ids.as_object().unwrap().clone());
            EventRecord::new(Event::from_json(&body).unwrap(), format!("e{at_ms}"), at_ms)
        };
        let (guest, user) = (json!({"anonymous_id": "g"}), json!({"user_id": "u"}));
        let both = json!({"user_id": "u", "anonymous_id": "g"});
        let events = [
            of(guest.clone(), "add_to_cart", "a", NOW),
            of(user, "view", "b", NOW + 1),
            of(both.clone(), "view", "c", NOW + 2),
            of(guest, "view", "d", NOW + 3),
            of(both, "view", "e", NOW + 4),
        ];
        // As the API makes the records.
        let mut guest = Session::default();
        guest.apply(place(0), &events[0]);
        let user_id = &events[1].user_id;
        let mut first = events[2].clone();
        first.carried = guest.tie_to(user_id).map(Box::new);
        assert!(first.carried.is_some());
        let until = guest.next_sequence.to_string();
        let mut tie = EventRecord::tie(&first, events[2].guest().unwrap(), until);
        guest.apply(place(2), &tie);
        guest.apply(place(3), &events[3]);
        let mut second = events[4].clone();
        second.carried = guest.tie_to(user_id).map(Box::new);
        let mark = mark_of(&[&events[1], &first, &second]);
        // The lake does not have what was carried, nor to whom the guest was tied.
        tie.tied = None;
        let delivered = [events[..3].to_vec(), vec![tie], events[3..].to_vec()].concat();
        let found = find(&delivered, &mark, NOW + 5).unwrap();
        assert_eq!((found.cart.len(), found.views.len()), (1, 4));
        let others = delivered[1..].to_vec();
        assert!(find(&others, &mark, NOW + 5).is_none(), "without the guest's first event");
    }
}
