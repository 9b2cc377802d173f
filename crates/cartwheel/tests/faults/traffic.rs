//! Clients that send events until they are told to stop or the server is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::journal::Journal;
use crate::kit::{Answer, Client};

/// How long a client leaves a server alone that refused its events.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);

/// An event by one of 16 shoppers.
pub fn event(id: &str, n: u64) -> Value {
    let kind = if n.is_multiple_of(3) { "add_to_cart" } else { "view" };
    let product = (n % 200 + 1).to_string();
    json!({"event_id": id, "user_id": format!("u{}", n % 16), "event": kind,
           "product_ids": [product]})
}

/// Sends events, one to `/submit` or more to `/v1/events`, and notes what is answered.
///
/// # Errors
/// When the connection breaks off: nobody knows then what became of them.
pub fn send(client: &mut Client, journal: &Journal, ids: &[String], n: u64) -> Result<bool> {
    let events: Vec<Value> = ids.iter().zip(n..).map(|(id, n)| event(id, n)).collect();
    journal.entries().sent.extend(ids.iter().cloned());
    let answer = match events.as_slice() {
        [one] => client.post("/submit", one)?,
        many => client.post("/v1/events", &json!(many))?,
    };
    Ok(note(journal, ids, &answer))
}

/// Notes an answer to the events of these ids. Says whether all are stored.
pub fn note(journal: &Journal, ids: &[String], answer: &Answer) -> bool {
    let mut entries = journal.entries();
    let body = answer.json();
    let mut stored = true;
    for (at, id) in ids.iter().enumerate() {
        let problem = match answer.status {
            200 => body["records"].get(at).map_or(&Value::Null, |record| &record["error"]),
            _ => &body,
        };
        if answer.status == 200 && problem.is_null() {
            entries.acknowledged.insert(id.clone());
            continue;
        }
        stored = false;
        let status = problem["status"].as_u64().unwrap_or_else(|| answer.status.into());
        *entries.refused.entry(status as u16).or_default() += 1;
        // A batch is answered as a whole: its problems have no headers of their own.
        let again = answer.status == 200 || answer.header("retry-after").is_some();
        entries.retry_after += u64::from(again);
        entries.problem.get_or_insert_with(|| problem.to_string());
    }
    stored
}

/// Clients at work.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// One client for each size of batch; `name` tells their events from others'.
    pub fn start(address: &str, journal: &Journal, name: &str, batches: &[usize]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |(number, &batch): (usize, &usize)| {
            let (address, journal) = (address.to_owned(), journal.clone());
            let (stop, name) = (stop.clone(), format!("{name}-{number}"));
            std::thread::spawn(move || {
                let Ok(mut client) = Client::connect(&address) else { return };
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    let ids: Vec<String> =
                        (n..).take(batch).map(|n: u64| format!("{name}-{n}")).collect();
                    match send(&mut client, &journal, &ids, n) {
                        Ok(true) => {}
                        Ok(false) => std::thread::sleep(REFUSED_PAUSE),
                        Err(_) => return,
                    }
                    n += batch as u64;
                }
            })
        };
        let clients = batches.iter().enumerate().map(client).collect();
        Self { stop, clients }
    }

    /// Lets them end their last requests.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            // A client that panicked has a bug, and the row with it.
            client.join().expect("a client ends");
        }
    }
}
