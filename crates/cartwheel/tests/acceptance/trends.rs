//! What trends, and what exploration has learned, across kill -9.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::shop::{Server, request, shop, wait_until};

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

/// Trials and clicks of each product that was explored.
type Learned = BTreeMap<String, (u64, u64)>;

fn learned(server: &Server) -> Learned {
    let (status, quality) = server.get("/v1/quality").expect("an answer");
    assert_eq!(status, 200, "{quality}");
    let products = quality["exploration"]["products"].as_array().unwrap().iter();
    let number = |value: &Value| value.as_u64().unwrap();
    let of = |product: &Value| {
        let id = product["product_id"].as_str().unwrap().to_owned();
        (id, (number(&product["trials"]), number(&product["clicks"])))
    };
    products.map(of).collect()
}

/// Waits until the server has counted what was expected, and no more.
fn wait_for(server: &Server, expected: &Learned) {
    let start = Instant::now();
    while learned(server) != *expected {
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}: {expected:?}", learned(server));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Shows each shopper a list that explores, and waits until the server knows. Then each shopper
/// views the first explored product.
fn explore(server: &Server, shoppers: std::ops::Range<u32>, expected: &mut Learned) {
    let mut views = Vec::new();
    for shopper in shoppers {
        let shopper = format!("e{shopper}");
        let (status, answer) =
            server.post("/v1/placements/home", &json!({"user_id": shopper})).expect("an answer");
        assert_eq!(status, 200, "{answer}");
        let items = answer["recommendations"].as_array().unwrap().iter();
        let explored = items.filter(|item| item["propensity"].is_number());
        let ids: Vec<&str> = explored.map(|item| item["product_id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 2, "{answer}");
        ids.iter().for_each(|id| expected.entry((*id).to_owned()).or_default().0 += 1);
        views.push(json!({"user_id": shopper, "event": "view", "product_ids": [ids[0]],
                          "recommendation_id": answer["recommendation_id"]}));
    }
    wait_for(server, expected);
    for view in views {
        server.submit(&view);
        expected.get_mut(view["product_ids"][0].as_str().unwrap()).unwrap().1 += 1;
    }
    wait_for(server, expected);
}

#[test]
fn a_killed_server_counts_every_trial_once() {
    let data = shop();
    let mut server = Server::start(data.path());
    // Few enough products that /v1/quality lists all of them.
    let (_, popular) = server.get("/v1/popular?limit=12").expect("an answer");
    let popular = popular["recommendations"].as_array().unwrap().iter();
    let ids: Vec<String> =
        popular.map(|item| format!("product_id = {}", item["product_id"])).collect();
    let placement = json!({"kind": "popular", "limit": 6, "explore": {"slots": 2},
                           "filter": ids.join(" or ")});
    let put = request(&server.address, "PUT", "/v1/placements/home", Some(&placement.to_string()));
    assert_eq!(put.unwrap().0, 200);

    let mut expected = Learned::new();
    explore(&server, 0..10, &mut expected);
    wait_until("the counts are stored", || data.path().join("trends.bin").exists());
    // These follow the stored counts.
    explore(&server, 10..25, &mut expected);
    server.kill();

    let server = Server::start(data.path());
    wait_for(&server, &expected);
    explore(&server, 25..30, &mut expected);
    server.stop();
}
