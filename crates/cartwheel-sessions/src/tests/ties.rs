//! A guest's session goes over to a user.

use super::*;

const GUEST: &str = "~g";

fn of(shopper: &str, id: &str, kind: &str, products: &[&str], at_ms: i64) -> EventRecord {
    EventRecord { user_id: user(shopper), ..record(id, &act(kind, products), at_ms) }
}

/// The two records of a tie, as the API makes them from the guest's session.
fn tie(guest: &Session, to: &str, id: &str, at_ms: i64) -> Option<(EventRecord, EventRecord)> {
    let carried = guest.tie_to(&user(to))?;
    let body = json!({"user_id": to, "anonymous_id": "g", "event": "identify"});
    let mut own = record(id, &body, at_ms);
    own.carried = Some(Box::new(carried));
    let theirs = EventRecord::tie(&own, user(GUEST), guest.next_sequence.to_string());
    Some((own, theirs))
}

#[test]
fn everything_goes_over_in_the_order_of_its_times() {
    let (mut guest, mut own) = (Session::default(), Session::default());
    for (n, (kind, product)) in
        [("view", "a"), ("checkout", "b"), ("add_to_cart", "tea"), ("search", "chai")]
            .into_iter()
            .enumerate()
    {
        guest.apply(at(n as u64), &of(GUEST, &format!("g{n}"), kind, &[product], NOW + n as i64));
    }
    own.apply(at(0), &of("u", "v0", "view", &["z"], NOW - 1));
    own.apply(at(1), &of("u", "c0", "checkout", &["y"], NOW + 5));
    own.apply(at(2), &of("u", "a0", "add_to_cart", &["tea", "jam"], NOW + 6));
    own.apply(at(3), &of("u", "s0", "search", &["nuts"], NOW + 6));
    let (mine, theirs) = tie(&guest, "u", "t", NOW + 7).unwrap();
    own.apply(at(10), &mine);
    guest.apply(at(11), &theirs);
    assert_eq!(cart(&own), [("tea".to_owned(), 1), ("jam".to_owned(), 1)]);
    let views: Vec<_> = own.views.iter().map(|view| view.product_id.as_str()).collect();
    assert_eq!(views, ["z", "a"]);
    let checkouts: Vec<_> = own.checkouts.iter().map(|checkout| &*checkout.event_id).collect();
    assert_eq!(checkouts, ["g1", "c0"]);
    let changes: Vec<_> =
        own.cart_changes.iter().map(|change| (change.product_id.as_str(), change.at_ms)).collect();
    assert_eq!(changes, [("tea", NOW + 2), ("tea", NOW + 6), ("jam", NOW + 6)]);
    let searches: Vec<_> = own.searches.iter().map(|search| &*search.query).collect();
    assert_eq!(searches, ["chai", "nuts"]);
    assert!(guest.cart.is_empty() && guest.views.is_empty() && guest.checkouts.is_empty());
    assert!(guest.cart_changes.is_empty() && guest.searches.is_empty());
    assert_eq!(guest.tie_to(&user("u")), None, "nothing is left to go over");
}

#[test]
fn an_event_that_came_after_the_session_was_read_is_not_lost() {
    let (mut guest, mut own) = (Session::default(), Session::default());
    guest.apply(at(0), &of(GUEST, "g0", "add_to_cart", &["tea"], NOW));
    let (mine, theirs) = tie(&guest, "u", "t", NOW).unwrap();
    guest.apply(at(1), &of(GUEST, "g1", "add_to_cart", &["jam"], NOW));
    own.apply(at(2), &mine);
    guest.apply(at(3), &theirs);
    assert_eq!(cart(&guest), [("tea".to_owned(), 1), ("jam".to_owned(), 1)]);
    // The next event of both takes the rest over.
    let (mine, theirs) = tie(&guest, "u", "t2", NOW).unwrap();
    own.apply(at(4), &mine);
    guest.apply(at(5), &theirs);
    assert_eq!(cart(&own), [("tea".to_owned(), 1), ("jam".to_owned(), 1)]);
    assert!(guest.cart.is_empty());
    // To somebody else, nothing goes over.
    guest.apply(at(6), &of(GUEST, "g2", "add_to_cart", &["nut"], NOW));
    let (mine, theirs) = tie(&guest, "v", "t3", NOW).unwrap();
    assert_eq!(mine.carried.as_deref(), Some(&cartwheel_events::Carried::default()));
    guest.apply(at(7), &theirs);
    assert!(guest.cart.is_empty());
}

#[test]
fn what_goes_over_is_bounded() {
    let mut guest = Session::default();
    let products: Vec<String> = (0..200).map(|n| format!("p{n}")).collect();
    let products: Vec<&str> = products.iter().map(String::as_str).collect();
    for n in 0..64 {
        guest.apply(at(n), &of(GUEST, &format!("g{n}"), "checkout", &products, NOW));
    }
    let carried = guest.tie_to(&user("u")).unwrap();
    let newest: Vec<_> = carried.checkouts.iter().map(|checkout| &*checkout.event_id).collect();
    assert_eq!(newest, ["g59", "g60", "g61", "g62", "g63"]);
}

proptest! {
    /// Records on different shards have no common order: replayed in any order of the shards, both
    /// sessions are as they were.
    #[test]
    fn each_session_follows_from_its_own_records(
        acts in prop::collection::vec((0..8_usize, 0..4_u8), 1..60),
        restart in 0..60_usize,
    ) {
        let kinds =
            ["view", "add_to_cart", "remove_from_cart", "update_cart", "checkout", "search"];
        let (mut guest, mut own) = (Session::default(), Session::default());
        let (mut of_guest, mut of_user) = (Vec::new(), Vec::new());
        for (n, &(act, product)) in acts.iter().enumerate() {
            let (id, product) = (format!("e{n}"), format!("p{product}"));
            let (position, at_ms) = (at(n as u64 * 2), NOW + n as i64);
            match kinds.get(act) {
                Some(kind) if n % 3 == 0 => {
                    of_user.push((position, of("u", &id, kind, &[&product], at_ms)));
                    own.apply(position, &of_user.last().unwrap().1);
                }
                Some(kind) => {
                    of_guest.push((position, of(GUEST, &id, kind, &[&product], at_ms)));
                    guest.apply(position, &of_guest.last().unwrap().1);
                }
                None => {
                    let Some((mine, theirs)) = tie(&guest, "u", &id, at_ms) else { continue };
                    let after = at(n as u64 * 2 + 1);
                    own.apply(position, &mine);
                    guest.apply(after, &theirs);
                    of_user.push((position, mine));
                    of_guest.push((after, theirs));
                }
            }
        }
        let replay = |records: &[(Position, EventRecord)]| {
            let mut session = Session::default();
            for (n, (position, record)) in records.iter().enumerate() {
                session.apply(*position, record);
                if n == restart {
                    for (position, record) in &records[..=n] {
                        session.apply(*position, record);
                    }
                }
            }
            session
        };
        prop_assert_eq!(replay(&of_guest), guest);
        prop_assert_eq!(replay(&of_user), own);
    }
}
