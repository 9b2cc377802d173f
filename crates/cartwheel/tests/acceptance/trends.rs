//! What trends, across kill -9.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::shop::{Server, shop};

fn view(server: &Server, product: &str, shoppers: std::ops::Range<u32>) {
    for shopper in shoppers {
        let body = json!({"user_id": format!("t{shopper}"), "event": "view",
                          "product_ids": [product], "country": "AT"});
        server.submit(&body);
    }
}

/// The products that trend, with their shares; waits until `expected` holds.
fn trending(server: &Server, expected: impl Fn(&[(String, f64)]) -> bool) -> Vec<(String, f64)> {
    let start = Instant::now();
    loop {
        let (status, answer) = server.get("/v1/trending?window=1h&country=at").expect("an answer");
        assert_eq!(status, 200, "{answer}");
        let items = answer["recommendations"].as_array().unwrap();
        let trends =
            items.iter().filter(|item| item["reasons"][0] == "Many shoppers turn to it now");
        let of = |item: &Value| {
            (item["product_id"].as_str().unwrap().to_owned(), item["probability"].as_f64().unwrap())
        };
        let found: Vec<(String, f64)> = trends.map(of).collect();
        if expected(&found) {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{found:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_killed_server_counts_every_event_once() {
    let data = shop();
    let mut server = Server::start(data.path());
    view(&server, "1", 0..5);
    trending(&server, |found| found.len() == 1);
    let start = Instant::now();
    while !data.path().join("trends.bin").exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "the counts are stored");
        std::thread::sleep(Duration::from_millis(20));
    }
    // These follow the stored counts.
    view(&server, "1", 5..10);
    view(&server, "2", 0..3);
    // The shares of 10 views and of 3, which differ from those of any other numbers.
    let all_counted = |found: &[(String, f64)]| {
        found.len() == 2 && found[0].0 == "1" && (found[0].1 - 0.7045).abs() < 0.004
    };
    trending(&server, all_counted);
    server.kill();

    let server = Server::start(data.path());
    trending(&server, all_counted);
    view(&server, "2", 3..12);
    let last = trending(&server, |found| found[0].0 == "2");
    assert!(last[0].1 < 0.6, "12 views against 10: {last:?}");
    server.stop();
}
