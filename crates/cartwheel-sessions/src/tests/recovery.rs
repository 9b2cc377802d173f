//! Failing tables, damaged files and erased users.

use super::failing::Failing;
use super::*;

/// Tells whether the file contains a text.
fn contains(path: &std::path::Path, text: &str) -> bool {
    std::fs::read(path).unwrap().windows(text.len()).any(|w| w == text.as_bytes())
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn sessions_recover_from_a_failing_table_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let failing = Arc::new(Failing::new(table(&folder)));
    // No more than 64 sessions may be unwritten, and no commit succeeds.
    let sessions = Arc::new(Sessions::new(failing.clone(), 64));
    let stream = Arc::new(MemoryStream::new(2));
    let records = (0..200).map(|n| event_record(&format!("u{n}"), &n.to_string(), "view"));
    stream.put(records.collect()).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move { drop(stopped.await) };
    let stream: Arc<dyn Stream> = stream;
    let floor = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let reported = Arc::clone(&floor);
    let task = tokio::spawn(consume_sessions(
        stream.clone(),
        Arc::clone(&sessions),
        Clock::fixed(NOW),
        move |next| reported.lock().push(next),
        shutdown,
    ));
    until(|| floor.lock().len() > 1).await;
    assert!(!sessions.is_ready() && !task.is_finished());
    failing.set(false);
    until(|| sessions.is_ready()).await;
    for n in 0..200 {
        let session = sessions.session(&user(&format!("u{n}")), NOW).unwrap();
        assert_eq!(session.unwrap().events, 1, "u{n}");
    }
    // The table fails again while the consumer follows the stream.
    failing.set(true);
    let records = (0..200).map(|n| event_record(&format!("u{n}"), &format!("2-{n}"), "view"));
    stream.put(records.collect()).await;
    until(|| !sessions.is_ready()).await;
    failing.set(false);
    until(|| sessions.is_ready()).await;
    for n in 0..200 {
        let session = sessions.session(&user(&format!("u{n}")), NOW).unwrap();
        assert_eq!(session.unwrap().events, 2, "u{n}");
    }
    stop.send(()).unwrap();
    task.await.unwrap().unwrap();
    let floors = floor.lock();
    assert_eq!(floors[0], 0);
    assert!(floors.is_sorted(), "{floors:?}");
}

#[tokio::test]
async fn a_damaged_file_is_moved_aside_and_rebuilt_from_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.redb");
    for damage in 0..3 {
        let stream = Arc::new(MemoryStream::new(1));
        stream.put(vec![event_record("u", "1", "add_to_cart")]).await;
        let sessions = Arc::new(Sessions::new(table(&folder), 1000));
        consume(&stream, &sessions, || sessions.is_ready()).await;
        drop(sessions);
        let mut bytes = std::fs::read(&path).unwrap();
        match damage {
            0 => bytes.fill(7),
            1 => bytes[64..4096].fill(0xff),
            _ => bytes.truncate(100),
        }
        std::fs::write(&path, bytes).unwrap();
        let sessions = Arc::new(Sessions::new(table(&folder), 1000));
        consume(&stream, &sessions, || sessions.is_ready()).await;
        let session = sessions.session(&user("u"), NOW).unwrap().unwrap();
        assert_eq!(cart(&session), [("a".to_owned(), 1)], "damage {damage}");
        assert!(path.with_extension("damaged").exists());
    }
}

#[tokio::test]
async fn an_erased_user_is_hidden_from_a_replay_and_purged_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.redb");
    let stream = Arc::new(MemoryStream::new(1));
    for id in ["1", "2"] {
        stream.put(vec![event_record("alice", id, "add_to_cart")]).await;
    }
    stream.put(vec![event_record("bob", "3", "add_to_cart")]).await;
    // Erased before the consumer has read her records, as after a crash.
    let sessions = Arc::new(Sessions::new(table(&folder), 1000));
    sessions.erase(&user("alice"), 2.into(), NOW).unwrap();
    consume(&stream, &sessions, || sessions.is_ready()).await;
    let events = |name| sessions.session(&user(name), NOW).unwrap().map_or(0, |s| s.events);
    assert_eq!((events("alice"), events("bob")), (0, 1));
    assert!(contains(&path, "alice"));
    sessions.purge(NOW).unwrap();
    assert!(!contains(&path, "alice") && contains(&path, "bob"));
    // She may return: her session then contains the new records only.
    stream.put(vec![event_record("alice", "4", "add_to_cart")]).await;
    consume(&stream, &sessions, || sessions.is_ready() && events("alice") > 0).await;
    assert_eq!((events("alice"), events("bob")), (1, 1));
    sessions.purge(NOW).unwrap();
    assert!(contains(&path, "alice"));
}

#[tokio::test]
async fn an_erasure_that_cannot_be_written_outlives_a_replay() {
    let folder = tempfile::tempdir().unwrap();
    let failing = Arc::new(Failing::new(table(&folder)));
    failing.set(false);
    let stream = Arc::new(MemoryStream::new(1));
    stream.put(vec![event_record("alice", "1", "view")]).await;
    let sessions = Arc::new(Sessions::new(failing.clone(), 1000));
    consume(&stream, &sessions, || sessions.is_ready()).await;
    stream.put(vec![event_record("alice", "2", "view")]).await;
    failing.set(true);
    sessions.erase(&user("alice"), 2.into(), NOW).unwrap_err();
    stream.put(vec![event_record("alice", "3", "view")]).await;
    failing.set(false);
    // The consumer forgets what is in memory, and begins at the table's checkpoint.
    sessions.reset();
    consume(&stream, &sessions, || sessions.is_ready()).await;
    sessions.flush().unwrap();
    let seen = || {
        let session = sessions.session(&user("alice"), NOW).unwrap().unwrap();
        (session.events, session.erased_ms)
    };
    assert_eq!(seen(), (1, Some(NOW)));
    // Once it is written, the table alone knows it.
    sessions.reset();
    assert_eq!(seen(), (1, Some(NOW)));
}
