//! The form with dates: events.csv and products.ndjson.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cartwheel_catalogue::Product;
use serde_json::Value;

use super::{rows, spec, write};
use crate::{ShopSpec, Summary, generate_events};

const DAY_MS: i64 = 86_400_000;
/// The first of January 2026.
const END_DAY: i32 = 20_454;
const END_MS: i64 = END_DAY as i64 * DAY_MS;

/// A row of events.csv.
#[derive(Debug, Clone)]
struct Event {
    name: String,
    at_ms: i64,
    id: String,
    user: String,
    guest: String,
    session: String,
    order: String,
    product: String,
    quantity: u32,
    price: String,
    query: String,
}

fn write_events(spec: &ShopSpec, end_day: i32) -> (tempfile::TempDir, Summary) {
    let dir = tempfile::tempdir().unwrap();
    let summary = generate_events(spec, end_day, dir.path(), &mut |_| {}).unwrap();
    (dir, summary)
}

fn events(dir: &Path) -> Vec<Event> {
    let read = |row: Vec<String>| {
        let [name, at, id, user, guest, session, order, product, quantity, price, query] =
            row.try_into().unwrap();
        let at_ms = at.parse().unwrap();
        let quantity = quantity.parse().unwrap_or(0);
        Event { name, at_ms, id, user, guest, session, order, product, quantity, price, query }
    };
    rows(dir, "events.csv").into_iter().map(read).collect()
}

fn products(dir: &Path) -> BTreeMap<String, Product> {
    let text = std::fs::read_to_string(dir.join("products.ndjson")).unwrap();
    let read = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        // What the catalogue accepts over HTTP.
        let product = Product::from_json(value).unwrap();
        (product.product_id.to_string(), product)
    };
    text.lines().map(read).collect()
}

#[test]
fn the_same_seed_and_day_write_the_same_bytes() {
    let read = |dir: &tempfile::TempDir| {
        ["events.csv", "products.ndjson"].map(|name| std::fs::read(dir.path().join(name)).unwrap())
    };
    let (a, b) = (write_events(&spec(), END_DAY).0, write_events(&spec(), END_DAY).0);
    assert_eq!(read(&a), read(&b));
    let other = write_events(&ShopSpec { seed: 8, ..spec() }, END_DAY).0;
    assert_ne!(read(&a), read(&other));
    assert_eq!(std::fs::read_dir(a.path()).unwrap().count(), 2, "no scratch file is left");
}

#[test]
fn the_orders_are_those_of_the_form_without_dates() {
    let (dir, summary) = write_events(&spec(), END_DAY);
    let plain = write(&spec());
    let mut dated: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut owner = BTreeMap::new();
    let mut lines = 0;
    for event in events(dir.path()).into_iter().filter(|event| event.name == "checkout") {
        owner.insert(event.order.clone(), event.user);
        assert!(dated.entry(event.order).or_default().insert(event.product), "one line a product");
        lines += 1;
    }
    assert_eq!(summary.lines, lines);
    let expected: BTreeMap<String, String> = rows(plain.path(), "orders.csv")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    assert_eq!(owner, expected);
    // A product that was not on offer at that time is replaced by another of its aisle.
    let (mut same, mut all) = (0, 0);
    for line in rows(plain.path(), "order_products.csv") {
        same += usize::from(dated[&line[0]].contains(&line[1]));
        all += 1;
    }
    assert!(same * 10 > all * 9 && same < all, "{same} of {all} lines");
}

#[test]
fn orders_fall_on_their_weekdays_and_gaps_and_end_with_the_history() {
    let (dir, _) = write_events(&spec(), END_DAY);
    let plain = write(&spec());
    let mut at: BTreeMap<String, i64> = BTreeMap::new();
    for event in events(dir.path()) {
        assert!(event.at_ms < END_MS + DAY_MS / 24, "{event:?}");
        if event.name == "checkout" {
            at.insert(event.order, event.at_ms);
        }
    }
    let mut before: BTreeMap<String, i64> = BTreeMap::new();
    let mut off = 0;
    for row in rows(plain.path(), "orders.csv") {
        let day = at[&row[0]].div_euclid(DAY_MS);
        off += usize::from((day + 4).rem_euclid(7).to_string() != row[4]);
        if let Some(before) = before.insert(row[1].clone(), day) {
            let gap: f64 = row[6].parse().unwrap();
            off += usize::from((day - before).min(30) as f64 != gap);
        }
    }
    // An order that follows another within minutes may slip past midnight.
    assert!(off * 200 < at.len(), "{off} of {} orders", at.len());
    let newest = before.values().max().unwrap();
    assert!(i64::from(END_DAY) - newest <= 3, "{newest}");
}

#[test]
fn products_sell_only_while_they_are_on_offer() {
    let (dir, _) = write_events(&spec(), END_DAY);
    let products = products(dir.path());
    assert_eq!(products.len(), 1_000);
    for event in events(dir.path()).iter().filter(|event| !event.product.is_empty()) {
        let product = &products[&event.product];
        assert!(product.available_from.unwrap().as_ms() <= event.at_ms, "{event:?}");
        if ["add_to_cart", "checkout"].contains(&event.name.as_str()) {
            assert!(event.quantity > 0 && event.price.contains('.'), "{event:?}");
        }
    }
    let count = |is: &dyn Fn(&Product) -> bool| products.values().filter(|p| is(p)).count();
    let out = count(&|product| !product.is_in_stock());
    assert!((5..60).contains(&out), "{out} are out of stock");
    assert!(count(&|product| product.list_price.is_some()) > 20, "some are reduced");
    assert!(products.values().all(|p| p.list_price.is_none_or(|list| Some(list) > p.price)));
    let day = |product: &Product| (END_MS - product.created_at.unwrap().as_ms()) / DAY_MS;
    assert!(count(&|product| day(product) < 7) > 5, "some are new");
    // What is out of stock in the end did not sell in the last hours.
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for event in events(dir.path()).into_iter().filter(|event| event.name == "checkout") {
        let newest = last.entry(event.product).or_insert(event.at_ms);
        *newest = event.at_ms.max(*newest);
    }
    let is_out = |id: &&String| !products[*id].is_in_stock();
    assert!(last.keys().filter(is_out).count() > 3, "they sold before");
    for (product, at_ms) in last.iter().filter(|(id, _)| is_out(id)) {
        assert!(*at_ms < END_MS - 3_600_000, "{product}");
    }
}

#[test]
fn visits_lead_from_searches_and_views_over_the_cart_to_an_order() {
    let (dir, summary) = write_events(&spec(), END_DAY);
    let events = events(dir.path());
    let ids: BTreeSet<&str> =
        events.iter().map(|event| event.id.as_str()).filter(|id| !id.is_empty()).collect();
    let returns: BTreeSet<&str> =
        events.iter().filter(|e| e.name == "return").map(|e| e.order.as_str()).collect();
    assert_eq!(summary.events, (ids.len() + returns.len()) as u64);
    let mut visits: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| !event.session.is_empty()) {
        visits.entry(&event.session).or_default().push(event);
    }
    let (mut orders, mut viewed, mut searched, mut idle) = (0, 0, 0, 0);
    for visit in visits.values() {
        assert!(visit.is_sorted_by_key(|event| event.at_ms), "{visit:?}");
        let bought: BTreeSet<&str> = visit
            .iter()
            .filter(|event| event.name == "checkout")
            .map(|event| event.product.as_str())
            .collect();
        if bought.is_empty() {
            idle += 1;
            continue;
        }
        orders += 1;
        let (mut cart, mut seen) = (BTreeSet::new(), BTreeSet::new());
        for event in visit {
            let product = event.product.as_str();
            match event.name.as_str() {
                "search" => assert!(!event.query.is_empty() && product.is_empty()),
                "view" => _ = seen.insert(product),
                "add_to_cart" => _ = cart.insert(product),
                "remove_from_cart" => assert!(cart.remove(product), "{event:?}"),
                "checkout" => assert!(event.at_ms >= visit[0].at_ms),
                other => panic!("{other}"),
            }
        }
        assert_eq!(cart, bought, "an order holds what was put into the cart");
        viewed += usize::from(!seen.is_disjoint(&bought));
        searched += usize::from(visit.iter().any(|event| event.name == "search"));
    }
    assert!(orders > 500 && idle > orders / 4, "{orders} visits with an order, {idle} without");
    assert!(viewed * 2 > orders && searched * 4 > orders, "{viewed}, {searched} of {orders}");
}

#[test]
fn views_tell_the_next_order() {
    let spec = ShopSpec { users: 1_000, products: 1_000, orders: 15_000, seed: 2 };
    let (dir, _) = write_events(&spec, END_DAY);
    let aisles: BTreeMap<String, String> = products(dir.path())
        .into_iter()
        .map(|(id, product)| (id, product.aisle().unwrap().to_owned()))
        .collect();
    let mut users: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in events(dir.path()).into_iter().filter(|event| !event.user.is_empty()) {
        users.entry(event.user.clone()).or_default().push(event);
    }
    // For each order and each aisle that the user bought from before: was it viewed in the visits
    // between, and is it bought?
    let mut counts = [[0_u32; 2]; 2];
    for events in users.values_mut() {
        events.sort_by_key(|event| event.at_ms);
        let mut known: BTreeSet<&str> = BTreeSet::new();
        let mut viewed: BTreeSet<&str> = BTreeSet::new();
        let ordered: BTreeSet<&str> =
            events.iter().filter(|e| e.name == "checkout").map(|e| e.session.as_str()).collect();
        for order in events.chunk_by(|a, b| a.order == b.order) {
            let aisle = |event: &Event| aisles[&event.product].as_str();
            match order[0].name.as_str() {
                "checkout" => {
                    let bought: BTreeSet<&str> = order.iter().map(aisle).collect();
                    if !viewed.is_empty() {
                        for &one in &known {
                            let was_viewed = usize::from(viewed.contains(one));
                            counts[was_viewed][usize::from(bought.contains(one))] += 1;
                        }
                    }
                    known.extend(bought);
                    viewed.clear();
                }
                _ => {
                    let idle = order.iter().filter(|event| {
                        event.name == "view" && !ordered.contains(event.session.as_str())
                    });
                    viewed.extend(idle.map(aisle));
                }
            }
        }
    }
    let share = |[no, yes]: [u32; 2]| f64::from(yes) / f64::from(no + yes);
    let [unseen, seen] = counts.map(share);
    assert!(counts[1][1] > 300, "{counts:?}");
    assert!(seen > unseen * 1.5, "bought after a view {seen}, without {unseen}");
}

#[test]
fn guests_log_in_and_are_tied_by_one_event() {
    let (dir, _) = write_events(&spec(), END_DAY);
    let events = events(dir.path());
    let mut ties: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut guests: BTreeSet<&str> = BTreeSet::new();
    let mut visits: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| !event.guest.is_empty()) {
        match event.user.is_empty() {
            true => _ = guests.insert(&event.guest),
            false => _ = ties.entry(&event.guest).or_default().insert(&event.user),
        }
    }
    for event in events.iter().filter(|event| !event.session.is_empty()) {
        visits.entry(&event.session).or_default().push(event);
    }
    assert!(ties.len() > 50, "{} guests log in", ties.len());
    assert!(ties.values().all(|users| users.len() == 1), "a browser belongs to one user");
    assert!(guests.iter().any(|guest| !ties.contains_key(guest)), "some never log in");
    for visit in visits.values() {
        let steps = visit.iter().map(|event| match (event.user.as_str(), event.guest.as_str()) {
            ("", _) => 0,
            (_, "") => 2,
            _ => 1,
        });
        assert!(steps.is_sorted(), "{visit:?}");
        assert!(visit.iter().all(|event| event.name != "checkout" || !event.user.is_empty()));
    }
}

#[test]
fn returns_give_back_part_of_an_order() {
    let (dir, _) = write_events(&spec(), END_DAY);
    let events = events(dir.path());
    let mut orders: BTreeMap<&str, BTreeMap<&str, &Event>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.name == "checkout") {
        orders.entry(&event.order).or_default().insert(&event.product, event);
    }
    let returns: Vec<&Event> = events.iter().filter(|event| event.name == "return").collect();
    assert!(returns.len() > 100, "{}", returns.len());
    let mut given: BTreeMap<&str, usize> = BTreeMap::new();
    for back in returns {
        let bought = orders[back.order.as_str()][back.product.as_str()];
        assert_eq!(back.user, bought.user);
        assert!(back.at_ms > bought.at_ms && back.quantity <= bought.quantity, "{back:?}");
        *given.entry(&back.order).or_default() += 1;
    }
    assert!(given.iter().all(|(order, count)| *count < orders[order].len()), "never all of it");
}

#[test]
fn another_last_day_moves_every_time_and_nothing_else() {
    let weeks = write_events(&spec(), END_DAY + 28).0;
    let here = write_events(&spec(), END_DAY).0;
    let (stay, moved) = (events(here.path()), events(weeks.path()));
    assert_eq!(stay.len(), moved.len());
    for (a, b) in stay.iter().zip(&moved) {
        assert_eq!(a.at_ms + 28 * DAY_MS, b.at_ms);
        assert_eq!(
            (&a.name, &a.user, &a.product, &a.price),
            (&b.name, &b.user, &b.product, &b.price)
        );
    }
    let timeless = |dir: &Path| -> Vec<Product> {
        let strip = |product| Product { available_from: None, created_at: None, ..product };
        products(dir).into_values().map(strip).collect()
    };
    assert_eq!(timeless(here.path()), timeless(weeks.path()));
}
