//! The `capacity` command, which needs neither data nor a server.

use serde_json::Value;

use crate::shop::cartwheel;

const LOAD: [&str; 7] =
    ["capacity", "--events-per-second", "200", "--users", "2000000", "--products", "50000"];

fn run(more: &[&str]) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    cartwheel(dir.path(), &[&LOAD, more].concat())
}

#[test]
fn a_plan_is_printed_as_text() {
    let text = run(&[]).unwrap();
    for expected in [
        "One machine: 4 cores are enough",
        "shards for the peak: 1;",
        "us-east-1, prices of 20",
        "Check them before you decide",
        "Total",
        "Up to 1,000 times:",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_plan_is_printed_as_json() {
    let plan: Value = serde_json::from_str(&run(&["--json"]).unwrap()).unwrap();
    let mut keys: Vec<&str> = plan.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "api",
        "costs",
        "delivery",
        "endpoint",
        "features",
        "functions",
        "lake",
        "limits",
        "limits_first_hit",
        "load",
        "logs",
        "one_machine",
        "prices",
        "stream",
        "table",
        "training",
        "usd_per_million_events",
        "usd_per_month",
    ];
    assert_eq!(keys, expected);
    assert_eq!(plan["load"]["users"], 2_000_000);
    assert_eq!(plan["stream"]["shards"], 1);
    let costs = plan["costs"].as_array().unwrap();
    let sum: f64 = costs.iter().map(|cost| cost["usd_per_month"].as_f64().unwrap()).sum();
    assert!((sum - plan["usd_per_month"].as_f64().unwrap()).abs() < 1e-6);
    assert!(costs.iter().all(|cost| cost["price_page"].as_str().unwrap().starts_with("https://")));
    let times: Vec<&Value> =
        plan["limits_first_hit"].as_array().unwrap().iter().map(|hit| &hit["times"]).collect();
    assert_eq!(times, [1, 10, 100, 1_000]);
}

#[test]
fn custom_prices_are_used() {
    let dir = tempfile::tempdir().unwrap();
    let text = include_str!("../../../../infra/prices.toml");
    let total = |text: &str| -> Result<f64, String> {
        std::fs::write(dir.path().join("prices.toml"), text).unwrap();
        let args = [&LOAD[..], &["--prices", "prices.toml", "--json"]].concat();
        let plan: Value = serde_json::from_str(&cartwheel(dir.path(), &args)?).unwrap();
        Ok(plan["usd_per_month"].as_f64().unwrap())
    };
    let listed = total(text).unwrap();
    // Millions of units: 4 per session write at 200 events/s, 2 per record of 2 million users.
    let cheaper = total(&text.replace("million_writes = 0.625", "million_writes = 0")).unwrap();
    let writes = 4.0 * 200.0 * 2.628 + 2.0 * 2.0 * 730.0 / 24.0;
    assert!((listed - cheaper - writes * 0.625).abs() < 1e-6, "{listed}, then {cheaper}");

    let error = total(&text.replace("dpu_hour = 0.44", "dpu_hour = \"free\"")).unwrap_err();
    assert!(error.contains("prices.toml: glue.dpu_hour: expected a price"), "{error}");
    let error = run(&["--prices", "nowhere.toml"]).unwrap_err();
    assert!(error.contains("nowhere.toml"), "{error}");
}

#[test]
fn errors_state_the_expected_value() {
    for (more, expected) in [
        (["--peak", "0.5"], "expected a number from 1 to 1000"),
        (["--retrain-per-day", "-1"], "expected a number from 0 to 96"),
        (["--recommendations-per-event", "many"], "expected a number from 0 to 100"),
        (["--event-bytes", "0"], "1..=1048576"),
        (["--endpoint-mode", "gpu"], "embedded, sagemaker"),
    ] {
        let error = run(&more).unwrap_err();
        assert!(error.contains(expected) && error.contains(more[0]), "{more:?}: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    let error = cartwheel(dir.path(), &LOAD[..5]).unwrap_err();
    assert!(error.contains("--products"), "{error}");
}

/// The examples in docs/scale.md match the command's output.
#[test]
fn the_documented_examples_match_the_output() {
    let text = include_str!("../../../../docs/scale.md");
    let dir = tempfile::tempdir().unwrap();
    let mut examples = 0;
    for block in text.split("```").filter_map(|block| block.strip_prefix("\n$ cartwheel ")) {
        let (command, expected) = block.split_once('\n').unwrap();
        let args: Vec<&str> = command.split_whitespace().collect();
        let printed = cartwheel(dir.path(), &args).unwrap();
        assert_eq!(printed.trim(), expected.trim(), "run `cartwheel {command}` and paste it");
        examples += 1;
    }
    assert_eq!(examples, 3);
}
