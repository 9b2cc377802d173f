//! How much of the sessions is in memory.

use super::*;

#[test]
fn a_small_cache_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = Sessions::new(table(&folder), 128);
    for sequence in 0..2000_u64 {
        let user = format!("u{}", sequence % 1000);
        let body = json!({"user_id": user, "event": "add_to_cart", "product_ids": ["a"]});
        sessions.apply(at(sequence), &record("e", &body, NOW)).unwrap();
    }
    for n in 0..1000 {
        let session = sessions.session(&user(&format!("u{n}")), NOW).unwrap().unwrap();
        assert_eq!(cart(&session), [("a".to_owned(), 2)], "u{n}");
    }
    let (kept, _) = sessions.cached();
    assert!(kept <= 2 * 128 + 64, "{kept} users in memory");
}

#[test]
fn the_largest_sessions_stay_within_their_memory() {
    const CAPACITY: usize = 3200;
    let folder = tempfile::tempdir().unwrap();
    let sessions = Sessions::new(table(&folder), CAPACITY);
    let mut sequence = 0;
    let mut all = 0;
    for shopper in 0..500 {
        let kinds =
            ["view", "checkout", "checkout", "checkout", "checkout", "checkout", "checkout"];
        for kind in kinds.into_iter().chain(["add_to_cart"]) {
            sequence += 1;
            let ids: Vec<String> =
                (0..200).map(|n| format!("{:0>128}", sequence * 200 + n)).collect();
            let body = json!({"user_id": format!("u{shopper}"), "event": kind, "product_ids": ids});
            let record = record(&format!("{sequence:0>128}"), &body, NOW);
            sessions.apply(at(sequence), &record).unwrap();
        }
        let session = sessions.session(&user(&format!("u{shopper}")), NOW).unwrap().unwrap();
        assert!(session.bytes() < 300_000, "{} bytes", session.bytes());
        all += session.bytes();
    }
    let (_, bytes) = sessions.cached();
    // The budget of 52 MB, and one session more in each generation of each stripe.
    assert!(all > 95_000_000 && bytes < 80_000_000, "{bytes} of {all} bytes");
    let session = sessions.session(&user("u7"), NOW).unwrap().unwrap();
    let products: usize = session.checkouts.iter().map(|checkout| checkout.items.len()).sum();
    assert_eq!((products, session.cart.len()), (MAX_CHECKED_OUT, MAX_CART));
}
