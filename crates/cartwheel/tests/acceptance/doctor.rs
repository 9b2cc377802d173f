//! `doctor`, `completions` and `man`.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::shop::{Server, cartwheel, shop};

/// Runs `doctor --json` and returns whether it succeeded, with its report.
fn examine(data: &Path, variables: &[(&str, &str)]) -> (bool, Value) {
    let out = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .args(["--json", "doctor", "--data-dir"])
        .arg(data)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let report: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&out.stderr)));
    assert_eq!(report["ok"], out.status.success(), "{report}");
    for finding in report["findings"].as_array().unwrap() {
        let is_ok = finding["level"] == "ok";
        assert_eq!(finding["next"].is_null(), is_ok, "{finding}");
        assert!(!finding["found"].as_str().unwrap().is_empty(), "{finding}");
    }
    (out.status.success(), report)
}

fn level<'a>(report: &'a Value, check: &str) -> &'a str {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check);
    found.map_or("not checked", |finding| finding["level"].as_str().unwrap())
}

fn found<'a>(report: &'a Value, check: &str) -> &'a str {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check);
    found.map_or("", |finding| finding["found"].as_str().unwrap())
}

/// A port that nobody uses, for servers that are not started.
const FREE: (&str, &str) = ("CARTWHEEL_SERVER_LISTEN", "127.0.0.1:0");

#[test]
fn a_shop_is_examined_before_and_beside_its_server() {
    let data = shop();
    let before = std::fs::read_dir(data.path()).unwrap().count();
    let (_, report) = examine(data.path(), &[FREE]);
    for check in [
        "settings",
        "data directory",
        "clock",
        "libxgboost",
        "access",
        "model",
        "catalogue",
        "server",
    ] {
        assert_eq!(level(&report, check), "ok", "{check}: {report}");
    }
    assert!(found(&report, "catalogue").starts_with("200 products"), "{report}");
    assert_ne!(level(&report, "disk writes"), "error", "{report}");
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), before);
    // For people, the same in lines.
    let lines = cartwheel(data.path(), &["doctor"]).unwrap_or_else(|error| error);
    assert!(lines.contains("data directory") || lines.contains("checks failed"), "{lines}");

    let server = Server::start(data.path());
    let (_, report) = examine(data.path(), &[FREE]);
    assert_eq!(found(&report, "server"), "it runs and is ready", "{report}");
    assert_eq!(level(&report, "stream lag"), "ok", "{report}");
    drop(server);
}

#[test]
fn what_is_wrong_is_an_error_with_a_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let (_, report) = examine(&missing, &[FREE]);
    assert_eq!(level(&report, "data directory"), "warning", "{report}");
    assert!(!missing.exists());

    let (ok, report) = examine(&missing, &[FREE, ("CARTWHEEL_TRAIN_ETA", "7")]);
    assert!(!ok && level(&report, "settings") == "error", "{report}");
    assert!(found(&report, "settings").contains("train.eta"), "{report}");

    let (ok, report) = examine(&missing, &[("CARTWHEEL_SERVER_LISTEN", "0.0.0.0:0")]);
    assert!(!ok && level(&report, "access") == "error", "{report}");

    let library = dir.path().join("libxgboost.so");
    std::fs::write(&library, "no library").unwrap();
    let library = ("CARTWHEEL_TRAIN_LIBRARY", library.to_str().unwrap());
    let (ok, report) = examine(&missing, &[FREE, library]);
    assert!(!ok && level(&report, "libxgboost") == "error", "{report}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (ok, report) = examine(&missing, &[("CARTWHEEL_SERVER_LISTEN", &address)]);
    assert!(!ok && level(&report, "server") == "error", "{report}");

    let later = dir.path().join("later");
    std::fs::create_dir(&later).unwrap();
    std::fs::write(later.join("format"), "999\n").unwrap();
    let (ok, report) = examine(&later, &[FREE]);
    assert!(!ok && found(&report, "data directory").contains("later release"), "{report}");
}

#[test]
fn a_damaged_model_is_found() {
    let data = shop();
    let models = data.path().join("lake/models");
    let version = std::fs::read_dir(models).unwrap().next().unwrap().unwrap().path();
    std::fs::write(version.join("manifest.json"), "{").unwrap();
    let (ok, report) = examine(data.path(), &[FREE]);
    assert!(!ok && level(&report, "model") == "error", "{report}");
}

#[test]
fn shells_complete_every_command() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = cartwheel(dir.path(), &["completions", shell]).unwrap();
        for part in ["placements", "doctor", "data-dir"] {
            assert!(script.contains(part), "{shell} lacks {part}");
        }
    }
    // Bash reads its script, and completes a subcommand of a command.
    let script = cartwheel(dir.path(), &["completions", "bash"]).unwrap();
    let program = format!(
        "{script}\nCOMP_WORDS=(cartwheel keys cr) COMP_CWORD=2\n\
         _cartwheel cartwheel cr keys\necho \"${{COMPREPLY[@]}}\""
    );
    // It is longer than an argument may be.
    let file = dir.path().join("complete.sh");
    std::fs::write(&file, program).unwrap();
    let out = Command::new("bash").arg(&file).output().unwrap();
    assert_eq!(String::from_utf8(out.stdout).unwrap().trim(), "create");
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("man");
    cartwheel(dir.path(), &["man", folder.to_str().unwrap()]).unwrap();
    for (page, part) in [
        ("cartwheel.1", "Real\\-time product recommendations"),
        ("cartwheel-serve.1", "open\\-to\\-everyone"),
        ("cartwheel-import-orders.1", "dry\\-run"),
        ("cartwheel-keys-create.1", "publishable"),
    ] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.contains(".TH") && text.contains(part), "{page} lacks {part}: {text}");
    }
}
