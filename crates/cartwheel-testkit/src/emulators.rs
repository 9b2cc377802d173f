//! Stand-ins for AWS services, each a process on a free port of this machine.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

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
    /// When it is not installed or does not start; `make setup` installs it.
    pub fn moto() -> Self {
        Self::start(&root().join(".venv/bin/moto_server"), "-p", &["-H", "127.0.0.1"])
    }

    fn node(name: &str, arguments: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/.bin").join(name);
        Self::start(&program, "--port", arguments)
    }

    fn start(program: &Path, port_flag: &str, arguments: &[&str]) -> Self {
        assert!(program.exists(), "{} is missing: run `make setup`", program.display());
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
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("moto");
        let head = format!("PUT /{name} HTTP/1.1\r\nHost: s3.amazonaws.com\r\n");
        let end = "Content-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("{head}{end}").as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
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
