//! Earlier answers are computed again, and are the same to the last digit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, request, shop, wait_for_delivery, wait_until};

/// Answers of the busy hour.
const ANSWERS: usize = 1000;
const CLIENTS: usize = 4;
/// The shopper who is erased.
const ERASED: &str = "9";

/// The request number `n` of the busy hour, and its path.
fn ask(n: usize) -> (&'static str, Value) {
    let user = (n % 40 + 1).to_string();
    let product = (n * 7 % 200 + 1).to_string();
    let event = |kind: &str| json!({"user_id": user, "event": kind, "product_ids": [product]});
    match n % 12 {
        0 | 1 => ("/submit", event("view")),
        2 | 3 => ("/submit", event("add_to_cart")),
        4 => ("/submit", event("checkout")),
        5 => (
            "/submit",
            json!({"anonymous_id": format!("g{}", n % 30), "event": "view",
                                "product_ids": [product]}),
        ),
        6 => ("/v1/recommendations", json!({"user_id": user, "cart": [product, "2"], "limit": 25})),
        7 => (
            "/v1/recommendations",
            json!({"user_id": user, "filters": {"exclude_products": ["1", "3"]},
                   "filter": "not (department = context.unwanted)",
                   "context": {"unwanted": "snacks"}}),
        ),
        8 => ("/v1/placements/home", json!({"user_id": user, "page": "home"})),
        9 => ("/v1/placements/product", json!({"user_id": user, "product_id": product})),
        10 => (
            "/v1/page",
            json!({"user_id": user, "product_id": product, "placements": [
                {"name": "home"}, {"name": "product", "limit": 4}, {"name": "cart"}]}),
        ),
        _ if n % 24 == 11 => ("/v1/placements/home_trending", json!({"user_id": user})),
        _ => (
            "/v1/placements/category",
            json!({"user_id": user, "limit": 5, "products": [product, "8", "9", "20", "21", "22"]}),
        ),
    }
}

/// Every recommendation_id of an answer.
fn answers_of(answer: &Value) -> Vec<String> {
    let lists = answer["placements"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
    lists.iter().map(|list| list["recommendation_id"].as_str().unwrap().to_owned()).collect()
}

fn replay(server: &Server, id: &str) -> (u16, Value) {
    server.get(&format!("/v1/recommendations/{id}/replay")).unwrap()
}

/// The release that serves.
fn release(server: &Server) -> Value {
    server.get("/readyz").unwrap().1["engine"]["release"].clone()
}

/// The answers of a busy hour with those who got them: in the middle, another model is released, a
/// rule is stored, and products change.
fn busy_hour(data: &Path, server: &Server) -> Vec<(String, String)> {
    let first = release(server);
    let (next, is_deployed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let client = || {
        let mut answers = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::SeqCst);
            if n >= ANSWERS {
                return answers;
            }
            if n == ANSWERS / 3 {
                // The events so far make another feature set, once checkouts are in the lake.
                wait_for_delivery(data, ANSWERS / 12);
                cartwheel(data, &["features"]).unwrap();
                cartwheel(data, &["train"]).unwrap();
            }
            if n >= ANSWERS * 2 / 3 && !is_deployed.load(Ordering::SeqCst) {
                wait_until("the new release serves", || release(server) != first);
                is_deployed.store(true, Ordering::SeqCst);
            }
            if n == ANSWERS / 2 {
                let rule = json!({"rules": [{"id": "no-4", "products": {"ids": ["4", "5"]},
                    "action": {"kind": "block"}}, {"id": "pin", "products": {"ids": ["7"]},
                    "action": {"kind": "pin", "place": 2}}]});
                let file = data.join("rules.json");
                std::fs::write(&file, rule.to_string()).unwrap();
                cartwheel(data, &["rules", "apply", file.to_str().unwrap()]).unwrap();
            }
            if n % 50 == 0 {
                let product = json!({"name": format!("Fresh {n}"), "categories": ["produce", "new"],
                    "price": "2.50", "hidden": n % 100 == 0});
                let path = format!("/v1/products/{}", if n % 150 == 0 { n } else { n % 7 + 10 });
                let body = product.to_string();
                let put = request(&server.address, "PUT", &path, Some(&body)).unwrap();
                assert!(put.0 < 300, "{}", put.1);
            }
            let (path, body) = ask(n);
            let (status, answer) = server.post(path, &body).unwrap();
            assert_eq!(status, 200, "{path} {body}: {answer}");
            let user = body["user_id"].as_str().unwrap_or_default().to_owned();
            answers.extend(answers_of(&answer).into_iter().map(|id| (id, user.clone())));
        }
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

#[test]
fn the_answers_of_a_busy_hour_are_the_same_across_a_deployment_a_rule_and_an_erasure() {
    let data = shop();
    let server = Server::start(data.path());
    let answers = busy_hour(data.path(), &server);
    assert!(answers.len() >= ANSWERS, "{}", answers.len());
    let mut releases = BTreeMap::new();
    let (mut explained, mut moved, mut wrong) = (0, 0, Vec::new());
    for (id, _) in &answers {
        let (status, found) = replay(&server, id);
        if (status, found["outcome"].as_str()) != (200, Some("same")) {
            wrong.push(found);
            continue;
        }
        *releases.entry(found["release"].to_string()).or_insert(0) += 1;
        let places = found["places"].as_array().unwrap();
        explained += places.iter().filter(|place| place["explanation"].is_object()).count();
        moved += places.iter().filter(|place| place["again"]["rule"].is_string()).count();
    }
    println!("{} answers, {releases:?}, {explained} explained, {moved} moved", answers.len());
    assert!(wrong.is_empty(), "{} of {}: {:#}", wrong.len(), answers.len(), wrong[0]);
    assert_eq!(releases.len(), 2, "{releases:?}");
    assert!(explained > 1000 && moved > 100, "{explained} explained, {moved} moved");

    // An erasure also removes older feature sets with the shopper.
    let path = format!("/v1/users/{ERASED}");
    let (status, erased) = request(&server.address, "DELETE", &path, None).unwrap();
    assert!(status < 300, "{erased}");
    let mut outcomes = BTreeMap::new();
    for (id, user) in answers.iter().step_by(7).chain(answers.iter().filter(|a| a.1 == ERASED)) {
        let (status, found) = replay(&server, id);
        let outcome = if status == 404 { "unknown" } else { found["outcome"].as_str().unwrap() };
        *outcomes.entry(outcome.to_owned()).or_insert(0) += 1;
        let why = found["missing"][0].as_str().unwrap_or_default();
        let is_expected = match outcome {
            "erased" | "unknown" => user == ERASED,
            "same" => user != ERASED,
            // It may go while it is being opened.
            _ => why.contains("eature set"),
        };
        assert!(is_expected, "{user}: {found:#}");
    }
    println!("after the erasure: {outcomes:?}");
    server.stop();

    // The command does it without a server too.
    let mut newest = answers.iter().rev().filter(|(_, user)| user != ERASED);
    let text = newest.find_map(|(id, _)| cartwheel(data.path(), &["replay", id]).ok()).unwrap();
    assert!(text.contains("places are the same") && !text.contains(" NO "), "{text}");
}

#[test]
fn what_is_missing_is_named() {
    let data = shop();
    let server = Server::start(data.path());
    let ask = |path: &str, body: Value| {
        let (status, answer) = server.post(path, &body).unwrap();
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let home = ask("/v1/placements/home", json!({"user_id": "3"}));
    let ranked = ask("/v1/rank", json!({"user_id": "3", "products": ["1", "2", "3"]}));
    let id = |answer: &Value| answer["recommendation_id"].as_str().unwrap().to_owned();
    wait_until("the answer is stored", || replay(&server, &id(&home)).0 == 200);
    assert_eq!(replay(&server, &id(&home)).1["outcome"], "same");
    wait_until("the other one, too", || replay(&server, &id(&ranked)).0 == 200);
    let (_, found) = replay(&server, &id(&ranked));
    assert_eq!(found["outcome"], "incomplete");
    assert!(found["missing"][0].as_str().unwrap().contains("was not recorded"), "{found}");
    let (status, unknown) = replay(&server, "019ac5a2-7c1e-7d3f-9f0e-2b6f3c1d4e5a");
    assert_eq!(status, 404, "{unknown}");
    assert_eq!(replay(&server, "nonsense").0, 404);
    let answered = ask("/submit", json!({"user_id": "3", "event": "view", "product_ids": ["5"]}));
    wait_for_delivery(data.path(), 1);
    server.stop();

    // The session cannot be put together without its events.
    std::fs::remove_dir_all(data.path().join("lake/events")).unwrap();
    let error = cartwheel(data.path(), &["replay", &id(&answered)]).unwrap_err();
    assert!(error.contains("cannot be computed again"), "{error}");
    // Nor the answer without its release.
    let release = home["release"].as_str().unwrap();
    let (features, _) = release.split_once('+').unwrap();
    std::fs::rename(
        data.path().join("lake/features").join(features),
        data.path().join("lake/features/gone"),
    )
    .unwrap();
    let out = cartwheel(data.path(), &["--json", "replay", &id(&home)]);
    assert!(out.is_err(), "the exit code tells");
}
