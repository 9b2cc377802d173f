//! Writing changed sessions to their table.

use super::failing::Failing;
use super::*;

#[test]
fn a_flush_writes_sessions_and_checkpoint_together() {
    let folder = tempfile::tempdir().unwrap();
    let first = record("e0", &act("add_to_cart", &["a"]), NOW);
    let second = record("e1", &act("add_to_cart", &["b"]), NOW);
    {
        let sessions = Sessions::new(table(&folder), 1000);
        sessions.apply(at(0), &first).unwrap();
        sessions.advance(3, 1.into());
        assert_eq!(sessions.flush().unwrap(), 1);
        assert_eq!(sessions.flush().unwrap(), 0);
        // Applied but not flushed: the process dies here.
        sessions.apply(at(1), &second).unwrap();
        sessions.advance(3, 2.into());
    }
    let sessions = Sessions::new(table(&folder), 1000);
    assert_eq!(sessions.checkpoint(3).unwrap(), 1);
    assert_eq!(cart(&sessions.session(&user("u"), NOW).unwrap().unwrap()).len(), 1);
    // A replay from before the checkpoint skips the first record and applies the second.
    sessions.apply(at(0), &first).unwrap();
    let session = sessions.apply(at(1), &second).unwrap();
    assert_eq!(cart(&session), [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    assert_eq!(session.events, 2);
}

#[test]
fn sessions_of_a_failed_flush_are_written_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let inner = table(&folder);
    let failing = Arc::new(Failing::new(Arc::clone(&inner)));
    let sessions = Sessions::new(failing.clone(), 64);
    sessions.apply(at(0), &record("e0", &act("add_to_cart", &["a"]), NOW)).unwrap();
    sessions.advance(3, 1.into());
    assert!(sessions.flush().is_err());
    assert_eq!(inner.checkpoint(3).unwrap(), 0);
    failing.set(false);
    assert_eq!(sessions.flush().unwrap(), 1);
    assert_eq!(inner.checkpoint(3).unwrap(), 1);
    assert_eq!(inner.session(&user("u")).unwrap().unwrap().events, 1);
}

#[test]
fn sessions_are_not_ready_once_too_many_are_unwritten() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = Sessions::new(Arc::new(Failing::new(table(&folder))), 64);
    sessions.set_caught_up();
    assert!(sessions.is_ready());
    let failure = (0..1000_u64).find(|&n| {
        let body = json!({"user_id": n, "event": "view", "product_ids": ["a"]});
        sessions.apply(at(n), &record("e", &body, NOW)).is_err()
    });
    assert_eq!(failure, Some(64));
    assert!(!sessions.is_ready());
}

#[tokio::test]
async fn a_flush_is_due_long_before_too_many_sessions_are_unwritten() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = Sessions::new(table(&folder), 64);
    let flush_due = || tokio::time::timeout(std::time::Duration::ZERO, sessions.flush_due());
    for (round, flushes) in [(0, true), (1, true), (2, false)] {
        for n in 0..16_u64 {
            assert!(flush_due().await.is_err(), "{n} of round {round}");
            let body = json!({"user_id": n, "event": "view", "product_ids": ["a"]});
            // Many changes of one user count as one unwritten session.
            for change in 0..3 {
                let position = at(round * 1000 + n * 3 + change);
                sessions.apply(position, &record("e", &body, NOW)).unwrap();
            }
        }
        assert!(flush_due().await.is_ok(), "round {round}");
        if flushes {
            assert_eq!(sessions.flush().unwrap(), 16);
        }
    }
}
