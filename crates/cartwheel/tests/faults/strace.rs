//! strace on a running server: its calls in their order, and faults in them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};

/// Why strace cannot be used here; none where it can.
pub fn missing() -> Option<String> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
        match tried {
            Err(error) => Some(format!("strace does not run here: {error}")),
            Ok(out) if !out.status.success() => {
                let why = String::from_utf8_lossy(&out.stderr).trim().to_owned();
                Some(format!("strace may not trace here: {why}"))
            }
            Ok(_) => None,
        }
    };
    FOUND.get_or_init(find).clone()
}

/// strace attached to a process with all of its threads.
pub struct Strace {
    child: Child,
    out: PathBuf,
}

impl Strace {
    /// Attaches with some options; the trace goes to `out`. Returns once it is there.
    pub fn attach(pid: u32, options: &[&str], out: &Path) -> Result<Self> {
        let mut child = Command::new("strace")
            .args(["-f", "-y", "-s", "1000000", "-o"])
            .arg(out)
            .args(options)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("strace")?;
        let said = child.stderr.take().context("strace says nothing")?;
        let mut lines = BufReader::new(said).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let strace = Self { child, out: out.to_owned() };
        ensure!(first.contains("attached"), "strace: {first}");
        // It goes on to tell of threads that come.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(strace)
    }

    /// Detaches, and gives what it saw.
    pub fn end(mut self) -> Result<Vec<Call>> {
        // SAFETY: the process is a child that was not waited for: the id is its own.
        unsafe { libc::kill(i32::try_from(self.child.id())?, libc::SIGINT) };
        self.child.wait()?;
        Ok(calls(&String::from_utf8_lossy(&std::fs::read(&self.out)?)))
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One system call. A call ends before another begins where its `ended` is less than
/// the other's `began`: strace lets a thread go on only after it has written its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// What stands between the parentheses.
    pub arguments: String,
    /// What it returned; none if that was not seen.
    pub result: Option<i64>,
    /// Line on which it began.
    pub began: usize,
    /// Line on which it ended.
    pub ended: usize,
}

impl Call {
    /// Whether it did what it should.
    pub fn succeeded(&self) -> bool {
        self.result.is_some_and(|result| result >= 0)
    }

    /// The file of the first argument, a descriptor.
    pub fn file(&self) -> &str {
        let digits = self.arguments.trim_start_matches(|c: char| c.is_ascii_digit());
        let inside = digits.strip_prefix('<').unwrap_or_default();
        inside.split('>').next().unwrap_or_default()
    }

    /// The paths among the arguments, made whole with the directory before each.
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut dir = PathBuf::new();
        let mut paths = Vec::new();
        for (at, piece) in self.arguments.split('"').enumerate() {
            if at % 2 == 1 {
                paths.push(dir.join(piece));
            } else if let Some((_, rest)) = piece.split_once('<') {
                dir = rest.split('>').next().unwrap_or_default().into();
            }
        }
        paths
    }
}

/// Reads a trace: calls in the order in which they began, those included that another
/// thread's calls interrupted.
pub fn calls(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut open: HashMap<(&str, &str), usize> = HashMap::new();
    for (line, text) in trace.lines().enumerate() {
        let Some((thread, text)) = text.split_once(' ') else { continue };
        let text = text.trim_start();
        if let Some(resumed) = text.strip_prefix("<... ") {
            let Some((name, rest)) = resumed.split_once(" resumed>") else { continue };
            let Some(at) = open.remove(&(thread, name)) else { continue };
            let call: &mut Call = &mut calls[at];
            let (arguments, result) = split_result(rest);
            call.arguments.push_str(arguments);
            (call.result, call.ended) = (result, line);
            continue;
        }
        let Some((name, rest)) = text.split_once('(') else { continue };
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        let call = |arguments: &str, result, ended| Call {
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            result,
            began: line,
            ended,
        };
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            open.insert((thread, name), calls.len());
            calls.push(call(begun, None, usize::MAX));
        } else {
            let (arguments, result) = split_result(rest);
            calls.push(call(arguments, result, line));
        }
    }
    calls
}

/// `…) = 7</a/file>` without its result, and the result.
fn split_result(text: &str) -> (&str, Option<i64>) {
    let Some((arguments, result)) = text.rsplit_once(") = ") else {
        // Columns are aligned: `)        = 0`.
        let Some((before, result)) = text.rsplit_once(" = ") else { return (text, None) };
        return (before.trim_end().trim_end_matches(')'), number(result));
    };
    (arguments, number(result))
}

fn number(text: &str) -> Option<i64> {
    let end = text.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// The reader itself, shown a trace with all that makes it hard.
///
/// # Errors
/// When it reads it wrongly.
pub fn ensure_reads() -> Result<()> {
    let trace = "\
7  pwrite64(9</d/0.log>, \"a \\\"event_id\\\":\\\"e1\\\"\", 24, 64) = 24
8  fdatasync(9</d/0.log> <unfinished ...>
7  renameat2(5</d>, \"x (1)\", AT_FDCWD</c>, \"y\", 0) = -1 ENOENT (No such file or directory)
8  <... fdatasync resumed>)                = 0
9  write(12<socket:[5]>, \"HTTP/1.1 200 OK\", 15 <unfinished ...>
8  +++ killed by SIGKILL +++
";
    let calls = calls(trace);
    let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    ensure!(names == ["pwrite64", "fdatasync", "renameat2", "write"], "{names:?}");
    ensure!(calls[0].result == Some(24) && calls[0].file() == "/d/0.log", "{calls:?}");
    ensure!((calls[1].began, calls[1].ended, calls[1].result) == (1, 3, Some(0)), "{calls:?}");
    ensure!(calls[2].result == Some(-1) && !calls[2].succeeded(), "{calls:?}");
    ensure!(calls[2].paths() == [Path::new("/d/x (1)"), Path::new("/c/y")], "{calls:?}");
    ensure!(calls[3].result.is_none() && calls[3].file() == "socket:[5]", "{calls:?}");
    Ok(())
}
