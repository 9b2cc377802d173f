//! The command line: help, JSON, and errors that say what to do.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::shop::{cartwheel, last_saturday, shop};

/// Makes a directory an empty data directory.
fn begin(dir: &Path) {
    std::fs::write(dir.join("format"), "2\n").unwrap();
}

#[test]
fn every_commands_help_has_an_example() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        &[][..],
        &["demo"],
        &["serve"],
        &["ready"],
        &["generate"],
        &["import"],
        &["import", "orders"],
        &["import", "events"],
        &["import", "products"],
        &["import", "instacart"],
        &["features"],
        &["train"],
        &["evaluate"],
        &["predict"],
        &["recommend"],
        &["endpoint"],
        &["pipeline", "run"],
        &["pipeline", "list"],
        &["pipeline", "show"],
        &["pipeline", "stop"],
        &["pipeline", "redrive"],
        &["pipeline", "graph"],
        &["models", "list"],
        &["models", "show"],
        &["models", "deploy"],
        &["models", "rollback"],
        &["capacity"],
        &["audit"],
        &["audit", "verify"],
        &["stream", "stat"],
        &["stream", "verify"],
        &["stream", "tail"],
        &["lake", "compact"],
        &["users", "erase"],
        &["users", "erasures"],
        &["users", "export"],
        &["keys", "create"],
        &["keys", "list"],
        &["keys", "revoke"],
        &["keys", "disable"],
        &["keys", "token"],
        &["config", "check"],
        &["config", "reference"],
    ] {
        let text = cartwheel(dir.path(), &[command, &["--help"]].concat()).unwrap();
        assert!(text.contains("Example"), "{command:?}: {text}");
    }
}

/// The next step in a directory without data, whatever the command.
const LEARN: &str = "there is nothing to learn from yet: import orders (`cartwheel import --help`)";

#[test]
fn errors_name_the_cause_and_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    begin(dir.path());
    let out = dir.path().join("p.json");
    let out = out.to_str().unwrap();
    for (args, expected) in [
        (&["ready"][..], "start one with `cartwheel serve`"),
        (&["features"], LEARN),
        (&["train"], LEARN),
        (&["evaluate"], LEARN),
        (&["predict", "--out", out], LEARN),
        (&["recommend", "--user", "1"], LEARN),
        (&["pipeline", "run"], LEARN),
        (&["stream", "stat"], "stream"),
        (&["serve", "--listen", "0.0.0.0:0"], "--open-to-everyone"),
        (&["endpoint"], "--model"),
        (&["endpoint", "--model", "nowhere"], "nowhere cannot be served"),
        (&["serve", "--tls-cert", "a.pem"], "--tls-key"),
        (&["serve", "--tls-cert", "a.pem", "--tls-key", "b.pem"], "a.pem"),
        (&["keys", "create", "two words", "--scope", "admin"], "a key's name is"),
        (
            &["keys", "create", "k", "--scope", "admin", "--publishable"],
            "cannot have a publishable",
        ),
        (&["keys", "token", "u1", "--key", "nobody"], "cartwheel keys list"),
        (&["keys", "token", "u1", "--key", "k", "--seconds", "86401"], "86400"),
        (&["import", "instacart", "nowhere"], "nowhere/orders.csv: no such file"),
        (&["import", "orders", "nowhere.csv"], "nowhere.csv"),
        (&["import", "orders", "-", "--preset", "magento"], "there is no preset magento"),
        (&["import", "orders", "-", "--map", "sku"], "user_id=customer"),
        (&["generate", "--users", "0", "--out", out], "expected 1 to"),
        (&["--config", "none.toml", "config", "check"], "none.toml"),
        (&["audit", "--since", "yesterday"], "2026-01-31"),
        (&["serve", "--listen", "here"], "127.0.0.1:8080"),
        (&["pipeline", "show", "nightly"], "the list of runs"),
    ] {
        let error = cartwheel(dir.path(), args).unwrap_err();
        assert!(error.contains(expected), "{args:?}: {error}");
    }
}

#[test]
fn a_closed_output_is_not_an_error() {
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

/// Runs the binary and returns its exit code and its JSON error.
fn json_error(dir: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let out = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .args(args)
        .current_dir(dir)
        .env("CARTWHEEL_DATA_DIR", dir)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(out.stdout).unwrap(), "");
    let text = String::from_utf8(out.stderr).unwrap();
    let error = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}: {text}"));
    (out.status.code(), error)
}

#[test]
fn errors_are_json_on_request() {
    let dir = tempfile::tempdir().unwrap();
    begin(dir.path());
    let (code, error) = json_error(dir.path(), &["--json", "evaluate"]);
    let message = error["error"]["message"].as_str().unwrap();
    assert!(code == Some(1) && message.contains(LEARN), "{error}");
    assert_eq!(error["error"]["causes"], json!([]));

    let import = ["import", "instacart", "nowhere", "--json"];
    let (code, error) = json_error(dir.path(), &import);
    assert_eq!(code, Some(1));
    assert!(error["error"]["message"].as_str().unwrap().contains("nowhere"), "{error}");

    let (code, error) = json_error(dir.path(), &["--json", "train", "--set", "max_depht=4"]);
    let message = error["error"]["message"].as_str().unwrap();
    assert!(code == Some(2) && message.contains("did you mean max_depth?"), "{error}");
    assert!(!message.contains("Usage"), "{error}");

    let (code, error) = json_error(dir.path(), &["recommned", "--json"]);
    let message = error["error"]["message"].as_str().unwrap();
    assert!(code == Some(2) && message.contains("unrecognized subcommand"), "{error}");
    assert!(error["error"]["causes"].to_string().contains("recommend"), "{error}");

    let (code, error) = json_error(dir.path(), &["--json"]);
    assert!(code == Some(2) && error["error"]["message"].is_string(), "{error}");
}

#[test]
fn a_wrong_hyperparameter_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    begin(dir.path());
    for command in [&["train"][..], &["pipeline", "run"]] {
        for (set, expected) in [
            ("nonsense=1", "is not a hyperparameter of XGBoost"),
            ("learning_rate=0.1", "did you mean eta?"),
            ("max_depth=deep", "expected an integer"),
        ] {
            let error = cartwheel(dir.path(), &[command, &["--set", set]].concat()).unwrap_err();
            assert!(error.contains(expected), "{command:?} {set}: {error}");
        }
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_mistyped_data_directory_is_an_error_and_is_not_created() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = dir.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("notes.txt"), "mine").unwrap();
    for command in [
        &["features"][..],
        &["train"],
        &["evaluate"],
        &["predict", "--out", "predictions.json"],
        &["recommend", "--user", "1"],
        &["pipeline", "run"],
        &["pipeline", "list"],
        &["pipeline", "show"],
        &["pipeline", "stop"],
        &["pipeline", "redrive"],
        &["models", "list"],
        &["models", "show", "m-1"],
        &["models", "deploy", "m-1"],
        &["models", "rollback"],
        &["keys", "list"],
        &["keys", "revoke", "shop"],
        &["stream", "stat"],
        &["stream", "verify"],
        &["stream", "tail"],
        &["lake", "compact"],
        &["users", "erase", "1"],
        &["users", "erasures"],
        &["users", "export", "1"],
        &["audit"],
    ] {
        for (name, reason) in [("dta", "it does not exist"), ("foreign", "it holds no files")] {
            let out = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
                .args(["--data-dir", name])
                .args(command)
                .current_dir(dir.path())
                .output()
                .unwrap();
            let error = String::from_utf8(out.stderr).unwrap();
            assert_eq!(out.status.code(), Some(1), "{command:?}: {error}");
            let expected = format!("{name} is not a data directory: {reason}");
            assert!(error.contains(&expected), "{command:?}: {error}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{command:?}");
        assert_eq!(std::fs::read_dir(&foreign).unwrap().count(), 1, "{command:?}");
    }
}

#[test]
fn results_are_json_on_request() {
    let data = shop();
    let json = |args: &[&str]| -> Value {
        let text = cartwheel(data.path(), &[&["--json"], args].concat()).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}: {text}"))
    };
    let csv = data.path().join("csv");
    let again = ["import", "instacart", csv.to_str().unwrap(), "--as-of", &last_saturday()];
    assert_eq!(json(&again)["unchanged"], true);
    let report = json(&["evaluate", "--chart", "chart.svg"]);
    let names: Vec<&Value> =
        report["methods"].as_array().unwrap().iter().map(|m| &m["name"]).collect();
    let baselines = ["random", "popular", "personal", "personal+popular", "neighbours"];
    assert_eq!(names, [&baselines[..], &["TIFU-KNN", "UP-CF", "model"]].concat());
    assert!(report["methods"][5]["model_lead"]["p_value"].as_f64().unwrap() <= 1.0);
    assert!(report["methods"][7]["slices"]["expl_recall_at_10"]["users"].as_u64().unwrap() > 0);
    let table = cartwheel(data.path(), &["evaluate"]).unwrap();
    assert!(table.contains("the strongest baseline") && table.contains("new to user"), "{table}");
    let curve = json(&["evaluate", "--diversity"]);
    let curve = curve.as_array().unwrap();
    let figure = |at: usize, name: &str| curve[at][name].as_f64().unwrap();
    assert_eq!((curve.len(), figure(0, "calibration"), figure(0, "variety")), (11, 0.0, 0.0));
    assert_eq!(curve[0]["recall_at_10"], report["methods"][7]["recall_at_10"]);
    assert!(figure(5, "category_distance") < figure(0, "category_distance"), "{curve:?}");
    assert!(figure(10, "intra_list_distance") > figure(0, "intra_list_distance"), "{curve:?}");
    let printed = cartwheel(data.path(), &["evaluate", "--diversity"]).unwrap();
    assert_eq!(printed.lines().count(), 12, "{printed}");
    let chart = std::fs::read_to_string(data.path().join("chart.svg")).unwrap();
    assert!(chart.starts_with("<svg") && chart.contains("personal+popular"));
    assert_eq!(json(&["recommend", "--user", "1", "--cart", "1,2"]).as_array().unwrap().len(), 10);
    assert!(json(&["pipeline", "graph"])["States"].is_object());
    assert!(json(&["completions", "bash"])["script"].as_str().unwrap().contains("_cartwheel"));
    assert!(json(&["config", "reference"])["markdown"].as_str().unwrap().contains("# Settings"));
    let error = cartwheel(data.path(), &["rules", "show", "tea"]).unwrap_err();
    assert!(error.contains("there are no rules"), "{error}");
    let error = cartwheel(data.path(), &["recommend", "--user", "1", "--cart", "nix"]).unwrap_err();
    assert!(error.contains("\"nix\" is not in the catalogue"), "{error}");

    let predicted = |users: &str| -> Value {
        let summary = json(&["predict", "--users", users, "--limit", "5", "--out", "p.json"]);
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

    // Dates of next purchases, judged and listed.
    assert!(table.contains("Next purchases within their intervals of 80 %"), "{table}");
    let due = |arguments: &[&str], out: &str| -> String {
        let all = [&["predict", "--due-within", "2w", "--out", out][..], arguments].concat();
        let summary = json(&all);
        let text = std::fs::read_to_string(data.path().join(out)).unwrap();
        let header = usize::from(!out.ends_with(".jsonl"));
        assert_eq!(summary["rows"], text.lines().count() - header, "{summary}");
        text
    };
    let lines = due(&["--limit", "3"], "due.jsonl");
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() > 150, "{}", rows.len());
    for of_user in rows.chunk_by(|a, b| a["user_id"] == b["user_id"]) {
        assert!(of_user.len() <= 3 && of_user.is_sorted_by_key(|row| row["due_at"].to_string()));
    }
    let mails = due(&["--users", "test"], "due.csv");
    let header = "user_id,product_id,product_name,due_at,due_earliest,due_latest,probability\n";
    assert!(mails.starts_with(header), "{mails}");
    let stock = due(&["--by", "product"], "stock.csv");
    assert!(stock.starts_with("product_id,product_name,day,expected\n"), "{stock}");
    let days: std::collections::BTreeSet<&str> =
        stock.lines().skip(1).map(|line| line.rsplit(',').nth(1).unwrap()).collect();
    assert!((14..=15).contains(&days.len()), "{days:?}");
}

#[test]
fn a_model_of_the_orders_before_a_day_is_judged_by_those_after_it() {
    let data = shop();
    let csv = data.path().join("csv");
    let import = ["import", "instacart", csv.to_str().unwrap(), "--as-of", "2025-06-01"];
    cartwheel(data.path(), &[&import[..], &["--replace"]].concat()).unwrap();
    let names = |folder: &str| -> Vec<_> {
        let entries = std::fs::read_dir(data.path().join("lake").join(folder)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort_unstable();
        names
    };
    let before = (names("features"), names("models"));
    let since = |day| cartwheel(data.path(), &["--json", "evaluate", "--since", day]);
    let report: Value = serde_json::from_str(&since("2025-05-12").unwrap()).unwrap();
    assert_eq!(report["since_ms"], 1_747_008_000_000_i64);
    assert!(report["users"].as_u64().unwrap() > 20, "{report}");
    let methods = report["methods"].as_array().unwrap();
    let recall = |name: &str| {
        let method = methods.iter().find(|method| method["name"] == name).unwrap();
        method["recall_at_10"]["mean"].as_f64().unwrap()
    };
    assert!(recall("model") > recall("random") && recall("TIFU-KNN") > recall("popular"));
    assert_eq!((names("features"), names("models")), before, "nothing is kept");
    let late = since("2031-01-01").unwrap_err();
    assert!(late.contains("no order after that date"), "{late}");
}

#[test]
fn an_import_shows_what_it_understands_before_and_after() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("shop.csv");
    let lines = "customer,sku,time,qty,price,event,colour\n\
                 ada,p1,2025-03-01 10:00:00,1,2.50,view,red\n\
                 ada,p1,2025-03-01 10:02:00,2,2.50,purchase,red\n\
                 ada,\x1b[31mp1,2025-03-01 10:02:00,2,2.50,purchase,red\n\
                 bob,p2,2025-03-02 11:00:00,1,9.99,wishlist,blue\n";
    std::fs::write(&source, lines).unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let source = source.to_str().unwrap();
    let import = ["import", "events", source, "--max-rejects", "50"];
    let shown = cartwheel(&data, &[&import[..], &["--dry-run"]].concat()).unwrap();
    for expected in [
        "text with commas and quotes",
        "user_id       customer                        its name",
        "Ignored columns: colour",
        "2025-03-01 10:02 checkout        ada",
        "4 rows: 2 understood from 2025-03-01 10:00 to 2025-03-01 10:02 UTC, 1 rejected",
        "1 × product_id contains",
        "Events of other kinds are left out: wishlist (1)",
    ] {
        assert!(shown.contains(expected), "{expected} is not in\n{shown}");
    }
    assert!(!shown.contains('\x1b') && !data.join("lake").exists(), "{shown}");

    let saved = dir.path().join("mapping.toml");
    let save = ["--save-mapping", saved.to_str().unwrap(), "--json"];
    let done = cartwheel(&data, &[&import[..], &save].concat()).unwrap();
    let done: Value = serde_json::from_str(&done).unwrap();
    assert_eq!(
        (&done["orders"], &done["events"], &done["rejected"]),
        (&1.into(), &1.into(), &1.into())
    );
    let mapping = std::fs::read_to_string(&saved).unwrap();
    assert!(mapping.contains("product_id = \"sku\""), "{mapping}");

    std::fs::write(source, lines.replace("ada", "eve")).unwrap();
    let refused = cartwheel(&data, &import).unwrap_err();
    assert!(refused.contains("--append") && refused.contains("--replace"), "{refused}");
    let again = ["--append", "--mapping", saved.to_str().unwrap()];
    let added = cartwheel(&data, &[&import[..], &again].concat()).unwrap();
    assert!(added.contains("Imported: 1 orders with 1 lines of 1 users"), "{added}");
}

#[test]
fn a_library_in_the_current_directory_is_not_loaded() {
    let data = shop();
    let folder = data.path().join(".venv/lib/python3/site-packages/xgboost/lib");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("libxgboost.so"), "planted by somebody").unwrap();
    cartwheel(data.path(), &["train"]).unwrap();
}

#[test]
fn what_commands_write_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let out = dir.path().join("csv");
    let run = |args: &[&str]| cartwheel(&data, args).unwrap();
    let size = ["--users", "150", "--products", "200", "--orders", "1500"];
    run(&[&["generate"], &size[..], &["--out", out.to_str().unwrap()]].concat());
    run(&["import", "instacart", out.to_str().unwrap()]);
    run(&["keys", "create", "operator", "--scope", "admin"]);
    let (mut folders, mut seen) = (vec![data.clone()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{:?} has the mode {mode:o}", entry.path());
            folders.extend(entry.file_type().unwrap().is_dir().then(|| entry.path()));
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen}");
}
