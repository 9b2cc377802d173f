//! Stores that fail, files that are damaged, and users who are to be forgotten.

use super::*;

/// Reads `path` whole and looks for a text in it.
fn holds(path: &std::path::Path, text: &str) -> bool {
    std::fs::read(path).unwrap().windows(text.len()).any(|w| w == text.as_bytes())
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_store_that_failed_is_caught_up_with_and_nobody_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let failing = Arc::new(Failing(store(&folder), AtomicBool::new(true)));
    // No more than 64 may wait to be written, which they do in vain.
    let sessions = Arc::new(Sessions::new(failing.clone(), 64));
    let stream = Arc::new(MemoryStream::new(2));
    let records = (0..200).map(|n| event_record(&format!("u{n}"), &n.to_string(), "view"));
    stream.put(records.collect()).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move { drop(stopped.await) };
    let stream: Arc<dyn Stream> = stream;
    let floor = Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = Arc::clone(&floor);
    let task = tokio::spawn(consume_sessions(
        stream.clone(),
        Arc::clone(&sessions),
        || NOW,
        move |next| told.lock().unwrap().push(next),
        shutdown,
    ));
    until(|| floor.lock().unwrap().len() > 1).await;
    assert!(!sessions.is_ready() && !task.is_finished());
    failing.1.store(false, Ordering::SeqCst);
    until(|| sessions.is_ready()).await;
    for n in 0..200 {
        let session = sessions.session(&user(&format!("u{n}")), NOW).unwrap();
        assert_eq!(session.unwrap().events, 1, "u{n}");
    }
    // It fails again while it follows, and catches up again.
    failing.1.store(true, Ordering::SeqCst);
    let records = (0..200).map(|n| event_record(&format!("u{n}"), &format!("2-{n}"), "view"));
    stream.put(records.collect()).await;
    until(|| !sessions.is_ready()).await;
    failing.1.store(false, Ordering::SeqCst);
    until(|| sessions.is_ready()).await;
    for n in 0..200 {
        let session = sessions.session(&user(&format!("u{n}")), NOW).unwrap();
        assert_eq!(session.unwrap().events, 2, "u{n}");
    }
    stop.send(()).unwrap();
    task.await.unwrap().unwrap();
    let floors = floor.lock().unwrap();
    assert_eq!(floors[0], 0);
    assert!(floors.is_sorted(), "{floors:?}");
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_made_from_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.redb");
    for damage in 0..3 {
        let stream = Arc::new(MemoryStream::new(1));
        stream.put(vec![event_record("u", "1", "add_to_cart")]).await;
        let sessions = Arc::new(Sessions::new(store(&folder), 1000));
        consume(&stream, &sessions, || sessions.is_ready()).await;
        drop(sessions);
        let mut bytes = std::fs::read(&path).unwrap();
        match damage {
            0 => bytes.fill(7),
            1 => bytes[64..4096].fill(0xff),
            _ => bytes.truncate(100),
        }
        std::fs::write(&path, bytes).unwrap();
        let sessions = Arc::new(Sessions::new(store(&folder), 1000));
        consume(&stream, &sessions, || sessions.is_ready()).await;
        let session = sessions.session(&user("u"), NOW).unwrap().unwrap();
        assert_eq!(cart(&session), [("a".to_owned(), 1)], "damage {damage}");
        assert!(path.with_extension("damaged").exists());
    }
}

#[tokio::test]
async fn an_erased_user_is_hidden_from_a_replay_and_gone_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.redb");
    let stream = Arc::new(MemoryStream::new(1));
    for id in ["1", "2"] {
        stream.put(vec![event_record("alice", id, "add_to_cart")]).await;
    }
    stream.put(vec![event_record("bob", "3", "add_to_cart")]).await;
    // Erased before the consumer has come to her records, as after a crash.
    let sessions = Arc::new(Sessions::new(store(&folder), 1000));
    sessions.erase(&user("alice"), 2.into()).unwrap();
    consume(&stream, &sessions, || sessions.is_ready()).await;
    let events = |name| sessions.session(&user(name), NOW).unwrap().map_or(0, |s| s.events);
    assert_eq!((events("alice"), events("bob")), (0, 1));
    assert!(holds(&path, "alice"));
    sessions.purge(NOW).unwrap();
    assert!(!holds(&path, "alice") && holds(&path, "bob"));
    // She may come back, and then her session has what is new alone.
    stream.put(vec![event_record("alice", "4", "add_to_cart")]).await;
    consume(&stream, &sessions, || sessions.is_ready() && events("alice") > 0).await;
    assert_eq!((events("alice"), events("bob")), (1, 1));
    sessions.purge(NOW).unwrap();
    assert!(holds(&path, "alice"));
}
