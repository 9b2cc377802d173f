//! The server over AWS services.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use cartwheel_testkit::Emulator;
use serde_json::Value;

use crate::shop::cartwheel;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn request(address: &str, key: &str, head: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let rest =
        format!("x-api-key: {key}\r\nContent-Type: application/json\r\nContent-Length: {length}");
    write!(stream, "{head} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{rest}\r\n\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn the_server_runs_over_aws_services() {
    let (kinesis, dynamodb, moto) = (Emulator::kinesis(), Emulator::dynamodb(), Emulator::moto());
    kinesis.make_stream("events", 1);
    dynamodb.make_users("users");
    moto.make_bucket("lake");
    let data = tempfile::tempdir().unwrap();
    let created = cartwheel(data.path(), &["--json", "keys", "create", "shop", "--scope", "admin"]);
    let created: Value = serde_json::from_str(&created.unwrap()).unwrap();
    let key = created["key"].as_str().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cartwheel"));
    command
        .arg("--data-dir")
        .arg(data.path())
        .args(["serve", "--backend", "aws", "--listen", "127.0.0.1:0"])
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_ENDPOINT_URL_KINESIS", kinesis.url())
        .env("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url())
        .env("AWS_ENDPOINT_URL_S3", moto.url())
        .env("CARTWHEEL_LAKE", "s3://lake")
        .env("CARTWHEEL_STREAM", "events")
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let unnamed = command.output().unwrap();
    let error = String::from_utf8(unnamed.stderr).unwrap();
    assert!(!unnamed.status.success() && error.contains("CARTWHEEL_TABLE is not set"), "{error}");

    let mut server = Server(command.env("CARTWHEEL_TABLE", "users").spawn().unwrap());
    let mut lines = BufReader::new(server.0.stderr.take().unwrap()).lines();
    let address = lines
        .find_map(|line| {
            let line = line.unwrap();
            Some(line.split_once("Open http://")?.1.split(' ').next()?.to_owned())
        })
        .unwrap();
    std::thread::spawn(move || lines.for_each(drop));

    // The keys of the data directory hold here too.
    assert_eq!(request(&address, "", "GET /v1/popular", "").0, 401);
    assert_eq!(request(&address, "wrong", "GET /metrics", "").0, 401);

    // A shop that has just begun lacks nothing: events are stored and answered.
    let view = r#"{"user_id": "u", "event": "view", "product_ids": ["p"]}"#;
    let (status, answer) = request(&address, key, "POST /submit", view);
    assert_eq!((status, answer["degraded"].as_bool()), (200, Some(false)), "{answer}");
    let record = answer["record_id"].as_str().unwrap();
    assert!(record.starts_with("0-") && record.len() > 50, "as Kinesis numbers it: {record}");
    assert_eq!(answer["shard_id"], "shardId-000000000000");
    assert_eq!(request(&address, key, "GET /readyz", "").0, 200);
    let (status, problem) = request(&address, key, "POST /submit", r#"{"user_id": "u"}"#);
    assert_eq!((status, problem["field"].as_str()), (400, Some("event")), "{problem}");

    // What an admin tries to change is recorded, although nothing is operated here.
    assert_eq!(request(&address, key, "POST /v1/models/rollback", "").0, 404);
    let audit = cartwheel(data.path(), &["audit", "--json"]).unwrap();
    assert!(audit.contains("/v1/models/rollback"), "{audit}");
}
