//! Row 21: ids and names that a spreadsheet, a terminal or a browser would obey, and
//! secrets that a log must not hold.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::case::{Case, Shown};
use crate::kit::Node;
use crate::{lake, shop};

/// Product names by product id, from 1.
const NAMES: [&str; 9] = [
    "=HYPERLINK(\"http://evil.example\",\"x\")",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1:9)",
    "two\r\nx-lines: 1",
    "\u{1b}[31mred\u{1b}]0;title\u{7}",
    "<script>alert(1)</script>",
    "\u{9b}31mC1\u{85}",
    "\"><img src=x onerror=alert(1)>",
];

/// Neither an escape nor a line of its own making.
fn ensure_plain(what: &str, text: &str) -> Result<()> {
    let control = |c: &char| c.is_control() && *c != '\n' && *c != '\t';
    match text.chars().find(control) {
        Some(c) => anyhow::bail!("{what} holds {c:?}: {:?}", around(text, c)),
        None => Ok(()),
    }
}

/// JSON of any text: valid, and so without control characters of ASCII.
fn ensure_json(what: &str, text: &str) -> Result<()> {
    serde_json::from_str::<Value>(text).with_context(|| format!("{what}: {text:?}"))?;
    ensure!(!text.contains(|c: char| c.is_ascii_control()), "{what}: {text:?}");
    Ok(())
}

fn around(text: &str, c: char) -> String {
    let before: Vec<char> = text.chars().take_while(|its| *its != c).collect();
    before.iter().rev().take(60).rev().collect()
}

/// The cells of CSV, with quotes taken off.
fn cells(text: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' | '\n' if !quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A shop with these names, and orders that an import has to leave out.
fn hostile_shop(case: &Case) -> Result<std::path::PathBuf> {
    let csv = case.shop()?.join("csv");
    let products = std::fs::read_to_string(csv.join("products.csv"))?;
    let mut out = String::new();
    for line in products.lines() {
        let id: Option<usize> = line.split(',').next().and_then(|id| id.parse().ok());
        match id.and_then(|id| NAMES.get(id.checked_sub(1)?)) {
            Some(name) => {
                let mut rest = line.rsplitn(3, ',');
                let (department, aisle) = (rest.next(), rest.next());
                let (department, aisle) = (department.context("csv")?, aisle.context("csv")?);
                let id = id.context("an id")?;
                out.push_str(&format!("{id},{},{aisle},{department}\n", quoted(name)));
            }
            None => out.push_str(&format!("{line}\n")),
        }
    }
    std::fs::write(csv.join("products.csv"), out)?;
    let mut orders = std::fs::read_to_string(csv.join("orders.csv"))?;
    let header: Vec<String> =
        orders.lines().next().context("csv")?.split(',').map(str::to_owned).collect();
    for name in NAMES {
        let row = header.iter().map(|column| match column.as_str() {
            "eval_set" => "prior".to_owned(),
            _ => quoted(name),
        });
        orders.push_str(&(row.collect::<Vec<_>>().join(",") + "\n"));
    }
    std::fs::write(csv.join("orders.csv"), orders)?;
    let data = case.empty()?;
    let run = |args: &[&str]| shop::cartwheel(&data, args).map_err(anyhow::Error::msg);
    let said = run(&["import", "instacart", csv.to_str().context("a path")?])?;
    ensure_plain("import", &said)?;
    run(&["features"])?;
    run(&["train", "--set", "num_round=10"])?;
    Ok(data)
}

/// Row 21.
pub fn names(case: &Case) -> Result<Shown> {
    let data = hostile_shop(case)?;
    let mut tried = files(&data)?;
    let run = |args: &[&str]| shop::cartwheel(&data, args).map_err(anyhow::Error::msg);
    let cart = (1..=NAMES.len()).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    for args in [
        &["recommend", "--user", "1", "--cart", &cart, "--limit", "100"][..],
        &["recommend", "--user", "1", "--limit", "100"],
        &["models", "list"],
        &["evaluate"],
    ] {
        ensure_plain(args[0], &run(args)?)?;
        tried += 1;
    }
    let unknown = shop::cartwheel(&data, &["recommend", "--user", "1", "--cart", "\u{1b}[2J"]);
    ensure_plain("an error", &unknown.err().context("an unknown product is taken")?)?;
    let made = run(&["--json", "keys", "create", "shop", "--scope", "admin"])?;
    let key: Value = serde_json::from_str(&made)?;
    let key = key["key"].as_str().context("a key")?.to_owned();
    let variables = [("RUST_LOG", "trace"), ("CARTWHEEL_API_KEY", key.as_str())];
    let node = Node::start(&data, &variables)?;
    let headers = [("x-api-key", key.as_str())];
    for (n, name) in NAMES.iter().enumerate() {
        let event = json!({"user_id": name, "event": "view", "product_ids": ["1"]}).to_string();
        let answer = node.client()?.send("POST", "/submit", &headers, event.as_bytes())?;
        let expected = if name.contains(char::is_control) { 400 } else { 200 };
        ensure!(answer.status == expected, "{name:?} as an id: {}", answer.text());
        ensure_json("an answer", &answer.text())?;
        let answer =
            node.client()?.send("GET", &format!("/v1/products/{}", n + 1), &headers, b"")?;
        ensure!(answer.json()["product_name"].is_string(), "{}", answer.text());
        ensure_json("an answer", &answer.text())?;
        let kind = answer.header("content-type").unwrap_or_default();
        ensure!(kind.starts_with("application/json"), "{kind}");
        ensure!(answer.header("x-content-type-options") == Some("nosniff"), "{}", answer.head);
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in [
            format!("/v1/products/{encoded}"),
            format!("/{encoded}"),
            format!("/v1/products?search={encoded}&key={key}"),
            format!("/v1/popular?{encoded}={key}"),
        ] {
            let answer = node.client()?.send("GET", &path, &headers, b"")?;
            let html = answer.header("content-type").is_some_and(|kind| kind.contains("html"));
            match html {
                true => ensure!(!answer.text().contains(name), "{path} is a page with {name:?}"),
                false => ensure_json(&path, &answer.text())?,
            }
            tried += 1;
        }
        tried += 2;
    }
    let wrong = format!("{key}0");
    for headers in [
        [("authorization", format!("Bearer {key}")), ("x-request-id", "a b<script>".to_owned())],
        [("x-api-key", wrong), ("x-request-id", "=1+1".to_owned())],
        [("cookie", key.clone()), ("x-request-id", key.clone() + "!")],
    ] {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let answer = node.client()?.send("GET", "/v1/popular", &headers, b"")?;
        let id = answer.header("x-request-id").unwrap_or_default();
        ensure!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:@-".contains(&b)), "{id}");
        tried += 1;
    }
    let metrics = node.client()?.send("GET", "/metrics", &headers, b"")?.text();
    ensure!(!metrics.contains("script") && !metrics.contains(&key), "metrics hold what was sent");
    let said = node.said();
    ensure!(said.lines().count() > 50, "the log says little: {said}");
    ensure!(!said.contains(&key), "the log holds a key");
    ensure_plain("the log", &said)?;
    let forged = said.lines().any(|line| line.starts_with("x-lines"));
    ensure!(!forged, "a line of the log is a client's");
    node.stop()?;
    Shown::all(tried, "files, command line, answers, log at trace level")
}

/// No file for spreadsheets holds a cell that is a formula.
fn files(data: &Path) -> Result<u64> {
    let mut rows = 0;
    for path in lake::files(&data.join("lake")) {
        if path.extension().is_none_or(|x| x != "csv") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        ensure_plain(&path.display().to_string(), &text)?;
        for cell in cells(&text) {
            ensure!(!cell.starts_with(['=', '+', '-', '@']), "{}: {cell}", path.display());
        }
        rows += text.lines().count() as u64;
    }
    ensure!(rows > NAMES.len() as u64, "the rejected rows are not written down");
    Ok(rows)
}
