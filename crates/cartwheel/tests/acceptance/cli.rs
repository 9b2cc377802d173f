//! The command line: help, JSON, and errors that say what to do.

use crate::shop::{cartwheel, shop};
use serde_json::Value;

#[test]
fn every_command_helps_with_an_example() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        &["demo"][..],
        &["serve"],
        &["generate"],
        &["import", "instacart"],
        &["features"],
        &["train"],
        &["evaluate"],
        &["predict"],
        &["recommend"],
        &["capacity"],
        &["audit"],
        &["stream", "stat"],
        &["stream", "verify"],
        &["stream", "tail"],
        &["lake", "compact"],
        &["users", "erase"],
        &["users", "export"],
        &["keys", "create"],
        &["config", "check"],
    ] {
        let text = cartwheel(dir.path(), &[command, &["--help"]].concat()).unwrap();
        assert!(text.contains("Example"), "{command:?}: {text}");
    }
}

#[test]
fn errors_name_the_thing_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("p.json");
    let out = out.to_str().unwrap();
    for (args, expected) in [
        (&["features"][..], "import some first"),
        (&["train"], "run `cartwheel features` first"),
        (&["evaluate"], "run `cartwheel train`"),
        (&["predict", "--out", out], "run `cartwheel train`"),
        (&["stream", "stat"], "stream"),
        (&["serve", "--listen", "0.0.0.0:0"], "--open-to-everyone"),
        (&["serve", "--tls-cert", "a.pem"], "--tls-key"),
        (&["serve", "--tls-cert", "a.pem", "--tls-key", "b.pem"], "a.pem"),
        (&["keys", "create", "two words", "--scope", "admin"], "a key's name is"),
        (&["import", "instacart", "nowhere"], "nowhere/orders.csv: no such file"),
        (&["generate", "--users", "0", "--out", out], "expected 1 to"),
        (&["--config", "none.toml", "config", "check"], "none.toml"),
    ] {
        let error = cartwheel(dir.path(), args).unwrap_err();
        assert!(error.contains(expected), "{args:?}: {error}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .args(["pipeline", "graph"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
}

#[test]
fn results_are_json_where_asked() {
    let data = shop();
    let json = |args: &[&str]| -> Value {
        let text = cartwheel(data.path(), &[&["--json"], args].concat()).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}: {text}"))
    };
    let csv = data.path().join("csv");
    assert_eq!(json(&["import", "instacart", csv.to_str().unwrap()])["unchanged"], true);
    let report = json(&["evaluate", "--chart", "chart.svg"]);
    assert_eq!(report["methods"].as_array().unwrap().len(), 6);
    let chart = std::fs::read_to_string(data.path().join("chart.svg")).unwrap();
    assert!(chart.starts_with("<svg") && chart.contains("personal+popular"));
    assert_eq!(json(&["recommend", "--user", "1", "--cart", "1,2"]).as_array().unwrap().len(), 10);
    let error = cartwheel(data.path(), &["recommend", "--user", "1", "--cart", "nix"]).unwrap_err();
    assert!(error.contains("\"nix\" is not in the catalogue"), "{error}");

    let predicted = |who: &str| -> Value {
        let summary = json(&["predict", "--users", who, "--limit", "5", "--out", "p.json"]);
        let text = std::fs::read_to_string(data.path().join("p.json")).unwrap();
        let lists: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(summary["users"], lists.as_object().unwrap().len());
        lists
    };
    let orders = std::fs::read_to_string(csv.join("orders.csv")).unwrap();
    let mut tested: Vec<&str> = orders
        .lines()
        .filter(|line| line.contains(",test,"))
        .map(|line| line.split(',').nth(1).unwrap())
        .collect();
    tested.sort_unstable();
    let lists = predicted("test");
    let mut users: Vec<&str> = lists.as_object().unwrap().keys().map(String::as_str).collect();
    users.sort_unstable();
    assert_eq!(users, tested);
    assert!(lists.as_object().unwrap().values().all(|l| l.as_array().unwrap().len() == 5));
    assert_eq!(predicted("all").as_object().unwrap().len(), 150);
}
