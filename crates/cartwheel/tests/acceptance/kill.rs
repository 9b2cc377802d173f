//! kill -9 under load: no acknowledged event is lost or duplicated in the lake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::shop::{Server, delivered, request, shop, wait_for_delivery};
use serde_json::json;

#[test]
fn five_kills_lose_and_duplicate_no_event() {
    let data = shop();
    let acknowledged: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    for round in 0..5_u64 {
        let mut server = Server::start(data.path());
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let (address, journal) = (server.address.clone(), acknowledged.clone());
                std::thread::spawn(move || {
                    for n in 0..100_000 {
                        let id = format!("{round}-{client}-{n}");
                        let body = json!({"user_id": format!("u{}", n % 7), "event": "view",
                                          "product_ids": ["1"], "event_id": id});
                        let answer = request(&address, "POST", "/submit", Some(&body.to_string()));
                        match answer {
                            Some((200, _)) => journal.lock().unwrap().insert(id),
                            Some((status, problem)) => panic!("{status}: {problem}"),
                            None => return,
                        };
                    }
                })
            })
            .collect();
        // After the first delivery in some rounds, before it in others.
        std::thread::sleep(Duration::from_millis(400 + 331 * round));
        server.kill();
        clients.into_iter().for_each(|c| c.join().unwrap());
    }
    let acknowledged = acknowledged.lock().unwrap();
    assert!(acknowledged.len() > 100, "it was under load: {}", acknowledged.len());
    let server = Server::start(data.path());
    wait_for_delivery(data.path(), acknowledged.len());
    server.stop();
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    delivered(data.path(), "event_id").into_iter().for_each(|id| *rows.entry(id).or_default() += 1);
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !rows.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {:?}", lost.len(), acknowledged.len(), lost.first());
    let doubled: Vec<_> = rows.iter().filter(|row| *row.1 > 1).collect();
    assert!(doubled.is_empty(), "{} rows stand twice: {:?}", doubled.len(), doubled.first());
}
