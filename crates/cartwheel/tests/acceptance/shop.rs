//! A small shop, a running server, and a client of it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

/// Runs the binary on a data directory and returns its output.
pub fn cartwheel(data: &Path, args: &[&str]) -> Result<String, String> {
    let out = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .arg("--data-dir")
        .arg(data)
        .args(args)
        .current_dir(data)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
    assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    if out.status.success() { Ok(stdout) } else { Err(stderr) }
}

/// Runs a command with the credentials of an emulated account, and returns its JSON.
#[cfg(feature = "aws")]
pub fn on_account(
    moto: &cartwheel_testkit::Emulator,
    data: &Path,
    args: &[&str],
) -> Result<Value, String> {
    let out = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .arg("--data-dir")
        .arg(data)
        .arg("--json")
        .args(args)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_ENDPOINT_URL_S3", moto.url())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    match out.status.success() {
        true => Ok(serde_json::from_str(&text(out.stdout)).unwrap()),
        false => Err(text(out.stderr)),
    }
}

/// The last day of the shop's history: the last Saturday that is over, UTC.
pub fn last_saturday() -> String {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    today.nth_weekday(-1, jiff::civil::Weekday::Saturday).unwrap().to_string()
}

/// A data directory with a released model, copied from a shared original.
pub fn shop() -> tempfile::TempDir {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("csv");
        let out = out.to_str().unwrap();
        let size = ["--users", "150", "--products", "200", "--orders", "1500"];
        cartwheel(dir.path(), &[&["generate"], &size[..], &["--out", out]].concat()).unwrap();
        // A day of a week: with ten shoppers in the gate, another one may decide otherwise.
        cartwheel(dir.path(), &["import", "instacart", out, "--as-of", &last_saturday()]).unwrap();
        cartwheel(dir.path(), &["features"]).unwrap();
        cartwheel(dir.path(), &["train"]).unwrap();
        dir
    });
    let copy = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(made.path().join(".")).arg(copy.path()).status();
    assert!(copied.unwrap().success());
    copy
}

/// A running server, killed when dropped.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    /// Starts a server on a free port and waits until it is ready.
    pub fn start(data: &Path) -> Self {
        let server = Self::begin(data);
        let start = Instant::now();
        while server.get("/readyz").is_none_or(|(status, _)| status != 200) {
            assert!(start.elapsed() < Duration::from_secs(30), "the server is not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Starts a server on a free port without waiting for readiness.
    pub fn begin(data: &Path) -> Self {
        Self::spawn(data, &["serve"])
    }

    /// Runs a command that serves, on a free port, until it names its address.
    pub fn spawn(data: &Path, command: &[&str]) -> Self {
        Self::spawn_with(data, command, &[])
    }

    /// As [`Server::spawn`], with further variables.
    pub fn spawn_with(data: &Path, command: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
            .arg("--data-dir")
            .arg(data)
            .args(command)
            .args(["--listen", "127.0.0.1:0"])
            .env("CARTWHEEL_DELIVERY_MAX_AGE_SECONDS", "1")
            .envs(variables.iter().copied())
            .current_dir(data)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .find_map(|line| {
                Some(line.unwrap().split_once("http://")?.1.split(' ').next()?.to_owned())
            })
            .expect("the server names its address");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    pub fn get(&self, path: &str) -> Option<(u16, Value)> {
        request(&self.address, "GET", path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        request(&self.address, "POST", path, Some(&body.to_string()))
    }

    /// The data of the first of a path's server-sent events.
    pub fn first_event(&self, path: &str) -> Value {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let lines = BufReader::new(socket).lines();
        let data = lines
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
        serde_json::from_str(&data.unwrap()).unwrap()
    }

    /// Sends an event that has to be accepted.
    pub fn submit(&self, body: &Value) -> Value {
        let (status, answer) = self.post("/submit", body).expect("an answer");
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the server to stop and waits until it exits.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "it stops in order");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends one request on a new connection. `None` if the server is gone.
pub fn request(
    address: &str,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> Option<(u16, Value)> {
    request_as(address, method, path, body, None)
}

/// Sends one request with an API key.
pub fn request_as(
    address: &str,
    method: &str,
    path: &str,
    body: Option<&str>,
    key: Option<&str>,
) -> Option<(u16, Value)> {
    let key = key.map(|key| format!("x-api-key: {key}\r\n")).unwrap_or_default();
    request_with(address, method, path, body, &key)
}

/// Sends one request with further headers, each ended by CRLF.
pub fn request_with(
    address: &str,
    method: &str,
    path: &str,
    body: Option<&str>,
    headers: &str,
) -> Option<(u16, Value)> {
    cartwheel_testkit::request(address, method, path, body, headers)
}

/// The shard of a part of the lake, and its first and last sequence number.
fn range(part: &Path) -> Option<(u32, u64, u64)> {
    let mut numbers = part.file_stem()?.to_str()?.split('-').skip(1);
    let mut next = || numbers.next()?.parse::<u64>().ok();
    Some((u32::try_from(next()?).ok()?, next()?, next()?))
}

/// Whether compaction has merged a part into another one of its folder, and it waits for its removal.
fn is_merged(part: &Path, others: &[PathBuf]) -> bool {
    let Some((shard, first, last)) = range(part) else { return false };
    others
        .iter()
        .filter(|other| *other != part)
        .filter_map(|other| range(other))
        .any(|(of, from, to)| of == shard && from <= first && last <= to)
}

/// The values of one text column of every delivered event.
pub fn delivered(data: &Path, column: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut folders = vec![data.join("lake/events")];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        for path in &paths {
            if path.is_dir() {
                folders.push(path.clone());
            } else if path.extension().is_some_and(|x| x == "parquet") && !is_merged(path, &paths) {
                let file = std::fs::File::open(path).unwrap();
                let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
                for batch in reader.build().unwrap() {
                    let batch = batch.unwrap();
                    let values = batch.column_by_name(column).unwrap().as_string::<i32>();
                    out.extend((0..values.len()).map(|at| values.value(at).to_owned()));
                }
            }
        }
    }
    out
}

/// Waits until a condition holds.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(600), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until `n` events are in the lake.
pub fn wait_for_delivery(data: &Path, n: usize) {
    let start = Instant::now();
    while delivered(data, "event_id").len() < n {
        assert!(start.elapsed() < Duration::from_secs(20), "the events are not delivered");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The ids of the products in a response.
pub fn ids(answer: &Value) -> Vec<String> {
    let list = answer["recommendations"].as_array().unwrap();
    list.iter().map(|r| r["product_id"].as_str().unwrap().to_owned()).collect()
}
