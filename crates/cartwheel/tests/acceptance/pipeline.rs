//! The pipeline through the real binary: gate, deployment, rollback, crashes.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, shop};

/// A shop without a release, with settings for its few users, whose runs do not search.
fn unreleased() -> tempfile::TempDir {
    let data = shop();
    std::fs::remove_dir_all(data.path().join("lake/releases")).unwrap();
    std::fs::remove_dir_all(data.path().join("lake/models")).unwrap();
    settings(data.path(), 5, "off");
    data
}

fn settings(data: &Path, min_users: u32, search: &str) {
    let train = format!("[train]\nrounds = 30\nsearch = {search:?}\n");
    let text = format!("[gate]\nmin_users = {min_users}\n{train}");
    std::fs::write(data.join("cartwheel.toml"), text).unwrap();
}

fn value(data: &Path, args: &[&str]) -> Value {
    let text = cartwheel(data, &[args, &["--json"]].concat()).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn statuses(data: &Path) -> Vec<(String, String)> {
    let text = |model: &Value, name: &str| model[name].as_str().unwrap().to_owned();
    let models = value(data, &["models", "list"]);
    let models = models.as_array().unwrap();
    models.iter().map(|model| (text(model, "version"), text(model, "status"))).collect()
}

fn status_of(data: &Path, version: &str) -> String {
    statuses(data).into_iter().find(|(name, _)| name == version).unwrap().1
}

/// Counts the entries of a type and state name in the history of a run.
fn count(run: &Value, kind: &str, name: &str) -> usize {
    let history = run["history"].as_array().unwrap();
    let of = |entry: &&Value| entry["type"] == kind && entry["details"]["name"] == name;
    history.iter().filter(of).count()
}

#[test]
fn a_worse_model_is_rejected_a_better_model_is_deployed_and_rolled_back() {
    let data = unreleased();
    let data = data.path();
    let first = value(data, &["pipeline", "run", "--set", "num_round=3", "--set", "max_depth=2"]);
    assert_eq!(first["output"]["outcome"], "released", "{}", first["output"]);
    assert_eq!(first["output"]["reference"], "popular");
    let first_model = first["output"]["model"].as_str().unwrap();

    let worse = value(
        data,
        &[
            "pipeline",
            "run",
            "--name",
            "worse",
            "--set",
            "num_round=1",
            "--set",
            "max_depth=1",
            "--set",
            "colsample_bytree=0.02",
        ],
    );
    assert_eq!(worse["output"]["outcome"], "rejected", "{}", worse["output"]);
    assert_eq!(worse["output"]["reference"], first_model);
    let worse_model = worse["output"]["model"].as_str().unwrap();
    assert_eq!(
        (status_of(data, worse_model), status_of(data, first_model)),
        ("rejected".to_owned(), "serving".to_owned())
    );
    let shown = value(data, &["models", "show", worse_model]);
    assert_eq!(shown["evaluation"]["run"], "worse");
    assert!(shown["evaluation"]["report"]["difference"].as_f64().unwrap() < 0.0);
    assert_eq!(shown["parameters"]["num_round"], "1");

    let better = value(data, &["pipeline", "run", "--set", "num_round=60", "--set", "eta=0.1"]);
    assert_eq!(better["output"]["outcome"], "released", "{}", better["output"]);
    let better_model = better["output"]["model"].as_str().unwrap();
    assert_eq!(status_of(data, first_model), "previous");

    let back = value(data, &["models", "rollback"]);
    assert_eq!(back["model"], first_model);
    assert_eq!(status_of(data, better_model), "previous");
    let served = value(data, &["models", "deploy", better_model]);
    assert_eq!(served["model"], better_model);
    assert!(cartwheel(data, &["models", "deploy", "m-none"]).unwrap_err().contains("models list"));
    let runs = value(data, &["pipeline", "list"]);
    assert_eq!(runs.as_array().unwrap().len(), 3);
    let table = cartwheel(data, &["pipeline", "show", "worse"]).unwrap();
    assert!(table.contains("✓ Reject"), "{table}");
    let graph = cartwheel(data, &["pipeline", "graph"]).unwrap();
    assert!(graph.contains("\"Gate\" -> \"Reject\""), "{graph}");
}

/// The release that serves.
fn current(data: &Path) -> Value {
    let text = std::fs::read(data.join("lake/releases/current.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn too_few_gate_users_are_judged_by_cross_validation_until_the_gate_can_decide() {
    let data = unreleased();
    let data = data.path();
    settings(data, 1000, "quick");
    let run = value(data, &["pipeline", "run"]);
    let (output, verdict) = (&run["output"], &run["output"]["verdict"]);
    assert_eq!(
        (&output["outcome"], &output["reference"]),
        (&json!("provisional"), &json!("popular"))
    );
    let reason = verdict["reason"].as_str().unwrap();
    let expected = " of the 1000 users that the gate asks for; judged by 5-fold cross-validation instead: Recall@10 0.";
    assert!(reason.contains(expected) && reason.ends_with("released as provisional."), "{reason}");
    assert!(verdict["advice"].as_str().unwrap().contains("10000 users or so"), "{verdict}");
    assert_eq!(
        (&verdict["figures"]["folds"], &verdict["figures"]["min_users"]),
        (&json!(5), &json!(1000))
    );
    assert!(verdict["figures"]["users"].as_u64() > verdict["figures"]["gate_users"].as_u64());
    assert_eq!(count(&run, "TaskStateEntered", "TrainFold"), 5);
    assert_eq!(count(&run, "TaskStateEntered", "TrainTrial"), 0);
    let model = output["model"].as_str().unwrap();
    assert_eq!(current(data)["model"], model);
    assert_eq!(status_of(data, model), "serving");
    for command in [vec!["models", "show", model], vec!["pipeline", "show"]] {
        let shown = cartwheel(data, &command).unwrap();
        assert!(shown.contains(reason) && shown.contains("rovisional"), "{command:?}: {shown}");
    }
    let shown = cartwheel(data, &["models", "show", model]).unwrap();
    assert!(shown.contains("a shop that cross-validation judges is too small"), "{shown}");
    assert!(cartwheel(data, &["models", "list"]).unwrap().contains("provisional"));
    assert!(!data.join("lake/training").exists(), "the models of the folds are removed");

    settings(data, 5, "off");
    let run = value(data, &["pipeline", "run"]);
    assert_eq!(run["output"]["outcome"], "released");
    let reason = run["output"]["verdict"]["reason"].as_str().unwrap();
    let expected = format!("gate users): released. It replaces {model}, which was provisional.");
    assert!(reason.ends_with(&expected), "{reason}");
    assert_eq!(count(&run, "TaskStateEntered", "TrainFold"), 0);
    assert_eq!(status_of(data, model), "previous");
}

#[test]
fn whatever_becomes_of_training_the_newest_features_serve() {
    let data = unreleased();
    let data = data.path();
    let failed = cartwheel(data, &["pipeline", "run", "--name", "bad", "--set", "booster=deep"]);
    let failed = failed.unwrap_err();
    assert!(
        failed.contains("bad failed: States.TaskFailed") && failed.contains("deep"),
        "{failed}"
    );
    let shown = value(data, &["pipeline", "show", "bad"]);
    assert_eq!(shown["status"], "FAILED");
    // A redrive continues with the task that failed.
    assert!(cartwheel(data, &["pipeline", "redrive", "bad"]).unwrap_err().contains("deep"));
    let shown = value(data, &["pipeline", "show", "bad"]);
    assert_eq!(shown["status"], "FAILED");
    let entered = |state| count(&shown, "TaskStateEntered", state);
    assert_eq!((entered("BuildFeatures"), entered("RefreshFeatures"), entered("Train")), (1, 1, 2));
    let served = current(data);
    assert_eq!(served["model"], json!(null));
    let recommended = value(data, &["recommend", "--user", "nobody"]);
    assert_eq!(recommended.as_array().unwrap().len(), 10);

    // A shop of three customers has nothing to learn from.
    let few = tempfile::tempdir().unwrap();
    let csv = few.path().join("csv");
    std::fs::create_dir(&csv).unwrap();
    let orders = "order_id,user_id,order_number\n1,a,1\n2,a,2\n3,b,1\n";
    std::fs::write(csv.join("orders.csv"), orders).unwrap();
    let lines = "order_id,product_id\n1,x\n2,x\n2,y\n3,y\n";
    std::fs::write(csv.join("order_products.csv"), lines).unwrap();
    cartwheel(few.path(), &["import", "instacart", csv.to_str().unwrap()]).unwrap();
    let run = value(few.path(), &["pipeline", "run"]);
    assert_eq!(run["output"]["outcome"], "untrained", "{}", run["output"]);
    let reason = &run["output"]["verdict"]["reason"];
    assert_eq!(*reason, "1 user has a second order. Training asks for 10 such users.");
    assert_eq!(current(few.path())["model"], json!(null));
    let server = Server::start(few.path());
    let (status, answer) = server.get("/v1/users/a/recommendations").unwrap();
    let listed = answer["recommendations"].as_array().unwrap().len();
    assert_eq!((status, listed, &answer["degraded"]), (200, 2, &json!(false)), "{answer}");
    server.stop();
}

#[test]
fn a_search_is_recorded_with_the_model_and_leaves_what_the_run_sets() {
    let data = unreleased();
    let data = data.path();
    settings(data, 5, "quick");
    let run = value(data, &["pipeline", "run", "--set", "num_round=20", "--set", "lambda=5"]);
    let trained = count(&run, "TaskStateEntered", "TrainTrial");
    assert!(trained == 4 || trained == 6, "{trained} trainings in one or two rungs");
    let model = run["output"]["model"].as_str().unwrap();
    let shown = value(data, &["models", "show", model]);
    let search = &shown["evaluation"]["report"]["search"];
    let trials = search["trials"].as_array().unwrap();
    assert_eq!((&search["mode"], trials.len()), (&json!("quick"), 4));
    let chosen = search["chosen"].as_u64().unwrap() as usize;
    for (name, value) in trials[chosen]["hyperparameters"].as_object().unwrap() {
        assert_eq!(shown["parameters"][name], *value, "{name}");
    }
    for trial in trials {
        assert!(trial["losses"][0].as_f64().unwrap() > 0.0, "{trial}");
        assert_eq!(trial["hyperparameters"]["lambda"], "5");
    }
    assert_eq!(shown["parameters"]["num_round"], "20");
    let text = cartwheel(data, &["models", "show", model]).unwrap();
    let outcome = search["outcome"].as_str().unwrap();
    assert!(text.contains(&format!("Search for hyperparameters: {outcome}\n")), "{text}");
    assert!(text.contains("LOGLOSS OF 20 ROUNDS"), "{text}");
    assert!(!data.join("lake/training").exists(), "the models of the trials are removed");

    // The same data and seed give the same trials and the same choice.
    let again = value(data, &["pipeline", "run", "--set", "num_round=20", "--set", "lambda=5"]);
    assert_eq!(searches(&again), searches(&run));
    assert_eq!(searches(&run).last().unwrap()["record"], *search);
}

/// The values of the steps of a run's search.
fn searches(run: &Value) -> Vec<&Value> {
    let history = run["history"].as_array().unwrap().iter();
    let values = history.map(|entry| &entry["details"]["output"]["Payload"]);
    values.filter(|value| value["record"].is_object()).collect()
}

fn begin(data: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .arg("--data-dir")
        .arg(data)
        .args(["pipeline", "run", "--name", "cut", "--set", "num_round=400"])
        .args(["--set", "early_stopping_rounds=400"])
        .current_dir(data)
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_for(data: &Path, state: &str) {
    let start = Instant::now();
    let journal = data.join("pipeline/cut.jsonl");
    loop {
        if journal.exists() {
            let run = value(data, &["pipeline", "show", "cut"]);
            if count(&run, "TaskStateEntered", state) > 0 {
                return;
            }
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{state} is not reached");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_run_killed_or_interrupted_in_training_resumes_without_rebuilding_features() {
    let data = unreleased();
    let data = data.path();
    // Ctrl-C in a terminal reaches the whole process group; kill -9 follows in the same run.
    for signal in ["-INT", "-KILL"] {
        let mut run = begin(data);
        wait_for(data, "Train");
        std::thread::sleep(Duration::from_millis(300));
        let group = format!("-{}", run.id());
        assert!(Command::new("kill").args([signal, "--", &group]).status().unwrap().success());
        assert!(!run.wait().unwrap().success());
    }
    assert_eq!(value(data, &["pipeline", "show", "cut"])["status"], "INTERRUPTED");
    assert_eq!(value(data, &["pipeline", "list"])[0]["status"], "INTERRUPTED");
    let run = value(data, &["pipeline", "run", "--set", "num_round=1"]);
    assert_eq!((&run["name"], &run["output"]["outcome"]), (&json!("cut"), &json!("released")));
    let built = run["history"].as_array().unwrap().iter().filter(|entry| {
        entry["type"] == "TaskSucceeded"
            && entry["details"]["output"]["JobName"] == "cartwheel-features"
    });
    assert_eq!(built.count(), 1);
    assert_eq!(count(&run, "TaskStateEntered", "BuildFeatures"), 1);
}

#[test]
fn a_run_cut_off_after_each_transition_ends_like_an_undisturbed_run() {
    let data = unreleased();
    let data = data.path();
    let whole = value(data, &["pipeline", "run", "--name", "cut", "--set", "num_round=5"]);
    assert_eq!(count(&whole, "TaskStateEntered", "TrainTrial"), 0);
    let journal = data.join("pipeline/cut.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    assert!(lines.len() > 7, "{}", lines.len());
    for kept in 1..lines.len() {
        // As after a kill: the last entry may be incomplete.
        let torn = &lines[kept][..lines[kept].len() / 2];
        std::fs::write(&journal, lines[..kept].concat() + torn).unwrap();
        assert_eq!(value(data, &["pipeline", "show", "cut"])["status"], "INTERRUPTED");
        let run = value(data, &["pipeline", "run"]);
        for field in ["name", "status", "input"] {
            assert_eq!(run[field], whole[field], "cut after line {kept}");
        }
        for field in ["outcome", "model", "feature_set"] {
            assert_eq!(run["output"][field], whole["output"][field], "cut after line {kept}");
        }
        let finished = |run: &Value| -> usize {
            let history = run["history"].as_array().unwrap();
            history.iter().filter(|entry| entry["type"] == "TaskSucceeded").count()
        };
        assert_eq!(finished(&run), finished(&whole), "no finished task runs again");
    }
}

#[test]
fn checkouts_start_a_run_and_no_request_fails_while_releases_change() {
    let data = shop();
    std::fs::write(
        data.path().join("cartwheel.toml"),
        "[gate]\nmin_users = 5\n[train]\nrounds = 20\n[pipeline]\nafter_checkouts = 3\n",
    )
    .unwrap();
    let server = Server::start(data.path());
    for user in 0..3 {
        let user = format!("new-{user}");
        let add = json!({"user_id": user, "event": "add_to_cart", "product_ids": ["1", "2"]});
        server.submit(&add);
        server.submit(&json!({"user_id": user, "event": "checkout"}));
    }
    let start = Instant::now();
    let mut requests = 0;
    loop {
        let (status, answer) =
            server.post("/v1/recommendations", &json!({"user_id": "new-1"})).unwrap();
        assert_eq!(status, 200, "{answer}");
        requests += 1;
        let (_, runs) = server.get("/v1/pipeline/executions").unwrap();
        if runs["executions"][0]["status"] == "SUCCEEDED" {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(600), "{runs}");
        if requests % 10 == 0 {
            // Switches releases back and forth during the run.
            let _ = server.post("/v1/models/rollback", &json!({}));
        }
    }
    assert!(requests > 10, "{requests}");
    server.stop();
}

#[test]
fn a_server_runs_the_pipeline_and_operators_stop_redrive_and_follow_it() {
    let data = shop();
    settings(data.path(), 5, "off");
    let server = Server::start(data.path());
    let long = json!({"name": "one", "hyperparameters": {"num_round": "4000", "early_stopping_rounds": "4000"}});
    let (status, answer) = server.post("/v1/pipeline/executions", &long).unwrap();
    assert_eq!((status, &answer["name"]), (201, &json!("one")));
    let (status, problem) = server.post("/v1/pipeline/executions", &json!({})).unwrap();
    assert_eq!((status, &problem["type"]), (409, &json!("urn:cartwheel:problem:conflict")));
    let (status, _) = server.post("/v1/recommendations", &json!({"user_id": "1"})).unwrap();
    assert_eq!(status, 200);
    let refused = cartwheel(data.path(), &["pipeline", "run"]).unwrap_err();
    assert!(refused.contains("one is still running"), "{refused}");

    cartwheel(data.path(), &["pipeline", "stop"]).unwrap();
    let (_, run) = server.get("/v1/pipeline/executions/one").unwrap();
    assert_eq!((&run["status"], &run["error"]), (&json!("ABORTED"), &json!("Stopped")));
    let (status, _) = server.post("/v1/pipeline/executions/one/stop", &json!({})).unwrap();
    assert_eq!(status, 409);
    let (status, _) = server.get("/v1/pipeline/executions/none").unwrap();
    assert_eq!(status, 404);

    let two = json!({"name": "two", "hyperparameters": {"num_round": "40", "eta": "0.1"}});
    server.post("/v1/pipeline/executions", &two).unwrap();
    let events = follow(&server.address, "/v1/pipeline/executions/two/events");
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!(last["status"], "SUCCEEDED", "{}", last["cause"]);
    assert!(events.len() > 3, "a run is seen to change");
    let (_, models) = server.get("/v1/models").unwrap();
    let model = models["models"][0]["version"].as_str().unwrap().to_owned();
    let (status, release) = server.post(&format!("/v1/models/{model}/deploy"), &json!({})).unwrap();
    assert_eq!((status, &release["model"]), (200, &json!(model)));
    let start = Instant::now();
    while server.get("/readyz").unwrap().1["engine"]["model_version"] != json!(model) {
        assert!(start.elapsed() < Duration::from_secs(10), "the deployed model does not serve");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (status, _) = server.post("/v1/models/rollback", &json!({})).unwrap();
    assert_eq!(status, 200);
    server.stop();
}

/// The data of all server-sent events of a stream that ends.
fn follow(address: &str, path: &str) -> Vec<String> {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("text/event-stream"), "{answer}");
    let data = answer.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(str::to_owned).collect()
}
