//! Settings: unknown and invalid settings are errors that say what to do.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `config check` beside a cartwheel.toml, with environment variables.
fn check(dir: &Path, file: &str, variables: &[(&str, &str)], json: bool) -> Output {
    std::fs::write(dir.join("cartwheel.toml"), file).unwrap();
    Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .args(["config", "check"])
        .args(json.then_some("--json"))
        .envs(variables.iter().copied())
        .current_dir(dir)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn each_invalid_setting_is_named_with_the_expected_value() {
    let dir = tempfile::tempdir().unwrap();
    for (file, expected) in [
        (
            "[train]\nmax_depth = 999",
            "train.max_depth in cartwheel.toml is 999: expected an integer, 1 to 16",
        ),
        (
            "[train]\ndepth = 3",
            "unknown setting train.depth in cartwheel.toml: did you mean train.max_depth?",
        ),
        ("[shop]\ntimezone = \"Nowhere/Atlantis\"", "shop.timezone in cartwheel.toml is"),
        ("[server\n", "cartwheel.toml, line 1, is not valid TOML"),
        ("[server]\ncors_origins = [\"*\"]", "server.cors_origins in cartwheel.toml is"),
        ("[server]\ntls_cert = \"a.pem\"", "server.tls_key is unset: expected a path"),
        (
            "[server]\nmax_connections = 0",
            "server.max_connections in cartwheel.toml is 0: expected",
        ),
        (
            "[stream]\nmax_bytes = 200000",
            "stream.max_bytes in cartwheel.toml is 200000: expected at least 201326592",
        ),
        ("[api]\ncors_origins = []", "did you mean server.cors_origins?"),
    ] {
        let out = check(dir.path(), file, &[], false);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{file}");
        assert!(
            error.contains("1 setting is wrong") && error.contains(expected),
            "{file}: {error}"
        );
    }
}

#[test]
fn an_unknown_variable_is_an_error_with_the_nearest_name() {
    let dir = tempfile::tempdir().unwrap();
    let out = check(dir.path(), "", &[("CARTWHEEL_API__LISTN", "1")], false);
    let expected = "unknown setting CARTWHEEL_API__LISTN: did you mean CARTWHEEL_SERVER_LISTEN?";
    assert!(text(&out.stderr).contains(expected), "{}", text(&out.stderr));
    // Other commands refuse it too.
    let out = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .arg("audit")
        .env("CARTWHEEL_API__LISTN", "1")
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(text(&out.stderr).contains(expected), "{}", text(&out.stderr));
}

#[test]
fn all_problems_are_reported_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = "[train]\nmax_depth = 999\ndepth = 3\n[gate]\nmin_users = \"many\"\n";
    let variables = [("CARTWHEEL_STREAM_SHARDS", "0"), ("CARTWHEEL_LISTEN", "1")];
    let out = check(dir.path(), file, &variables, false);
    let error = text(&out.stderr);
    for expected in [
        "5 settings are wrong",
        "train.max_depth in cartwheel.toml is 999",
        "unknown setting train.depth in cartwheel.toml",
        "gate.min_users in cartwheel.toml is \"many\": expected an integer",
        "stream.shards from CARTWHEEL_STREAM_SHARDS is 0: expected an integer, 1 to 256",
        "unknown setting CARTWHEEL_LISTEN: did you mean CARTWHEEL_SERVER_LISTEN?",
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let out = check(dir.path(), file, &variables, true);
    let error: Value = serde_json::from_slice(&out.stderr).unwrap();
    assert_eq!(error["error"]["message"], "5 settings are wrong");
    assert_eq!(error["error"]["causes"].as_array().unwrap().len(), 5);
}

#[test]
fn the_effective_settings_are_printed() {
    let dir = tempfile::tempdir().unwrap();
    let file = "[train]\nmax_depth = 3\n";
    let variables = [
        ("CARTWHEEL_TRAIN_ROUNDS", "7"),
        // Variables for other parts of the product.
        ("CARTWHEEL_LAKE", "s3://lake"),
        ("CARTWHEEL_WORKER", "worker"),
        ("CARTWHEEL_API_KEY", "cw_1"),
    ];
    let out = check(dir.path(), file, &variables, false);
    let settings: toml::Table = text(&out.stdout).parse().unwrap();
    assert_eq!(settings["train"]["max_depth"].as_integer(), Some(3));
    assert_eq!(settings["train"]["rounds"].as_integer(), Some(7));
    let out = check(dir.path(), file, &variables, true);
    let settings: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (&settings["train"]["rounds"], &settings["train"]["eta"]),
        (&7.into(), &0.07.into())
    );
    let page = include_str!("../../../../docs/settings.md");
    let out = Command::new(env!("CARGO_BIN_EXE_cartwheel")).args(["config", "reference"]).output();
    assert_eq!(text(&out.unwrap().stdout), page);
}
