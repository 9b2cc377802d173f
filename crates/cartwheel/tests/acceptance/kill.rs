//! kill -9 and SIGTERM under load: no acknowledged event is lost or duplicated in the lake.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::shop::{Server, delivered, request, shop, wait_for_delivery};
use serde_json::json;

/// The ids of acknowledged events.
type Journal = Arc<Mutex<BTreeSet<String>>>;

/// Four clients that send events until the server is gone, or refuses them because it ends.
fn clients(server: &Server, round: u64, journal: &Journal) -> Vec<JoinHandle<()>> {
    let client = |client| {
        let (address, journal) = (server.address.clone(), journal.clone());
        std::thread::spawn(move || {
            for n in 0..100_000 {
                let id = format!("{round}-{client}-{n}");
                let body = json!({"user_id": format!("u{}", n % 7), "event": "view",
                                  "product_ids": ["1"], "event_id": id});
                let answer = request(&address, "POST", "/submit", Some(&body.to_string()));
                match answer {
                    Some((200, _)) => journal.lock().unwrap().insert(id),
                    None | Some((503, _)) => return,
                    Some((status, problem)) => panic!("{status}: {problem}"),
                };
            }
        })
    };
    (0..4).map(client).collect()
}

/// Checks that each acknowledged event is in the lake, and no event twice.
fn check(data: &Path, acknowledged: &BTreeSet<String>) {
    assert!(acknowledged.len() > 100, "it was under load: {}", acknowledged.len());
    let server = Server::start(data);
    wait_for_delivery(data, acknowledged.len());
    server.stop();
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    delivered(data, "event_id").into_iter().for_each(|id| *rows.entry(id).or_default() += 1);
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !rows.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {:?}", lost.len(), acknowledged.len(), lost.first());
    let doubled: Vec<_> = rows.iter().filter(|row| *row.1 > 1).collect();
    assert!(doubled.is_empty(), "{} rows stand twice: {:?}", doubled.len(), doubled.first());
}

#[test]
fn five_kills_lose_and_duplicate_no_event() {
    let data = shop();
    let acknowledged = Journal::default();
    for round in 0..5_u64 {
        let mut server = Server::start(data.path());
        let clients = clients(&server, round, &acknowledged);
        // After the first delivery in some rounds, before it in others.
        std::thread::sleep(Duration::from_millis(400 + 331 * round));
        server.kill();
        clients.into_iter().for_each(|c| c.join().unwrap());
    }
    check(data.path(), &acknowledged.lock().unwrap());
}

#[test]
fn a_server_that_is_asked_to_end_does_so_in_time_and_loses_nothing() {
    let data = shop();
    // Compaction is nearly always running, and takes up one part after another.
    std::fs::write(data.path().join("cartwheel.toml"), "[lake]\ncompact_seconds = 1\n").unwrap();
    let acknowledged = Journal::default();
    for round in 0..3_u64 {
        let server = Server::start(data.path());
        let clients = clients(&server, round, &acknowledged);
        std::thread::sleep(Duration::from_millis(2000 + 331 * round));
        let asked = Instant::now();
        server.stop();
        assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
        clients.into_iter().for_each(|c| c.join().unwrap());
    }
    check(data.path(), &acknowledged.lock().unwrap());
}
