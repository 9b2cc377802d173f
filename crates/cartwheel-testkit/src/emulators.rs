//! Stand-ins for AWS services, each a process on a free port of this machine.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long one may take to listen.
const START: Duration = Duration::from_secs(30);

/// A running stand-in. It ends with this value.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    port: u16,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A port that nobody listens on.
///
/// # Panics
/// When the machine has none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl Emulator {
    /// Kinesis, by kinesalite.
    ///
    /// # Panics
    /// When it is not installed or does not start; `make setup` installs it.
    pub fn kinesis() -> Self {
        let states = ["--createStreamMs", "1", "--deleteStreamMs", "1", "--shardLimit", "100"];
        Self::node("kinesalite", &states)
    }

    /// DynamoDB, by dynalite.
    ///
    /// # Panics
    /// When it is not installed or does not start; `make setup` installs it.
    pub fn dynamodb() -> Self {
        Self::node("dynalite", &["--createTableMs", "1", "--deleteTableMs", "1"])
    }

    /// S3, SQS, SNS and others, by moto.
    ///
    /// # Panics
    /// When it is not installed or does not start; `make test` installs it.
    pub fn moto() -> Self {
        Self::start(&root().join(".venv-test/bin/moto_server"), "-p", &["-H", "127.0.0.1"])
    }

    fn node(name: &str, arguments: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/.bin").join(name);
        Self::start(&program, "--port", arguments)
    }

    fn start(program: &Path, port_flag: &str, arguments: &[&str]) -> Self {
        assert!(program.exists(), "{} is missing: `make test` installs it", program.display());
        // Another process may take the port first: then the next is tried.
        for _ in 0..5 {
            let port = free_port();
            let mut command = Command::new(program);
            command.args(arguments).arg(port_flag).arg(port.to_string());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().expect("the stand-in starts");
            let deadline = Instant::now() + START;
            while Instant::now() < deadline {
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

    /// Makes a bucket, where this is moto.
    ///
    /// # Panics
    /// When it does not.
    pub fn make_bucket(&self, name: &str) {
        self.request(&format!("PUT /{name}"), &[("Host", "s3.amazonaws.com")], "");
    }

    /// Makes a stream of events, where this is Kinesis.
    ///
    /// # Panics
    /// When it does not.
    pub fn make_stream(&self, name: &str, shards: u32) {
        self.call(
            "Kinesis_20131202.CreateStream",
            &json!({"StreamName": name, "ShardCount": shards}),
        );
        let summary = || {
            let asked = json!({"StreamName": name});
            self.call("Kinesis_20131202.DescribeStreamSummary", &asked)
        };
        self.wait(&|| summary().contains("\"ACTIVE\""));
    }

    /// Makes a table of users, where this is DynamoDB.
    ///
    /// # Panics
    /// When it does not.
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
            assert!(start.elapsed() < START, "{} does not get ready", self.url());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn call(&self, target: &str, body: &Value) -> String {
        // The stand-ins want a signature and do not check it.
        let signature = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/any/aws4_request, \
                         SignedHeaders=host, Signature=test";
        let version = if target.starts_with("DynamoDB") { "1.0" } else { "1.1" };
        let media = format!("application/x-amz-json-{version}");
        let headers = [
            ("Host", "127.0.0.1"),
            ("Content-Type", media.as_str()),
            ("X-Amz-Target", target),
            ("X-Amz-Date", "20260101T000000Z"),
            ("Authorization", signature),
        ];
        self.request("POST /", &headers, &body.to_string())
    }

    fn request(&self, line: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("it runs");
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{line}: {answer}");
        answer
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:<port>`.
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
