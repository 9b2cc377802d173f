//! A running server, a client on one connection, and the memory of a process.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::case::Memory;

/// Longest time that a server may take to start or stop, whatever else runs.
const PATIENCE: Duration = Duration::from_secs(30);
/// Small segments, so that a log has many and their making is seen.
pub const SMALL_SEGMENTS: (&str, &str) = ("CARTWHEEL_STREAM_SEGMENT_BYTES", "262144");

/// A running server, killed when dropped. What it logs is kept beside its data.
pub struct Node {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// From its start to its first 200 of `/readyz`.
    pub started_in: Duration,
    log: PathBuf,
}

impl Node {
    /// Starts it on a free port with some variables, and waits until it is ready. An
    /// error holds what it said if it ended.
    pub fn start(data: &Path, variables: &[(&str, &str)]) -> Result<Self> {
        let log = (0..).map(|n| data.with_extension(format!("{n}.stderr")));
        let Some(log) = { log }.find(|path| !path.exists()) else { bail!("too many logs") };
        let named = data.join("server.address");
        let _ = std::fs::remove_file(&named);
        let start = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
            .arg("--data-dir")
            .arg(data)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("CARTWHEEL_DELIVERY_MAX_AGE_SECONDS", "1")
            .env("NO_COLOR", "1")
            .envs(variables.iter().copied())
            .current_dir(data)
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        let mut node = Self { child, address: String::new(), started_in: Duration::ZERO, log };
        loop {
            if let Some(status) = node.child.try_wait()? {
                bail!("the server ended ({status}): {}", node.said().trim());
            }
            if node.address.is_empty() {
                node.address =
                    std::fs::read_to_string(&named).unwrap_or_default().trim().to_owned();
            } else if matches!(node.get("/readyz"), Ok(answer) if answer.status == 200) {
                break;
            }
            ensure!(start.elapsed() < PATIENCE, "the server is not ready: {}", node.said().trim());
            std::thread::sleep(Duration::from_millis(5));
        }
        node.started_in = start.elapsed();
        Ok(node)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has logged.
    pub fn said(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A connection of its own.
    pub fn client(&self) -> io::Result<Client> {
        Client::connect(&self.address)
    }

    /// One request without a body.
    pub fn get(&self, path: &str) -> io::Result<Answer> {
        self.client()?.send("GET", path, &[], b"")
    }

    /// One request with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> io::Result<Answer> {
        self.client()?.post(path, body)
    }

    /// kill -9.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop, and gives how it ended.
    pub fn terminate(mut self) -> Result<ExitStatus> {
        let pid = i32::try_from(self.pid())?;
        // SAFETY: the process is a child that was not waited for: the id is its own.
        ensure!(unsafe { libc::kill(pid, libc::SIGTERM) } == 0, "the signal was not sent");
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(start.elapsed() < PATIENCE, "the server does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it in order: all that it accepted is delivered then.
    pub fn stop(self) -> Result<()> {
        let log = self.log.clone();
        let status = self.terminate()?;
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        ensure!(status.success(), "the server does not stop in order ({status}): {}", said());
        Ok(())
    }

    /// Resident memory now and at most since [`Node::forget_peak`], in KiB.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok())
                .with_context(|| format!("/proc holds no {name}"))
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }

    /// Begins to look for the most memory again.
    pub fn forget_peak(&self) -> Result<()> {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.pid()), "5")?)
    }

    /// Memory around what `work` does.
    pub fn memory_around<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<(T, Memory)> {
        self.forget_peak()?;
        let before = self.memory()?.0;
        let done = work()?;
        let (after, peak) = self.memory()?;
        Ok((done, Memory { before, peak, after }))
    }

    /// Open descriptors and threads.
    pub fn handles(&self) -> Result<(u64, u64)> {
        let count = |what: &str| -> Result<u64> {
            Ok(std::fs::read_dir(format!("/proc/{}/{what}", self.pid()))?.count() as u64)
        };
        Ok((count("fd")?, count("task")?))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One HTTP/1.1 connection, kept open between requests.
pub struct Client {
    socket: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Head, as it came.
    pub head: String,
    /// Body, as it came.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body's JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut pairs = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        pairs.next().map(|(_, value)| value.trim())
    }
}

impl Client {
    /// Connects; no answer takes longer than 20 s.
    pub fn connect(address: &str) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        socket.set_write_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { socket: BufReader::new(socket) })
    }

    /// The socket, to do with it what no client should.
    pub fn socket(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }

    /// Posts JSON.
    pub fn post(&mut self, path: &str, body: &Value) -> io::Result<Answer> {
        self.send("POST", path, &[], body.to_string().as_bytes())
    }

    /// One request, with more headers.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        let own = |name: &str| headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        if !body.is_empty() && !own("content-type") {
            head.push_str("content-type: application/json\r\n");
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(body);
        self.socket.get_mut().write_all(&bytes)?;
        self.answer()
    }

    /// Reads the next answer.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let broken = || io::Error::other("what came is no answer");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.socket.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(broken)?;
        let mut answer = Answer { status, head, body: Vec::new() };
        match answer.header("content-length").map(str::parse::<usize>) {
            Some(length) => {
                answer.body = vec![0; length.map_err(|_| broken())?];
                self.socket.read_exact(&mut answer.body)?;
            }
            None if status == 204 => {}
            // Without a length it ends with the connection.
            None => drop(self.socket.read_to_end(&mut answer.body)?),
        }
        Ok(answer)
    }
}
