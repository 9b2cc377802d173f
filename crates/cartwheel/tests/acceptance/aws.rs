//! The server over AWS services.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cartwheel_testkit::{Emulator, Rights};
use serde_json::{Value, json};

use crate::shop::{cartwheel, ids, request_as, shop};

/// A journal of changed products of this many entries is shortened.
const ENTRIES: usize = 128;

struct Server {
    child: Child,
    address: String,
    key: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Answers a request with a key.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(Value::to_string);
        request_as(&self.address, method, path, body.as_deref(), Some(&self.key)).unwrap()
    }

    /// Answers a request that must succeed.
    fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, Some(body));
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }
}

/// The emulated services of an account.
struct Account {
    kinesis: Emulator,
    dynamodb: Emulator,
    moto: Emulator,
}

impl Account {
    fn open() -> Self {
        let (kinesis, dynamodb, moto) =
            (Emulator::kinesis(), Emulator::dynamodb(), Emulator::moto());
        kinesis.make_stream("events", 1);
        dynamodb.make_users("users");
        moto.make_bucket("lake");
        moto.make_delivery_stream("impressions", "lake");
        Self { kinesis, dynamodb, moto }
    }

    /// Uploads a folder of a lake on this machine.
    fn upload(&self, lake: &Path, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.upload(lake, &path);
            } else {
                let key = path.strip_prefix(lake).unwrap().to_str().unwrap();
                self.moto.put_object("lake", key, std::fs::read(&path).unwrap());
            }
        }
    }

    /// What the server needs to find the services.
    fn variables(&self) -> Vec<(String, String)> {
        let moto = self.moto.url();
        let variables = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL_KINESIS", &self.kinesis.url()),
            ("AWS_ENDPOINT_URL_DYNAMODB", &self.dynamodb.url()),
            ("AWS_ENDPOINT_URL_S3", &moto),
            ("AWS_ENDPOINT_URL_FIREHOSE", &moto),
            ("AWS_ENDPOINT_URL_SFN", &moto),
            ("CARTWHEEL_LAKE", "s3://lake"),
            ("CARTWHEEL_STREAM", "events"),
            ("CARTWHEEL_IMPRESSIONS", "impressions"),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

/// The command of a server over AWS on a free port, with a key.
fn command(data: &Path, variables: Vec<(String, String)>) -> (Command, String) {
    let created = cartwheel(data, &["--json", "keys", "create", "shop", "--scope", "admin"]);
    let created: Value = serde_json::from_str(&created.unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cartwheel"));
    command
        .arg("--data-dir")
        .arg(data)
        .args(["serve", "--backend", "aws", "--listen", "127.0.0.1:0"])
        .envs(variables)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    (command, created["key"].as_str().unwrap().to_owned())
}

/// Starts the server, and waits until it listens.
fn start(command: &mut Command, key: String) -> Server {
    let mut child = command.env("CARTWHEEL_TABLE", "users").spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines.find_map(|line| {
        Some(line.unwrap().split_once("Open http://")?.1.split(' ').next()?.to_owned())
    });
    std::thread::spawn(move || lines.for_each(drop));
    Server { child, address: address.unwrap(), key }
}

#[test]
fn the_server_runs_over_aws_services() {
    let account = Account::open();
    let data = tempfile::tempdir().unwrap();
    let (mut command, key) = command(data.path(), account.variables());
    let unnamed = command.output().unwrap();
    let error = String::from_utf8(unnamed.stderr).unwrap();
    assert!(!unnamed.status.success() && error.contains("CARTWHEEL_TABLE is not set"), "{error}");
    let server = start(&mut command, key);

    // The keys of the data directory hold here too.
    let with = |key: &str, path: &str| request_as(&server.address, "GET", path, None, Some(key));
    assert_eq!(with("", "/v1/popular").unwrap().0, 401);
    assert_eq!(with("wrong", "/metrics").unwrap().0, 401);

    // A shop that has just begun lacks nothing: events are stored and answered.
    let view = json!({"user_id": "u", "event": "view", "product_ids": ["p"]});
    let (status, answer) = server.ask("POST", "/submit", Some(&view));
    assert_eq!((status, answer["degraded"].as_bool()), (200, Some(false)), "{answer}");
    let record = answer["record_id"].as_str().unwrap();
    assert!(record.starts_with("0-") && record.len() > 50, "as Kinesis numbers it: {record}");
    assert_eq!(answer["shard_id"], "shardId-000000000000");
    assert_eq!(server.ask("GET", "/readyz", None).0, 200);
    let (status, problem) = server.ask("POST", "/submit", Some(&json!({"user_id": "u"})));
    assert_eq!((status, problem["field"].as_str()), (400, Some("event")), "{problem}");

    // What an admin tries to change is recorded, although nothing is operated here.
    assert_eq!(server.ask("POST", "/v1/models/rollback", None).0, 404);
    let audit = cartwheel(data.path(), &["audit", "--json"]).unwrap();
    assert!(audit.contains("/v1/models/rollback"), "{audit}");
}

#[test]
fn an_operator_configures_the_shop_and_needs_no_further_rights() {
    let account = Account::open();
    let learned = shop();
    let lake = learned.path().join("lake");
    for folder in ["features", "models", "releases"] {
        account.upload(&lake, &lake.join(folder));
    }
    let definition = json!({"StartAt": "Done", "States": {"Done": {"Type": "Pass", "End": true}}});
    let machine = account.moto.execute("shop-dev-pipeline", "shop-dev-1", &definition, &json!({}));
    let mut variables = account.variables();
    variables.push(("CARTWHEEL_STATE_MACHINE".to_owned(), machine));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let rights = Rights::default();
    let variables = runtime.block_on(rights.listen("serve", variables));
    let data = tempfile::tempdir().unwrap();
    let (mut command, key) = command(data.path(), variables);
    let server = start(&mut command, key);

    // It serves the account's release.
    let (status, models) = server.ask("GET", "/v1/models", None);
    assert_eq!((status, &models["models"][0]["status"]), (200, &json!("serving")), "{models}");
    let model = models["models"][0]["version"].as_str().unwrap();
    assert_eq!(server.ask("GET", &format!("/v1/models/{model}"), None).0, 200);
    let (_, popular) = server.ask("GET", "/v1/popular?limit=10", None);
    let popular = ids(&popular);
    let add = json!({"user_id": "1", "event": "add_to_cart", "product_ids": [popular[0]]});
    let answer = server.done("POST", "/submit", &add);
    assert_eq!((&answer["model_version"], ids(&answer).len()), (&json!(model), 10), "{answer}");

    // An answer is made again once its record is in the lake, which takes minutes.
    let id = answer["recommendation_id"].as_str().unwrap();
    let (status, problem) = server.ask("GET", &format!("/v1/recommendations/{id}/replay"), None);
    let detail = problem["detail"].as_str().unwrap();
    assert!(status == 404 && detail.contains("is stored yet: answers are delivered"), "{problem}");

    // Placements, rules and synonyms are in the lake, with their versions.
    let placement = json!({"kind": "popular", "limit": 5});
    server.done("PUT", "/v1/placements/shelf", &placement);
    let rule = json!({"id": "recalled", "products": {"ids": [popular[1]]},
                      "action": {"kind": "block"}});
    server.done("PUT", "/v1/rules/recalled", &rule);
    server.done("PUT", "/v1/synonyms", &json!({"groups": ["soda, pop"]}));
    let asked = json!({"user_id": "u"});
    let shelf = ids(&server.done("POST", "/v1/placements/shelf", &asked));
    assert_eq!(shelf, [&popular[..1], &popular[2..6]].concat());
    for document in ["placements", "rules", "synonyms"] {
        let (_, history) = server.ask("GET", &format!("/v1/{document}/history"), None);
        assert_eq!(history["versions"][0]["version"], 1, "{document}: {history}");
    }
    server.done("POST", "/v1/rules/undo", &json!({"version": 0}));
    assert_eq!(ids(&server.done("POST", "/v1/placements/shelf", &asked)), popular[..5]);

    // So are changes of products, whose journal is shortened.
    for n in 0..=ENTRIES {
        let product = json!({"name": format!("Tea {n}"), "stock": n + 1});
        server.done("PUT", "/v1/products/tea", &product);
    }
    let (_, found) = server.ask("GET", "/v1/search?q=tea", None);
    assert_eq!(found["products"][0]["product_id"], "tea", "{found}");

    // Runs are shown.
    let (status, run) = server.ask("GET", "/v1/pipeline/executions/shop-dev-1", None);
    assert_eq!((status, &run["status"]), (200, &json!("SUCCEEDED")), "{run}");
    assert_eq!(server.ask("GET", "/v1/pipeline/definition", None), (200, definition));
    let (status, runs) = server.ask("GET", "/v1/pipeline/executions", None);
    assert_eq!((status, &runs["executions"][0]["name"]), (200, &json!("shop-dev-1")), "{runs}");
    drop(server);
    // Here the requests are compared with those that the policy of operators is checked against.
    drop(rights);
}
