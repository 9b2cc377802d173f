//! The recent events of an import.

use cartwheel_events::EventKind;

use super::*;
use crate::{ImportKind, ImportPart, NewImport, RecentShopper, Started};

const DAY_MS: i64 = 86_400_000;

fn event(user: &str, id: &str, kind: &str, at_ms: i64) -> EventRecord {
    let body = json!({"user_id": "x", "event": kind,
        "items": [{"product_id": "p1", "quantity": 2}, {"product_id": "p2"}]});
    let record = EventRecord::new(Event::from_json(&body).unwrap(), id.to_owned(), at_ms);
    EventRecord { user_id: UserId::new(user).unwrap(), ..record }
}

/// Imports the events of each part.
fn import(lake: &Lake, id: &str, parts: &[&[EventRecord]]) {
    let started = NewImport::start(lake, id, ImportKind::History, EarlierImports::Keep);
    let Started::New(new) = started.unwrap() else { panic!("it was imported before") };
    for (number, events) in parts.iter().enumerate() {
        let mut part = ImportPart::events();
        part.write(events).unwrap();
        new.write_events(number, part).unwrap();
    }
    new.commit(ImportSummary::default(), &[]).unwrap();
}

/// The shoppers with the ids of their recent events.
fn recent(lake: &Lake, id: &str, from_ms: i64) -> Vec<(String, Vec<String>)> {
    let mut shoppers = Vec::new();
    let read = lake.recent_events(id, from_ms, &mut |RecentShopper { user_id, events }| {
        let ids = events.into_iter().map(|event| event.event_id).collect();
        shoppers.push((user_id.to_string(), ids));
        true
    });
    assert_eq!(read.unwrap(), crate::RecentEvents::default());
    shoppers
}

#[test]
fn each_shopper_comes_once_with_the_events_since_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).unwrap();
    let ann = [
        event("ann", "a0", "view", DAY_MS),
        event("ann", "a1", "checkout", 5 * DAY_MS),
        event("ann", "a2", "add_to_cart", 5 * DAY_MS),
    ];
    let others = [
        event("bob", "b0", "view", DAY_MS),
        event("cy", "c0", "view", 6 * DAY_MS),
        event("~g", "g0", "view", 7 * DAY_MS),
    ];
    import(&lake, "one", &[&ann, &others]);
    import(&lake, "two", &[&[event("dan", "d0", "view", 6 * DAY_MS)]]);
    let expected = [("ann", vec!["a2", "a1"]), ("cy", vec!["c0"]), ("~g", vec!["g0"])];
    let expected = expected.map(|(user, ids)| {
        (user.to_owned(), ids.into_iter().map(str::to_owned).collect::<Vec<_>>())
    });
    assert_eq!(recent(&lake, "one", 5 * DAY_MS), expected);
    assert_eq!(recent(&lake, "one", 8 * DAY_MS), []);
    assert_eq!(recent(&lake, "three", 0), []);
    let mut found = Vec::new();
    let read = lake.recent_events("one", 5 * DAY_MS, &mut |shopper| {
        found.push(shopper);
        false
    });
    assert_eq!((read.unwrap().is_stale, found.len()), (false, 1));
    let [bought, ..] = &found[0].events[1..] else { panic!("{found:?}") };
    assert_eq!((bought.event, &bought.quantities), (EventKind::Checkout, &vec![2, 1]));
    assert_eq!(bought.product_ids, ann[1].product_ids);
}

#[test]
fn a_damaged_part_is_named_and_a_removed_one_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(dir.path()).unwrap();
    import(&lake, "one", &[&[event("ann", "a", "view", 1)], &[event("bob", "b", "view", 1)]]);
    let parts = lake.import_manifest().unwrap().unwrap().events;
    std::fs::write(&parts[0], b"PAR1").unwrap();
    let mut found = Vec::new();
    let mut each = |shopper: RecentShopper| {
        found.push(shopper.user_id.to_string());
        true
    };
    let read = lake.recent_events("one", 0, &mut each).unwrap();
    assert!(read.problems[0].contains("part-00000") && !read.is_stale, "{read:?}");
    std::fs::remove_file(&parts[0]).unwrap();
    assert!(lake.recent_events("one", 0, &mut each).unwrap().is_stale);
    assert_eq!(found, ["bob", "bob"]);
}
