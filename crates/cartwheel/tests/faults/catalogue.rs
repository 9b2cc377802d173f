//! Row 26: every acknowledged change of a product is there after kill -9, and no half of one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::case::{Case, Random, Shown};
use crate::kit::{Client, Node};
use crate::lake;

/// Clients that change products, each of its own.
const WRITERS: u64 = 4;
/// Products of a client.
const PRODUCTS: u64 = 5;
/// Longest time from a start after a kill to readiness.
const RESTART: Duration = Duration::from_secs(2);

/// A product in its `n`th version: each field repeats the number. Odd versions are hidden.
fn version(id: &str, n: u64) -> Value {
    json!({
        "product_id": id, "name": format!("Version {n}"), "stock": n + 1, "hidden": n % 2 == 1,
        "tags": ["fault"], "attributes": {"a": n, "b": n},
    })
}

/// What is known of a product.
#[derive(Debug, Clone, Default)]
struct Known {
    /// The version that was acknowledged last; `None` if it does not exist.
    now: Option<u64>,
    /// The change that no answer came for.
    in_flight: Option<Option<u64>>,
    /// Acknowledged versions.
    acknowledged: BTreeSet<u64>,
    /// Acknowledged deletions.
    deletions: usize,
}

/// One client's products.
struct Writer {
    products: BTreeMap<String, Known>,
    next: u64,
    random: Random,
    changes: u64,
}

impl Writer {
    fn new(number: u64, random: Random) -> Self {
        let ids = (0..PRODUCTS).map(|n| (format!("w{number}-{n}"), Known::default()));
        Self { products: ids.collect(), next: 0, random, changes: 0 }
    }

    /// Changes products until the server is gone.
    fn run(&mut self, address: &str, stop: &AtomicBool) -> Result<()> {
        let Ok(mut client) = Client::connect(address) else { return Ok(()) };
        while !stop.load(Ordering::Relaxed) && self.one(&mut client)? {}
        Ok(())
    }

    /// Makes one change, of one product or of all. Says whether the server answered.
    fn one(&mut self, client: &mut Client) -> Result<bool> {
        self.next += 1;
        let n = self.next;
        let ids: Vec<String> = self.products.keys().cloned().collect();
        let id = ids[self.random.index(ids.len())].clone();
        let exists = self.products[&id].now.is_some();
        let path = format!("/v1/products/{id}");
        let (ids, to, answer) = match self.random.below(8) {
            0 => {
                self.begin(&ids, Some(n));
                let all: Vec<Value> = ids.iter().map(|id| version(id, n)).collect();
                (ids, Some(n), client.post("/v1/products", &json!(all)))
            }
            1 if exists => {
                let ids = vec![id];
                self.begin(&ids, None);
                (ids, None, client.send("DELETE", &path, &[], b""))
            }
            kind => {
                let ids = vec![id];
                self.begin(&ids, Some(n));
                let method = if exists && kind < 5 { "PATCH" } else { "PUT" };
                let body = version(&ids[0], n).to_string();
                let answer = client.send(method, &path, &[], body.as_bytes());
                (ids, Some(n), answer)
            }
        };
        let Ok(answer) = answer else { return Ok(false) };
        let text = answer.text();
        ensure!((200..300).contains(&answer.status), "{path}: {} {text}", answer.status);
        if to.is_some() && ids.len() > 1 {
            ensure!(answer.json()["failed_count"] == 0, "{text}");
        }
        for id in ids {
            self.products.entry(id).and_modify(|known| known.settle(to));
            self.changes += 1;
        }
        Ok(true)
    }

    fn begin(&mut self, ids: &[String], to: Option<u64>) {
        for id in ids {
            self.products.entry(id.clone()).and_modify(|known| known.in_flight = Some(to));
        }
    }

    /// Reads every product after a restart: it is as acknowledged, or as the change without an
    /// answer left it, and whole.
    fn check(&mut self, client: &mut Client, shown: &mut BTreeSet<String>) -> Result<()> {
        for (id, known) in &mut self.products {
            let answer = client.send("GET", &format!("/v1/catalogue/products/{id}"), &[], b"")?;
            let found = match answer.status {
                404 => None,
                200 => Some(answer.json()["product"].clone()),
                status => anyhow::bail!("{id}: {status} {}", answer.text()),
            };
            let n = found.as_ref().map(number).transpose()?;
            if let (Some(n), Some(product)) = (n, &found) {
                let expected = version(id, n);
                for (name, value) in expected.as_object().context("a version is an object")? {
                    let is = product.get(name).cloned().unwrap_or(json!(false));
                    ensure!(is == *value, "{id} is half of version {n}: {product}");
                }
                if n.is_multiple_of(2) {
                    shown.insert(id.clone());
                }
            }
            let allowed = n == known.now || known.in_flight.is_some_and(|to| n == to);
            ensure!(allowed, "{id} is {n:?} and was {known:?}");
            if n != known.now {
                known.settle(n);
            }
            known.in_flight = None;
        }
        Ok(())
    }
}

impl Known {
    /// Notes that the product is now in this version.
    fn settle(&mut self, to: Option<u64>) {
        match to {
            Some(n) => drop(self.acknowledged.insert(n)),
            None => self.deletions += 1,
        }
        (self.now, self.in_flight) = (to, None);
    }
}

fn number(product: &Value) -> Result<u64> {
    let name = product["name"].as_str().and_then(|name| name.strip_prefix("Version "));
    name.and_then(|n| n.parse().ok()).with_context(|| format!("not a version: {product}"))
}

/// Checks all products, and that shoppers see those that are not hidden and no others.
fn check(node: &Node, writers: &mut [Writer]) -> Result<()> {
    let mut client = node.client()?;
    let listed = client.send("GET", "/v1/products?search=fault&limit=100", &[], b"")?.json();
    let listed = listed["products"].as_array().context("no list of products")?.clone();
    let listed = listed.iter().map(|product| product["product_id"].as_str().unwrap_or("?"));
    let listed: BTreeSet<String> = listed.map(str::to_owned).collect();
    let mut shown = BTreeSet::new();
    for writer in writers {
        writer.check(&mut client, &mut shown)?;
    }
    ensure!(listed == shown, "shoppers see {listed:?} instead of {shown:?}");
    Ok(())
}

/// Row 26.
pub fn kills(case: &Case) -> Result<Shown> {
    let data = case.shop()?;
    let kills = case.pick(3, 20);
    let mut random = case.random();
    let mut writers: Vec<Writer> =
        (0..WRITERS).map(|number| Writer::new(number, random.part(number))).collect();
    let mut slowest = Duration::ZERO;
    for round in 0..kills {
        let node = Node::start(&data, &[])?;
        if round > 0 {
            slowest = slowest.max(node.started_in);
        }
        check(&node, &mut writers)?;
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| -> Result<()> {
            let (address, stop) = (node.address.clone(), &stop);
            let run = |writer| {
                let address = address.clone();
                scope.spawn(move || Writer::run(writer, &address, stop))
            };
            let clients: Vec<_> = writers.iter_mut().map(run).collect();
            std::thread::sleep(random.ms(50..1500));
            node.kill()?;
            stop.store(true, Ordering::Relaxed);
            clients.into_iter().try_for_each(|client| client.join().expect("a client ends"))
        })?;
    }
    let node = Node::start(&data, &[])?;
    slowest = slowest.max(node.started_in);
    check(&node, &mut writers)?;
    node.stop()?;
    let changes = writers.iter().map(|writer| writer.changes).sum::<u64>();
    ensure!(changes > 50 * kills, "it was hardly under load: {changes} changes");
    ensure!(slowest < RESTART, "a restart took {slowest:?}");
    delivered_once(&data, &writers)?;

    // The file is lost: lake and stream hold every product.
    std::fs::remove_file(data.join("catalogue.redb"))?;
    let node = Node::start(&data, &[])?;
    check(&node, &mut writers)?;
    node.stop()?;
    let slowest = slowest.as_millis();
    Shown::all(kills, format!("{changes} changes acknowledged; slowest restart {slowest} ms"))
}

/// Checks that the lake holds each acknowledged change once.
fn delivered_once(data: &Path, writers: &[Writer]) -> Result<()> {
    let mut rows: BTreeMap<(String, u64), usize> = BTreeMap::new();
    for text in lake::texts(data, "catalogue", "product")?.into_iter().flatten() {
        let product: Value = serde_json::from_str(&text)?;
        let id = product["product_id"].as_str().context("a row has no product_id")?.to_owned();
        *rows.entry((id, number(&product)?)).or_default() += 1;
    }
    let twice = rows.iter().find(|(_, count)| **count > 1);
    ensure!(twice.is_none(), "{twice:?}: a change stands twice");
    for (id, known) in writers.iter().flat_map(|writer| &writer.products) {
        let missing = known.acknowledged.iter().find(|n| !rows.contains_key(&(id.clone(), **n)));
        ensure!(missing.is_none(), "{id}: version {missing:?} is not in the lake");
    }
    let deletions = lake::texts(data, "catalogue", "product")?;
    let deletions = deletions.iter().filter(|product| product.is_none()).count();
    let products = || writers.iter().flat_map(|writer| writer.products.values());
    let acknowledged: usize = products().map(|known| known.deletions).sum();
    ensure!(deletions == acknowledged, "{deletions} rows of {acknowledged} deletions");
    let changes: usize = products().map(|known| known.acknowledged.len()).sum();
    ensure!(rows.len() == changes, "{} rows of {changes} changes", rows.len());
    Ok(())
}
