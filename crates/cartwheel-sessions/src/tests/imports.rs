//! Imported events of the last seven days enter the sessions.

use parking_lot::Mutex;

use super::*;
use crate::imports::add_imports;

const HOUR: i64 = 3_600_000;

fn of(shopper: &str, id: &str, kind: &str, product: &str, at_ms: i64) -> EventRecord {
    EventRecord { user_id: user(shopper), ..record(id, &act(kind, &[product]), at_ms) }
}

/// A session without the traces of the stream, which an import does not leave.
fn content(session: &Session) -> Session {
    let mut content = Session { next_sequence: Sequence::default(), ..session.clone() };
    content.recent_events.iter_mut().for_each(|recent| recent.position = None);
    content
}

proptest! {
    /// Imported events make the session that they make live, and never twice, whatever the order
    /// and whether they come again.
    #[test]
    fn an_import_equals_live_events(
        acts in prop::collection::vec((0..6_usize, 0..6_u8), 1..60),
        again in 0..60_usize,
    ) {
        let kinds =
            ["view", "add_to_cart", "remove_from_cart", "update_cart", "checkout", "search"];
        let (mut live, mut imported) = (Session::default(), Session::default());
        let mut records = Vec::new();
        for (n, &(kind, product)) in acts.iter().enumerate() {
            let at_ms = NOW - (acts.len() - n) as i64 * HOUR / 3;
            records.push(of("u", &format!("e{n}"), kinds[kind], &format!("p{product}"), at_ms));
        }
        for (n, record) in records.iter().enumerate() {
            live.apply(at(n as u64), record);
            prop_assert!(imported.apply_imported(record, NOW));
            if n == again {
                for record in &records[..=n] {
                    prop_assert!(!imported.apply_imported(record, NOW));
                }
            }
        }
        prop_assert_eq!(content(&live), content(&imported));
        // An export holds the live events too.
        let before = live.clone();
        for record in &records {
            prop_assert!(!live.apply_imported(record, NOW));
        }
        prop_assert_eq!(before, live);
    }
}

#[test]
fn an_imported_event_that_is_sent_again_is_recognized_by_its_id() {
    let mut session = Session::default();
    session.apply_imported(&record("e1", &act("add_to_cart", &["a"]), NOW - HOUR), NOW);
    let stored = serde_json::to_vec(&session).unwrap();
    let session: Session = serde_json::from_slice(&stored).unwrap();
    let recent = session.recent("e1", NOW).unwrap();
    assert_eq!(recent.position, None);
    assert!(recent.repeats(&event(&json!({"user_id": "u", "event": "add_to_cart",
        "product_ids": ["a"], "source": "web"}))));
}

#[test]
fn an_old_event_and_the_past_of_a_session_change_no_cart() {
    let mut session = Session::default();
    let old = record("e0", &act("add_to_cart", &["a"]), NOW - SESSION_MS - 1);
    assert!(!session.apply_imported(&old, NOW));
    assert_eq!(session, Session::default());
    session.apply(at(4), &record("e1", &act("add_to_cart", &["milk"]), NOW - HOUR));
    for (id, kind) in [("e2", "add_to_cart"), ("e3", "view"), ("e4", "checkout")] {
        assert!(session.apply_imported(&record(id, &act(kind, &["tea"]), NOW - 2 * HOUR), NOW));
    }
    assert_eq!(cart(&session), [("milk".to_owned(), 1)]);
    assert_eq!((session.views.len(), session.checkouts.len()), (1, 1));
    assert_eq!((session.next_sequence, session.updated_ms), (5.into(), NOW - HOUR));
}

/// Imports that tests add, and how often each was read.
#[derive(Default)]
struct Imports {
    imports: Mutex<Vec<(String, Vec<ShopperEvents>)>>,
    reads: Mutex<Vec<String>>,
    /// Shoppers after whom the next read fails.
    fails_after: Mutex<Option<usize>>,
}

impl Imports {
    /// Adds an import in which `users` shoppers put a product into the cart.
    fn add(&self, id: &str, users: usize) {
        let shopper = |n| {
            let name = format!("u{n}");
            let event = of(&name, &format!("{id}-{n}"), "add_to_cart", id, NOW - HOUR);
            ShopperEvents { user_id: user(&name), events: vec![event] }
        };
        self.imports.lock().push((id.to_owned(), (0..users).map(shopper).collect()));
    }
}

impl ImportedEvents for Imports {
    fn ids(&self) -> Result<Vec<String>, String> {
        Ok(self.imports.lock().iter().map(|(id, _)| id.clone()).collect())
    }

    fn read(
        &self,
        id: &str,
        from_ms: i64,
        each: &mut dyn FnMut(ShopperEvents) -> bool,
    ) -> Result<(), String> {
        assert_eq!(from_ms, NOW - SESSION_MS);
        self.reads.lock().push(id.to_owned());
        let of_id = |(import, _): &&(String, Vec<ShopperEvents>)| import == id;
        let shoppers = self.imports.lock().iter().find(of_id).unwrap().1.clone();
        let fails_after = self.fails_after.lock().take();
        for (n, shopper) in shoppers.into_iter().enumerate() {
            if fails_after == Some(n) {
                return Err("a part was replaced".to_owned());
            }
            if !each(shopper) {
                break;
            }
        }
        Ok(())
    }
}

fn with(folder: &tempfile::TempDir, imports: &Arc<Imports>) -> Arc<Sessions> {
    let imports = Arc::clone(imports) as Arc<dyn ImportedEvents>;
    Arc::new(Sessions::new(table(folder), 64).with_imports(imports))
}

fn cart_of(sessions: &Sessions, name: &str) -> Vec<String> {
    let session = sessions.session(&user(name), NOW).unwrap();
    session.iter().flat_map(|s| s.cart_products()).map(|id| id.to_string()).collect()
}

#[tokio::test]
async fn imports_are_in_the_sessions_before_events_are_accepted_and_as_they_appear() {
    let folder = tempfile::tempdir().unwrap();
    let (stream, imports) = (Arc::new(MemoryStream::new(2)), Arc::new(Imports::default()));
    stream.put(vec![event_record("u0", "live", "add_to_cart")]).await;
    // More shoppers than memory may hold unwritten, and some batches.
    imports.add("first", 700);
    let sessions = with(&folder, &imports);
    consume(&stream, &sessions, || sessions.is_ready()).await;
    assert_eq!(cart_of(&sessions, "u699"), ["first"]);
    // The live event is newer: the cart of the past stays out.
    assert_eq!(cart_of(&sessions, "u0"), ["a"]);
    drop(sessions);
    let sessions = with(&folder, &imports);
    imports.add("second", 3);
    consume(&stream, &sessions, || sessions.is_ready()).await;
    // One that appears later, as the consumer adds it.
    imports.add("third", 5);
    add_imports(&sessions, &Clock::fixed(NOW), false).await.unwrap();
    assert_eq!(cart_of(&sessions, "u4"), ["first", "third"]);
    assert_eq!(cart_of(&sessions, "u2"), ["first", "second", "third"]);
    assert_eq!(*imports.reads.lock(), ["first", "second", "third"]);
    // Imports that are gone are forgotten.
    imports.imports.lock().remove(0);
    add_imports(&sessions, &Clock::fixed(NOW), false).await.unwrap();
    assert_eq!(sessions.table().imports().unwrap(), ["second", "third"]);
}

#[tokio::test]
async fn an_import_that_was_interrupted_is_added_again_without_harm() {
    let folder = tempfile::tempdir().unwrap();
    let (stream, imports) = (Arc::new(MemoryStream::new(1)), Arc::new(Imports::default()));
    imports.add("only", 500);
    *imports.fails_after.lock() = Some(300);
    let sessions = with(&folder, &imports);
    // A failure delays no event. A crash follows.
    consume(&stream, &sessions, || sessions.is_ready()).await;
    assert_eq!(
        (cart_of(&sessions, "u0"), cart_of(&sessions, "u400")),
        (vec!["only".into()], vec![])
    );
    drop(sessions);
    let sessions = with(&folder, &imports);
    consume(&stream, &sessions, || sessions.is_ready()).await;
    assert_eq!(imports.reads.lock().len(), 2);
    for n in 0..500 {
        let session = sessions.session(&user(&format!("u{n}")), NOW).unwrap().unwrap();
        assert_eq!((session.events, session.cart[0].quantity), (1, 1), "u{n}");
    }
}

#[tokio::test]
async fn imported_events_of_before_an_erasure_stay_out() {
    let folder = tempfile::tempdir().unwrap();
    let (stream, imports) = (Arc::new(MemoryStream::new(1)), Arc::new(Imports::default()));
    imports.add("only", 3);
    let sessions = with(&folder, &imports);
    sessions.erase(&user("u1"), 0.into(), NOW - HOUR).unwrap();
    assert_eq!(sessions.sweep(None, 10, NOW).unwrap(), None);
    sessions.reset();
    consume(&stream, &sessions, || sessions.is_ready()).await;
    let carts = ["u0", "u1", "u2"].map(|name| cart_of(&sessions, name).len());
    assert_eq!(carts, [1, 0, 1]);
    // Nothing is older than the erasure and still enters a session: its trace can go.
    sessions.sweep(None, 10, NOW - HOUR + SESSION_MS + 1).unwrap();
    assert_eq!(table(&folder).session(&user("u1")).ok().flatten(), None);
}
