//! `/metrics` as Prometheus reads it, and what dashboard and alerts make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::shop::{Server, cartwheel, request, shop, wait_until};

/// A file of the repository.
fn file(path: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn scrape(server: &Server) -> String {
    let mut socket = TcpStream::connect(&server.address).unwrap();
    write!(socket, "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body.to_owned()
}

/// The types of the families, after a check of the format: help and type come once and before the
/// samples, and the names follow the rules of OpenMetrics.
fn families(text: &str) -> BTreeMap<&str, &str> {
    let mut types = BTreeMap::new();
    let mut helped = BTreeSet::new();
    let mut current = "";
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(helped.insert(name) && help.ends_with('.'), "{line}");
        } else if let Some(of) = line.strip_prefix("# TYPE ") {
            let (name, kind) = of.split_once(' ').unwrap();
            assert!(types.insert(name, kind).is_none() && helped.contains(name), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(name.starts_with("cartwheel_") && name.chars().all(is_plain), "{line}");
            current = name;
        } else {
            let name = line.split(['{', ' ']).next().unwrap();
            assert_eq!(family(name, types[current]), current, "{line}");
            let value = line.rsplit(' ').next().unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    types
}

/// The family of a sample.
fn family<'a>(sample: &'a str, kind: &str) -> &'a str {
    let parts = ["_bucket", "_sum", "_count"];
    let ends = parts.iter().find(|end| sample.ends_with(*end)).filter(|_| kind == "histogram");
    ends.map_or(sample, |end| &sample[..sample.len() - end.len()])
}

/// The names of our metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c| !is_name(c));
    words.filter(|word| word.starts_with("cartwheel_")).collect()
}

#[test]
fn dashboard_and_alerts_ask_for_what_is_exposed() {
    let data = shop();
    std::fs::write(data.path().join("cartwheel.toml"), "[gate]\nmin_users = 5\n").unwrap();
    cartwheel(data.path(), &["pipeline", "run", "--set", "num_round=5"]).unwrap();
    let server = Server::start(data.path());
    let ready = cartwheel(data.path(), &["ready"]);
    assert_eq!(ready.as_deref(), Ok("ready\n"));
    let page = json!({"user_id": "1", "placements": [{"name": "home"}]});
    assert_eq!(server.post("/v1/page", &page).unwrap().0, 200);
    server.submit(&json!({"user_id": "1", "event": "view", "product_ids": ["1"]}));
    assert_eq!(request(&server.address, "DELETE", "/v1/users/2", None).unwrap().0, 202);
    // The figures of quality are read at the first scrape.
    wait_until("the answers are counted", || {
        server.get("/v1/quality?days=2").is_some_and(|(_, quality)| quality["answers"] == 2)
    });
    let text = scrape(&server);
    let types = families(&text);
    let exposed: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let dashboard = file("packaging/monitoring/dashboard.json");
    let alerts = file("packaging/monitoring/alerts.yml");
    for asked in names(&dashboard).union(&names(&alerts)) {
        assert!(exposed.contains(asked), "{asked} is not among {exposed:?}");
    }
    // And the other way round: what nobody looks at is not worth a scrape.
    let asked: BTreeSet<&str> = names(&dashboard).union(&names(&alerts)).copied().collect();
    for (name, kind) in &types {
        let is_asked = asked.iter().any(|asked| family(asked, kind) == *name);
        assert!(is_asked, "neither dashboard nor alerts show {name}");
    }
    for line in [
        "cartwheel_answers_ready 1",
        "cartwheel_models{status=\"serving\"} 1",
        "cartwheel_pipeline_runs{status=\"SUCCEEDED\"} 1",
        "cartwheel_pipeline_last_run_success 1",
        "cartwheel_erasures_pending 1",
        "cartwheel_quality_answers{placement=\"home\"} 1",
        "cartwheel_quality_products{placement=\"\",stage=\"sent\"} 10",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    server.stop();
}

#[test]
fn each_alert_has_a_section_in_the_runbook() {
    let alerts = file("packaging/monitoring/alerts.yml");
    let tests = file("packaging/monitoring/alerts_test.yml");
    let runbook = file("docs/operate.md");
    let names: Vec<&str> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!names.is_empty());
    for name in &names {
        assert!(runbook.contains(&format!("### {name}\n")), "docs/operate.md lacks {name}");
        let link = format!("runbook: docs/operate.md#{}", name.to_lowercase());
        assert!(alerts.contains(&link), "{link}");
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "no test raises {name}");
    }
    let sections = runbook.lines().filter(|line| line.starts_with("### Cartwheel")).count();
    assert_eq!(sections, names.len(), "docs/operate.md names an alert that does not exist");
}
