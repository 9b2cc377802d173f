//! Emulators of AWS services; each is a process on a free port of this machine.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Time limit for an emulator to start, and for a resource to become ready.
const LIMIT: Duration = Duration::from_secs(30);

/// A running emulator. Dropping it ends the process.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    port: u16,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns a port that no process listens on.
///
/// # Panics
/// If the machine has no free port.
pub fn free_port() -> u16 {
    // Between two tests, a port is free until its server listens: neither gets the other's.
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        if given.insert(port) {
            return port;
        }
    }
}

impl Emulator {
    /// Starts kinesalite, which emulates Kinesis.
    ///
    /// # Panics
    /// If it is not installed (`make setup` installs it) or does not start.
    pub fn kinesis() -> Self {
        let states = ["--createStreamMs", "1", "--deleteStreamMs", "1", "--shardLimit", "100"];
        Self::node("kinesalite", &states)
    }

    /// Starts dynalite, which emulates DynamoDB.
    ///
    /// # Panics
    /// If it is not installed (`make setup` installs it) or does not start.
    pub fn dynamodb() -> Self {
        Self::node("dynalite", &["--createTableMs", "1", "--deleteTableMs", "1"])
    }

    /// Starts moto, which emulates S3, SQS, SNS and other services.
    ///
    /// # Panics
    /// If it is not installed (`make test` installs it) or does not start.
    pub fn moto() -> Self {
        Self::start(&root().join(".venv-test/bin/moto_server"), "-p", &["-H", "127.0.0.1"])
    }

    fn node(name: &str, arguments: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/.bin").join(name);
        Self::start(&program, "--port", arguments)
    }

    fn start(program: &Path, port_flag: &str, arguments: &[&str]) -> Self {
        assert!(program.exists(), "{} is missing: run `make test`", program.display());
        // Another process may take the port first; the loop then tries the next one.
        for _ in 0..5 {
            let port = free_port();
            let mut command = Command::new(program);
            command.args(arguments).arg(port_flag).arg(port.to_string());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().expect("the emulator starts");
            let start = Instant::now();
            while start.elapsed() < LIMIT {
                if child.try_wait().expect("its status").is_some() {
                    break;
                }
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                    return Self { child, port };
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("{} does not listen", program.display());
    }

    /// Creates a bucket; for moto.
    ///
    /// # Panics
    /// If the request fails.
    pub fn make_bucket(&self, name: &str) {
        self.request(&format!("PUT /{name}"), &[("Host", "s3.amazonaws.com")], b"");
    }

    /// Creates a delivery stream that writes to a folder of a bucket; for moto.
    ///
    /// # Panics
    /// If the request fails.
    pub fn make_delivery_stream(&self, name: &str, bucket: &str) {
        let destination = json!({
            "RoleARN": "arn:aws:iam::123456789012:role/delivery",
            "BucketARN": format!("arn:aws:s3:::{bucket}"),
            "Prefix": format!("{name}/"),
        });
        self.call(
            "Firehose_20150804.CreateDeliveryStream",
            &json!({"DeliveryStreamName": name, "ExtendedS3DestinationConfiguration": destination}),
        );
    }

    /// Lets executions of state machines run; for moto.
    ///
    /// # Panics
    /// If the request fails.
    pub fn run_state_machines(&self) {
        let body = json!({"stepfunctions": {"execute_state_machine": true}}).to_string();
        let headers = [("Host", "127.0.0.1"), ("Content-Type", "application/json")];
        self.request("POST /moto-api/config", &headers, body.as_bytes());
    }

    /// Creates the state machine `machine`, lets its execution `name` run to its end, and returns the
    /// machine's ARN; for moto.
    ///
    /// # Panics
    /// If a request fails, or the execution does not end.
    pub fn execute(&self, machine: &str, name: &str, definition: &Value, input: &Value) -> String {
        self.run_state_machines();
        let field = |operation: &str, body: Value, field: &str| -> String {
            let answer = self.call(&format!("AWSStepFunctions.{operation}"), &body);
            let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
            let body: Value = serde_json::from_str(body).expect("JSON");
            body[field].as_str().expect("a text").to_owned()
        };
        let role = "arn:aws:iam::123456789012:role/pipeline";
        let new = json!({"name": machine, "definition": definition.to_string(), "roleArn": role});
        let machine = field("CreateStateMachine", new, "stateMachineArn");
        let new = json!({"stateMachineArn": machine, "name": name, "input": input.to_string()});
        let run = field("StartExecution", new, "executionArn");
        let status = || field("DescribeExecution", json!({"executionArn": run}), "status");
        self.wait(&|| status() != "RUNNING");
        machine
    }

    /// Writes an object; for moto.
    ///
    /// # Panics
    /// If the request fails.
    pub fn put_object(&self, bucket: &str, key: &str, content: impl AsRef<[u8]>) {
        let line = format!("PUT /{bucket}/{key}");
        self.request(&line, &[("Host", "s3.amazonaws.com")], content.as_ref());
    }

    /// Creates an event stream and waits until it is active; for Kinesis.
    ///
    /// # Panics
    /// If the request fails or the stream does not become active.
    pub fn make_stream(&self, name: &str, shards: u32) {
        self.call(
            "Kinesis_20131202.CreateStream",
            &json!({"StreamName": name, "ShardCount": shards}),
        );
        let summary = || {
            let query = json!({"StreamName": name});
            self.call("Kinesis_20131202.DescribeStreamSummary", &query)
        };
        self.wait(&|| summary().contains("\"ACTIVE\""));
    }

    /// Creates a users table and waits until it is active; for DynamoDB.
    ///
    /// # Panics
    /// If the request fails or the table does not become active.
    pub fn make_users(&self, name: &str) {
        let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
        let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        let table = json!({
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [attribute("user_id"), attribute("item")],
            "KeySchema": [key("user_id", "HASH"), key("item", "RANGE")],
        });
        self.call("DynamoDB_20120810.CreateTable", &table);
        let described =
            || self.call("DynamoDB_20120810.DescribeTable", &json!({"TableName": name}));
        self.wait(&|| described().contains("\"ACTIVE\""));
    }

    fn wait(&self, done: &dyn Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < LIMIT, "{} does not become ready", self.url());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn call(&self, target: &str, body: &Value) -> String {
        // The emulators require a signature but do not check it. Moto finds its service in it.
        let service = match target.split(['_', '.']).next() {
            Some("AWSStepFunctions") => "states".to_owned(),
            service => service.unwrap_or_default().to_lowercase(),
        };
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=test"
        );
        let is_old = service == "dynamodb" || service == "states";
        let version = if is_old { "1.0" } else { "1.1" };
        let media = format!("application/x-amz-json-{version}");
        let headers = [
            ("Host", "127.0.0.1"),
            ("Content-Type", media.as_str()),
            ("X-Amz-Target", target),
            ("X-Amz-Date", "20260101T000000Z"),
            ("Authorization", signature.as_str()),
        ];
        self.request("POST /", &headers, body.to_string().as_bytes())
    }

    fn request(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("the emulator runs");
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("the request is sent");
        stream.write_all(body).expect("the body is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the answer is read");
        assert!(answer.starts_with("HTTP/1.1 20"), "{line}: {answer}");
        answer
    }

    /// Returns the port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
