//! Recent events make the same sessions whether they are imported, backfilled or live.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, wait_until};

const HOUR_MS: i64 = 3_600_000;

/// The events of two shoppers, by time; the first one is older than a session.
fn history() -> Vec<Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_ms = i64::try_from(now.as_millis()).unwrap();
    let event = |id: &str, hours: i64, kind: &str, product: &str, quantity: u32| {
        json!({"event_id": id, "user_id": "ann", "event": kind, "timestamp": now_ms - hours * HOUR_MS,
            "items": [{"product_id": product, "quantity": quantity}]})
    };
    let mut events = vec![
        event("e0", 9 * 24, "view", "old", 1),
        event("e1", 72, "view", "tea", 1),
        event("e2", 71, "add_to_cart", "tea", 2),
        event("e3", 70, "checkout", "tea", 2),
        event("e4", 30, "view", "jam", 1),
        event("e5", 29, "add_to_cart", "jam", 1),
        event("e6", 28, "remove_from_cart", "jam", 1),
        event("e7", 2, "add_to_cart", "milk", 3),
        event("g1", 50, "add_to_cart", "nut", 1),
        event("g2", 40, "view", "nut", 1),
    ];
    for event in events.iter_mut().rev().take(2) {
        event.as_object_mut().unwrap().remove("user_id");
        event["anonymous_id"] = json!("visitor-1");
    }
    // A login in the past moves no cart.
    events.last_mut().unwrap()["user_id"] = json!("bob");
    events
}

/// The events as a file of a shop.
fn table(events: &[Value]) -> String {
    let mut text = "event_id,user_id,anonymous_id,event,sku,qty,time\n".to_owned();
    for event in events {
        let cell = |name: &str| event[name].as_str().unwrap_or_default();
        let item = &event["items"][0];
        text += &format!(
            "{},{},{},{},{},{},{}\n",
            cell("event_id"),
            cell("user_id"),
            cell("anonymous_id"),
            cell("event"),
            item["product_id"].as_str().unwrap(),
            item["quantity"],
            event["timestamp"]
        );
    }
    text
}

fn session(server: &Server, user: &str) -> Value {
    server.get(&format!("/v1/users/{user}")).unwrap().1["session"].clone()
}

fn sessions(server: &Server) -> [Value; 3] {
    ["ann", "bob", "~visitor-1"].map(|user| session(server, user))
}

/// A session without the times.
fn timeless(mut session: Value) -> Value {
    session["updated_ms"] = Value::Null;
    for list in ["views", "cart_changes", "checkouts", "searches"] {
        for entry in session[list].as_array_mut().unwrap() {
            entry.as_object_mut().unwrap().retain(|name, _| !name.ends_with("at_ms"));
        }
    }
    session
}

#[test]
fn imported_backfilled_and_live_events_make_the_same_sessions() {
    let events = history();
    let data = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let import = |at: usize, events: &[Value], name: &str| {
        std::fs::write(data[at].path().join(name), table(events)).unwrap();
        cartwheel(data[at].path(), &["import", "events", name, "--append"]).unwrap();
    };
    // Imported before the server starts, and while it runs.
    import(0, &events[..5], "first.csv");
    let imported = Server::start(data[0].path());
    assert_eq!(session(&imported, "ann")["checkouts"].as_array().unwrap().len(), 1);
    import(0, &events, "all.csv");
    wait_until("a running server takes an import into the sessions", || {
        session(&imported, "ann")["cart"][0]["product_id"] == "milk"
    });

    let backfilled = Server::start(data[1].path());
    let answer = backfilled.post("/v1/events?backfill=true", &json!(events)).unwrap().1;
    assert_eq!(answer["failed_count"], 0, "{answer}");
    let expected = sessions(&backfilled);
    assert_eq!(expected[0]["cart"][0]["quantity"], 3);
    assert_eq!((&expected[0]["events"], &expected[2]["events"]), (&json!(7), &json!(1)));
    assert_eq!(sessions(&imported), expected);

    let live = Server::start(data[2].path());
    for event in &events[1..8] {
        live.submit(event);
    }
    assert_eq!(timeless(session(&live, "ann")), timeless(expected[0].clone()));

    // The same event again is the same event.
    let again = imported
        .submit(&json!({"event_id": "e7", "user_id": "ann", "event": "add_to_cart",
        "product_ids": ["milk"], "source": "web"}));
    assert_eq!(
        (&again["message"], &again["record_id"]),
        (&json!("The event was stored before."), &Value::Null)
    );
    imported.stop();
    let imported = Server::start(data[0].path());
    assert_eq!(sessions(&imported), expected);
}
