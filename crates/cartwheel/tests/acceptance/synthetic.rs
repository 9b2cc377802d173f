//! The synthetic shop: imported as any shop's data is, and as the demo serves it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, ids};

const SIZE: [&str; 6] = ["--users", "200", "--products", "400", "--orders", "2400"];

fn json(text: Result<String, String>) -> Value {
    serde_json::from_str(&text.unwrap()).unwrap()
}

/// The events of an export, in order of time.
fn exported(events: &Value) -> Vec<&Value> {
    let mut events: Vec<&Value> = events.as_array().unwrap().iter().collect();
    events.sort_by_key(|event| event["received_at_ms"].as_i64());
    events
}

fn products(event: &Value) -> impl Iterator<Item = &str> {
    event["product_ids"].as_array().unwrap().iter().filter_map(Value::as_str)
}

#[test]
fn its_events_are_imported_with_visits_guests_and_returns() {
    let data = tempfile::tempdir().unwrap();
    let out = data.path().join("shop");
    let out = out.to_str().unwrap();
    let dated = ["--format", "events", "--until", "2026-01-31", "--out", out];
    let made = json(cartwheel(data.path(), &[&["--json", "generate"], &SIZE[..], &dated].concat()));
    let file = format!("{out}/events.csv");
    let done = json(cartwheel(data.path(), &["--json", "import", "events", &file]));
    assert_eq!((&done["orders"], &done["lines"]), (&json!(2400), &made["lines"]), "{done}");
    assert_eq!(done["rejected"], 0, "{done}");
    let assembled = &done["assembled"];
    assert!(assembled["returns"].as_u64().unwrap() > 50, "{done}");
    assert_eq!(assembled["returns"], assembled["returns_netted"], "{done}");
    assert_eq!(assembled["orders_undone"], 0, "{done}");

    let (mut visits, mut led, mut tied) = (0, 0, 0);
    for user in 1..=40 {
        let export = json(cartwheel(data.path(), &["users", "export", &user.to_string()]));
        let mut by_visit: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        let own = exported(&export["stored"]["events"]);
        let guests = export["stored"]["guests"].as_object().unwrap();
        tied += guests.len();
        let of_guests = guests.values().flat_map(|guest| exported(&guest["events"]));
        for event in own.iter().copied().chain(of_guests) {
            if let Some(visit) = event["session_id"].as_str() {
                by_visit.entry(visit).or_default().push(event);
            }
            if event["event"] == "checkout" {
                assert!(event["prices"].as_array().unwrap().iter().all(Value::is_f64), "{event}");
            }
        }
        for visit in by_visit.values_mut() {
            visit.sort_by_key(|event| event["received_at_ms"].as_i64());
            let at = |name: &str| visit.iter().position(|event| event["event"] == name);
            let Some(order) = at("checkout") else { continue };
            assert_eq!(order, visit.len() - 1, "an order ends its visit");
            let of = |name: &str| -> BTreeSet<&str> {
                let named = visit.iter().filter(|event| event["event"] == name);
                named.flat_map(|event| products(event)).collect()
            };
            let removed = of("remove_from_cart");
            let added: BTreeSet<&str> = of("add_to_cart").difference(&removed).copied().collect();
            assert_eq!(added, of("checkout"), "{visit:?}");
            visits += 1;
            led += usize::from(at("view").is_some_and(|view| view < order));
        }
    }
    assert!(visits > 60 && led * 2 > visits, "{led} of {visits} orders follow views");
    assert!(tied > 10, "{tied} guests are tied");
}

/// A guest looks at six products of a department: the list changes, and has more of that department.
fn six_views_change_the_answer(server: &Server, shown: &[Value]) {
    let mut departments: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for product in shown {
        let of_department = departments.entry(product["department"].as_str().unwrap()).or_default();
        of_department.push(product["product_id"].as_str().unwrap());
    }
    let wide = departments.iter().filter(|(_, products)| products.len() >= 8);
    let (mut rises, mut guests) = (0_i64, 0);
    for (department, products) in wide.take(8) {
        let guest = json!({"anonymous_id": format!("guest of {department}"), "limit": 20});
        let list = || {
            let (_, answer) = server.post("/v1/recommendations", &guest).unwrap();
            let items = answer["recommendations"].as_array().unwrap().clone();
            let of_department =
                items.iter().filter(|item| item["department"] == *department).count();
            (ids(&answer), of_department as i64)
        };
        let (before, share_before) = list();
        for product in &products[..6] {
            let anonymous = &guest["anonymous_id"];
            let view =
                json!({"anonymous_id": anonymous, "event": "view", "product_ids": [product]});
            assert_eq!(server.post("/submit", &view).unwrap().0, 200);
        }
        let (after, share_after) = list();
        assert_ne!(before, after, "{department}");
        assert!(
            share_after >= share_before,
            "{department}: {share_before} before, {share_after} after"
        );
        rises += share_after - share_before;
        guests += 1;
    }
    assert!(guests >= 3 && rises > guests, "{rises} more products in the lists of {guests} guests");
}

/// A guest searches for a department by its name: the next answer has more of that department.
fn a_search_changes_the_answer(server: &Server, shown: &[Value]) {
    let departments: BTreeSet<&str> =
        shown.iter().filter_map(|product| product["department"].as_str()).collect();
    let (mut rises, mut guests) = (0_i64, 0);
    for department in departments {
        let guest = format!("searcher of {department}");
        let count = |answer: &Value| {
            let items = answer["recommendations"].as_array().unwrap();
            items.iter().filter(|item| item["department"] == department).count() as i64
        };
        let body = json!({"anonymous_id": guest, "limit": 20});
        let before = count(&server.post("/v1/recommendations", &body).unwrap().1);
        let search = json!({"anonymous_id": guest, "event": "search", "query": department});
        assert_eq!(server.post("/submit", &search).unwrap().0, 200);
        let after = count(&server.post("/v1/recommendations", &body).unwrap().1);
        assert!(after >= before, "{department}: {before} before, {after} after");
        rises += after - before;
        guests += 1;
    }
    // At least every second guest sees one more.
    assert!(
        guests >= 3 && 2 * rises >= guests,
        "{rises} more products in the lists of {guests} guests"
    );
}

#[test]
fn the_demo_shows_prices_and_new_products_and_nothing_out_of_stock() {
    let data = tempfile::tempdir().unwrap();
    let settings = "[gate]\nmin_users = 5\n[train]\nrounds = 100\n";
    std::fs::write(data.path().join("cartwheel.toml"), settings).unwrap();
    let server = Server::spawn(data.path(), &[&["demo"], &SIZE[..]].concat());
    assert!(!data.path().join("shop").exists(), "no copy of the imported data stays");
    let all = |path: &str| -> Vec<Value> {
        let page = |offset: usize| {
            let path = format!("{path}limit=100&offset={offset}");
            let products = server.get(&path).unwrap().1["products"].clone();
            products.as_array().unwrap().clone()
        };
        (0..4).flat_map(|number| page(number * 100)).collect()
    };
    let shown = all("/v1/products?");
    let hidden = all("/v1/catalogue/products?visibility=hidden&");
    let id = |product: &Value| product["product_id"].as_str().unwrap().to_owned();
    let out: BTreeSet<String> = hidden.iter().map(id).collect();
    assert!(out.len() >= 3 && shown.len() + out.len() == 400, "{}, {out:?}", shown.len());
    let reduced = shown.iter().filter(|product| product["list_price"].is_string()).count();
    assert!(reduced > 5, "{reduced} products are reduced");
    for product in &shown {
        assert!(product["price"].is_string() && product["currency"] == "EUR", "{product}");
        assert!(product["brand"].is_string() && product["aisle"] != "unknown", "{product}");
    }
    // Products that have just come have no orders yet, and are in answers all the same.
    let unsold: BTreeSet<String> =
        shown.iter().filter(|product| product["orders"] == 0).map(id).collect();
    let mut answered: BTreeSet<String> = BTreeSet::new();
    for user in 1..=30 {
        let body = json!({"user_id": user.to_string(), "limit": 100});
        let ids = ids(&server.post("/v1/recommendations", &body).unwrap().1);
        assert_eq!(ids.len(), 100, "user {user}");
        answered.extend(ids);
    }
    for path in ["/v1/popular?limit=100", "/v1/trending?limit=100", "/v1/products/1/similar"] {
        answered.extend(ids(&server.get(path).unwrap().1));
    }
    assert!(answered.is_disjoint(&out), "{answered:?} and {out:?}");
    assert!(!unsold.is_disjoint(&answered), "{unsold:?}");
    six_views_change_the_answer(&server, &shown);
    a_search_changes_the_answer(&server, &shown);
    let (_, user) = server.get("/v1/users/1/orders").unwrap();
    assert!(user["history"]["products"][0]["price"].is_string(), "{user}");
    let (_, lake) = server.get("/v1/lake").unwrap();
    let events = lake["tables"].as_array().unwrap().iter().find(|table| table["name"] == "events");
    assert!(events.unwrap()["rows"].as_u64().unwrap() > 5_000, "{lake}");
    server.stop();

    // The history of this shop and that of another do not mix.
    let orders = data.path().join("orders");
    let orders = orders.to_str().unwrap();
    cartwheel(data.path(), &[&["generate"], &SIZE[..], &["--out", orders]].concat()).unwrap();
    let error = cartwheel(data.path(), &["demo", "--data", orders]).unwrap_err();
    assert!(error.contains("the history of another shop"), "{error}");
}
